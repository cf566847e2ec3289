package nginx

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"

	"threetier/components/app/pods"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

// MetricsPort is where nginx tells its numbers.
const MetricsPort = 8082

func (args *Args) answerKeys() keys.Table {
	ingress := pods.IngressKey(&args.Ingress)
	ingress.Default, ingress.Example = "none: the nodes alone", fmt.Sprintf("[{from: {namespace: monitoring}, ports: [%d]}]", MetricsPort)
	return keys.Table{
		keys.TextMap("headers", &args.Headers).Is(constraint.Map{Names: headerName, Values: headerValue}).
			Example(`{Content-Security-Policy: "default-src 'self'", X-Frame-Options: ""}`).
			Doc("Headers of every response, in place of the app's and of nginx's own. An empty value removes one."),
		keys.Text("maintenance", &args.Maintenance).Is(constraint.Text{
			Pattern: `^[^$\p{Cc}]{1,500}$`, Want: "one line of at most 500 characters, without $",
		}).Otherwise("none: the app is open").Example("back at six").
			Doc("Closes the app: everybody gets 503 with this message and Retry-After, except clients in nginx.sourceRanges."),
		keys.Flag("metrics", &args.Metrics).Example("true").
			Doc(fmt.Sprintf("Opens port %d of nginx's pods with its connections: /metrics for Prometheus, /stub_status for other agents. The load balancer doesn't lead there, and ingress says who gets in.", MetricsPort)),
		ingress,
		pods.AnnotationsKey(&args.PodAnnotations),
	}
}

// headerName leaves out what nginx writes itself, and what frames a response.
var headerName = constraint.Text{
	Pattern: "^[A-Za-z][A-Za-z0-9-]{0,63}$",
	Want:    "names of headers, in letters, digits and -",
	Except: "^(" + strings.Join(append(caseless("Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date", "Keep-Alive", "Location", "Retry-After",
		"Server", "Set-Cookie", "Trailer", "Transfer-Encoding", "Upgrade", "X-Request-ID"), caseless("X-Accel-")[0]+".*"), "|") + ")$",
	Instead: "another header than those that nginx or the app has to write",
}

// headerValue fits into one word of nginx's config, which has no way to write a $.
var headerValue = constraint.Text{
	Pattern: "^[ -#%-~]{0,1000}[ -#%-~]{0,1000}$",
	Want:    "at most 2000 ASCII characters, without $",
}

// caseless are patterns of names in any case, for readers that know no (?i).
func caseless(names ...string) []string {
	patterns := make([]string, len(names))
	for i, name := range names {
		for _, letter := range name {
			if letter == '-' {
				patterns[i] += "-"
				continue
			}
			patterns[i] += fmt.Sprintf("[%s%s]", strings.ToUpper(string(letter)), strings.ToLower(string(letter)))
		}
	}
	return patterns
}

// headerProblems refuse two spellings of one header.
func (args Args) headerProblems() (ps problems.List) {
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(args.Headers)) {
		if seen[strings.ToLower(name)] {
			ps = append(ps, problems.Problem{Path: "headers." + name, Value: "another spelling of one of them", Want: "each header once"})
		}
		seen[strings.ToLower(name)] = true
	}
	return ps
}

// ingressProblems refuse a way in to where nothing listens.
func (args Args) ingressProblems() (ps problems.List) {
	if args.Ingress != nil && !args.Metrics {
		return problems.List{{Path: "ingress", Value: "given without metrics", Want: "metrics: true beside it"}}
	}
	for i, way := range args.Ingress {
		if slices.ContainsFunc(way.Ports, func(port int) bool { return port != MetricsPort }) {
			ps = append(ps, problems.Problem{Path: fmt.Sprintf("ingress[%d].ports", i), Value: fmt.Sprint(way.Ports), Want: fmt.Sprintf("[%d], where the metrics are", MetricsPort)})
		}
	}
	return ps
}

// variable is a header's name inside those of nginx's variables.
func variable(header string) string { return strings.ToLower(strings.ReplaceAll(header, "-", "_")) }

// quoted is a word of nginx's config. It has no $.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// defaultHeaders are nginx's own, where the stack config has no word on them.
func (args Args) defaultHeaders() []headerView {
	defaults := []headerView{
		{Name: "X-Content-Type-Options", Value: "nosniff"}, {Name: "X-Frame-Options", Value: "SAMEORIGIN"},
		{Name: "Referrer-Policy", Value: "strict-origin-when-cross-origin"},
	}
	if args.tls() {
		defaults = append(defaults, headerView{Name: "Strict-Transport-Security", Value: `"max-age=31536000"`})
	}
	defaults = slices.DeleteFunc(defaults, func(header headerView) bool {
		return slices.ContainsFunc(slices.Collect(maps.Keys(args.Headers)), func(name string) bool { return strings.EqualFold(name, header.Name) })
	})
	for i := range defaults {
		defaults[i].Variable = variable(defaults[i].Name)
	}
	return defaults
}

// ownHeaders are those of the stack config.
func (args Args) ownHeaders() (own []headerView) {
	for _, name := range slices.Sorted(maps.Keys(args.Headers)) {
		header := headerView{Name: name}
		if args.Headers[name] != "" {
			header.Value = quoted(args.Headers[name])
		}
		own = append(own, header)
	}
	return own
}

func (args Args) maintenance() *maintenanceView {
	if args.Maintenance == "" {
		return nil
	}
	detail, err := json.Marshal(args.Maintenance)
	if err != nil {
		panic(err) // a text can always be encoded
	}
	return &maintenanceView{
		JSON: strings.TrimSuffix(quoted(`{"detail":`+string(detail)+`,"status":503,"request_id":"`), `"`) + `$request_ident\"}"`,
		HTML: quoted("<!doctype html><title>Maintenance</title><p>" + html.EscapeString(args.Maintenance) + "</p>"),
	}
}
