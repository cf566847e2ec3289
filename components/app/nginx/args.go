package nginx

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/images"
	"threetier/components/app/pods"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

// How long nginx waits for the next byte of an answer. A stream is silent between its events.
const (
	defaultTimeoutSeconds = 60
	defaultStreamSeconds  = 300
)

// maxBodyMebibytes bounds a request's body: it is kept on disk while it comes in.
const maxBodyMebibytes = 1024

// loadBalancerIdleSeconds is when a network load balancer cuts a silent connection. Listeners
// without TLS may be told another time, those with TLS can't.
const loadBalancerIdleSeconds = 350

// What a route can lead to.
const (
	ToBackend  = "backend"
	ToFrontend = "frontend"
)

// NginxHealthPath answers for nginx itself; routes can't be below OwnPath.
const (
	OwnPath    = "/-"
	HealthPath = OwnPath + "/healthz"
)

// DefaultRoutes send /api to the backend and the rest to the frontend.
func DefaultRoutes() []RouteArgs {
	return []RouteArgs{{Path: "/api", To: ToBackend}, {Path: "/", To: ToFrontend}}
}

// Args describe the way in. Keys says what each field means.
type Args struct {
	// Domain has the app's public names, with certificates of the stack's own. Default: none.
	Domain DomainArgs
	// Behind is for an nginx that another stack's leads to, instead of a load balancer. Default: false.
	Behind bool
	// StopSeconds is what the tiers' pods have for running requests when they stop. Default: LongestRequest.
	StopSeconds int

	Image                        string
	Replicas                     pods.ReplicaArgs
	Resources                    pods.ResourceArgs // there is a worker for each core of the limit
	Routes                       []RouteArgs
	MaxBodySize                  string
	TimeoutSeconds, DrainSeconds int
	RolloutSeconds               int
	CertificateArn               string
	Redirect                     *bool
	TrustedProxies, Hosts        []string
	Limits                       LimitArgs
	Internal                     bool
	SourceRanges                 []string
	Headers                      map[string]string
	Maintenance                  string
	Metrics                      bool
	Ingress                      []pods.IngressArgs
	PodAnnotations               map[string]string
	LoadBalancer                 LoadBalancerArgs
}

// DomainArgs are public names that lead to the load balancer.
type DomainArgs struct {
	// Name is the app's own name: URL has it where there is TLS.
	Name string
	// Aliases are more names that the app answers for.
	Aliases []string
	// RedirectFrom are names from which nginx redirects to Name.
	RedirectFrom []string
	// Previews begins the namespaces of the previews that nginx leads to, before their names. Default: it leads to none.
	Previews string
	// CertificateARNs are ACM certificates of the names, the load balancer's default first. Default: none, no TLS yet.
	CertificateARNs []pulumi.StringInput
}

// RouteArgs lead one path, and all below it, to a workload.
type RouteArgs struct {
	Host, Path, To string
	StripPrefix    bool
	TimeoutSeconds int
	MaxBodySize    string
	Stream         bool
	Sticky         string
}

// LoadBalancerArgs adapt the Service to the cluster's load balancer controller.
type LoadBalancerArgs struct {
	Class       string
	Annotations map[string]string
}

// LimitArgs bound what clients may take of one nginx pod.
type LimitArgs struct {
	Requests, RequestsPerClient, Uploads, RatePerClient int
}

// Keys are nginx's, below threetier:nginx.
func (args *Args) Keys() keys.Table {
	return slices.Concat(args.podKeys(), args.clientKeys(), args.answerKeys(), args.loadBalancerKeys())
}

func (args *Args) podKeys() keys.Table {
	return keys.Table{
		keys.Text("image", &args.Image).Is(pods.Image).Default(images.Nginx).Example("ghcr.io/acme/nginx@sha256:…").
			Doc("An nginx image, 1.22 or later, that can run as any user."),
		args.Replicas.Key(2, 6),
		args.Resources.Key("100m", "256Mi"),
		keys.Objects("routes", &args.Routes, func(route *RouteArgs) keys.Table { return route.keys(args.Certified()) }).AtLeast(1, "at least one route").
			Otherwise("[{path: /api, to: backend}, {path: /, to: frontend}]; without threetier:frontend [{path: /, to: backend}]").
			Example("[{path: /api, to: backend, timeoutSeconds: 120}, {path: /, to: frontend}]").
			Doc("The target of each path. nginx uses the longest prefix that matches."),
		keys.Text("maxBodySize", &args.MaxBodySize).Unquoted().Is(bodySize).Default("10m").Example("25m").
			Doc("Maximum size of a request body."),
		timeoutKey(&args.TimeoutSeconds, args.Certified()).Default(defaultTimeoutSeconds).Example("30").
			Doc("Time that nginx waits for the next byte of a response, in seconds."),
		// The default is how long a network load balancer may take to forget a target: it was seen to send new connections for
		// two minutes and more after the call, and the controller needs its time to make that (aws-load-balancer-controller,
		// issues 2366 and 1834). Less than kube-proxy's own delay would lose connections everywhere.
		keys.Number("drainSeconds", &args.DrainSeconds).Between(5, pods.MaxTimeoutSeconds).Default(300).Example("10").
			Doc("Time that a stopping pod continues to serve, in seconds. The load balancer must stop sending it requests in this time."),
		pods.RolloutKey(&args.RolloutSeconds, 900), // the load balancer takes minutes to take each new pod in
	}
}

var network = constraint.Text{
	Pattern: `^(([0-9]{1,3}\.){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])|[0-9a-f:]*::?[0-9a-f:]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$`,
	Want:    "a network, like 10.0.0.0/8",
	Words:   "networks in CIDR notation",
}

var hostName = constraint.Text{
	Pattern: `^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`,
	Want:    "a name in lowercase letters, like shop.example.org or *.example.org",
	Words:   "host names in lowercase letters, *. in front for all below one",
}

func (args *Args) clientKeys() keys.Table {
	return keys.Table{
		keys.Text("certificateArn", &args.CertificateArn).
			Match("^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$", "the ARN of an ACM certificate").
			Refuse(args.CertificateArn != "" && args.Domain.Name != "", "given beside the domain "+args.Domain.Name, "one of the two").
			Otherwise("those of threetier:domain, else none: plain HTTP").Example("arn:aws:acm:eu-west-1:123456789012:certificate/…").
			Doc("ACM certificate of the load balancer, made by hand. The load balancer ends TLS, and nginx redirects HTTP to HTTPS."),
		keys.Flag("redirect", &args.Redirect).DefaultFrom("true", func() bool { return true }).Example("false").
			Doc("Redirects HTTP to HTTPS if there is a certificate. Set it to false while you add a certificate to an app in use: HTTP is served until HTTPS works."),
		keys.Texts("trustedProxies", &args.TrustedProxies).Each(network).Example("[10.0.0.0/16]").
			Doc("Networks of proxies in front of the load balancer. nginx takes the client's address and scheme from their X-Forwarded-For and X-Forwarded-Proto. What they got by HTTPS isn't redirected."),
		keys.Texts("hosts", &args.Hosts).Each(hostName).Otherwise("the names of threetier:domain once they have certificates, else any host").Example("[shop.example.org]").
			Doc("Host names that nginx answers for, besides those of threetier:domain. Requests for another host get 421."),
		keys.Object("limits", args.Limits.keys()).
			Doc("Limits of what clients can use of one nginx pod. A request above a limit gets 503, above a rate 429."),
	}
}

func (args *LimitArgs) keys() keys.Table {
	return keys.Table{
		keys.Number("requests", &args.Requests).Between(minRequests, mostOf(maxRequests)).Otherwise("from nginx.resources.memory").Example("100").
			Doc("Maximum number of requests at the same time. An open WebSocket is one. The default fits in half of the memory: 72 in 128Mi, 162 in 256Mi."),
		keys.Number("requestsPerClient", &args.RequestsPerClient).Between(1, mostOf(maxRequests)).Otherwise("a quarter of requests, at least 6").Example("30").
			Doc("Maximum number of requests of one client at the same time. A client is an IPv4 address or an IPv6 /64 network."),
		keys.Number("uploads", &args.Uploads).Between(2, maxRequests).Otherwise("1 GiB of disk divided by maxBodySize, at least 4").Example("20").
			Doc("Maximum number of request bodies of 100 kB or more at the same time, for each maxBodySize. One client gets a quarter of them."),
		keys.Number("ratePerClient", &args.RatePerClient).Between(0, maxRatePerClient).Example("50").
			Doc("Maximum number of requests of one client per second, with a burst of the same number. 0 means no limit."),
	}
}

func (args *Args) loadBalancerKeys() keys.Table {
	balancer := &args.LoadBalancer
	return keys.Table{
		keys.Flag("internal", &args.Internal).Example("true").
			Doc("Makes the load balancer reachable only from the private network."),
		keys.Texts("sourceRanges", &args.SourceRanges).Each(network).Was("allow", "[203.0.113.0/24]").Otherwise("any network").Example("[203.0.113.0/24]").
			Doc("Networks whose clients the load balancer lets in. With maintenance it lets in everybody, and nginx leads these networks alone to the app."),
		keys.Object("loadBalancer", keys.Table{
			keys.Text("class", &balancer.Class).Match("^[a-z0-9.-]+(/[A-Za-z0-9._-]+)?$", "a class, like eks.amazonaws.com/nlb").Words("a load balancer class").
				Otherwise("the cluster's own").Example("eks.amazonaws.com/nlb").
				Doc("The loadBalancerClass of the Service."),
			keys.TextMap("annotations", &balancer.Annotations).Example("{service.beta.kubernetes.io/aws-load-balancer-name: shop}").
				Doc("Annotations for the Service. They override the program's annotations. An empty value removes one."),
		}).Doc("Settings for the cluster's load balancer controller."),
	}
}

func (args *RouteArgs) keys(certified bool) keys.Table {
	return keys.Table{
		keys.Text("path", &args.Path).
			// No segment is . or .., which browsers and servers leave out.
			Match(`^(/|(/([A-Za-z0-9_~-]|\.[A-Za-z0-9_~-]|\.\.[A-Za-z0-9._~-])[A-Za-z0-9._~-]*)+)$`, "/ or segments of letters, digits, . _ ~ -, without a trailing slash").
			Except("^"+OwnPath+"(/|$)", "one that isn't below "+OwnPath+", which is nginx's own").
			Words("/ or complete path segments, not below " + OwnPath).Required("a path, like /api").Example("/api").
			Doc("Path prefix. /api matches /api and /api/x, but not /apix."),
		keys.Text("to", &args.To).OneOf(ToBackend, ToFrontend).Required().Example("backend").
			Doc("Target of the route."),
		keys.Text("host", &args.Host).Is(hostName).Otherwise("every host without routes of its own").Example("api.shop.example.org").
			Doc("Host name of the route, one of threetier:domain or nginx.hosts if they name any. A host that a route names has only the routes that name it."),
		keys.Flag("stripPrefix", &args.StripPrefix).Example("true").
			Doc("Removes the prefix from the forwarded request."),
		timeoutKey(&args.TimeoutSeconds, certified).Otherwise(fmt.Sprintf("nginx.timeoutSeconds; at least %d with stream", defaultStreamSeconds)).Example("300").
			Doc("Overrides nginx.timeoutSeconds for this route."),
		keys.Text("maxBodySize", &args.MaxBodySize).Unquoted().Is(bodySize).Otherwise("nginx.maxBodySize").Example("100m").
			Doc("Overrides nginx.maxBodySize for this route."),
		keys.Flag("stream", &args.Stream).Example("true").
			Doc("Passes each part of a response on as it comes, uncompressed: for events, tokens and long polls."),
		args.stickyKey(),
	}
}

// timeoutKey refuses requests that the load balancer would cut before nginx does.
func timeoutKey(into *int, certified bool) *keys.NumberRow {
	row := keys.Number("timeoutSeconds", into).Between(1, pods.MaxTimeoutSeconds)
	row.Needs(!certified || *into <= loadBalancerIdleSeconds,
		fmt.Sprintf("at most %d with a certificate: the load balancer's TLS listener cuts a connection that is silent for longer", loadBalancerIdleSeconds))
	return row
}

var bodySize = constraint.Text{
	Pattern: fmt.Sprintf("^(1[gG]|%s[mM]|%s[kK]|%s)$",
		constraint.UpTo(maxBodyMebibytes), constraint.UpTo(maxBodyMebibytes<<10), constraint.UpTo(maxBodyMebibytes<<20)),
	Want:    fmt.Sprintf("a size up to %dm, like 512k or 10m", maxBodyMebibytes),
	Words:   fmt.Sprintf("bytes, or a number with k, m or g; at most %dm", maxBodyMebibytes),
	Numbers: keys.Schema{"type": "integer", "minimum": 1, "maximum": maxBodyMebibytes << 20},
}

// Complete fills in the defaults, and returns what the args can't run with.
func (args *Args) Complete() problems.List {
	ps := slices.Concat(args.Keys().Complete(), args.routesProblems(), args.headerProblems(), args.ingressProblems(), args.loadBalancerNameProblems())
	if args.Routes == nil {
		args.Routes = DefaultRoutes()
	}
	if !ps.Has("resources") {
		ps = append(args.limitProblems(), ps...)
	}
	return ps.FirstOfEach()
}

// Certified tells that the load balancer has a certificate, or will have one.
func (args Args) Certified() bool { return args.CertificateArn != "" || args.Domain.Name != "" }

// tls tells that the load balancer has a certificate.
func (args Args) tls() bool {
	return args.CertificateArn != "" || len(args.Domain.CertificateARNs) > 0
}

// DualStack tells that the load balancer has IPv6 addresses too.
func (args Args) DualStack() bool {
	return args.LoadBalancer.Annotations[awsLoadBalancer+"ip-address-type"] == "dualstack"
}

// loadBalancerNameProblems hold a name that an annotation gives to the limit of Elastic Load Balancing, which AWS reports late.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
func (args Args) loadBalancerNameProblems() problems.List {
	const annotation, most = awsLoadBalancer + "name", 32
	if name := args.LoadBalancer.Annotations[annotation]; len(name) > most {
		return problems.List{{Path: "loadBalancer.annotations." + annotation, Value: strconv.Quote(name), Want: fmt.Sprintf("at most %d characters", most)}}
	}
	return nil
}

func (args Args) routesProblems() problems.List {
	var ps problems.List
	seen := map[string]bool{}
	names := args.names()
	for i, route := range args.Routes {
		path := fmt.Sprintf("routes[%d].", i)
		if seen[route.Host+route.Path] {
			ps = append(ps, problems.Problem{Path: path + "path", Value: strconv.Quote(route.Path), Want: "each path once"})
		}
		seen[route.Host+route.Path] = true
		answers := func(name string) bool {
			return name == route.Host || strings.HasPrefix(name, "*") && strings.HasSuffix(route.Host, name[1:])
		}
		if route.Host != "" && len(names) > 0 && !slices.ContainsFunc(names, answers) {
			ps = append(ps, problems.Problem{Path: path + "host", Value: strconv.Quote(route.Host),
				Want: "one of " + strings.Join(names, ", ") + ": add others to nginx.hosts, or to the aliases of threetier:domain"})
		}
	}
	return ps
}

// bodyBytes reads a size that the key accepts.
func bodyBytes(size string) int {
	number := strings.TrimRight(strings.ToLower(size), "kmg")
	n, _ := strconv.Atoi(number)
	return n * map[string]int{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[strings.ToLower(size)[len(number):]]
}
