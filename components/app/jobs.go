package app

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the same zones on every machine, and those that Kubernetes has

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/robfig/cron/v3"

	"threetier/components/app/pods"
	"threetier/internal/component"
	"threetier/internal/constraint"
	"threetier/internal/keys"
)

// JobType is Job's type token.
const JobType = "threetier:index:Job"

const defaultTimeZone = "Etc/UTC"

const (
	// startWithinSeconds is how late a run may begin that was missed, because the one before hadn't ended or the cluster
	// was busy.
	startWithinSeconds = 600
	// jobHistory is how many runs that succeeded, and that failed, are kept with their logs.
	jobHistory = 3
)

// JobArgs describe a process that ends by itself: run by a schedule, or by hand.
type JobArgs struct {
	ProcessArgs
	Schedule, TimeZone      string
	TimeoutSeconds, Retries int
}

func (args *JobArgs) keys() keys.Table {
	const timeZone = "an IANA time zone, like Europe/Berlin"
	return args.ProcessArgs.keys(
		keys.Text("schedule", &args.Schedule).Match(cronPattern, `a cron expression of five fields, like "0 3 * * *", or @daily`).
			Needs(comes(args.Schedule), "one that comes, with ranges from low to high").Otherwise("none: run by hand").Example(`"0 3 * * *"`).
			Doc("Cron expression. Two scheduled runs never overlap: a run that is due waits up to 10 minutes for the one before it, then it is left out."),
		// Local would be the controller's own, which nobody knows.
		keys.Text("timeZone", &args.TimeZone).Match("^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$", timeZone).Except("^Local$", "").
			Default(defaultTimeZone).Needs(args.Schedule != "", "a schedule beside it").Needs(known(args.TimeZone), timeZone).Example("Europe/Berlin").
			Doc("Time zone of the schedule."),
		keys.Number("timeoutSeconds", &args.TimeoutSeconds).Between(1, 7*86400).Default(3600).Example("7200"). // a week at most
															Doc("Time limit of a run with its retries, in seconds."),
		// None by default: not every job may be run again after it stopped half-way.
		keys.Number("retries", &args.Retries).Between(0, 10).Example("2").
			Doc("Number of times that a failed run is tried again, in a new pod."),
	)
}

var (
	cronPattern = fmt.Sprintf("^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|%s)$", strings.Join([]string{
		cronField("([0-5]?[0-9])"), cronField("([01]?[0-9]|2[0-3])"), cronField("(0?[1-9]|[12][0-9]|3[01])"),
		cronField("(0?[1-9]|1[0-2]|" + constraint.AnyCase(months) + ")"), cronField("(0?[0-6]|" + constraint.AnyCase(weekdays) + ")"),
	}, " +"))
	months   = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

// cronField is the pattern of one field of a cron expression: a list of values, ranges and steps.
func cronField(value string) string {
	item := `(\*|` + value + "(-" + value + ")?)(/[1-9][0-9]?)?"
	return item + "(," + item + ")*"
}

// comes is false of what fits the pattern and never comes: 5-1 as a range, or February 31st.
func comes(schedule string) bool {
	if schedule == "" {
		return true
	}
	parsed, err := cron.ParseStandard(schedule)
	return err == nil && !parsed.Next(time.Unix(0, 0)).IsZero()
}

func known(timeZone string) bool {
	_, err := time.LoadLocation(timeZone)
	return err == nil
}

// LongestSilence is the longest time without the end of a run, where each run begins and ends as late as it may; 0 where
// the job has no schedule.
func (args JobArgs) LongestSilence() time.Duration {
	if args.Schedule == "" {
		return 0
	}
	args.keys().Complete()
	schedule, err := cron.ParseStandard("CRON_TZ=" + args.TimeZone + " " + args.Schedule)
	if err != nil {
		return 0 // the key has refused it
	}
	// A leap year and a day more: every month, weekday and change of the clocks. Between two samples lies an hour.
	longest, end := time.Duration(0), time.Date(2025, time.January, 2, 0, 0, 0, 0, time.UTC)
	for at := time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC); at.Before(end); at = at.Add(time.Hour) {
		longest = max(longest, schedule.Next(at).Sub(at))
	}
	return longest + time.Hour + time.Duration(startWithinSeconds+args.TimeoutSeconds)*time.Second
}

// Job is a process that ends by itself.
type Job struct {
	pulumi.ResourceState

	// CronJob is the CronJob's name.
	CronJob pulumi.StringOutput `pulumi:"cronJob"`
}

// newJob creates the CronJob, once the backend's migration succeeded.
func (b *Backend) newJob(ctx *pulumi.Context, name, process string, args JobArgs, opts ...pulumi.ResourceOption) (*Job, error) {
	job := &Job{}
	return component.New(ctx, JobType, name, job, opts, func() error {
		t, err := b.workload.process(ctx, job, name, jobLabel(process), args.ProcessArgs)
		if err != nil {
			return err
		}
		t.RequestSeconds = defaultStopSeconds
		cronJob, err := newCronJob(ctx, job, process, t, args, b.migration)
		if err != nil {
			return fmt.Errorf("create cron job: %w", err)
		}
		job.CronJob = cronJob.Metadata.Name().Elem()
		return nil
	})
}

// jobLabel can't be that of another tier.
func jobLabel(name string) string { return "job-" + name }

// newCronJob is suspended where the job has no schedule: it is what a run by hand is made from. A run that is under way when
// the CronJob changes keeps its image and environment.
func newCronJob(ctx *pulumi.Context, parent pulumi.Resource, name string, t pods.Set, args JobArgs, after []pulumi.Resource) (*batchv1.CronJob, error) {
	metadata := t.Metadata()
	// Who runs it by hand names it.
	metadata.Name = pulumi.String(name)
	return batchv1.NewCronJob(ctx, t.Name, &batchv1.CronJobArgs{
		Metadata: metadata,
		Spec: batchv1.CronJobSpecArgs{
			Schedule:                   pulumi.String(cmp.Or(args.Schedule, pods.NeverSchedule)),
			TimeZone:                   pulumi.String(cmp.Or(args.TimeZone, defaultTimeZone)),
			Suspend:                    pulumi.Bool(args.Schedule == ""),
			ConcurrencyPolicy:          pulumi.String("Forbid"),
			StartingDeadlineSeconds:    pulumi.Int(startWithinSeconds),
			SuccessfulJobsHistoryLimit: pulumi.Int(jobHistory),
			FailedJobsHistoryLimit:     pulumi.Int(jobHistory),
			JobTemplate: batchv1.JobTemplateSpecArgs{Spec: batchv1.JobSpecArgs{
				BackoffLimit:          pulumi.Int(args.Retries),
				PodReplacementPolicy:  pulumi.String(pods.OneAfterTheOther),
				ActiveDeadlineSeconds: pulumi.Int(args.TimeoutSeconds),
				Template:              t.RunToEnd(nil),
			}},
		},
	}, pulumi.Parent(parent), pulumi.DependsOn(after))
}
