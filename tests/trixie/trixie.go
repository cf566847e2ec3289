// Package trixie is for tests that run a program of Debian 13 by bin/trixie.
package trixie

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Program is bin/trixie of this checkout.
func Program() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "../../bin/trixie")
}

// Require skips a test where bin/trixie can't run, and fails it there in CI: then the test is expected to run.
func Require(t testing.TB) {
	t.Helper()
	said, err := exec.Command(Program(), "true").CombinedOutput()
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("bin/trixie: %v: %s", err, said)
	}
	t.Skipf("SKIPPED: wants bin/trixie, which make packages prepares for root on Debian and Ubuntu: %s", said)
}
