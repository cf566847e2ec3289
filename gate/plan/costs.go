package plan

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"threetier/gate/costs"
	"threetier/gate/plan/replacement"
	"threetier/gate/project"
)

// Costs are what was measured of the keys that a stack config changes.
type Costs struct {
	Rows []costs.Row
	// Unknown are the changed keys without a row.
	Unknown []string
}

// CostsOf compares two texts of a stack config, and finds the rows of what differs.
func CostsOf(rows []costs.Row, before, after []byte) (Costs, error) {
	old, err := configPaths(before)
	if err != nil {
		return Costs{}, err
	}
	wanted, err := configPaths(after)
	if err != nil {
		return Costs{}, err
	}
	var changed []string
	for _, path := range slices.Sorted(maps.Keys(merged(old, wanted))) {
		isKey := strings.HasPrefix(path, "threetier:") && !replacement.Below(path, "threetier:allow") // which the pods don't see
		if old[path] != wanted[path] && isKey {
			changed = append(changed, path)
		}
	}
	var found Costs
	unknown := changed
	for _, row := range rows {
		touches := func(path string) bool { return replacement.Below(path, row.Key) }
		if slices.ContainsFunc(changed, touches) {
			found.Rows = append(found.Rows, row)
			unknown = slices.DeleteFunc(slices.Clone(unknown), touches)
		}
	}
	for _, path := range unknown {
		found.Unknown = append(found.Unknown, keyOf(path))
	}
	found.Unknown = slices.Compact(found.Unknown)
	return found, nil
}

func configPaths(text []byte) (map[string]any, error) {
	values, err := project.ReadValues(text)
	return flatten(values), err
}

var configKey = regexp.MustCompile(`^threetier:[^.[]+(\.[^.[]+)?`)

// keyOf is the key that a path leads into: threetier:nginx.hosts of threetier:nginx.hosts[0].
func keyOf(path string) string {
	return configKey.FindString(path)
}
