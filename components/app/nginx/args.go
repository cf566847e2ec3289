package nginx

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
	"threetier/internal/problems"
)

// What nginx gets where its args say nothing.
const (
	DefaultMinReplicas = 2
	DefaultMaxReplicas = 6
	DefaultCPU         = "100m"
	DefaultMemory      = "256Mi"
	// DefaultMaxBodySize is the largest request body.
	DefaultMaxBodySize = "10m"
	// DefaultTimeoutSeconds is how long nginx waits for the next byte of an answer.
	DefaultTimeoutSeconds = 60
	// DefaultDrainSeconds is how long a network load balancer may take to forget a target, by
	// default: it was seen to send new connections for two minutes and more after it was told,
	// and the controller needs its time to tell it (aws-load-balancer-controller, issues 2366 and 1834).
	DefaultDrainSeconds = 300
	// DefaultRolloutSeconds leaves the load balancer minutes to take each new pod in.
	DefaultRolloutSeconds = 900
)

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

// Args describe the way in.
type Args struct {
	// Image is an nginx, 1.22 or later, that can run as any uid and has SIGQUIT for its stop signal. Default: images.Nginx.
	Image string
	// Replicas bound the number of pods. Default: DefaultMinReplicas to DefaultMaxReplicas.
	Replicas pods.ReplicaArgs
	// Resources are what one pod gets; there is a worker for each core of the limit.
	// Default: DefaultCPU, DefaultMemory.
	Resources pods.ResourceArgs
	// Routes say which path leads where; the longest prefix wins. Default: DefaultRoutes.
	Routes []RouteArgs
	// MaxBodySize is the largest request body, in bytes or with k, m or g. Default: DefaultMaxBodySize.
	MaxBodySize string
	// TimeoutSeconds is how long to wait for the next byte of an answer. Default: DefaultTimeoutSeconds.
	TimeoutSeconds *int
	// DrainSeconds is how long a pod that is to stop serves on, until no load balancer sends
	// it connections any more. Default: DefaultDrainSeconds.
	DrainSeconds *int
	// RolloutSeconds is how long a rollout may take before it counts as failed. Default: DefaultRolloutSeconds.
	RolloutSeconds *int
	// CertificateArn is an ACM certificate: TLS ends at the load balancer, and HTTP is redirected. Default: Domain's.
	CertificateArn string
	// Domain has the app's public names, with certificates of the stack's own. Default: none.
	Domain DomainArgs
	// Redirect sends plain HTTP to https where there is a certificate. Default: true. While a
	// certificate is added to an app that is in use, false keeps plain HTTP until TLS works.
	Redirect *bool
	// TrustedProxies are the networks whose word on a client's address and scheme counts. Default: none.
	TrustedProxies []string
	// Hosts are the names that nginx answers for; *.example.org is all below one. Default: Domain's
	// once they have certificates, else any.
	Hosts []string
	// Limits bound what clients may take of one pod.
	Limits LimitArgs
	// Internal makes a load balancer that only the network reaches. Default: internet-facing.
	Internal bool
	// Allow are the networks whose clients the load balancer lets in. Default: all that reach it.
	Allow []string
	// LoadBalancer adapts the Service to the cluster's load balancer controller.
	LoadBalancer LoadBalancerArgs
}

// DomainArgs are public names that lead to the load balancer.
type DomainArgs struct {
	// Name is the app's own name: URL has it where there is TLS.
	Name string
	// Aliases are more names that the app answers for.
	Aliases []string
	// RedirectFrom are names from which nginx redirects to Name.
	RedirectFrom []string
	// CertificateARNs are ACM certificates of the names, the load balancer's default first. Default: none, no TLS yet.
	CertificateARNs []pulumi.StringInput
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

// Problems are what the args can't run with.
func (args Args) Problems() problems.List {
	ps := pods.ImageConstraint.Problems("image", args.Image)
	ps = append(ps, args.Replicas.Problems().Under("replicas")...)
	ps = append(ps, args.Resources.Problems().Under("resources")...)
	ps = append(ps, TimeoutSecondsConstraint.Problems("timeoutSeconds", args.TimeoutSeconds)...)
	ps = append(ps, DrainSecondsConstraint.Problems("drainSeconds", args.DrainSeconds)...)
	ps = append(ps, pods.RolloutSecondsConstraint.Problems("rolloutSeconds", args.RolloutSeconds)...)
	ps = append(ps, MaxBodySizeConstraint.Problems("maxBodySize", args.MaxBodySize)...)
	ps = append(ps, args.certificateProblems()...)
	ps = append(ps, LoadBalancerClassConstraint.Problems("loadBalancer.class", args.LoadBalancer.Class)...)
	if args.Routes != nil && len(args.Routes) < RoutesConstraint.Min {
		ps = append(ps, problems.Problem{Path: "routes", Value: "empty", Want: RoutesConstraint.Want})
	}
	ps = append(ps, TrustedProxiesConstraint.Problems("trustedProxies", args.TrustedProxies)...)
	ps = append(ps, TrustedProxiesConstraint.Problems("allow", args.Allow)...)
	ps = append(ps, HostsConstraint.Problems("hosts", args.Hosts)...)
	ps = append(ps, routesProblems(args.Routes)...)
	if len(ps) > 0 {
		return ps
	}
	return append(args.idleProblems(), args.limitProblems()...)
}

func (args Args) certificateProblems() problems.List {
	if args.CertificateArn != "" && args.Domain.Name != "" {
		return problems.List{{Path: "certificateArn", Value: "given beside the domain " + args.Domain.Name, Want: "one of the two"}}
	}
	return CertificateArnConstraint.Problems("certificateArn", args.CertificateArn)
}

// tls tells that the load balancer has a certificate.
func (args Args) tls() bool {
	return args.CertificateArn != "" || len(args.Domain.CertificateARNs) > 0
}

// DualStack tells that the load balancer has IPv6 addresses too.
func (args Args) DualStack() bool {
	return args.LoadBalancer.Annotations[awsLoadBalancer+"ip-address-type"] == "dualstack"
}

// idleProblems are of requests that the load balancer would cut before nginx does.
func (args Args) idleProblems() problems.List {
	if args.CertificateArn == "" && args.Domain.Name == "" {
		return nil
	}
	check := func(key string, seconds *int) problems.List {
		if seconds == nil || *seconds <= loadBalancerIdleSeconds {
			return nil
		}
		return problems.List{{
			Path: key, Value: strconv.Itoa(*seconds),
			Want: fmt.Sprintf("at most %d with a certificate: the load balancer's TLS listener cuts a connection that is silent for longer", loadBalancerIdleSeconds),
		}}
	}
	ps := check("timeoutSeconds", args.TimeoutSeconds)
	for i, route := range args.Routes {
		ps = append(ps, check(fmt.Sprintf("routes[%d].timeoutSeconds", i), route.TimeoutSeconds)...)
	}
	return ps
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

// bodyBytes reads a size that MaxBodySizeConstraint accepts.
func bodyBytes(size string) int {
	number := strings.TrimRight(strings.ToLower(size), "kmg")
	n, _ := strconv.Atoi(number)
	return n * map[string]int{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[strings.ToLower(size)[len(number):]]
}
