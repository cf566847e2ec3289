package database

import (
	"fmt"
	"slices"
	"time"
)

// warn tells what goes on all the same, and what somebody should know of.
func (b *builder) warn() error {
	warnings := slices.Concat(
		b.args.removedReplicas(b.identifier(), b.present.identifiers),
		b.args.supportWarnings(b.present, time.Now()),
	)
	for _, warning := range warnings {
		if err := b.ctx.Log.Warn(warning, nil); err != nil {
			return fmt.Errorf("warn: %w", err)
		}
	}
	return nil
}

// removedReplicas says why RDS may refuse to delete them: no lookup tells whether an instance is protected.
func (args DatabaseArgs) removedReplicas(identifier string, present []string) (warnings []string) {
	if !args.keeps() {
		return nil
	}
	for number := args.ReadReplicas + 1; number <= ReadReplicasConstraint.Max; number++ {
		if replica := identifier + replicaSuffix(number); slices.Contains(present, replica) {
			warnings = append(warnings, fmt.Sprintf("the read replica %s is to be deleted, which RDS refuses while it is protected: "+
				`"Take a read replica away" in docs/how-to/database.md says how to take the protection off first`, replica))
		}
	}
	return warnings
}
