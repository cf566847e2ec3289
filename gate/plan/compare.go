package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"threetier/gate/plan/replacement"
)

// Kind is what happens to a resource.
type Kind string

// What happens to resources, the gravest last.
const (
	Created  Kind = "created"
	Changed  Kind = "changed"
	Replaced Kind = "replaced"
	Deleted  Kind = "deleted"
)

// Change is what happens to one resource.
type Change struct {
	// Kind is what happens to it.
	Kind Kind `json:"kind"`
	// Resource is the resource as it will be; as it was, where it is deleted.
	Resource Resource `json:"resource"`
	// Details are the inputs and options that differ, by path.
	Details []Detail `json:"details"`
	// Losses are what it takes away; most changes take nothing.
	Losses []Loss `json:"losses"`
}

// Detail is one value that differs. A nil one isn't there.
type Detail struct {
	Path string `json:"path"`
	Old  any    `json:"old"`
	New  any    `json:"new"`
	// Follows is the replaced resource that the value refers to; Old and New are the same reference then.
	Follows string `json:"-"`
}

// Compare tells what happens to each resource on the way from one plan to another, in the plan's order, what is
// deleted at the end. Without an old plan all is created.
func Compare(before, after *Plan) []Change {
	if before == nil {
		before = &Plan{}
	}
	old := map[string]Resource{}
	for _, res := range before.Resources {
		old[key(res)] = res
	}
	changes := []Change{}
	for _, res := range after.Resources {
		was, existed := old[key(res)]
		delete(old, key(res))
		if !existed {
			changes = append(changes, Change{Resource: res, Kind: Created, Details: []Detail{}})
			continue
		}
		changes = append(changes, changeOf(was, res))
	}
	follow(changes)
	changes = slices.DeleteFunc(changes, func(change Change) bool { return change.Kind == "" })
	for _, res := range before.Resources {
		if _, gone := old[key(res)]; gone {
			changes = append(changes, Change{Resource: res, Kind: Deleted, Details: []Detail{}})
		}
	}
	lose(changes)
	return changes
}

// key is what a resource is known by: under another name or parent it is another one.
func key(res Resource) string { return strings.Join([]string{res.Parent, res.Type, res.Name}, "\n") }

func changeOf(before, after Resource) Change {
	change := Change{Resource: after, Details: differences(before, after)}
	if len(change.Details) > 0 {
		change.Kind = Changed
	}
	if slices.ContainsFunc(change.Details, func(detail Detail) bool { return replacement.By(after.Type, detail.Path) }) {
		change.Kind = Replaced
	}
	return change
}

// differences leave out what resources wait for: an order alone changes nothing in the account.
func differences(before, after Resource) []Detail {
	old, wanted := flatten(before.Inputs), flatten(after.Inputs)
	var details []Detail
	for _, path := range slices.Sorted(maps.Keys(merged(old, wanted))) {
		ignored := slices.ContainsFunc(after.IgnoreChanges, func(ignored string) bool { return replacement.Below(path, ignored) })
		if !ignored && old[path] != wanted[path] {
			details = append(details, Detail{Path: path, Old: old[path], New: wanted[path]})
		}
	}
	if before.Protect != after.Protect {
		details = append(details, Detail{Path: "protect", Old: before.Protect, New: after.Protect})
	}
	return details
}

func merged(a, b map[string]any) map[string]any {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// flatten is a value by path, down to what has no parts. Items of a list go by their names where they have some, so
// that one item more is one item more.
func flatten(inputs map[string]any) map[string]any {
	flat := map[string]any{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, field := range value {
				walk(strings.TrimPrefix(path+"."+key, "."), field)
			}
			if len(value) == 0 {
				flat[path] = "{}"
			}
		case []any:
			for i, item := range value {
				walk(path+"["+itemName(value, i)+"]", item)
			}
			if len(value) == 0 {
				flat[path] = "[]"
			}
		default:
			// A number is the same one whether it was computed or read from a file.
			if value != nil {
				flat[path] = fmt.Sprint(value)
			}
		}
	}
	walk("", inputs)
	return flat
}

func itemName(items []any, index int) string {
	name := func(item any) string {
		fields, _ := item.(map[string]any)
		text, _ := fields["name"].(string)
		return text
	}
	own := name(items[index])
	same := 0
	for _, item := range items {
		if name(item) == own {
			same++
		}
	}
	if same > 1 {
		own = ""
	}
	return cmp.Or(own, fmt.Sprint(index))
}

// follow adds what a replacement means for others: what refers to the old one changes, and may be replaced itself.
func follow(changes []Change) {
	for again := true; again; {
		again = false
		for i := range changes {
			if changes[i].Kind != Replaced {
				continue
			}
			for j := range changes {
				if changes[j].Kind != Created && changes[j].follow(changes[i].Resource) {
					again = true
				}
			}
		}
	}
}

// follow notes what the replacement of another resource changes here; false where there is nothing new to note.
func (c *Change) follow(replaced Resource) bool {
	if c.Resource.Label() == replaced.Label() || slices.ContainsFunc(c.Details, func(d Detail) bool { return d.Follows == replaced.Label() }) {
		return false
	}
	var details []Detail
	if replacement.Provider(c.Resource.Type) == replaced.Type {
		c.Kind = Replaced
		details = []Detail{{Path: "provider", Follows: replaced.Label()}}
	}
	inputs := flatten(c.Resource.Inputs)
	for _, path := range slices.Sorted(maps.Keys(inputs)) {
		if !strings.Contains(fmt.Sprint(inputs[path]), "<"+replaced.Label()+">") {
			continue
		}
		details = append(details, Detail{Path: path, Old: inputs[path], New: inputs[path], Follows: replaced.Label()})
		if replacement.By(c.Resource.Type, path) {
			c.Kind = Replaced
		}
	}
	c.Details = append(c.Details, details...)
	if len(details) > 0 && c.Kind == "" {
		c.Kind = Changed
	}
	return len(details) > 0
}
