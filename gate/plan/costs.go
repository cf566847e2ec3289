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
	// Lines are the rows of docs/cost-of-changes.md, Unknown the keys that it has none of.
	Lines, Unknown []string
}

// CostsOf compares two texts of a stack config, and quotes the page.
func CostsOf(page string, before, after []byte) (Costs, error) {
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
		if old[path] != wanted[path] && strings.HasPrefix(path, "threetier:") {
			changed = append(changed, path)
		}
	}
	var found Costs
	unknown := changed
	for _, line := range costs.Lines(page) {
		touches := func(path string) bool { return replacement.Below(path, line.Key) }
		if slices.ContainsFunc(changed, touches) {
			found.Lines = append(found.Lines, line.Text)
			unknown = slices.DeleteFunc(slices.Clone(unknown), touches)
		}
	}
	for _, path := range unknown {
		found.Unknown = append(found.Unknown, keyOf(path))
	}
	found.Unknown = slices.Compact(found.Unknown)
	return found, nil
}

// configPaths are the values of a stack config by path.
func configPaths(text []byte) (map[string]any, error) {
	values, err := project.ReadValues(text)
	return flatten(values), err
}

var configKey = regexp.MustCompile(`^threetier:[^.[]+(\.[^.[]+)?`)

// keyOf is the key that a path leads into: threetier:nginx.hosts of threetier:nginx.hosts[0].
func keyOf(path string) string {
	return configKey.FindString(path)
}
