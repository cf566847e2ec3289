package domain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

// maxNames is how many certificates a network load balancer takes by default.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html
const maxNames = 25

// DomainArgs are the names of an app. Keys says what each field means.
type DomainArgs struct {
	Name                  string
	Aliases, RedirectFrom []string
	Zone                  string
	Previews              bool
}

// dnsName has labels of at most 63 characters, of which the last isn't a number.
const dnsName = "^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"

// certified is a name that ACM takes: it refuses a longer one.
var certified = constraint.Text{
	Pattern: dnsName,
	Want:    "a DNS name in lowercase letters, like shop.example.org",
	Except:  fmt.Sprintf("^.{%d,}$", maxCertified+1),
	Instead: fmt.Sprintf("at most %d characters, which is ACM's limit", maxCertified),
}

const maxCertified = 64

// Keys are the domain's, below threetier:domain.
func (args *DomainArgs) Keys() keys.Table {
	return keys.Table{
		keys.Text("name", &args.Name).Is(certified).RequiredIf(!args.forPreviewsAlone()).Otherwise("required, except with previews alone").Example("shop.example.org").
			Doc("The app's own name: url is https://name. It gets an ACM certificate, and nginx redirects HTTP to HTTPS."),
		keys.Text("zone", &args.Zone).Match(dnsName, "the name of a public hosted zone, like example.org").
			Otherwise("none: the output dnsRecords lists the records that you make").Example("example.org").
			Doc("The public Route 53 hosted zone that all names are in. The stack makes the records, and up waits for the certificates. " +
				"Without it, the app is served by HTTP until an up finds the certificate issued."),
		keys.Texts("aliases", &args.Aliases).Each(certified).Once("each name once").Example("[store.example.org]").
			Doc("More names that the app answers for."),
		keys.Texts("redirectFrom", &args.RedirectFrom).Each(certified).Once("each name once").Example("[www.shop.example.org]").
			Doc("Names that nginx redirects to name, with path and query."),
		keys.Flag("previews", &args.Previews).Example("true").
			Doc("Lets previews of pull requests in: pr-123.name leads to the preview pr-123. *.name gets a certificate and a record too. " +
				"Without name, a preview is found by any host that begins with pr-123. [Previews](how-to/previews.md) are for a disposable database of PostgreSQL 16 or later."),
	}
}

func (args DomainArgs) forPreviewsAlone() bool {
	return args.Previews && args.Zone == "" && len(args.Aliases)+len(args.RedirectFrom) == 0
}

// Names are all names, the app's own first, and that of the previews last.
func (args DomainArgs) Names() []string {
	names := slices.Concat([]string{args.Name}, args.Aliases, args.RedirectFrom)
	if args.Previews {
		names = append(names, "*."+args.Name)
	}
	return names
}

// provenBy is the name whose record proves a name to ACM: that of a wildcard is the name's below it.
// https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
func provenBy(host string) string { return strings.TrimPrefix(host, "*.") }

// Complete returns every mistake in the args.
func (args *DomainArgs) Complete() problems.List {
	ps := args.Keys().Complete()
	if len(ps) > 0 || args.Name == "" {
		return ps
	}
	if wildcard := "*." + args.Name; args.Previews && len(wildcard) > maxCertified {
		ps = append(ps, problems.Problem{Path: "name", Value: strconv.Quote(args.Name), Want: fmt.Sprintf("at most %d characters with previews: ACM takes %d, and *. is before it", maxCertified-2, maxCertified)})
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
