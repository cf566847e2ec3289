package app

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"threetier/internal/optional"
)

const (
	nginxPort         = 8080
	nginxRedirectPort = 8081

	// upstreamTries is how many connections nginx tries before it answers 502. While a dead
	// pod's address is still in the Service, each new connection may meet it again; a refusal
	// costs nothing, so there are enough tries to find a pod that lives.
	upstreamTries = 8
	// upstreamIdleSeconds is below the 5 s after which common app servers close a silent
	// connection, perhaps just when a request is on its way.
	upstreamIdleSeconds = 4
	// upstreamKeepaliveSeconds is how long a connection is used: after it new pods get their
	// share, and pods that are to stop have lost theirs.
	upstreamKeepaliveSeconds = 8
)

// privateNetworks are where proxies before nginx are, whose word on the client's address and
// scheme counts. A load balancer of layer 4 shows clients by their own, public, addresses.
var privateNetworks = []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "fc00::/7"}

//go:embed nginx.conf.tmpl
var nginxTemplateText string

var nginxTemplate = template.Must(template.New("nginx.conf").Parse(nginxTemplateText))

// nginxView is what the template sees.
type nginxView struct {
	Port, RedirectPort       int
	HealthPath               string
	Workers                  int
	LongestRequest           int
	ClientKeepaliveSeconds   int
	TLS                      bool
	TrustedProxies           []string
	Upstreams                []nginxUpstream
	UpstreamIdleSeconds      int
	UpstreamKeepaliveSeconds int
	Locations                []nginxLocation
	MaxBodySize              string
}

type nginxUpstream struct {
	Name    string
	Servers []string
}

type nginxLocation struct {
	Match          string // what follows the word location
	To             string
	Prefix         string // set where it is to be removed
	TimeoutSeconds int
	MaxBodySize    string
}

// HasRoot tells whether a path without a route of its own leads anywhere.
func (v nginxView) HasRoot() bool {
	return slices.ContainsFunc(v.Locations, func(l nginxLocation) bool { return l.Match == "/" })
}

// RenderNginxConfig is the whole nginx.conf; backend and frontend are host:port.
func RenderNginxConfig(args NginxArgs, backend, frontend string) (string, error) {
	return renderNginxConfig(args.withDefaults(), backend, frontend)
}

func renderNginxConfig(args NginxArgs, backend, frontend string) (string, error) {
	view := nginxView{
		Port: nginxPort, RedirectPort: nginxRedirectPort, HealthPath: NginxHealthPath,
		Workers:                wholeCores(args.Resources.CPU),
		LongestRequest:         *args.longestRequest(""),
		ClientKeepaliveSeconds: max(1, *args.DrainSeconds/2),
		TLS:                    args.CertificateArn != "",
		Upstreams: []nginxUpstream{
			{Name: ToBackend, Servers: slices.Repeat([]string{backend}, upstreamTries)},
			{Name: ToFrontend, Servers: slices.Repeat([]string{frontend}, upstreamTries)},
		},
		UpstreamIdleSeconds:      upstreamIdleSeconds,
		UpstreamKeepaliveSeconds: upstreamKeepaliveSeconds,
		Locations:                nginxLocations(args),
		MaxBodySize:              args.MaxBodySize,
	}
	if !args.Internal {
		// Behind an internal load balancer private addresses are the clients' own.
		view.TrustedProxies = privateNetworks
	}
	var text strings.Builder
	if err := nginxTemplate.Execute(&text, view); err != nil {
		return "", fmt.Errorf("render nginx config: %w", err)
	}
	return text.String(), nil
}

// nginxLocations are sorted for the reader; nginx itself takes the longest prefix. A route
// needs two of them, since /api must match /api and /api/x but not /apix.
func nginxLocations(args NginxArgs) []nginxLocation {
	routes := slices.SortedFunc(slices.Values(args.Routes), func(x, y RouteArgs) int { return strings.Compare(y.Path, x.Path) })
	var locations []nginxLocation
	for _, route := range routes {
		location := nginxLocation{
			Match: route.Path, To: route.To,
			TimeoutSeconds: *optional.Or(route.TimeoutSeconds, *args.TimeoutSeconds),
			MaxBodySize:    route.MaxBodySize,
		}
		if route.Path == "/" {
			locations = append(locations, location)
			continue
		}
		if route.StripPrefix {
			location.Prefix = route.Path
		}
		exact := location
		exact.Match, location.Match = "= "+route.Path, route.Path+"/"
		locations = append(locations, exact, location)
	}
	return locations
}
