package tests

import (
	"slices"
	"strings"

	"threetier/components/app"
	"threetier/components/database"
	"threetier/internal/constraint"
	"threetier/internal/keys"
)

// samples are texts that a pattern accepts, and texts that it refuses, by what is wanted.
var samples = map[string]struct{ valid, invalid []string }{
	// cluster, network
	"1 to 100 letters, digits, - and _, a letter or digit first": {
		[]string{"acme-prod", "0_a", strings.Repeat("a", 100)}, []string{"acme prod", "-acme", "arn:aws:eks:x", strings.Repeat("a", 101)},
	},
	"the id of a VPC, as vpc-0123abcd":                     {[]string{"vpc-0123abcd"}, []string{"my-vpc", "vpc-", "vpc-0123ABCD"}},
	"the id of a subnet, as subnet-0123abcd":               {[]string{"subnet-0123abcd", "subnet-4567cdef"}, []string{"private", "subnet-"}},
	"the id of a security group, as sg-0123abcd":           {[]string{"sg-0123abcd"}, []string{"default", "sg-"}},
	"a host name, like shop.example.org":                   {[]string{"shop.example.org", "shop", "10.0.0.1", "shop.example.org:8443"}, []string{"https://shop.example.org", "shop.example.org/", "*.example.org", "-shop", "Shop"}},
	"the name of a namespace":                              {[]string{"monitoring", "a-1"}, []string{"Monitoring", "a.b", "-a", strings.Repeat("a", 64)}},
	"the name of an annotation, like prometheus.io/scrape": {[]string{"prometheus.io/scrape", "team", "a_b.c"}, []string{"/scrape", "Prometheus.io/scrape", "a b", "team/"}},
	"absolute paths of files":                              {[]string{"/etc/app/tls.key", "/run/app/..data"}, []string{"tls.key", "/etc/", "/etc/../shadow", "/etc//x", "/"}},
	"tags, lose and a name, like lose database, or plain text of and a key": {
		[]string{"tags", "lose database", "plain text of threetier:backend.env.KEY"}, []string{"lose", "lose two names", "RDS.5", "plain text of "},
	},
	"the name of a stack": {[]string{"dev", "Team.dev_1"}, []string{"acme/threetier/dev", "", strings.Repeat("a", 101)}},
	// domain
	"a DNS name in lowercase letters, like shop.example.org": {
		[]string{"shop.example.org", "example.org", "xn--bcher-kva.example", strings.Repeat("a", 52) + ".example.com"},
		[]string{"Shop.example.org", "shop", "shop.example.org.", "*.example.org", "shop..org", "-a.org", "a_b.org", "10.0.0.1", strings.Repeat("a", 53) + ".example.com"},
	},
	"the name of a public hosted zone, like example.org": {[]string{"example.org", "shop.example.co.uk"}, []string{"org", "example.org.", "Z0123456789ABCDEFGHIJ"}},
	// alarms
	"the log group of the CloudWatch Observability add-on, /aws/containerinsights/CLUSTER/application": {
		[]string{"/aws/containerinsights/acme-prod/application"}, []string{"acme-prod", "/aws/containerinsights/acme-prod/performance", "/aws/eks/acme-prod/cluster"},
	},
	"the log group of the EKS control plane, /aws/eks/CLUSTER/cluster": {
		[]string{"/aws/eks/acme-prod/cluster"}, []string{"acme-prod", "/aws/eks/acme-prod", "/aws/containerinsights/acme-prod/application"},
	},
	"the ARN of an SNS topic in us-east-1, as arn:aws:sns:us-east-1:123456789012:alerts": {
		[]string{"arn:aws:sns:us-east-1:123456789012:alerts"},
		[]string{"alerts", "arn:aws:sns:eu-west-1:123456789012:alerts", "arn:aws:sqs:us-east-1:123456789012:alerts"},
	},
	"the ARN of an SNS topic, as arn:aws:sns:eu-west-1:123456789012:alerts": {
		[]string{"arn:aws:sns:eu-west-1:123456789012:alerts", "arn:aws:sns:eu-west-1:123456789012:a_b-C"},
		[]string{"alerts", "arn:aws:sqs:eu-west-1:123456789012:alerts", "arn:aws:sns:eu-west-1:12345:alerts"},
	},
	// database
	"a PostgreSQL major without a minor: " + strings.Join(database.EngineVersions, ", "): {nil, []string{"9", "17.4"}},
	"an instance class of the families t, m, r or x in a size that it has, as db.t4g.micro or db.m7g.large": {
		[]string{"db.t3.micro", "db.t4g.2xlarge", "db.m7g.large", "db.m8gd.48xlarge", "db.r6i.32xlarge", "db.x2iedn.xlarge"},
		[]string{
			"t4g.micro", "db.m7g.micro", "db.t4g.4xlarge", "db.q9.large", "db.m7g", "db.serverless",
			// RDS has the families, but not in these sizes.
			"db.m5.48xlarge", "db.m5d.32xlarge", "db.m6g.24xlarge", "db.m7g.48xlarge", "db.r7g.32xlarge", "db.x2g.24xlarge", "db.m6i.48xlarge",
		},
	},
	"1 to 63 letters, digits and _, a letter first": {
		[]string{"shop", "Shop_2", "pgapp", strings.Repeat("a", 63)},
		[]string{"my-app", "9lives", strings.Repeat("a", 64), "pg_app", "rdsadmin", "RDSADMIN", "threetier_a", "select", "USER"},
	},
	`8 to 128 printable ASCII characters without space, /, @ and "`: {
		[]string{"long-enough", strings.Repeat("x", 128)},
		[]string{"short", "with@at-sign", "with/slash", `with"quote`, "with space", "with-umlaut-ü", strings.Repeat("x", 129)},
	},
	"a snapshot's identifier or ARN": {
		[]string{
			"shop-final-0a1b", "rds:shop-2026-01-01-00-00", "awsbackup:job-be59cf2a-2343-4402-bd8b-226993d23453",
			"awsbackup:copyjob-be59cf2a-2343-4402-bd8b-226993d23453", "arn:aws:rds:eu-west-1:123456789012:snapshot:shop",
			"arn:aws:rds:eu-west-1:123456789012:snapshot:awsbackup:job-be59cf2a-2343-4402-bd8b-226993d23453",
		},
		[]string{"my snapshot", "shop--final", "0shop", "backup:shop", "awsbackup:", "rds:awsbackup:job-1", "arn:aws:s3:::shop"},
	},
	"a weekly window in UTC, as sun:03:00-sun:03:30": {
		[]string{"sun:03:00-sun:03:30", "sun:23:30-mon:00:30", "wed:00:00-wed:23:59"},
		[]string{"sun:03:00", "Sun:03:00-Sun:03:30", "sun:24:00-mon:01:00", "03:00-03:30", "day:03:00-day:04:00"},
	},
	"a daily window in UTC, as 02:00-02:30": {[]string{"02:00-02:30", "23:45-00:15"}, []string{"2:00-2:30", "02:00-24:30", "02:00", "sun:02:00-sun:02:30"}},
	"the ARN of a KMS key, as arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef": {
		[]string{
			"arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
			"arn:aws:kms:eu-west-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef",
		},
		[]string{"alias/shop", "arn:aws:kms:eu-west-1:123456789012:alias/shop", "01234567-89ab-cdef-0123-456789abcdef"},
	},
	"a tag's value: up to 256 letters, digits, spaces and _.:/=+-@": {
		[]string{"daily", "every day: 7/7", "täglich"}, []string{"daily!", "aws:daily", "rds:daily", strings.Repeat("d", 257)},
	},
	"an extension of RDS for PostgreSQL, like pgcrypto or vector": {nil, []string{"pgvector", "PostGIS", "timescaledb"}},
	"1 or 0, as RDS writes it":                                    {[]string{"500", "on"}, []string{"true", "false"}},
	"a whole number without a unit, or a formula of RDS":          {[]string{"-1", "8192", "{DBInstanceClassMemory/32768}", "LEAST({DBInstanceClassMemory/9531392},5000)"}, []string{"4MB", "1.5", "on"}},
	"a number without a unit, or a formula of RDS":                {[]string{"-1", "0.25"}, []string{"20ms", "half"}},
	"libraries that RDS preloads: auto_explain, orafce, pgaudit, pglogical, pg_bigm, pg_cron, pg_hint_plan, pg_prewarm, pg_similarity, pg_stat_statements, pg_tle, pg_transport, plprofiler, plrust": {
		[]string{"pg_stat_statements", "pg_stat_statements, pg_cron"}, []string{"timescaledb", "pg_cron pgaudit"},
	},
	"a reason": {[]string{"one zone is enough"}, []string{" "}},
	"tags, or lose and a name, like lose database": {[]string{"tags", "lose database", "lose database.tags.backup-plan"}, []string{"tag", "lose", "lose ", "lose a b", "loses a"}},
	"skip migrate of the backend's image":          {[]string{"skip migrate of acme/backend:1"}, []string{"skip migrate", "skip migrate of ", "skip migrate of a b"}},
	// app
	"1 to 63 lowercase letters, digits and -, not at an end": {[]string{"shop", "0", "shop-2", strings.Repeat("a", 63)}, []string{"Shop", "-shop", "shop-", "my_shop", strings.Repeat("a", 64)}},
	"an image, like registry/name@sha256:…": {
		[]string{
			"x:1", "ghcr.io/acme/app:1.0.0", "localhost:5000/app:latest-1", "ghcr.io/acme/app@sha256:" + strings.Repeat("0a", 32),
			"localhost:5000/app:latest@sha256:" + strings.Repeat("0a", 32),
		},
		[]string{"a b", "Not An Image", "x@sha256:0a", "x", "x:latest", "ghcr.io/acme/app", "ghcr.io/acme/app:latest", "localhost:5000/app", "localhost:5000/app:latest"},
	},
	"a path that starts with /":     {[]string{"/", "/healthz", "/health?full=1"}, []string{"healthz", "live z", "/live z"}},
	`cores, like "100m" or "2"`:     {[]string{"100m", "2", "0.5", "1.125"}, []string{"0", "0.0", "100mi", "0m", "1.0001", "many"}},
	`a size, like "256Mi" or "1Gi"`: {[]string{"256Mi", "1Gi"}, []string{"1", "128M", "0Mi", "1 Gi"}},
	"an absolute directory below /, without a trailing slash": {
		[]string{"/tmp", "/var/cache/.app", "/etc/databases", "/..."}, []string{"cache", "/", "/a/", "/a//b", "/a/../b", "/.", "/etc", "/etc/database"},
	},
	"names of letters, digits and _ that don't start with a digit": {[]string{"LOG_LEVEL", "_x1"}, []string{"1X", "A-B", "A B"}},
	"the parts {host}, {readerHost}, {port}, {name}, {username}, {password}, {caFile}": {
		[]string{"verify-full", "{host}:{port}"}, []string{"x{pasword}", "{host", "{{host}}", "}"},
	},
	"names of 1 to 40 lowercase letters, digits and -, not at an end": {[]string{"mailer", "2nd-try", strings.Repeat("a", 40)}, []string{"Mailer", "-x", "x-", "a_b", strings.Repeat("a", 41)}},
	`a cron expression of five fields, like "0 3 * * *", or @daily`: {
		schedules, []string{"0 3 * *", "60 * * * *", "0 24 * * *", "* * * * 7", "*/0 * * * *", "@reboot", "TZ=UTC 0 3 * * *", "nightly"},
	},
	"an IANA time zone, like Europe/Berlin": {
		[]string{"Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "UTC"}, []string{"Local", "Europe/Berlin ", "europe/berlin", "+02:00", "Europe/"},
	},
	"a size up to 1024m, like 512k or 10m": {
		[]string{"1", "512k", "10m", "1G", "1024m", "1048576k", "1073741824"}, []string{"0", "10mb", "10 MB", "2g", "1025m", "1048577k", "1073741825", "1.5m"},
	},
	"/ or segments of letters, digits, . _ ~ -, without a trailing slash": {
		[]string{"/", "/api", "/.well-known/x", "/-x", "/..."}, []string{"api", "/api/", "/a;b", "/a/../b", "/..", "/./a", "/-", "/-/x"},
	},
	"the ARN of an ACM certificate": {
		[]string{"arn:aws:acm:eu-west-1:123456789012:certificate/0a1b-2c"},
		[]string{"cert", "arn:aws:acm:eu-west-1:123456789012:certificate/", "arn:aws:iam::123456789012:certificate/x"},
	},
	"a network, like 10.0.0.0/8": {[]string{"10.0.0.0/8", "192.0.2.1/32", "2600:9000::/28"}, []string{"10.0.0.1", "10.0.0.0/33", "proxy", "::/129"}},
	"a name in lowercase letters, like shop.example.org or *.example.org": {
		[]string{"shop.example.org", "*.example.org", "localhost"}, []string{"Shop.example.org", "shop.example.org:80", "*", "a_b", "shop..org", "-a.org"},
	},
	"a class, like eks.amazonaws.com/nlb":               {[]string{"eks.amazonaws.com/nlb", "internal"}, []string{"a b", "A/b", "a/b/c"}},
	"internet or a network, like 10.20.0.0/16":          {append(ways, app.ToInternet), noWays},
	"internet, backend or a network, like 10.20.0.0/16": {append(ways, app.ToInternet, app.ToBackend), noWays},
	"a registry's host name, like ghcr.io, as the images begin with": {
		[]string{"ghcr.io", "docker.io", "registry.example.org:5000", "10.0.0.10:5000"}, []string{"https://ghcr.io", "ghcr.io/acme", "GHCR.io", "ghcr.io:"},
	},
	"the name of the user that pulls images, without a colon": {[]string{"acme-bot", "robot$acme"}, []string{"acme:bot"}},
	"the name of a label or taint, like example.org/pool": {
		[]string{"pool", "example.org/pool", "kubernetes.io/arch", strings.Repeat("a", 63)}, []string{"-pool", "pool/", "/pool", "a b", strings.Repeat("a", 64)},
	},
	"at most 63 letters, digits, -, _ and ., the first and last a letter or digit": {[]string{"apps", "2", "arm64", "a_b.c"}, []string{"a b", "-a", "a-", strings.Repeat("a", 64)}},
	"an ARN, like arn:aws:s3:::acme-uploads/*, or *": {
		[]string{"*", "arn:aws:s3:::acme-uploads/*", "arn:aws:sqs:eu-west-1:123456789012:jobs"}, []string{"acme-uploads", "arn:aws:s3", "arn:aws:s3:::", "arn:aws:s3:::a b"},
	},
	"the ARN of a managed policy": {
		[]string{"arn:aws:iam::123456789012:policy/apps", "arn:aws:iam::aws:policy/ReadOnlyAccess"},
		[]string{"apps", "arn:aws:iam::123456789012:role/apps", "arn:aws:iam::123456789012:policy/"},
	},
	"names of headers, in letters, digits and -": {
		[]string{"X-Frame-Options", "Content-Security-Policy", "x-robots-tag", "X-Accelerator"},
		[]string{"X_Frame", "9-Lives", "", "X Frame", "content-type", "Set-Cookie", "x-request-id", "X-Accel-Redirect", "Transfer-Encoding", strings.Repeat("a", 65)},
	},
	"at most 2000 ASCII characters, without $": {
		[]string{"DENY", "", `default-src 'self' "x" \; {}`, strings.Repeat("a", 2000)}, []string{"$host", "a\nb", "täglich", strings.Repeat("a", 2001)},
	},
	"one line of at most 500 characters, without $": {
		[]string{"back at six", `"soon" \ <b>we're & more</b> {}`, "um sechs für Sie zurück"}, []string{"costs 5$", "two\nlines", strings.Repeat("a", 501)},
	},
	"cookie, or the name of a header, like Mcp-Session-Id": {
		[]string{"cookie", "Mcp-Session-Id", "x-session"}, []string{"Cookie", "mcp_session", "1st", "Set-Cookie", "host", "X-Forwarded-For", "x-request-id"},
	},
	"an action, like s3:GetObject": {
		[]string{"s3:GetObject", "ses:SendEmail", "s3:Get*", "execute-api:Invoke"}, []string{"GetObject", "s3:", "s3:Get Object", "S3 GetObject"},
	},
}

var (
	schedules = []string{"0 3 * * *", "*/15 8-18 * * mon-FRI", "5,35 0 1 JAN,jul *", "@hourly"}
	ways      = []string{"10.20.0.0/16", "203.0.113.7/32", "0.0.0.0/0", "2600:9000::/28"}
	noWays    = []string{"Internet", "10.20.0.1", "10.0.0.0/33", "256.0.0.0/8", "example.org", "::/129"}
)

// samplesOf are values that a key accepts, and values that it refuses.
func samplesOf(key *keys.Key) (valid, invalid []any) {
	switch of := key.Constraint.(type) {
	case *constraint.Number:
		return numberSamples(*of)
	case *constraint.Text:
		return textSamples(*of)
	case *constraint.List:
		return listSamples(*of)
	case *constraint.Map:
		if key.IsMap() {
			return mapSamples(*of, map[string]any{"command": []string{"work"}})
		}
		return mapSamples(*of, "x")
	case *constraint.Numbers:
		fine, bad := numberSamples(of.Items)
		long := slices.Repeat(fine[:1], of.Max+1)
		return each(fine), append(each(bad), []any{}, long)
	}
	return nil, nil
}

// each are lists of one item.
func each(items []any) []any {
	lists := make([]any, len(items))
	for i, item := range items {
		lists[i] = []any{item}
	}
	return lists
}

// numberSamples are the bounds, and the numbers next to them outside.
func numberSamples(n constraint.Number) (valid, invalid []any) {
	valid = []any{n.Min, n.Max}
	if n.OrZero {
		valid = append(valid, 0)
	}
	return valid, []any{n.Min - 1, n.Max + 1}
}

// textSamples are those of the set and of the pattern.
func textSamples(t constraint.Text) (valid, invalid []any) {
	for _, choice := range t.OneOf {
		valid = append(valid, choice)
	}
	if len(t.OneOf) > 0 {
		invalid = append(invalid, t.OneOf[0]+"?")
	}
	for _, sample := range samples[t.Wanted()].valid {
		if len(t.OneOf) == 0 {
			valid = append(valid, sample)
		}
	}
	for _, sample := range samples[t.Wanted()].invalid {
		invalid = append(invalid, sample)
	}
	return valid, invalid
}

// listSamples are a list of the items' samples, and lists that are too short, with a refused item, and with one item twice.
func listSamples(l constraint.List) (valid, invalid []any) {
	fine, bad := textSamples(l.Items)
	if l.Min > 0 {
		invalid = append(invalid, []any{})
	}
	if len(fine) < max(l.Min, 1) {
		return nil, invalid
	}
	for _, item := range bad {
		invalid = append(invalid, append([]any{item}, fine...))
	}
	if l.Once != "" {
		invalid = append(invalid, append([]any{fine[0]}, fine...))
	}
	return []any{fine}, invalid
}

// mapSamples are maps of one name and one value each: any, where nothing is said of values.
func mapSamples(m constraint.Map, value any) (valid, invalid []any) {
	names, badNames := textSamples(m.Names)
	for _, group := range m.Groups {
		fine, bad := textSamples(group.Values)
		valid = append(valid, singles(group.Names[0], fine)...)
		invalid = append(invalid, singles(group.Names[0], bad)...)
		names = slices.DeleteFunc(names, func(name any) bool { return slices.Contains(group.Names, name.(string)) })
	}
	fine, bad := textSamples(m.Values)
	if len(fine) == 0 {
		fine = []any{value}
	}
	valid = append(valid, singles(names[0], fine)...)
	invalid = append(invalid, singles(names[0], bad)...)
	for _, name := range badNames {
		invalid = append(invalid, singles(name, fine[:1])...)
	}
	return valid, invalid
}

// singles are maps of a name and one of the values each.
func singles(name any, values []any) []any {
	maps := make([]any, len(values))
	for i, value := range values {
		maps[i] = map[string]any{name.(string): value}
	}
	return maps
}
