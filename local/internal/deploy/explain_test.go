package deploy

import (
	"slices"
	"testing"
	"time"
)

func TestWarningsAreThoseOfTheRunEachOnce(t *testing.T) {
	events := `{"items": [
		{"involvedObject": {"kind": "Pod", "name": "old"}, "lastTimestamp": "2026-01-01T09:59:59Z", "message": "Back-off restarting"},
		{"involvedObject": {"kind": "Pod", "name": "new"}, "lastTimestamp": "2026-01-01T10:00:01Z", "message": "Startup probe failed: 404\n"},
		{"involvedObject": {"kind": "Pod", "name": "new"}, "lastTimestamp": "2026-01-01T10:00:05Z", "message": "Startup probe failed: 404"},
		{"involvedObject": {"kind": "Job", "name": "made by an events.k8s.io client"}, "lastTimestamp": null, "message": "no time"}]}`
	got := warnings([]byte(events), time.Date(2026, 1, 1, 10, 0, 1, 500, time.UTC))
	if want := []string{"Pod new: Startup probe failed: 404"}; !slices.Equal(got, want) {
		t.Errorf("the warnings are %q, want %q", got, want)
	}
}
