package workflows

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

// The last line that matches has the word. https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
func TestWhatRunsWithARoleHasOwners(t *testing.T) {
	text, err := os.ReadFile(folder("CODEOWNERS"))
	require.NoError(t, err)
	owned := func(path string) (owners []string) {
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(strings.SplitN(line, "#", 2)[0])
			if len(words) == 0 {
				continue
			}
			pattern := strings.TrimPrefix(words[0], "/")
			if pattern == "*" || pattern == path || strings.HasPrefix(path, strings.TrimSuffix(pattern, "/")+"/") {
				owners = words[1:]
			}
		}
		return owners
	}
	for _, path := range []string{
		".github/CODEOWNERS", ".github/workflows/deploy.yml", ".github/scripts/approved", "bin/drill", "docs/iam/deploy.json", "Pulumi.yaml",
		"Pulumi.prod.yaml", "go.mod", "go.sum", "main.go", "Makefile", "components/app/logins/roles.sql", "internal/stack/stack.go",
	} {
		assert.FileExists(t, filepath.Join(project.Root(), path))
		assert.NotEmpty(t, owned(path), path)
	}
}
