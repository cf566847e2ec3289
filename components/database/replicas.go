package database

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// protectsReplicas tells whether RDS refuses to delete a replica. A replica holds no data of its own, but control RDS.8
// counts every instance: whoever wants to take one away allows that first.
func (args DatabaseArgs) protectsReplicas() bool {
	return args.Lifecycle == Durable && !args.Allow.Has("RDS.8")
}

// createReplicas makes read-only copies. Name, user and password are the primary's.
func (b *builder) createReplicas() error {
	for number := 1; number <= b.args.ReadReplicas; number++ {
		suffix := replicaSuffix(number)
		args := b.instanceArgs(suffix)
		args.ReplicateSourceDb = b.primary.Identifier
		// Those of the primary are inherited; what is asked for is asked for again, so that a later change reaches both.
		args.Iops, args.StorageThroughput = given(b.args.IOPS), given(b.args.ThroughputMiBs)
		args.BackupRetentionPeriod = pulumi.Int(0)
		args.DeletionProtection = pulumi.Bool(b.args.protectsReplicas())
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
