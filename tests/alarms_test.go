package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/alarms"
	"threetier/components/app/nginx"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/tests/cloudwatch"
)

const (
	filterType      = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
	dashboardType   = "aws:cloudwatch/dashboard:Dashboard"
	healthCheckType = "aws:route53/healthCheck:HealthCheck"
)

// watched is the stack that has every key of alarms.
func watched(t *testing.T) *recorder.Recording {
	t.Helper()
	return deploy(t, "full", project.StackConfig(t, "full"))
}

// as reads a resource's inputs into a type of CloudWatch's.
func as[T any](t *testing.T, res recorder.Resource) T {
	t.Helper()
	text, err := json.Marshal(res.Plain())
	require.NoError(t, err)
	var value T
	require.NoError(t, json.Unmarshal(text, &value))
	return value
}

// appAlarms are the app's own, by the end of their names.
func appAlarms(t *testing.T, r *recorder.Recording) map[string]cloudwatch.Alarm {
	t.Helper()
	all := map[string]cloudwatch.Alarm{}
	for _, res := range r.All(alarmType) {
		if name, isApps := strings.CutPrefix(res.Name, "alarms-"); isApps {
			all[name] = as[cloudwatch.Alarm](t, res)
		}
	}
	return all
}

func TestAlarmsAreMadeOfExactlyThese(t *testing.T) {
	r := watched(t)
	component := r.One(t, alarms.AlarmsType)
	assert.Equal(t, []string{
		dashboardType + " alarms",
		filterType + " alarms-errors",
		filterType + " alarms-failed-runs",
		filterType + " alarms-requests",
		filterType + " alarms-runs-nightly",
		alarmType + " alarms-errors",
		alarmType + " alarms-failed-runs",
		alarmType + " alarms-latency",
		alarmType + " alarms-maximum-backend",
		alarmType + " alarms-maximum-nginx",
		alarmType + " alarms-maximum-worker-mailer",
		alarmType + " alarms-missed-nightly",
		alarmType + " alarms-outside",
		alarmType + " alarms-restarts-backend",
		alarmType + " alarms-restarts-nginx",
		alarmType + " alarms-restarts-worker-bot",
		alarmType + " alarms-restarts-worker-mailer",
		alarmType + " alarms-targets",
		healthCheckType + " alarms-outside",
		"pulumi:providers:aws alarms-us-east-1",
	}, r.Children(component))
}

func TestEachAlarmTellsItsTopicAndIsTaggedAndNamesTheStack(t *testing.T) {
	const topic, outside = "arn:aws:sns:eu-west-1:123456789012:alerts", "arn:aws:sns:us-east-1:123456789012:alerts"
	for _, res := range watched(t).All(alarmType) {
		if !strings.HasPrefix(res.Name, "alarms-") {
			continue
		}
		want, provider := topic, ""
		if res.Name == "alarms-outside" {
			want, provider = outside, "alarms-us-east-1"
		}
		assert.Equal(t, []any{want}, res.Input(t, "alarmActions"), res.Name)
		assert.Equal(t, []any{want}, res.Input(t, "okActions"), res.Name)
		assert.Contains(t, res.Provider, provider)
		assert.Equal(t, provider == "", res.Provider == "", "%s: the stack's own region, or the one of the topic", res.Name)
		assert.Contains(t, res.Input(t, "alarmDescription"), "threetier-full: ", res.Name)
		assert.Equal(t, map[string]any{"Project": "threetier", "Stack": "full", "ManagedBy": "pulumi"}, res.Input(t, "tags"), res.Name)
	}
}

func TestWithoutATopicNothingIsWatched(t *testing.T) {
	r := deploy(t, "dev", project.StackConfig(t, "dev"))
	for _, typ := range []string{alarms.AlarmsType, alarmType, filterType, dashboardType, healthCheckType} {
		assert.Empty(t, r.All(typ), typ)
	}
}

// Each source of data has a key; what needs none is there with the topic alone.
func TestAlarmsAreThoseThatTheAccountHasDataFor(t *testing.T) {
	of := func(keys ...string) []string {
		config := project.StackConfig(t, "full")
		all := map[string]any{
			"logGroup": "/aws/containerinsights/acme-full/application", "auditLogGroup": "/aws/eks/acme-full/cluster",
			"outsideTopicArn": "arn:aws:sns:us-east-1:123456789012:alerts",
		}
		given := map[string]any{"topicArn": "arn:aws:sns:eu-west-1:123456789012:alerts"}
		for _, key := range keys {
			given[key] = all[key]
		}
		return slices.Sorted(maps.Keys(appAlarms(t, deploy(t, "full", config.Set(t, "threetier:alarms", given)))))
	}
	assert.Equal(t, []string{"targets"}, of())
	assert.Equal(t, []string{"errors", "latency", "maximum-backend", "maximum-nginx", "maximum-worker-mailer", "restarts-backend", "restarts-nginx",
		"restarts-worker-bot", "restarts-worker-mailer", "targets"}, of("logGroup"))
	assert.Equal(t, []string{"failed-runs", "missed-nightly", "targets"}, of("auditLogGroup"))
	assert.Equal(t, []string{"outside", "targets"}, of("outsideTopicArn"))
}

// Of another cluster's load balancer CloudWatch has no metrics; its logs may be there all the same.
func TestAnotherClusterHasNoTargetsToWatch(t *testing.T) {
	config := project.StackConfig(t, "full").Remove(t, "threetier:cluster.eks").SetSecret(t, "threetier:cluster.kubeconfig", "apiVersion: v1").
		Remove(t, "threetier:backend.permissions").Remove(t, "threetier:backend.permissionsBoundary").
		Set(t, "threetier:database.network", map[string]any{
			"vpcId": "vpc-0123", "subnetIds": []string{"subnet-privatea", "subnet-privateb"}, "clientSecurityGroupIds": []string{recorder.ClusterSecurityGroup},
		})
	all := appAlarms(t, deploy(t, "full", config))
	assert.NotContains(t, all, "targets")
	assert.Contains(t, all, "errors")
	assert.Contains(t, all, "outside")
}

// now is when the alarms are looked at: a full hour.
var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// points are values of a metric, one each so often, the last of them shortly before now.
func points(metric cloudwatch.Metric, every time.Duration, values ...float64) []cloudwatch.Point {
	var all []cloudwatch.Point
	for i, value := range values {
		all = append(all, cloudwatch.Point{Namespace: metric.Namespace, Metric: metric.MetricName, Dimensions: metric.Dimensions,
			Time: now.Add(-time.Duration(len(values)-i) * every), Value: value})
	}
	return all
}

// requests are lines of NGINX of so many requests, spread over some minutes before now.
func requests(t *testing.T, minutes, count, status int, seconds float64) []cloudwatch.Line {
	t.Helper()
	var lines []cloudwatch.Line
	for i := range count {
		text := cloudwatch.Shipped("threetier-full", "nginx", fmt.Sprintf(`{"path":"/","status":%d,"seconds":%.3f}`, status, seconds))
		lines = append(lines, cloudwatch.Line{Time: now.Add(-time.Duration(minutes) * time.Minute * time.Duration(count-i) / time.Duration(count)), Text: text})
	}
	return lines
}

// fromLogs are the points that all the stack's filters make of lines.
func fromLogs(t *testing.T, r *recorder.Recording, lines ...cloudwatch.Line) []cloudwatch.Point {
	t.Helper()
	var all []cloudwatch.Point
	for _, res := range r.All(filterType) {
		made, err := as[cloudwatch.Filter](t, res).Points(lines)
		require.NoError(t, err, res.Name)
		all = append(all, made...)
	}
	return all
}

// audited are the lines of what happened to a Job, as Kubernetes 1.34 wrote them by the policy of EKS; the responses and
// managed fields, which nobody reads, are left out.
func audited(t *testing.T, at time.Time, what ...string) []cloudwatch.Line {
	t.Helper()
	var lines []cloudwatch.Line
	for _, name := range what {
		text, err := os.ReadFile(filepath.Join("cloudwatch", "testdata", name+".jsonl"))
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			lines = append(lines, cloudwatch.Line{Time: at, Text: strings.ReplaceAll(line, "threetier-whole", "threetier-full")})
		}
	}
	return lines
}

// elsewhere are the lines of another stack of the cluster.
func elsewhere(lines []cloudwatch.Line) []cloudwatch.Line {
	for i := range lines {
		lines[i].Text = strings.ReplaceAll(lines[i].Text, "threetier-full", "threetier-dev")
	}
	return lines
}

// hourly is an audit log that has a line of something else in each minute of so many hours before now.
func hourly(hours int) []cloudwatch.Line {
	var lines []cloudwatch.Line
	for i := range hours * 60 {
		lines = append(lines, cloudwatch.Line{Time: now.Add(-time.Duration(i+1) * time.Minute), Text: `{"objectRef":{"resource":"leases"}}`})
	}
	return lines
}

func many(count int, value float64) []float64 { return slices.Repeat([]float64{value}, count) }

// Each alarm has data that fires it, and data that doesn't.
func TestEachAlarmFiresWhenItShouldAndThenAlone(t *testing.T) {
	r := watched(t)
	all := appAlarms(t, r)
	metric := func(alarm string) cloudwatch.Metric {
		require.Contains(t, all, alarm)
		require.NotNil(t, all[alarm].MetricQueries[0].Metric, alarm)
		return *all[alarm].MetricQueries[0].Metric
	}
	targets := func(name string) cloudwatch.Metric {
		return cloudwatch.Metric{Namespace: "AWS/NetworkELB", MetricName: "UnHealthyHostCount", Dimensions: map[string]string{
			"LoadBalancer": "net/" + name + "/0123456789abcdef", "TargetGroup": "targetgroup/k8s-shop-nginx-1/0123456789abcdef",
		}}
	}
	log := func(lines ...[]cloudwatch.Line) []cloudwatch.Point { return fromLogs(t, r, slices.Concat(lines...)...) }
	type data map[string][]cloudwatch.Point
	rules := map[string]struct{ fires, silent data }{
		"targets": {
			fires: data{"for five minutes": points(targets("k8s-shop-nginx-0a1b2c3d4e"), time.Minute, many(5, 1)...)},
			silent: data{
				"for four minutes":      points(targets("k8s-shop-nginx-0a1b2c3d4e"), time.Minute, 0, 0, 0, 1, 1, 1, 1),
				"all healthy":           points(targets("k8s-shop-nginx-0a1b2c3d4e"), time.Minute, many(9, 0)...),
				"another load balancer": points(targets("k8s-other-nginx-0a1b2c3d4e"), time.Minute, many(9, 1)...),
			},
		},
		"errors": {
			fires: data{
				"2 % of 1000":         log(requests(t, 10, 980, 200, 0.1), requests(t, 10, 20, 502, 0.1)),
				"all of a quiet site": log(requests(t, 10, 10, 503, 0.1)),
			},
			silent: data{
				"1 % of 2000":      log(requests(t, 10, 1980, 200, 0.1), requests(t, 10, 20, 500, 0.1)),
				"4 of 10":          log(requests(t, 10, 12, 200, 0.1), requests(t, 10, 8, 500, 0.1)),
				"the clients' own": log(requests(t, 10, 100, 404, 0.1), requests(t, 10, 100, 429, 0.1), requests(t, 10, 100, 499, 0.1)),
				"for five minutes": log(requests(t, 15, 1500, 200, 0.1), requests(t, 5, 100, 500, 0.1)),
				"nobody asks":      log(hourly(1)),
			},
		},
		"latency": {
			fires: data{"one of ten takes 6 s": log(requests(t, 15, 90, 200, 0.1), requests(t, 15, 10, 200, 6))},
			silent: data{
				"one of thirty takes 6 s": log(requests(t, 15, 290, 200, 0.1), requests(t, 15, 10, 200, 6)),
				"slowSeconds are allowed": log(requests(t, 15, 100, 200, 5)),
				"for ten minutes":         log(requests(t, 30, 900, 200, 0.1), requests(t, 10, 300, 200, 6)),
				"few requests":            log(requests(t, 15, 57, 200, 6)),
				"WebSockets":              log(requests(t, 15, 100, 200, 0.1), requests(t, 15, 100, 101, 3600)),
			},
		},
		"failed-runs": {
			fires: data{
				"a job":       log(audited(t, now.Add(-time.Minute), "failed")),
				"a migration": log(audited(t, now.Add(-time.Minute), "migration")),
				"a deadline":  log(audited(t, now.Add(-time.Minute), "deadline")),
			},
			silent: data{
				"success":         log(audited(t, now.Add(-time.Minute), "succeeded")),
				"another stack":   log(elsewhere(audited(t, now.Add(-time.Minute), "failed"))),
				"a pod of psql":   log(audited(t, now.Add(-time.Minute), "psql")),
				"ten minutes ago": log(audited(t, now.Add(-10*time.Minute), "failed"), hourly(1)),
			},
		},
		"missed-nightly": {
			fires: data{
				"31 hours ago":    log(audited(t, now.Add(-31*time.Hour-time.Minute), "succeeded"), hourly(40)),
				"it fails":        log(audited(t, now.Add(-9*time.Hour), "failed"), hourly(40)),
				"no run was ever": log(hourly(40)),
			},
			silent: data{
				"27 hours ago":        log(audited(t, now.Add(-27*time.Hour), "succeeded"), hourly(40)),
				"the stack is new":    log(hourly(20)),
				"there is no new log": log(audited(t, now.Add(-31*time.Hour), "succeeded")),
			},
		},
		"outside": {
			fires:  data{"for two minutes": points(metric("outside"), time.Minute, 1, 1, 0, 0)},
			silent: data{"for a minute": points(metric("outside"), time.Minute, 1, 1, 1, 0), "it answers": points(metric("outside"), time.Minute, 1, 1, 1)},
		},
	}
	for tier, most := range map[string]float64{"nginx": 6, "backend": 10, "worker-mailer": 4, "worker-bot": 0} {
		restarts := metric("restarts-" + tier)
		rules["restarts-"+tier] = struct{ fires, silent data }{
			fires: data{"a pod that never comes up": points(restarts, 5*time.Minute, 1, 1, 1)},
			silent: data{
				"two":        points(restarts, time.Minute, 0, 1, 0, 0, 1, 0),
				"long apart": points(restarts, 15*time.Minute, 2, 2, 2),
			},
		}
		if most == 0 {
			continue // never more than one
		}
		maximum := metric("maximum-" + tier)
		rules["maximum-"+tier] = struct{ fires, silent data }{
			fires: data{"for 15 minutes": points(maximum, time.Minute, many(15, most)...)},
			silent: data{
				"one less":       points(maximum, time.Minute, many(30, most-1)...),
				"for 10 minutes": points(maximum, time.Minute, slices.Concat(many(20, most-1), many(10, most))...),
				"it comes down":  points(maximum, time.Minute, slices.Concat(many(7, most), many(1, most-1), many(7, most))...),
			},
		}
	}
	assert.Equal(t, slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(rules)), "each alarm has its data")
	for name, rule := range rules {
		for want, sets := range map[string]data{cloudwatch.InAlarm: rule.fires, cloudwatch.OK: rule.silent} {
			for what, points := range sets {
				state, err := all[name].State(points, now)
				require.NoError(t, err, name)
				assert.Equal(t, want, state, "%s: %s", name, what)
			}
		}
		state, err := all[name].State(nil, now)
		require.NoError(t, err)
		assert.Equal(t, cloudwatch.OK, state, "%s: without data", name)
	}
}

// The lines are NGINX's own, by the config as it is rendered.
func TestFiltersReadWhatNginxLogs(t *testing.T) {
	s := startSite(t, nginx.Args{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/api/missing":
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	paths := []string{"/", "/api/fine", "/api/broken", "/api/missing", nginx.HealthPath}
	for _, path := range paths {
		resp, err := http.Get(s.URL + path)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	s.frontend.Close()
	resp, err := http.Get(s.URL + "/gone")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Eventually(t, func() bool { return strings.Count(s.log.String(), `{"time":`) == 5 }, 5*time.Second, 20*time.Millisecond, "the probe isn't logged: %s", s.log)

	r := watched(t)
	matched := func(filter, namespace, container string) []cloudwatch.Point {
		var lines []cloudwatch.Line
		for line := range strings.Lines(s.log.String()) {
			lines = append(lines, cloudwatch.Line{Time: now, Text: cloudwatch.Shipped(namespace, container, strings.TrimSpace(line))})
		}
		lines = append(lines, cloudwatch.Line{Time: now, Text: cloudwatch.Shipped(namespace, container, "nginx: [emerg] no line of the log's format")})
		points, err := as[cloudwatch.Filter](t, r.Named(t, filterType, "alarms-"+filter)).Points(lines)
		require.NoError(t, err)
		return slices.DeleteFunc(points, func(p cloudwatch.Point) bool { return filter == "errors" && p.Value == 0 })
	}
	assert.Len(t, matched("requests", "threetier-full", "nginx"), 5)
	assert.Len(t, matched("errors", "threetier-full", "nginx"), 2, "a 500 of the app and a 502 of nginx: %s", s.log)
	for _, filter := range []string{"requests", "errors"} {
		assert.Empty(t, matched(filter, "threetier-dev", "nginx"), "another stack of the cluster")
		assert.Empty(t, matched(filter, "threetier-full", "backend"), "another container")
	}
	for _, point := range matched("requests", "threetier-full", "nginx") {
		assert.Less(t, point.Value, 5.0, "seconds")
	}
}

// A job whose runs are too far apart can't be missed by an alarm, and one that is run by hand is never missed.
func TestMissedRunsFollowTheSchedule(t *testing.T) {
	config := project.StackConfig(t, "full").Set(t, "threetier:jobs", map[string]any{
		"often":    map[string]any{"command": []string{"x"}, "schedule": "*/5 * * * *", "timeoutSeconds": 300},
		"daily":    map[string]any{"command": []string{"x"}, "schedule": "0 3 * * *", "timeZone": "Europe/Berlin"},
		"workdays": map[string]any{"command": []string{"x"}, "schedule": "0 3 * * 1-5"},
		"weekly":   map[string]any{"command": []string{"x"}, "schedule": "0 3 * * 1"},
		"monthly":  map[string]any{"command": []string{"x"}, "schedule": "0 3 1 * *"},
		"byhand":   map[string]any{"command": []string{"x"}},
	})
	hours := map[string]int{}
	for name, alarm := range appAlarms(t, deploy(t, "full", config)) {
		if job, isMissed := strings.CutPrefix(name, "missed-"); isMissed {
			hours[job] = alarm.EvaluationPeriods
			assert.Equal(t, 3600, alarm.MetricQueries[0].Metric.Period)
		}
	}
	// A gap of 5 minutes, of a day with 25 hours, and of a weekend; an hour between two samples, 10 minutes, the time limit,
	// all rounded up, and the hour that has only begun.
	assert.Equal(t, map[string]int{"often": 3, "daily": 29, "workdays": 76}, hours)
}

func TestCheckFromOutsideAsksNginxByTheSitesURL(t *testing.T) {
	check := func(change func(*project.Config) *project.Config) recorder.Resource {
		return deploy(t, "full", change(project.StackConfig(t, "full"))).One(t, healthCheckType)
	}
	named := check(func(c *project.Config) *project.Config { return c })
	assert.Equal(t, []any{"HTTPS", 443.0, "shop.example.org"}, []any{named.Input(t, "type"), named.Input(t, "port"), named.Input(t, "fqdn")})
	plain := check(func(c *project.Config) *project.Config { return c.Remove(t, "threetier:domain") })
	assert.Equal(t, []any{"HTTP", 80.0, "k8s-shop-nginx-0a1b2c3d4e-0123456789abcdef.elb.eu-west-1.amazonaws.com", nginx.HealthPath},
		[]any{plain.Input(t, "type"), plain.Input(t, "port"), plain.Input(t, "fqdn"), plain.Input(t, "resourcePath")})
	secured := check(func(c *project.Config) *project.Config {
		return c.Remove(t, "threetier:domain").Set(t, "threetier:nginx.certificateArn", "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b-2c")
	})
	assert.Equal(t, []any{"HTTPS", 443.0}, []any{secured.Input(t, "type"), secured.Input(t, "port")})
}

// widgets are a dashboard's, by type.
func widgets(t *testing.T, r *recorder.Recording) (all []struct {
	Type                string
	X, Y, Width, Height int
	Properties          struct {
		Title, Markdown, Region string
		Metrics                 [][]any
		Alarms                  []string
	}
}) {
	t.Helper()
	var body struct{ Widgets json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(r.One(t, dashboardType).Input(t, "dashboardBody").(string)), &body))
	require.NoError(t, json.Unmarshal(body.Widgets, &all))
	return all
}

func TestDashboardFollowsTheRequestPath(t *testing.T) {
	r := watched(t)
	assert.Equal(t, "threetier-full", r.One(t, dashboardType).Input(t, "dashboardName"))
	var rows []string
	bottom, right := 0, 0
	for _, widget := range widgets(t, r) {
		switch widget.Type {
		case "alarm":
			want := 0
			for _, res := range r.All(alarmType) {
				if res.Provider == "" { // a widget shows alarms of its region alone
					want++
				}
			}
			assert.Len(t, widget.Properties.Alarms, want)
		case "text":
			rows = append(rows, strings.TrimPrefix(widget.Properties.Markdown, "## "))
		case "metric":
			assert.NotEmpty(t, widget.Properties.Metrics, widget.Properties.Title)
			assert.NotEmpty(t, widget.Properties.Region, widget.Properties.Title)
		}
		if widget.X == 0 {
			assert.GreaterOrEqual(t, widget.Y, bottom, "no two rows overlap")
		} else {
			assert.GreaterOrEqual(t, widget.X, right, "no two graphs overlap")
		}
		bottom, right = widget.Y+widget.Height, widget.X+widget.Width
		assert.LessOrEqual(t, right, 24)
	}
	assert.Equal(t, []string{"Requests", "nginx", "backend", "worker-bot", "worker-mailer", "Database"}, rows)
}

func TestAlarmsKeysAreRefusedWhereTheyCantWork(t *testing.T) {
	const group, audit = "/aws/containerinsights/acme-full/application", "/aws/eks/acme-full/cluster"
	for want, given := range map[string]map[string]any{
		"threetier:alarms.topicArn is missing, want the ARN of an SNS topic: the other keys of alarms need it": {"logGroup": group},
		`threetier:alarms.logGroup is "/aws/containerinsights/acme-dev/application", want the log group of the stack's cluster, acme-full`: {
			"topicArn": topic, "logGroup": "/aws/containerinsights/acme-dev/application"},
		`threetier:alarms.auditLogGroup is "/aws/eks/acme-dev/cluster", want the log group of the stack's cluster, acme-full`: {
			"topicArn": topic, "auditLogGroup": "/aws/eks/acme-dev/cluster"},
		`threetier:alarms.logGroup is "/aws/eks/acme-full/cluster", want the log group of the CloudWatch Observability add-on, /aws/containerinsights/CLUSTER/application`: {
			"topicArn": topic, "logGroup": audit},
		"threetier:alarms.slowSeconds is 5, want logGroup beside it: without a log nobody knows how long requests take": {"topicArn": topic, "slowSeconds": 5},
		`threetier:alarms.outsideTopicArn is "` + topic + `", want the ARN of an SNS topic in us-east-1, as arn:aws:sns:us-east-1:123456789012:alerts`: {
			"topicArn": topic, "outsideTopicArn": topic},
	} {
		assert.Equal(t, []string{want}, refusals(t, project.StackConfig(t, "full").Set(t, "threetier:alarms", given)))
	}
	config := project.StackConfig(t, "full").Set(t, "threetier:nginx.internal", true)
	assert.Equal(t, []string{"threetier:alarms.outsideTopicArn is given with nginx.internal, want a site that can be reached from outside, or no topic"},
		refusals(t, config))
}
