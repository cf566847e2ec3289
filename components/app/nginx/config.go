package nginx

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"threetier/components/app/pods"
)

const (
	// PlainPort is where the load balancer's port 80 leads, with a certificate as without: another
	// one would leave a load balancer of AWS without targets until it has checked the new ones.
	PlainPort = 8080
	// tlsPort is where what came through the load balancer's TLS arrives.
	tlsPort = 8081

	// upstreamTries is how many connections nginx tries before it answers 502. While a dead
	// pod's address is still in the Service, each new connection may meet it again; a refusal
	// costs nothing, so there are enough tries to find a pod that lives.
	upstreamTries = 8
	// maxClientIdleSeconds is how long a client's connection is kept without a request: at most
	// half of the drain, so that it is gone before the pod.
	maxClientIdleSeconds = 65
	// UpstreamIdleSeconds is below the 2 s after which gunicorn closes a silent connection,
	// perhaps while a request is on its way; others wait longer.
	UpstreamIdleSeconds = 1
	// UpstreamKeepaliveSeconds is how long a connection is used: after it new pods get their
	// share, and pods that are to stop have lost theirs.
	UpstreamKeepaliveSeconds = 8
)

//go:embed nginx.conf.tmpl
var templateText string

var configTemplate = template.Must(template.New("nginx.conf").Parse(templateText))

// configView is what the template sees.
type configView struct {
	AppPorts               []int
	TLSPort                int
	Redirect               bool // to https
	HealthPath, OwnPath    string
	Workers                int
	StopSeconds            int
	ClientKeepaliveSeconds int
	ClientIdleSeconds      int
	TLS                    bool
	TrustedProxies, Hosts  []string
	// RedirectFrom are the names that lead to Name.
	RedirectFrom             []string
	Name                     string
	Limits                   bounds
	RatePerClient            int
	Upstreams                []upstreamView
	UpstreamIdleSeconds      int
	UpstreamKeepaliveSeconds int
	Servers                  []serverView
	MaxBodySize              string
	Disguised                []string
	Defaults, Headers        []headerView
	Maintenance              *maintenanceView
	SourceRanges             []string
	Stickies                 []stickyView
	PodAddresses             []podAddress
	MetricsPort              int
	// Previews begins the namespaces of previews; PreviewHosts is a pattern of what follows their names in a host.
	Previews, PreviewHosts   string
	PreviewService, MostBody string
	PlainPort                int
	PreviewRequests          int
}

// headerView is a header of every response. Variable is its name inside nginx's, and Value is quoted.
type headerView struct{ Name, Variable, Value string }

// maintenanceView is the message as quoted bodies.
type maintenanceView struct{ JSON, HTML string }

type upstreamView struct {
	Name    string
	Servers []string
}

// serverView has the routes of a host, or those of all hosts without routes of their own.
type serverView struct {
	Host      string
	Locations []locationView
}

type locationView struct {
	Match          string // what follows the word location
	Literal        string // the path as a pattern; empty for /
	To             string
	Port           string // that the upstream listens on
	Prefix         string // set where it is to be removed
	TimeoutSeconds int
	Stream         bool
	Sticky         *stickyView
	Number         int // tells the locations apart
	MaxBodySize    string
	// BodySize is what MaxBodySize comes to; bodies are counted apart for each.
	BodySize                  string
	Uploads, UploadsPerClient int
}

// HostRoutes tells whether a host has routes of its own.
func (v configView) HostRoutes() bool { return len(v.Servers) > 1 }

// HasRoot tells whether a path without a route of its own leads anywhere.
func (v serverView) HasRoot() bool {
	return slices.ContainsFunc(v.Locations, func(l locationView) bool { return l.Match == "/" })
}

// RenderConfig is the whole nginx.conf; backend and frontend are host:port, and frontend is empty where there is none.
func RenderConfig(args Args, backend, frontend string) (string, error) {
	if err := args.Complete().Err(); err != nil {
		return "", err
	}
	return renderConfig(args, backend, frontend)
}

func renderConfig(args Args, backend, frontend string) (string, error) {
	limits := args.limits()
	upstream := func(name, address string) upstreamView {
		return upstreamView{Name: name, Servers: slices.Repeat([]string{address}, upstreamTries)}
	}
	upstreams := []upstreamView{upstream(ToBackend, backend)}
	if frontend != "" {
		upstreams = append(upstreams, upstream(ToFrontend, frontend))
	}
	view := configView{
		AppPorts: []int{PlainPort}, TLSPort: tlsPort, HealthPath: HealthPath, OwnPath: OwnPath,
		Workers:                  pods.WholeCores(args.Resources.CPU),
		StopSeconds:              args.stopSeconds(),
		ClientKeepaliveSeconds:   max(1, args.DrainSeconds/2),
		ClientIdleSeconds:        max(1, min(maxClientIdleSeconds, args.DrainSeconds/2)),
		TLS:                      args.tls(),
		Redirect:                 args.tls() && *args.Redirect,
		TrustedProxies:           args.trustedProxies(),
		Hosts:                    args.hosts(),
		Name:                     args.Domain.Name,
		RedirectFrom:             args.Domain.RedirectFrom,
		Limits:                   limits,
		RatePerClient:            args.Limits.RatePerClient,
		Upstreams:                upstreams,
		UpstreamIdleSeconds:      UpstreamIdleSeconds,
		UpstreamKeepaliveSeconds: UpstreamKeepaliveSeconds,
		Servers:                  serverViews(args, limits, map[string]string{ToBackend: portOf(backend), ToFrontend: portOf(frontend)}),
		MaxBodySize:              args.MaxBodySize,
		Disguised:                disguisedHeaders(),
		Defaults:                 args.defaultHeaders(),
		Headers:                  args.ownHeaders(),
		Maintenance:              args.maintenance(),
		SourceRanges:             args.SourceRanges,
		Stickies:                 args.stickies(),
		PodAddresses:             podAddresses(),
		Previews:                 args.Domain.Previews,
		PreviewHosts:             ".+",
		PreviewService:           ServiceName,
		MostBody:                 fmt.Sprintf("%dm", maxBodyMebibytes),
		PlainPort:                PlainPort,
		PreviewRequests:          share(limits.Requests),
	}
	if args.Domain.Name != "" {
		view.PreviewHosts = regexp.QuoteMeta(args.Domain.Name)
	}
	if args.Metrics {
		view.MetricsPort = MetricsPort
	}
	if view.TLS {
		view.AppPorts = append(view.AppPorts, tlsPort)
	}
	var text strings.Builder
	if err := configTemplate.Execute(&text, view); err != nil {
		return "", fmt.Errorf("render nginx config: %w", err)
	}
	return text.String(), nil
}

func serverViews(args Args, limits bounds, ports map[string]string) []serverView {
	routes := map[string][]RouteArgs{"": nil}
	for _, route := range args.Routes {
		routes[route.Host] = append(routes[route.Host], route)
	}
	var servers []serverView
	for _, host := range slices.Sorted(maps.Keys(routes)) {
		servers = append(servers, serverView{Host: host, Locations: locationViews(args, routes[host], limits, ports)})
	}
	return servers
}

// locationViews are sorted for the reader; nginx itself takes the longest prefix. A route
// needs two of them, since /api must match /api and /api/x but not /apix.
func locationViews(args Args, routes []RouteArgs, limits bounds, ports map[string]string) []locationView {
	slices.SortFunc(routes, func(x, y RouteArgs) int { return strings.Compare(y.Path, x.Path) })
	var locations []locationView
	for _, route := range routes {
		location := locationView{
			Match: route.Path, To: route.To, Port: ports[route.To],
			TimeoutSeconds: args.timeout(route), Stream: route.Stream, Sticky: route.sticky(), Number: len(locations),
			MaxBodySize: route.MaxBodySize,
			BodySize:    cmp.Or(route.MaxBodySize, args.MaxBodySize),
		}
		location.Uploads = limits.uploads(location.BodySize)
		location.UploadsPerClient = share(location.Uploads)
		if route.Path == "/" {
			locations = append(locations, location)
			continue
		}
		if route.StripPrefix {
			location.Prefix = route.Path
		}
		location.Literal = regexp.QuoteMeta(route.Path)
		exact := location
		exact.Match, location.Match = "= "+route.Path, route.Path+"/"
		location.Number++
		locations = append(locations, exact, location)
	}
	return locations
}

// portOf is that of host:port.
func portOf(address string) string {
	_, port, _ := strings.Cut(address, ":")
	return port
}

// disguisedHeaders are what a client mustn't send: what some servers take the client's address, scheme or path from, and all spellings of
// that and of nginx's own headers with an underscore or more. Servers of CGI's kind read these as the headers themselves; gunicorn
// takes the last two from its proxy, which nginx is.
// https://docs.gunicorn.org/en/stable/settings.html#forwarder-headers
func disguisedHeaders() []string {
	others := []string{"X-Forwarded-Protocol", "X-Forwarded-Scheme", "X-Forwarded-Server", "X-Forwarded-SSL", "X-Original-URL", "X-Rewrite-URL", "X-URL-Scheme"}
	disguised := slices.Clone(others)
	for _, header := range append([]string{
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Proto", "X-Real-IP", "X-Request-ID",
		"Content-Length", "Content-Type", "Transfer-Encoding",
	}, others...) {
		spellings := []string{""}
		for i, word := range strings.Split(header, "-") {
			var longer []string
			for _, spelling := range spellings {
				if i > 0 {
					longer = append(longer, spelling+"-"+word)
					spelling += "_"
				}
				longer = append(longer, spelling+word)
			}
			spellings = longer
		}
		disguised = append(disguised, spellings[1:]...) // the first has no underscore
	}
	return append(disguised, "PATH_INFO", "SCRIPT_NAME")
}
