package commands

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Values come from people, tickets and other programs: whoever writes one mustn't choose what runs.
func TestMakeRunsNoPartOfAValue(t *testing.T) {
	content, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	given := strings.Fields(regexp.MustCompile(`(?m)^given := (.*)$`).FindStringSubmatch(string(content))[1])
	require.Greater(t, len(given), 15)
	targets := regexp.MustCompile(`(?m)^([a-z-]+):.*##`).FindAllStringSubmatch(string(content), -1)
	require.Greater(t, len(targets), 25)
	assert.NotRegexp(t, `(?m)^\t.*[^$]\$[({](`+strings.Join(given, "|")+`)\b`, string(content), "a value that make writes into a recipe")

	dir, ran := t.TempDir(), filepath.Join(t.TempDir(), "ran")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Makefile"), content, 0o600))
	stub := filepath.Join(dir, "stub")
	require.NoError(t, os.WriteFile(stub, []byte("#!/bin/sh\nprintf '%s\\n' \"$@\"\n"), 0o700))
	for _, folder := range []string{"bin", "path", "tests", "apps/backend", "apps/frontend", ".local/bin"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, folder), 0o700))
	}
	for _, program := range []string{
		"bin/local", "bin/psql", "bin/images", "bin/status", "bin/logs", "bin/drill", "bin/after-upgrade", "bin/github", "bin/scan", "bin/names", "bin/upgrade", "bin/pictures", "bin/preview", "tests/first-up", "apps/backend/test",
		"apps/frontend/test", ".local/bin/golangci-lint", ".local/bin/actionlint", ".local/bin/vale", "path/go", "path/git", "path/apt-get", "path/shellcheck",
	} {
		require.NoError(t, os.Symlink(stub, filepath.Join(dir, program)))
	}
	makes := func(target string, value func(name string) string) string {
		args := []string{"--silent", target}
		for _, name := range given {
			args = append(args, name+"="+value(name))
		}
		cmd := exec.Command("make", args...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + filepath.Join(dir, "path") + ":/usr/bin:/bin", "RAN=" + ran}
		said, _ := cmd.CombinedOutput() // a target may fail where everything that it runs is a stub
		return string(said)
	}
	for _, target := range targets {
		for _, attack := range []string{`a; touch $$RAN`, `a"; touch "$$RAN`, "`touch $$RAN`", `$$(touch "$$RAN")`, `$(shell touch "$$RAN")`, `'; touch $$RAN; '`} {
			makes(target[1], func(string) string { return attack })
			require.NoFileExists(t, ran, "%s with %s", target[1], attack)
		}
	}
	assert.Equal(t, "up\n--stack\n$(X) a b\n--port\n$(X) a b\n", makes("up", func(string) string { return "$(X) a b" }), "one word, as it was written")
	assert.Equal(t, "up\n--stack\nprod\n", makes("up", func(name string) string { return map[string]string{"STACK": "prod"}[name] }))
}
