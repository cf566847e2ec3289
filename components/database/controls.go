package database

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"threetier/internal/problems"
)

// control is a Security Hub control that the args can leave unmet. Those that every database meets, such as
// encryption, have no switch, so they need no waiver either.
type control struct {
	id string
	// key and value name what leaves the control unmet; want is what would meet it.
	key, want string
	value     func(DatabaseArgs) string
	met       func(DatabaseArgs) bool
}

var controls = []control{
	{
		id: "RDS.5", key: "multiAz", want: "true",
		value: func(args DatabaseArgs) string { return strconv.FormatBool(*args.MultiAZ) },
		met:   func(args DatabaseArgs) bool { return *args.MultiAZ },
	},
	{
		// Enhanced monitoring has no key of its own: waiving it is how it is switched off.
		id: "RDS.6", key: "waive.RDS.6", want: "enhanced monitoring",
		value: func(DatabaseArgs) string { return "given" },
		met:   func(args DatabaseArgs) bool { return !args.waived("RDS.6") },
	},
	{
		// A durable primary is always protected: here the waiver is how its replicas go without.
		id: "RDS.8", key: "lifecycle", want: string(Durable),
		value: func(args DatabaseArgs) string { return string(args.Lifecycle) },
		met: func(args DatabaseArgs) bool {
			return args.Lifecycle == Durable && (args.ReadReplicas == 0 || args.protectsReplicas())
		},
	},
	{
		// Only a disposable database can leave this unmet: where the lifecycle is another, fewer days contradict it.
		id: "RDS.11", key: "backupRetentionDays", want: fmt.Sprintf("%d or more", durableBackupDays),
		value: func(args DatabaseArgs) string { return strconv.Itoa(*args.BackupRetentionDays) },
		met:   func(args DatabaseArgs) bool { return *args.BackupRetentionDays >= durableBackupDays },
	},
	eventControl("RDS.20"), eventControl("RDS.21"), eventControl("RDS.22"),
	{
		id: "RDS.23", key: "port", want: fmt.Sprintf("another than the default %d", defaultPort),
		value: func(args DatabaseArgs) string { return strconv.Itoa(args.Port) },
		met:   func(args DatabaseArgs) bool { return args.Port != defaultPort },
	},
	{
		id: "RDS.25", key: "username", want: "another than the default postgres",
		value: func(args DatabaseArgs) string { return args.Username },
		met:   func(args DatabaseArgs) bool { return args.Username != "postgres" },
	},
	{
		id: "RDS.26", key: "backupPlan", want: "the tag that an AWS Backup plan selects by",
		value: func(DatabaseArgs) string { return "" },
		met:   func(args DatabaseArgs) bool { return args.BackupPlan != "" },
	},
}

// eventControl is met where events have a topic to go to.
func eventControl(id string) control {
	return control{
		id: id, key: "alarms.topicArn", want: "the ARN of an SNS topic for events",
		value: func(DatabaseArgs) string { return "" },
		met:   func(args DatabaseArgs) bool { return args.AlarmTopicARN != "" },
	}
}

// controlProblems hold the database to its controls: what a lasting one doesn't meet, it must waive.
// A disposable database may leave controls unmet without a waiver, so that a first try takes little config.
func (args DatabaseArgs) controlProblems() problems.List {
	ps := args.waiverProblems()
	if args.Lifecycle == Disposable {
		return ps
	}
	for _, control := range controls {
		if control.met(args) || args.waived(control.id) {
			continue
		}
		ps = append(ps, problems.Problem{
			Path: control.key, Value: control.value(args),
			Want: fmt.Sprintf("%s (%s), or the reason why not as waive.%s", control.want, control.id, control.id),
		})
	}
	return ps
}

// waiverProblems want a waiver to be for a control that is known and unmet, and to say why.
func (args DatabaseArgs) waiverProblems() problems.List {
	unmet := map[string]bool{}
	for _, control := range controls {
		unmet[control.id] = !control.met(args)
	}
	var ps problems.List
	for _, id := range slices.Sorted(maps.Keys(args.Waive)) {
		given := args.Waive[id]
		problem := problems.Problem{Path: "waive." + id, Value: strconv.Quote(given)}
		switch needed, known := unmet[id]; {
		case !known:
			problem.Want = "one of " + strings.Join(controlIDs(), ", ") + ": every database meets the others"
		case !needed:
			problem.Want = "no waiver: the control is met"
		case !reason.Accepts(given):
			problem.Want = reason.Want
		default:
			continue
		}
		ps = append(ps, problem)
	}
	return ps
}

func controlIDs() []string {
	ids := make([]string, len(controls))
	for i, control := range controls {
		ids[i] = control.id
	}
	return ids
}
