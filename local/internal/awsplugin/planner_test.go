package awsplugin

import (
	"testing"

	"threetier/internal/planner/replacement"
)

// What a pull request is told to replace data must be what the provider replaces.
func TestPlannerKnowsWhichInputsReplaceAResource(t *testing.T) {
	for token, known := range resourceTypes {
		for name, in := range known.inputs {
			if got := replacement.By(token, name); got != in.replaces {
				t.Errorf("%s, %s: internal/planner/replacement says %t, want %t", token, name, got, in.replaces)
			}
		}
	}
}
