package iam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/platform"
)

// platforms are those of dev and prod, each with everything that a platform can have of roles. All stacks have the names of the
// stack full.
func platforms(t testing.TB) (all []*recorder.Recording) {
	t.Helper()
	people := []string{"arn:aws:iam::" + account + ":role/people"}
	for _, stack := range []string{"dev", "prod"} {
		text, err := os.ReadFile(project.File(project.Root(), project.Platform+stack))
		require.NoError(t, err)
		config := project.YAML(t, string(text)).
			Set(t, "platform:access.names", recordings(t)[2].names[1:]).Set(t, "platform:access.zoneId", zoneID).
			Set(t, "platform:access.permissions", true).Set(t, "platform:access.readers", people).Set(t, "platform:access.onCall", people)
		all = append(all, recorder.MustRun(t, platform.Deploy, recorder.Options{Project: projectName(t) + "-platform", Stack: stack, Config: config}))
	}
	return all
}

const zoneID = "Z0123456789ABCDEFGHIJ"

// made are the roles of the platforms with their documents, and whom they trust.
func made(t testing.TB) (documents map[string][]string, trust map[string]string) {
	t.Helper()
	documents, trust = map[string][]string{}, map[string]string{}
	for _, run := range platforms(t) {
		managed := map[string]string{}
		for _, policy := range run.All("aws:iam/policy:Policy") {
			managed[fmt.Sprint("arn:aws:iam:eu-west-1:", account, ":policy/", policy.Input(t, "name"))] = policy.Input(t, "policy").(string)
		}
		for _, role := range run.All(roleType) {
			name, _ := role.Input(t, "name").(string)
			trust[name] = role.Input(t, "assumeRolePolicy").(string)
			if strings.HasPrefix(role.Name, "access-") {
				assert.EqualValues(t, 7200, role.Input(t, "maxSessionDuration"), "what .github/actions/pulumi asks for")
			}
		}
		for _, policy := range run.All("aws:iam/rolePolicy:RolePolicy") {
			role := policy.Input(t, "role").(string)
			documents[role] = append(documents[role], policy.Input(t, "policy").(string))
		}
		for _, attached := range run.All("aws:iam/rolePolicyAttachment:RolePolicyAttachment") {
			role, arn := attached.Input(t, "role").(string), attached.Input(t, "policyArn").(string)
			if document, own := managed[arn]; own {
				documents[role] = append(documents[role], document)
			}
		}
	}
	return documents, trust
}

// compact is a document without white space, so that two can be compared.
func compact(t testing.TB, document string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, json.Compact(&out, []byte(document)))
	return out.String()
}

func TestPlatformMakesTheRolesThatTheTestsTry(t *testing.T) {
	files, err := os.ReadDir(file(""))
	require.NoError(t, err)
	reference, err := os.ReadFile(filepath.Join(project.Root(), "docs", "reference", "iam.md"))
	require.NoError(t, err)
	for _, each := range files {
		assert.True(t, filepath.Ext(each.Name()) == ".go" || strings.Contains(string(reference), "iam/"+each.Name()), each.Name())
	}
	documents, trust := made(t)
	full := recordings(t)[2]
	want := map[string][]string{
		"threetier-preview-dev": {"preview.json"}, "threetier-deploy-dev": {base, ofPermissions, ofDomain},
		"threetier-preview-prod": {"preview.json"}, "threetier-deploy-prod": {base, ofPermissions, ofAlarms, ofDomain},
	}
	for role, names := range want {
		_, stack, _ := strings.Cut(strings.TrimPrefix(role, "threetier-"), "-")
		of := recording{owner: owner{projectName(t), stack}, zone: zoneID, names: full.names[1:]}
		var wanted, is []string
		for _, name := range names {
			wanted = append(wanted, compact(t, of.fill(read(t, name))))
		}
		for _, document := range documents[role] {
			is = append(is, compact(t, document))
		}
		assert.ElementsMatch(t, wanted, is, role)
		assert.JSONEq(t, read(t, strings.Replace(role, "threetier", "trust", 1)+".json"), trust[role])
	}
	assert.JSONEq(t, read(t, "images.json"), documents["threetier-images"][0])
}

// Of the real stack, the drill's role reads the state, the config's secrets and the snapshots.
func TestDrillsRoleChangesTheScratchStackAlone(t *testing.T) {
	documents, _ := made(t)
	require.Len(t, documents["threetier-drill-prod"], 2)
	var role, own, beside []statement
	for _, document := range documents["threetier-drill-prod"] {
		assert.NotContains(t, document, "STACK")
		role = append(role, parse(t, document)...)
		if strings.Contains(document, "RestoreSnapshots") {
			own = parse(t, document)
		} else {
			beside = parse(t, document)
		}
	}
	prod := recordings(t)[1]
	scratch := record(t, prod.project, "prod-drill", recorder.Options{
		Config: project.StackConfig(t, "dev").Set(t, "threetier:cluster.eks", prod.cluster).Set(t, "threetier:database.restoreFrom", "newest"),
		RDS:    recorder.RDS{Snapshots: map[string]recorder.DBSnapshot{"newest": {Engine: "postgres", Version: "17.4"}}},
	})
	scratch.cluster = prod.cluster
	wanted := slices.Concat(calls("kms: Decrypt Encrypt", key(prod.owner)), calls("s3: GetObject", state(prod.owner, "stacks/%s/%s.json")))
	for _, call := range scratch.byDocument(t)[base] {
		if call.action != "kms:Decrypt" { // the scratch stack has the key of the real one
			wanted = append(wanted, call)
		}
		if call.action == "rds:RestoreDBInstanceFromDBSnapshot" {
			call.targets[len(call.targets)-1].keys["aws:resourcetag/stack"] = []string{"prod"}
		}
	}
	isWanted := map[string]bool{}
	for _, call := range wanted {
		isWanted[call.String()] = true
		assert.True(t, call.allowed(t, role), "the drill's role may not %s", call)
	}
	attacks := scratch.attacks(t)
	for _, attack := range attacks {
		assert.True(t, isWanted[attack.String()] || !attack.allowed(t, role), "the drill's role may %s", attack)
	}
	for _, part := range parts(own, beside) {
		assert.True(t, part.isNeeded(t, wanted, attacks), "drill.json: %s isn't needed", part.name)
	}
}

// A preview registers nothing in AWS. It finds dev's cluster and database in the outputs of dev's state, so the role reads
// that state, with dev's key, and writes the state of previews.
func TestPreviewsRoleWritesNothingButTheStateOfPreviews(t *testing.T) {
	documents, trust := made(t)
	const name = "threetier-previews-dev"
	require.Len(t, documents[name], 1)
	assert.NotContains(t, documents[name][0], "STACK")
	assert.JSONEq(t, read(t, "trust-previews-dev.json"), trust[name])
	role, dev := parse(t, documents[name][0]), recordings(t)[0]
	preview := &recording{owner: owner{dev.project, "pr-7"}, cluster: dev.cluster, zone: dev.zone, names: dev.names}
	wanted := slices.Concat(calls("kms: Decrypt", key(dev.owner)), calls("s3: GetObject", state(dev.owner, "stacks/%s/%s.json")),
		ofLookups(dev.cluster)["aws:eks/getCluster:getCluster"])
	for _, call := range toDeploy(preview.owner) {
		if call.action != "kms:Decrypt" { // previews have dev's key
			wanted = append(wanted, call)
		}
	}
	isWanted := map[string]bool{}
	for _, call := range wanted {
		isWanted[call.String()] = true
		assert.True(t, call.allowed(t, role), "the previews' role may not %s", call)
	}
	attacks := preview.attacks(t)
	for _, attack := range attacks {
		isPreviews := strings.Contains(attack.String(), "/"+dev.project+"/pr-") // one role is for all of them
		assert.True(t, isPreviews || isWanted[attack.String()] || !attack.allowed(t, role), "the previews' role may %s", attack)
	}
	for _, part := range parts(role, nil) {
		assert.True(t, part.isNeeded(t, wanted, attacks), "previews.json: %s isn't needed", part.name)
	}
}

// AWS's own ReadOnlyAccess reads every bucket. People look at all but secrets and the state; those on call restart the
// database of their stack.
func TestPeopleReadNoSecretAndActOnTheirStackAlone(t *testing.T) {
	documents, trust := made(t)
	readOnly := parse(t, `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:Get*", "s3:List*", "rds:Describe*", "eks:Describe*"], "Resource": "*"}]}`)
	all := recordings(t)
	for i, stack := range []string{"dev", "prod"} {
		instance := all[i].resources[slices.IndexFunc(all[i].resources, func(r registered) bool { return r.Type == instanceType })]
		other := all[1-i].resources[slices.IndexFunc(all[1-i].resources, func(r registered) bool { return r.Type == instanceType })]
		snapshot := on("arn:aws:rds:" + anywhere + ":snapshot:before-the-repair")
		for job, acts := range map[string]bool{"reader": false, "on-call": true} {
			name := "threetier-" + job + "-" + stack
			role := slices.Clone(readOnly)
			require.NotEmpty(t, documents[name])
			for _, document := range documents[name] {
				assert.NotContains(t, document, "STACK")
				role = append(role, parse(t, document)...)
			}
			for _, secret := range slices.Concat(calls("s3: GetObject GetObjectVersion", state(all[i].owner, "stacks/%s/%s.json")), calls("kms: Decrypt", key(all[i].owner)),
				calls("secretsmanager: GetSecretValue", on("arn:aws:secretsmanager:"+anywhere+":secret:database-password-0-AbCdEf"))) {
				assert.False(t, secret.allowed(t, role), "%s may %s", name, secret)
			}
			assert.True(t, one("s3:GetObject", on("arn:aws:s3:::another-bucket/x")).allowed(t, role), "only the state is closed")
			for _, act := range slices.Concat(calls("rds: RebootDBInstance StartDBInstance", instance.own()), []call{one("rds:CreateDBSnapshot", instance.own(), snapshot)}) {
				assert.Equal(t, acts, act.allowed(t, role), "%s: %s", name, act)
			}
			for _, act := range slices.Concat(calls("rds: RebootDBInstance StartDBInstance", other.own()), []call{one("rds:CreateDBSnapshot", other.own(), snapshot)}, calls("rds: DeleteDBInstance ModifyDBInstance", instance.own())) {
				assert.False(t, act.allowed(t, role), "%s: %s", name, act)
			}
			assert.True(t, allows(t, parse(t, trust[name]), request{action: "sts:AssumeRole"}))
		}
	}
}
