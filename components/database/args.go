package database

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"threetier/internal/allow"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/network"
	"threetier/internal/problems"
)

// Lifecycle is how a database ends. Every protection of its data follows from this one word.
type Lifecycle string

const (
	// Disposable databases go with their stack: no protection, no final snapshot, backups of a day.
	Disposable Lifecycle = "disposable"
	// Durable databases can't be deleted; backups of a week or more outlive them.
	Durable Lifecycle = "durable"
	// Retiring databases are durable ones about to be deleted: unprotected, but with a final snapshot and their backups kept.
	Retiring Lifecycle = "retiring"
)

// BackupPlanTag is the tag that AWS Backup plans are to select databases by.
const BackupPlanTag = "backup-plan"

// EngineVersions are the PostgreSQL majors that the program knows the parameters of.
var EngineVersions = []string{"14", "15", "16", "17", "18"}

// DatabaseArgs describe the database. Keys says what each field means, which values it takes, and what its zero value means.
type DatabaseArgs struct {
	// Region is the AWS region, whose certificates clients verify the instance with. Required.
	Region string
	// Network is where the instance lives and who may reach it. Required.
	Network network.Network
	// Previews lets the databases of previews into the instance. Default: nobody's.
	Previews bool
	// AlarmTopicARN is the SNS topic for alarms and events. Default: none, so no alarms and no events.
	AlarmTopicARN string

	Lifecycle                       Lifecycle
	EngineVersion                   string
	InstanceClass                   string
	StorageGiB                      int
	MaxStorageGiB                   *int
	IOPS, ThroughputMiBs            int
	KMSKeyARN                       string
	MultiAZ                         *bool
	BackupRetentionDays             *int
	BackupWindow, MaintenanceWindow string
	Port                            int
	Name, Username, Password        string
	PasswordVersion                 int
	Parameters                      map[string]string
	Extensions                      []string
	ReadReplicas                    int
	RestoreFrom, BackupPlan         string
	Allow                           allow.List
}

// In is a copy of the args that takes what its network leaves open from another one.
func (args DatabaseArgs) In(other network.Network) *DatabaseArgs {
	args.Network = args.Network.Or(other)
	return &args
}

// keeps tells whether the data outlives the instance.
func (args DatabaseArgs) keeps() bool { return args.Lifecycle != Disposable }

// leastBackupDays is the minimum for which backups are kept, and the default.
func (args DatabaseArgs) leastBackupDays() int {
	if args.keeps() {
		return durableBackupDays
	}
	return disposableBackupDays
}

// Complete fills in the defaults, and returns every mistake in the args. The network is another's until it was
// looked up, so no part of it is required here.
func (args *DatabaseArgs) Complete() problems.List {
	ps := args.Keys().Complete()
	if !ps.Has("lifecycle") {
		ps = slices.Concat(args.backupProblems(), ps, args.controlProblems())
	}
	return slices.Concat(
		args.storageProblems(), // says more than the key's own bounds
		ps,
		args.speedProblems(),
		args.windowProblems(ps),
		args.parameterProblems(),
		regionName.Required("region", args.Region),
		args.elsewhereProblems("kmsKeyArn", args.KMSKeyARN, "kms", "a key"),
		keys.Table{args.TopicKey()}.Problems().Under("alarms"),
		args.elsewhereProblems("alarms.topicArn", args.AlarmTopicARN, "sns", "a topic"),
	).FirstOfEach()
}

// elsewhereProblems want the ARN of a service's thing to be of the database's region.
func (args DatabaseArgs) elsewhereProblems(path, arn, service, thing string) problems.List {
	prefix := fmt.Sprintf("arn:%s:%s:%s:", partition(args.Region), service, args.Region)
	if arn == "" || strings.HasPrefix(arn, prefix) {
		return nil
	}
	return problems.List{{Path: path, Value: arn, Want: thing + " of the database's region, as " + prefix + "…"}}
}

// regionName is any region's: its certificates may be another authority's than those that the program has.
var regionName = constraint.Text{Pattern: `^[a-z]{2}(-[a-z]+)+-\d$`, Want: "an AWS region, as eu-west-1"}

// storageProblems hold the ceiling to the size that it has to be above.
func (args DatabaseArgs) storageProblems() problems.List {
	size, ceiling := args.StorageGiB, *args.MaxStorageGiB
	least := leastMaxStorage(size)
	if least > maxStorageGiB && size <= maxStorageGiB && ceiling != 0 {
		return problems.List{{
			Path: "maxStorageGiB", Value: strconv.Itoa(ceiling),
			Want: fmt.Sprintf("0: a volume of %d GiB has no room to grow by a tenth below %d", size, maxStorageGiB),
		}}
	}
	return constraint.Number{Min: least, Max: maxStorageGiB, OrZero: true}.Problems("maxStorageGiB", &ceiling)
}

// leastMaxStorage is the lowest ceiling that RDS accepts for a volume that is to grow.
func leastMaxStorage(storage int) int {
	return storage + (storage*storageGrowthPercentage+99)/100
}

// backupProblems want as many days as the lifecycle does.
func (args DatabaseArgs) backupProblems() problems.List {
	days := constraint.Number{Min: args.leastBackupDays(), Max: maxBackupDays}
	return where(days.Problems("backupRetentionDays", args.BackupRetentionDays), "lifecycle is %s", args.Lifecycle)
}

// where says what the wanted bounds depend on.
func where(ps problems.List, format string, value any) problems.List {
	for i := range ps {
		ps[i].Want += fmt.Sprintf(" where "+format, value)
	}
	return ps
}
