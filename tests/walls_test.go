package tests

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

// tools are small shared packages that every room of the program may use.
var tools = []string{"internal/allow", "internal/component", "internal/constraint", "internal/keys", "internal/lookup", "internal/optional", "internal/problems", "internal/tags"}

// rooms are the project's folders and the doors that lead out of them: which of the others each may import, besides
// tools. Tests may import anything but the local node, which only the command line reaches.
var rooms = map[string][]string{
	".":                 {"internal/stack"},
	"components/alarms": {"components/app", "components/app/logins", "components/app/nginx", "components/app/pods"},
	"components/app":    {"components/app/images", "components/app/logins", "components/app/nginx", "components/app/pods", "components/database"},

	"components/app/images": nil,
	"components/app/logins": {"components/app/pods", "components/database"},
	"components/app/nginx":  {"components/app/images", "components/app/pods"},
	"components/app/pods":   nil,

	"components/cluster":  {"internal/kube", "internal/network"},
	"components/database": {"internal/network", "internal/rdsca"},
	"components/domain":   nil,
	"components/platform": {"components/cluster", "docs/iam"},
	"docs/iam":            nil,
	"internal/allow":      nil,
	"internal/component":  nil,
	"internal/constraint": nil,
	"internal/keys":       nil,
	"internal/kube":       nil,
	"internal/lookup":     nil,
	"internal/network":    nil,
	"internal/optional":   nil,
	"internal/problems":   nil,
	"internal/rdsca":      nil,
	"internal/tags":       nil,
	"internal/version":    nil,
	"internal/settings":   {"components/alarms", "components/app", "components/app/images", "components/app/nginx", "components/app/pods", "components/cluster", "components/database", "components/domain", "internal/network", "internal/rdsca"},
	"internal/platform":   {"components/platform", "docs/iam", "internal/settings"},
	"platform":            {"internal/platform"},
	"internal/stack":      {"components/alarms", "components/app", "components/cluster", "components/database", "components/domain", "internal/settings", "internal/version"},

	// One way: project, node, load, recorder, costs, plan, scorecard, seed, rehearse.
	"gate/project":          {"internal/settings"},
	"gate/recorder":         {"gate/project", "internal/kube"},
	"gate/costs":            nil,
	"gate/images":           {"components/app/pods", "gate/project"},
	"gate/load":             nil,
	"gate/node":             nil,
	"gate/wrk":              nil,
	"gate/plan":             {"components/database", "gate/costs", "gate/plan/replacement", "gate/project", "gate/recorder", "internal/platform", "internal/settings", "internal/stack"},
	"gate/plan/replacement": nil,
	"gate/scorecard":        {"gate/recorder"},
	"gate/rehearse":         {"components/app", "components/app/logins", "components/app/nginx", "components/database", "gate/costs", "gate/load", "gate/node", "gate/project", "gate/seed", "internal/settings"},
	"gate/seed":             {"gate/node"},
	"package":               {"components/app", "components/database", "components/domain", "internal/settings", "internal/stack", "internal/version"},
	"cmd/bench-nginx":       {"components/app/nginx", "gate/node", "gate/wrk", "tests/nginx"},
	"tests/e2e/drivers/pgx": nil,
	"cmd/images":            {"gate/images"},
	"cmd/plan":              {"gate/plan"},
	"cmd/reference":         {"internal/platform", "internal/settings"},
	"cmd/rehearse":          {"gate/costs", "gate/rehearse"},
	"cmd/scale":             {"components/database", "gate/node", "gate/plan", "gate/project", "gate/wrk", "internal/settings"},
	"cmd/seed":              {"gate/node", "gate/seed"},
	"cmd/scorecard":         {"gate/plan", "gate/project", "gate/recorder", "gate/scorecard", "internal/settings", "internal/stack"},
	"tests/cloudwatch":      nil,
	"tests/docs/stub":       nil,
	"tests/nginx":           nil,
	"tests/postgres":        nil,
	"tests/skip":            nil,
	"tests/trixie":          {"tests/skip"},
}

// module is how the project's own packages begin.
var module = strings.TrimSuffix(reflect.TypeFor[project.Config]().PkgPath(), "gate/project")

// imports are the project's own packages that a file imports, without the module's name.
func imports(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	require.NoError(t, err)
	var own []string
	for _, spec := range parsed.Imports {
		if path, isOwn := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module); isOwn {
			own = append(own, path)
		}
	}
	return own
}

func TestDoorsLeadOneWay(t *testing.T) {
	root := project.Root()
	seen := map[string]bool{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && path != root || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		require.NoError(t, err)
		isTest := strings.HasSuffix(path, "_test.go")
		isProduct := slices.Contains([]string{".", "docs/iam", "package", "platform"}, folder) || strings.HasPrefix(folder, "components") || strings.HasPrefix(folder, "internal")
		for _, imported := range imports(t, path) {
			local := strings.HasPrefix(folder, "local")
			switch {
			case local || strings.HasPrefix(imported, "local"):
				assert.Equal(t, local, strings.HasPrefix(imported, "local"), "%s imports %s", path, imported)
			case isProduct && !isTest && strings.HasPrefix(imported, "gate"):
				assert.Fail(t, "the product must stand without the gate", "%s imports %s", path, imported)
			case !isTest:
				assert.Contains(t, slices.Concat(tools, rooms[folder]), imported, "%s imports %s", path, imported)
			}
		}
		if !isTest && !strings.HasPrefix(folder, "local") {
			_, known := rooms[folder]
			assert.True(t, known, "%s is a room without a door sign: add it to rooms", folder)
			seen[folder] = true
		}
		return nil
	}))
	for folder := range rooms {
		assert.True(t, seen[folder], "%s is gone: take it out of rooms", folder)
	}
}
