package app

import (
	"errors"
	"fmt"
	"threetier/internal/optional"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// NginxType is Nginx's type token.
const NginxType = "threetier:index:Nginx"

const (
	nginxLabel = "nginx"
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
	a.TimeoutSeconds = optional.Or(a.TimeoutSeconds, DefaultTimeoutSeconds)
	a.DrainSeconds = optional.Or(a.DrainSeconds, DefaultDrainSeconds)
	a.RolloutSeconds = optional.Or(a.RolloutSeconds, DefaultNginxRolloutSeconds)
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
			longest = max(longest, *optional.Or(route.TimeoutSeconds, *a.TimeoutSeconds))
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
				HttpGet: httpGet(NginxHealthPath), InitialDelaySeconds: pulumi.Int(nginxPolicySeconds),
				PeriodSeconds: pulumi.Int(3), TimeoutSeconds: pulumi.Int(2), FailureThreshold: pulumi.Int(2),
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
