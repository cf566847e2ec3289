package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
)

// recover clears up after a run that was killed. The stack's own lock says
// that no other run is alive, so a lock in the state is a dead one's; what that
// run had begun to create is taken into the state where it came to exist.
func (s *Stack) recover(ctx context.Context) error {
	// There is nothing to cancel where nothing was killed, and that is no error to show.
	_ = s.stack.Cancel(ctx)
	exported, err := s.stack.Export(ctx)
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	unread, deployment, err := adopt(exported.Deployment, existsInCluster)
	if err != nil {
		return fmt.Errorf("take up an interrupted run: %w", err)
	}
	if deployment != nil {
		exported.Deployment = deployment
		if err := s.stack.Import(ctx, exported); err != nil {
			return fmt.Errorf("write the state: %w", err)
		}
	}
	if len(unread) == 0 {
		return nil
	}
	fmt.Fprintf(os.Stderr, "a run was interrupted: taking up the %d resources that it made last\n", len(unread))
	_, err = s.stack.Refresh(ctx, optrefresh.Target(unread), optrefresh.ErrorProgressStreams(os.Stderr))
	if err != nil {
		return fmt.Errorf("read what an interrupted run made: %w", err)
	}
	return nil
}

// object is a part of the state that is handed on as it is, but for what is named here.
type object map[string]any

// adopt turns pending creations of Kubernetes objects into resources where they
// exist, and drops all other pending operations; Pulumi's own way,
// refresh --import-pending-creates, drops these too. Nothing pending: no
// deployment. What the account holds needs no adoption: it knows for which
// resource it was made, and hands it to the next creation.
//
// An adopted resource has no outputs, and the provider stops at that. So those
// without are returned, to be refreshed, also where an earlier run adopted them
// and was killed before it had refreshed them.
func adopt(deployment json.RawMessage, exists func(manifest []byte) bool) (unread []string, edited json.RawMessage, err error) {
	var state object
	if err := json.Unmarshal(deployment, &state); err != nil {
		return nil, nil, fmt.Errorf("read the state: %w", err)
	}
	operations, _ := state["pending_operations"].([]any)
	resources, _ := state["resources"].([]any)
	for _, o := range operations {
		operation, _ := o.(map[string]any)
		resource, _ := operation["resource"].(map[string]any)
		id, manifest, err := kubernetesObject(resource)
		if err != nil {
			return nil, nil, err
		}
		if operation["type"] != "creating" || id == "" || !exists(manifest) {
			continue
		}
		for _, r := range resources {
			// The new one was to replace this, whose deletion comes next.
			if old, _ := r.(map[string]any); old["urn"] == resource["urn"] {
				old["delete"] = true
			}
		}
		resource["id"] = id
		resources = append(resources, resource)
	}
	for _, r := range resources {
		resource, _ := r.(map[string]any)
		kind, _ := resource["type"].(string)
		outputs, _ := resource["outputs"].(map[string]any)
		if strings.HasPrefix(kind, "kubernetes:") && len(outputs) == 0 {
			unread = append(unread, fmt.Sprint(resource["urn"]))
		}
	}
	if len(operations) == 0 {
		return unread, nil, nil
	}
	state["resources"] = resources
	delete(state, "pending_operations")
	if edited, err = json.Marshal(state); err != nil {
		return nil, nil, fmt.Errorf("write the state: %w", err)
	}
	return unread, edited, nil
}

// kubernetesObject is a resource's id and what finds it in the cluster; no id: it is none.
func kubernetesObject(resource map[string]any) (string, []byte, error) {
	kind, _ := resource["type"].(string)
	inputs, _ := resource["inputs"].(map[string]any)
	metadata, _ := inputs["metadata"].(map[string]any)
	id, _ := metadata["name"].(string)
	if !strings.HasPrefix(kind, "kubernetes:") || id == "" {
		return "", nil, nil
	}
	if namespace, ok := metadata["namespace"].(string); ok {
		id = namespace + "/" + id
	}
	manifest, err := json.Marshal(object{
		"apiVersion": inputs["apiVersion"], "kind": inputs["kind"],
		"metadata": object{"name": metadata["name"], "namespace": metadata["namespace"]},
	})
	return id, manifest, err
}

func existsInCluster(manifest []byte) bool {
	get := exec.Command("kubectl", "get", "-f", "-")
	get.Stdin = bytes.NewReader(manifest)
	return get.Run() == nil
}

func writeEvents(out io.Writer, channel <-chan events.EngineEvent) {
	encoder := json.NewEncoder(out)
	for e := range channel {
		if d := e.DiagnosticEvent; d != nil {
			d.Message = string(withoutValues([]byte(d.Message)))
		}
		if err := encoder.Encode(e.EngineEvent); err != nil {
			fmt.Fprintf(os.Stderr, "the engine's events are not kept: %v\n", err)
			encoder = json.NewEncoder(io.Discard)
		}
	}
}
