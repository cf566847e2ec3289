package app

import (
	"fmt"
	"strconv"

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

// Problems are what the args can't run with.
func (args NginxArgs) Problems() problems.List {
	ps := ImageConstraint.Problems("image", args.Image)
	ps = append(ps, args.Replicas.Problems().Under("replicas")...)
	ps = append(ps, args.Resources.Problems().Under("resources")...)
	ps = append(ps, TimeoutSecondsConstraint.Problems("timeoutSeconds", args.TimeoutSeconds)...)
	ps = append(ps, DrainSecondsConstraint.Problems("drainSeconds", args.DrainSeconds)...)
	ps = append(ps, RolloutSecondsConstraint.Problems("rolloutSeconds", args.RolloutSeconds)...)
	ps = append(ps, MaxBodySizeConstraint.Problems("maxBodySize", args.MaxBodySize)...)
	ps = append(ps, CertificateArnConstraint.Problems("certificateArn", args.CertificateArn)...)
	ps = append(ps, LoadBalancerClassConstraint.Problems("loadBalancer.class", args.LoadBalancer.Class)...)
	if args.Routes != nil && len(args.Routes) < RoutesConstraint.Min {
		ps = append(ps, problems.Problem{Path: "routes", Value: "empty", Want: RoutesConstraint.Want})
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
	ps := RoutePathConstraint.Problems("path", args.Path)
	if args.Path == "" {
		ps = problems.List{{Path: "path", Want: "a path, like /api"}}
	}
	ps = append(ps, RouteToConstraint.Required("to", args.To)...)
	ps = append(ps, TimeoutSecondsConstraint.Problems("timeoutSeconds", args.TimeoutSeconds)...)
	return append(ps, MaxBodySizeConstraint.Problems("maxBodySize", args.MaxBodySize)...)
}
