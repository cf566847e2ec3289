package app

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
	_ "time/tzdata" // the same zones on every machine, and those that Kubernetes has

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/robfig/cron/v3"

	"threetier/components/app/pods"
	"threetier/internal/component"
	"threetier/internal/optional"
	"threetier/internal/problems"
)

// JobType is Job's type token.
const JobType = "threetier:index:Job"

// What a job gets where its args say nothing. Its resources are the backend's defaults.
const (
	DefaultTimeZone          = "Etc/UTC"
	DefaultJobTimeoutSeconds = 3600
	// DefaultRetries is none: not every job may be run again after it stopped half-way.
	DefaultRetries = 0
)

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
	// Schedule is a cron expression: when the job is run. Default: none, it is run by hand.
	Schedule string
	// TimeZone is the IANA time zone of Schedule. Default: DefaultTimeZone.
	TimeZone string
	// TimeoutSeconds is how long a run may take, its retries included. Default: DefaultJobTimeoutSeconds.
	TimeoutSeconds *int
	// Retries is how often a run that failed is tried again. Default: DefaultRetries.
	Retries *int
}

// Problems are what the args can't run with.
func (args JobArgs) Problems() problems.List {
	ps := args.ProcessArgs.Problems()
	ps = append(ps, scheduleProblems(args.Schedule)...)
	ps = append(ps, timeZoneProblems(args.TimeZone)...)
	if args.TimeZone != "" && args.Schedule == "" {
		ps = append(ps, problems.Problem{Path: "timeZone", Value: strconv.Quote(args.TimeZone), Want: "a schedule beside it"})
	}
	ps = append(ps, JobTimeoutSecondsConstraint.Problems("timeoutSeconds", args.TimeoutSeconds)...)
	return append(ps, RetriesConstraint.Problems("retries", args.Retries)...).Sorted()
}

// scheduleProblems also refuse what fits the pattern and never comes: 5-1 as a range, or February 31st.
func scheduleProblems(schedule string) problems.List {
	ps := ScheduleConstraint.Problems("schedule", schedule)
	if schedule == "" || len(ps) > 0 {
		return ps
	}
	parsed, err := cron.ParseStandard(schedule)
	if err != nil || parsed.Next(time.Unix(0, 0)).IsZero() {
		ps = problems.List{{Path: "schedule", Value: strconv.Quote(schedule), Want: "one that comes, with ranges from low to high"}}
	}
	return ps
}

func timeZoneProblems(zone string) problems.List {
	ps := TimeZoneConstraint.Problems("timeZone", zone)
	if zone == "" || len(ps) > 0 {
		return ps
	}
	if _, err := time.LoadLocation(zone); err != nil {
		ps = problems.List{{Path: "timeZone", Value: strconv.Quote(zone), Want: TimeZoneConstraint.Want}}
	}
	return ps
}

func (args JobArgs) withDefaults() JobArgs {
	args.ProcessArgs = args.ProcessArgs.withDefaults()
	args.TimeZone = cmp.Or(args.TimeZone, DefaultTimeZone)
	args.TimeoutSeconds = optional.Or(args.TimeoutSeconds, DefaultJobTimeoutSeconds)
	args.Retries = optional.Or(args.Retries, DefaultRetries)
	return args
}

// LongestSilence is the longest time without the end of a run, where each run begins and ends as late as it may; 0 where
// the job has no schedule.
func (args JobArgs) LongestSilence() time.Duration {
	if args.Schedule == "" {
		return 0
	}
	args = args.withDefaults()
	schedule, err := cron.ParseStandard("CRON_TZ=" + args.TimeZone + " " + args.Schedule)
	if err != nil {
		return 0 // Problems has refused it
	}
	// A leap year and a day more: every month, weekday and change of the clocks. Between two samples lies an hour.
	longest, end := time.Duration(0), time.Date(2025, time.January, 2, 0, 0, 0, 0, time.UTC)
	for at := time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC); at.Before(end); at = at.Add(time.Hour) {
		longest = max(longest, schedule.Next(at).Sub(at))
	}
	return longest + time.Hour + time.Duration(startWithinSeconds+*args.TimeoutSeconds)*time.Second
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
		t.RequestSeconds = DefaultStopSeconds
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
			TimeZone:                   pulumi.String(args.TimeZone),
			Suspend:                    pulumi.Bool(args.Schedule == ""),
			ConcurrencyPolicy:          pulumi.String("Forbid"),
			StartingDeadlineSeconds:    pulumi.Int(startWithinSeconds),
			SuccessfulJobsHistoryLimit: pulumi.Int(jobHistory),
			FailedJobsHistoryLimit:     pulumi.Int(jobHistory),
			JobTemplate: batchv1.JobTemplateSpecArgs{Spec: batchv1.JobSpecArgs{
				BackoffLimit:          pulumi.Int(*args.Retries),
				PodReplacementPolicy:  pulumi.String(pods.OneAfterTheOther),
				ActiveDeadlineSeconds: pulumi.Int(*args.TimeoutSeconds),
				Template:              t.RunToEnd(nil),
			}},
		},
	}, pulumi.Parent(parent), pulumi.DependsOn(after))
}
