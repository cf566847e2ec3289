package constraint

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"threetier/internal/problems"
)

// List constrains a list: of strings by Items, of objects only by its length.
type List struct {
	// Min is how many items there must be.
	Min int
	// Want says in words which list is accepted.
	Want string
	// Items is what each item must be.
	Items Text
	// Once says what is wanted instead of an item that is there twice; empty where an item may be.
	Once string
}

// Problems are those of a list of strings, and of its items.
func (l List) Problems(path string, values []string) problems.List {
	ps := l.Length(path, len(values), fmt.Sprintf("%q", values))
	seen := map[string]bool{}
	for i, value := range values {
		item := fmt.Sprintf("%s[%d]", path, i)
		found := l.Items.Check(item, value)
		if len(found) == 0 && seen[value] && l.Once != "" {
			found = problems.List{{Path: item, Value: fmt.Sprintf("%q", value), Want: l.Once}}
		}
		seen[value] = true
		ps = append(ps, found...)
	}
	return ps
}

// Length is the problem of a list that is too short; shown is the list in words.
func (l List) Length(path string, items int, shown string) problems.List {
	if items >= l.Min {
		return nil
	}
	if items == 0 {
		shown = "empty"
	}
	return problems.List{{Path: path, Value: shown, Want: l.Want}}
}

// Accepted is what is wanted, in words.
func (l List) Accepted() string { return cmp.Or(l.Want, l.Items.Accepted()) }

// Schema are the length and what each item must be.
func (l List) Schema() Schema {
	schema := Schema{}
	if l.Min > 0 {
		schema["minItems"] = l.Min
	}
	if l.Once != "" {
		schema["uniqueItems"] = true
	}
	if items := l.Items.Schema(); len(items) > 0 {
		items["type"] = "string"
		schema["items"] = items
	}
	return schema
}

// Map constrains a map of strings.
type Map struct {
	// Names is what each name must be.
	Names Text
	// Values is what the value of each name must be that is in none of the Groups.
	Values Text
	// Groups are names whose values must be something of their own.
	Groups []Group
}

// Group constrains the values of some names.
type Group struct {
	// Names are whole names.
	Names []string
	// Values is what each value must be.
	Values Text
}

// Value is what the value of a name must be.
func (m Map) Value(name string) Text {
	for _, group := range m.Groups {
		if slices.Contains(group.Names, name) {
			return group.Values
		}
	}
	return m.Values
}

// Accepted is what names and values must be, in words.
func (m Map) Accepted() string {
	return strings.Trim(m.Names.Accepted()+"; "+m.Values.Accepted(), "; ")
}

// Schema are what names and values must be.
func (m Map) Schema() Schema {
	schema := Schema{}
	if names := m.Names.Schema(); len(names) > 0 {
		schema["propertyNames"] = names
	}
	if values := m.Values.Schema(); len(values) > 0 {
		schema["additionalProperties"] = values
	}
	patterns := Schema{}
	for _, group := range m.Groups {
		values := group.Values.Schema()
		if values["type"] == nil {
			values["type"] = "string"
		}
		patterns["^"+Either(quoted(group.Names))+"$"] = values
	}
	if len(patterns) > 0 {
		schema["patternProperties"] = patterns
	}
	return schema
}

func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = regexp.QuoteMeta(name)
	}
	return out
}
