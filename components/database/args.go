package database

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"threetier/internal/constraint"
	"threetier/internal/network"
	"threetier/internal/optional"
	"threetier/internal/problems"
)

// Lifecycle is how a database ends: all that protects its data follows from this one word.
type Lifecycle string

const (
	// Disposable databases go with their stack: no protection, no final snapshot, backups of a day.
	Disposable Lifecycle = "disposable"
	// Durable databases can't be deleted; backups of a week or more outlive them.
	Durable Lifecycle = "durable"
	// Retiring databases are durable ones about to be deleted: unprotected, but with a final snapshot and their backups kept.
	Retiring Lifecycle = "retiring"
)

// DefaultStorageGrowth is maxStorageGiB's default, as a multiple of storageGiB.
const DefaultStorageGrowth = 5

// BackupPlanTag is the tag that AWS Backup plans are to select databases by.
const BackupPlanTag = "backup-plan"

// EngineVersions are the PostgreSQL majors that the program knows the parameters of.
var EngineVersions = []string{"14", "15", "16", "17", "18"}

// DatabaseArgs describe the database. The zero value of each optional field means its default.
type DatabaseArgs struct {
	// Region is the AWS region, whose certificates clients verify the instance with. Required.
	Region string
	// Network is where the instance lives and who may reach it. Required.
	Network network.Network
	// Lifecycle is disposable, durable or retiring. Required: no default is right for data that nobody has thought of.
	Lifecycle Lifecycle
	// EngineVersion is the PostgreSQL major; AWS installs minors by itself. Default: "17".
	EngineVersion string
	// AllowMajorVersionUpgrade lets a changed EngineVersion upgrade the instance, at once. Refused where there is nothing to
	// upgrade. Default: false.
	AllowMajorVersionUpgrade bool
	// InstanceClass is the size of the machine. Default: db.t4g.micro.
	InstanceClass string
	// StorageGiB is the least size of the gp3 volume, in GiB; a volume never shrinks. Default: 20.
	StorageGiB *int
	// MaxStorageGiB is how far the volume may grow by itself, in GiB; 0: not at all. Default: 5 times StorageGiB.
	MaxStorageGiB *int
	// IOPS and ThroughputMiBs are the speed of a volume of 400 GiB or more. Default: what RDS gives it without a price.
	IOPS, ThroughputMiBs *int
	// KMSKeyARN is the key that encrypts volume and snapshots; another one replaces the instance. Default: aws/rds.
	KMSKeyARN string
	// MaintenanceWindow is when RDS may change and restart the instance and its replicas, weekly, in UTC. Default: RDS's choice.
	MaintenanceWindow string
	// BackupWindow is when RDS takes its daily backup, in UTC. Default: RDS's choice.
	BackupWindow string
	// MultiAZ keeps a standby in a second zone. Default: true where Lifecycle isn't disposable.
	MultiAZ *bool
	// BackupRetentionDays is how long automated backups are kept. Default: 1 where disposable, else 7.
	BackupRetentionDays *int
	// Port is the TCP port. Default: 5432.
	Port *int
	// Name is the database inside the instance. Default: app.
	Name string
	// Username is the administrator. Default: app_admin.
	Username string
	// Password is the administrator's password, always kept as a secret. Default: generated.
	Password string
	// PasswordVersion names the generated password: raising it generates another. Default: 1.
	PasswordVersion *int
	// Parameters are PostgreSQL settings by name. Default: rds.force_ssl=1, and what finds clients that are gone.
	Parameters map[string]string
	// Extensions are PostgreSQL's, created before the migration. Default: none.
	Extensions []string
	// ReadReplicas is how many read-only copies run beside the instance. Default: 0.
	ReadReplicas int
	// RestoreFrom is the snapshot to create the instance from; without effect once it exists. Default: none.
	RestoreFrom string
	// BackupPlan is the value of the instance's tag "backup-plan", by which an AWS Backup plan of the account selects
	// what it backs up. Default: none.
	BackupPlan string
	// Waive are Security Hub controls that this database does without, with the reason. Default: none.
	Waive map[string]string
	// AlarmTopicARN is the SNS topic for alarms and events. Default: none, so no alarms and no events.
	AlarmTopicARN string
}

// In is a copy of the args that takes what its network leaves open from another one.
func (args DatabaseArgs) In(other network.Network) *DatabaseArgs {
	args.Network = args.Network.Or(other)
	return &args
}

// withDefaults is a copy of the args with every optional field set.
func (args DatabaseArgs) withDefaults() DatabaseArgs {
	args.EngineVersion = cmp.Or(args.EngineVersion, EngineVersionConstraint.Default)
	args.InstanceClass = cmp.Or(args.InstanceClass, InstanceClassConstraint.Default)
	args.StorageGiB = optional.Or(args.StorageGiB, StorageGiBConstraint.Default)
	args.MaxStorageGiB = optional.Or(args.MaxStorageGiB, min(*args.StorageGiB*DefaultStorageGrowth, MaxStorageGiBConstraint.Max))
	args.MultiAZ = optional.Or(args.MultiAZ, args.keeps())
	args.BackupRetentionDays = optional.Or(args.BackupRetentionDays, args.leastBackupDays())
	args.Port = optional.Or(args.Port, PortConstraint.Default)
	args.Name = cmp.Or(args.Name, NameConstraint.Default)
	args.Username = cmp.Or(args.Username, UsernameConstraint.Default)
	args.PasswordVersion = optional.Or(args.PasswordVersion, PasswordVersionConstraint.Default)
	return args
}

// keeps tells whether the data outlives the instance.
func (args DatabaseArgs) keeps() bool { return args.Lifecycle != Disposable }

// leastBackupDays is how long backups are kept at the least, and unless more is asked for.
func (args DatabaseArgs) leastBackupDays() int {
	if args.keeps() {
		return durableBackupDays
	}
	return disposableBackupDays
}

func (args DatabaseArgs) waived(control string) bool {
	_, waived := args.Waive[control]
	return waived
}

// Problems are all that is wrong with the args, but for the network: it may only be known when the cluster was looked up.
func (args DatabaseArgs) Problems() problems.List {
	args = args.withDefaults()
	ps := slices.Concat(
		args.sizeProblems(),
		args.speedProblems(),
		args.keyProblems(),
		args.windowProblems(),
		args.nameProblems(),
		args.passwordProblems(),
		args.lifecycleProblems(),
		args.parameterProblems(),
		args.controlProblems(),
	)
	ps = append(ps, regionName.Required("region", args.Region)...)
	ps = append(ps, args.topicProblems()...)
	return ps.FirstOfEach()
}

// topicProblems want the topic where the database is: alarms and event subscriptions reach no other region.
func (args DatabaseArgs) topicProblems() problems.List {
	ps := TopicARNConstraint.Problems("alarms.topicArn", args.AlarmTopicARN)
	return append(ps, args.elsewhereProblems("alarms.topicArn", args.AlarmTopicARN, "sns", "a topic")...).FirstOfEach()
}

// elsewhereProblems want the ARN of a service's thing to be of the database's region.
func (args DatabaseArgs) elsewhereProblems(path, arn, service, thing string) problems.List {
	prefix := fmt.Sprintf("arn:%s:%s:%s:", partition(args.Region), service, args.Region)
	if arn == "" || strings.HasPrefix(arn, prefix) {
		return nil
	}
	return problems.List{{Path: path, Value: arn, Want: thing + " of the database's region, as " + prefix + "…"}}
}

// regionName is any region's: its certificates may be another authority's than those of RegionConstraint.
var regionName = constraint.Text{Pattern: `^[a-z]{2}(-[a-z]+)+-\d$`, Want: "an AWS region, as eu-west-1"}

func (args DatabaseArgs) sizeProblems() problems.List {
	ps := slices.Concat(
		StorageGiBConstraint.Problems("storageGiB", args.StorageGiB),
		args.maxStorageProblems(),
		PortConstraint.Problems("port", args.Port),
		ReadReplicasConstraint.Problems("readReplicas", &args.ReadReplicas),
		PasswordVersionConstraint.Problems("passwordVersion", args.PasswordVersion),
	)
	ps = append(ps, InstanceClassConstraint.Problems("instanceClass", args.InstanceClass)...)
	return append(ps, EngineVersionConstraint.Problems("engineVersion", args.EngineVersion)...)
}

// maxStorageProblems hold the ceiling to the size that it has to be above.
func (args DatabaseArgs) maxStorageProblems() problems.List {
	ceiling := MaxStorageGiBConstraint
	ceiling.Min = leastMaxStorage(*args.StorageGiB)
	if size := *args.StorageGiB; ceiling.Min > ceiling.Max && size <= StorageGiBConstraint.Max && *args.MaxStorageGiB != 0 {
		return problems.List{{
			Path: "maxStorageGiB", Value: fmt.Sprint(*args.MaxStorageGiB),
			Want: fmt.Sprintf("0: a volume of %d GiB has no room to grow by a tenth below %d", size, ceiling.Max),
		}}
	}
	return ceiling.Problems("maxStorageGiB", args.MaxStorageGiB)
}

// leastMaxStorage is the lowest ceiling that RDS accepts for a volume that is to grow.
func leastMaxStorage(storage int) int {
	return storage + (storage*storageGrowthPercentage+99)/100
}

func (args DatabaseArgs) nameProblems() problems.List {
	return slices.Concat(
		NameConstraint.Problems("name", args.Name),
		UsernameConstraint.Problems("username", args.Username),
		BackupPlanConstraint.Problems("backupPlan", args.BackupPlan),
		RestoreFromConstraint.Problems("restoreFrom", args.RestoreFrom),
		ExtensionsConstraint.Problems("extensions", args.Extensions),
	)
}

// passwordProblems never show the password.
func (args DatabaseArgs) passwordProblems() problems.List {
	if args.Password == "" {
		return nil
	}
	return PasswordConstraint.Problems("password", args.Password)
}

func (args DatabaseArgs) lifecycleProblems() problems.List {
	if ps := LifecycleConstraint.Required("lifecycle", string(args.Lifecycle)); len(ps) > 0 {
		return ps
	}
	days := BackupRetentionDaysConstraint
	days.Min = args.leastBackupDays()
	return where(days.Problems("backupRetentionDays", args.BackupRetentionDays), "lifecycle is %s", args.Lifecycle)
}

// where says what the wanted bounds depend on.
func where(ps problems.List, format string, value any) problems.List {
	for i := range ps {
		ps[i].Want += fmt.Sprintf(" where "+format, value)
	}
	return ps
}
