// Package problems holds the one way in which the program says that a value can't be used: key, value, and what is wanted.
package problems

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one value that a component can't work with.
type Problem struct {
	// Path names the value inside the component's args, in the words of the stack config: "replicas.min".
	Path string
	// Value is what was given, as it should be shown; empty for a value that is missing or secret.
	Value string
	// Want says what would be accepted.
	Want string
}

// String is the problem as one line: what is wrong, and what is wanted.
func (p Problem) String() string {
	if p.Value == "" {
		return fmt.Sprintf("%s is missing, want %s", p.Path, p.Want)
	}
	return fmt.Sprintf("%s is %s, want %s", p.Path, p.Value, p.Want)
}

// List is every mistake in a component's args: the caller mends them in one go.
type List []Problem

// Err is nil where there is no problem.
func (ps List) Err() error {
	if len(ps) == 0 {
		return nil
	}
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return fmt.Errorf("%s", strings.Join(lines, "\n"))
}

// Has tells whether one of the paths, or what is below one, has a problem.
func (ps List) Has(paths ...string) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool {
		return slices.ContainsFunc(paths, func(path string) bool {
			return p.Path == path || strings.HasPrefix(p.Path, path+".") || strings.HasPrefix(p.Path, path+"[")
		})
	})
}

// Below are the problems below a key, without it: "replicas.min" below "replicas" is "min".
func (ps List) Below(key string) (below List) {
	for _, p := range ps {
		if path, isBelow := strings.CutPrefix(p.Path, key+"."); isBelow {
			p.Path = path
			below = append(below, p)
		}
	}
	return below
}

// Under puts the problems below a key: "min" under "replicas" is "replicas.min".
func (ps List) Under(key string) List {
	out := make(List, len(ps))
	for i, p := range ps {
		p.Path = key + "." + p.Path
		out[i] = p
	}
	return out
}

// Sorted makes the order of problems that come from maps the same in every run.
func (ps List) Sorted() List {
	slices.SortStableFunc(ps, func(a, b Problem) int { return strings.Compare(a.Path+a.Value, b.Path+b.Value) })
	return ps
}

// FirstOfEach keeps one problem of each path: mending it may well mend the next.
func (ps List) FirstOfEach() List {
	var kept List
	for _, problem := range ps {
		if !slices.ContainsFunc(kept, func(earlier Problem) bool { return earlier.Path == problem.Path }) {
			kept = append(kept, problem)
		}
	}
	return kept
}
