package cloudwatch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The documents and patterns are those of AWS's page on filter patterns for JSON.
func TestPatternsMatchAsTheGuideSays(t *testing.T) {
	const event = `{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another value"],
		"objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": null, "ThisFlag": true}`
	const people = `{"user": {"id": 1, "email": "John.Stiles@example.com"}, "users": [{"id": 2, "email": "John.Doe@example.com"},
		{"id": 3, "email": "Jane.Doe@example.com"}], "actions": ["GET", "PUT", "DELETE"], "coordinates": [[0, 1, 2], [4, 5, 6]], "latency": 500}`
	for pattern, test := range map[string]struct {
		line string
		want bool
	}{
		`{ $.eventType = "UpdateTrail" }`:                                              {event, true},
		`{ $.eventType = "Update*" }`:                                                  {event, true},
		`{ $.eventType = "*Trail" }`:                                                   {event, true},
		`{ $.eventType = "Update" }`:                                                   {event, false},
		`{ $.sourceIPAddress != 123.123.* }`:                                           {event, true},
		`{ $.sourceIPAddress != 111.111.* }`:                                           {event, false},
		`{ $.arrayKey[0] = "value" }`:                                                  {event, true},
		`{ $.arrayKey[9] = "value" }`:                                                  {event, false},
		`{ $.objectList[1].id = 2 }`:                                                   {event, true},
		`{ $.arrayKey != "value" }`:                                                    {event, false}, // a list is no value
		`{ $.missing != "value" }`:                                                     {event, false},
		`{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }`:           {people, true},
		`{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }`: {people, false},
		`{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch }`:   {people, true},
		`{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) && $.actions[2] = nomatch }`: {people, false},
		`{ $.latency >= 500 }`:  {people, true},
		`{ $.latency > 500 }`:   {people, false},
		`{ $.latency = "500" }`: {people, false}, // a number is no text
	} {
		parsed, err := ParsePattern(pattern)
		require.NoError(t, err)
		assert.Equal(t, test.want, parsed.Matches(test.line), pattern)
	}
	parsed, err := ParsePattern(`{ $.a = 1 }`)
	require.NoError(t, err)
	assert.False(t, parsed.Matches("no JSON"))
}

func TestPatternsThatAreNoneAreRefused(t *testing.T) {
	for _, pattern := range []string{"ERROR", "{ $.a = }", "{ a = 1 }", "{ ($.a = 1 }", "{ $.a = 1 ) }", "{ $.a ~ 1 }", `{ $.a > "x" }`, `{ $.a = "x*y" }`, "{ $.a NOT EXISTS }"} {
		_, err := ParsePattern(pattern)
		assert.Error(t, err, pattern)
	}
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// The rows are those of AWS's page on missing data: three of three periods, the oldest first, X breaches.
func TestMissingDataIsTreatedAsTheGuideSays(t *testing.T) {
	for row, want := range map[string][4]string{ // missing, ignore, breaching, notBreaching
		"0-X-X": {OK, OK, OK, OK},
		"----0": {OK, OK, OK, OK},
		"-----": {Insufficient, "", InAlarm, OK},
		"0XX-X": {InAlarm, InAlarm, InAlarm, InAlarm},
		"--X--": {InAlarm, "", InAlarm, OK},
	} {
		var points []Point
		for i, letter := range row {
			if letter != '-' {
				points = append(points, Point{Metric: "m", Time: start.Add(time.Duration(i) * time.Minute), Value: map[rune]float64{'X': 1}[letter]})
			}
		}
		for i, treat := range []string{"missing", "ignore", "breaching", "notBreaching"} {
			alarm := Alarm{
				MetricQueries:      []Query{{ID: "m", ReturnData: true, Metric: &Metric{MetricName: "m", Stat: "Sum", Period: 60}}},
				ComparisonOperator: "GreaterThanThreshold", EvaluationPeriods: 3, TreatMissingData: treat,
			}
			state, err := alarm.State(points, start.Add(5*time.Minute))
			require.NoError(t, err)
			assert.Equal(t, want[i], state, "%s, %s", row, treat)
		}
	}
}

func TestExpressionsAreComputedAndMissingDataStaysMissing(t *testing.T) {
	values := map[string]float64{"a": 6, "b": 4, "zero": 0, "gone": none}
	for expression, want := range map[string]float64{
		"a + b * 2": 14, "(a + b) * 2": 20, "a - b / 4": 5, "a >= 6": 1, "a < b": 0,
		"IF(a >= 5, 100 * b / a, 0)": 400.0 / 6, "IF(a > 6, b, 0)": 0, "IF(b < 5, a, gone)": 6,
	} {
		got, err := Query{Expression: expression}.value(nil, values)
		require.NoError(t, err, expression)
		assert.InDelta(t, want, got, 1e-9, expression)
	}
	for _, expression := range []string{"a / zero", "gone + 1", "IF(gone > 1, a, b)", "gone"} {
		got, err := Query{Expression: expression}.value(nil, values)
		require.NoError(t, err, expression)
		assert.NotEqual(t, got, got, "%s has no value", expression) //nolint:testifylint // NaN alone differs from itself
	}
	for _, expression := range []string{"unknown", "a +", "IF(a, b)", "(a", "a b", "FILL(a, 0)"} {
		_, err := Query{Expression: expression}.value(nil, values)
		assert.Error(t, err, expression)
	}
}

func TestFiltersMakeAValueOfEachMatchAndTheDefaultOfOtherMinutes(t *testing.T) {
	filter := Filter{Pattern: `{ $.s >= 0 }`}
	filter.MetricTransformation.Name, filter.MetricTransformation.Value = "m", "$.s"
	lines := []Line{{start, `{"s": 2}`}, {start.Add(time.Second), `{"s": 3}`}, {start.Add(2 * time.Second), "other"}, {start.Add(time.Minute), "other"}}
	points, err := filter.Points(lines)
	require.NoError(t, err)
	assert.Equal(t, []Point{{Metric: "m", Time: start, Value: 2}, {Metric: "m", Time: start.Add(time.Second), Value: 3}}, points)
	filter.MetricTransformation.DefaultValue = "0"
	points, err = filter.Points(lines)
	require.NoError(t, err)
	assert.Equal(t, Point{Metric: "m", Time: start.Add(time.Minute)}, points[len(points)-1])
	assert.Len(t, points, 3)
}

func TestMetricsInsightsLookAtTheSchemasMetricsAlone(t *testing.T) {
	dimensions := map[string]string{"LoadBalancer": "net/a/1", "TargetGroup": "t"}
	zone := map[string]string{"LoadBalancer": "net/a/1", "TargetGroup": "t", "AvailabilityZone": "z"}
	other := map[string]string{"LoadBalancer": "net/b/2", "TargetGroup": "t"}
	query := `SELECT MAX(Count) FROM SCHEMA("AWS/NetworkELB", LoadBalancer, TargetGroup) WHERE LoadBalancer = 'net/a/1'`
	point := func(dimensions map[string]string, value float64) Point {
		return Point{Namespace: "AWS/NetworkELB", Metric: "Count", Dimensions: dimensions, Value: value}
	}
	value, err := insightsValue(query, []Point{point(dimensions, 1), point(dimensions, 2), point(zone, 3), point(other, 4)})
	require.NoError(t, err)
	assert.InDelta(t, 2, value, 0)
	_, err = insightsValue("SELECT Count FROM x", nil)
	assert.Error(t, err)
}
