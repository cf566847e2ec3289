// Package constraint holds what the values of the stack config must be, as data: bounds, set and pattern. A
// component declares its constraints once; its own checks, the reference and the JSON schema all read them.
package constraint

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"threetier/internal/problems"
)

// Constraint is what the readers of the table of keys need, whatever the value's type.
type Constraint interface {
	// Accepted says in words which values are accepted.
	Accepted() string
	// Schema are the keywords of a JSON schema, beyond the type of the key.
	Schema() Schema
}

// Schema is a part of a JSON schema.
type Schema = map[string]any

// Number constrains a whole number.
type Number struct {
	// Min and Max bound the number; both are accepted.
	Min, Max int
	// OrZero also accepts 0, below Min.
	OrZero bool
	// Words replace the bounds in the reference, where they depend on other keys. Default: "Min to Max".
	Words string
}

// Problems are one where the number is out of bounds; none where there is no number.
func (n Number) Problems(path string, value *int) problems.List {
	if value == nil || (*value >= n.Min && *value <= n.Max) || (n.OrZero && *value == 0) {
		return nil
	}
	return problems.List{{Path: path, Value: strconv.Itoa(*value), Want: n.bounds()}}
}

func (n Number) bounds() string { return fmt.Sprintf("%d to %d", n.Min, n.Max) }

// Accepted is the bounds in words.
func (n Number) Accepted() string { return cmp.Or(n.Words, n.bounds()) }

// Schema are the bounds.
func (n Number) Schema() Schema {
	bounds := Schema{"minimum": n.Min, "maximum": n.Max}
	if n.OrZero {
		return Schema{"anyOf": []any{Schema{"const": 0}, bounds}}
	}
	return bounds
}

// Text constrains a string, by a set or by a pattern.
//
// Patterns are written in the syntax that Go and ECMAScript share: no lookahead, no classes but \d and \p{…}.
type Text struct {
	// OneOf is the set of accepted strings.
	OneOf []string
	// Pattern matches what is accepted. Empty: all strings, or OneOf.
	Pattern string
	// Want says in words what is accepted. Default: OneOf as a list.
	Want string
	// Except matches what is refused although Pattern matches it.
	Except string
	// Instead says what is wanted instead of an exception. Default: Want.
	Instead string
	// Words replace Want in the reference, where the example says the rest.
	Words string
	// Secret keeps the value out of every message.
	Secret bool
	// Numbers is the JSON schema of the numbers that are read as if they were quoted; empty where none is.
	Numbers Schema
}

// Accepts tells whether a string is accepted.
func (t Text) Accepts(value string) bool { return t.refusal(value) == "" }

// Check is the problem of a string that isn't accepted.
func (t Text) Check(path, value string) problems.List {
	want := t.refusal(value)
	if want == "" {
		return nil
	}
	shown := strconv.Quote(value)
	if t.Secret {
		shown = "[secret]"
	}
	return problems.List{{Path: path, Value: shown, Want: want}}
}

// Required are the problems of a string that can't be left out.
func (t Text) Required(path, value string) problems.List {
	if value == "" {
		return problems.List{{Path: path, Want: t.Wanted()}}
	}
	return t.Check(path, value)
}

// refusal says what is wanted instead of a string; nothing where it is accepted.
func (t Text) refusal(value string) string {
	switch {
	case len(t.OneOf) > 0 && !slices.Contains(t.OneOf, value), !matches(t.Pattern, value):
		return t.Wanted()
	case t.Except != "" && matches(t.Except, value):
		return cmp.Or(t.Instead, t.Wanted())
	}
	return ""
}

func matches(pattern, value string) bool { return regexp.MustCompile(pattern).MatchString(value) }

// Wanted says in words what is accepted.
func (t Text) Wanted() string {
	if t.Want != "" || len(t.OneOf) == 0 {
		return t.Want
	}
	last := len(t.OneOf) - 1
	return strings.Join(t.OneOf[:last], ", ") + " or " + t.OneOf[last]
}

// Accepted is the set or what is wanted, in words.
func (t Text) Accepted() string {
	switch {
	case t.Words != "":
		return t.Words
	case len(t.OneOf) > 0:
		return strings.Join(t.OneOf, ", ")
	case t.Instead != "":
		return t.Want + "; " + t.Instead
	}
	return t.Want
}

// Schema are the set and the patterns.
func (t Text) Schema() Schema {
	schema := maps.Clone(t.Numbers)
	if schema == nil {
		schema = Schema{}
	} else {
		schema["type"] = []any{"string", schema["type"]}
	}
	if t.Pattern != "" {
		schema["pattern"] = t.Pattern
	}
	if t.Except != "" {
		// A pattern is true of every number: without the type, "not" would refuse all of them.
		schema["not"] = Schema{"type": "string", "pattern": t.Except}
	}
	var numbers []int
	for _, choice := range t.OneOf {
		if number, err := strconv.Atoi(choice); err == nil && t.Numbers != nil {
			numbers = append(numbers, number)
		}
	}
	switch {
	case len(numbers) > 0:
		schema["anyOf"] = []any{Schema{"enum": t.OneOf}, Schema{"enum": numbers}}
	case len(t.OneOf) > 0:
		schema["enum"] = t.OneOf
	}
	return schema
}
