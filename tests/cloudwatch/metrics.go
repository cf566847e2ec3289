package cloudwatch

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Line is an event of a log group.
type Line struct {
	Time time.Time
	Text string
}

// Point is one value of a metric.
type Point struct {
	Namespace, Metric string
	Dimensions        map[string]string
	Time              time.Time
	Value             float64
}

// Filter is a metric filter: the inputs of aws:cloudwatch/logMetricFilter:LogMetricFilter.
type Filter struct {
	LogGroupName, Pattern string
	MetricTransformation  struct{ Namespace, Name, Value, DefaultValue string }
}

// Points are what a filter makes of lines: a value for each match, and the default of each minute that has lines alone
// which don't match.
func (f Filter) Points(lines []Line) ([]Point, error) {
	pattern, err := ParsePattern(f.Pattern)
	if err != nil {
		return nil, err
	}
	to := f.MetricTransformation
	point := func(at time.Time, value float64) Point {
		return Point{Namespace: to.Namespace, Metric: to.Name, Time: at, Value: value}
	}
	var points []Point
	silent := map[time.Time]bool{}
	for _, line := range lines {
		minute := line.Time.Truncate(time.Minute)
		if !pattern.Matches(line.Text) {
			if _, known := silent[minute]; !known {
				silent[minute] = true
			}
			continue
		}
		silent[minute] = false
		value, err := valueOf(to.Value, line.Text)
		if err != nil {
			return nil, err
		}
		points = append(points, point(line.Time, value))
	}
	if to.DefaultValue == "" {
		return points, nil
	}
	otherwise, err := strconv.ParseFloat(to.DefaultValue, 64)
	for _, minute := range slices.SortedFunc(maps.Keys(silent), time.Time.Compare) {
		if silent[minute] {
			points = append(points, point(minute, otherwise))
		}
	}
	return points, err
}

func valueOf(value, line string) (float64, error) {
	if !strings.HasPrefix(value, "$") {
		return strconv.ParseFloat(value, 64)
	}
	selector, err := ParseSelector(value)
	if err != nil {
		return 0, err
	}
	var document any
	if err := json.Unmarshal([]byte(line), &document); err != nil {
		return 0, err
	}
	number, isNumber := selector.In(document).(float64)
	if !isNumber {
		return 0, fmt.Errorf("%s is no number in %s", value, line)
	}
	return number, nil
}

// none is the value where there is no data.
var none = math.NaN()

// statistic sums the values of a period up.
func statistic(name string, values []float64) (float64, error) {
	if len(values) == 0 {
		return none, nil
	}
	sum := 0.0
	for _, value := range values {
		sum += value
	}
	switch strings.ToLower(name) {
	case "sum":
		return sum, nil
	case "samplecount":
		return float64(len(values)), nil
	case "average", "avg":
		return sum / float64(len(values)), nil
	case "minimum", "min":
		return slices.Min(values), nil
	case "maximum", "max":
		return slices.Max(values), nil
	}
	percent, isPercentile := strings.CutPrefix(name, "p")
	rank, err := strconv.ParseFloat(percent, 64)
	if !isPercentile || err != nil {
		return 0, fmt.Errorf("%q is no statistic", name)
	}
	slices.Sort(values)
	return values[max(0, int(math.Ceil(rank/100*float64(len(values))))-1)], nil
}

// insights are the queries of Metrics Insights without groups.
var insights = regexp.MustCompile(`^SELECT (\w+)\((\w+)\) FROM SCHEMA\("?([\w/]+)"?((?:, \w+)+)\) WHERE (\w+) = '([^']*)'$`)

// insightsValue sums up all metrics with exactly the schema's dimensions.
func insightsValue(query string, points []Point) (float64, error) {
	parts := insights.FindStringSubmatch(query)
	if parts == nil {
		return 0, fmt.Errorf("%q is no query of Metrics Insights that is known here", query)
	}
	names := strings.Split(strings.TrimPrefix(parts[4], ", "), ", ")
	slices.Sort(names)
	var values []float64
	for _, point := range points {
		if point.Namespace == parts[3] && point.Metric == parts[2] && point.Dimensions[parts[5]] == parts[6] &&
			slices.Equal(slices.Sorted(maps.Keys(point.Dimensions)), names) {
			values = append(values, point.Value)
		}
	}
	return statistic(parts[1], values)
}

// Shipped is a line of a container's log as the CloudWatch Observability add-on writes it: its Fluent Bit adds what it
// knows of the container, and, with Merge_Log, what a line of JSON says.
func Shipped(namespace, container, line string) string {
	record := map[string]any{
		"time": "2026-03-01T12:00:00.123456789Z", "stream": "stdout", "_p": "F", "log": line,
		"kubernetes": map[string]any{
			"pod_name": "app-" + container + "-0a1b2c3d-6f7c9d5b4-x2x4z", "namespace_name": namespace, "container_name": container,
			"pod_id": "0a1b2c3d-0000-4000-8000-0123456789ab", "host": "ip-10-0-2-17.eu-west-1.compute.internal",
		},
	}
	var parsed map[string]any
	if json.Unmarshal([]byte(line), &parsed) == nil {
		record["log_processed"] = parsed
	}
	text, _ := json.Marshal(record) // maps and texts alone
	return string(text)
}
