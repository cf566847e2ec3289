package database

import (
	"fmt"
	"strings"

	"threetier/internal/constraint"
	"threetier/internal/rdsca"
)

// MinPort is the lowest port of an Amazon RDS instance.
const MinPort = 1150

const (
	durableBackupDays       = 7 // the minimum that control RDS.11 accepts
	disposableBackupDays    = 1
	storageGrowthPercentage = 10 // RDS grows storage only where the ceiling is this much higher
)

// Constraints of sizes: the limits of Amazon RDS, of gp3 volumes where it is about storage.
var (
	StorageGiBConstraint    = constraint.Number{Default: 20, Min: 20, Max: 65536}
	MaxStorageGiBConstraint = constraint.Number{
		Min: leastMaxStorage(StorageGiBConstraint.Min), Max: StorageGiBConstraint.Max, OrZero: true,
		Words: fmt.Sprintf("%d%% more than storageGiB to %d, or 0", storageGrowthPercentage, StorageGiBConstraint.Max),
	}
	BackupRetentionDaysConstraint = constraint.Number{
		Min: disposableBackupDays, Max: 35, Words: "the default to 35",
	}
	PortConstraint            = constraint.Number{Default: 5432, Min: MinPort, Max: 65535}
	PasswordVersionConstraint = constraint.Number{Default: 1, Min: 1, Max: 1_000_000}
	ReadReplicasConstraint    = constraint.Number{Default: 0, Min: 0, Max: 15}
)

// Constraints of a volume's speed, for those of 400 GiB or more.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage
var (
	IOPSConstraint = constraint.Number{
		Min: stripedIOPS, Max: 64000,
		Words: fmt.Sprintf("%d to 64000, and at most %d per GiB of storageGiB, which is %d or more", stripedIOPS, mostIOPSPerGiB, stripedStorageGiB),
	}
	ThroughputMiBsConstraint = constraint.Number{
		Min: stripedThroughputMiB, Max: 4000,
		Words: fmt.Sprintf("%d to 4000, and at most a quarter of iops", stripedThroughputMiB),
	}
)

// Constraints of texts.
var (
	RegionConstraint = constraint.Text{
		OneOf: rdsca.Regions(),
		Want:  "one of " + strings.Join(rdsca.Regions(), ", "),
		Words: "a region whose RDS root certificates are part of the program",
	}
	LifecycleConstraint     = constraint.Text{OneOf: []string{string(Disposable), string(Durable), string(Retiring)}}
	EngineVersionConstraint = constraint.Text{
		Default: "17",
		OneOf:   EngineVersions,
		Want:    "a PostgreSQL major without a minor: " + strings.Join(EngineVersions, ", "),
		Numbers: constraint.Schema{"type": "integer"},
		Invalid: []string{"9", "17.4"},
	}
	InstanceClassConstraint = constraint.Text{
		Default: "db.t4g.micro",
		Pattern: classPattern,
		Want:    "an instance class of the families t, m, r or x in a size that it has, as db.t4g.micro or db.m7g.large",
		Words:   "an RDS instance class for PostgreSQL",
		Valid:   []string{"db.t3.micro", "db.t4g.2xlarge", "db.m7g.large", "db.m8gd.48xlarge", "db.r6i.32xlarge", "db.x2iedn.xlarge"},
		Invalid: []string{
			"t4g.micro", "db.m7g.micro", "db.t4g.4xlarge", "db.q9.large", "db.m7g", "db.serverless",
			// RDS has the families, but not in these sizes.
			"db.m5.48xlarge", "db.m5d.32xlarge", "db.m6g.24xlarge", "db.m7g.48xlarge", "db.r7g.32xlarge", "db.x2g.24xlarge", "db.m6i.48xlarge",
		},
	}
	NameConstraint = postgresName("app", reservedDatabases)
	// RDS takes 63 characters for PostgreSQL, though its API's reference says 16 of every engine.
	// https://github.com/floci-io/floci/issues/3729
	UsernameConstraint = postgresName("app_admin", reservedUsernames)
	PasswordConstraint = constraint.Text{
		Pattern: `^[!#-.0-?A-~]{8,128}$`, // from ! to ~, without ", / and @
		Want:    `8 to 128 printable ASCII characters without space, /, @ and "`,
		Secret:  true,
		Valid:   []string{"long-enough", strings.Repeat("x", 128)},
		Invalid: []string{"short", "with@at-sign", "with/slash", `with"quote`, "with space", "with-umlaut-ü", strings.Repeat("x", 129)},
	}
	// RDS's own have one prefix, those of AWS Backup another.
	// https://docs.aws.amazon.com/aws-backup/latest/devguide/recovery-points.html
	RestoreFromConstraint = constraint.Text{
		Pattern: `^((rds|awsbackup):)?[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*$|^arn:aws(-[a-z]+)*:rds:`,
		Want:    "a snapshot's identifier or ARN",
		Valid: []string{
			"shop-final-0a1b", "rds:shop-2026-01-01-00-00", "awsbackup:job-be59cf2a-2343-4402-bd8b-226993d23453",
			"awsbackup:copyjob-be59cf2a-2343-4402-bd8b-226993d23453", "arn:aws:rds:eu-west-1:123456789012:snapshot:shop",
			"arn:aws:rds:eu-west-1:123456789012:snapshot:awsbackup:job-be59cf2a-2343-4402-bd8b-226993d23453",
		},
		Invalid: []string{"my snapshot", "shop--final", "0shop", "backup:shop", "awsbackup:", "rds:awsbackup:job-1", "arn:aws:s3:::shop"},
	}
	MaintenanceWindowConstraint = constraint.Text{
		Pattern: "^" + dayPattern + ":" + timePattern + "-" + dayPattern + ":" + timePattern + "$",
		Want:    "a weekly window in UTC, as sun:03:00-sun:03:30",
		Words:   "a weekly window in UTC of 30 minutes or more",
		Valid:   []string{"sun:03:00-sun:03:30", "sun:23:30-mon:00:30", "wed:00:00-wed:23:59"},
		Invalid: []string{"sun:03:00", "Sun:03:00-Sun:03:30", "sun:24:00-mon:01:00", "03:00-03:30", "day:03:00-day:04:00"},
	}
	BackupWindowConstraint = constraint.Text{
		Pattern: "^" + timePattern + "-" + timePattern + "$",
		Want:    "a daily window in UTC, as 02:00-02:30",
		Words:   "a daily window in UTC of 30 minutes or more, outside of maintenanceWindow",
		Valid:   []string{"02:00-02:30", "23:45-00:15"},
		Invalid: []string{"2:00-2:30", "02:00-24:30", "02:00", "sun:02:00-sun:02:30"},
	}
	KMSKeyARNConstraint = constraint.Text{
		Pattern: `^arn:aws(-[a-z]+)*:kms:[a-z0-9-]+:\d{12}:key/([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$`,
		Want:    "the ARN of a KMS key, as arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
		Words:   "the ARN of a KMS key in the region of the database",
		Valid: []string{
			"arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
			"arn:aws:kms:eu-west-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef",
		},
		// An alias would be planned as a change, a replacement, in every run: RDS answers with the key.
		Invalid: []string{"alias/shop", "arn:aws:kms:eu-west-1:123456789012:alias/shop", "01234567-89ab-cdef-0123-456789abcdef"},
	}
	BackupPlanConstraint = constraint.Text{
		Pattern: `^[\p{L}\p{N} _.:/=+@-]{1,256}$`,
		Want:    "a tag's value: up to 256 letters, digits, spaces and _.:/=+-@",
		Except:  "^([aA][wW][sS]|[rR][dD][sS]):",
		Instead: "a value that doesn't start with aws: or rds:",
		Valid:   []string{"daily", "every day: 7/7", "täglich"},
		Invalid: []string{"daily!", "aws:daily", "rds:daily", strings.Repeat("d", 257)},
	}
	TopicARNConstraint = constraint.Text{
		Pattern: `^arn:aws(-[a-z]+)*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$`,
		Want:    "the ARN of an SNS topic, as arn:aws:sns:eu-west-1:123456789012:alerts",
		Words:   "the ARN of an SNS topic",
		Valid:   []string{"arn:aws:sns:eu-west-1:123456789012:alerts", "arn:aws:sns:eu-west-1:123456789012:a_b-C"},
		Invalid: []string{"alerts", "arn:aws:sqs:eu-west-1:123456789012:alerts", "arn:aws:sns:eu-west-1:12345:alerts"},
	}
)

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

// Constraints of maps. The problem of a name says more than that it is none of these.
var (
	ParametersConstraint = constraint.Map{
		Names: constraint.Text{
			OneOf: parameterNames(), Words: "settings that RDS allows in a parameter group",
			Invalid: []string{"work_memory", "fsync", forceSSL},
		},
		Values: constraint.Text{
			Except:  "^(true|false)$",
			Want:    "1 or 0, as RDS writes it",
			Words:   "numbers without units, 1 and 0 instead of true and false",
			Numbers: constraint.Schema{"type": "number"},
			Valid:   []string{"500", "on"},
			Invalid: []string{"true", "false"},
		},
		Groups: []constraint.Group{
			{Names: parameterNames("boolean"), Values: constraint.Text{
				OneOf: []string{"0", "1"}, Want: "1 or 0, as RDS writes it", Numbers: constraint.Schema{"type": "integer"}, Invalid: []string{"true", "on"},
			}},
			{Names: parameterNames("integer"), Values: constraint.Text{
				Pattern: `^-?\d+$|` + formulaPattern, Want: "a whole number without a unit, or a formula of RDS",
				Numbers: constraint.Schema{"type": "integer"},
				Valid:   []string{"-1", "8192", "{DBInstanceClassMemory/32768}", "LEAST({DBInstanceClassMemory/9531392},5000)"}, Invalid: []string{"4MB", "1.5", "on"},
			}},
			{Names: parameterNames("real"), Values: constraint.Text{
				Pattern: `^-?\d+(\.\d+)?$|` + formulaPattern, Want: "a number without a unit, or a formula of RDS",
				Numbers: constraint.Schema{"type": "number"},
				Valid:   []string{"-1", "0.25"}, Invalid: []string{"20ms", "half"},
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
				Valid:   []string{"pg_stat_statements", "pg_stat_statements, pg_cron"}, Invalid: []string{"timescaledb", "pg_cron pgaudit"},
			}},
		},
	}
	WaiveConstraint = constraint.Map{
		Names:  constraint.Text{OneOf: controlIDs(), Invalid: []string{"RDS.3", "RDS.99"}},
		Values: constraint.Text{Pattern: `\S`, Want: "a reason", Valid: []string{"one zone is enough"}, Invalid: []string{" "}},
	}
)

// postgresName constrains an identifier that is never quoted. RDS also refuses the names of PostgreSQL's own objects.
func postgresName(byDefault string, reserved []string) constraint.Text {
	return constraint.Text{
		Default: byDefault,
		Pattern: "^[A-Za-z][A-Za-z0-9_]{0,62}$",
		Want:    "1 to 63 letters, digits and _, a letter first",
		Except:  "^([pP][gG]_|" + constraint.AnyCase(reserved) + "$)",
		Instead: "a name that neither RDS nor the program reserves",
		Valid:   []string{"shop", "Shop_2", "pgapp", strings.Repeat("a", 63)},
		Invalid: []string{
			"my-app", "9lives", strings.Repeat("a", 64), "pg_app", reserved[0], strings.ToUpper(reserved[0]),
		},
	}
}

// Names that the program's own roles have, and those that RDS for PostgreSQL refuses: its own, and the words that SQL reserves.
var (
	reservedUsernames = strings.Fields(`
		threetier_a threetier_b threetier_migration threetier_owner threetier_read threetier_rows

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
