// Package nginx is the way in: a load balancer before pods that run one rendered config.
package nginx

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
	"threetier/internal/component"
)

// Type is Nginx's type token.
const Type = "threetier:index:Nginx"

const (
	// Label is also the name of nginx's container, and so of its log.
	Label = "nginx"
	// uid isn't the image's own 101, which a host may have given to somebody: the config
	// writes to /tmp alone, so any uid does.
	uid = 10101
	// policySeconds is for the network policies to learn of a new pod: until then it reaches no upstream.
	policySeconds = 5
	configKey     = "nginx.conf"
	configFile    = "/etc/nginx/" + configKey
)

// Nginx is the way in: a LoadBalancer Service before pods that run one rendered config.
type Nginx struct {
	pulumi.ResourceState

	// URL is the domain's where it has a certificate, else the load balancer's, https where that has one. Behind another nginx
	// it is the Service's.
	URL pulumi.StringOutput `pulumi:"url"`
	// LoadBalancer is the load balancer's DNS name, or its address where it has no name.
	LoadBalancer pulumi.StringOutput `pulumi:"loadBalancer"`

	Tier pods.Tier
	// Serves are the load balancer and the rollout, which waits until the load balancer has taken the pods in.
	Serves []pulumi.Resource
}

// Needs are where nginx runs, and what its routes lead to.
type Needs struct {
	pods.Place
	Backend, Frontend Upstream
}

// Upstream is a Service that nginx sends requests to.
type Upstream struct {
	Host pulumi.StringInput
	Port pulumi.IntInput
}

// address is host:port; empty where there is no such Service.
func (u Upstream) address() pulumi.StringOutput {
	if u.Host == nil {
		return pulumi.String("").ToStringOutput()
	}
	return pulumi.Sprintf("%s:%d", u.Host, u.Port)
}

// New creates the config, the pods and the load balancer.
func New(ctx *pulumi.Context, name string, args Args, needs Needs, opts ...pulumi.ResourceOption) (*Nginx, error) {
	nginx := &Nginx{}
	return component.New(ctx, Type, name, nginx, opts, func() error {
		t := args.tier(name, needs.Place)
		config, err := newConfigMap(ctx, nginx, t, args, needs)
		if err != nil {
			return fmt.Errorf("create config: %w", err)
		}
		t.Volumes = corev1.VolumeArray{corev1.VolumeArgs{
			Name: pulumi.String("config"), ConfigMap: corev1.ConfigMapVolumeSourceArgs{Name: config.Metadata.Name()},
		}}
		pods, err := t.Deploy(ctx, nginx)
		if err != nil {
			return err
		}
		if args.Behind {
			service, err := newService(ctx, nginx, t)
			if err != nil {
				return fmt.Errorf("create service: %w", err)
			}
			nginx.Tier, nginx.Serves = t.Tier(pods), []pulumi.Resource{service, pods.Complete}
			nginx.LoadBalancer = pulumi.Sprintf("%s.%s", ServiceName, needs.Namespace)
			nginx.URL = pulumi.Sprintf("http://%s:%d", nginx.LoadBalancer, PlainPort)
			return nil
		}
		service, err := newLoadBalancer(ctx, nginx, t, args)
		if err != nil {
			return fmt.Errorf("create load balancer service: %w", err)
		}
		nginx.Tier, nginx.Serves = t.Tier(pods), []pulumi.Resource{service, pods.Complete}
		nginx.LoadBalancer = loadBalancerName(service)
		nginx.URL = args.url(nginx.LoadBalancer)
		return nil
	})
}

// hosts are the names that nginx answers for: until those of the domain have certificates, the URL is the load balancer's.
func (args Args) hosts() []string {
	if args.Domain.Name == "" || len(args.Hosts) == 0 && !args.tls() {
		return args.Hosts
	}
	return append(args.names(), args.Domain.RedirectFrom...)
}

// names are what the app is asked for: none where any host is.
func (args Args) names() []string {
	if args.Domain.Name == "" {
		return args.Hosts
	}
	return slices.Concat(args.Hosts, []string{args.Domain.Name}, args.Domain.Aliases)
}

// Host is a name that the app is asked for: the domain's, else the first whole one of Hosts; empty where any is.
func (args Args) Host() string {
	if args.Domain.Name != "" {
		return args.Domain.Name
	}
	if i := slices.IndexFunc(args.Hosts, func(host string) bool { return !strings.HasPrefix(host, "*") }); i >= 0 {
		return args.Hosts[i]
	}
	return ""
}

// stopSeconds is what nginx's pods have for running requests when they stop.
func (args Args) stopSeconds() int { return cmp.Or(args.StopSeconds, args.LongestRequest("")) }

// LongestRequest is the longest time for which a tier, or any (to is empty), may be silent in a request.
func (args Args) LongestRequest(to string) int {
	longest := 0
	for _, route := range args.Routes {
		if to == "" || route.To == to {
			longest = max(longest, args.timeout(route))
		}
	}
	return longest
}

// timeout is how long nginx waits for the next byte of a route's answer.
func (args Args) timeout(route RouteArgs) int {
	if route.Stream {
		return cmp.Or(route.TimeoutSeconds, max(defaultStreamSeconds, args.TimeoutSeconds))
	}
	return cmp.Or(route.TimeoutSeconds, args.TimeoutSeconds)
}

// PodPorts are where the load balancer reaches the pods.
func (args Args) PodPorts() []pulumi.IntInput {
	ports := []pulumi.IntInput{pulumi.Int(PlainPort)}
	if args.tls() {
		ports = append(ports, pulumi.Int(tlsPort))
	}
	return ports
}

func (args Args) tier(name string, place pods.Place) pods.Set {
	ports := corev1.ContainerPortArray{
		corev1.ContainerPortArgs{Name: pulumi.String(pods.PortName), ContainerPort: pulumi.Int(PlainPort)},
	}
	if args.tls() {
		ports = append(ports, corev1.ContainerPortArgs{Name: pulumi.String(tlsPortName), ContainerPort: pulumi.Int(tlsPort)})
	}
	if args.Metrics {
		ports = append(ports, corev1.ContainerPortArgs{Name: pulumi.String("metrics"), ContainerPort: pulumi.Int(MetricsPort)})
	}
	return pods.Set{
		Name: name, Label: Label, Place: place,
		Replicas: args.Replicas, Resources: args.Resources, UID: uid,
		// A new pod behind a network load balancer takes minutes to be ready, so all begin at once.
		MaxSurge: "100%", Sysctls: socketSysctls(),
		RolloutSeconds: args.RolloutSeconds, DrainSeconds: args.DrainSeconds, RequestSeconds: args.stopSeconds(),
		Writable: []string{pods.WritableTmp}, PodAnnotations: args.PodAnnotations,
		Mounts: corev1.VolumeMountArray{corev1.VolumeMountArgs{
			Name: pulumi.String("config"), MountPath: pulumi.String(configFile), SubPath: pulumi.String(configKey), ReadOnly: pulumi.Bool(true),
		}},
		Container: corev1.ContainerArgs{
			Image:     pulumi.String(args.Image),
			Command:   pods.Strings(args.command()),
			Ports:     ports,
			Lifecycle: pods.SleepBeforeStop(args.DrainSeconds),
			ReadinessProbe: corev1.ProbeArgs{
				HttpGet: pods.HTTPGet(HealthPath), InitialDelaySeconds: pulumi.Int(policySeconds),
				PeriodSeconds: pulumi.Int(3), TimeoutSeconds: pulumi.Int(2), FailureThreshold: pulumi.Int(2),
			},
			LivenessProbe: corev1.ProbeArgs{
				TcpSocket: pods.TCPConnect(), PeriodSeconds: pulumi.Int(10), TimeoutSeconds: pulumi.Int(5), FailureThreshold: pulumi.Int(3),
			},
		},
	}
}

// command isn't the image's entrypoint, which edits configs; -e is for what is said before the config is read.
func (args Args) command() []string {
	start := []string{"nginx", "-e", "stderr", "-c", configFile}
	if len(args.stickies()) == 0 && args.Domain.Previews == "" {
		return start
	}
	return []string{"sh", "-c", findResolvers + "exec " + strings.Join(start, " ")}
}

// socketSysctls bound what a connection's two ends hold in the kernel: least, first and most
// bytes. Pods may set them since Kubernetes 1.32.
func socketSysctls() corev1.SysctlArray {
	sysctl := func(name string, first int) corev1.SysctlArgs {
		return corev1.SysctlArgs{Name: pulumi.String(name), Value: pulumi.String(fmt.Sprintf("4096 %d %d", first, SocketBytes))}
	}
	return corev1.SysctlArray{sysctl("net.ipv4.tcp_rmem", SocketBytes), sysctl("net.ipv4.tcp_wmem", 16<<10)}
}

// newConfigMap is auto-named: a change makes a new ConfigMap, whose name rolls the pods.
func newConfigMap(ctx *pulumi.Context, parent pulumi.Resource, t pods.Set, args Args, needs Needs) (*corev1.ConfigMap, error) {
	text := pulumi.All(needs.Backend.address(), needs.Frontend.address()).ApplyT(func(v []any) (string, error) {
		return renderConfig(args, v[0].(string), v[1].(string))
	}).(pulumi.StringOutput)
	return corev1.NewConfigMap(ctx, t.Name+"-config", &corev1.ConfigMapArgs{
		Metadata:  t.Metadata(),
		Immutable: pulumi.Bool(true),
		Data:      pulumi.StringMap{configKey: text},
	}, pulumi.Parent(parent))
}
