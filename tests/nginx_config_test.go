package tests

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"threetier/components/app/nginx"
	"threetier/components/app/pods"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
	realnginx "threetier/tests/nginx"
	"threetier/tests/trixie"
)

// requireNginx skips where bin/trixie can't run and this machine has no nginx of its own.
func requireNginx(t *testing.T) {
	t.Helper()
	if realnginx.Command("-v").Run() != nil {
		trixie.Require(t)
	}
}

func renderNginx(t *testing.T, args nginx.Args) string {
	t.Helper()
	require.NoError(t, args.Complete().Err())
	config, err := nginx.RenderConfig(args, "127.0.0.1:8000", "127.0.0.1:8001")
	require.NoError(t, err)
	return config
}

func TestNginxAcceptsTheRenderedConfig(t *testing.T) {
	requireNginx(t)
	timeout := 5
	for name, args := range map[string]nginx.Args{
		"defaults":           {},
		"with a certificate": {CertificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/1-2"},
		"internal":           {Internal: true},
		"proxies and hosts":  {TrustedProxies: []string{"10.0.0.0/8", "2600:9000::/28"}, Hosts: []string{"shop.example.org", "*.example.org"}},
		"a rate":             {Limits: nginx.LimitArgs{RatePerClient: 50}},
		"names":              {Domain: nginx.DomainArgs{Name: "shop.example.org", RedirectFrom: []string{"www.shop.example.org", "www.example.org"}}},
		"no redirect yet":    {CertificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/1-2", Redirect: new(bool)},
		"several cores":      {Resources: pods.ResourceArgs{CPU: "2500m"}},
		"no route for /":     {Routes: []nginx.RouteArgs{{Path: "/api", To: nginx.ToBackend}}},
		"one route":          {Routes: []nginx.RouteArgs{{Path: "/", To: nginx.ToBackend, StripPrefix: true}}},
		"all that answers may have": {
			Headers: map[string]string{"Content-Security-Policy": `default-src 'self'; report-uri "x\y"`, "x-frame-options": ""}, Maintenance: `"back" \ at <six>`, SourceRanges: []string{"203.0.113.0/24", "2001:db8::/32"}, Metrics: true,
			Routes: []nginx.RouteArgs{{Path: "/", To: nginx.ToFrontend, Sticky: "cookie", Stream: true}, {Path: "/api", To: nginx.ToBackend, Sticky: "cookie"}, {Path: "/mcp", To: nginx.ToBackend, Sticky: "Mcp-Session-Id", Stream: true}},
		},
		"route's own numbers": {Routes: []nginx.RouteArgs{{Path: "/up", To: nginx.ToBackend, MaxBodySize: "1g", TimeoutSeconds: timeout}}},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, realnginx.Test(renderNginx(t, args), t.TempDir()))
		})
	}
}

func TestNginxAcceptsTheConfigOfEachStack(t *testing.T) {
	requireNginx(t)
	for _, name := range []string{"dev", "prod", "full"} {
		r := recorder.MustRun(t, stack.Deploy, recorder.Options{Stack: name, Config: project.StackConfig(t, name)})
		config := r.Named(t, configMapType, "app-nginx-config").Input(t, `data["nginx.conf"]`).(string)
		// Service names resolve in the cluster alone.
		config = regexp.MustCompile(`server (backend|frontend)-service:`).ReplaceAllString(config, "server 127.0.0.1:")
		require.NoError(t, realnginx.Test(config, t.TempDir()), name)
	}
}

func TestNginxAcceptsTheConfigOfEveryGeneratedRouteTable(t *testing.T) {
	requireNginx(t)
	const tables = 40
	random := rand.New(rand.NewPCG(1, 2))
	for i := range tables {
		args := nginx.Args{Routes: generatedRoutes(random), Internal: random.IntN(2) == 0}
		if random.IntN(2) == 0 {
			args.CertificateArn = "arn:aws:acm:eu-west-1:123456789012:certificate/1-2"
		}
		require.NoError(t, realnginx.Test(renderNginx(t, args), t.TempDir()), "table %d: %+v", i, args.Routes)
	}
}

// generatedRoutes is a valid table of 1 to 12 routes, deep ones and ones below each other among them.
func generatedRoutes(random *rand.Rand) []nginx.RouteArgs {
	segments := []string{"api", "v1", "v2", "apix", "a.b", "~me", "files", "_x", "0", strings.Repeat("long", 20)}
	to := []string{nginx.ToBackend, nginx.ToFrontend}
	sizes := []string{"", "1", "512k", "25M", "1g"}
	hosts := []string{"", "", "", "", "api.shop.example.org", "*.shop.example.org"}
	byPath := map[string]nginx.RouteArgs{}
	for range 1 + random.IntN(12) {
		path := ""
		for range random.IntN(4) {
			path += "/" + segments[random.IntN(len(segments))]
		}
		if path == "" {
			path = "/"
		}
		seconds := 1 + random.IntN(350)
		route := nginx.RouteArgs{Path: path, To: to[random.IntN(2)], StripPrefix: random.IntN(2) == 0, MaxBodySize: sizes[random.IntN(len(sizes))]}
		if random.IntN(2) == 0 {
			route.TimeoutSeconds = seconds
		}
		route.Host = hosts[random.IntN(len(hosts))]
		byPath[route.Host+path] = route
	}
	var routes []nginx.RouteArgs
	for _, route := range byPath {
		routes = append(routes, route)
	}
	return routes
}

func TestNginxHasAWorkerForEachCoreOfItsLimit(t *testing.T) {
	for cpu, workers := range map[string]string{"": "1", "50m": "1", "1": "1", "1001m": "2", "2": "2", "3.5": "4"} {
		config := renderNginx(t, nginx.Args{Resources: pods.ResourceArgs{CPU: cpu}})
		require.Contains(t, config, "worker_processes "+workers+";", "cpu %q", cpu)
	}
}

func TestNginxConfigIsTheSameInEveryRun(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	routes := generatedRoutes(random)
	reversed := make([]nginx.RouteArgs, len(routes))
	for i, route := range routes {
		reversed[len(routes)-1-i] = route
	}
	require.Equal(t, renderNginx(t, nginx.Args{Routes: routes}), renderNginx(t, nginx.Args{Routes: reversed}))
}

func TestNginxWritesNothingOutsideTmp(t *testing.T) {
	config := renderNginx(t, nginx.Args{})
	for _, match := range regexp.MustCompile(`(?m)^\s*(pid|error_log|access_log|\w+_temp_path) (\S+?);?(\s|$)`).FindAllStringSubmatch(config, -1) {
		path := match[2]
		fine := strings.HasPrefix(path, "/tmp/") || path == "stderr" || path == "/dev/stdout" || path == "off"
		require.True(t, fine, "%s %s", match[1], path)
	}
}

func TestNginxRefusesWhatItCannotServe(t *testing.T) {
	route := func(r nginx.RouteArgs) nginx.Args {
		return nginx.Args{Routes: []nginx.RouteArgs{r}}
	}
	for want, args := range map[string]nginx.Args{
		`routes[0].path is missing, want a path, like /api`: route(nginx.RouteArgs{To: "backend"}),
		`routes[1].path is "/", want each path once`: {Routes: []nginx.RouteArgs{
			{Path: "/", To: "backend"}, {Path: "/", To: "frontend"},
		}},
		`routes[0].host is "api.shop.example", want one of shop.example.org, *.shop.example.org: add others to nginx.hosts`: {
			Hosts:  []string{"shop.example.org", "*.shop.example.org"},
			Routes: []nginx.RouteArgs{{Path: "/", To: "backend", Host: "api.shop.example"}, {Path: "/", To: "backend"}, {Path: "/", To: "backend", Host: "a.b.shop.example.org"}},
		},
		`routes[0].host is "www.example.org", want one of shop.example.org, store.example.org: add`: {
			Domain: nginx.DomainArgs{Name: "shop.example.org", Aliases: []string{"store.example.org"}, RedirectFrom: []string{"www.example.org"}},
			Routes: []nginx.RouteArgs{{Path: "/", To: "backend", Host: "www.example.org"}, {Path: "/", To: "backend", Host: "store.example.org"}},
		},
		`limits.requests is 500, want 12 to `:            {Limits: nginx.LimitArgs{Requests: 500}},
		`limits.requestsPerClient is 90, want 1 to 80`:   {Limits: nginx.LimitArgs{Requests: 80, RequestsPerClient: 90}},
		`resources.memory is "32Mi", want at least 42Mi`: {Resources: pods.ResourceArgs{Memory: "32Mi"}},
		`loadBalancer.annotations.service.beta.kubernetes.io/aws-load-balancer-name is "` + strings.Repeat("a", 33) + `", want at most 32 characters`: {
			LoadBalancer: nginx.LoadBalancerArgs{Annotations: map[string]string{awsPrefix + "name": strings.Repeat("a", 33)}},
		},
		`headers.x-frame-options is another spelling of one of them, want each header once`: {Headers: map[string]string{"X-Frame-Options": "DENY", "x-frame-options": ""}},
		`routes[0].sticky is "cookie", want none with stripPrefix`:                          route(nginx.RouteArgs{Path: "/", To: "backend", Sticky: "cookie", StripPrefix: true}),
		`timeoutSeconds is 351, want at most 350`:                                           {TimeoutSeconds: 351, CertificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/1-2"},
		`replicas.max is 1, want min (3) or more`:                                           {Replicas: pods.ReplicaArgs{Min: 3, Max: 1}},
	} {
		t.Run(want, func(t *testing.T) {
			problems := args.Complete()
			require.Len(t, problems, 1, "%s", fmt.Sprint(problems))
			require.Contains(t, problems[0].String(), want)
		})
	}
}
