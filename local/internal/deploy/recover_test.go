package deploy

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

const interrupted = `{
  "manifest": {"version": "v3"},
  "resources": [
    {"urn": "urn:ns", "type": "kubernetes:core/v1:Namespace", "id": "shop"},
    {"urn": "urn:job", "type": "kubernetes:batch/v1:Job", "id": "shop/job-old"}
  ],
  "pending_operations": [
    {"type": "creating", "resource": {"urn": "urn:web", "type": "kubernetes:apps/v1:Deployment",
      "inputs": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web-1", "namespace": "shop"}}}},
    {"type": "creating", "resource": {"urn": "urn:job", "type": "kubernetes:batch/v1:Job",
      "inputs": {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job-new", "namespace": "shop"}}}},
    {"type": "creating", "resource": {"urn": "urn:lost", "type": "kubernetes:core/v1:ConfigMap",
      "inputs": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lost", "namespace": "shop"}}}},
    {"type": "creating", "resource": {"urn": "urn:db", "type": "aws:rds/instance:Instance", "inputs": {}}},
    {"type": "updating", "resource": {"urn": "urn:ns", "type": "kubernetes:core/v1:Namespace",
      "inputs": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}}}
  ]
}`

func TestWhatAnInterruptedRunMadeIsAdoptedAndTheRestForgotten(t *testing.T) {
	exists := func(manifest []byte) bool { return !bytes.Contains(manifest, []byte(`"name":"lost"`)) }
	adopted, deployment, err := adopt(json.RawMessage(interrupted), exists)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"urn:web", "urn:job"}; !reflect.DeepEqual(adopted, want) {
		t.Errorf("adopted %v, want %v", adopted, want)
	}
	var state struct {
		Resources []struct {
			URN    string
			ID     string
			Delete bool
		}
		Pending []any `json:"pending_operations"`
	}
	if err := json.Unmarshal(deployment, &state); err != nil {
		t.Fatal(err)
	}
	if len(state.Pending) != 0 {
		t.Errorf("still pending: %v", state.Pending)
	}
	var got []string
	for _, r := range state.Resources {
		line := r.URN + "=" + r.ID
		if r.Delete {
			line += " to delete"
		}
		got = append(got, line)
	}
	want := []string{"urn:ns=shop", "urn:job=shop/job-old to delete", "urn:web=shop/web-1", "urn:job=shop/job-new"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the resources are %v, want %v", got, want)
	}
}

func TestAStateWithoutPendingOperationsIsLeftAlone(t *testing.T) {
	adopted, deployment, err := adopt(json.RawMessage(`{"resources": []}`), nil)
	if err != nil || adopted != nil || deployment != nil {
		t.Errorf("adopted %v, deployment %s, error %v, want nothing", adopted, deployment, err)
	}
}
