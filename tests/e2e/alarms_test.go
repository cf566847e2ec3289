//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"threetier/tests/cloudwatch"
)

// isWatched gives the deployed metric filters what Kubernetes and nginx have logged by now.
func (s *testStack) isWatched(t *testing.T) {
	call(t, http.StatusNotFound, http.MethodGet, s.site+"/api/nowhere", nil, nil)
	asked := kubectl(t, s.name, "logs --tail=-1 -l app.kubernetes.io/name=nginx")
	audit, err := os.ReadFile(filepath.Join(home, "logs", "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	for name, filter := range deployedFilters(t, s.name) {
		text, lines := string(audit), []cloudwatch.Line{}
		if strings.HasSuffix(filter.LogGroupName, "/application") {
			text = asked
		}
		for line := range strings.Lines(text) {
			if text == asked {
				line = cloudwatch.Shipped(namespace(s.name), "nginx", strings.TrimSpace(line))
			}
			lines = append(lines, cloudwatch.Line{Time: time.Unix(0, 0), Text: line})
		}
		points, err := filter.Points(lines)
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, point := range points {
			if point.Value > 0 {
				seen++
			}
		}
		// By the tests before this one: at least one request, no 5xx, a job that failed and one that succeeded.
		if wantsNone := name == "alarms-errors"; wantsNone != (seen == 0) {
			t.Errorf("%s matches %d of %d lines by %s", name, seen, len(lines), filter.Pattern)
		}
	}
}

// deployedFilters are a stack's metric filters, by their logical names.
func deployedFilters(t *testing.T, stack string) map[string]cloudwatch.Filter {
	t.Helper()
	filters := map[string]cloudwatch.Filter{}
	for _, res := range ofType(t, stack, "aws:cloudwatch/logMetricFilter:LogMetricFilter") {
		var filter cloudwatch.Filter
		if err := json.Unmarshal(res.Outputs, &filter); err != nil {
			t.Fatal(err)
		}
		filters[res.URN[strings.LastIndex(res.URN, ":")+1:]] = filter
	}
	if len(filters) != 4 {
		t.Fatalf("the stack has %d metric filters, want those of requests, errors, failed and nightly runs", len(filters))
	}
	return filters
}
