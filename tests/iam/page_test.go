package iam

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
)

func page(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(project.Root(), "docs", "how-to", "roles.md"))
	require.NoError(t, err)
	return string(text)
}

// command is one that the page ran: its arguments, and what it read.
type command struct{ Args, Stdin []string }

// of is the value of a flag.
func (c command) of(flag string) string { return c.Args[slices.Index(c.Args, flag)+1] }

// commands are all of the page's own for the roles, in their order, with an aws and a kubectl that only note what they are
// called with. All stacks have the names of the stack full.
func commands(t testing.TB) (all []command) {
	t.Helper()
	script := `set -euo pipefail
		noted() { jq --null-input --compact-output --arg stdin "$stdin" '{args: $ARGS.positional, stdin: [$stdin]}' --args -- "$@" >>"$NOTES"; }
		aws() { stdin= noted aws "$@"; }
		kubectl() { [ "${@: -1}" != - ] && stdin= noted kubectl "$@" || stdin=$(cat) noted kubectl "$@"; }
		gh() { :; }
		make() { :; } # names, which tests/template runs
		pulumi() { printf %s "$DOMAIN"; }
	`
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(page(t), -1) {
		script += block[1]
	}
	domain, err := project.StackConfig(t, "full").Text("threetier:domain")
	require.NoError(t, err)
	notes := filepath.Join(t.TempDir(), "notes")
	run := exec.Command("bash", "-c", script)
	run.Dir, run.Env = project.Root(), append(os.Environ(), "NOTES="+notes, "DOMAIN="+domain)
	said, err := run.CombinedOutput()
	require.NoError(t, err, string(said))
	text, err := os.ReadFile(notes)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var noted command
		require.NoError(t, json.Unmarshal([]byte(line), &noted))
		all = append(all, noted)
	}
	return all
}

// made are the roles with their documents, and whom they trust.
func made(t testing.TB) (documents map[string][]string, trust map[string]string) {
	t.Helper()
	documents, trust = map[string][]string{}, map[string]string{}
	managed := map[string]string{}
	for _, each := range commands(t) {
		if each.Args[1] != "iam" {
			continue
		}
		switch role := each.of("--role-name"); each.Args[2] {
		case "create-role":
			trust[role] = each.of("--assume-role-policy-document")
			if !strings.HasSuffix(role, "-images") {
				assert.Equal(t, "7200", each.of("--max-session-duration"), "what .github/actions/pulumi asks for")
			}
		case "put-role-policy":
			require.Contains(t, trust, role, "the role isn't there yet")
			documents[role] = append(documents[role], each.of("--policy-document"))
		case "create-policy":
			managed["arn:aws:iam::"+account+":policy/"+each.of("--policy-name")] = each.of("--policy-document")
		case "attach-role-policy":
			require.Contains(t, trust, role, "the role isn't there yet")
			require.Contains(t, managed, each.of("--policy-arn"), "the policy isn't there yet")
			documents[role] = append(documents[role], managed[each.of("--policy-arn")])
		}
	}
	return documents, trust
}

func TestCommandsOfThePageMakeTheRolesThatTheTestsTry(t *testing.T) {
	files, err := os.ReadDir(file(""))
	require.NoError(t, err)
	reference, err := os.ReadFile(filepath.Join(project.Root(), "docs", "reference", "iam.md"))
	require.NoError(t, err)
	for _, each := range files {
		assert.Contains(t, string(reference), "iam/"+each.Name())
	}
	documents, trust := made(t)
	full := recordings(t)[2]
	want := map[string][]string{
		"threetier-preview-dev": {"preview.json", ofTheApp}, "threetier-deploy-dev": {base, ofPermissions, ofDomain, ofTheApp},
		"threetier-preview-prod": {"preview.json", ofTheApp}, "threetier-deploy-prod": {base, ofPermissions, ofAlarms, ofDomain, ofTheApp},
	}
	for role, names := range want {
		_, stack, _ := strings.Cut(strings.TrimPrefix(role, "threetier-"), "-")
		of := recording{owner: owner{projectName(t), stack}, zone: "ZONE_ID", names: full.names[1:]}
		require.Len(t, documents[role], len(names), role)
		for i, name := range names {
			assert.JSONEq(t, of.fill(read(t, name)), documents[role][i], "%s of %s", name, role)
		}
		assert.JSONEq(t, read(t, strings.Replace(role, "threetier", "trust", 1)+".json"), trust[role])
	}
	assert.JSONEq(t, read(t, "images.json"), documents["threetier-images"][0])
}

// Of the real stack, the drill's role reads the state, the config's secrets and the snapshots.
func TestDrillsRoleChangesTheScratchStackAlone(t *testing.T) {
	documents, _ := made(t)
	require.Len(t, documents["threetier-drill-prod"], 2)
	var role []statement
	for _, document := range documents["threetier-drill-prod"] {
		assert.NotContains(t, document, "STACK")
		role = append(role, parse(t, document)...)
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
	for _, part := range parts(parse(t, documents["threetier-drill-prod"][1]), parse(t, documents["threetier-drill-prod"][0])) {
		assert.True(t, part.isNeeded(t, wanted, attacks), "drill.json: %s isn't needed", part.name)
	}
}
