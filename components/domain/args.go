package domain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"threetier/internal/problems"
)

// DomainArgs are the names of an app.
type DomainArgs struct {
	// Name is the app's own name. Required.
	Name string
	// Aliases are more names that the app answers for. Default: none.
	Aliases []string
	// RedirectFrom are names that lead to Name, like www.example.org. Default: none.
	RedirectFrom []string
	// Zone is the public hosted zone of Route 53 that the names are in. Default: none, and somebody makes the records.
	Zone string
}

// Names are all names, the app's own first.
func (args DomainArgs) Names() []string {
	return slices.Concat([]string{args.Name}, args.Aliases, args.RedirectFrom)
}

// Problems are all that is wrong with the args.
func (args DomainArgs) Problems() problems.List {
	ps := NameConstraint.Required("name", args.Name)
	ps = append(ps, OtherNamesConstraint.Problems("aliases", args.Aliases)...)
	ps = append(ps, OtherNamesConstraint.Problems("redirectFrom", args.RedirectFrom)...)
	ps = append(ps, ZoneConstraint.Problems("zone", args.Zone)...)
	if len(ps) > 0 {
		return ps
	}
	seen := map[string]bool{}
	check := func(path, name string) {
		switch {
		case seen[name]:
			ps = append(ps, problems.Problem{Path: path, Value: strconv.Quote(name), Want: "each name in one place"})
		case args.Zone != "" && name != args.Zone && !strings.HasSuffix(name, "."+args.Zone):
			ps = append(ps, problems.Problem{Path: path, Value: strconv.Quote(name), Want: "a name in the zone " + args.Zone})
		}
		seen[name] = true
	}
	check("name", args.Name)
	for i, name := range args.Aliases {
		check(fmt.Sprintf("aliases[%d]", i), name)
	}
	for i, name := range args.RedirectFrom {
		check(fmt.Sprintf("redirectFrom[%d]", i), name)
	}
	if n := len(args.Names()); n > maxNames {
		ps = append(ps, problems.Problem{Path: "aliases", Value: fmt.Sprintf("part of %d names", n), Want: fmt.Sprintf("at most %d names: a load balancer takes no more certificates", maxNames)})
	}
	return ps
}
