package database

import (
	"fmt"
	"strconv"

	"threetier/internal/allow"
	"threetier/internal/problems"
)

// control is a Security Hub control that the args can leave unmet. Those that every database meets, such as
// encryption, have no switch, so they need no exception either.
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
		// Enhanced monitoring has no key of its own: the exception is how it is switched off.
		id: "RDS.6", met: func(args DatabaseArgs) bool { return !args.Allow.Has("RDS.6") },
	},
	{
		// A durable primary is always protected: here the exception is how its replicas go without.
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

// controlProblems want a lasting database to meet each control, or to have the reason why not. A disposable one may leave
// controls unmet without a reason, so that a first try takes little config.
func (args DatabaseArgs) controlProblems() (ps problems.List) {
	for _, control := range controls {
		switch {
		case control.met(args):
			ps = append(ps, args.Allow.Unneeded("the control is met", control.id)...)
		case args.keeps() && !args.Allow.Has(control.id):
			want := fmt.Sprintf("%s (%s)", control.want, control.id)
			ps = append(ps, problems.Problem{Path: control.key, Value: control.value(args), Want: allow.Or(want, "database.allow", control.id)})
		}
	}
	for _, version := range EngineVersions {
		if version != args.EngineVersion {
			ps = append(ps, args.Allow.Unneeded("engineVersion is "+args.EngineVersion, UpgradeTo(version))...)
		}
	}
	return ps
}

// UpgradeTo is the exception that lets another engineVersion upgrade the instance. Whether there is something to upgrade is
// looked up later.
func UpgradeTo(version string) string { return "upgrade to " + version }

func (args DatabaseArgs) upgrade() string { return UpgradeTo(args.EngineVersion) }

// exceptions are the names that allow takes.
func exceptions() []string {
	var names []string
	for _, control := range controls {
		names = append(names, control.id)
	}
	for _, version := range EngineVersions {
		names = append(names, UpgradeTo(version))
	}
	return names
}
