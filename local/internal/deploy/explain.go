package deploy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// explain shows what Kubernetes has complained about in the stack's namespace since a failed run began: that a
// probe fails, and how, stands nowhere else. Nor do the last words of a container that comes before a pod's own.
func (s *Stack) explain(ctx context.Context, out io.Writer, since time.Time) {
	for _, of := range []struct {
		what  []string
		lines func([]byte, time.Time) []string
	}{{[]string{"pods"}, lastWords}, {[]string{"events", "--field-selector=type=Warning"}, warnings}} {
		data, err := exec.CommandContext(ctx, "kubectl", append([]string{"--namespace", s.namespace(), "get", "-o", "json"}, of.what...)...).Output()
		if err != nil {
			fmt.Fprintf(out, "Kubernetes' own %s can't be shown: %v\n", of.what[0], err)
			return
		}
		for _, line := range of.lines(data, since) {
			fmt.Fprintln(out, line)
		}
	}
}

// lastWords are those of the init containers that have failed since a moment, each text once.
func lastWords(list []byte, since time.Time) []string {
	var pods corev1.PodList
	if json.Unmarshal(list, &pods) != nil {
		return nil
	}
	var lines []string
	for _, pod := range pods.Items {
		for _, container := range pod.Status.InitContainerStatuses {
			end := cmp.Or(container.State.Terminated, container.LastTerminationState.Terminated)
			if end == nil || end.ExitCode == 0 || end.FinishedAt.Time.Before(since.Truncate(time.Second)) {
				continue
			}
			line := fmt.Sprintf("Container %s of %s: %s", container.Name, pod.Labels["app.kubernetes.io/name"], strings.TrimSpace(end.Message))
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// watch says which pods of the stack can't be scheduled while Pulumi waits for them: of a Job's pod it says nothing.
func (s *Stack) watch(ctx context.Context, out io.Writer) {
	said := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(4 * time.Second):
		}
		data, err := exec.CommandContext(ctx, "kubectl", "get", "nodes,pods", "--all-namespaces", "-o", "json").Output()
		if err != nil {
			continue // the next time
		}
		for pod, line := range unschedulable(data, s.namespace(), time.Now().Add(-4*time.Second)) {
			if !said[pod] {
				said[pod] = true
				fmt.Fprintln(out, line)
			}
		}
	}
}

// unschedulable has, for each pod of a namespace that the scheduler has found no place for since before a moment, its
// reason and what the nodes have left.
func unschedulable(list []byte, namespace string, before time.Time) map[string]string {
	var objects struct {
		Items []struct {
			Kind     string
			Metadata metav1.ObjectMeta
			Spec     corev1.PodSpec
			Status   struct {
				Allocatable corev1.ResourceList
				Phase       corev1.PodPhase
				Conditions  []struct {
					Type, Reason, Message string
					LastTransitionTime    time.Time
				}
			}
		}
	}
	if json.Unmarshal(list, &objects) != nil {
		return nil
	}
	left, whole, waiting := map[corev1.ResourceName]int64{}, map[corev1.ResourceName]int64{}, map[string]string{}
	for _, o := range objects.Items {
		for name, quantity := range o.Status.Allocatable {
			left[name] += quantity.MilliValue()
			whole[name] += quantity.MilliValue()
		}
		if o.Kind != "Pod" || o.Status.Phase == corev1.PodSucceeded || o.Status.Phase == corev1.PodFailed {
			continue
		}
		for _, container := range o.Spec.Containers {
			for name, quantity := range container.Resources.Requests {
				if o.Spec.NodeName != "" {
					left[name] -= quantity.MilliValue()
				}
			}
		}
		for _, c := range o.Status.Conditions {
			if o.Metadata.Namespace == namespace && c.Type == "PodScheduled" && c.Reason == "Unschedulable" && !c.LastTransitionTime.After(before) {
				waiting[o.Metadata.Name] = c.Message
			}
		}
	}
	const mebi = 1000 << 20
	for pod, reason := range waiting {
		waiting[pod] = fmt.Sprintf("Pod %s can't be scheduled: %s The node has %dm of %dm CPU and %d of %d MiB left.", pod, reason,
			left[corev1.ResourceCPU], whole[corev1.ResourceCPU], left[corev1.ResourceMemory]/mebi, whole[corev1.ResourceMemory]/mebi)
	}
	return waiting
}

// namespace is where the stack's app runs.
func (s *Stack) namespace() string {
	var file struct {
		Config struct {
			Namespace string `yaml:"threetier:namespace"`
		} `yaml:"config"`
	}
	// What can't be read is Pulumi's to complain about.
	if data, err := os.ReadFile(configCopy(s.home, "", s.name)); err == nil {
		_ = yaml.Unmarshal(data, &file)
	}
	return cmp.Or(file.Config.Namespace, s.project+"-"+s.name)
}

// warnings are Kubernetes' events since a moment, each text once for each pod or other object.
func warnings(events []byte, since time.Time) []string {
	var list struct {
		Items []struct {
			InvolvedObject struct{ Kind, Name string }
			LastTimestamp  time.Time
			Message        string
		}
	}
	if json.Unmarshal(events, &list) != nil {
		return nil
	}
	var lines []string
	for _, e := range list.Items {
		line := fmt.Sprintf("%s %s: %s", e.InvolvedObject.Kind, e.InvolvedObject.Name, strings.TrimSpace(e.Message))
		// Kubernetes writes whole seconds.
		if !e.LastTimestamp.Before(since.Truncate(time.Second)) && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}
