package awsplugin

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// replacesFile is the table that the gate of `make plan` embeds: what a pull request shows as replaced is what the
// plugin replaces.
const replacesFile = "gate/plan/replacement/replaces.json"

// replaces are, by type, the inputs whose change makes a new resource.
type replaces map[string][]string

func readReplaces(checkout string) (replaces, error) {
	data, err := os.ReadFile(filepath.Join(checkout, replacesFile))
	if err != nil {
		return nil, fmt.Errorf("read what replaces a resource: %w", err)
	}
	var out replaces
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("read %s: %w", replacesFile, err)
	}
	for token, known := range resourceTypes {
		names, listed := out[token]
		if !listed {
			return nil, fmt.Errorf("%s has no line for %s", replacesFile, token)
		}
		for _, name := range names {
			input, _, _ := strings.Cut(name, ".")
			if _, ok := known.inputs[input]; !ok {
				return nil, fmt.Errorf("%s names %s of %s, which the stand-in for AWS doesn't know", replacesFile, name, token)
			}
		}
	}
	return out, nil
}

func (r replaces) by(token, name string) bool { return slices.Contains(r[token], name) }
