package alarms

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"threetier/components/app"
	"threetier/components/app/logins"
)

const (
	failedMetric  = "FailedRuns"
	failedSeconds = 300

	// runSeconds is the shortest period of an alarm that looks back for more than a day, and mostRunPeriods the seven days
	// that such an alarm may look back for.
	runSeconds     = 3600
	mostRunPeriods = 7 * 24
)

// jobFilters read the audit log: it has each change that Kubernetes makes to the status of a Job.
func (b *builder) jobFilters() []filter {
	status := fmt.Sprintf(`$.objectRef.resource = "jobs" && $.objectRef.subresource = "status" && $.objectRef.namespace = "%s"`, b.args.Namespace)
	filters := []filter{{
		// FailureTarget comes before Failed. A pod of psql ends by its time limit.
		name: "failed-runs", group: b.args.AuditLogGroup, metric: failedMetric, value: "1", otherwise: "0",
		pattern: fmt.Sprintf(`{ %s && $.objectRef.name != "%s-*" && $.requestObject.status.conditions[0].type = "Fail*" }`, status, logins.PsqlName),
	}}
	for _, name := range b.watchedJobs() {
		filters = append(filters, filter{
			// SuccessCriteriaMet comes before Complete.
			name: "runs-" + name, group: b.args.AuditLogGroup, metric: runMetric(name), value: "1", otherwise: "0",
			pattern: fmt.Sprintf(`{ %s && $.requestObject.metadata.ownerReferences[0].name = "%s" && `+
				`($.requestObject.status.conditions[0].type = "SuccessCriteriaMet" || $.requestObject.status.conditions[0].type = "Complete") }`, status, name),
		})
	}
	return filters
}

func (b *builder) jobAlarms() []alarm {
	alarms := []alarm{{
		name: "failed-runs", comparison: above, threshold: 0, period: failedSeconds, periods: 1,
		description: "a migration, a run of a job or a Job of the database's roles has failed",
		queries:     []query{b.own("failed", failedMetric, "Sum")},
	}}
	for _, name := range b.watchedJobs() {
		hours := runPeriods(b.args.Jobs[name])
		alarms = append(alarms, alarm{
			name: "missed-" + name, section: "missed", comparison: below, threshold: 1, period: runSeconds, periods: hours,
			description: fmt.Sprintf("no run of the job %s has succeeded in %d hours", name, hours),
			queries:     []query{b.own("runs", runMetric(name), "Sum")},
		})
	}
	return alarms
}

// watchedJobs are those with a schedule that an alarm can look back over.
func (b *builder) watchedJobs() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b.args.Jobs)) {
		if hours := runPeriods(b.args.Jobs[name]); hours > 0 && hours <= mostRunPeriods {
			names = append(names, name)
		}
	}
	return names
}

// runPeriods are the hours in which a run must have ended, and the one that has only begun; 0 without a schedule.
func runPeriods(job app.JobArgs) int {
	silence := job.LongestSilence()
	if silence == 0 {
		return 0
	}
	return int(math.Ceil(silence.Hours())) + 1
}

func runMetric(job string) string { return "Runs-" + job }
