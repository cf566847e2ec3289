package components

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// NginxType is Nginx's type token.
const NginxType = "threetier:index:Nginx"

// DefaultNginxImage runs as any uid and reads /etc/nginx/nginx.conf.
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
	// Image is an nginx, 1.22 or later, that can run as any uid. Default: DefaultNginxImage.
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

var (
	routePath      = regexp.MustCompile(`^(/|(/[A-Za-z0-9._~-]+)+)$`)
	bodySize       = regexp.MustCompile(`^([1-9][0-9]{0,11})([kKmMgG]?)$`)
	certificateArn = regexp.MustCompile(`^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$`)
	className      = regexp.MustCompile(`^[a-z0-9.-]+(/[A-Za-z0-9._-]+)?$`)
)

// Problems are what the args can't run with.
func (a NginxArgs) Problems() Problems {
	ps := imageProblems("image", a.Image, false)
	ps = append(ps, a.Replicas.Problems().Under("replicas")...)
	ps = append(ps, a.Resources.Problems().Under("resources")...)
	ps = append(ps, rangeProblems("timeoutSeconds", a.TimeoutSeconds, 1, maxTimeoutSeconds)...)
	ps = append(ps, rangeProblems("drainSeconds", a.DrainSeconds, minDrainSeconds, maxTimeoutSeconds)...)
	ps = append(ps, rangeProblems("rolloutSeconds", a.RolloutSeconds, minRolloutSeconds, maxTimeoutSeconds)...)
	ps = append(ps, bodySizeProblems("maxBodySize", a.MaxBodySize)...)
	if a.CertificateArn != "" && !certificateArn.MatchString(a.CertificateArn) {
		ps = append(ps, Problem{"certificateArn", strconv.Quote(a.CertificateArn), "the ARN of an ACM certificate"})
	}
	if a.LoadBalancer.Class != "" && !className.MatchString(a.LoadBalancer.Class) {
		ps = append(ps, Problem{"loadBalancer.class", strconv.Quote(a.LoadBalancer.Class), "a class, like eks.amazonaws.com/nlb"})
	}
	if a.Routes != nil && len(a.Routes) == 0 {
		ps = append(ps, Problem{"routes", "empty", "at least one route"})
	}
	return append(ps, routesProblems(a.Routes)...)
}

func routesProblems(routes []RouteArgs) Problems {
	var ps Problems
	seen := map[string]bool{}
	for i, route := range routes {
		key := fmt.Sprintf("routes[%d]", i)
		ps = append(ps, route.Problems().Under(key)...)
		if seen[route.Path] {
			ps = append(ps, Problem{key + ".path", strconv.Quote(route.Path), "each path once"})
		}
		seen[route.Path] = true
	}
	return ps
}

// Problems are what the route can't be.
func (r RouteArgs) Problems() Problems {
	var ps Problems
	switch {
	case r.Path == "":
		ps = append(ps, Problem{"path", "", "a path, like /api"})
	case !routePath.MatchString(r.Path) || strings.Contains(r.Path+"/", "/./") || strings.Contains(r.Path+"/", "/../"):
		ps = append(ps, Problem{"path", strconv.Quote(r.Path), "/ or segments of letters, digits, . _ ~ -, without a trailing slash"})
	case strings.HasPrefix(r.Path+"/", NginxOwnPath+"/"):
		ps = append(ps, Problem{"path", strconv.Quote(r.Path), "one that isn't below " + NginxOwnPath + ", which is nginx's own"})
	}
	switch r.To {
	case ToBackend, ToFrontend:
	case "":
		ps = append(ps, Problem{"to", "", ToBackend + " or " + ToFrontend})
	default:
		ps = append(ps, Problem{"to", strconv.Quote(r.To), ToBackend + " or " + ToFrontend})
	}
	ps = append(ps, rangeProblems("timeoutSeconds", r.TimeoutSeconds, 1, maxTimeoutSeconds)...)
	return append(ps, bodySizeProblems("maxBodySize", r.MaxBodySize)...)
}

func bodySizeProblems(key, size string) Problems {
	if size == "" {
		return nil
	}
	want := fmt.Sprintf("a size up to %dm, like 512k or 10m", maxBodyMebibytes)
	m := bodySize.FindStringSubmatch(size)
	if m == nil {
		return Problems{{key, strconv.Quote(size), want}}
	}
	n, _ := strconv.Atoi(m[1])
	unit := map[string]int{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[strings.ToLower(m[2])]
	if n*unit > maxBodyMebibytes<<20 {
		return Problems{{key, strconv.Quote(size), want}}
	}
	return nil
}

const (
	nginxLabel = "nginx"
	// nginxUID isn't the image's own 101, which a host may have given to somebody: the config
	// writes to /tmp alone, so any uid does.
	nginxUID       = 10101
	nginxConfigKey = "nginx.conf"
	nginxConfig    = "/etc/nginx/" + nginxConfigKey
)

// Nginx is the way in: a LoadBalancer Service before pods that run one rendered config.
type Nginx struct {
	pulumi.ResourceState

	// URL is the load balancer's, https where it has a certificate.
	URL pulumi.StringOutput `pulumi:"url"`
}

// NewNginx creates the config, the pods and the load balancer.
func NewNginx(ctx *pulumi.Context, name string, args *NginxArgs, opts ...pulumi.ResourceOption) (*Nginx, error) {
	if args == nil {
		return nil, errors.New("nginx: args are required")
	}
	a := args.withDefaults()
	if err := a.Problems().Err(); err != nil {
		return nil, fmt.Errorf("nginx: %w", err)
	}
	if a.Namespace == nil || a.Backend.Host == nil || a.Backend.Port == nil || a.Frontend.Host == nil || a.Frontend.Port == nil {
		return nil, errors.New("nginx: a namespace, a backend and a frontend are required")
	}
	nginx := &Nginx{}
	if err := ctx.RegisterComponentResource(NginxType, name, nginx, opts...); err != nil {
		return nil, fmt.Errorf("register nginx: %w", err)
	}
	t := a.tier(name)
	config, err := newNginxConfig(ctx, nginx, t, a)
	if err != nil {
		return nil, fmt.Errorf("create nginx config: %w", err)
	}
	t.volumes = corev1.VolumeArray{corev1.VolumeArgs{
		Name: pulumi.String("config"), ConfigMap: corev1.ConfigMapVolumeSourceArgs{Name: config.Metadata.Name()},
	}}
	if _, err := t.deploy(ctx, nginx); err != nil {
		return nil, err
	}
	service, err := newLoadBalancer(ctx, nginx, t, a)
	if err != nil {
		return nil, fmt.Errorf("create load balancer service: %w", err)
	}
	nginx.URL = loadBalancerURL(service, a.CertificateArn != "")
	return nginx, ctx.RegisterResourceOutputs(nginx, pulumi.Map{"url": nginx.URL})
}

func (a NginxArgs) withDefaults() NginxArgs {
	if a.Image == "" {
		a.Image = DefaultNginxImage
	}
	if a.Routes == nil {
		a.Routes = DefaultRoutes()
	}
	if a.MaxBodySize == "" {
		a.MaxBodySize = DefaultMaxBodySize
	}
	a.TimeoutSeconds = orDefault(a.TimeoutSeconds, DefaultTimeoutSeconds)
	a.DrainSeconds = orDefault(a.DrainSeconds, DefaultDrainSeconds)
	a.RolloutSeconds = orDefault(a.RolloutSeconds, DefaultNginxRolloutSeconds)
	d := workloadDefaults{
		minReplicas: DefaultNginxMinReplicas, maxReplicas: DefaultNginxMaxReplicas,
		cpu: DefaultNginxCPU, memory: DefaultNginxMemory,
	}
	a.Replicas = a.Replicas.withDefaults(d)
	a.Resources = a.Resources.withDefaults(d)
	return a
}

// longestRequest is what a pod behind nginx, or nginx itself (to is empty), waits for when it stops.
func (a NginxArgs) longestRequest(to string) *int {
	longest := 0
	for _, route := range a.Routes {
		if to == "" || route.To == to {
			longest = max(longest, *orDefault(route.TimeoutSeconds, *a.TimeoutSeconds))
		}
	}
	return &longest
}

func (a NginxArgs) podPorts() []pulumi.IntInput {
	ports := []pulumi.IntInput{pulumi.Int(nginxPort)}
	if a.CertificateArn != "" {
		ports = append(ports, pulumi.Int(nginxRedirectPort))
	}
	return ports
}

func (a NginxArgs) tier(name string) tier {
	ports := corev1.ContainerPortArray{
		corev1.ContainerPortArgs{Name: pulumi.String(portName), ContainerPort: pulumi.Int(nginxPort)},
	}
	if a.CertificateArn != "" {
		ports = append(ports, corev1.ContainerPortArgs{Name: pulumi.String(redirectPortName), ContainerPort: pulumi.Int(nginxRedirectPort)})
	}
	return tier{
		name: name, label: nginxLabel, namespace: a.Namespace,
		replicas: a.Replicas, resources: a.Resources, uid: nginxUID,
		rolloutSeconds: *a.RolloutSeconds, drainSeconds: *a.DrainSeconds, requestSeconds: *a.longestRequest(""),
		writable: []string{WritableTmp},
		mounts: corev1.VolumeMountArray{corev1.VolumeMountArgs{
			Name: pulumi.String("config"), MountPath: pulumi.String(nginxConfig), SubPath: pulumi.String(nginxConfigKey), ReadOnly: pulumi.Bool(true),
		}},
		container: corev1.ContainerArgs{
			Image: pulumi.String(a.Image),
			// Not the image's entrypoint, which edits configs; -e is for what is said before the config is read.
			Command:   stringArray([]string{"nginx", "-e", "stderr", "-c", nginxConfig}),
			Ports:     ports,
			Lifecycle: sleepBeforeStop(*a.DrainSeconds),
			ReadinessProbe: corev1.ProbeArgs{
				HttpGet: httpGet(NginxHealthPath), PeriodSeconds: pulumi.Int(3), TimeoutSeconds: pulumi.Int(2), FailureThreshold: pulumi.Int(2),
			},
			LivenessProbe: corev1.ProbeArgs{
				TcpSocket: tcpConnect(), PeriodSeconds: pulumi.Int(10), TimeoutSeconds: pulumi.Int(5), FailureThreshold: pulumi.Int(3),
			},
		},
	}
}

// newNginxConfig is auto-named: a change makes a new ConfigMap, whose name rolls the pods.
func newNginxConfig(ctx *pulumi.Context, parent pulumi.Resource, t tier, a NginxArgs) (*corev1.ConfigMap, error) {
	text := pulumi.All(a.Backend.Host, a.Backend.Port, a.Frontend.Host, a.Frontend.Port).ApplyT(func(v []any) (string, error) {
		return RenderNginxConfig(a, fmt.Sprintf("%s:%d", v[0], v[1]), fmt.Sprintf("%s:%d", v[2], v[3]))
	}).(pulumi.StringOutput)
	return corev1.NewConfigMap(ctx, t.name+"-config", &corev1.ConfigMapArgs{
		Metadata:  t.metadata(),
		Immutable: pulumi.Bool(true),
		Data:      pulumi.StringMap{nginxConfigKey: text},
	}, pulumi.Parent(parent))
}
