package planner

import (
	"fmt"
	"slices"
	"strings"
)

// lost is, by type, what goes with a resource that is replaced or deleted.
var lost = map[string]string{
	"aws:rds/instance:Instance":        "the database goes with it",
	"aws:rds/subnetGroup:SubnetGroup":  "no instance outlives its subnet group",
	"aws:secretsmanager/secret:Secret": "the only copy of the password goes with it",
	// Its logical name has the public name in it: this one is served no more.
	"aws:acm/certificate:Certificate": "its public name goes dark",
}

// guards are inputs and options of an instance that keep its data: a change of one deserves a look, and loses nothing yet.
var guards = []string{
	"protect", "deletionProtection", "skipFinalSnapshot", "deleteAutomatedBackups", "backupRetentionPeriod", "engineVersion",
	"allowMajorVersionUpgrade", "identifier",
}

const instanceType = "aws:rds/instance:Instance"

// Loss says what data a change loses; empty where it loses none.
func (c Change) Loss() string {
	if c.Kind != Replaced && c.Kind != Deleted {
		return ""
	}
	if _, isReplica := c.Resource.Inputs["replicateSourceDb"]; isReplica {
		return ""
	}
	return lost[c.Resource.Type]
}

// TouchesData tells whether a change deserves a look before all others.
func (c Change) TouchesData() bool {
	if c.Loss() != "" {
		return true
	}
	if c.Kind == Replaced || c.Kind == Deleted {
		typ := c.Resource.Type
		return strings.HasPrefix(typ, "aws:rds/") || strings.HasPrefix(typ, "aws:secretsmanager/") || typ == "kubernetes:core/v1:Secret"
	}
	return c.Resource.Type == instanceType && c.Kind == Changed &&
		slices.ContainsFunc(c.Details, func(d Detail) bool { return slices.Contains(guards, d.Path) })
}

// Gate is an error where a change loses data of a resource that the stack config doesn't name, and where it names
// one that loses none: a permission that is left lying about would be there for the next mistake.
func Gate(plan *Plan, changes []Change) error {
	var problems []string
	losing := map[string]bool{}
	for _, change := range changes {
		if change.Loss() == "" {
			continue
		}
		losing[change.Resource.Name] = true
		if !slices.Contains(plan.meant, change.Resource.Name) {
			problems = append(problems, fmt.Sprintf("%s: %s is %s, and %s; if that is meant, put into Pulumi.%s.yaml: %s: [%s]",
				plan.Stack, change.Resource.Label(), change.Kind, change.Loss(), plan.Stack, dataLossKey, change.Resource.Name))
		}
	}
	for _, name := range plan.meant {
		if !losing[name] {
			problems = append(problems, fmt.Sprintf("%s: %s names %s, which loses no data: take it out", plan.Stack, dataLossKey, name))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(problems, "\n"))
}
