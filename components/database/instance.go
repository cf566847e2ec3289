package database

import (
	"fmt"
	"strings"
	"threetier/internal/optional"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// createInstance makes the instance that holds the data.
func (p *databaseBuilder) createInstance(subnetGroup *rds.SubnetGroup) (*rds.Instance, error) {
	args := p.instanceArgs("")
	args.DbSubnetGroupName = subnetGroup.Name
	args.EngineVersion = pulumi.String(p.args.EngineVersion)
	args.AllowMajorVersionUpgrade = pulumi.Bool(p.args.AllowMajorVersionUpgrade)
	args.Engine = pulumi.String("postgres")
	// An old major is to be upgraded, rather than paid for by the hour once PostgreSQL has given it up.
	args.EngineLifecycleSupport = pulumi.String("open-source-rds-extended-support-disabled")
	args.AllocatedStorage = pulumi.Int(*p.args.StorageGiB)
	args.DbName = pulumi.String(p.args.Name)
	args.Username = pulumi.String(p.args.Username)
	args.Password = p.password
	args.MultiAz = pulumi.Bool(*p.args.MultiAZ)
	args.SnapshotIdentifier = optional.String(p.args.RestoreFrom)
	args.BackupRetentionPeriod = pulumi.Int(*p.args.BackupRetentionDays)
	args.DeleteAutomatedBackups = pulumi.Bool(!p.args.keeps())
	args.SkipFinalSnapshot = pulumi.Bool(!p.args.keeps())
	args.FinalSnapshotIdentifier = p.finalSnapshot()
	if p.args.BackupPlan != "" {
		args.Tags = p.tagsWith(BackupPlanTag, p.args.BackupPlan)
	}

	// The snapshot matters at creation only: after it, removing or changing the key would replace the instance.
	ignored := []string{"snapshotIdentifier"}
	if p.args.RestoreFrom != "" {
		// These are the snapshot's; what the stack config says of them would replace the instance just restored.
		ignored = append(ignored, "dbName", "username", "storageEncrypted")
	}
	instance, err := rds.NewInstance(p.ctx, p.name, args, p.child(),
		pulumi.Protect(p.args.Lifecycle == Durable),
		pulumi.DependsOn(p.before),
		pulumi.IgnoreChanges(ignored),
		// The identifier is taken until the old instance is gone.
		pulumi.DeleteBeforeReplace(true),
	)
	if err != nil {
		return nil, fmt.Errorf("create instance: %w", err)
	}
	return instance, nil
}

// createReplicas makes read-only copies. Name, user and password are the primary's.
func (p *databaseBuilder) createReplicas(primary *rds.Instance) ([]*rds.Instance, error) {
	replicas := make([]*rds.Instance, p.args.ReadReplicas)
	for i := range replicas {
		suffix := replicaSuffix(i + 1)
		args := p.instanceArgs(suffix)
		args.ReplicateSourceDb = primary.Identifier
		args.BackupRetentionPeriod = pulumi.Int(0)
		args.SkipFinalSnapshot = pulumi.Bool(true) // RDS takes none of a replica
		replica, err := rds.NewInstance(p.ctx, p.name+suffix, args, p.child(),
			pulumi.DependsOn(p.before), pulumi.DeleteBeforeReplace(true))
		if err != nil {
			return nil, fmt.Errorf("create read replica %d: %w", i+1, err)
		}
		replicas[i] = replica
	}
	return replicas, nil
}

// instanceArgs are what the primary and its replicas have in common.
func (p *databaseBuilder) instanceArgs(suffix string) *rds.InstanceArgs {
	args := &rds.InstanceArgs{
		Identifier:                         pulumi.String(p.identifier() + suffix),
		InstanceClass:                      pulumi.String(p.args.InstanceClass),
		StorageType:                        pulumi.String("gp3"),
		StorageEncrypted:                   pulumi.Bool(true),
		Port:                               pulumi.Int(*p.args.Port),
		VpcSecurityGroupIds:                pulumi.StringArray{p.securityGroup.ID()},
		PubliclyAccessible:                 pulumi.Bool(false),
		ParameterGroupName:                 p.parameterGroup.Name,
		CaCertIdentifier:                   pulumi.String(caCertificate),
		IamDatabaseAuthenticationEnabled:   pulumi.Bool(true),
		AutoMinorVersionUpgrade:            pulumi.Bool(true),
		EnabledCloudwatchLogsExports:       pulumi.ToStringArray(databaseLogs),
		DatabaseInsightsMode:               pulumi.String("standard"),
		PerformanceInsightsEnabled:         pulumi.Bool(true),
		PerformanceInsightsRetentionPeriod: pulumi.Int(insightsDays),
		MonitoringInterval:                 pulumi.Int(0),
		DeletionProtection:                 pulumi.Bool(p.args.Lifecycle == Durable),
		CopyTagsToSnapshot:                 pulumi.Bool(true),
		// A durable database changes in its maintenance window; an upgrade that was allowed is being watched.
		ApplyImmediately: pulumi.Bool(!p.args.keeps() || p.args.AllowMajorVersionUpgrade),
		Tags:             p.tags(),
	}
	if *p.args.MaxStorageGiB > 0 {
		args.MaxAllocatedStorage = pulumi.Int(*p.args.MaxStorageGiB)
	}
	if p.monitoringRole != nil {
		args.MonitoringInterval = pulumi.Int(monitoringSeconds)
		args.MonitoringRoleArn = p.monitoringRole.Arn
	}
	return args
}

// finalSnapshot is named after the security group, whose id AWS gives once and never again: a stack that was
// deleted and created anew leaves a second snapshot, where a fixed name would fail.
func (p *databaseBuilder) finalSnapshot() pulumi.StringOutput {
	prefix := p.identifier() + "-final-"
	return p.securityGroup.ID().ToStringOutput().ApplyT(func(id string) string {
		return prefix + strings.TrimPrefix(id, "sg-")
	}).(pulumi.StringOutput)
}
