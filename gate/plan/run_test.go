package plan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/costs"
	"threetier/gate/project"
)

// checkout is a repository with the stack configs and their plans, committed.
func checkout(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, folder), 0o700))
	for _, stack := range []string{"dev", "prod"} {
		name := "Pulumi." + stack + ".yaml"
		config, err := os.ReadFile(filepath.Join(project.Root(), name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, name), config, 0o600))
	}
	var written strings.Builder
	require.NoError(t, Run(&written, root, "", false))
	require.Equal(t, "tests/plan: dev, prod changed\n", written.String())
	for _, args := range [][]string{
		{"init", "--quiet"}, {"add", "."},
		{"-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "--quiet", "--message", "plans"},
	} {
		_, err := git(root, args...)
		require.NoError(t, err)
	}
	return root
}

func replace(t *testing.T, file, from, to string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), from)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), from, to, 1)), 0o600))
}

func TestPullRequestThatLosesDataFailsUntilItSaysSo(t *testing.T) {
	root := checkout(t)
	dev := filepath.Join(root, "Pulumi.dev.yaml")

	var again strings.Builder
	require.NoError(t, Run(&again, root, "", false))
	assert.Equal(t, "tests/plan: no plan changed\n", again.String())

	var unchanged strings.Builder
	require.NoError(t, Run(&unchanged, root, "HEAD", false))
	assert.Contains(t, unchanged.String(), "| dev | 0 | 0 | 0 | 0 |")

	replace(t, dev, "port: 5433", "port: 5433\n    username: shop_admin")
	var losing strings.Builder
	err := Run(&losing, root, "HEAD", false)
	require.ErrorContains(t, err, "add to threetier:allow in Pulumi.dev.yaml: { lose database: the reason }")
	assert.Contains(t, losing.String(), "**dev**: `Instance database` is **replaced**: the database goes with it")
	assert.Contains(t, losing.String(), "`username`: `app_admin` → `shop_admin` (this makes a new one)")
	assert.Contains(t, losing.String(), "| prod | 0 | 0 | 0 | 0 |")

	replace(t, dev, "config:\n", "config:\n  threetier:allow: { lose database: it is empty }\n")
	assert.NoError(t, Run(&strings.Builder{}, root, "HEAD", false))
}

func TestChangedKeysAreQuotedWithWhatTheyCost(t *testing.T) {
	root := checkout(t)
	require.NoError(t, os.MkdirAll(filepath.Join(root, filepath.Dir(costs.File)), 0o700))
	var rows []costs.Row
	for _, key := range []string{"backend.env", "backend.envelope", "database.parameters", "nginx.routes"} {
		rows = append(rows, costs.Row{Key: "threetier:" + key, Change: "another"})
	}
	require.NoError(t, costs.Measured{Rows: rows}.Write(filepath.Join(root, costs.File)))
	replace(t, filepath.Join(root, "Pulumi.dev.yaml"), "env: { LOG_LEVEL: debug }", "env: { LOG_LEVEL: info }")
	replace(t, filepath.Join(root, "Pulumi.dev.yaml"), "drainSeconds: 10", "drainSeconds: 10\n    hosts: [a.example.org, b.example.org]")
	var out strings.Builder
	require.NoError(t, Run(&out, root, "HEAD", false))
	assert.Contains(t, out.String(), "by docs/cost-of-changes.md:\n\n"+costs.Table(rows[:1])+"\nNot measured there: `threetier:nginx.hosts`.\n")
	assert.Equal(t, 1, strings.Count(out.String(), costs.Table(nil)), "prod hasn't changed")
}

func TestStackThatIsGoneIsToldOf(t *testing.T) {
	root := checkout(t)
	require.NoError(t, os.Remove(filepath.Join(root, "Pulumi.dev.yaml")))
	var out strings.Builder
	require.NoError(t, Run(&out, root, "HEAD", false))
	assert.Contains(t, out.String(), "It has no config any more")
	assert.NoFileExists(t, filepath.Join(root, folder, "dev.yaml"))
}

func TestUnknownBaseIsOneLine(t *testing.T) {
	err := Run(&strings.Builder{}, checkout(t), "origin/nowhere", false)
	assert.EqualError(t, err, "BASE is origin/nowhere, want a commit that this clone has")
}

func TestStackThatIsGoneWithSomethingProtectedIsRefused(t *testing.T) {
	root := checkout(t)
	require.NoError(t, os.Remove(filepath.Join(root, "Pulumi.prod.yaml")))
	require.NoError(t, os.Remove(filepath.Join(root, "Pulumi.dev.yaml")))
	var out strings.Builder
	assert.ErrorContains(t, Run(&out, root, "HEAD", false), "prod: Pulumi.prod.yaml is gone, and Instance database is protected; want lifecycle retiring")
	assert.Less(t, strings.Index(out.String(), "### dev"), strings.Index(out.String(), "### prod"), "in the same order in every run")
}

// The deletion of the frontend is planned where the right key isn't read.
func TestUnknownKeyIsNoPlan(t *testing.T) {
	root := checkout(t)
	replace(t, filepath.Join(root, "Pulumi.prod.yaml"), "threetier:frontend:", "threetier:fronted:")
	assert.ErrorContains(t, Run(&strings.Builder{}, root, "HEAD", false), "threetier:fronted is unknown, want one of ")
	replace(t, filepath.Join(root, "Pulumi.prod.yaml"), "threetier:fronted:", "threetier:frontend:")
	replace(t, filepath.Join(root, "Pulumi.prod.yaml"), "config:\n", "confg:\n")
	assert.ErrorContains(t, Run(&strings.Builder{}, root, "HEAD", false), "read the stack config prod: confg is unknown, want one of config, ")
	replace(t, filepath.Join(root, "Pulumi.prod.yaml"), "confg:\n", "config:\n  frontend: { image: x }\n")
	assert.ErrorContains(t, Run(&strings.Builder{}, root, "HEAD", false), "frontend is given beside threetier:frontend, want one of the two")
}

func TestComparisonIsAlsoJSON(t *testing.T) {
	root := checkout(t)
	replace(t, filepath.Join(root, "Pulumi.dev.yaml"), "port: 5433", "port: 5433\n    username: shop_admin")
	var out strings.Builder
	require.Error(t, Run(&out, root, "HEAD", true))
	var stacks []map[string]any
	require.NoError(t, json.Unmarshal([]byte(out.String()), &stacks))
	var lost []any
	for _, stack := range stacks {
		for _, change := range stack["changes"].([]any) {
			lost = append(lost, change.(map[string]any)["losses"].([]any)...)
		}
	}
	require.NotEmpty(t, lost)
	assert.Equal(t, map[string]any{"name": "database", "what": "Instance database is replaced", "lost": "the database goes with it"}, lost[0])
}

func TestJSONHasListsWhereNothingIsInThem(t *testing.T) {
	changes := Compare(nil, &Plan{Resources: []Resource{{Type: "aws:sns/topic:Topic", Name: "alerts"}}})
	said, err := JSON([]Comparison{{Stack: "dev", New: true, Changes: changes}})
	require.NoError(t, err)
	assert.JSONEq(t, `[{"stack": "dev", "new": true, "gone": false, "changes": [
		{"kind": "created", "resource": "Topic alerts", "details": [], "losses": []}]}]`, said)
}
