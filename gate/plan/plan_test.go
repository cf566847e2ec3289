package plan_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/plan"
	"threetier/gate/project"
)

func build(t *testing.T, root, stack string) *plan.Plan {
	t.Helper()
	planned, err := plan.Build(root, stack)
	require.NoError(t, err)
	return planned
}

func text(t *testing.T, planned *plan.Plan) string {
	t.Helper()
	written, err := planned.Text()
	require.NoError(t, err)
	return string(written)
}

// edited is a folder with the stack's config, in which one text stands for another.
func edited(t *testing.T, stack string, replace ...string) string {
	t.Helper()
	config, err := os.ReadFile(project.File(project.Root(), stack))
	require.NoError(t, err)
	for i := 0; i < len(replace); i += 2 {
		require.Contains(t, string(config), replace[i])
		config = bytes.ReplaceAll(config, []byte(replace[i]), []byte(replace[i+1]))
	}
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, project.PlatformFolder), 0o700))
	require.NoError(t, os.WriteFile(project.File(dir, stack), config, 0o600))
	return dir
}

// changes are those that an edit of the stack's config makes, as "kind label: paths".
func changes(t *testing.T, stack string, replace ...string) []string {
	t.Helper()
	var lines []string
	for _, change := range plan.Compare(build(t, project.Root(), stack), build(t, edited(t, stack, replace...), stack)) {
		paths := make([]string, len(change.Details))
		for i, detail := range change.Details {
			paths[i] = detail.Path
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", change.Kind, change.Resource.Label(), strings.Join(paths, " ")))
	}
	return lines
}

func TestCommittedPlansAreFresh(t *testing.T) {
	stacks, err := project.Stacks(project.Root())
	require.NoError(t, err)
	require.Contains(t, stacks, "prod")
	platforms, err := project.Platforms(project.Root())
	require.NoError(t, err)
	require.Equal(t, []string{"platform-dev", "platform-prod"}, platforms)
	for _, stack := range append(stacks, platforms...) {
		committed, err := os.ReadFile(filepath.Join(project.Root(), "tests", "plan", stack+".yaml"))
		require.NoError(t, err, "run make plan")
		if text(t, build(t, project.Root(), stack)) != string(committed) {
			t.Errorf("tests/plan/%s.yaml isn't what %s leads to: run make plan, and look at the difference", stack, project.File("", stack))
		}
	}
}

func TestPlanIsTheSameInEveryRun(t *testing.T) {
	for stack, runs := range map[string]int{"prod": 20, "platform-prod": 5} {
		first := text(t, build(t, project.Root(), stack))
		for range runs {
			require.True(t, first == text(t, build(t, project.Root(), stack)), "two runs of %s differ", stack)
		}
	}
}

func TestPlanThatWasWrittenReadsAsTheSame(t *testing.T) {
	planned := build(t, project.Root(), "prod")
	read, err := plan.Parse([]byte(text(t, planned)))
	require.NoError(t, err)
	assert.Empty(t, plan.Compare(read, planned))
	assert.Empty(t, plan.Compare(planned, read))
}

func TestPlanFollowsTheFlow(t *testing.T) {
	written := text(t, build(t, project.Root(), "dev"))
	last := -1
	for _, step := range []string{
		"name: cluster\n", "name: database\n", "name: database-password-v1\n", "type: aws:rds/instance:Instance\n",
		"type: threetier:index:App\n", "name: app-backend-migrate\n", "type: threetier:index:Nginx\n",
	} {
		at := strings.Index(written, step)
		require.Greater(t, at, last, step)
		last = at
	}
}

func TestPlanShowsNoSecret(t *testing.T) {
	root := edited(t, "dev",
		"config:\n", "config:\n  threetier:allow: {'plain text of threetier:backend.secretEnv.TOKEN': none}\n",
		"lifecycle: disposable", "password: {secure: v1:bm90IGZvciB0aGlz:abcdef}\n    lifecycle: disposable",
		"env: { LOG_LEVEL: debug }", "secretEnv: {TOKEN: in-plain-sight, KEY: {secure: v1:bm90:cipher}}\n    env: { LOG_LEVEL: debug }")
	written := text(t, build(t, root, "dev"))
	for _, hidden := range []string{"in-plain-sight", "a-stand-in", "masked-password", "cipher", "bm90"} {
		assert.NotContains(t, written, hidden)
	}
	assert.Contains(t, written, "TOKEN: '[secret]'")
	assert.Contains(t, written, "DATABASE_URL: postgresql://threetier_a:[secret]@<Instance database>.address:5433/app")
}

func TestOneConfigValueIsOneChange(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		want           []string
	}{
		{"size of the machine", "db.t4g.micro", "db.t4g.large", []string{"changed Instance database: instanceClass"}},
		{"a dynamic input that nothing refers to", "maxStorageGiB: 40", "maxStorageGiB: 50", []string{"changed Instance database: maxAllocatedStorage"}},
		{"bounds of the autoscaler", "min: 2, max: 4", "min: 2, max: 5", []string{"changed HorizontalPodAutoscaler app-backend: spec.maxReplicas"}},
		{"an environment variable more", "LOG_LEVEL: debug", "LOG_LEVEL: debug, A_FIRST: one", []string{
			"replaced Job app-backend-migrate: spec.template.spec.containers[backend-migration].env[A_FIRST].name spec.template.spec.containers[backend-migration].env[A_FIRST].value",
			"changed Deployment app-backend: spec.template.spec.containers[backend].env[A_FIRST].name spec.template.spec.containers[backend].env[A_FIRST].value",
			"changed DeploymentPatch app-backend: metadata.annotations.threetier/rollout",
		}},
		{"a rollback without its migration", "head]", "head]\n    allow: { skip migrate of ghcr.io/acme/backend:1.0.0: it goes back }", []string{
			"changed Deployment app-backend: metadata.annotations.threetier/migration-skipped",
			"deleted Secret app-backend-migrate: ", "deleted Secret app-backend-migrate-lock: ", "deleted Job app-backend-migrate: ",
		}},
		{"nothing but a comment", "# idle most of the day", "# idle", nil},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, changes(t, "dev", c.from, c.to)) })
	}
}

func TestReplacementReachesWhatRefersToIt(t *testing.T) {
	got := changes(t, "dev", "drainSeconds: 10", "drainSeconds: 20")
	assert.Contains(t, got, "replaced ConfigMap app-nginx-config: data.nginx.conf")
	rolls := false
	for _, line := range got {
		rolls = rolls || strings.HasPrefix(line, "changed Deployment app-nginx: ") &&
			strings.Contains(line, "spec.template.spec.volumes[config].configMap.name")
	}
	assert.True(t, rolls, "nginx rolls: %v", got)
}

func TestAnotherRegionReplacesEverythingInTheAccount(t *testing.T) {
	got := strings.Join(changes(t, "dev", "aws:region: eu-west-1", "aws:region: eu-central-1"), "\n")
	for _, label := range []string{"Instance database", "SubnetGroup database-subnets", "Secret database-password", "Secret app-backend-database"} {
		assert.Contains(t, got, "replaced "+label+": ")
	}
}

const key = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"

func TestRestoreWithAKeyIsPlanned(t *testing.T) {
	root := edited(t, "dev", "port: 5433", "port: 5433\n    restoreFrom: final\n    kmsKeyArn: "+key)
	assert.Contains(t, text(t, build(t, root, "dev")), "kmsKeyId: "+key)
}

func TestDataLossFailsUnlessTheStackConfigNamesIt(t *testing.T) {
	before := build(t, project.Root(), "dev")
	for _, c := range []struct {
		name, from, to, meant, want string
	}{
		{"another database name", "port: 5433", "port: 5433\n    name: shop", "{}", "Instance database is replaced"},
		{"named", "port: 5433", "port: 5433\n    name: shop", "{ lose database: it is empty }", ""},
		{"another key", "port: 5433", "port: 5433\n    kmsKeyArn: " + key, "{}", "Instance database is replaced"},
		{"named with a typo", "port: 5433", "port: 5433\n    name: shop", "{ lose databse: it is empty }", "Instance database is replaced"},
		{"no loss", "port: 5433", "port: 5434", "{}", ""},
		{"named without a loss", "port: 5433", "port: 5434", "{ lose database: it is empty }", `threetier:allow.lose database is "it is empty", want none: nothing is lost by this name`},
		{"another region", "aws:region: eu-west-1", "aws:region: us-east-1", "{ lose database: it moves, lose database-subnets: it moves }", "Secret database-password is replaced"},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := build(t, edited(t, "dev", "config:\n", "config:\n  threetier:allow: "+c.meant+"\n", c.from, c.to), "dev")
			err := plan.Gate(after, plan.Compare(before, after))
			if c.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestNameThatGoesDarkFailsUnlessTheStackConfigNamesIt(t *testing.T) {
	planOf := func(config string) *plan.Plan {
		return build(t, edited(t, "dev", "config:\n", "config:\n"+config), "dev")
	}
	const named = "  threetier:domain: { name: shop.example.org, zone: example.org, aliases: [store.example.org] }\n"
	before := planOf(named)
	changes := plan.Compare(before, planOf("  threetier:domain: { name: store.example.org, zone: example.org, redirectFrom: [shop.example.org] }\n"))
	require.NoError(t, plan.Gate(before, changes), "both names are served as before")

	for _, config := range []string{
		"  threetier:domain: { name: shop.example.org, zone: example.org }\n",
		"  threetier:domain: { name: shop.example.org, zone: example.org, aliases: [other.example.org] }\n",
	} {
		after := planOf(config)
		changes := plan.Compare(before, after)
		require.ErrorContains(t, plan.Gate(after, changes), "dev: Certificate domain-store.example.org is deleted, and its public name goes dark; "+
			"if that is meant, add to threetier:allow in Pulumi.dev.yaml: { lose domain-store.example.org: the reason }")
		meant := planOf(config + "  threetier:allow: { lose domain-store.example.org: nobody uses it }\n")
		require.NoError(t, plan.Gate(meant, plan.Compare(before, meant)))
		assert.Contains(t, plan.Markdown("main", []plan.Comparison{{Stack: "dev", Changes: changes}}),
			"> [!CAUTION]\n> This touches data, or what leads to the app.\n> - **dev**: `Certificate domain-store.example.org` is **deleted**: its public name goes dark\n")
	}
}

func TestReplicaMayGoButThePrimaryMayNot(t *testing.T) {
	with := build(t, edited(t, "prod", "port: 5433", "port: 5433\n    readReplicas: 1"), "prod")
	without := build(t, project.Root(), "prod")
	changes := plan.Compare(with, without)
	require.NoError(t, plan.Gate(without, changes))
	assert.Contains(t, plan.Markdown("main", []plan.Comparison{{Stack: "prod", Changes: changes}}),
		"**prod**: `Instance database-replica-1` is **deleted**\n")
}

func TestWeakerProtectionIsToldOfOnTop(t *testing.T) {
	after := build(t, edited(t, "prod", "lifecycle: durable", "lifecycle: retiring\n    allow: {RDS.8: it goes}"), "prod")
	changes := plan.Compare(build(t, project.Root(), "prod"), after)
	summary := plan.Markdown("main", []plan.Comparison{{Stack: "prod", Changes: changes}})
	top, _, _ := strings.Cut(summary, "| stack |")
	assert.Contains(t, top, "**prod**: `Instance database` is **changed**")
	assert.Contains(t, summary, "`deletionProtection`: `true` → `false`")
	assert.Contains(t, summary, "`protect`: `true` → `false`")
}

func TestSubnetsThatTheConfigNamesArePlanned(t *testing.T) {
	root := edited(t, "dev", "port: 5433", "port: 5433\n    network: {subnetIds: [subnet-0aaa, subnet-0bbb]}")
	assert.Contains(t, text(t, build(t, root, "dev")), "- subnet-0aaa\n")
}

func TestConfigThatTheProgramRefusesIsNoPlan(t *testing.T) {
	_, err := plan.Build(edited(t, "dev", "storageGiB: 20", "storageGiB: 5"), "dev")
	assert.ErrorContains(t, err, "threetier:database.storageGiB is 5, want 20 to 65536")
}
