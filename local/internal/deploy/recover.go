package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// recover clears up after a run that was killed: what it had begun to create is taken into the state where it came
// to exist.
func (s *Stack) recover(ctx context.Context) error {
	if err := s.unlock(ctx); err != nil {
		return err
	}
	data, err := os.ReadFile(s.state())
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	var state struct {
		Version    int
		Checkpoint struct{ Latest json.RawMessage }
	}
	if err := json.Unmarshal(data, &state); err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	if len(state.Checkpoint.Latest) == 0 {
		return nil // of a new stack
	}
	unread, deployment, err := adopt(state.Checkpoint.Latest, existsInCluster)
	if err != nil {
		return fmt.Errorf("take up an interrupted run: %w", err)
	}
	if deployment != nil {
		imported, err := json.Marshal(object{"version": state.Version, "deployment": deployment})
		if err != nil {
			return fmt.Errorf("write the state: %w", err)
		}
		cmd := s.pulumi(ctx, "stack", "import")
		cmd.Stdin = bytes.NewReader(imported)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("write the state: %w: %s", err, bytes.TrimSpace(out))
		}
	}
	if len(unread) == 0 {
		return nil
	}
	fmt.Fprintf(os.Stderr, "a run was interrupted: taking up the %d resources that it made last\n", len(unread))
	refresh := []string{"refresh", "--yes", "--skip-preview"}
	for _, urn := range unread {
		refresh = append(refresh, "--target", urn)
	}
	return s.quietly(ctx, refresh...)
}

// unlock takes away the lock of a killed run. A Pulumi that is alive is somebody's in a shell.
func (s *Stack) unlock(ctx context.Context) error {
	locks, err := filepath.Glob(s.home.Path("state/.pulumi/locks/organization", s.project, s.name, "*.json"))
	if err != nil || len(locks) == 0 {
		return err
	}
	for _, file := range locks {
		var holder struct{ PID int }
		data, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(data, &holder) != nil {
			continue // half-written, or gone
		}
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", holder.PID))
		if err == nil && string(name) == "pulumi\n" {
			return fmt.Errorf("pulumi is at work on the stack %s in a shell, as process %d of the node: wait for it to end", s.name, holder.PID)
		}
	}
	return s.quietly(ctx, "cancel", "--yes")
}

// object is a part of the state that is handed on as it is, except what is named here.
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
