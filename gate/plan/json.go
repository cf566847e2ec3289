package plan

import (
	"encoding/json"
	"fmt"
)

// JSON is the summary for programs.
func JSON(stacks []Comparison) (string, error) {
	text, err := json.MarshalIndent(stacks, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write the plan as JSON: %w", err)
	}
	return string(text) + "\n", nil
}

// MarshalJSON is what the comparison shows of a resource.
func (r Resource) MarshalJSON() ([]byte, error) { return json.Marshal(r.Label()) }
