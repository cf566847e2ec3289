package tests

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/internal/recorder"
)

// The stand-in knows the program only as Pulumi does: by its Pulumi.yaml, and by running it.
func TestLocalImportsNothingOfTheProgramOrItsTests(t *testing.T) {
	local := filepath.Join(recorder.Root(), "local")
	imports := 0
	err := filepath.WalkDir(local, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			imports++
			if name == "threetier" || strings.HasPrefix(name, "threetier/") {
				assert.True(t, strings.HasPrefix(name, "threetier/local/"), "%s imports %s", path, name)
			}
		}
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, imports, 100)
}
