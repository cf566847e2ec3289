package workflows

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/internal/version"
)

// release runs the script in a folder with this version and this changelog, where gh knows a release or none.
func release(t *testing.T, number, changelog string, exists bool) (calls, said string, err error) {
	t.Helper()
	dir := t.TempDir()
	view := "exit 1"
	if exists {
		view = "exit 0"
	}
	for name, text := range map[string]string{
		"internal/version/version.go": "package version\n\nconst Number = \"" + number + "\"\n",
		"CHANGELOG.md":                changelog,
		"bin/gh":                      "#!/bin/sh\nprintf '%s|' \"$@\" >>calls\n[ \"$2\" != view ] || " + view + "\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700))
	}
	cmd := exec.Command(folder("scripts", "release"))
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + filepath.Join(dir, "bin") + ":/usr/bin:/bin", "GITHUB_SHA=abc"}
	out, err := cmd.CombinedOutput()
	seen, _ := os.ReadFile(filepath.Join(dir, "calls"))
	return string(seen), string(out), err
}

func TestANewVersionIsTaggedOnceWithItsSectionOfTheChangelog(t *testing.T) {
	changelog := "# Changelog\n\n## 1.2.3\n\n- new\n\n### More\n\n## 1.2.2\n\n- old\n"
	calls, said, err := release(t, "1.2.3", changelog, false)
	require.NoError(t, err, said)
	assert.Equal(t, "release|view|v1.2.3|release|create|v1.2.3|--target|abc|--title|1.2.3|--notes|\n- new\n\n### More|", calls)

	calls, said, err = release(t, "1.2.3", changelog, true)
	require.NoError(t, err, said)
	assert.Equal(t, "release|view|v1.2.3|", calls)

	_, said, err = release(t, "1.2.4", changelog, false)
	require.Error(t, err)
	assert.Contains(t, said, "has no section ## 1.2.4")
	_, said, err = release(t, "1.2", changelog, false)
	require.Error(t, err)
	assert.Contains(t, said, "is '1.2', want MAJOR.MINOR.PATCH")
}

func TestTheChangelogBeginsWithTheVersionOfTheProgram(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(project.Root(), "CHANGELOG.md"))
	require.NoError(t, err)
	_, sections, _ := strings.Cut(string(text), "\n## ")
	heading, _, _ := strings.Cut(sections, "\n")
	assert.Contains(t, []string{version.Number, "Unreleased"}, heading)
	assert.Contains(t, string(text), "\n## "+version.Number+"\n")
}
