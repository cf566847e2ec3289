package app

import (
	"fmt"
	"slices"
	"strings"

	"threetier/internal/constraint"
)

// What keeps a typo from looking like a wish.
const (
	// MaxReplicas bounds replicas.max.
	MaxReplicas = 200
	// maxTimeoutSeconds bounds a request: a pod that stops waits for the longest one.
	maxTimeoutSeconds = 3600
	// maxBodyMebibytes bounds a request's body: it is kept on disk while it comes in.
	maxBodyMebibytes = 1024
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
	ImageConstraint = constraint.Text{
		Pattern: "^[a-z0-9][a-zA-Z0-9._:/-]*(@sha256:[0-9a-f]{64})?$",
		Want:    "an image, like registry/name@sha256:…",
		Words:   "a container image",
		Valid:   []string{"x", "ghcr.io/acme/app:1.0.0", "ghcr.io/acme/app@sha256:" + strings.Repeat("0a", 32)},
		Invalid: []string{"a b", "Not An Image", "x@sha256:0a"},
	}
	WorkloadPortConstraint   = constraint.Number{Min: 1, Max: 65535}
	RunAsUserConstraint      = constraint.Number{Default: DefaultRunAsUser, Min: 1, Max: 1<<31 - 1}
	RolloutSecondsConstraint = constraint.Number{
		Default: DefaultRolloutSeconds,
		Min:     20, // leaves Kubernetes time to notice a failed rollout before Pulumi stops waiting
		Max:     maxTimeoutSeconds,
	}
	MinReadySecondsConstraint = constraint.Number{Default: DefaultMinReadySeconds, Min: 0, Max: DefaultRolloutSeconds / 3}
	MinReplicasConstraint     = constraint.Number{Min: 1, Max: MaxReplicas}
	MaxReplicasConstraint     = constraint.Number{Min: 1, Max: MaxReplicas, Words: fmt.Sprintf("min to %d", MaxReplicas)}
	URLPathConstraint         = constraint.Text{
		Pattern: `^/[A-Za-z0-9._~/%-]*(\?[A-Za-z0-9._~/%&=-]*)?$`,
		Want:    "a path that starts with /",
		Valid:   []string{"/", "/healthz", "/health?full=1"},
		Invalid: []string{"healthz", "live z", "/live z"},
	}
	CPUConstraint = constraint.Text{
		Pattern: `^([1-9][0-9]*m|[0-9]+(\.[0-9]{1,3})?)$`,
		Want:    `cores, like "100m" or "2"`,
		Except:  `^0+(\.0+)?$`,
		Numbers: constraint.Schema{"type": "number", "minimum": 0.001},
		Valid:   []string{"100m", "2", "0.5", "1.125"},
		Invalid: []string{"0", "0.0", "100mi", "0m", "1.0001", "many"},
	}
	// A size in M is surely a slip for one in Mi.
	MemoryConstraint = constraint.Text{
		Pattern: "^[1-9][0-9]*(Mi|Gi)$",
		Want:    `a size, like "256Mi" or "1Gi"`,
		Valid:   []string{"256Mi", "1Gi"},
		Invalid: []string{"1", "128M", "0Mi", "1 Gi"},
	}
	WritablePathsConstraint = constraint.List{
		Once: "each directory once",
		Items: constraint.Text{
			Pattern: `^(/([^/.]|\.[^/.]|\.\.[^/])[^/]*)+$`, // no segment is empty, . or ..
			Want:    "an absolute directory below /, without a trailing slash",
			Words:   "absolute directories below /",
			Except:  "^" + constraint.Either(parents(databaseCADir)) + "$",
			Instead: "a directory that doesn't hold " + DatabaseCAFile,
			Valid:   []string{"/tmp", "/var/cache/.app", "/etc/databases", "/..."},
			Invalid: []string{"cache", "/", "/a/", "/a//b", "/a/../b", "/.", "/etc", "/etc/database"},
		},
	}
	EnvConstraint = constraint.Map{Names: envNames}

	envNames = constraint.Text{
		Pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
		Want:    "names of letters, digits and _ that don't start with a digit",
		Valid:   []string{"LOG_LEVEL", "_x1"},
		Invalid: []string{"1X", "A-B", "A B"},
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
		Names: envNames,
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
	StopSecondsConstraint   = constraint.Number{Default: DefaultStopSeconds, Min: 1, Max: maxTimeoutSeconds}
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

// Constraints of nginx.
var (
	TimeoutSecondsConstraint = constraint.Number{Default: DefaultTimeoutSeconds, Min: 1, Max: maxTimeoutSeconds}
	DrainSecondsConstraint   = constraint.Number{
		Default: DefaultDrainSeconds,
		Min:     5, // less than kube-proxy's own delay would lose connections everywhere
		Max:     maxTimeoutSeconds,
	}
	MaxBodySizeConstraint = constraint.Text{
		Default: DefaultMaxBodySize,
		Pattern: fmt.Sprintf("^(1[gG]|%s[mM]|%s[kK]|%s)$",
			constraint.UpTo(maxBodyMebibytes), constraint.UpTo(maxBodyMebibytes<<10), constraint.UpTo(maxBodyMebibytes<<20)),
		Want:    fmt.Sprintf("a size up to %dm, like 512k or 10m", maxBodyMebibytes),
		Words:   fmt.Sprintf("bytes, or a number with k, m or g; at most %dm", maxBodyMebibytes),
		Numbers: constraint.Schema{"type": "integer", "minimum": 1, "maximum": maxBodyMebibytes << 20},
		Valid:   []string{"1", "512k", "10m", "1G", "1024m", "1048576k", "1073741824"},
		Invalid: []string{"0", "10mb", "10 MB", "2g", "1025m", "1048577k", "1073741825", "1.5m"},
	}
	RoutesConstraint    = constraint.List{Min: 1, Want: "at least one route"}
	RoutePathConstraint = constraint.Text{
		// No segment is . or .., which browsers and servers leave out.
		Pattern: `^(/|(/([A-Za-z0-9_~-]|\.[A-Za-z0-9_~-]|\.\.[A-Za-z0-9._~-])[A-Za-z0-9._~-]*)+)$`,
		Want:    "/ or segments of letters, digits, . _ ~ -, without a trailing slash",
		Except:  "^" + NginxOwnPath + "(/|$)",
		Instead: "one that isn't below " + NginxOwnPath + ", which is nginx's own",
		Words:   "/ or complete path segments, not below " + NginxOwnPath,
		Valid:   []string{"/", "/api", "/.well-known/x", "/-x", "/..."},
		Invalid: []string{"api", "/api/", "/a;b", "/a/../b", "/..", "/./a", "/-", "/-/x"},
	}
	RouteToConstraint        = constraint.Text{OneOf: []string{RouteToBackend, RouteToFrontend}}
	CertificateArnConstraint = constraint.Text{
		Pattern: "^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$",
		Want:    "the ARN of an ACM certificate",
		Valid:   []string{"arn:aws:acm:eu-west-1:123456789012:certificate/0a1b-2c"},
		Invalid: []string{"cert", "arn:aws:acm:eu-west-1:123456789012:certificate/", "arn:aws:iam::123456789012:certificate/x"},
	}
	TrustedProxiesConstraint = constraint.List{Items: constraint.Text{
		Pattern: `^(([0-9]{1,3}\.){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])|[0-9a-f:]*::?[0-9a-f:]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$`,
		Want:    "a network, like 10.0.0.0/8",
		Words:   "networks in CIDR notation",
		Valid:   []string{"10.0.0.0/8", "192.0.2.1/32", "2600:9000::/28"},
		Invalid: []string{"10.0.0.1", "10.0.0.0/33", "proxy", "::/129"},
	}}
	HostsConstraint = constraint.List{Items: constraint.Text{
		Pattern: `^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`,
		Want:    "a name in lowercase letters, like shop.example.org or *.example.org",
		Words:   "host names in lowercase letters, *. in front for all below one",
		Valid:   []string{"shop.example.org", "*.example.org", "localhost"},
		Invalid: []string{"Shop.example.org", "shop.example.org:80", "*", "a_b", "shop..org", "-a.org"},
	}}
	RequestsConstraint          = constraint.Number{Min: minRequests, Max: maxRequests * 9 / 10}
	RequestsPerClientConstraint = constraint.Number{Min: 1, Max: maxRequests * 9 / 10}
	UploadsConstraint           = constraint.Number{Min: 2, Max: maxRequests}
	RatePerClientConstraint     = constraint.Number{Min: 0, Max: maxRatePerClient}
	LoadBalancerClassConstraint = constraint.Text{
		Pattern: "^[a-z0-9.-]+(/[A-Za-z0-9._-]+)?$",
		Want:    "a class, like eks.amazonaws.com/nlb",
		Words:   "a load balancer class",
		Valid:   []string{"eks.amazonaws.com/nlb", "internal"},
		Invalid: []string{"a b", "A/b", "a/b/c"},
	}
)

// Constraints of the ways out. That a network is one, and none of the metadata services, takes more than a pattern.
var (
	EgressToConstraint         = egressTo("internet or a network, like 10.20.0.0/16", ToInternet)
	FrontendEgressToConstraint = egressTo("internet, backend or a network, like 10.20.0.0/16", ToInternet, ToBackend)
	EgressPortsConstraint      = constraint.Numbers{
		Items: constraint.Number{Min: 1, Max: 65535}, Max: maxEgressPorts,
		Want: fmt.Sprintf("1 to %d ports", maxEgressPorts),
	}
)

// Constraints of registry and placement.
var (
	RegistryServerConstraint = constraint.Text{
		Pattern: "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$",
		Want:    "a registry's host name, like ghcr.io, as the images begin with",
		Words:   "a host name, with a port where the images have one",
		Valid:   []string{"ghcr.io", "docker.io", "registry.example.org:5000", "10.0.0.10:5000"},
		Invalid: []string{"https://ghcr.io", "ghcr.io/acme", "GHCR.io", "ghcr.io:"},
	}
	RegistryUsernameConstraint = constraint.Text{
		Pattern: "^[^:]+$", // a colon ends it
		Want:    "the name of the user that pulls images, without a colon",
		Valid:   []string{"acme-bot", "robot$acme"},
		Invalid: []string{"acme:bot"},
	}
	LabelNameConstraint = constraint.Text{
		Pattern: "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$",
		Want:    "the name of a label or taint, like example.org/pool",
		Words:   "names like pool or example.org/pool",
		Valid:   []string{"pool", "example.org/pool", "kubernetes.io/arch", strings.Repeat("a", 63)},
		Invalid: []string{"-pool", "pool/", "/pool", "a b", strings.Repeat("a", 64)},
	}
	LabelValueConstraint = constraint.Text{
		Pattern: "^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$",
		Want:    "at most 63 letters, digits, -, _ and ., the first and last a letter or digit",
		Valid:   []string{"apps", "2", "arm64", "a_b.c"},
		Invalid: []string{"a b", "-a", "a-", strings.Repeat("a", 64)},
	}
	NodeSelectorConstraint       = constraint.Map{Names: LabelNameConstraint, Values: LabelValueConstraint}
	TolerationOperatorConstraint = constraint.Text{Default: TolerationEqual, OneOf: []string{TolerationEqual, TolerationExists}}
	TolerationEffectConstraint   = constraint.Text{OneOf: []string{"NoSchedule", "PreferNoSchedule", "NoExecute"}}
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
