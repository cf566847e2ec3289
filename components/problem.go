package components

import (
	"fmt"
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

// Problems are all that is wrong with a component's args: the caller mends them in one go.
type Problems []Problem

// Err is nil where there is no problem.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return fmt.Errorf("%s", strings.Join(lines, "\n"))
}

// Under puts the problems below a key: "min" under "replicas" is "replicas.min".
func (ps Problems) Under(key string) Problems {
	out := make(Problems, len(ps))
	for i, p := range ps {
		p.Path = key + "." + p.Path
		out[i] = p
	}
	return out
}
