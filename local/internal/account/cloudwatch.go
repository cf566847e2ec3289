package account

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

const (
	kindLogGroup     = "cloudwatch/logGroup"
	kindAlarm        = "cloudwatch/metricAlarm"
	kindMetricFilter = "cloudwatch/logMetricFilter"
	kindDashboard    = "cloudwatch/dashboard"
	kindHealthCheck  = "route53/healthCheck"
)

// retentions are the numbers of days that CloudWatch keeps logs for; 0 is for ever.
var retentions = []int{0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func createLogGroup(a *shared, c *call) (*record, error) {
	name := text(c.inputs, "name")
	if a.store.get(kindLogGroup, name) != nil {
		return nil, refuse("ResourceAlreadyExistsException", "The specified log group already exists: %s", name)
	}
	rec := c.record(kindLogGroup, name)
	rec.Outputs = map[string]any{
		"arn": arn("logs", c.region, "log-group:"+name), "logGroupClass": "STANDARD", "retentionInDays": 0, "skipDestroy": false,
	}
	return rec, updateLogGroup(a, c, rec)
}

func updateLogGroup(_ *shared, c *call, _ *record) error {
	if days := number(c.inputs, "retentionInDays"); !slices.Contains(retentions, days) {
		return refuse("InvalidParameterException", "retentionInDays is %d, want one of %v", days, retentions)
	}
	return nil
}

// createLogGroups makes those that RDS makes by itself, without retention, where nobody did before. The caller holds
// a.mu.
func createLogGroups(a *shared, rec *record) {
	for _, export := range list(rec.Inputs, "enabledCloudwatchLogsExports") {
		name := "/aws/rds/instance/" + rec.Instance.Identifier + "/" + export
		if a.store.get(kindLogGroup, name) != nil {
			continue
		}
		group, err := createLogGroup(a, &call{region: rec.Region, inputs: map[string]any{"name": name}})
		if err == nil {
			err = a.store.put(group)
		}
		if err != nil {
			a.log.Warn("log group isn't made", "name", name, "error", err)
		}
	}
}

var comparisons = []string{"GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold",
	"LessThanOrEqualToThreshold", "LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"}

// createAlarm replaces an alarm of the same name, as CloudWatch does.
func createAlarm(a *shared, c *call) (*record, error) {
	name := text(c.inputs, "name")
	rec := c.record(kindAlarm, name)
	rec.Outputs = map[string]any{
		"arn": arn("cloudwatch", c.region, "alarm:"+name), "actionsEnabled": true, "treatMissingData": "missing",
		"evaluateLowSampleCountPercentiles": "",
	}
	return rec, updateAlarm(a, c, rec)
}

func updateAlarm(_ *shared, c *call, _ *record) error {
	in := c.inputs
	switch {
	case !slices.Contains(comparisons, text(in, "comparisonOperator")):
		return refuse("ValidationError", "comparisonOperator is %q, want one of %v", text(in, "comparisonOperator"), comparisons)
	case number(in, "evaluationPeriods") < 1:
		return refuse("ValidationError", "evaluationPeriods is %d, want 1 or more", number(in, "evaluationPeriods"))
	case number(in, "datapointsToAlarm") > number(in, "evaluationPeriods"):
		return refuse("ValidationError", "datapointsToAlarm can't be more than evaluationPeriods")
	}
	if missing := text(in, "treatMissingData"); !slices.Contains([]string{"", "missing", "ignore", "breaching", "notBreaching"}, missing) {
		return refuse("ValidationError", "treatMissingData is %q, want missing, ignore, breaching or notBreaching", missing)
	}
	if queries, _ := in["metricQueries"].([]any); len(queries) > 0 {
		return checkQueries(in, queries)
	}
	if text(in, "statistic") == "" && text(in, "extendedStatistic") == "" {
		return refuse("ValidationError", "statistic or extendedStatistic is required")
	}
	return checkMetric(in, number(in, "evaluationPeriods"))
}

// checkMetric is for an alarm's one metric, or one of its queries'.
func checkMetric(metric map[string]any, periods int) error {
	if text(metric, "metricName") == "" || text(metric, "namespace") == "" {
		return refuse("ValidationError", "metricName and namespace are required")
	}
	return checkPeriod(number(metric, "period"), periods)
}

const day = 24 * 60 * 60

// checkPeriod also holds the whole time to a day, or, of periods of an hour or more, to a week.
func checkPeriod(period, periods int) error {
	longest := day
	if period >= day/24 {
		longest = 7 * day
	}
	switch {
	case period < 10 || period%10 != 0 || period > 30 && period%60 != 0:
		return refuse("ValidationError", "period is %d, want 10, 30 or a multiple of 60", period)
	case period*periods > longest:
		return refuse("ValidationError", "Metrics cannot be checked across more than %d seconds (EvaluationPeriods * Period must be <= %d).", longest, longest)
	}
	return nil
}

// insightsSeconds is how far back an alarm looks that has a query of Metrics Insights.
const insightsSeconds = 3 * 60 * 60

func checkQueries(in map[string]any, queries []any) error {
	if text(in, "metricName") != "" {
		return refuse("ValidationError", "an alarm has metrics or a metricName")
	}
	compared := 0
	for _, item := range queries {
		query, _ := item.(map[string]any)
		if truth(query, "returnData") {
			compared++
		}
		metric, hasMetric := query["metric"].(map[string]any)
		expression, err := text(query, "expression"), error(nil)
		switch {
		case text(query, "id") == "", hasMetric == (expression != ""):
			return refuse("ValidationError", "a metric query has an id, and either a metric or an expression")
		case hasMetric && text(metric, "stat") == "":
			return refuse("ValidationError", "stat is required")
		case hasMetric:
			err = checkMetric(metric, number(in, "evaluationPeriods"))
		case strings.HasPrefix(expression, "SELECT "):
			err = checkPeriod(number(query, "period"), number(in, "evaluationPeriods"))
			if number(query, "period")*number(in, "evaluationPeriods") > insightsSeconds {
				err = refuse("ValidationError", "a query of Metrics Insights looks back for %d seconds at the most", insightsSeconds)
			}
		}
		if err != nil {
			return err
		}
	}
	if compared != 1 {
		return refuse("ValidationError", "%d metric queries return data, want one", compared)
	}
	return nil
}

// hasLogGroup also knows the cluster's own: EKS makes one, and the CloudWatch Observability add-on the other.
func hasLogGroup(a *shared, name string) bool {
	return a.store.get(kindLogGroup, name) != nil || clusterLogGroup.MatchString(name)
}

var clusterLogGroup = regexp.MustCompile(`^(/aws/eks/[^/]+/cluster|/aws/containerinsights/[^/]+/application)$`)

func createMetricFilter(a *shared, c *call) (*record, error) {
	rec := c.record(kindMetricFilter, text(c.inputs, "name"))
	rec.Outputs = map[string]any{}
	return rec, updateMetricFilter(a, c, rec)
}

// longestPattern is in letters.
const longestPattern = 1024

func updateMetricFilter(a *shared, c *call, _ *record) error {
	transformation, _ := c.inputs["metricTransformation"].(map[string]any)
	dimensions, _ := transformation["dimensions"].(map[string]any)
	pattern := text(c.inputs, "pattern")
	switch {
	case !hasLogGroup(a, text(c.inputs, "logGroupName")):
		return refuse("ResourceNotFoundException", "The specified log group does not exist: %s", text(c.inputs, "logGroupName"))
	case len(pattern) > longestPattern || strings.HasPrefix(pattern, "{") != strings.HasSuffix(pattern, "}"):
		return refuse("InvalidParameterException", "Invalid metric filter pattern: %s", pattern)
	case text(transformation, "name") == "" || text(transformation, "namespace") == "" || text(transformation, "value") == "":
		return refuse("InvalidParameterException", "a metric transformation has a name, a namespace and a value")
	case text(transformation, "defaultValue") != "" && len(dimensions) > 0:
		return refuse("InvalidParameterException", "a metric transformation has a defaultValue or dimensions")
	}
	return nil
}

// createDashboard replaces a dashboard of the same name, as CloudWatch does.
func createDashboard(a *shared, c *call) (*record, error) {
	rec := c.record(kindDashboard, text(c.inputs, "dashboardName"))
	rec.Outputs = map[string]any{"dashboardArn": arn("cloudwatch", "", "dashboard/"+rec.ID)}
	return rec, updateDashboard(a, c, rec)
}

var dashboardName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func updateDashboard(_ *shared, c *call, _ *record) error {
	if name := text(c.inputs, "dashboardName"); !dashboardName.MatchString(name) {
		return refuse("InvalidParameterValue", "dashboardName is %q, want letters, digits, - and _", name)
	}
	var body struct {
		Widgets []struct {
			Type       string
			X, Width   int
			Properties map[string]any
		}
	}
	if err := json.Unmarshal([]byte(text(c.inputs, "dashboardBody")), &body); err != nil {
		return refuse("InvalidParameterInput", "The field DashboardBody must be a valid JSON object: %v", err)
	}
	for i, widget := range body.Widgets {
		switch _, hasRegion := widget.Properties["region"]; {
		case !slices.Contains([]string{"metric", "text", "log", "alarm"}, widget.Type):
			return refuse("InvalidParameterInput", "widget %d: type is %q", i, widget.Type)
		case widget.X+widget.Width > 24:
			return refuse("InvalidParameterInput", "widget %d: x and width are %d and %d, want a sum of 24 at the most", i, widget.X, widget.Width)
		case widget.Type == "metric" && !hasRegion:
			return refuse("InvalidParameterInput", "widget %d: region is required", i)
		}
	}
	return nil
}

func createHealthCheck(a *shared, c *call) (*record, error) {
	rec := c.record(kindHealthCheck, randomHex(16))
	rec.Outputs = map[string]any{"arn": "arn:aws:route53:::healthcheck/" + rec.ID}
	return rec, updateHealthCheck(a, c, rec)
}

func updateHealthCheck(_ *shared, c *call, _ *record) error {
	in := c.inputs
	switch {
	case !slices.Contains([]string{"HTTP", "HTTPS", "TCP"}, text(in, "type")):
		return refuse("InvalidInput", "type is %q, want HTTP, HTTPS or TCP", text(in, "type"))
	case text(in, "fqdn") == "":
		return refuse("InvalidInput", "fqdn is required")
	case !slices.Contains([]int{10, 30}, number(in, "requestInterval")):
		return refuse("InvalidInput", "requestInterval is %d, want 10 or 30", number(in, "requestInterval"))
	case number(in, "failureThreshold") < 1 || number(in, "failureThreshold") > 10:
		return refuse("InvalidInput", "failureThreshold is %d, want 1 to 10", number(in, "failureThreshold"))
	}
	return nil
}
