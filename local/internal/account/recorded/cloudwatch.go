package recorded

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"threetier/local/internal/account/state"
)

const (
	KindLogGroup     = "cloudwatch/logGroup"
	KindAlarm        = "cloudwatch/metricAlarm"
	KindMetricFilter = "cloudwatch/logMetricFilter"
	KindDashboard    = "cloudwatch/dashboard"
	KindHealthCheck  = "route53/healthCheck"
)

// retentions are the numbers of days that CloudWatch keeps logs for; 0 is for ever.
var retentions = []int{0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func createLogGroup(a *state.Shared, c *state.Call) (*state.Record, error) {
	name := state.Text(c.Inputs, "name")
	if a.Store.Get(KindLogGroup, name) != nil {
		return nil, state.Refuse("ResourceAlreadyExistsException", "The specified log group already exists: %s", name)
	}
	rec := c.Record(KindLogGroup, name)
	rec.Outputs = map[string]any{
		"arn": state.ARN("logs", c.Region, "log-group:"+name), "logGroupClass": "STANDARD", "retentionInDays": 0, "skipDestroy": false,
	}
	return rec, updateLogGroup(a, c, rec)
}

func updateLogGroup(_ *state.Shared, c *state.Call, _ *state.Record) error {
	if days := state.Number(c.Inputs, "retentionInDays"); !slices.Contains(retentions, days) {
		return state.Refuse("InvalidParameterException", "retentionInDays is %d, want one of %v", days, retentions)
	}
	return nil
}

// CreateLogGroups makes those that RDS makes by itself, without retention, where nobody did before. The caller holds
// a.Mu.
func CreateLogGroups(a *state.Shared, rec *state.Record) {
	for _, export := range state.List(rec.Inputs, "enabledCloudwatchLogsExports") {
		name := "/aws/rds/instance/" + rec.Instance.Identifier + "/" + export
		if a.Store.Get(KindLogGroup, name) != nil {
			continue
		}
		group, err := createLogGroup(a, &state.Call{Region: rec.Region, Inputs: map[string]any{"name": name}})
		if err == nil {
			err = a.Store.Put(group)
		}
		if err != nil {
			a.Log.Warn("log group isn't made", "name", name, "error", err)
		}
	}
}

var comparisons = []string{"GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold",
	"LessThanOrEqualToThreshold", "LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"}

// createAlarm replaces an alarm of the same name, as CloudWatch does.
func createAlarm(a *state.Shared, c *state.Call) (*state.Record, error) {
	name := state.Text(c.Inputs, "name")
	rec := c.Record(KindAlarm, name)
	rec.Outputs = map[string]any{
		"arn": state.ARN("cloudwatch", c.Region, "alarm:"+name), "actionsEnabled": true, "treatMissingData": "missing",
		"evaluateLowSampleCountPercentiles": "",
	}
	return rec, updateAlarm(a, c, rec)
}

func updateAlarm(_ *state.Shared, c *state.Call, _ *state.Record) error {
	in := c.Inputs
	switch {
	case !slices.Contains(comparisons, state.Text(in, "comparisonOperator")):
		return state.Refuse("ValidationError", "comparisonOperator is %q, want one of %v", state.Text(in, "comparisonOperator"), comparisons)
	case state.Number(in, "evaluationPeriods") < 1:
		return state.Refuse("ValidationError", "evaluationPeriods is %d, want 1 or more", state.Number(in, "evaluationPeriods"))
	case state.Number(in, "datapointsToAlarm") > state.Number(in, "evaluationPeriods"):
		return state.Refuse("ValidationError", "datapointsToAlarm can't be more than evaluationPeriods")
	}
	if missing := state.Text(in, "treatMissingData"); !slices.Contains([]string{"", "missing", "ignore", "breaching", "notBreaching"}, missing) {
		return state.Refuse("ValidationError", "treatMissingData is %q, want missing, ignore, breaching or notBreaching", missing)
	}
	if queries, _ := in["metricQueries"].([]any); len(queries) > 0 {
		return checkQueries(in, queries)
	}
	if state.Text(in, "statistic") == "" && state.Text(in, "extendedStatistic") == "" {
		return state.Refuse("ValidationError", "statistic or extendedStatistic is required")
	}
	return checkMetric(in, state.Number(in, "evaluationPeriods"))
}

// checkMetric is for an alarm's one metric, or one of its queries'.
func checkMetric(metric map[string]any, periods int) error {
	if state.Text(metric, "metricName") == "" || state.Text(metric, "namespace") == "" {
		return state.Refuse("ValidationError", "metricName and namespace are required")
	}
	return checkPeriod(state.Number(metric, "period"), periods)
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
		return state.Refuse("ValidationError", "period is %d, want 10, 30 or a multiple of 60", period)
	case period*periods > longest:
		return state.Refuse("ValidationError", "Metrics cannot be checked across more than %d seconds (EvaluationPeriods * Period must be <= %d).", longest, longest)
	}
	return nil
}

// insightsSeconds is how far back an alarm looks that has a query of Metrics Insights.
const insightsSeconds = 3 * 60 * 60

func checkQueries(in map[string]any, queries []any) error {
	if state.Text(in, "metricName") != "" {
		return state.Refuse("ValidationError", "an alarm has metrics or a metricName")
	}
	compared := 0
	for _, item := range queries {
		query, _ := item.(map[string]any)
		if state.Truth(query, "returnData") {
			compared++
		}
		metric, hasMetric := query["metric"].(map[string]any)
		expression, err := state.Text(query, "expression"), error(nil)
		switch {
		case state.Text(query, "id") == "", hasMetric == (expression != ""):
			return state.Refuse("ValidationError", "a metric query has an id, and either a metric or an expression")
		case hasMetric && state.Text(metric, "stat") == "":
			return state.Refuse("ValidationError", "stat is required")
		case hasMetric:
			err = checkMetric(metric, state.Number(in, "evaluationPeriods"))
		case strings.HasPrefix(expression, "SELECT "):
			err = checkPeriod(state.Number(query, "period"), state.Number(in, "evaluationPeriods"))
			if state.Number(query, "period")*state.Number(in, "evaluationPeriods") > insightsSeconds {
				err = state.Refuse("ValidationError", "a query of Metrics Insights looks back for %d seconds at the most", insightsSeconds)
			}
		}
		if err != nil {
			return err
		}
	}
	if compared != 1 {
		return state.Refuse("ValidationError", "%d metric queries return data, want one", compared)
	}
	return nil
}

// hasLogGroup also knows the cluster's own: EKS makes one, and the CloudWatch Observability add-on the other.
func hasLogGroup(a *state.Shared, name string) bool {
	return a.Store.Get(KindLogGroup, name) != nil || clusterLogGroup.MatchString(name)
}

var clusterLogGroup = regexp.MustCompile(`^(/aws/eks/[^/]+/cluster|/aws/containerinsights/[^/]+/application)$`)

func createMetricFilter(a *state.Shared, c *state.Call) (*state.Record, error) {
	rec := c.Record(KindMetricFilter, state.Text(c.Inputs, "name"))
	rec.Outputs = map[string]any{}
	return rec, updateMetricFilter(a, c, rec)
}

// longestPattern is in letters.
const longestPattern = 1024

func updateMetricFilter(a *state.Shared, c *state.Call, _ *state.Record) error {
	transformation, _ := c.Inputs["metricTransformation"].(map[string]any)
	dimensions, _ := transformation["dimensions"].(map[string]any)
	pattern := state.Text(c.Inputs, "pattern")
	switch {
	case !hasLogGroup(a, state.Text(c.Inputs, "logGroupName")):
		return state.Refuse("ResourceNotFoundException", "The specified log group does not exist: %s", state.Text(c.Inputs, "logGroupName"))
	case len(pattern) > longestPattern || strings.HasPrefix(pattern, "{") != strings.HasSuffix(pattern, "}"):
		return state.Refuse("InvalidParameterException", "Invalid metric filter pattern: %s", pattern)
	case state.Text(transformation, "name") == "" || state.Text(transformation, "namespace") == "" || state.Text(transformation, "value") == "":
		return state.Refuse("InvalidParameterException", "a metric transformation has a name, a namespace and a value")
	case state.Text(transformation, "defaultValue") != "" && len(dimensions) > 0:
		return state.Refuse("InvalidParameterException", "a metric transformation has a defaultValue or dimensions")
	}
	return nil
}

// createDashboard replaces a dashboard of the same name, as CloudWatch does.
func createDashboard(a *state.Shared, c *state.Call) (*state.Record, error) {
	rec := c.Record(KindDashboard, state.Text(c.Inputs, "dashboardName"))
	rec.Outputs = map[string]any{"dashboardArn": state.ARN("cloudwatch", "", "dashboard/"+rec.ID)}
	return rec, updateDashboard(a, c, rec)
}

var dashboardName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func updateDashboard(_ *state.Shared, c *state.Call, _ *state.Record) error {
	if name := state.Text(c.Inputs, "dashboardName"); !dashboardName.MatchString(name) {
		return state.Refuse("InvalidParameterValue", "dashboardName is %q, want letters, digits, - and _", name)
	}
	var body struct {
		Widgets []struct {
			Type       string
			X, Width   int
			Properties map[string]any
		}
	}
	if err := json.Unmarshal([]byte(state.Text(c.Inputs, "dashboardBody")), &body); err != nil {
		return state.Refuse("InvalidParameterInput", "The field DashboardBody must be a valid JSON object: %v", err)
	}
	for i, widget := range body.Widgets {
		switch _, hasRegion := widget.Properties["region"]; {
		case !slices.Contains([]string{"metric", "text", "log", "alarm"}, widget.Type):
			return state.Refuse("InvalidParameterInput", "widget %d: type is %q", i, widget.Type)
		case widget.X+widget.Width > 24:
			return state.Refuse("InvalidParameterInput", "widget %d: x and width are %d and %d, want a sum of 24 at the most", i, widget.X, widget.Width)
		case widget.Type == "metric" && !hasRegion:
			return state.Refuse("InvalidParameterInput", "widget %d: region is required", i)
		}
	}
	return nil
}

func createHealthCheck(a *state.Shared, c *state.Call) (*state.Record, error) {
	rec := c.Record(KindHealthCheck, state.RandomHex(16))
	rec.Outputs = map[string]any{"arn": "arn:aws:route53:::healthcheck/" + rec.ID}
	return rec, updateHealthCheck(a, c, rec)
}

func updateHealthCheck(_ *state.Shared, c *state.Call, _ *state.Record) error {
	in := c.Inputs
	switch {
	case !slices.Contains([]string{"HTTP", "HTTPS", "TCP"}, state.Text(in, "type")):
		return state.Refuse("InvalidInput", "type is %q, want HTTP, HTTPS or TCP", state.Text(in, "type"))
	case state.Text(in, "fqdn") == "":
		return state.Refuse("InvalidInput", "fqdn is required")
	case !slices.Contains([]int{10, 30}, state.Number(in, "requestInterval")):
		return state.Refuse("InvalidInput", "requestInterval is %d, want 10 or 30", state.Number(in, "requestInterval"))
	case state.Number(in, "failureThreshold") < 1 || state.Number(in, "failureThreshold") > 10:
		return state.Refuse("InvalidInput", "failureThreshold is %d, want 1 to 10", state.Number(in, "failureThreshold"))
	}
	return nil
}
