package database

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// createReplicas makes read-only copies. Name, user and password are the primary's.
func (b *builder) createReplicas() error {
	for number := 1; number <= b.args.ReadReplicas; number++ {
		suffix := replicaSuffix(number)
		args := b.instanceArgs(suffix)
		args.ReplicateSourceDb = b.primary.Identifier
		args.BackupRetentionPeriod = pulumi.Int(0)
		args.SkipFinalSnapshot = pulumi.Bool(true) // RDS takes none of a replica
		replica, err := rds.NewInstance(b.ctx, b.name+suffix, args, b.child(),
			pulumi.DependsOn(b.before), pulumi.DeleteBeforeReplace(true))
		if err != nil {
			return fmt.Errorf("create read replica %d: %w", number, err)
		}
		b.replicas = append(b.replicas, replica)
	}
	return nil
}
