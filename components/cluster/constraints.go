package cluster

import (
	"strings"

	"threetier/internal/constraint"
)

// EKSConstraint is what EKS accepts as the name of a cluster.
var EKSConstraint = constraint.Text{
	Pattern: "^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$",
	Want:    "1 to 100 letters, digits, - and _, a letter or digit first",
	Valid:   []string{"acme-prod", "0_a", strings.Repeat("a", 100)},
	Invalid: []string{"acme prod", "-acme", "arn:aws:eks:x", strings.Repeat("a", 101)},
}
