package app

import (
	"fmt"
	"slices"
	"strings"

	"threetier/components/app/logins"
	"threetier/components/app/pods"
	"threetier/internal/constraint"
)

// NamespaceConstraint is what Kubernetes accepts as the name of a namespace.
var NamespaceConstraint = constraint.Text{
	Pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
	Want:    "1 to 63 lowercase letters, digits and -, not at an end",
	Words:   "1 to 63 lowercase letters, digits and -",
	Valid:   []string{"shop", "0", "shop-2", strings.Repeat("a", 63)},
	Invalid: []string{"Shop", "-shop", "shop-", "my_shop", strings.Repeat("a", 64)},
}

// Constraints of every workload. The defaults of port, health path and resources are those of each component.
var (
	WorkloadPortConstraint    = constraint.Number{Min: 1, Max: 65535}
	FormerPortConstraint      = constraint.Number{Min: 1, Max: 65535}
	RunAsUserConstraint       = constraint.Number{Default: pods.DefaultRunAsUser, Min: 1, Max: 1<<31 - 1}
	MinReadySecondsConstraint = constraint.Number{Default: DefaultMinReadySeconds, Min: 0, Max: pods.DefaultRolloutSeconds / 3}
	URLPathConstraint         = constraint.Text{
		Pattern: `^/[A-Za-z0-9._~/%-]*(\?[A-Za-z0-9._~/%&=-]*)?$`,
		Want:    "a path that starts with /",
		Valid:   []string{"/", "/healthz", "/health?full=1"},
		Invalid: []string{"healthz", "live z", "/live z"},
	}
	WritablePathsConstraint = constraint.List{
		Once: "each directory once",
		Items: constraint.Text{
			Pattern: `^(/([^/.]|\.[^/.]|\.\.[^/])[^/]*)+$`, // no segment is empty, . or ..
			Want:    "an absolute directory below /, without a trailing slash",
			Words:   "absolute directories below /",
			Except:  "^" + constraint.Either(parents(logins.CADir)) + "$",
			Instead: "a directory that doesn't hold " + logins.CAFile,
			Valid:   []string{"/tmp", "/var/cache/.app", "/etc/databases", "/..."},
			Invalid: []string{"cache", "/", "/a/", "/a//b", "/a/../b", "/.", "/etc", "/etc/database"},
		},
	}
)

// Constraints of the backend's own keys.
var (
	// A command whose first word is empty is refused too.
	MigrateConstraint           = constraint.List{Min: 1, Want: "a command, like [alembic, upgrade, head]"}
	ConnectionsPerPodConstraint = constraint.Number{Default: DefaultConnectionsPerPod, Min: 1, Max: 1000}
	// A day at most: what takes longer is no part of a rollout.
	MigrateSecondsConstraint = constraint.Number{Default: DefaultMigrateSeconds, Min: 1, Max: 86400}
	ReasonConstraint         = constraint.Text{Pattern: `\S`, Want: "a reason", Valid: []string{"it fails on the newer schema"}, Invalid: []string{" "}}
	DatabaseEnvConstraint    = constraint.Map{
		Names: pods.EnvNames,
		Values: constraint.Text{
			Pattern: `^([^{}]|\{` + constraint.Either(databaseParts) + `\})*$`,
			Want:    "the parts {" + strings.Join(databaseParts, "}, {") + "}",
			Valid:   []string{"verify-full", "{host}:{port}"},
			Invalid: []string{"x{pasword}", "{host", "{{host}}", "}"},
		},
	}
)

// Constraints of workers and jobs. Their names are parts of labels and of other names, which have at most 63 characters.
var (
	ProcessesConstraint = constraint.Map{
		Names: constraint.Text{
			Pattern: "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$",
			Want:    "names of 1 to 40 lowercase letters, digits and -, not at an end",
			Valid:   []string{"mailer", "2nd-try", strings.Repeat("a", 40)},
			Invalid: []string{"Mailer", "-x", "x-", "a_b", strings.Repeat("a", 41)},
		},
		Sample: map[string]any{"command": []string{"work"}},
	}
	CommandConstraint       = constraint.List{Min: 1, Want: "a command, like [python3, -m, app.worker]"}
	HealthCommandConstraint = constraint.List{Min: 1, Want: "a command, like [python3, -m, app.worker, --check]"}
	StopSecondsConstraint   = constraint.Number{Default: DefaultStopSeconds, Min: 1, Max: pods.MaxTimeoutSeconds}
	ScheduleConstraint      = constraint.Text{
		Pattern: fmt.Sprintf("^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|%s)$", strings.Join([]string{
			cronField("([0-5]?[0-9])"), cronField("([01]?[0-9]|2[0-3])"), cronField("(0?[1-9]|[12][0-9]|3[01])"),
			cronField("(0?[1-9]|1[0-2]|" + constraint.AnyCase(months) + ")"), cronField("(0?[0-6]|" + constraint.AnyCase(weekdays) + ")"),
		}, " +")),
		Want:    `a cron expression of five fields, like "0 3 * * *", or @daily`,
		Valid:   []string{"0 3 * * *", "*/15 8-18 * * mon-FRI", "5,35 0 1 JAN,jul *", "@hourly"},
		Invalid: []string{"0 3 * *", "60 * * * *", "0 24 * * *", "* * * * 7", "*/0 * * * *", "@reboot", "TZ=UTC 0 3 * * *", "nightly"},
	}
	// Local would be the controller's own, which nobody knows.
	TimeZoneConstraint = constraint.Text{
		Default: DefaultTimeZone,
		Pattern: "^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
		Except:  "^Local$",
		Want:    "an IANA time zone, like Europe/Berlin",
		Valid:   []string{"Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "UTC"},
		Invalid: []string{"Local", "Europe/Berlin ", "europe/berlin", "+02:00", "Europe/"},
	}
	// A week at most.
	JobTimeoutSecondsConstraint = constraint.Number{Default: DefaultJobTimeoutSeconds, Min: 1, Max: 7 * 86400}
	RetriesConstraint           = constraint.Number{Default: DefaultRetries, Min: 0, Max: 10}

	months   = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

// cronField is the pattern of one field of a cron expression: a list of values, ranges and steps.
func cronField(value string) string {
	item := `(\*|` + value + "(-" + value + ")?)(/[1-9][0-9]?)?"
	return item + "(," + item + ")*"
}

// Constraints of the ways out. That a network is one, and none of the metadata services, takes more than a pattern.
var (
	EgressToConstraint         = egressTo("internet or a network, like 10.20.0.0/16", ToInternet)
	FrontendEgressToConstraint = egressTo("internet, backend or a network, like 10.20.0.0/16", ToInternet, ToBackend)
	EgressPortsConstraint      = constraint.Numbers{
		Items: constraint.Number{Min: 1, Max: 65535}, Max: maxEgressPorts,
		Want: fmt.Sprintf("1 to %d ports", maxEgressPorts),
	}
)

// Constraints of the backend's role.
var (
	PermissionActionsConstraint = constraint.List{
		Min: 1, Want: "at least one action, like s3:GetObject", Once: "each action once",
		Items: permissionAction,
	}
	PermissionResourcesConstraint = constraint.List{
		Min: 1, Want: "at least one ARN, or *", Once: "each resource once",
		Items: constraint.Text{
			Pattern: `^(\*|arn:[a-z*-]+:[a-z0-9-]+:[a-z0-9*-]*:[0-9*]*:[^ ]+)$`,
			Want:    "an ARN, like arn:aws:s3:::acme-uploads/*, or *",
			Words:   "ARNs, or *",
			Valid:   []string{"*", "arn:aws:s3:::acme-uploads/*", "arn:aws:sqs:eu-west-1:123456789012:jobs"},
			Invalid: []string{"acme-uploads", "arn:aws:s3", "arn:aws:s3:::", "arn:aws:s3:::a b"},
		},
	}
	PermissionWaiveConstraint     = constraint.Map{Names: permissionAction}
	PermissionsBoundaryConstraint = constraint.Text{
		Pattern: "^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+$",
		Want:    "the ARN of a managed policy",
		Valid:   []string{"arn:aws:iam::123456789012:policy/apps", "arn:aws:iam::aws:policy/ReadOnlyAccess"},
		Invalid: []string{"apps", "arn:aws:iam::123456789012:role/apps", "arn:aws:iam::123456789012:policy/"},
	}

	permissionAction = constraint.Text{
		Pattern: `^(\*|[a-z0-9-]+:[A-Za-z0-9*?]+)$`,
		Want:    "an action, like s3:GetObject",
		Words:   "IAM actions",
		Valid:   []string{"s3:GetObject", "ses:SendEmail", "s3:Get*", "execute-api:Invoke"},
		Invalid: []string{"GetObject", "s3:", "s3:Get Object", "S3 GetObject"},
	}
)

func egressTo(want string, words ...string) constraint.Text {
	const octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
	return constraint.Text{
		Pattern: `^(` + strings.Join(words, "|") + `|(` + octet + `\.){3}` + octet + `/([0-9]|[12][0-9]|3[0-2])` +
			`|[0-9a-f:]*::?[0-9a-f:]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$`,
		Want:    want,
		Valid:   append([]string{"10.20.0.0/16", "203.0.113.7/32", "0.0.0.0/0", "2600:9000::/28"}, words...),
		Invalid: []string{"Internet", "10.20.0.1", "10.0.0.0/33", "256.0.0.0/8", "example.org", "::/129"},
	}
}

// parents are a directory and all that hold it, but for the root.
func parents(dir string) []string {
	var all []string
	for ; dir != ""; dir = dir[:strings.LastIndex(dir, "/")] {
		all = append(all, dir)
	}
	slices.Reverse(all)
	return all
}
