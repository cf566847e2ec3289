package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/cluster"
	"threetier/components/database"
	"threetier/gate/recorder"
	"threetier/internal/allow"
	"threetier/internal/network"
)

const topic = "arn:aws:sns:eu-west-1:123456789012:alerts"

// databaseArgs are args that need no more.
func databaseArgs(change func(*database.DatabaseArgs)) *database.DatabaseArgs {
	args := &database.DatabaseArgs{Region: "eu-west-1", Lifecycle: database.Disposable, Network: network.Network{
		VPCID:                  "vpc-0123",
		SubnetIDs:              []string{"subnet-privatea", "subnet-privateb"},
		ClientSecurityGroupIDs: []string{recorder.ClusterSecurityGroup},
	}}
	if change != nil {
		change(args)
	}
	return args
}

// durable makes args that meet every control.
func durable(args *database.DatabaseArgs) {
	args.Lifecycle = database.Durable
	args.Port = 5433
	args.BackupPlan = "daily"
	args.AlarmTopicARN = topic
}

func pointer[T any](value T) *T { return &value }

// recordDatabase records Databases of their own, and what each answers.
func recordDatabase(args *database.DatabaseArgs, names ...string) (*recorder.Recording, error) {
	if len(names) == 0 {
		names = []string{"database"}
	}
	return recorder.Run(func(ctx *pulumi.Context) error {
		for _, name := range names {
			if _, err := database.NewDatabase(ctx, name, args); err != nil {
				return err
			}
		}
		return nil
	}, recorder.Options{})
}

func mustDatabase(t *testing.T, change func(*database.DatabaseArgs)) *recorder.Recording {
	t.Helper()
	recording, err := recordDatabase(databaseArgs(change))
	require.NoError(t, err)
	return recording
}

func TestDisposableDatabaseHasExactlyTheseChildren(t *testing.T) {
	recording := mustDatabase(t, func(args *database.DatabaseArgs) { args.Allow = allow.List{"RDS.6": "not read"} })
	assert.Equal(t, []string{
		"aws:cloudwatch/logGroup:LogGroup database-log-postgresql",
		"aws:cloudwatch/logGroup:LogGroup database-log-upgrade",
		"aws:ec2/securityGroup:SecurityGroup database-security-group",
		"aws:rds/instance:Instance database",
		"aws:rds/parameterGroup:ParameterGroup database-parameters-17",
		"aws:rds/subnetGroup:SubnetGroup database-subnets",
		"aws:secretsmanager/secret:Secret database-password",
		"aws:secretsmanager/secret:Secret database-password-a",
		"aws:secretsmanager/secret:Secret database-password-b",
		"aws:secretsmanager/secret:Secret database-password-migration",
		"aws:secretsmanager/secretVersion:SecretVersion database-password-a-v1",
		"aws:secretsmanager/secretVersion:SecretVersion database-password-migration-v1",
		"aws:secretsmanager/secretVersion:SecretVersion database-password-v1",
		"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule database-from-sg-cluster",
	}, recording.Children(recording.One(t, database.DatabaseType)))
	assert.Len(t, recording.Resources, 15)
}

func TestDurableDatabaseWithAReplicaHasExactlyTheseChildren(t *testing.T) {
	recording := mustDatabase(t, func(args *database.DatabaseArgs) { durable(args); args.ReadReplicas = 1 })
	assert.Equal(t, []string{
		"aws:cloudwatch/logGroup:LogGroup database-log-postgresql",
		"aws:cloudwatch/logGroup:LogGroup database-log-upgrade",
		"aws:cloudwatch/logGroup:LogGroup database-replica-1-log-postgresql",
		"aws:cloudwatch/logGroup:LogGroup database-replica-1-log-upgrade",
		"aws:cloudwatch/metricAlarm:MetricAlarm database-alarm-alive",
		"aws:cloudwatch/metricAlarm:MetricAlarm database-alarm-connections",
		"aws:cloudwatch/metricAlarm:MetricAlarm database-alarm-cpu",
		"aws:cloudwatch/metricAlarm:MetricAlarm database-alarm-memory",
		"aws:cloudwatch/metricAlarm:MetricAlarm database-alarm-storage",
		"aws:cloudwatch/metricAlarm:MetricAlarm database-replica-1-alarm-alive",
		"aws:cloudwatch/metricAlarm:MetricAlarm database-replica-1-alarm-connections",
		"aws:cloudwatch/metricAlarm:MetricAlarm database-replica-1-alarm-cpu",
		"aws:cloudwatch/metricAlarm:MetricAlarm database-replica-1-alarm-lag",
		"aws:cloudwatch/metricAlarm:MetricAlarm database-replica-1-alarm-memory",
		"aws:cloudwatch/metricAlarm:MetricAlarm database-replica-1-alarm-storage",
		"aws:ec2/securityGroup:SecurityGroup database-security-group",
		"aws:iam/role:Role database-monitoring",
		"aws:iam/rolePolicyAttachment:RolePolicyAttachment database-monitoring-policy",
		"aws:rds/eventSubscription:EventSubscription database-events-availability",
		"aws:rds/eventSubscription:EventSubscription database-events-instance",
		"aws:rds/eventSubscription:EventSubscription database-events-parameters",
		"aws:rds/eventSubscription:EventSubscription database-events-security-groups",
		"aws:rds/instance:Instance database",
		"aws:rds/instance:Instance database-replica-1",
		"aws:rds/parameterGroup:ParameterGroup database-parameters-17",
		"aws:rds/subnetGroup:SubnetGroup database-subnets",
		"aws:secretsmanager/secret:Secret database-password",
		"aws:secretsmanager/secret:Secret database-password-a",
		"aws:secretsmanager/secret:Secret database-password-b",
		"aws:secretsmanager/secret:Secret database-password-migration",
		"aws:secretsmanager/secretVersion:SecretVersion database-password-a-v1",
		"aws:secretsmanager/secretVersion:SecretVersion database-password-migration-v1",
		"aws:secretsmanager/secretVersion:SecretVersion database-password-v1",
		"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule database-from-sg-cluster",
	}, recording.Children(recording.One(t, database.DatabaseType)))
}

func TestTwoDatabasesFitIntoOneStack(t *testing.T) {
	recording, err := recordDatabase(databaseArgs(func(args *database.DatabaseArgs) { durable(args); args.ReadReplicas = 2 }), "orders", "users")
	require.NoError(t, err)
	names, physical := map[string]bool{}, map[string]bool{}
	for _, res := range recording.Resources {
		assert.False(t, names[res.URN], "%s is there twice", res.URN)
		names[res.URN] = true
		for _, key := range []string{"identifier", "name"} {
			if name, isText := res.Input(t, key).(string); isText {
				assert.False(t, physical[name], "%s is the name of two", name)
				physical[name] = true
			}
		}
	}
}

func TestArgsAreNotChanged(t *testing.T) {
	args := databaseArgs(func(args *database.DatabaseArgs) { args.Parameters = map[string]string{"work_mem": "8192"} })
	before := databaseArgs(func(args *database.DatabaseArgs) { args.Parameters = map[string]string{"work_mem": "8192"} })
	_, err := recordDatabase(args)
	require.NoError(t, err)
	assert.Equal(t, before, args)
}

// The lifecycle is one word, and all of this follows from it.
func TestLifecycleDecidesAllThatProtectsData(t *testing.T) {
	for lifecycle, want := range map[database.Lifecycle]map[string]any{
		database.Disposable: {
			"deletionProtection": false, "skipFinalSnapshot": true, "backupRetentionPeriod": 1.0,
			"deleteAutomatedBackups": true, "applyImmediately": true, "multiAz": false,
		},
		database.Durable: {
			"deletionProtection": true, "skipFinalSnapshot": false, "backupRetentionPeriod": 7.0,
			"deleteAutomatedBackups": false, "applyImmediately": false, "multiAz": true,
		},
		database.Retiring: {
			"deletionProtection": false, "skipFinalSnapshot": false, "backupRetentionPeriod": 7.0,
			"deleteAutomatedBackups": false, "applyImmediately": false, "multiAz": true,
		},
	} {
		t.Run(string(lifecycle), func(t *testing.T) {
			recording := mustDatabase(t, func(args *database.DatabaseArgs) {
				durable(args)
				args.Lifecycle = lifecycle
				if lifecycle == database.Retiring {
					args.Allow = allow.List{"RDS.8": "moved away"}
				}
			})
			instance := recording.One(t, instanceType)
			for key, value := range want {
				assert.Equal(t, value, instance.Input(t, key), key)
			}
			assert.Equal(t, lifecycle == database.Durable, instance.Protect)
			// Always there: a lifecycle may change, and a missing name would only show when the database is deleted.
			assert.NotEmpty(t, instance.Input(t, "finalSnapshotIdentifier"))
			for _, secret := range recording.All("aws:secretsmanager/secret:Secret") {
				assert.Equal(t, map[bool]any{true: 0.0, false: 30.0}[lifecycle == database.Disposable], secret.Input(t, "recoveryWindowInDays"), secret.Name)
			}
		})
	}
}

func TestFinalSnapshotsOfAStackThatIsCreatedAgainHaveDifferentNames(t *testing.T) {
	names := map[any]bool{}
	for _, id := range []string{"sg-0aaa", "sg-0bbb"} {
		recording, err := recorder.Run(func(ctx *pulumi.Context) error {
			_, err := database.NewDatabase(ctx, "database", databaseArgs(durable))
			return err
		}, recorder.Options{ID: func(res recorder.Resource) string {
			if res.Type == "aws:ec2/securityGroup:SecurityGroup" {
				return id
			}
			return ""
		}})
		require.NoError(t, err)
		names[recording.One(t, instanceType).Input(t, "finalSnapshotIdentifier")] = true
	}
	assert.Equal(t, map[any]bool{"threetier-dev-database-final-0aaa": true, "threetier-dev-database-final-0bbb": true}, names)
}

func TestInstanceIsWhatThisProgramPromises(t *testing.T) {
	instance := mustDatabase(t, durable).One(t, instanceType)
	for key, want := range map[string]any{
		"engine": "postgres", "engineVersion": "17", "instanceClass": "db.t4g.micro",
		"storageType": "gp3", "allocatedStorage": 20.0, "maxAllocatedStorage": 100.0,
		"caCertIdentifier":       "rds-ca-rsa2048-g1",
		"engineLifecycleSupport": "open-source-rds-extended-support-disabled",
		"databaseInsightsMode":   "standard", "performanceInsightsEnabled": true, "performanceInsightsRetentionPeriod": 7.0,
		"dbName": "app", "username": "app_admin", "port": 5433.0,
		"monitoringInterval": 60.0, "allowMajorVersionUpgrade": false,
	} {
		assert.Equal(t, want, instance.Input(t, key), key)
	}
	// Below 400 GiB, RDS refuses both for gp3.
	assert.Nil(t, instance.Input(t, "iops"))
	assert.Nil(t, instance.Input(t, "storageThroughput"))
	// A managed password rotates every week behind the backs of the pods.
	assert.Nil(t, instance.Input(t, "manageMasterUserPassword"))
	assert.True(t, instance.DeleteBeforeReplace, "its identifier is taken until it is gone")
}

func TestLogGroupsRulesAndMonitoringComeBeforeTheInstance(t *testing.T) {
	recording := mustDatabase(t, durable)
	instance := recording.One(t, instanceType)
	for _, typ := range []string{
		"aws:cloudwatch/logGroup:LogGroup", "aws:iam/rolePolicyAttachment:RolePolicyAttachment", ingressType,
	} {
		for _, res := range recording.All(typ) {
			assert.Contains(t, instance.DependsOn, res.URN)
		}
	}
	for _, group := range recording.All("aws:cloudwatch/logGroup:LogGroup") {
		assert.Equal(t, 30.0, group.Input(t, "retentionInDays"))
		assert.Contains(t, group.Input(t, "name"), "/aws/rds/instance/threetier-dev-database/")
	}
}

func TestOnlyTheClustersSecurityGroupReachesOnlyThePort(t *testing.T) {
	recording := mustDatabase(t, func(args *database.DatabaseArgs) { args.Port = 6543 })
	group := recording.One(t, "aws:ec2/securityGroup:SecurityGroup")
	assert.Nil(t, group.Input(t, "ingress"), "inline rules undo separate ones")
	assert.Nil(t, group.Input(t, "egress"), "nothing gets out")
	rule := recording.One(t, ingressType)
	for key, want := range map[string]any{
		"referencedSecurityGroupId": recorder.ClusterSecurityGroup, "ipProtocol": "tcp", "fromPort": 6543.0, "toPort": 6543.0,
		"cidrIpv4": nil, "cidrIpv6": nil, "prefixListId": nil,
	} {
		assert.Equal(t, want, rule.Input(t, key), key)
	}
	assert.Equal(t, []any{"subnet-privatea", "subnet-privateb"}, recording.One(t, "aws:rds/subnetGroup:SubnetGroup").Input(t, "subnetIds"))
}

func TestNamedPublicSubnetIsRefused(t *testing.T) {
	recording, err := recordDatabase(databaseArgs(func(args *database.DatabaseArgs) {
		args.Network.SubnetIDs = []string{"subnet-privatea", "subnet-privateb", "subnet-publica"}
	}))
	assert.ErrorContains(t, err, "subnet subnet-publica has a route to an internet gateway, want private subnets only")
	assert.Empty(t, recording.Names())
}

func TestPasswordIsGeneratedOnceAndReadBackFromSecretsManager(t *testing.T) {
	generated := map[any]bool{}
	for range 5 {
		version := mustDatabase(t, nil).Named(t, versionType, "database-password-v1")
		assert.Equal(t, []string{"secretString"}, version.IgnoreChanges, "later runs keep the first one")
		assert.True(t, version.IsSecret(t, "secretString"))
		assert.Regexp(t, `^[A-Za-z0-9]{32}$`, version.Input(t, "secretString"))
		generated[version.Input(t, "secretString")] = true
	}
	assert.Len(t, generated, 5, "no two are the same")

	// What Secrets Manager holds is what counts, not what this run made up.
	recording, err := recorder.Run(func(ctx *pulumi.Context) error {
		_, err := database.NewDatabase(ctx, "database", databaseArgs(nil))
		return err
	}, recorder.Options{Answer: func(res recorder.Resource) resource.PropertyMap {
		if res.Type != versionType {
			return nil
		}
		return resource.PropertyMap{"secretString": resource.MakeSecret(resource.NewProperty("the first one"))}
	}})
	require.NoError(t, err)
	instance := recording.One(t, instanceType)
	assert.Equal(t, "the first one", instance.Input(t, "password"))
	assert.True(t, instance.IsSecret(t, "password"))
}

func TestPasswordVersionMakesAnotherSecret(t *testing.T) {
	recording := mustDatabase(t, func(args *database.DatabaseArgs) { args.PasswordVersion = 2 })
	for _, name := range []string{"database-password-v2", "database-password-migration-v2", "database-password-b-v2"} {
		assert.Regexp(t, `^[A-Za-z0-9]{32}$`, recording.Named(t, versionType, name).Input(t, "secretString"), name)
	}
	assert.Len(t, recording.All(versionType), 3, "the app's other login has none")
}

func TestOwnPasswordIsNotIgnoredWhenItChanges(t *testing.T) {
	version := mustDatabase(t, func(args *database.DatabaseArgs) { args.Password = marker }).Named(t, versionType, "database-password-own")
	assert.Empty(t, version.IgnoreChanges)
	assert.Equal(t, marker, version.Input(t, "secretString"))
	assert.True(t, version.IsSecret(t, "secretString"))
}

func TestOutputsAreAllThatAClientNeeds(t *testing.T) {
	var outputs []any
	_, err := recorder.Run(func(ctx *pulumi.Context) error {
		d, err := database.NewDatabase(ctx, "database", databaseArgs(func(args *database.DatabaseArgs) { args.ReadReplicas = 1 }))
		if err != nil {
			return err
		}
		pulumi.All(d.Address, d.ReaderAddress, d.Port, d.Name, d.Username, d.Password, d.CABundle, d.SecurityGroupID, d.Identifier, d.ARN).
			ApplyT(func(values []any) any { outputs = values; return nil })
		return nil
	}, recorder.Options{})
	require.NoError(t, err)
	require.Len(t, outputs, 10)
	host := ".abcdefghijkl.eu-west-1.rds.amazonaws.com"
	assert.Equal(t, []any{"threetier-dev-database" + host, "threetier-dev-database-replica-1" + host, 5432, "app", "app_admin"}, outputs[:5])
	assert.Len(t, outputs[5], 32)
	assert.Contains(t, outputs[6], "Amazon RDS eu-west-1 Root CA RSA2048 G1")
	assert.Contains(t, outputs[7], pulumi.ID("sg-"))
	assert.Equal(t, []any{"threetier-dev-database", "arn:aws:rds:eu-west-1:123456789012:db:threetier-dev-database"}, outputs[8:])
}

func TestSecretOutputsStaySecret(t *testing.T) {
	var secret, plain bool
	_, err := recorder.Run(func(ctx *pulumi.Context) error {
		database, err := database.NewDatabase(ctx, "database", databaseArgs(nil))
		if err != nil {
			return err
		}
		secret, plain = pulumi.IsSecret(database.Password), pulumi.IsSecret(database.Address)
		return nil
	}, recorder.Options{})
	require.NoError(t, err)
	assert.True(t, secret)
	assert.False(t, plain)
}

// parameters are a parameter group's, as "name=value method".
func parameters(t *testing.T, recording *recorder.Recording) []string {
	t.Helper()
	var lines []string
	entries, _ := recording.One(t, "aws:rds/parameterGroup:ParameterGroup").Input(t, "parameters").([]any)
	for _, entry := range entries {
		fields := entry.(map[string]any)
		lines = append(lines, fmt.Sprintf("%v=%v %v", fields["name"], fields["value"], fields["applyMethod"]))
	}
	return lines
}

func TestParametersHaveTheApplyMethodThatFitsThem(t *testing.T) {
	recording := mustDatabase(t, func(args *database.DatabaseArgs) {
		args.Parameters = map[string]string{
			"work_mem": "8192", "max_connections": "300", "shared_preload_libraries": "pg_stat_statements",
			"log_min_duration_statement": "500", "pg_stat_statements.track": "ALL",
		}
	})
	assert.Equal(t, []string{
		"client_connection_check_interval=2000 immediate",
		"log_min_duration_statement=500 immediate",
		"max_connections=300 pending-reboot",
		"pg_stat_statements.track=ALL immediate",
		"rds.force_ssl=1 pending-reboot",
		"shared_preload_libraries=pg_stat_statements pending-reboot",
		"tcp_keepalives_count=3 immediate",
		"tcp_keepalives_idle=10 immediate",
		"tcp_keepalives_interval=5 immediate",
		"work_mem=8192 immediate",
	}, parameters(t, recording))
}

func TestParametersMayBeFormulasOfRDS(t *testing.T) {
	for name, value := range map[string]string{
		"shared_buffers": "{DBInstanceClassMemory/32768}", "max_connections": "LEAST({DBInstanceClassMemory/9531392},5000)",
		"work_mem": "8192", "random_page_cost": "1.1", "autovacuum": "1", "shared_preload_libraries": "pg_stat_statements, pgaudit",
		"log_min_duration_statement": "-1", "log_line_prefix": "%t:%r:%u@%d:[%p]:", "pgaudit.role": "rds_pgaudit", "auto_explain.log_analyze": "on",
	} {
		mustDatabase(t, parameter(name, value))
	}
}

func TestServerFindsClientsThatAreGoneUnlessTheConfigSaysOtherwise(t *testing.T) {
	assert.Equal(t, []string{
		"client_connection_check_interval=2000 immediate",
		"rds.force_ssl=1 pending-reboot",
		"tcp_keepalives_count=3 immediate",
		"tcp_keepalives_idle=10 immediate",
		"tcp_keepalives_interval=5 immediate",
	}, parameters(t, mustDatabase(t, nil)))
	// A dynamic parameter at PostgreSQL's own default isn't reported as set, and would be planned in every run.
	assert.Equal(t, []string{
		"rds.force_ssl=1 pending-reboot",
		"tcp_keepalives_count=3 immediate",
		"tcp_keepalives_idle=60 immediate",
		"tcp_keepalives_interval=5 immediate",
	}, parameters(t, mustDatabase(t, func(args *database.DatabaseArgs) {
		args.Parameters = map[string]string{"client_connection_check_interval": "0", "tcp_keepalives_idle": "60"}
	})))
}

// identifier is that of the database of these tests, by which it is looked up.
const identifier = "threetier-dev-database"

// databaseOver is a database in an account that has what lookups find.
func databaseOver(rds recorder.RDS, change func(*database.DatabaseArgs)) (*recorder.Recording, error) {
	return recorder.Run(func(ctx *pulumi.Context) error {
		_, err := database.NewDatabase(ctx, "database", databaseArgs(change))
		return err
	}, recorder.Options{RDS: rds})
}

// running is an account with the database of these tests.
func running(instance recorder.DBInstance) recorder.RDS {
	return recorder.RDS{
		Instances: map[string]recorder.DBInstance{identifier: instance, "another": {Version: "14.1"}},
		UpgradeTargets: map[string][]string{
			"16.13": {"16.14", "17.9", "17.10", "18.3"},
			"17.9":  {"17.10", "18.3"},
		},
	}
}

func allowUpgrade(args *database.DatabaseArgs) {
	args.Allow = allow.List{"upgrade to 17": "tried on a copy"}
}

// A major alone stands for its default minor, which RDS refuses where the instance's own is newer.
func TestMajorUpgradeGoesToTheNewestVersionThatRDSOffersTheInstance(t *testing.T) {
	recording, err := databaseOver(running(recorder.DBInstance{Version: "16.13", Class: "db.t4g.micro"}), allowUpgrade)
	require.NoError(t, err)
	instance := recording.One(t, instanceType)
	assert.Equal(t, "17.10", instance.Input(t, "engineVersion"))
	assert.NotContains(t, instance.IgnoreChanges, "engineVersion")
	assert.Equal(t, "postgres17", recording.One(t, "aws:rds/parameterGroup:ParameterGroup").Input(t, "family"))

	// Afterwards minors are RDS's own affair.
	recording, err = databaseOver(running(recorder.DBInstance{Version: "17.9", Class: "db.t4g.micro"}), nil)
	require.NoError(t, err)
	assert.Contains(t, recording.One(t, instanceType).IgnoreChanges, "engineVersion")
}

func TestMajorUpgradeMovesToAnotherParameterGroup(t *testing.T) {
	recording, err := databaseOver(running(recorder.DBInstance{Version: "17.9", Class: "db.t4g.micro"}), func(args *database.DatabaseArgs) {
		durable(args)
		args.EngineVersion = "18"
		args.Allow = allow.List{"upgrade to 18": "x"}
	})
	require.NoError(t, err)
	group := recording.Named(t, "aws:rds/parameterGroup:ParameterGroup", "database-parameters-18")
	assert.Equal(t, "postgres18", group.Input(t, "family"))
	assert.Nil(t, group.Input(t, "name"), "an automatic name lets the new group come before the old one goes")
	assert.Contains(t, recording.One(t, instanceType).DependsOn, group.URN)
}

// What an upgrade is allowed isn't there for the next change: another class would restart a durable database in the middle
// of the day.
func TestDurableDatabaseChangesAtOnceInAnUpgradeAlone(t *testing.T) {
	for name, test := range map[string]struct {
		version string
		allowed bool
	}{"upgrade": {"16.13", true}, "none": {"17.9", false}} {
		recording, err := databaseOver(running(recorder.DBInstance{Version: test.version, Class: "db.t4g.micro"}), func(args *database.DatabaseArgs) {
			durable(args)
			args.ReadReplicas = 1
			if test.allowed {
				allowUpgrade(args)
			}
		})
		require.NoError(t, err, name)
		primary := recording.Named(t, instanceType, "database")
		assert.Equal(t, test.allowed, primary.Input(t, "allowMajorVersionUpgrade"), name)
		assert.Equal(t, test.allowed, primary.Input(t, "applyImmediately"), "%s: the old parameter group can only go when the upgrade is through", name)
		assert.Equal(t, test.allowed, recording.Named(t, instanceType, "database-replica-1").Input(t, "applyImmediately"), name)
	}
}

func TestWhatTheInstanceCanNotBecomeIsRefusedBeforeAnythingRegisters(t *testing.T) {
	micro := recorder.DBInstance{Version: "17.9", Class: "db.t4g.micro", StorageGiB: 50, MaxStorageGiB: 100}
	old := recorder.DBInstance{Version: "16.13", Class: "db.t4g.micro", StorageGiB: 20, MaxStorageGiB: 100}
	snapshot := func(engine, version string, size int) recorder.RDS {
		return recorder.RDS{Snapshots: map[string]recorder.DBSnapshot{"final": {Engine: engine, Version: version, StorageGiB: size}}}
	}
	restore := func(args *database.DatabaseArgs) { args.RestoreFrom = "final" }
	for want, test := range map[string]struct {
		rds    recorder.RDS
		change func(*database.DatabaseArgs)
	}{
		`engineVersion is "16", want "17" or a later one: the instance has PostgreSQL 17.9, and none goes back`: {
			running(micro), func(args *database.DatabaseArgs) {
				args.EngineVersion = "16"
				args.Allow = allow.List{"upgrade to 16": "x"}
			},
		},
		`engineVersion is "17", want "16", which the instance has, or the reason in database.allow: { upgrade to 17: … }`: {running(old), nil},
		`engineVersion is "15", want a major that RDS upgrades PostgreSQL 14.99 to: it offers 17.9`: {
			recorder.RDS{
				Instances:      map[string]recorder.DBInstance{identifier: {Version: "14.99"}},
				UpgradeTargets: map[string][]string{"14.99": {"17.9"}},
			},
			func(args *database.DatabaseArgs) {
				args.EngineVersion = "15"
				args.Allow = allow.List{"upgrade to 15": "x"}
			},
		},
		// A permission that nothing needs would be there for the next mistake.
		`allow.upgrade to 17 is "tried on a copy", want none: the instance has PostgreSQL 17.9 already`: {
			running(micro), allowUpgrade,
		},
		`allow.upgrade to 17 is "tried on a copy", want none: there is no instance yet`: {
			recorder.RDS{}, allowUpgrade,
		},
		"allow.upgrade to 17 is \"tried on a copy\", want none: there is no instance yet\nengineVersion is \"17\", want \"16\"": {
			snapshot("postgres", "16.13", 20), func(args *database.DatabaseArgs) { restore(args); allowUpgrade(args) },
		},
		"instanceClass is db.m7g.large, want db.t4g.micro, which the instance has, until its engineVersion is upgraded": {
			running(old), func(args *database.DatabaseArgs) {
				args.InstanceClass = "db.m7g.large"
				allowUpgrade(args)
			},
		},
		"maxStorageGiB is 52, want 55 to 65536: the volume has grown to 50 GiB": {
			running(micro), func(args *database.DatabaseArgs) { args.MaxStorageGiB = pointer(52) },
		},
		"maxStorageGiB is 0, want storageGiB 50 beside it: the volume has grown to that": {
			running(micro), func(args *database.DatabaseArgs) { args.MaxStorageGiB = pointer(0) },
		},
		`engineVersion is "17", want "16", which the snapshot final has`:          {snapshot("postgres", "16.13", 20), restore},
		"restoreFrom is final, want a snapshot of postgres, this one is of mysql": {snapshot("mysql", "8.4.3", 20), restore},
		"maxStorageGiB is 100, want 132 to 65536: the snapshot final has 120 GiB": {snapshot("postgres", "17.9", 120), restore},
		"instanceClass is db.m8gd.large, want a class that eu-west-1 has for PostgreSQL": {
			recorder.RDS{NoClasses: []string{"db.m8gd.large"}}, func(args *database.DatabaseArgs) { args.InstanceClass = "db.m8gd.large" },
		},
		"look up snapshot final": {recorder.RDS{}, restore},
		"kmsKeyArn is " + key + ", want " + otherKey + ", which the snapshot final has, or a copy": {
			recorder.RDS{Snapshots: map[string]recorder.DBSnapshot{"final": {Engine: "postgres", Version: "17.9", KMSKeyARN: otherKey}}},
			func(args *database.DatabaseArgs) { restore(args); args.KMSKeyARN = key },
		},
		"iops is 16000, want storageGiB 600 beside it: the volume has grown to that": {
			running(recorder.DBInstance{Version: "17.9", Class: "db.t4g.micro", StorageGiB: 600, MaxStorageGiB: 2000, IOPS: 12000, ThroughputMiBs: 500}),
			func(args *database.DatabaseArgs) {
				args.StorageGiB, args.MaxStorageGiB, args.IOPS, args.ThroughputMiBs = 400, pointer(2000), 16000, 500
			},
		},
		"backupWindow is 03:00-04:00, want a window outside of the maintenance window, sun:03:30-sun:04:30": {
			running(recorder.DBInstance{Version: "17.9", Class: "db.t4g.micro", MaintenanceWindow: "sun:03:30-sun:04:30", BackupWindow: "01:00-01:30"}),
			func(args *database.DatabaseArgs) { args.BackupWindow = "03:00-04:00" },
		},
		"maintenanceWindow is sun:23:45-mon:01:15, want a window outside of the daily backups', 01:00-01:30": {
			running(recorder.DBInstance{Version: "17.9", Class: "db.t4g.micro", MaintenanceWindow: "sun:03:30-sun:04:30", BackupWindow: "01:00-01:30"}),
			func(args *database.DatabaseArgs) { args.MaintenanceWindow = "sun:23:45-mon:01:15" },
		},
	} {
		t.Run(want, func(t *testing.T) {
			recording, err := databaseOver(test.rds, test.change)
			require.ErrorContains(t, err, want)
			assert.Empty(t, recording.Names())
		})
	}
}

// RDS looks at the ceiling where it changes: a volume that has come up to it must not block every other change.
func TestVolumeAtItsCeilingBlocksNothing(t *testing.T) {
	full := running(recorder.DBInstance{Version: "17.9", Class: "db.t4g.micro", StorageGiB: 98, MaxStorageGiB: 100})
	recording, err := databaseOver(full, nil)
	require.NoError(t, err)
	assert.Contains(t, recording.One(t, instanceType).IgnoreChanges, "allocatedStorage")
	_, err = databaseOver(full, func(args *database.DatabaseArgs) { args.StorageGiB, args.MaxStorageGiB = 98, pointer(0) })
	assert.NoError(t, err)
}

func TestSnapshotCountsAtCreationOnly(t *testing.T) {
	final := recorder.RDS{Snapshots: map[string]recorder.DBSnapshot{"shop-final-0a1b": {Engine: "postgres", Version: "17.9", StorageGiB: 50}}}
	recording, err := databaseOver(final, func(args *database.DatabaseArgs) { args.RestoreFrom = "shop-final-0a1b" })
	require.NoError(t, err)
	restored := recording.One(t, instanceType)
	assert.Equal(t, "shop-final-0a1b", restored.Input(t, "snapshotIdentifier"))
	assert.Subset(t, restored.IgnoreChanges, []string{"snapshotIdentifier", "dbName", "username"})
	// A size or a version below the snapshot's is refused when the instance is there already.
	assert.Equal(t, 50.0, restored.Input(t, "allocatedStorage"))
	assert.Equal(t, "17.9", restored.Input(t, "engineVersion"))

	fresh := mustDatabase(t, nil).One(t, instanceType)
	assert.Nil(t, fresh.Input(t, "snapshotIdentifier"))
	assert.Equal(t, []string{"snapshotIdentifier", "engineLifecycleSupport", "engineVersion"}, fresh.IgnoreChanges,
		"removing the key later doesn't replace the instance")

	// The snapshot may be deleted once it is restored.
	recording, err = databaseOver(running(recorder.DBInstance{Version: "17.9", StorageGiB: 50, MaxStorageGiB: 100, Class: "db.t4g.micro"}),
		func(args *database.DatabaseArgs) { args.RestoreFrom = "shop-final-0a1b" })
	require.NoError(t, err)
	assert.NotContains(t, fmt.Sprint(recording.Lookups), "getSnapshot")
}

func TestSnapshotThatNobodyTookByHandIsLookedUpByItsType(t *testing.T) {
	for identifier, kind := range map[string]string{
		"rds:shop-2026-01-01-00-00":                                   "automated",
		"awsbackup:job-be59cf2a-2343-4402-bd8b-226993d23453":          "awsbackup",
		"arn:aws:rds:eu-west-1:123456789012:snapshot:awsbackup:job-1": "awsbackup",
		"arn:aws:rds:eu-west-1:123456789012:snapshot:by-hand":         "",
		"by-hand": "",
	} {
		found := recorder.RDS{Snapshots: map[string]recorder.DBSnapshot{identifier: {Engine: "postgres", Version: "17.9", Type: kind}}}
		recording, err := databaseOver(found, func(args *database.DatabaseArgs) { args.RestoreFrom = identifier })
		require.NoError(t, err)
		assert.Equal(t, identifier, recording.One(t, instanceType).Input(t, "snapshotIdentifier"))
	}
}

// From 400 GiB on, RDS refuses less: https://github.com/hashicorp/terraform-provider-aws/issues/28382
func TestStripedVolumesHaveTheLeastThatRDSGivesThem(t *testing.T) {
	for name, test := range map[string]struct {
		rds        recorder.RDS
		size, iops any
	}{
		"400 GiB, new":  {recorder.RDS{}, 400, 12000.0},
		"399 GiB, new":  {recorder.RDS{}, 399, nil},
		"raised to 500": {running(recorder.DBInstance{Version: "17.9", Class: "db.t4g.micro", StorageGiB: 20}), 500, 12000.0},
		"grown to 600":  {running(recorder.DBInstance{Version: "17.9", Class: "db.t4g.micro", StorageGiB: 600, MaxStorageGiB: 1000}), 20, 12000.0},
	} {
		t.Run(name, func(t *testing.T) {
			recording, err := databaseOver(test.rds, func(args *database.DatabaseArgs) {
				args.StorageGiB, args.MaxStorageGiB = test.size.(int), pointer(1000)
			})
			require.NoError(t, err)
			instance := recording.One(t, instanceType)
			assert.Equal(t, test.iops, instance.Input(t, "iops"))
			assert.Equal(t, map[any]any{nil: nil, 12000.0: 500.0}[test.iops], instance.Input(t, "storageThroughput"))
			if test.size == 20 {
				// It grew by itself: there is nothing to send.
				assert.Subset(t, instance.IgnoreChanges, []string{"allocatedStorage", "iops", "storageThroughput"})
			} else {
				assert.NotContains(t, instance.IgnoreChanges, "allocatedStorage")
			}
		})
	}
}

func TestReplicasTakeNameUserAndPasswordFromThePrimary(t *testing.T) {
	recording := mustDatabase(t, func(args *database.DatabaseArgs) { durable(args); args.ReadReplicas = 2 })
	primary := recording.Named(t, instanceType, "database")
	for number := 1; number <= 2; number++ {
		replica := recording.Named(t, instanceType, fmt.Sprintf("database-replica-%d", number))
		for _, key := range []string{"username", "password", "dbName", "allocatedStorage", "engineVersion", "dbSubnetGroupName", "snapshotIdentifier"} {
			assert.Nil(t, replica.Input(t, key), key)
		}
		assert.Equal(t, primary.Input(t, "identifier"), replica.Input(t, "replicateSourceDb"))
		assert.Equal(t, fmt.Sprintf("threetier-dev-database-replica-%d", number), replica.Input(t, "identifier"))
		assert.Equal(t, primary.Input(t, "parameterGroupName"), replica.Input(t, "parameterGroupName"))
		assert.Equal(t, true, replica.Input(t, "skipFinalSnapshot"))
		assert.Contains(t, replica.DependsOn, primary.URN)
	}
}

// Control RDS.8 counts every instance, so whoever takes a replica away allows that first. The primary stays protected.
func TestDeletionProtectionThatMayGoIsTakenOffTheReplicasAlone(t *testing.T) {
	for name, test := range map[string]struct {
		change           func(*database.DatabaseArgs)
		primary, replica bool
	}{
		"durable": {durable, true, true},
		"allowed": {func(a *database.DatabaseArgs) { durable(a); a.Allow = allow.List{"RDS.8": "one is removed"} }, true, false},
		"retiring": {func(a *database.DatabaseArgs) {
			durable(a)
			a.Lifecycle = database.Retiring
			a.Allow = allow.List{"RDS.8": "it is deleted"}
		}, false, false},
		"disposable": {func(*database.DatabaseArgs) {}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			recording := mustDatabase(t, func(args *database.DatabaseArgs) { test.change(args); args.ReadReplicas = 2 })
			primary := recording.Named(t, instanceType, "database")
			assert.Equal(t, []bool{test.primary, test.primary}, []bool{primary.Input(t, "deletionProtection").(bool), primary.Protect})
			for _, replica := range []string{"database-replica-1", "database-replica-2"} {
				assert.Equal(t, test.replica, recording.Named(t, instanceType, replica).Input(t, "deletionProtection"))
			}
		})
	}
	// Without replicas, the control is met.
	_, err := recordDatabase(databaseArgs(func(args *database.DatabaseArgs) { durable(args); args.Allow = allow.List{"RDS.8": "x"} }))
	assert.ErrorContains(t, err, `create database database: allow.RDS.8 is "x", want none: the control is met`)
}

const (
	key      = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
	otherKey = "arn:aws:kms:eu-west-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef"
)

func TestWindowsKeyAndSpeedAreTheInstances(t *testing.T) {
	inputs := []string{"maintenanceWindow", "backupWindow", "kmsKeyId", "iops", "storageThroughput"}
	values := func(instance recorder.Resource) (values []any) {
		for _, input := range inputs {
			values = append(values, instance.Input(t, input))
		}
		return values
	}
	recording := mustDatabase(t, func(args *database.DatabaseArgs) {
		args.MaintenanceWindow, args.BackupWindow, args.KMSKeyARN = "sun:03:00-sun:03:30", "02:00-03:00", key
		args.StorageGiB, args.IOPS, args.ThroughputMiBs, args.ReadReplicas = 500, 16000, 1000, 1
	})
	assert.Equal(t, []any{"sun:03:00-sun:03:30", "02:00-03:00", key, 16000.0, 1000.0}, values(recording.Named(t, instanceType, "database")))
	// A replica takes no backups, and has its source's key.
	assert.Equal(t, []any{"sun:03:00-sun:03:30", nil, nil, 16000.0, 1000.0}, values(recording.Named(t, instanceType, "database-replica-1")))
	for _, instance := range mustDatabase(t, func(args *database.DatabaseArgs) { args.ReadReplicas = 1 }).All(instanceType) {
		assert.Equal(t, make([]any, len(inputs)), values(instance), instance.Name)
	}
}

func TestAlarmThresholdsFollowClassAndStorage(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*database.DatabaseArgs)
		want   map[string]float64
	}{
		"db.t4g.micro, 20 GiB": {nil, map[string]float64{
			"cpu": 80, "storage": 1 << 30, "memory": (1 << 30) / 10, "connections": 64,
		}},
		"db.m7g.large, 500 GiB": {func(args *database.DatabaseArgs) {
			args.InstanceClass, args.StorageGiB = "db.m7g.large", 500
		}, map[string]float64{"storage": 25 << 30, "memory": (8 << 30) / 10, "connections": 649}},
		"db.r7g.4xlarge": {func(args *database.DatabaseArgs) { args.InstanceClass = "db.r7g.4xlarge" }, map[string]float64{
			"memory": (128 << 30) / 10, "connections": 4000,
		}},
		"max_connections": {func(args *database.DatabaseArgs) {
			args.Parameters = map[string]string{"max_connections": "1000"}
		}, map[string]float64{"connections": 800}},
	} {
		t.Run(name, func(t *testing.T) {
			recording := mustDatabase(t, func(args *database.DatabaseArgs) {
				durable(args)
				if test.change != nil {
					test.change(args)
				}
			})
			for suffix, threshold := range test.want {
				alarm := recording.Named(t, alarmType, "database-alarm-"+suffix)
				assert.InDelta(t, threshold, alarm.Input(t, "threshold"), 1, suffix)
			}
		})
	}
}

func TestAlarmsWatchTheInstanceAndTellTheTopic(t *testing.T) {
	recording := mustDatabase(t, func(args *database.DatabaseArgs) { durable(args); args.ReadReplicas = 1 })
	comparisons := map[string]string{
		"cpu": "GreaterThanThreshold", "connections": "GreaterThanThreshold", "lag": "GreaterThanThreshold",
		"storage": "LessThanThreshold", "memory": "LessThanThreshold", "alive": "LessThanThreshold",
	}
	breaching := 0
	for _, alarm := range recording.All(alarmType) {
		before, suffix, _ := strings.Cut(alarm.Name, "-alarm-")
		assert.Equal(t, "threetier-dev-"+before, alarm.Input(t, "dimensions.DBInstanceIdentifier"), "the name, not the resource id")
		assert.Equal(t, comparisons[suffix], alarm.Input(t, "comparisonOperator"), alarm.Name)
		assert.Equal(t, []any{topic}, alarm.Input(t, "alarmActions"))
		assert.Equal(t, []any{topic}, alarm.Input(t, "okActions"))
		if alarm.Input(t, "treatMissingData") == "breaching" {
			assert.Equal(t, "alive", suffix)
			assert.Equal(t, []any{60.0, 5.0}, []any{alarm.Input(t, "period"), alarm.Input(t, "evaluationPeriods")}, "a dead instance pages within minutes")
			breaching++
		}
		// An idle primary's lag is a saw: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PostgreSQL.Replication.ReadReplicas.html
		assert.Equal(t, map[bool]any{true: "Minimum", false: "Average"}[suffix == "lag"], alarm.Input(t, "statistic"))
	}
	assert.Equal(t, 2, breaching, "an instance that is down pages once: the primary and the replica each have one such alarm")
	for _, subscription := range recording.All(subscriptionType) {
		assert.Equal(t, topic, subscription.Input(t, "snsTopic"))
	}
	availability := recording.Named(t, subscriptionType, "database-events-availability")
	assert.Subset(t, availability.Input(t, "eventCategories"), []any{"availability", "failover", "low storage"})
	parameters := recording.Named(t, subscriptionType, "database-events-parameters")
	assert.Equal(t, []any{recording.Named(t, instanceType, "database").Input(t, "parameterGroupName")}, parameters.Input(t, "sourceIds"), "the other databases of the account tell their own people")
	assert.Equal(t, []any{identifier, identifier + "-replica-1"}, availability.Input(t, "sourceIds"))
}

func TestWithoutATopicThereAreNoAlarms(t *testing.T) {
	recording := mustDatabase(t, nil)
	assert.Empty(t, recording.All(alarmType))
	assert.Empty(t, recording.All(subscriptionType))
}

func TestMonitoringRoleIsOfTheRegionsPartition(t *testing.T) {
	recording := mustDatabase(t, nil)
	policy := recording.One(t, "aws:iam/rolePolicyAttachment:RolePolicyAttachment").Input(t, "policyArn")
	assert.Equal(t, "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole", policy)
	assert.Contains(t, recording.One(t, "aws:iam/role:Role").Input(t, "assumeRolePolicy"), "monitoring.rds.amazonaws.com")
}

func TestEveryAWSResourceThatCanBeTaggedIs(t *testing.T) {
	for _, res := range mustDatabase(t, func(args *database.DatabaseArgs) { durable(args); args.ReadReplicas = 1 }).Resources {
		if res.Component || res.Type == versionType || res.Type == "aws:iam/rolePolicyAttachment:RolePolicyAttachment" {
			continue
		}
		tags, _ := res.Input(t, "tags").(map[string]any)
		assert.Subset(t, tags, map[string]any{"Project": "threetier", "Stack": "dev", "ManagedBy": "pulumi"}, res.Name)
	}
}

// Each is one line, and nothing is registered.
func TestDatabaseRefusesBadInput(t *testing.T) {
	for want, change := range map[string]func(*database.DatabaseArgs){
		"storageGiB is 70000, want 20 to 65536":                                                                                           func(a *database.DatabaseArgs) { a.StorageGiB, a.MaxStorageGiB = 70000, pointer(0) },
		"maxStorageGiB is 50, want 110 to 65536":                                                                                          func(a *database.DatabaseArgs) { a.StorageGiB, a.MaxStorageGiB = 100, pointer(50) },
		"maxStorageGiB is 65536, want 0: a volume of 65536 GiB has no room to grow by a tenth below 65536":                                func(a *database.DatabaseArgs) { a.StorageGiB = 65536 },
		"alarms.topicArn is arn:aws:sns:us-east-1:123456789012:alerts, want a topic of the database's region, as arn:aws:sns:eu-west-1:…": func(a *database.DatabaseArgs) { a.AlarmTopicARN = "arn:aws:sns:us-east-1:123456789012:alerts" },
		"maxStorageGiB is 21, want 22 to 65536":                                                                                           func(a *database.DatabaseArgs) { a.MaxStorageGiB = pointer(21) },
		"readReplicas is -1, want 0 to 15":                                                                                                func(a *database.DatabaseArgs) { a.ReadReplicas = -1 },
		"passwordVersion is -1, want 1 to 1000000":                                                                                        func(a *database.DatabaseArgs) { a.PasswordVersion = -1 },
		`instanceClass is "db.m7g.micro", want an instance class of the families t, m, r or x in a size`:                                  func(a *database.DatabaseArgs) { a.InstanceClass = "db.m7g.micro" },
		`name is "template1", want a name that neither RDS nor the program reserves`:                                                      func(a *database.DatabaseArgs) { a.Name = "template1" },
		`username is "admin", want a name that neither RDS nor the program reserves`:                                                      func(a *database.DatabaseArgs) { a.Username = "admin" },
		"password is [secret], want 8 to 128 printable":                                                                                   func(a *database.DatabaseArgs) { a.Password = "short" },
		"backupRetentionDays is 3, want 7 to 35 where lifecycle is durable":                                                               func(a *database.DatabaseArgs) { durable(a); a.BackupRetentionDays = pointer(3) },
		"backupRetentionDays is 0, want 1 to 35 where lifecycle is disposable":                                                            func(a *database.DatabaseArgs) { a.BackupRetentionDays = pointer(0) },
		"lifecycle is missing, want disposable, durable or retiring":                                                                      func(a *database.DatabaseArgs) { a.Lifecycle = "" },
		"maintenanceWindow is sun:03:00-sun:03:29, want 30 minutes or more":                                                               func(a *database.DatabaseArgs) { a.MaintenanceWindow = "sun:03:00-sun:03:29" },
		"maintenanceWindow is sun:04:00-sun:03:00, want 30 minutes or more, and less than a":                                              func(a *database.DatabaseArgs) { a.MaintenanceWindow = "sun:04:00-sun:03:00" },
		"backupWindow is 23:50-00:10, want 30 minutes or more":                                                                            func(a *database.DatabaseArgs) { a.BackupWindow = "23:50-00:10" },
		"backupWindow is 23:30-00:30, want a window outside of the maintenance window, mon:00:00-mon:01:00": func(a *database.DatabaseArgs) {
			a.MaintenanceWindow, a.BackupWindow = "mon:00:00-mon:01:00", "23:30-00:30"
		},
		"kmsKeyArn is arn:aws:kms:us-east-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef, want a key of the database's region, as arn:aws:kms:eu-west-1:": func(a *database.DatabaseArgs) {
			a.KMSKeyARN = strings.Replace(otherKey, "eu-west-1", "us-east-1", 1)
		},
		"iops is 12000, want storageGiB 400 or more beside it":                                       func(a *database.DatabaseArgs) { a.StorageGiB, a.IOPS = 399, 12000 },
		"throughputMiBs is 500, want storageGiB 400 or more beside it":                               func(a *database.DatabaseArgs) { a.ThroughputMiBs = 500 },
		"iops is 20001, want 12000 to 20000 where storageGiB is 400":                                 func(a *database.DatabaseArgs) { a.StorageGiB, a.IOPS = 400, 20001 },
		"iops is 12000, want 15000 to 64000 where storageGiB is 30000":                               func(a *database.DatabaseArgs) { a.StorageGiB, a.IOPS = 30000, 12000 },
		"throughputMiBs is 3001, want 500 to 3000 where iops is 12000":                               func(a *database.DatabaseArgs) { a.StorageGiB, a.ThroughputMiBs = 400, 3001 },
		"lifecycle is retiring, want durable (RDS.8), or the reason in database.allow: { RDS.8: … }": func(a *database.DatabaseArgs) { durable(a); a.Lifecycle = database.Retiring },
		`parameters.work_memory is "1", want a PostgreSQL setting that RDS lets`:                     parameter("work_memory", "1"),
		`parameters.fsync is "0", want a PostgreSQL setting that RDS lets`:                           parameter("fsync", "0"),
		`parameters.rds.force_ssl is "0", want none: it is always 1`:                                 parameter("rds.force_ssl", "0"),
		`parameters.transaction_timeout is "9", want none: PostgreSQL has it since 17, engineVersion is 16`: func(a *database.DatabaseArgs) {
			a.EngineVersion = "16"
			parameter("transaction_timeout", "9")(a)
		},
		`region is "Ireland", want an AWS region, as eu-west-1`:                          func(a *database.DatabaseArgs) { a.Region = "Ireland" },
		"region eu-west-9 has no RDS root certificates here":                             func(a *database.DatabaseArgs) { a.Region = "eu-west-9" },
		"network.vpcId is missing, want the id of a VPC":                                 func(a *database.DatabaseArgs) { a.Network.VPCID = "" },
		`network.subnetIds is ["subnet-privatea"], want private subnets in at least two`: func(a *database.DatabaseArgs) { a.Network.SubnetIDs = a.Network.SubnetIDs[:1] },
		"network.clientSecurityGroupIds is missing, want at least one":                   func(a *database.DatabaseArgs) { a.Network.ClientSecurityGroupIDs = nil },
	} {
		t.Run(want, func(t *testing.T) {
			recording, err := recordDatabase(databaseArgs(change))
			require.ErrorContains(t, err, want)
			assert.Empty(t, recording.Names())
			assert.Equal(t, 1, strings.Count(err.Error(), ", want ")+strings.Count(err.Error(), "no RDS root"), "one line: %s", err)
		})
	}
}

func parameter(name, value string) func(*database.DatabaseArgs) {
	return func(args *database.DatabaseArgs) { args.Parameters = map[string]string{name: value} }
}

func TestDatabaseRefusesAllAtOnce(t *testing.T) {
	_, err := recordDatabase(&database.DatabaseArgs{
		Region: "Ireland", StorageGiB: 1, Port: 1, Username: "admin", EngineVersion: "9", InstanceClass: "large",
	})
	require.Error(t, err)
	assert.Equal(t, 10, strings.Count(err.Error(), ", want "), err)
	_, err = recordDatabase(nil)
	assert.ErrorContains(t, err, "args are missing")
}

func TestTooLongAnIdentifierIsRefused(t *testing.T) {
	recording, err := recordDatabase(databaseArgs(nil), strings.Repeat("database", 6))
	assert.ErrorContains(t, err, "want a name that is 10 characters shorter: the database's name in RDS is threetier-dev-")
	assert.Empty(t, recording.Names())
}

// A rule can name a group of another VPC only where the two are peered, and a subnet group has subnets of one VPC.
func TestNetworkIsOfOneVPC(t *testing.T) {
	over := func(network *recorder.Network) (*recorder.Recording, error) {
		return recorder.Run(func(ctx *pulumi.Context) error {
			_, err := database.NewDatabase(ctx, "database", databaseArgs(nil))
			return err
		}, recorder.Options{Network: network})
	}
	for id, want := range map[string]string{
		"subnet-privateb":             "subnet subnet-privateb is of VPC vpc-9999, want subnets of VPC vpc-0123",
		recorder.ClusterSecurityGroup: "security group sg-cluster is of VPC vpc-9999, want one of VPC vpc-0123, or of one that is peered with it",
	} {
		network := recorder.TwoZones()
		network.Elsewhere = map[string]string{id: "vpc-9999"}
		recording, err := over(network)
		require.ErrorContains(t, err, want)
		assert.Empty(t, recording.Names())
	}
	peered := recorder.TwoZones()
	peered.Elsewhere = map[string]string{recorder.ClusterSecurityGroup: "vpc-9999"}
	peered.Peered = []string{"vpc-9999"}
	_, err := over(peered)
	assert.NoError(t, err)
}

// A component that is given another AWS provider, by itself or by its parent, looks up there what it builds on.
func TestLookupsAskTheComponentsOwnProvider(t *testing.T) {
	for name, give := range map[string]func(*pulumi.Context, pulumi.ProviderResource) (pulumi.ResourceOption, error){
		"provider": func(_ *pulumi.Context, p pulumi.ProviderResource) (pulumi.ResourceOption, error) {
			return pulumi.Provider(p), nil
		},
		"providers": func(_ *pulumi.Context, p pulumi.ProviderResource) (pulumi.ResourceOption, error) {
			return pulumi.Providers(p), nil
		},
		"parent": func(ctx *pulumi.Context, p pulumi.ProviderResource) (pulumi.ResourceOption, error) {
			var parent pulumi.ResourceState
			err := ctx.RegisterComponentResource("test:index:Parent", "parent", &parent, pulumi.Providers(p))
			return pulumi.Parent(&parent), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			recording := recorder.MustRun(t, func(ctx *pulumi.Context) error {
				provider, err := aws.NewProvider(ctx, "frankfurt", &aws.ProviderArgs{Region: pulumi.String("eu-central-1")})
				if err != nil {
					return err
				}
				option, err := give(ctx, provider)
				if err != nil {
					return err
				}
				if _, err := cluster.NewCluster(ctx, "cluster", &eksArgs, option); err != nil {
					return err
				}
				_, err = database.NewDatabase(ctx, "database", databaseArgs(nil), option)
				return err
			}, recorder.Options{})
			asked := map[string]bool{}
			for _, lookup := range recording.Lookups {
				asked[lookup.Token] = true
				assert.Contains(t, lookup.Provider, "pulumi:providers:aws::frankfurt", lookup.Token)
			}
			assert.True(t, asked["aws:eks/getCluster:getCluster"] && asked["aws:ec2/getSubnet:getSubnet"], asked)
			assert.Contains(t, recording.One(t, instanceType).Provider, "pulumi:providers:aws::frankfurt")
		})
	}
}
