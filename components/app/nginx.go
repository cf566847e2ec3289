package app

import (
	"cmp"
	"fmt"
	"slices"

	"threetier/internal/component"
	"threetier/internal/optional"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// NginxType is Nginx's type token.
const NginxType = "threetier:index:Nginx"

const (
	// NginxLabel is also the name of nginx's container, and so of its log.
	NginxLabel = "nginx"
	// nginxUID isn't the image's own 101, which a host may have given to somebody: the config
	// writes to /tmp alone, so any uid does.
	nginxUID = 10101
	// nginxPolicySeconds is for the network policies to learn of a new pod: until then it reaches no upstream.
	nginxPolicySeconds = 5
	nginxConfigKey     = "nginx.conf"
	nginxConfig        = "/etc/nginx/" + nginxConfigKey
)

// Nginx is the way in: a LoadBalancer Service before pods that run one rendered config.
type Nginx struct {
	pulumi.ResourceState

	// URL is the domain's where it has a certificate, else the load balancer's, https where that has one.
	URL pulumi.StringOutput `pulumi:"url"`
	// LoadBalancer is the load balancer's DNS name, or its address where it has no name.
	LoadBalancer pulumi.StringOutput `pulumi:"loadBalancer"`

	tier Tier
}

// nginxNeeds are where nginx runs, and what its routes lead to.
type nginxNeeds struct {
	Place
	backend, frontend upstream
}

// upstream is a Service that nginx sends requests to.
type upstream struct {
	host pulumi.StringInput
	port pulumi.IntInput
}

// address is host:port; empty where there is no such Service.
func (u upstream) address() pulumi.StringOutput {
	if u.host == nil {
		return pulumi.String("").ToStringOutput()
	}
	return pulumi.Sprintf("%s:%d", u.host, u.port)
}

// newNginx creates the config, the pods and the load balancer.
func newNginx(ctx *pulumi.Context, name string, args NginxArgs, needs nginxNeeds, opts ...pulumi.ResourceOption) (*Nginx, error) {
	nginx := &Nginx{}
	return component.New(ctx, NginxType, name, nginx, opts, func() error {
		t := args.tier(name, needs.Place)
		config, err := newNginxConfig(ctx, nginx, t, args, needs)
		if err != nil {
			return fmt.Errorf("create config: %w", err)
		}
		t.volumes = corev1.VolumeArray{corev1.VolumeArgs{
			Name: pulumi.String("config"), ConfigMap: corev1.ConfigMapVolumeSourceArgs{Name: config.Metadata.Name()},
		}}
		pods, err := t.deploy(ctx, nginx)
		if err != nil {
			return err
		}
		service, err := newLoadBalancer(ctx, nginx, t, args)
		if err != nil {
			return fmt.Errorf("create load balancer service: %w", err)
		}
		nginx.tier = t.watched(pods)
		nginx.LoadBalancer = loadBalancerName(service)
		nginx.URL = args.url(nginx.LoadBalancer)
		return nil
	})
}

func (args NginxArgs) withDefaults() NginxArgs {
	args.Image = cmp.Or(args.Image, DefaultNginxImage)
	args.MaxBodySize = cmp.Or(args.MaxBodySize, DefaultMaxBodySize)
	if args.Routes == nil {
		args.Routes = DefaultRoutes()
	}
	args.Redirect = optional.Or(args.Redirect, true)
	// Until the names have certificates, the URL is the load balancer's.
	if args.Domain.Name != "" && (len(args.Hosts) > 0 || args.tls()) {
		args.Hosts = slices.Concat(args.Hosts, []string{args.Domain.Name}, args.Domain.Aliases, args.Domain.RedirectFrom)
	}
	args.Limits.RatePerClient = optional.Or(args.Limits.RatePerClient, 0)
	args.TimeoutSeconds = optional.Or(args.TimeoutSeconds, DefaultTimeoutSeconds)
	args.DrainSeconds = optional.Or(args.DrainSeconds, DefaultDrainSeconds)
	args.RolloutSeconds = optional.Or(args.RolloutSeconds, DefaultNginxRolloutSeconds)
	args.Replicas = args.Replicas.withDefaults(DefaultNginxMinReplicas, DefaultNginxMaxReplicas)
	args.Resources = args.Resources.withDefaults(DefaultNginxCPU, DefaultNginxMemory)
	return args
}

// longestRequest is what a pod behind nginx, or nginx itself (to is empty), waits for when it stops.
func (args NginxArgs) longestRequest(to string) int {
	longest := 0
	for _, route := range args.Routes {
		if to == "" || route.To == to {
			longest = max(longest, *optional.Or(route.TimeoutSeconds, *args.TimeoutSeconds))
		}
	}
	return longest
}

func (args NginxArgs) podPorts() []pulumi.IntInput {
	ports := []pulumi.IntInput{pulumi.Int(nginxPort)}
	if args.tls() {
		ports = append(ports, pulumi.Int(nginxTLSPort))
	}
	return ports
}

func (args NginxArgs) tier(name string, place Place) tier {
	ports := corev1.ContainerPortArray{
		corev1.ContainerPortArgs{Name: pulumi.String(portName), ContainerPort: pulumi.Int(nginxPort)},
	}
	if args.tls() {
		ports = append(ports, corev1.ContainerPortArgs{Name: pulumi.String(tlsPortName), ContainerPort: pulumi.Int(nginxTLSPort)})
	}
	return tier{
		name: name, label: NginxLabel, Place: place,
		replicas: args.Replicas, resources: args.Resources, uid: nginxUID,
		// A new pod behind a network load balancer takes minutes to be ready, so all begin at once.
		maxSurge: "100%", sysctls: socketSysctls(),
		rolloutSeconds: *args.RolloutSeconds, drainSeconds: *args.DrainSeconds, requestSeconds: args.longestRequest(""),
		writable: []string{WritableTmp},
		mounts: corev1.VolumeMountArray{corev1.VolumeMountArgs{
			Name: pulumi.String("config"), MountPath: pulumi.String(nginxConfig), SubPath: pulumi.String(nginxConfigKey), ReadOnly: pulumi.Bool(true),
		}},
		container: corev1.ContainerArgs{
			Image: pulumi.String(args.Image),
			// Not the image's entrypoint, which edits configs; -e is for what is said before the config is read.
			Command:   stringArray([]string{"nginx", "-e", "stderr", "-c", nginxConfig}),
			Ports:     ports,
			Lifecycle: sleepBeforeStop(*args.DrainSeconds),
			ReadinessProbe: corev1.ProbeArgs{
				HttpGet: httpGet(NginxHealthPath), InitialDelaySeconds: pulumi.Int(nginxPolicySeconds),
				PeriodSeconds: pulumi.Int(3), TimeoutSeconds: pulumi.Int(2), FailureThreshold: pulumi.Int(2),
			},
			LivenessProbe: corev1.ProbeArgs{
				TcpSocket: tcpConnect(), PeriodSeconds: pulumi.Int(10), TimeoutSeconds: pulumi.Int(5), FailureThreshold: pulumi.Int(3),
			},
		},
	}
}

// socketSysctls bound what a connection's two ends hold in the kernel: least, first and most
// bytes. Pods may set them since Kubernetes 1.32.
func socketSysctls() corev1.SysctlArray {
	sysctl := func(name string, first int) corev1.SysctlArgs {
		return corev1.SysctlArgs{Name: pulumi.String(name), Value: pulumi.String(fmt.Sprintf("4096 %d %d", first, NginxSocketBytes))}
	}
	return corev1.SysctlArray{sysctl("net.ipv4.tcp_rmem", NginxSocketBytes), sysctl("net.ipv4.tcp_wmem", 16<<10)}
}

// newNginxConfig is auto-named: a change makes a new ConfigMap, whose name rolls the pods.
func newNginxConfig(ctx *pulumi.Context, parent pulumi.Resource, t tier, args NginxArgs, needs nginxNeeds) (*corev1.ConfigMap, error) {
	text := pulumi.All(needs.backend.address(), needs.frontend.address()).ApplyT(func(v []any) (string, error) {
		return renderNginxConfig(args, v[0].(string), v[1].(string))
	}).(pulumi.StringOutput)
	return corev1.NewConfigMap(ctx, t.name+"-config", &corev1.ConfigMapArgs{
		Metadata:  t.metadata(),
		Immutable: pulumi.Bool(true),
		Data:      pulumi.StringMap{nginxConfigKey: text},
	}, pulumi.Parent(parent))
}
