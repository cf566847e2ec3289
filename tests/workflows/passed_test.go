package workflows

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// On main, b is a's successor, and the head is the revert of b.
func TestARevertOfWhatPassedCheckNeedNotPassItAgain(t *testing.T) {
	good, bad, skipped := `{"name": "check / lint", "conclusion": "success"}`, `{"name": "check / test (test-live)", "conclusion": "failure"}`, `{"name": "check", "conclusion": "skipped"}`
	for _, test := range []struct {
		name, after, jobs string
		known             bool
	}{
		{"all jobs passed", "a", good + `, {"name": "dev", "conclusion": "failure"}`, true},
		{"one job failed", "a", good + "," + bad, false},
		{"check was skipped", "a", skipped, false},
		{"another tree", "c", good, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			git := func(script string) string {
				cmd := exec.Command("bash", "-euc", "commit() { git add -A; git -c user.name=a -c user.email=a@localhost commit --quiet --allow-empty --message x; }; "+script)
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, string(out))
				return strings.TrimSpace(string(out))
			}
			a := git("git init --quiet --initial-branch main; echo a >file; commit; git rev-parse HEAD")
			git("echo b >file; commit; echo " + test.after + " >file; commit")
			bin := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(bin, "gh"), []byte(`#!/bin/sh
case "$2" in
"repos/acme/shop/actions/workflows/deploy.yml/runs?branch=main&head_sha=`+a+`") echo 7 ;;
"repos/acme/shop/actions/runs/7/jobs?per_page=100") echo '{"jobs": [`+test.jobs+`]}' ;;
*) exit 1 ;;
esac
`), 0o700))
			cmd := exec.Command(folder("scripts", "passed"))
			cmd.Dir = dir
			output := filepath.Join(bin, "output")
			cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "GITHUB_REPOSITORY=acme/shop", "GITHUB_OUTPUT=" + output}
			said, err := cmd.CombinedOutput()
			require.NoError(t, err, string(said))
			written, _ := os.ReadFile(output)
			if test.known {
				assert.Equal(t, "commit="+a+"\n", string(written))
			} else {
				assert.Empty(t, string(written))
			}
		})
	}
}
