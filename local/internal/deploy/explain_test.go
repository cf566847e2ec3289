package deploy

import (
	"maps"
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

func TestLastWordsAreThoseOfInitContainersThatFailedInTheRun(t *testing.T) {
	pods := `{"items": [
		{"metadata": {"labels": {"app.kubernetes.io/name": "old"}}, "status": {"initContainerStatuses": [
			{"name": "database", "state": {"terminated": {"exitCode": 2, "finishedAt": "2026-01-01T09:59:59Z", "message": "before"}}}]}},
		{"metadata": {"labels": {"app.kubernetes.io/name": "migration"}}, "status": {"initContainerStatuses": [
			{"name": "copy", "state": {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T10:00:02Z"}}},
			{"name": "database", "state": {"terminated": {"exitCode": 2, "finishedAt": "2026-01-01T10:00:02Z", "message": "no such host\n"}}},
			{"name": "lock", "state": {"waiting": {}}, "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T10:00:03Z", "message": "timeout"}}}]}}]}`
	got := lastWords([]byte(pods), time.Date(2026, 1, 1, 10, 0, 1, 0, time.UTC))
	if want := []string{"Container database of migration: no such host", "Container lock of migration: timeout"}; !slices.Equal(got, want) {
		t.Errorf("the last words are %q, want %q", got, want)
	}
}

func TestPodsThatWaitForRoomAreSaidWithWhatIsLeft(t *testing.T) {
	const list = `{"items": [
		{"kind": "Node", "metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "2", "memory": "4Gi"}, "conditions": [{"type": "Ready"}]}},
		{"kind": "Pod", "metadata": {"name": "runs", "namespace": "other"}, "spec": {"nodeName": "n", "containers": [
			{"name": "a", "resources": {"requests": {"cpu": "1500m", "memory": "1Gi"}}}]}, "status": {"phase": "Running"}},
		{"kind": "Pod", "metadata": {"name": "done", "namespace": "shop"}, "spec": {"nodeName": "n", "containers": [
			{"name": "a", "resources": {"requests": {"cpu": "1"}}}]}, "status": {"phase": "Succeeded"}},
		{"kind": "Pod", "metadata": {"name": "migrate", "namespace": "shop"}, "spec": {"containers": [
			{"name": "a", "resources": {"requests": {"cpu": "1"}}}]}, "status": {"phase": "Pending", "conditions": [
			{"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu.", "lastTransitionTime": "2026-01-01T10:00:00Z"}]}},
		{"kind": "Pod", "metadata": {"name": "just-now", "namespace": "shop"}, "status": {"phase": "Pending", "conditions": [
			{"type": "PodScheduled", "reason": "Unschedulable", "message": "no room", "lastTransitionTime": "2026-01-01T10:00:09Z"}]}},
		{"kind": "Pod", "metadata": {"name": "anothers", "namespace": "other"}, "status": {"phase": "Pending", "conditions": [
			{"type": "PodScheduled", "reason": "Unschedulable", "message": "no room", "lastTransitionTime": "2026-01-01T10:00:00Z"}]}}]}`
	got := unschedulable([]byte(list), "shop", time.Date(2026, 1, 1, 10, 0, 5, 0, time.UTC))
	want := map[string]string{"migrate": "Pod migrate can't be scheduled: 0/1 nodes are available: 1 Insufficient cpu. " +
		"The node has 500m of 2000m CPU and 3072 of 4096 MiB left."}
	if !maps.Equal(got, want) {
		t.Errorf("what waits is %q, want %q", got, want)
	}
}
