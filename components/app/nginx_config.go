package app

import (
	"cmp"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"threetier/internal/optional"
)

const (
	// nginxPort is where the load balancer's port 80 leads, with a certificate as without: another
	// one would leave a load balancer of AWS without targets until it has checked the new ones.
	nginxPort = 8080
	// nginxTLSPort is where what came through the load balancer's TLS arrives.
	nginxTLSPort = 8081

	// upstreamTries is how many connections nginx tries before it answers 502. While a dead
	// pod's address is still in the Service, each new connection may meet it again; a refusal
	// costs nothing, so there are enough tries to find a pod that lives.
	upstreamTries = 8
	// maxClientIdleSeconds is how long a client's connection is kept without a request: at most
	// half of the drain, so that it is gone before the pod.
	maxClientIdleSeconds = 65
	// upstreamIdleSeconds is below the 2 s after which gunicorn closes a silent connection,
	// perhaps just when a request is on its way; others wait longer.
	upstreamIdleSeconds = 1
	// upstreamKeepaliveSeconds is how long a connection is used: after it new pods get their
	// share, and pods that are to stop have lost theirs.
	upstreamKeepaliveSeconds = 8
)

//go:embed nginx.conf.tmpl
var nginxTemplateText string

var nginxTemplate = template.Must(template.New("nginx.conf").Parse(nginxTemplateText))

// nginxView is what the template sees.
type nginxView struct {
	AppPorts               []int
	TLSPort                int
	Redirect               bool // to https
	HealthPath             string
	Workers                int
	LongestRequest         int
	ClientKeepaliveSeconds int
	ClientIdleSeconds      int
	TLS                    bool
	TrustedProxies, Hosts  []string
	// RedirectFrom are the names that lead to Name.
	RedirectFrom             []string
	Name                     string
	Limits                   nginxLimits
	RatePerClient            int
	Upstreams                []nginxUpstream
	UpstreamIdleSeconds      int
	UpstreamKeepaliveSeconds int
	Locations                []nginxLocation
	MaxBodySize              string
	Disguised                []string
}

type nginxUpstream struct {
	Name    string
	Servers []string
}

type nginxLocation struct {
	Match          string // what follows the word location
	Literal        string // the path as a pattern; empty for /
	To             string
	Origin         string // as the upstream sees its own
	Prefix         string // set where it is to be removed
	TimeoutSeconds int
	MaxBodySize    string
	// BodySize is what MaxBodySize comes to; bodies are counted apart for each.
	BodySize                  string
	Uploads, UploadsPerClient int
}

// HasRoot tells whether a path without a route of its own leads anywhere.
func (v nginxView) HasRoot() bool {
	return slices.ContainsFunc(v.Locations, func(l nginxLocation) bool { return l.Match == "/" })
}

// RenderNginxConfig is the whole nginx.conf; backend and frontend are host:port, and frontend is empty where there is none.
func RenderNginxConfig(args NginxArgs, backend, frontend string) (string, error) {
	return renderNginxConfig(args.withDefaults(), backend, frontend)
}

func renderNginxConfig(args NginxArgs, backend, frontend string) (string, error) {
	limits := args.limits()
	upstream := func(name, address string) nginxUpstream {
		return nginxUpstream{Name: name, Servers: slices.Repeat([]string{address}, upstreamTries)}
	}
	upstreams := []nginxUpstream{upstream(RouteToBackend, backend)}
	if frontend != "" {
		upstreams = append(upstreams, upstream(RouteToFrontend, frontend))
	}
	view := nginxView{
		AppPorts: []int{nginxPort}, TLSPort: nginxTLSPort, HealthPath: NginxHealthPath,
		Workers:                  wholeCores(args.Resources.CPU),
		LongestRequest:           args.longestRequest(""),
		ClientKeepaliveSeconds:   max(1, *args.DrainSeconds/2),
		ClientIdleSeconds:        max(1, min(maxClientIdleSeconds, *args.DrainSeconds/2)),
		TLS:                      args.tls(),
		Redirect:                 args.tls() && *args.Redirect,
		TrustedProxies:           args.TrustedProxies,
		Hosts:                    args.Hosts,
		Name:                     args.Domain.Name,
		RedirectFrom:             args.Domain.RedirectFrom,
		Limits:                   limits,
		RatePerClient:            *args.Limits.RatePerClient,
		Upstreams:                upstreams,
		UpstreamIdleSeconds:      upstreamIdleSeconds,
		UpstreamKeepaliveSeconds: upstreamKeepaliveSeconds,
		Locations:                nginxLocations(args, limits, map[string]string{RouteToBackend: originOf(backend), RouteToFrontend: originOf(frontend)}),
		MaxBodySize:              args.MaxBodySize,
		Disguised:                disguisedHeaders(),
	}
	if view.TLS {
		view.AppPorts = append(view.AppPorts, nginxTLSPort)
	}
	var text strings.Builder
	if err := nginxTemplate.Execute(&text, view); err != nil {
		return "", fmt.Errorf("render nginx config: %w", err)
	}
	return text.String(), nil
}

// nginxLocations are sorted for the reader; nginx itself takes the longest prefix. A route
// needs two of them, since /api must match /api and /api/x but not /apix.
func nginxLocations(args NginxArgs, limits nginxLimits, origins map[string]string) []nginxLocation {
	routes := slices.SortedFunc(slices.Values(args.Routes), func(x, y RouteArgs) int { return strings.Compare(y.Path, x.Path) })
	var locations []nginxLocation
	for _, route := range routes {
		location := nginxLocation{
			Match: route.Path, To: route.To, Origin: origins[route.To],
			TimeoutSeconds: *optional.Or(route.TimeoutSeconds, *args.TimeoutSeconds),
			MaxBodySize:    route.MaxBodySize,
			BodySize:       cmp.Or(route.MaxBodySize, args.MaxBodySize),
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
		locations = append(locations, exact, location)
	}
	return locations
}

// originOf is where a server at host:port thinks it is, if it takes the name from the request and the port from itself.
func originOf(address string) string {
	_, port, _ := strings.Cut(address, ":")
	return strings.TrimSuffix("http://$host:"+port, ":80")
}

// disguisedHeaders are what a client mustn't send, written with one underscore or more. Servers of CGI's kind read these as
// the headers themselves; gunicorn takes the last two from its proxy, which nginx is.
// https://docs.gunicorn.org/en/stable/settings.html#forwarder-headers
func disguisedHeaders() []string {
	var disguised []string
	for _, header := range []string{
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Proto", "X-Real-IP", "X-Request-ID",
		"Content-Length", "Content-Type", "Transfer-Encoding",
	} {
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
