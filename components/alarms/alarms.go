package alarms

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/component"
	"threetier/internal/optional"
	"threetier/internal/tags"
)

// AlarmsType is the type token of Alarms.
const AlarmsType = "threetier:index:Alarms"

// Alarms watch the app.
type Alarms struct {
	pulumi.ResourceState

	// Dashboard is the dashboard's name.
	Dashboard pulumi.StringOutput `pulumi:"dashboard"`
}

// alarm is a row of the table: what is looked at, and when it wakes somebody.
type alarm struct {
	name, description string
	// section is that of the page. Default: the name.
	section string
	// queries end with the one that is compared.
	queries []query
	// comparison is CloudWatch's name of one.
	comparison string
	threshold  float64
	// period is in seconds; the alarm is one of so many periods in a row.
	period, periods int
}

// query is a metric, or an expression over those before it.
type query struct {
	id                      string
	namespace, metric, stat string
	dimensions              pulumi.StringMap
	// expression is one of CloudWatch's metric math, or of Metrics Insights.
	expression pulumi.StringInput
	insights   bool
}

// page says what to do for each alarm, in a section of its own.
const page = "docs/operate/alarms.md#"

const (
	above   = "GreaterThanThreshold"
	atLeast = "GreaterThanOrEqualToThreshold"
	below   = "LessThanThreshold"
)

// filter counts or measures lines of a log group.
type filter struct {
	name, group, pattern string
	// metric is where the values go, into the stack's own namespace.
	metric, value string
	// otherwise is the value of a minute in which the group got other lines alone; empty: none.
	otherwise string
}

// builder creates the children of an Alarms.
type builder struct {
	ctx    *pulumi.Context
	name   string
	args   AlarmsArgs
	parent *Alarms
	// made are the ARNs of the region's alarms.
	made pulumi.StringArray
}

// NewAlarms creates the alarms that the account has data for, and the dashboard.
func NewAlarms(ctx *pulumi.Context, name string, args *AlarmsArgs, opts ...pulumi.ResourceOption) (*Alarms, error) {
	alarms := &Alarms{}
	if args == nil {
		return nil, component.Wrap(alarms, name, errors.New("args are missing"))
	}
	b := &builder{ctx: ctx, name: name, args: *args, parent: alarms}
	if err := errors.Join(b.args.Complete().Err(), args.check()); err != nil {
		return nil, component.Wrap(alarms, name, err)
	}
	return component.New(ctx, AlarmsType, name, alarms, opts, b.create)
}

// check finds what only a program can get wrong; the stack config's mistakes are Problems.
func (args AlarmsArgs) check() error {
	if args.TopicARN == "" || args.Region == "" || args.Namespace == "" || args.URL == nil || args.LoadBalancer == nil || args.Database == nil {
		return errors.New("the topic, the region, the namespace, the URL, the load balancer or the database is missing")
	}
	return nil
}

func (b *builder) create() error {
	var filters []filter
	var alarms []alarm
	if b.args.EKS != "" {
		alarms = b.targetAlarms()
	}
	if b.args.LogGroup != "" {
		filters, alarms = b.requestFilters(), slices.Concat(alarms, b.requestAlarms(), b.tierAlarms())
	}
	if b.args.AuditLogGroup != "" {
		filters, alarms = append(filters, b.jobFilters()...), append(alarms, b.jobAlarms()...)
	}
	for _, filter := range filters {
		if err := b.createFilter(filter); err != nil {
			return fmt.Errorf("create metric filter %s: %w", filter.name, err)
		}
	}
	for _, alarm := range alarms {
		made, err := b.createAlarm(alarm, b.args.TopicARN, b.child())
		if err != nil {
			return fmt.Errorf("create alarm %s: %w", alarm.name, err)
		}
		b.made = append(b.made, made.Arn)
	}
	outside, err := b.createOutside()
	if err != nil {
		return fmt.Errorf("create check from outside: %w", err)
	}
	if err := b.createDashboard(outside); err != nil {
		return fmt.Errorf("create dashboard: %w", err)
	}
	return nil
}

func (b *builder) createFilter(f filter) error {
	_, err := cloudwatch.NewLogMetricFilter(b.ctx, b.name+"-"+f.name, &cloudwatch.LogMetricFilterArgs{
		LogGroupName: pulumi.String(f.group), Pattern: pulumi.String(f.pattern),
		MetricTransformation: cloudwatch.LogMetricFilterMetricTransformationArgs{
			Namespace: pulumi.String(b.metrics()), Name: pulumi.String(f.metric), Value: pulumi.String(f.value), DefaultValue: optional.String(f.otherwise),
		},
	}, b.child())
	return err
}

// createAlarm tells the topic when it begins and when it ends. Where there is no data, nothing is wrong that this alarm
// could know of.
func (b *builder) createAlarm(a alarm, topic string, opts ...pulumi.ResourceOption) (*cloudwatch.MetricAlarm, error) {
	var queries cloudwatch.MetricAlarmMetricQueryArray
	for i, q := range a.queries {
		queries = append(queries, q.args(a.period, i == len(a.queries)-1))
	}
	return cloudwatch.NewMetricAlarm(b.ctx, b.name+"-"+a.name, &cloudwatch.MetricAlarmArgs{
		AlarmDescription:   pulumi.String(b.title() + ": " + a.description + ": " + page + cmp.Or(a.section, a.name)),
		MetricQueries:      queries,
		EvaluationPeriods:  pulumi.Int(a.periods),
		ComparisonOperator: pulumi.String(a.comparison),
		Threshold:          pulumi.Float64(a.threshold),
		TreatMissingData:   pulumi.String("notBreaching"),
		AlarmActions:       pulumi.Array{pulumi.String(topic)},
		OkActions:          pulumi.Array{pulumi.String(topic)},
		Tags:               tags.Of(b.ctx),
	}, opts...)
}

func (q query) args(period int, compared bool) cloudwatch.MetricAlarmMetricQueryArgs {
	args := cloudwatch.MetricAlarmMetricQueryArgs{Id: pulumi.String(q.id), ReturnData: pulumi.Bool(compared)}
	if q.expression == nil {
		args.Metric = cloudwatch.MetricAlarmMetricQueryMetricArgs{
			Namespace: pulumi.String(q.namespace), MetricName: pulumi.String(q.metric), Dimensions: q.dimensions,
			Stat: pulumi.String(q.stat), Period: pulumi.Int(period),
		}
		return args
	}
	args.Expression = q.expression.ToStringOutput()
	if q.insights {
		args.Period = pulumi.Int(period)
	}
	return args
}

func (b *builder) child() pulumi.ResourceOption { return pulumi.Parent(b.parent) }

// title names the stack to whoever is woken; the dashboard has it as its name.
func (b *builder) title() string { return b.named("-") }

// metrics is the namespace of the alarms' own metrics.
func (b *builder) metrics() string { return b.named("/") }

// named has the component's name in it, so that two in one stack don't collide. The name that Deploy gives is left out: with
// it, the dashboard of every stack would be replaced, and its metrics would begin again.
func (b *builder) named(separator string) string {
	stack := b.ctx.Project() + separator + b.ctx.Stack()
	if b.name == "alarms" {
		return stack
	}
	return stack + separator + b.name
}

func (b *builder) own(id, metric, stat string) query {
	return query{id: id, namespace: b.metrics(), metric: metric, stat: stat}
}
