package constraint

import (
	"fmt"
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

// Problems are those of a list of strings, and of its items; none where there is no list.
func (l List) Problems(path string, values []string) problems.List {
	if values == nil {
		return nil
	}
	ps := l.lengthProblems(path, values)
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

// Required are the problems of a list that can't be left out.
func (l List) Required(path string, values []string) problems.List {
	if values == nil {
		return problems.List{{Path: path, Want: l.Want}}
	}
	return l.Problems(path, values)
}

func (l List) lengthProblems(path string, values []string) problems.List {
	if len(values) >= l.Min {
		return nil
	}
	shown := "empty"
	if len(values) > 0 {
		shown = fmt.Sprintf("%q", values)
	}
	return problems.List{{Path: path, Value: shown, Want: l.Want}}
}

// Accepted is what is wanted, in words.
func (l List) Accepted() string {
	if l.Want != "" {
		return l.Want
	}
	return l.Items.Accepted()
}

// ByDefault is none: what an absent list means is said in words.
func (List) ByDefault() any { return nil }

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

// Samples are lists of the items' samples: too short, with an item that is refused, and with one item twice.
func (l List) Samples() (valid, invalid []any) {
	fine, bad := l.Items.Samples()
	if l.Min > 0 {
		invalid = append(invalid, []any{})
	}
	if len(fine) < max(l.Min, 1) {
		return nil, invalid
	}
	for _, item := range bad {
		invalid = append(invalid, append([]any{item}, fine...))
	}
	if l.Once != "" {
		invalid = append(invalid, append([]any{fine[0]}, fine...))
	}
	return []any{fine}, invalid
}

// Map constrains a map of strings.
type Map struct {
	// Names is what each name must be.
	Names Text
	// Values is what each value must be.
	Values Text
	// Sample is a value for the samples of names, where the values aren't strings.
	Sample any
}

// Accepted is what names and values must be, in words.
func (m Map) Accepted() string {
	var parts []string
	for _, part := range []string{m.Names.Accepted(), m.Values.Accepted()} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}

// ByDefault is none: what an absent map means is said in words.
func (Map) ByDefault() any { return nil }

// Schema are what names and values must be.
func (m Map) Schema() Schema {
	schema := Schema{}
	if names := m.Names.Schema(); len(names) > 0 {
		schema["propertyNames"] = names
	}
	if values := m.Values.Schema(); len(values) > 0 {
		schema["additionalProperties"] = values
	}
	return schema
}

// Samples are maps of one name and one value each.
func (m Map) Samples() (valid, invalid []any) {
	names, badNames := m.Names.Samples()
	values, badValues := m.Values.Samples()
	switch {
	case m.Sample != nil:
		values = []any{m.Sample}
	case len(values) == 0:
		values = []any{"x"}
	}
	one := func(name, value any) any { return map[string]any{name.(string): value} }
	for _, value := range values {
		valid = append(valid, one(names[0], value))
	}
	for _, name := range badNames {
		invalid = append(invalid, one(name, values[0]))
	}
	for _, value := range badValues {
		invalid = append(invalid, one(names[0], value))
	}
	return valid, invalid
}
