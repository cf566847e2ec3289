package tests

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

// Each metric is AWS's own, in its namespace, by its name: an alarm of another one has no data, and so is silent for ever.
// RDS: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
// Network Load Balancer: https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-cloudwatch-metrics.html
// Container Insights: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-enhanced-EKS.html
// Route 53: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-cloudwatch.html
var alarmedBy = []struct {
	name, what string
	// minutes are how long it must last: shorter pages for a backup or a rollout, longer leaves users waiting.
	minutes float64
	why     string
}{
	{`database(-replica-1)?-alarm-alive`, "AWS/RDS CPUUtilization Average < 0", 5, "a failover takes two minutes"},
	{`database(-replica-1)?-alarm-cpu`, "AWS/RDS CPUUtilization Average > 80", 15, "a deployment passes"},
	{`database(-replica-1)?-alarm-storage`, "AWS/RDS FreeStorageSpace Average <", 15, "RDS grows the volume first"},
	{`database(-replica-1)?-alarm-memory`, "AWS/RDS FreeableMemory Average <", 15, "a backup passes"},
	{`database(-replica-1)?-alarm-connections`, "AWS/RDS DatabaseConnections Average >", 15, "a rollout doubles a tier's pools"},
	{`database-replica-1-alarm-lag`, "AWS/RDS ReplicaLag Minimum > 120", 15, "behind an idle primary, the lag climbs and falls"},
	{`alarms-targets`, `SELECT MAX(UnHealthyHostCount) FROM SCHEMA("AWS/NetworkELB", LoadBalancer, TargetGroup) WHERE LoadBalancer = 'net/k8s-shop-nginx-0a1b2c3d4e/0123456789abcdef' > 0`, 5, "a rollout is over by then"},
	{`alarms-errors`, "threetier/full RequestSeconds SampleCount, threetier/full ServerErrors Sum, IF(errors >= 5, 100 * errors / requests, 0) > 1.44", 10, "burn rate 14.4 of 99.9 %: 14.4 times 0.1 %"},
	{`alarms-latency`, "threetier/full RequestSeconds SampleCount, threetier/full RequestSeconds p95, IF(requests >= 20, p95, 0) > 5", 15, "1 / (1 - 0.95) requests at the least"},
	{`alarms-restarts-[a-z-]+`, "ContainerInsights pod_number_of_container_restarts Sum >= 3", 15, "Kubernetes waits up to five minutes"},
	{`alarms-maximum-[a-z-]+`, "ContainerInsights replicas_desired Minimum >=", 15, "kubernetes-mixin's"},
	{`alarms-failed-runs`, "threetier/full FailedRuns Sum > 0", 5, "each one counts"},
	{`alarms-missed-[a-z-]+`, "threetier/full Runs-nightly Sum < 1", 30 * 60, "a day, and what follows from the schedule"},
	{`alarms-outside`, "AWS/Route53 HealthCheckStatus Minimum < 1", 2, "Route 53 has waited for a minute and a half"},
}

func TestEachAlarmReadsAMetricThatAWSHas(t *testing.T) {
	config := project.StackConfig(t, "full").Set(t, "threetier:database.readReplicas", 1)
	r := deploy(t, "full", config)
	signs := map[string]string{
		"GreaterThanThreshold": ">", "GreaterThanOrEqualToThreshold": ">=", "LessThanThreshold": "<", "LessThanOrEqualToThreshold": "<=",
	}
	known := 0
	for _, res := range r.All(alarmType) {
		alarm := res.Plain().(object)
		period := number(alarm, "period")
		var reads string
		metric := func(of object, stat string) string {
			return fmt.Sprintf("%v %v %v", of["namespace"], of["metricName"], of[stat])
		}
		if queries, several := alarm["metricQueries"].([]any); several {
			var parts []string
			for i, each := range queries {
				query := each.(object)
				if of, isMetric := query["metric"].(object); isMetric {
					parts = append(parts, metric(of, "stat"))
					period = number(of, "period")
				} else {
					parts = append(parts, query["expression"].(string))
					period = max(period, number(query, "period"))
				}
				assert.Equal(t, i == len(queries)-1, query["returnData"], "%s: one value is compared", res.Name)
			}
			reads = strings.Join(parts, ", ")
		} else {
			reads = metric(alarm, "statistic")
		}
		reads += fmt.Sprintf(" %s %v", signs[alarm["comparisonOperator"].(string)], alarm["threshold"])
		for _, of := range alarmedBy {
			if !regexp.MustCompile("^" + of.name + "$").MatchString(res.Name) {
				continue
			}
			known++
			assert.Contains(t, reads+" ", of.what+" ", res.Name)
			assert.InDelta(t, of.minutes*60, period*number(alarm, "evaluationPeriods"), 1, "%s: %s", res.Name, of.why)
			assert.Contains(t, []any{nil, number(alarm, "evaluationPeriods")}, alarm["datapointsToAlarm"], "%s: all of the periods", res.Name)
			assert.Equal(t, strings.HasSuffix(res.Name, "-alive"), alarm["treatMissingData"] == "breaching", "%s: a database that is down pages once", res.Name)
		}
	}
	require.Equal(t, len(r.All(alarmType)), known, "each alarm stands in the table, once")
}

// Route 53 asks from many places: what one of them doesn't reach is no outage.
func TestTheCheckFromOutsideIsPatientAndQuick(t *testing.T) {
	check := watched(t).One(t, healthCheckType)
	assert.Contains(t, []any{10.0, 30.0}, check.Input(t, "requestInterval"), "the two that Route 53 has")
	assertBetween(t, 2, 5, check.Input(t, "failureThreshold").(float64), "one lost packet is no outage")
	assert.Nil(t, check.Input(t, "invertHealthcheck"))
	assert.Nil(t, check.Input(t, "disabled"))
}

func TestACountOfNothingIsZero(t *testing.T) {
	counted := 0
	for _, res := range watched(t).All(filterType) {
		if to := res.Input(t, "metricTransformation").(object); to["value"] == "1" {
			counted++
			assert.Equal(t, "0", to["defaultValue"], "%s: the dashboard tells no failure from no log", res.Name)
		}
	}
	require.Equal(t, 3, counted, "errors, failed runs, runs of nightly")
}
