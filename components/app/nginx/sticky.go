package nginx

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"threetier/internal/keys"
)

// ByCookie is the way to stick that any browser takes part in.
const ByCookie = "cookie"

// PodsService is the Service whose names are those of a tier's pods, one each.
func PodsService(to string) string { return to + "-pods" }

// findResolvers writes a file for nginx, which doesn't read /etc/resolv.conf.
//
//go:embed resolvers.sh
var findResolvers string

func (args *RouteArgs) stickyKey() *keys.Key {
	return keys.Text("sticky", &args.Sticky).
		Match("^[A-Za-z][A-Za-z0-9-]{0,63}$", "cookie, or the name of a header, like Mcp-Session-Id").
		Except("^("+strings.Join(append(noSession(), caseless("X-Forwarded-")[0]+".*"), "|")+"|Cookie)$", "").
		Refuse(args.Sticky != "" && args.StripPrefix, fmt.Sprintf("%q", args.Sticky), "none with stripPrefix").
		Otherwise("none: any pod answers").Example(ByCookie).
		Doc("Leads a client to the same pod again, as long as that pod runs: for apps with sessions in memory. " +
			"cookie: nginx sets one. Else the response header with the id that the app gives to a session, which the client sends back, like Mcp-Session-Id. " +
			"Either tells the client the pod's private address.")
}

// noSession are headers that nginx writes itself, or that say something else.
func noSession() []string {
	return caseless("Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date", "Forwarded", "Host", "If-Match", "Keep-Alive", "Location",
		"Proxy", "Server", "Set-Cookie", "Trailer", "Transfer-Encoding", "Upgrade", "X-Real-IP", "X-Request-ID")
}

// stickyView is a way to stick to a pod of one tier.
type stickyView struct {
	ID       string // part of the names of nginx's variables
	Variable string // the cookie or header
	Header   string // empty for a cookie
}

func (args RouteArgs) sticky() *stickyView {
	switch args.Sticky {
	case "":
		return nil
	case ByCookie:
		return &stickyView{ID: "cookie_" + args.To, Variable: "threetier_" + args.To}
	}
	return &stickyView{ID: "header_" + variable(args.Sticky), Variable: variable(args.Sticky), Header: args.Sticky}
}

// stickies are all ways that a route takes, each once.
func (args Args) stickies() []stickyView {
	var all []stickyView
	for _, route := range args.Routes {
		way := route.sticky()
		if way != nil && !slices.ContainsFunc(all, func(other stickyView) bool { return other.ID == way.ID }) {
			all = append(all, *way)
		}
	}
	slices.SortFunc(all, func(a, b stickyView) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Sticks tells whether a route leads a client to the same pod of a tier again.
func (args Args) Sticks(to string) bool {
	return slices.ContainsFunc(args.Routes, func(route RouteArgs) bool { return route.To == to && route.Sticky != "" })
}

// podAddress is a pattern of addresses, and the name that DNS has for one.
type podAddress struct{ Pattern, Name string }

// podAddresses are IPv4's, and IPv6's of each number of groups: CoreDNS puts dashes in place of dots and colons, and nginx can't replace.
// https://github.com/coredns/coredns/blob/master/plugin/kubernetes/object/endpoint.go
func podAddresses() []podAddress {
	join := func(n int, part, separator string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(part, "N", fmt.Sprint(i+1))
		}
		return strings.Join(parts, separator)
	}
	all := []podAddress{{join(4, `(\d+)`, `\.`), join(4, "$N", "-")}}
	for groups := 3; groups <= 8; groups++ {
		all = append(all, podAddress{`\[` + join(groups, "([0-9a-f]*)", ":") + `\]`, join(groups, "$N", "-")})
	}
	return all
}
