// Package skip is for tests that want something of the machine that not every machine has.
package skip

import (
	"os"
	"testing"
)

// Test skips a test whose machine lacks what it wants, and fails it in CI: there, all tests are expected to run.
func Test(t testing.TB, wants string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("in CI, nothing is skipped: wants "+wants, args...)
	}
	t.Skipf("SKIPPED: wants "+wants, args...)
}
