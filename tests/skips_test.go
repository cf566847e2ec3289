package tests

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

// mayDiffer are tests of threetier itself, which a project that was made from it skips, and one whose other process said why.
var mayDiffer = []string{
	"tests/docs/commands_test.go", "tests/template/template_test.go", "local/internal/account/bridge_test.go",
	"package/package_test.go", "tests/e2e/package_slow_test.go",
	"tests/skip/skip.go", "local/internal/skip/skip.go",
}

// Else CI is green because a machine lacks something.
func TestNothingIsSkippedButBySkipTest(t *testing.T) {
	skips := regexp.MustCompile(`\.Skip(f|Now)?\(`)
	seen := 0
	require.NoError(t, filepath.WalkDir(project.Root(), func(path string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules") && path != project.Root() {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(project.Root(), path)
		if skips.Match(text) && name != "tests/skips_test.go" {
			seen++
			assert.Contains(t, mayDiffer, name, "use skip.Test, which fails in CI")
		}
		return err
	}))
	assert.Equal(t, len(mayDiffer), seen, "the list has what is there alone")
}
