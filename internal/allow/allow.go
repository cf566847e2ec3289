// Package allow is the one rule for intended exceptions. Each has a name and a reason, and one that nothing needs is refused:
// it would be there for the next mistake.
package allow

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

// List are exceptions: the reason of each, by its name.
type List map[string]string

// Has tells whether a name is allowed.
func (l List) Has(name string) bool {
	_, has := l[name]
	return has
}

// Beginning are the exceptions whose names begin so.
func (l List) Beginning(with string) List {
	some := List{}
	for name, reason := range l {
		if strings.HasPrefix(name, with) {
			some[name] = reason
		}
	}
	return some
}

// Key is the row of a list, with what each name must be.
func (l *List) Key(names constraint.Text) *keys.MapRow {
	return keys.TextMap("allow", (*map[string]string)(l)).
		Is(constraint.Map{Names: names, Values: constraint.Text{Pattern: `\S`, Want: "a reason"}})
}

// Unneeded refuses those of the names that are allowed though nothing needs it, and says why nothing does.
func (l List) Unneeded(why string, names ...string) (ps problems.List) {
	for _, name := range names {
		if l.Has(name) {
			ps = append(ps, problems.Problem{Path: "allow." + name, Value: strconv.Quote(l[name]), Want: "none: " + why})
		}
	}
	return ps
}

// Others is Unneeded of all names but those that are needed.
func (l List) Others(why string, needed ...string) problems.List {
	return l.Unneeded(why, slices.DeleteFunc(slices.Sorted(maps.Keys(l)), func(name string) bool { return slices.Contains(needed, name) })...)
}

// Or adds the exception to what is wanted: it is the other way out.
func Or(want, key, name string) string {
	return fmt.Sprintf("%s, or the reason in %s: { %s: … }", want, key, name)
}
