// Package trixie is for tests that run a program of Debian 13 by bin/trixie.
package trixie

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"threetier/tests/skip"
)

// Program is bin/trixie of this checkout.
func Program() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "../../bin/trixie")
}

// Require skips a test where bin/trixie can't run.
func Require(t testing.TB) {
	t.Helper()
	said, err := exec.Command(Program(), "true").CombinedOutput()
	if err != nil {
		skip.Test(t, "bin/trixie, which make packages prepares for root on Debian and Ubuntu: %v: %s", err, said)
	}
}
