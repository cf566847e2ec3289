package database

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// alarmPeriodSeconds and alarmPeriods make an alarm of what lasts 15 minutes: a backup or a deployment passes.
	alarmPeriodSeconds = 300
	alarmPeriods       = 3
	// cpuPercent leaves the room that a failover or a nightly job takes.
	cpuPercent = 80
	// storagePercent is below the tenth at which RDS grows the volume, so that growing in time pages nobody: what is
	// paged is a volume at its ceiling, or one that fills within the six hours for which RDS grows it but once. Of the smallest
	// volume it is 1 GiB, which a burst of the write-ahead log may need.
	storagePercent = 5
	// memoryPercent: below, the page cache is gone and the next step is swapping.
	memoryPercent = 10
	// connectionPercent leaves a rollout, which doubles a tier's pools for a while, its connections.
	connectionPercent = 80
	// replicaLagSeconds: beyond two minutes, users miss what they wrote before.
	replicaLagSeconds = 120
	// aliveSeconds and alivePeriods make an alarm of five silent minutes: a failover takes two.
	aliveSeconds = 60
	alivePeriods = 5
)

// alarmPage says what to do for each alarm, in a section of its own.
const alarmPage = "docs/operate/database-alarms.md#"

// alarm is one metric of one instance, and when it wakes somebody.
type alarm struct {
	suffix, metric, description string
	above                       bool
	threshold                   float64
	// statistic sums a period up. Default: Average.
	statistic string
	// period in seconds, and how many of them. Default: alarmPeriodSeconds, alarmPeriods.
	period, periods int
	// missing is what no data means: "breaching" in one alarm, so that a database that is down pages once.
	missing string
}

// alarms are those of every instance, with thresholds from its memory and storage.
func (args DatabaseArgs) alarms() []alarm {
	memory := classMemory(args.InstanceClass)
	storage := args.StorageGiB * gib * storagePercent / 100
	return []alarm{
		{
			// No CPU is below zero: what makes this alarm is that there is nothing to measure.
			suffix: "alive", metric: "CPUUtilization", threshold: 0, missing: "breaching", period: aliveSeconds, periods: alivePeriods,
			description: "no sign of life for five minutes",
		},
		{
			suffix: "cpu", metric: "CPUUtilization", above: true, threshold: cpuPercent, missing: "missing",
			description: "CPU above " + strconv.Itoa(cpuPercent) + " % for 15 minutes",
		},
		{
			suffix: "storage", metric: "FreeStorageSpace", threshold: float64(storage), missing: "missing",
			description: "free storage nearly gone, and not growing",
		},
		{
			suffix: "memory", metric: "FreeableMemory", threshold: float64(memory * memoryPercent / 100), missing: "missing",
			description: "less than a tenth of the memory left",
		},
		{
			suffix: "connections", metric: "DatabaseConnections", above: true,
			threshold: float64(args.maxConnections() * connectionPercent / 100), missing: "missing",
			description: "four fifths of all connections taken",
		},
	}
}

// createAlarms pages somebody through the topic; without a topic there is nobody to page.
func (b *builder) createAlarms() error {
	if b.args.AlarmTopicARN == "" {
		return nil
	}
	alarms := b.args.alarms()
	if err := b.createInstanceAlarms("", b.primary, alarms); err != nil {
		return err
	}
	alarms = append(alarms, alarm{
		// Behind an idle primary the lag climbs for five minutes, until PostgreSQL switches its log, and falls to nothing: the
		// lowest of each five minutes is how far a replica is behind.
		suffix: "lag", metric: "ReplicaLag", above: true, threshold: replicaLagSeconds, statistic: "Minimum", missing: "missing",
		description: "replica more than two minutes behind",
	})
	for i, replica := range b.replicas {
		if err := b.createInstanceAlarms(replicaSuffix(i+1), replica, alarms); err != nil {
			return err
		}
	}
	return b.createEventSubscriptions()
}

func (b *builder) createInstanceAlarms(suffix string, instance *rds.Instance, alarms []alarm) error {
	for _, alarm := range alarms {
		comparison := "LessThanThreshold"
		if alarm.above {
			comparison = "GreaterThanThreshold"
		}
		made, err := cloudwatch.NewMetricAlarm(b.ctx, b.name+suffix+"-alarm-"+alarm.suffix, &cloudwatch.MetricAlarmArgs{
			AlarmDescription:   pulumi.String(b.identifier() + suffix + ": " + alarm.description + ": " + alarmPage + alarm.suffix),
			Namespace:          pulumi.String("AWS/RDS"),
			MetricName:         pulumi.String(alarm.metric),
			Dimensions:         pulumi.StringMap{"DBInstanceIdentifier": instance.Identifier},
			Statistic:          pulumi.String(cmp.Or(alarm.statistic, "Average")),
			Period:             pulumi.Int(cmp.Or(alarm.period, alarmPeriodSeconds)),
			EvaluationPeriods:  pulumi.Int(cmp.Or(alarm.periods, alarmPeriods)),
			ComparisonOperator: pulumi.String(comparison),
			Threshold:          pulumi.Float64(alarm.threshold),
			TreatMissingData:   pulumi.String(alarm.missing),
			AlarmActions:       pulumi.Array{pulumi.String(b.args.AlarmTopicARN)},
			OkActions:          pulumi.Array{pulumi.String(b.args.AlarmTopicARN)},
			Tags:               b.tags(),
		}, b.child())
		if err != nil {
			return fmt.Errorf("create alarm for %s: %w", alarm.metric, err)
		}
		b.alarms = append(b.alarms, made.Arn)
	}
	return nil
}

// createEventSubscriptions tells the topic what RDS does to the database (controls RDS.20, RDS.21, RDS.22), and what
// happens to it. The controls' subscription has their categories and no more: some scanners compare the whole list.
func (b *builder) createEventSubscriptions() error {
	instances := pulumi.StringArray{b.primary.Identifier}
	for _, replica := range b.replicas {
		instances = append(instances, replica.Identifier)
	}
	for _, subscription := range []struct {
		suffix, source string
		categories     []string
		ids            pulumi.StringArray
	}{
		{
			suffix: "instance", source: "db-instance", ids: pulumi.StringArray{b.primary.Identifier},
			categories: []string{"configuration change", "failure", "maintenance"},
		},
		{
			suffix: "availability", source: "db-instance", ids: instances,
			categories: []string{"availability", "failover", "low storage", "read replica", "recovery"},
		},
		{
			suffix: "parameters", source: "db-parameter-group", ids: pulumi.StringArray{b.parameterGroup.Name},
			categories: []string{"configuration change"},
		},
		{suffix: "security-groups", source: "db-security-group", categories: []string{"configuration change", "failure"}},
	} {
		args := &rds.EventSubscriptionArgs{
			SnsTopic:        pulumi.String(b.args.AlarmTopicARN),
			SourceType:      pulumi.String(subscription.source),
			EventCategories: pulumi.ToStringArray(subscription.categories),
			Enabled:         pulumi.Bool(true),
			Tags:            b.tags(),
		}
		if subscription.ids != nil {
			args.SourceIds = subscription.ids
		}
		if _, err := rds.NewEventSubscription(b.ctx, b.name+"-events-"+subscription.suffix, args, b.child()); err != nil {
			return fmt.Errorf("create event subscription for %s: %w", subscription.source, err)
		}
	}
	return nil
}
