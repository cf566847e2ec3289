package constraint

import (
	"fmt"

	"threetier/internal/problems"
)

// Numbers constrains a list of whole numbers, which has at least one.
type Numbers struct {
	// Items is what each number must be.
	Items Number
	// Max is how many numbers there may be.
	Max int
	// Want says in words how many numbers are accepted.
	Want string
}

// Problems are those of a list of numbers, and of its items.
func (n Numbers) Problems(path string, values []int) problems.List {
	switch {
	case len(values) == 0:
		return problems.List{{Path: path, Value: "empty", Want: n.Want}}
	case len(values) > n.Max:
		return problems.List{{Path: path, Value: fmt.Sprintf("%d numbers", len(values)), Want: n.Want}}
	}
	var ps problems.List
	for i := range values {
		ps = append(ps, n.Items.Problems(fmt.Sprintf("%s[%d]", path, i), &values[i])...)
	}
	return ps
}

// Accepted is how many numbers, and which, in words.
func (n Numbers) Accepted() string { return n.Want + ", " + n.Items.Accepted() }

// Schema are the length and what each number must be.
func (n Numbers) Schema() Schema {
	items := n.Items.Schema()
	items["type"] = "integer"
	return Schema{"minItems": 1, "maxItems": n.Max, "items": items}
}
