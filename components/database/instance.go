package database

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/optional"
)

const (
	// insightsDays is the history of Database Insights that costs nothing.
	insightsDays = 7
	// caCertificate signs the instance's certificate until 2061; clients verify it with the CA bundle.
	caCertificate = "rds-ca-rsa2048-g1"
)

// createPrimary makes the instance that holds the data.
func (b *builder) createPrimary() (err error) {
	args := b.instanceArgs("")
	args.DbSubnetGroupName = b.subnetGroup.Name
	args.EngineVersion = pulumi.String(b.engineVersion())
	args.AllowMajorVersionUpgrade = pulumi.Bool(b.upgrades())
	args.Engine = pulumi.String("postgres")
	// An old major is to be upgraded, rather than paid for by the hour once PostgreSQL has given it up.
	args.EngineLifecycleSupport = pulumi.String("open-source-rds-extended-support-disabled")
	args.DbName = pulumi.String(b.args.Name)
	args.Username = pulumi.String(b.args.Username)
	args.Password = b.password
	args.MultiAz = pulumi.Bool(*b.args.MultiAZ)
	args.SnapshotIdentifier = optional.String(b.args.RestoreFrom)
	args.KmsKeyId = optional.String(b.args.KMSKeyARN)
	args.BackupRetentionPeriod = pulumi.Int(*b.args.BackupRetentionDays)
	args.BackupWindow = optional.String(b.args.BackupWindow)
	args.DeleteAutomatedBackups = pulumi.Bool(!b.args.keeps())
	args.SkipFinalSnapshot = pulumi.Bool(!b.args.keeps())
	args.FinalSnapshotIdentifier = b.finalSnapshot()
	if b.args.BackupPlan != "" {
		args.Tags = b.tagsWith(BackupPlanTag, b.args.BackupPlan)
	}

	// The snapshot and the kind of support matter at creation only: changing either later would replace the instance.
	ignored := append(b.setStorage(args), "snapshotIdentifier", "engineLifecycleSupport")
	if !b.upgrades() {
		// RDS installs minors by itself: what an upgrade asked for is older than what runs before long.
		ignored = append(ignored, "engineVersion")
	}
	if b.args.RestoreFrom != "" {
		// These are the snapshot's; what the stack config says of them would replace the restored instance.
		ignored = append(ignored, "dbName", "username", "storageEncrypted")
	}
	b.primary, err = rds.NewInstance(b.ctx, b.name, args, b.child(),
		pulumi.Protect(b.args.Lifecycle == Durable),
		pulumi.DependsOn(b.before),
		pulumi.IgnoreChanges(ignored),
		// The identifier is taken until the old instance is gone.
		pulumi.DeleteBeforeReplace(true),
	)
	if err != nil {
		return fmt.Errorf("create instance: %w", err)
	}
	return nil
}

// engineVersion is the major alone for a new instance: RDS knows best which minor to start with.
func (b *builder) engineVersion() string {
	switch {
	case b.present.upgrade != "":
		return b.present.upgrade
	case b.present.snapshot != nil:
		// Asked for by its major, a restored instance would be moved to the default minor, which may be an older one.
		return b.present.snapshot.EngineVersion
	}
	return b.args.EngineVersion
}

// upgrades reports whether this run upgrades the major version.
func (b *builder) upgrades() bool { return b.present.upgrade != "" }

// instanceArgs are what the primary and its replicas have in common.
func (b *builder) instanceArgs(suffix string) *rds.InstanceArgs {
	args := &rds.InstanceArgs{
		Identifier:                         pulumi.String(b.identifier() + suffix),
		InstanceClass:                      pulumi.String(b.args.InstanceClass),
		StorageType:                        pulumi.String("gp3"),
		StorageEncrypted:                   pulumi.Bool(true),
		Port:                               pulumi.Int(b.args.Port),
		VpcSecurityGroupIds:                pulumi.StringArray{b.securityGroup.ID()},
		PubliclyAccessible:                 pulumi.Bool(false),
		ParameterGroupName:                 b.parameterGroup.Name,
		CaCertIdentifier:                   pulumi.String(caCertificate),
		IamDatabaseAuthenticationEnabled:   pulumi.Bool(true),
		AutoMinorVersionUpgrade:            pulumi.Bool(true),
		MaintenanceWindow:                  optional.String(b.args.MaintenanceWindow),
		EnabledCloudwatchLogsExports:       pulumi.ToStringArray(databaseLogs),
		DatabaseInsightsMode:               pulumi.String("standard"),
		PerformanceInsightsEnabled:         pulumi.Bool(true),
		PerformanceInsightsRetentionPeriod: pulumi.Int(insightsDays),
		MonitoringInterval:                 pulumi.Int(0),
		DeletionProtection:                 pulumi.Bool(b.args.Lifecycle == Durable),
		CopyTagsToSnapshot:                 pulumi.Bool(true),
		// A durable database changes in its maintenance window; an upgrade that was allowed is being watched.
		ApplyImmediately: pulumi.Bool(!b.args.keeps() || b.upgrades()),
		Tags:             b.tags(),
	}
	if *b.args.MaxStorageGiB > 0 {
		args.MaxAllocatedStorage = pulumi.Int(*b.args.MaxStorageGiB)
	}
	if b.monitoringRole != nil {
		args.MonitoringInterval = pulumi.Int(monitoringSeconds)
		args.MonitoringRoleArn = b.monitoringRole.Arn
	}
	return args
}

// finalSnapshot is named after the security group, whose id AWS gives once and never again: a stack that was
// deleted and created again leaves a second snapshot, where a fixed name would fail.
func (b *builder) finalSnapshot() pulumi.StringOutput {
	prefix := b.identifier() + "-final-"
	return b.securityGroup.ID().ToStringOutput().ApplyT(func(id string) string {
		return prefix + strings.TrimPrefix(id, "sg-")
	}).(pulumi.StringOutput)
}
