package plan

import (
	"encoding/json"
	"fmt"
)

// The comparison for programs: docs/reference/commands.md lists the fields.
type (
	stackJSON struct {
		Stack   string       `json:"stack"`
		New     bool         `json:"new"`
		Gone    bool         `json:"gone"`
		Changes []changeJSON `json:"changes"`
	}
	changeJSON struct {
		Kind     Kind         `json:"kind"`
		Resource string       `json:"resource"`
		Details  []detailJSON `json:"details"`
		Losses   []lossJSON   `json:"losses"`
	}
	detailJSON struct {
		Path string `json:"path"`
		Old  any    `json:"old"`
		New  any    `json:"new"`
	}
	lossJSON struct {
		Name string `json:"name"`
		What string `json:"what"`
		Lost string `json:"lost"`
	}
)

// JSON is the summary for programs.
func JSON(stacks []Comparison) (string, error) {
	all := make([]stackJSON, 0, len(stacks))
	for _, stack := range stacks {
		out := stackJSON{Stack: stack.Stack, New: stack.New, Gone: stack.Gone, Changes: []changeJSON{}}
		for _, change := range stack.Changes {
			to := changeJSON{Kind: change.Kind, Resource: change.Resource.Label(), Details: []detailJSON{}, Losses: []lossJSON{}}
			for _, detail := range change.Details {
				to.Details = append(to.Details, detailJSON{detail.Path, detail.Old, detail.New})
			}
			for _, loss := range change.Losses {
				to.Losses = append(to.Losses, lossJSON{loss.Name, loss.What, loss.Text})
			}
			out.Changes = append(out.Changes, to)
		}
		all = append(all, out)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write the plan as JSON: %w", err)
	}
	return string(text) + "\n", nil
}
