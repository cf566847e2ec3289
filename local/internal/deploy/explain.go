package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// explain shows what Kubernetes has complained about in the stack's namespace since a failed run began: that a
// probe fails, and how, stands nowhere else.
func (s *Stack) explain(ctx context.Context, out io.Writer, since time.Time) {
	namespace := "threetier-" + s.name
	if given, err := s.stack.GetConfig(ctx, "threetier:namespace"); err == nil && given.Value != "" {
		namespace = given.Value
	}
	data, err := exec.CommandContext(ctx, "kubectl", "--namespace", namespace, "get", "events", "--field-selector=type=Warning", "-o", "json").Output()
	if err != nil {
		fmt.Fprintf(out, "Kubernetes' own warnings can't be shown: %v\n", err)
		return
	}
	for _, line := range warnings(data, since) {
		fmt.Fprintln(out, line)
	}
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
