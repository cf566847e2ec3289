package account

import (
	"slices"
)

const (
	kindLogGroup = "cloudwatch/logGroup"
	kindAlarm    = "cloudwatch/metricAlarm"
)

// retentions are the numbers of days that CloudWatch keeps logs for; 0 is for ever.
var retentions = []int{0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func createLogGroup(a *Account, c *call) (*record, error) {
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

func updateLogGroup(_ *Account, c *call, _ *record) error {
	if days := number(c.inputs, "retentionInDays"); !slices.Contains(retentions, days) {
		return refuse("InvalidParameterException", "retentionInDays is %d, want one of %v", days, retentions)
	}
	return nil
}

// createLogGroups makes those that RDS makes by itself, without retention, where nobody did before. The caller holds
// a.mu.
func (a *Account) createLogGroups(rec *record) {
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
func createAlarm(a *Account, c *call) (*record, error) {
	name := text(c.inputs, "name")
	rec := c.record(kindAlarm, name)
	rec.Outputs = map[string]any{
		"arn": arn("cloudwatch", c.region, "alarm:"+name), "actionsEnabled": true, "treatMissingData": "missing",
		"evaluateLowSampleCountPercentiles": "",
	}
	return rec, updateAlarm(a, c, rec)
}

func updateAlarm(_ *Account, c *call, _ *record) error {
	in := c.inputs
	switch {
	case !slices.Contains(comparisons, text(in, "comparisonOperator")):
		return refuse("ValidationError", "comparisonOperator is %q, want one of %v", text(in, "comparisonOperator"), comparisons)
	case number(in, "evaluationPeriods") < 1:
		return refuse("ValidationError", "evaluationPeriods is %d, want 1 or more", number(in, "evaluationPeriods"))
	case number(in, "datapointsToAlarm") > number(in, "evaluationPeriods"):
		return refuse("ValidationError", "datapointsToAlarm can't be more than evaluationPeriods")
	case text(in, "metricName") == "" || text(in, "namespace") == "":
		return refuse("ValidationError", "metricName and namespace are required")
	case number(in, "period") < 10 || number(in, "period")%10 != 0 || number(in, "period") > 30 && number(in, "period")%60 != 0:
		return refuse("ValidationError", "period is %d, want 10, 30 or a multiple of 60", number(in, "period"))
	case text(in, "statistic") == "" && text(in, "extendedStatistic") == "":
		return refuse("ValidationError", "statistic or extendedStatistic is required")
	}
	if missing := text(in, "treatMissingData"); !slices.Contains([]string{"", "missing", "ignore", "breaching", "notBreaching"}, missing) {
		return refuse("ValidationError", "treatMissingData is %q, want missing, ignore, breaching or notBreaching", missing)
	}
	return nil
}
