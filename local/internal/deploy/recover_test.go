package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"threetier/local/internal/home"
)

const interrupted = `{
  "manifest": {"version": "v3"},
  "resources": [
    {"urn": "urn:ns", "type": "kubernetes:core/v1:Namespace", "id": "shop", "outputs": {"kind": "Namespace"}},
    {"urn": "urn:job", "type": "kubernetes:batch/v1:Job", "id": "shop/job-old", "outputs": {"kind": "Job"}}
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
	unread, deployment, err := adopt(json.RawMessage(interrupted), exists)
	if err != nil {
		t.Fatal(err)
	}
	adopted := []string{"urn:web", "urn:job"}
	if !reflect.DeepEqual(unread, adopted) {
		t.Errorf("to be read are %v, want %v", unread, adopted)
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

	// The run that adopted them was killed before it had read them.
	unread, deployment, err = adopt(deployment, exists)
	if err != nil || deployment != nil || !reflect.DeepEqual(unread, adopted) {
		t.Errorf("once more to be read are %v, deployment %s, error %v, want %v alone", unread, deployment, err, adopted)
	}
}

func TestAStateWithoutPendingOperationsIsLeftAlone(t *testing.T) {
	whole := `{"resources": [{"urn": "urn:ns", "type": "kubernetes:core/v1:Namespace", "id": "shop", "outputs": {"kind": "Namespace"}}]}`
	unread, deployment, err := adopt(json.RawMessage(whole), nil)
	if err != nil || unread != nil || deployment != nil {
		t.Errorf("to be read are %v, deployment %s, error %v, want nothing", unread, deployment, err)
	}
}

func TestLockOfAPulumiThatIsAliveStays(t *testing.T) {
	t.Setenv("THREETIER_ROOT", t.TempDir())
	h, err := home.Find()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "pulumi")
	sleep, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, sleep, 0o700); err != nil {
		t.Fatal(err)
	}
	holder := exec.CommandContext(t.Context(), program, "60")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	lock := h.Path("state/.pulumi/locks/organization/threetier/dev/0.json")
	if err := os.MkdirAll(filepath.Dir(lock), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lock, fmt.Appendf(nil, `{"pid": %d}`, holder.Process.Pid), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Stack{home: h, name: "dev", project: "threetier"}
	if err := s.unlock(t.Context()); err == nil || !strings.Contains(err.Error(), "wait for it to end") {
		t.Errorf("the answer is %v, want to wait", err)
	}
}
