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

// pending is what the engine had begun when a run was killed.
type pending struct {
	Operations []struct {
		Type     string `json:"type"`
		Resource struct {
			URN    string `json:"urn"`
			Type   string `json:"type"`
			Inputs struct {
				APIVersion string `json:"apiVersion"`
				Kind       string `json:"kind"`
				Metadata   struct {
					Name      string `json:"name"`
					Namespace string `json:"namespace,omitempty"`
				} `json:"metadata"`
			} `json:"inputs"`
		} `json:"resource"`
	} `json:"pending_operations"`
}

// recover clears up after a run that was killed. The command's own lock says
// that no other run is alive, so a lock in the state is a dead one's; what that
// run had begun to create is taken into the state where it came to exist.
func (s *Stack) recover(ctx context.Context) error {
	// There is nothing to cancel where nothing was killed, and that is no error to show.
	_ = s.stack.Cancel(ctx)
	exported, err := s.stack.Export(ctx)
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	var p pending
	if err := json.Unmarshal(exported.Deployment, &p); err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	if len(p.Operations) == 0 {
		return nil
	}
	fmt.Fprintf(os.Stderr, "a run was interrupted while it worked on %d resources: taking up what exists\n", len(p.Operations))
	var imports []optrefresh.PendingCreate
	for _, op := range p.Operations {
		// The account itself knows again what it had begun for the same resource.
		if op.Type != "creating" || !strings.HasPrefix(op.Resource.Type, "kubernetes:") {
			continue
		}
		manifest, err := json.Marshal(op.Resource.Inputs)
		if err != nil {
			return fmt.Errorf("describe %s: %w", op.Resource.URN, err)
		}
		get := exec.CommandContext(ctx, "kubectl", "get", "-f", "-")
		get.Stdin = bytes.NewReader(manifest)
		if get.Run() != nil {
			continue
		}
		id := op.Resource.Inputs.Metadata.Name
		if ns := op.Resource.Inputs.Metadata.Namespace; ns != "" {
			id = ns + "/" + id
		}
		imports = append(imports, optrefresh.PendingCreate{URN: op.Resource.URN, ID: id})
	}
	_, err = s.stack.Refresh(ctx, optrefresh.ImportPendingCreates(imports), optrefresh.ClearPendingCreates(),
		optrefresh.ErrorProgressStreams(os.Stderr))
	if err != nil {
		return fmt.Errorf("take up an interrupted run: %w", err)
	}
	return nil
}

func writeEvents(out io.Writer, channel <-chan events.EngineEvent) {
	encoder := json.NewEncoder(out)
	for e := range channel {
		if err := encoder.Encode(e.EngineEvent); err != nil {
			fmt.Fprintf(os.Stderr, "the engine's events are not kept: %v\n", err)
			encoder = json.NewEncoder(io.Discard)
		}
	}
}
