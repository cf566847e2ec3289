package cloudwatch

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Alarm are the inputs of aws:cloudwatch/metricAlarm:MetricAlarm that the program gives.
type Alarm struct {
	MetricQueries      []Query
	ComparisonOperator string
	EvaluationPeriods  int
	Threshold          float64
	TreatMissingData   string
}

// Query is one of an alarm's.
type Query struct {
	ID, Expression string
	Period         int
	ReturnData     bool
	Metric         *Metric
}

// Metric is what a query looks at.
type Metric struct {
	Namespace, MetricName, Stat string
	Dimensions                  map[string]string
	Period                      int
}

// States of an alarm.
const (
	OK           = "OK"
	InAlarm      = "ALARM"
	Insufficient = "INSUFFICIENT_DATA"
)

// moreThanEvaluated is how many periods beyond those that it evaluates CloudWatch takes its data from. AWS's examples
// have two, and say that the number differs.
const moreThanEvaluated = 2

// State is the alarm's at a moment. Where data is missing and the alarm ignores that, it is empty: the state of before.
func (a Alarm) State(points []Point, now time.Time) (string, error) {
	compare, known := comparisons[a.ComparisonOperator]
	if !known {
		return "", fmt.Errorf("%q is no comparison", a.ComparisonOperator)
	}
	period := time.Duration(a.period()) * time.Second
	end := now.Truncate(period)
	var breaching []bool // of the periods with data, the newest first
	for i := range a.EvaluationPeriods + moreThanEvaluated {
		from := end.Add(-time.Duration(i+1) * period)
		value, err := a.value(within(points, from, from.Add(period)))
		if err != nil {
			return "", err
		}
		if !math.IsNaN(value) {
			breaching = append(breaching, compare(value, a.Threshold))
		}
	}
	return a.judge(breaching)
}

// judge fills in what is missing, but no more than it has to.
func (a Alarm) judge(breaching []bool) (string, error) {
	missing := max(0, a.EvaluationPeriods-len(breaching))
	if missing == 0 {
		breaching = breaching[:a.EvaluationPeriods]
	}
	fine := false
	for _, each := range breaching {
		fine = fine || !each
	}
	switch {
	case fine:
		return OK, nil
	case missing == 0:
		return InAlarm, nil
	}
	switch a.TreatMissingData {
	case "notBreaching":
		return OK, nil
	case "breaching":
		return InAlarm, nil
	case "ignore":
		return "", nil
	case "missing", "":
		if len(breaching) == 0 {
			return Insufficient, nil
		}
		return InAlarm, nil
	}
	return "", fmt.Errorf("%q is no way to treat missing data", a.TreatMissingData)
}

// period is that of all queries.
func (a Alarm) period() int {
	for _, query := range a.MetricQueries {
		if query.Metric != nil {
			return query.Metric.Period
		}
	}
	return a.MetricQueries[0].Period
}

// value is that of the query that is compared, over one period's points.
func (a Alarm) value(points []Point) (float64, error) {
	values, compared := map[string]float64{}, none
	for _, query := range a.MetricQueries {
		value, err := query.value(points, values)
		if err != nil {
			return 0, fmt.Errorf("query %s: %w", query.ID, err)
		}
		values[query.ID] = value
		if query.ReturnData {
			compared = value
		}
	}
	return compared, nil
}

func (q Query) value(points []Point, others map[string]float64) (float64, error) {
	switch {
	case q.Metric != nil:
		var values []float64
		for _, point := range points {
			if point.Namespace == q.Metric.Namespace && point.Metric == q.Metric.MetricName && maps.Equal(point.Dimensions, q.Metric.Dimensions) {
				values = append(values, point.Value)
			}
		}
		return statistic(q.Metric.Stat, values)
	case strings.HasPrefix(q.Expression, "SELECT "):
		return insightsValue(q.Expression, points)
	}
	e := &expression{parser: parser{tokens: tokens(mathToken, q.Expression)}, values: others}
	value, err := e.comparison()
	if err == nil && len(e.tokens) > 0 {
		err = fmt.Errorf("%q follows the end", e.tokens[0])
	}
	return value, err
}

func within(points []Point, from, to time.Time) []Point {
	var inside []Point
	for _, point := range points {
		if !point.Time.Before(from) && point.Time.Before(to) {
			inside = append(inside, point)
		}
	}
	return inside
}

var comparisons = map[string]func(a, b float64) bool{
	"GreaterThanThreshold": numeric[">"], "GreaterThanOrEqualToThreshold": numeric[">="],
	"LessThanThreshold": numeric["<"], "LessThanOrEqualToThreshold": numeric["<="],
}

var mathToken = regexp.MustCompile(`>=|<=|[<>(),*/+-]|[A-Za-z]\w*|\d+(?:\.\d+)?|\S`)

// expression is metric math at one time: numbers, the other queries, the four operations, comparisons and IF. Missing
// data stays missing.
type expression struct {
	parser
	values map[string]float64
}

func (e *expression) comparison() (float64, error) {
	left, err := e.sum()
	for _, operator := range []string{">=", "<=", ">", "<"} {
		if err != nil || !e.takes(operator) {
			continue
		}
		var right float64
		right, err = e.sum()
		switch {
		case math.IsNaN(left) || math.IsNaN(right):
			left = none
		case numeric[operator](left, right):
			left = 1
		default:
			left = 0
		}
	}
	return left, err
}

func (e *expression) sum() (float64, error) {
	left, err := e.product()
	for err == nil {
		var right float64
		switch {
		case e.takes("+"):
			right, err = e.product()
			left += right
		case e.takes("-"):
			right, err = e.product()
			left -= right
		default:
			return left, nil
		}
	}
	return left, err
}

func (e *expression) product() (float64, error) {
	left, err := e.factor()
	for err == nil {
		var right float64
		switch {
		case e.takes("*"):
			right, err = e.factor()
			left *= right
		case e.takes("/"):
			right, err = e.factor()
			left /= right
			if right == 0 {
				left = none // CloudWatch drops the data point
			}
		default:
			return left, nil
		}
	}
	return left, err
}

func (e *expression) factor() (float64, error) {
	token := e.next()
	if token == "(" {
		value, err := e.comparison()
		if err == nil && !e.takes(")") {
			err = fmt.Errorf("a parenthesis isn't closed")
		}
		return value, err
	}
	if token == "IF" {
		return e.choice()
	}
	if value, known := e.values[token]; known {
		return value, nil
	}
	return strconv.ParseFloat(token, 64)
}

// choice is IF(condition, then, otherwise).
func (e *expression) choice() (float64, error) {
	var parts [3]float64
	for i, before := range []string{"(", ",", ","} {
		if !e.takes(before) {
			return 0, fmt.Errorf("IF wants %q before its part %d", before, i+1)
		}
		var err error
		if parts[i], err = e.comparison(); err != nil {
			return 0, err
		}
	}
	switch {
	case !e.takes(")"):
		return 0, fmt.Errorf("IF isn't closed")
	case math.IsNaN(parts[0]):
		return none, nil
	case parts[0] != 0:
		return parts[1], nil
	}
	return parts[2], nil
}
