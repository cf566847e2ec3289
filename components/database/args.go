package database

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

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

// Defaults of DatabaseArgs.
const (
	DefaultLifecycle       = Disposable
	DefaultEngineVersion   = "17"
	DefaultInstanceClass   = "db.t4g.micro"
	DefaultStorageGiB      = 20
	DefaultStorageGrowth   = 5 // maxStorageGiB's default, as a multiple of storageGiB
	DefaultPort            = 5432
	DefaultDatabaseName    = "app"
	DefaultUsername        = "app_admin"
	DefaultPasswordVersion = 1
)

// BackupPlanTag is the tag that AWS Backup plans are to select databases by.
const BackupPlanTag = "backup-plan"

// Limits of Amazon RDS.
const (
	MinStorageGiB           = 20    // of gp3 volumes
	MaxStorageGiB           = 65536 // of gp3 volumes
	MinPort                 = 1150
	MaxPort                 = 65535
	MaxReadReplicas         = 15
	MaxBackupRetentionDays  = 35
	durableBackupDays       = 7 // the least that control RDS.11 accepts
	disposableBackupDays    = 1
	minPassword             = 8
	maxPassword             = 128
	maxPostgresName         = 63
	storageGrowthPercentage = 10 // RDS grows storage only where the ceiling is this much higher
)

// EngineVersions are the PostgreSQL majors that the program knows the parameters of.
var EngineVersions = []string{"14", "15", "16", "17", "18"}

// DatabaseArgs describe the database. The zero value of each optional field means its default.
type DatabaseArgs struct {
	// Region is the AWS region, whose certificates clients verify the instance with. Required.
	Region string
	// Network is where the instance lives and who may reach it. Required.
	Network network.Network
	// Lifecycle is disposable, durable or retiring. Default: disposable.
	Lifecycle Lifecycle
	// EngineVersion is the PostgreSQL major; AWS installs minors by itself. Default: "17".
	EngineVersion string
	// AllowMajorVersionUpgrade lets a changed EngineVersion upgrade the instance, at once. Default: false.
	AllowMajorVersionUpgrade bool
	// InstanceClass is the size of the machine. Default: db.t4g.micro.
	InstanceClass string
	// StorageGiB is the size of the gp3 volume at creation, in GiB. Default: 20.
	StorageGiB *int
	// MaxStorageGiB is how far the volume may grow by itself, in GiB; 0: not at all. Default: 5 times StorageGiB.
	MaxStorageGiB *int
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
	// Parameters are PostgreSQL settings by name. Default: none but rds.force_ssl=1.
	Parameters map[string]string
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

// withDefaults is a copy of the args with every optional field set.
func (args DatabaseArgs) withDefaults() DatabaseArgs {
	args.Lifecycle = cmp.Or(args.Lifecycle, DefaultLifecycle)
	args.EngineVersion = cmp.Or(args.EngineVersion, DefaultEngineVersion)
	args.InstanceClass = cmp.Or(args.InstanceClass, DefaultInstanceClass)
	args.StorageGiB = optional.Or(args.StorageGiB, DefaultStorageGiB)
	args.MaxStorageGiB = optional.Or(args.MaxStorageGiB, min(*args.StorageGiB*DefaultStorageGrowth, MaxStorageGiB))
	args.MultiAZ = optional.Or(args.MultiAZ, args.keeps())
	args.BackupRetentionDays = optional.Or(args.BackupRetentionDays, args.leastBackupDays())
	args.Port = optional.Or(args.Port, DefaultPort)
	args.Name = cmp.Or(args.Name, DefaultDatabaseName)
	args.Username = cmp.Or(args.Username, DefaultUsername)
	args.PasswordVersion = optional.Or(args.PasswordVersion, DefaultPasswordVersion)
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
		args.nameProblems(),
		args.passwordProblems(),
		args.lifecycleProblems(),
		args.parameterProblems(),
		args.controlProblems(),
	)
	if !regionName.MatchString(args.Region) {
		ps = append(ps, problems.Problem{Path: "region", Value: args.Region, Want: "an AWS region, as eu-west-1"})
	}
	if args.AlarmTopicARN != "" && !topicARN.MatchString(args.AlarmTopicARN) {
		ps = append(ps, problems.Problem{
			Path: "alarms.topicArn", Value: args.AlarmTopicARN, Want: "the ARN of an SNS topic, as arn:aws:sns:eu-west-1:123456789012:alerts",
		})
	}
	return ps.FirstOfEach()
}

var (
	regionName   = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d$`)
	topicARN     = regexp.MustCompile(`^arn:aws(-[a-z]+)*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$`)
	postgresName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	tagValue     = regexp.MustCompile(`^[\p{L}\p{N} _.:/=+@-]{1,256}$`)
	snapshotName = regexp.MustCompile(`^(rds:)?[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$|^arn:aws(-[a-z]+)*:rds:`)
)

func (args DatabaseArgs) sizeProblems() problems.List {
	var ps problems.List
	size := func(path string, value, low, high int) {
		if value < low || value > high {
			ps = append(ps, problems.Problem{Path: path, Value: fmt.Sprint(value), Want: fmt.Sprintf("%d to %d", low, high)})
		}
	}
	size("storageGiB", *args.StorageGiB, MinStorageGiB, MaxStorageGiB)
	if *args.MaxStorageGiB != 0 {
		size("maxStorageGiB", *args.MaxStorageGiB, leastMaxStorage(*args.StorageGiB), MaxStorageGiB)
	}
	size("port", *args.Port, MinPort, MaxPort)
	size("readReplicas", args.ReadReplicas, 0, MaxReadReplicas)
	size("passwordVersion", *args.PasswordVersion, 1, 1_000_000)
	if _, err := classMemory(args.InstanceClass); err != nil {
		ps = append(ps, problems.Problem{Path: "instanceClass", Value: args.InstanceClass, Want: err.Error()})
	}
	if !slices.Contains(EngineVersions, args.EngineVersion) {
		ps = append(ps, problems.Problem{
			Path: "engineVersion", Value: fmt.Sprintf("%q", args.EngineVersion),
			Want: "a PostgreSQL major without a minor: " + strings.Join(EngineVersions, ", "),
		})
	}
	return ps
}

// leastMaxStorage is the lowest ceiling that RDS accepts for a volume that is to grow.
func leastMaxStorage(storage int) int {
	return storage + (storage*storageGrowthPercentage+99)/100
}

// Names that RDS for PostgreSQL refuses: its own, and the words that SQL reserves.
var (
	reservedUsernames = strings.Fields(`
		admin administrator public rds_iam rds_password rds_replication rds_superuser rdsadmin rdsrepladmin rdstopmgr root

		all analyse analyze and any array as asc asymmetric authorization both case cast check collate column constraint
		create current_catalog current_date current_role current_time current_timestamp current_user default deferrable
		desc distinct do else end except false fetch for foreign from grant group having in initially intersect into
		lateral leading limit localtime localtimestamp not null offset on only or order placing primary references
		returning select session_user some symmetric system_user table then to trailing true union unique user using
		variadic when where window with
	`)
	reservedDatabases = []string{"db", "postgres", "rdsadmin", "template0", "template1"}
)

func (args DatabaseArgs) nameProblems() problems.List {
	var ps problems.List
	name := func(path, value string, reserved []string) {
		lower := strings.ToLower(value)
		switch {
		case !postgresName.MatchString(value) || len(value) > maxPostgresName:
			ps = append(ps, problems.Problem{
				Path: path, Value: fmt.Sprintf("%q", value),
				Want: fmt.Sprintf("1 to %d letters, digits and _, a letter first", maxPostgresName),
			})
		case slices.Contains(reserved, lower) || strings.HasPrefix(lower, "pg_"):
			ps = append(ps, problems.Problem{Path: path, Value: value, Want: "a name that RDS doesn't keep for itself"})
		}
	}
	name("name", args.Name, reservedDatabases)
	name("username", args.Username, reservedUsernames)
	if args.BackupPlan != "" && !tagValue.MatchString(args.BackupPlan) {
		ps = append(ps, problems.Problem{
			Path: "backupPlan", Value: fmt.Sprintf("%q", args.BackupPlan), Want: "a tag's value: up to 256 letters, digits, spaces and _.:/=+-@",
		})
	}
	if args.RestoreFrom != "" && !snapshotName.MatchString(args.RestoreFrom) {
		ps = append(ps, problems.Problem{
			Path: "restoreFrom", Value: fmt.Sprintf("%q", args.RestoreFrom), Want: "a snapshot's identifier or ARN",
		})
	}
	return ps
}

// passwordProblems never show the password.
func (args DatabaseArgs) passwordProblems() problems.List {
	if args.Password == "" {
		return nil
	}
	var ps problems.List
	unfit := strings.ContainsFunc(args.Password, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`/"@`, r)
	})
	if length := len(args.Password); unfit || length < minPassword || length > maxPassword {
		ps = append(ps, problems.Problem{
			Path: "password", Value: "[secret]",
			Want: fmt.Sprintf(`%d to %d printable ASCII characters without space, /, @ and "`, minPassword, maxPassword),
		})
	}
	if *args.PasswordVersion != DefaultPasswordVersion {
		ps = append(ps, problems.Problem{
			Path: "passwordVersion", Value: fmt.Sprint(*args.PasswordVersion),
			Want: "none beside password: it rotates a generated one",
		})
	}
	return ps
}

func (args DatabaseArgs) lifecycleProblems() problems.List {
	switch args.Lifecycle {
	case Disposable, Durable, Retiring:
	default:
		return problems.List{{Path: "lifecycle", Value: string(args.Lifecycle), Want: "disposable, durable or retiring"}}
	}
	low := args.leastBackupDays()
	if days := *args.BackupRetentionDays; days < low || days > MaxBackupRetentionDays {
		return problems.List{{
			Path: "backupRetentionDays", Value: fmt.Sprint(days),
			Want: fmt.Sprintf("%d to %d where lifecycle is %s", low, MaxBackupRetentionDays, args.Lifecycle),
		}}
	}
	return nil
}
