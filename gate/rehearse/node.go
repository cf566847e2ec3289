package rehearse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"threetier/gate/node"
)

// localNode is the local node with the stack that is rehearsed.
type localNode struct {
	node.Node
	stack string
	// log gets what the commands say.
	log io.Writer
}

// building makes .local/bin/local.
func (n localNode) building(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(n.Root, "bin/local"), "status")
	cmd.Env = node.Environment()
	return cmd
}

func (n localNode) build(ctx context.Context) error {
	if out, err := n.building(ctx).CombinedOutput(); err != nil {
		return fmt.Errorf("bin/local status: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// run runs one of bin/local's commands for the stack, and fails with the last lines that it said.
func (n localNode) run(ctx context.Context, project string, args ...string) error {
	cmd := n.Command(ctx, args...)
	cmd.Env = append(cmd.Env, "THREETIER_PROJECT="+project)
	// Pulumi finishes what it has begun.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	var said bytes.Buffer
	cmd.Stdout = io.MultiWriter(&said, n.log)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("bin/local %s: %s", args[0], reason(said.String(), err))
	}
	return nil
}

// saysNoMore are lines of Pulumi and bin/local that only tell that something has failed, or what failed because of it.
var saysNoMore = regexp.MustCompile(`error: update failed$|program failed:|waiting for RPCs:|errors? occurred:$|^\d+ errored$|the reason stands above$`)

// reason is what a command that failed has said of it: the lines that report an error, or else its last one.
func reason(said string, err error) string {
	var lines []string
	last := ""
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		last = line
		// Not Pulumi's progress, nor a log's lines that are quoted beside its error.
		progress := strings.HasPrefix(line, "+") || strings.HasPrefix(line, "~") || strings.Contains(line, `"level": "info"`)
		if !progress && !saysNoMore.MatchString(line) && strings.Contains(strings.ToLower(line), "error") && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	const most = 4 // the last ones say why the whole failed
	switch {
	case len(lines) > most:
		lines = lines[len(lines)-most:]
	case len(lines) == 0 && last != "":
		lines = []string{last}
	case len(lines) == 0:
		lines = []string{err.Error()}
	}
	return strings.Join(lines, "; ")
}

// room is what the node has left beside all other stacks.
func (n localNode) room(ctx context.Context) (room, error) {
	var all objects
	if err := n.Get(ctx, &all, "nodes,pods", "--all-namespaces"); err != nil {
		return room{}, err
	}
	var r room
	for _, o := range all.Items {
		r.cpu += cores(o.Status.Allocatable["cpu"])
		r.memoryMiB += mebi(o.Status.Allocatable["memory"])
		if o.Kind == "Pod" && o.Metadata.Namespace != n.Namespace && !o.ended() {
			cpu, memory := o.requests()
			r.cpu, r.memoryMiB = r.cpu-cpu, r.memoryMiB-memory
		}
	}
	return r, nil
}

// url is the stack's on this machine.
func (n localNode) url(ctx context.Context) (string, error) {
	out, err := node.Output(n.Command(ctx, "status", "--json"))
	if err != nil {
		return "", fmt.Errorf("bin/local status: %w", err)
	}
	var status struct{ URLs map[string]string }
	if err := json.Unmarshal(out, &status); err != nil {
		return "", fmt.Errorf("read the node's status: %w", err)
	}
	if status.URLs[n.stack] == "" {
		return "", fmt.Errorf("the node has no URL for the stack %s", n.stack)
	}
	return status.URLs[n.stack], nil
}

// backendPod is a running pod of the backend, as it stands in the cluster.
func (n localNode) backendPod(ctx context.Context) (map[string]any, error) {
	var pods struct{ Items []map[string]any }
	if err := n.Get(ctx, &pods, "pods", "--selector", tierLabel+"=backend", "--field-selector", "status.phase=Running"); err != nil {
		return nil, err
	}
	for _, pod := range pods.Items {
		if metadata, _ := pod["metadata"].(map[string]any); metadata["deletionTimestamp"] == nil {
			return pod, nil
		}
	}
	return nil, errors.New("the backend has no running pod")
}

// keepPod makes a pod like one of the backend's that no rollout takes away: its version serves on beside the next one.
func (n localNode) keepPod(ctx context.Context) error {
	pod, err := n.backendPod(ctx)
	if err != nil {
		return err
	}
	metadata, _ := pod["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	spec, _ := pod["spec"].(map[string]any)
	delete(labels, "pod-template-hash") // or the ReplicaSet would count it
	delete(spec, "nodeName")
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": keptPod, "labels": labels}, "spec": spec,
	})
	if err != nil {
		return fmt.Errorf("write the pod that stays: %w", err)
	}
	create := n.Kubectl(ctx, "create", "--filename", "-")
	create.Stdin = bytes.NewReader(manifest)
	if _, err := node.Output(create); err != nil {
		return fmt.Errorf("create the pod that stays: %w", err)
	}
	if _, err := node.Output(n.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=60s", "pod/"+keptPod)); err != nil {
		return fmt.Errorf("wait for the pod that stays: %w", err)
	}
	return nil
}

const keptPod = "rehearsal-stays"

// dropPod takes the pod that has stayed away again.
func (n localNode) dropPod(ctx context.Context) error {
	if _, err := node.Output(n.Kubectl(ctx, "delete", "pod", keptPod, "--ignore-not-found", "--wait=false")); err != nil {
		return fmt.Errorf("delete the pod that stayed: %w", err)
	}
	return nil
}

func (n localNode) waitForStoppingPods(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		var pods objects
		if err := n.Get(ctx, &pods, "pods"); err != nil {
			return err
		}
		stopping := ""
		for _, pod := range pods.Items {
			if pod.Metadata.DeletionTimestamp != nil {
				stopping = pod.Metadata.Name
			}
		}
		if stopping == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the pod %s is still about to stop after %s", stopping, limit)
		case <-time.After(time.Second):
		}
	}
}
