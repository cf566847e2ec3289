package app

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// DefaultNginxImage runs as any uid, reads /etc/nginx/nginx.conf, and stops gracefully on its stop signal (SIGQUIT).
const DefaultNginxImage = "docker.io/nginxinc/nginx-unprivileged:1.28.0"

// What nginx gets where its args say nothing.
const (
	DefaultNginxMinReplicas = 2
	DefaultNginxMaxReplicas = 6
	DefaultNginxCPU         = "100m"
	DefaultNginxMemory      = "128Mi"
	// DefaultMaxBodySize is the largest request body.
	DefaultMaxBodySize = "10m"
	// DefaultTimeoutSeconds is how long nginx waits for the next byte of an answer.
	DefaultTimeoutSeconds = 60
	// DefaultDrainSeconds is how long a network load balancer was seen to send new
	// connections to a target that it was told to forget.
	DefaultDrainSeconds = 120
	// DefaultNginxRolloutSeconds leaves the load balancer minutes to take each new pod in.
	DefaultNginxRolloutSeconds = 900
)

// The upper bounds of what a route may ask for: a body is kept on disk while it comes in,
// and a pod that stops waits for the longest request. A drain shorter than kube-proxy's
// own delay would lose connections everywhere.
const (
	minDrainSeconds   = 5
	maxBodyMebibytes  = 1024
	maxTimeoutSeconds = 3600
)

// What a route can lead to.
const (
	ToBackend  = "backend"
	ToFrontend = "frontend"
)

// NginxHealthPath answers for nginx itself; routes can't be below NginxOwnPath.
const (
	NginxOwnPath    = "/-"
	NginxHealthPath = NginxOwnPath + "/healthz"
)

// DefaultRoutes send /api to the backend and the rest to the frontend.
func DefaultRoutes() []RouteArgs {
	return []RouteArgs{{Path: "/api", To: ToBackend}, {Path: "/", To: ToFrontend}}
}

// NginxArgs describe the way in.
type NginxArgs struct {
	// Image is an nginx, 1.22 or later, that can run as any uid and has SIGQUIT for its stop signal. Default: DefaultNginxImage.
	Image string
	// Replicas bound the number of pods. Default: DefaultNginxMinReplicas to DefaultNginxMaxReplicas.
	Replicas ReplicaArgs
	// Resources are what one pod gets; there is a worker for each core of the limit.
	// Default: DefaultNginxCPU, DefaultNginxMemory.
	Resources ResourceArgs
	// Routes say which path leads where; the longest prefix wins. Default: DefaultRoutes.
	Routes []RouteArgs
	// MaxBodySize is the largest request body, in bytes or with k, m or g. Default: DefaultMaxBodySize.
	MaxBodySize string
	// TimeoutSeconds is how long to wait for the next byte of an answer. Default: DefaultTimeoutSeconds.
	TimeoutSeconds *int
	// DrainSeconds is how long a pod that is to stop serves on, until no load balancer sends
	// it connections any more. Default: DefaultDrainSeconds.
	DrainSeconds *int
	// RolloutSeconds is how long a rollout may take before it counts as failed. Default: DefaultNginxRolloutSeconds.
	RolloutSeconds *int
	// CertificateArn is an ACM certificate: TLS ends at the load balancer, and HTTP is redirected. Default: no TLS.
	CertificateArn string
	// Internal makes a load balancer that only the network reaches. Default: internet-facing.
	Internal bool
	// LoadBalancer adapts the Service to the cluster's load balancer controller.
	LoadBalancer LoadBalancerArgs
	// Namespace is where nginx runs. Required; App sets it.
	Namespace pulumi.StringInput
	// Backend and Frontend are what routes lead to. Required; App sets them.
	Backend, Frontend UpstreamArgs
}

// RouteArgs lead one path, and all below it, to a workload.
type RouteArgs struct {
	// Path is a prefix of whole segments: /api covers /api and /api/x, not /apix. Required.
	Path string
	// To is ToBackend or ToFrontend. Required.
	To string
	// StripPrefix removes Path before the request goes on. Default: false.
	StripPrefix bool
	// TimeoutSeconds replaces nginx's own for this route.
	TimeoutSeconds *int
	// MaxBodySize replaces nginx's own for this route.
	MaxBodySize string
}

// LoadBalancerArgs adapt the Service to the cluster's load balancer controller.
type LoadBalancerArgs struct {
	// Class is the loadBalancerClass: eks.amazonaws.com/nlb on EKS Auto Mode. Default: the cluster's own.
	Class string
	// Annotations are added to the Service's own and win over them; an empty value removes one.
	Annotations map[string]string
}

// UpstreamArgs are a Service that nginx sends requests to.
type UpstreamArgs struct {
	// Host is the Service's name. Required.
	Host pulumi.StringInput
	// Port is the Service's port. Required.
	Port pulumi.IntInput
}

func (args UpstreamArgs) missing() bool { return args.Host == nil || args.Port == nil }

var (
	routePath      = regexp.MustCompile(`^(/|(/[A-Za-z0-9._~-]+)+)$`)
	bodySize       = regexp.MustCompile(`^([1-9][0-9]{0,11})([kKmMgG]?)$`)
	certificateArn = regexp.MustCompile(`^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$`)
	className      = regexp.MustCompile(`^[a-z0-9.-]+(/[A-Za-z0-9._-]+)?$`)
)

// Problems are what the args can't run with.
func (args NginxArgs) Problems() problems.List {
	ps := imageProblems("image", args.Image, false)
	ps = append(ps, args.Replicas.Problems().Under("replicas")...)
	ps = append(ps, args.Resources.Problems().Under("resources")...)
	ps = append(ps, problems.Range("timeoutSeconds", args.TimeoutSeconds, 1, maxTimeoutSeconds)...)
	ps = append(ps, problems.Range("drainSeconds", args.DrainSeconds, minDrainSeconds, maxTimeoutSeconds)...)
	ps = append(ps, problems.Range("rolloutSeconds", args.RolloutSeconds, minRolloutSeconds, maxTimeoutSeconds)...)
	ps = append(ps, bodySizeProblems("maxBodySize", args.MaxBodySize)...)
	if args.CertificateArn != "" && !certificateArn.MatchString(args.CertificateArn) {
		ps = append(ps, problems.Problem{Path: "certificateArn", Value: strconv.Quote(args.CertificateArn), Want: "the ARN of an ACM certificate"})
	}
	if args.LoadBalancer.Class != "" && !className.MatchString(args.LoadBalancer.Class) {
		ps = append(ps, problems.Problem{Path: "loadBalancer.class", Value: strconv.Quote(args.LoadBalancer.Class), Want: "a class, like eks.amazonaws.com/nlb"})
	}
	if args.Routes != nil && len(args.Routes) == 0 {
		ps = append(ps, problems.Problem{Path: "routes", Value: "empty", Want: "at least one route"})
	}
	return append(ps, routesProblems(args.Routes)...)
}

func routesProblems(routes []RouteArgs) problems.List {
	var ps problems.List
	seen := map[string]bool{}
	for i, route := range routes {
		key := fmt.Sprintf("routes[%d]", i)
		ps = append(ps, route.Problems().Under(key)...)
		if seen[route.Path] {
			ps = append(ps, problems.Problem{Path: key + ".path", Value: strconv.Quote(route.Path), Want: "each path once"})
		}
		seen[route.Path] = true
	}
	return ps
}

// Problems are what the route can't be.
func (args RouteArgs) Problems() problems.List {
	var ps problems.List
	switch {
	case args.Path == "":
		ps = append(ps, problems.Problem{Path: "path", Want: "a path, like /api"})
	case !routePath.MatchString(args.Path) || strings.Contains(args.Path+"/", "/./") || strings.Contains(args.Path+"/", "/../"):
		ps = append(ps, problems.Problem{Path: "path", Value: strconv.Quote(args.Path), Want: "/ or segments of letters, digits, . _ ~ -, without a trailing slash"})
	case strings.HasPrefix(args.Path+"/", NginxOwnPath+"/"):
		ps = append(ps, problems.Problem{Path: "path", Value: strconv.Quote(args.Path), Want: "one that isn't below " + NginxOwnPath + ", which is nginx's own"})
	}
	switch args.To {
	case ToBackend, ToFrontend:
	case "":
		ps = append(ps, problems.Problem{Path: "to", Want: ToBackend + " or " + ToFrontend})
	default:
		ps = append(ps, problems.Problem{Path: "to", Value: strconv.Quote(args.To), Want: ToBackend + " or " + ToFrontend})
	}
	ps = append(ps, problems.Range("timeoutSeconds", args.TimeoutSeconds, 1, maxTimeoutSeconds)...)
	return append(ps, bodySizeProblems("maxBodySize", args.MaxBodySize)...)
}

func bodySizeProblems(key, size string) problems.List {
	if size == "" {
		return nil
	}
	want := fmt.Sprintf("a size up to %dm, like 512k or 10m", maxBodyMebibytes)
	m := bodySize.FindStringSubmatch(size)
	if m == nil {
		return problems.List{{Path: key, Value: strconv.Quote(size), Want: want}}
	}
	n, _ := strconv.Atoi(m[1])
	unit := map[string]int{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[strings.ToLower(m[2])]
	if n*unit > maxBodyMebibytes<<20 {
		return problems.List{{Path: key, Value: strconv.Quote(size), Want: want}}
	}
	return nil
}
