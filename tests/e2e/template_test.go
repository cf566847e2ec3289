//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// The tests of pulumi new want the Pulumi CLI, which the node has got by now.
func TestPulumiNewAndAnUpgradeAreTriedWithTheCLI(t *testing.T) {
	t.Parallel()
	said := must(t, "go test -count=1 -v -run 'NewProject|Upgrade' ./tests/template")
	if strings.Count(said, "--- PASS: ") != 2 {
		t.Errorf("two tests of the template are to pass:\n%s", said)
	}
}
