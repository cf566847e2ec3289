package database

import (
	"fmt"
	"strings"

	"threetier/internal/constraint"
	"threetier/internal/keys"
)

// Defaults that others read too.
const (
	DefaultEngineVersion = "17"
	DefaultInstanceClass = "db.t4g.micro"
	defaultPort          = 5432
)

// The limits of Amazon RDS, of gp3 volumes where it is about storage.
const (
	// MinPort is the lowest port of an Amazon RDS instance.
	MinPort                      = 1150
	minStorageGiB, maxStorageGiB = 20, 65536
	maxReplicas                  = 15
	maxIOPS, maxThroughputMiBs   = 64000, 4000
	durableBackupDays            = 7 // the minimum that control RDS.11 accepts
	disposableBackupDays         = 1
	maxBackupDays                = 35
	storageGrowthPercentage      = 10 // RDS grows storage only where the ceiling is this much higher
	defaultStorageGrowth         = 5  // maxStorageGiB's default, as a multiple of storageGiB
)

// Keys are the database's, below threetier:database.
func (args *DatabaseArgs) Keys() keys.Table {
	return append(append(args.sizeKeys(), args.accessKeys()...), args.dataKeys()...)
}

func (args *DatabaseArgs) sizeKeys() keys.Table {
	return keys.Table{
		keys.Text("lifecycle", &args.Lifecycle).OneOf(string(Disposable), string(Durable), string(Retiring)).Required().Example("durable").
			Doc("The protection of the data. disposable: the database is deleted with the stack. durable: it can't be deleted, and it meets every " +
				"Security Hub control that allow doesn't name. retiring: a durable database can now be deleted; a final snapshot stays."),
		keys.Text("engineVersion", &args.EngineVersion).Unquoted().OneOf(EngineVersions...).Numbers(keys.Schema{"type": "integer"}).
			Want("a PostgreSQL major without a minor: " + strings.Join(EngineVersions, ", ")).Default(DefaultEngineVersion).Example(`"17"`).
			Doc("Major version of PostgreSQL. RDS installs minor versions automatically."),
		keys.Text("instanceClass", &args.InstanceClass).
			Match(classPattern, "an instance class of the families t, m, r or x in a size that it has, as db.t4g.micro or db.m7g.large").
			Words("an RDS instance class for PostgreSQL").Default(DefaultInstanceClass).Example("db.m7g.large").
			Doc("Processors and memory of the instance."),
		keys.Number("storageGiB", &args.StorageGiB).Between(minStorageGiB, maxStorageGiB).Default(20).Example("100").
			Doc("Size of the gp3 volume, in GiB. A larger number grows the volume. A number below the current size does nothing."),
		keys.Number("maxStorageGiB", &args.MaxStorageGiB).Between(leastMaxStorage(minStorageGiB), maxStorageGiB).OrZero().
			Words(fmt.Sprintf("%d%% more than storageGiB to %d, or 0", storageGrowthPercentage, maxStorageGiB)).
			DefaultFrom(fmt.Sprintf("%d times storageGiB", defaultStorageGrowth), func() int { return min(args.StorageGiB*defaultStorageGrowth, maxStorageGiB) }).Example("500").
			Doc("Maximum size of automatic growth, in GiB. 0 switches off the growth."),
		keys.Number("iops", &args.IOPS).Between(stripedIOPS, maxIOPS).
			Words(fmt.Sprintf("%d to %d, and at most %d per GiB of storageGiB, which is %d or more", stripedIOPS, maxIOPS, mostIOPSPerGiB, stripedStorageGiB)).
			Otherwise("what RDS doesn't charge for").Example("16000").
			Doc("Operations per second of a volume of 400 GiB or more. RDS sets those of a smaller one."),
		keys.Number("throughputMiBs", &args.ThroughputMiBs).Between(stripedThroughputMiB, maxThroughputMiBs).
			Words(fmt.Sprintf("%d to %d, and at most a quarter of iops", stripedThroughputMiB, maxThroughputMiBs)).
			Otherwise("what RDS doesn't charge for").Example("1000").
			Doc("Throughput of a volume of 400 GiB or more, in MiB per second. RDS sets that of a smaller one."),
		// An alias would be planned as a change, a replacement, in every run: RDS answers with the key.
		keys.Text("kmsKeyArn", &args.KMSKeyARN).
			Match(`^arn:aws(-[a-z]+)*:kms:[a-z0-9-]+:\d{12}:key/([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$`,
				"the ARN of a KMS key, as arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef").
			Words("the ARN of a KMS key in the region of the database").Otherwise("the account's aws/rds key").
			Example("arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef").
			Doc("The key that encrypts the volume and its snapshots. A change replaces the instance."),
		keys.Flag("multiAz", &args.MultiAZ).DefaultFrom("false where disposable, else true", args.keeps).Example("true").
			Doc("Runs a standby in a second zone. RDS fails over to it automatically."),
		keys.Number("backupRetentionDays", &args.BackupRetentionDays).Between(disposableBackupDays, maxBackupDays).Words("the default to 35").
			DefaultFrom("1 where disposable, else 7", args.leastBackupDays).Example("14").
			Doc("Retention of automated backups, in days. Any point in this time can be restored."),
		keys.Text("backupWindow", &args.BackupWindow).Match("^"+timePattern+"-"+timePattern+"$", "a daily window in UTC, as 02:00-02:30").
			Words("a daily window in UTC of 30 minutes or more, outside of maintenanceWindow").Otherwise("chosen by RDS").Example("02:00-02:30").
			Doc("The time of the daily backup."),
		keys.Text("maintenanceWindow", &args.MaintenanceWindow).
			Match("^"+dayPattern+":"+timePattern+"-"+dayPattern+":"+timePattern+"$", "a weekly window in UTC, as sun:03:00-sun:03:30").
			Words("a weekly window in UTC of 30 minutes or more").Otherwise("chosen by RDS").Example("sun:03:00-sun:03:30").
			Doc("The time in which RDS may change and restart the instance and its read replicas."),
	}
}

func (args *DatabaseArgs) accessKeys() keys.Table {
	return keys.Table{
		keys.Number("port", &args.Port).Between(MinPort, 65535).Default(defaultPort).Example("5433").
			Doc("TCP port of the database."),
		keys.Text("name", &args.Name).Is(postgresName(reservedDatabases)).Default("app").Example("shop").
			Doc("Name of the database inside the instance. A change replaces the instance."),
		// RDS takes 63 characters for PostgreSQL, though its API's reference says 16 of every engine.
		// https://github.com/floci-io/floci/issues/3729
		keys.Text("username", &args.Username).Is(postgresName(reservedUsernames)).Default("app_admin").Example("shop_admin").
			Doc("User name of the administrator, which creates the database's roles. A change replaces the instance."),
		keys.Text("password", &args.Password).
			Match(`^[!#-.0-?A-~]{8,128}$`, `8 to 128 printable ASCII characters without space, /, @ and "`). // from ! to ~, without ", / and @
			Hidden().Otherwise("generated").Example("{secure: …}").
			Doc("Your own password of the administrator instead of the generated one."),
		passwordVersionKey(&args.PasswordVersion).Default(1).Example("2").
			Doc("Number of the generated passwords. The next number generates new ones, for every login."),
	}
}

func (args *DatabaseArgs) dataKeys() keys.Table {
	return keys.Table{
		keys.TextMap("parameters", &args.Parameters).ShownAs(parameterConstraint).Example(`{log_min_duration_statement: "500"}`).
			Doc("PostgreSQL settings. Static settings take effect at the next restart. rds.force_ssl is always 1. By default, " +
				"client_connection_check_interval and tcp_keepalives_* end the statements of a client that is gone, within 30 seconds; 0 leaves one of them to RDS."),
		extensionsKey(&args.Extensions),
		keys.Number("readReplicas", &args.ReadReplicas).Between(0, maxReplicas).Example("1").
			Doc("Number of read replicas. {readerHost} in databaseEnv is the first one."),
		// RDS's own have one prefix, those of AWS Backup another.
		// https://docs.aws.amazon.com/aws-backup/latest/devguide/recovery-points.html
		keys.Text("restoreFrom", &args.RestoreFrom).
			Match(`^((rds|awsbackup):)?[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$|^arn:aws(-[a-z]+)*:rds:`, "a snapshot's identifier or ARN").
			Otherwise("none").Example("threetier-prod-database-final-0a1b2c3d").
			Doc("Name of the snapshot that a new instance starts from. It has no effect on an existing instance."),
		keys.Text("backupPlan", &args.BackupPlan).
			Match(`^[\p{L}\p{N} _.:/=+@-]{1,256}$`, "a tag's value: up to 256 letters, digits, spaces and _.:/=+-@").
			Except("^([aA][wW][sS]|[rR][dD][sS]):", "a value that doesn't start with aws: or rds:").Otherwise("none").Example("daily").
			Doc("Value of the instance's tag " + BackupPlanTag + ". An AWS Backup plan of the account selects the instance by this tag."),
		args.Allow.Key(constraint.Text{OneOf: exceptions()}).
			Was("waive", "{ RDS.5: the reason }").Was("allowMajorVersionUpgrade", "{ upgrade to 18: the reason }").
			Example(`{RDS.5: "one zone is enough for dev"}`).
			Doc("Exceptions, each with the reason. RDS.5 and the like: a Security Hub control that this database doesn't need to meet. With RDS.8, the read replicas " +
				"of a durable database can be deleted; the database itself can't. upgrade to and a version: a changed engineVersion upgrades the instance, at once and not " +
				"in the maintenance window. An exception that nothing needs is refused: remove that of an upgrade afterwards."),
		keys.Object("network", args.Network.Keys()).
			Doc("The network of the database. All its keys are required with a kubeconfig."),
	}
}

func passwordVersionKey(into *int) *keys.NumberRow {
	return keys.Number("passwordVersion", into).Between(1, 1_000_000)
}

func extensionsKey(into *[]string) *keys.Key {
	return keys.Texts("extensions", into).Each(extension).Once("each extension once").Example("[pgcrypto, vector]").
		Doc("PostgreSQL extensions. The administrator creates them before the migration.")
}

// TopicKey is that of the database's alarms and events, below threetier:alarms.
func (args *DatabaseArgs) TopicKey() *keys.Key {
	return keys.Text("topicArn", &args.AlarmTopicARN).
		Match(`^arn:aws(-[a-z]+)*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$`, "the ARN of an SNS topic, as arn:aws:sns:eu-west-1:123456789012:alerts").
		Words("the ARN of an SNS topic").Otherwise("no alarms, no event subscriptions").Example("arn:aws:sns:eu-west-1:123456789012:alerts").
		Doc("The SNS topic that receives alarms and RDS events. With it, the stack also has a dashboard.")
}

// The parts of windows.
const timePattern = `([01]\d|2[0-3]):[0-5]\d`

var dayPattern = constraint.Either(weekdays)

// formulaPattern begins what RDS works out from the instance's size.
const formulaPattern = `^(GREATEST|LEAST|SUM)[(]|^\{`

// preloadLibraries are the values that DescribeDBParameters allows for shared_preload_libraries.
var (
	preloadLibraries = strings.Fields(`
		auto_explain orafce pgaudit pglogical pg_bigm pg_cron pg_hint_plan pg_prewarm pg_similarity pg_stat_statements pg_tle
		pg_transport plprofiler plrust
	`)
	preloadPattern = constraint.Either(preloadLibraries)
)

var (
	parameterConstraint = constraint.Map{
		Names: constraint.Text{OneOf: parameterNames(), Words: "settings that RDS allows in a parameter group"},
		Values: constraint.Text{
			Except:  "^(true|false)$",
			Want:    "1 or 0, as RDS writes it",
			Words:   "numbers without units, 1 and 0 instead of true and false",
			Numbers: keys.Schema{"type": "number"},
		},
		Groups: []constraint.Group{
			{Names: parameterNames("boolean"), Values: constraint.Text{
				OneOf: []string{"0", "1"}, Want: "1 or 0, as RDS writes it", Numbers: keys.Schema{"type": "integer"},
			}},
			{Names: parameterNames("integer"), Values: constraint.Text{
				Pattern: `^-?\d+$|` + formulaPattern, Want: "a whole number without a unit, or a formula of RDS", Numbers: keys.Schema{"type": "integer"},
			}},
			{Names: parameterNames("real"), Values: constraint.Text{
				Pattern: `^-?\d+(\.\d+)?$|` + formulaPattern, Want: "a number without a unit, or a formula of RDS", Numbers: keys.Schema{"type": "number"},
			}},
			// Whether the longer one ends in a colon depends on whom one asks.
			// https://github.com/DataDog/integrations-core/issues/21371
			{Names: []string{"log_line_prefix"}, Values: constraint.Text{
				OneOf: []string{"%t:%r:%u@%d:[%p]:", "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a", "%m:%r:%u@%d:[%p]:%l:%e:%s:%v:%x:%c:%q%a:"},
			}},
			{Names: []string{"pgaudit.role"}, Values: constraint.Text{OneOf: []string{"rds_pgaudit"}, Want: "rds_pgaudit"}},
			{Names: []string{"shared_preload_libraries"}, Values: constraint.Text{
				Pattern: "^" + preloadPattern + "( *, *" + preloadPattern + ")*$",
				Want:    "libraries that RDS preloads: " + strings.Join(preloadLibraries, ", "),
			}},
		},
	}
	extension = constraint.Text{
		OneOf: extensionNames, Want: "an extension of RDS for PostgreSQL, like pgcrypto or vector", Words: "extensions of RDS for PostgreSQL",
	}
)

// postgresName constrains an identifier that is never quoted. RDS also refuses the names of PostgreSQL's own objects.
func postgresName(reserved []string) constraint.Text {
	return constraint.Text{
		Pattern: "^[A-Za-z][A-Za-z0-9_]{0,62}$",
		Want:    "1 to 63 letters, digits and _, a letter first",
		Except:  "^([pP][gG]_|" + constraint.AnyCase(reserved) + "$)",
		Instead: "a name that neither RDS nor the program reserves",
	}
}

// Names that the program's own roles have, and those that RDS for PostgreSQL refuses: its own, and the words that SQL reserves.
var (
	reservedUsernames = strings.Fields(`
		threetier_a threetier_b threetier_migration threetier_owner threetier_owner_a threetier_owner_b threetier_previews threetier_read threetier_rows

		admin administrator public rds_iam rds_password rds_replication rds_superuser rdsadmin rdsrepladmin rdstopmgr root

		all analyse analyze and any array as asc asymmetric authorization both case cast check collate column constraint
		create current_catalog current_date current_role current_time current_timestamp current_user default deferrable
		desc distinct do else end except false fetch for foreign from grant group having in initially intersect into
		lateral leading limit localtime localtimestamp not null offset on only or order placing primary references
		returning select session_user some symmetric system_user table then to trailing true union unique user using
		variadic when where window with
	`)
	// DBName is held to the same words: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
	reservedDatabases = append([]string{"db", "postgres", "rdsadmin", "template0", "template1"}, reservedUsernames...)
)
