package app

import (
	"fmt"
	"maps"
	"slices"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const (
	// workloadDrainSeconds outlasts nginx's connections to a pod that left its Service: they
	// are closed after upstreamKeepaliveSeconds of use or upstreamIdleSeconds of silence, so when
	// the process is told to stop nobody is about to send on one. The rest is for the Service's
	// own news to reach every node.
	workloadDrainSeconds = upstreamKeepaliveSeconds + upstreamIdleSeconds + 6
)

// workload is an image behind a Service: what Backend and Frontend are.
type workload struct {
	tier
	args WorkloadArgs // with defaults
	env  corev1.EnvVarArray
}

// newWorkload fills in what follows from the args. The Secret is part of it because a new
// value must reach the migration as well as the pods.
func newWorkload(ctx *pulumi.Context, parent pulumi.Resource, t tier, args WorkloadArgs) (*workload, error) {
	t.replicas, t.resources, t.uid, t.writable = args.Replicas, args.Resources, *args.RunAsUser, args.WritablePaths
	t.rolloutSeconds, t.minReady, t.drainSeconds = *args.RolloutSeconds, *args.MinReadySeconds, workloadDrainSeconds
	w := &workload{tier: t, args: args}
	plain, secret := splitEnv(args.Env, args.SecretEnv)
	secretName, err := w.envSecret(ctx, parent, secret)
	if err != nil {
		return nil, fmt.Errorf("create environment secret: %w", err)
	}
	w.env = append(plainEnv(plain), secretEnv(secretName, slices.Collect(maps.Keys(secret)))...)
	if plain["HOME"] == nil && secret["HOME"] == nil {
		// A uid that the image doesn't know has / for a home, and drivers that look for files there.
		w.env = append(w.env, corev1.EnvVarArgs{Name: pulumi.String("HOME"), Value: pulumi.String(WritableTmp)})
	}
	return w, nil
}

// baseContainer is what the pods and the migration have in common.
func (w *workload) baseContainer() corev1.ContainerArgs {
	return corev1.ContainerArgs{Image: pulumi.String(w.args.Image), Env: w.env}
}

// serve makes the Service and the pods.
func (w *workload) serve(ctx *pulumi.Context, parent pulumi.Resource, name string, after ...pulumi.Resource) (*corev1.Service, rollout, error) {
	metadata := w.metadata()
	metadata.Name = pulumi.String(name)
	// Whoever waits for pods waits for their rollout: the Service is there before them, so that nginx can start beside them.
	metadata.Annotations = pulumi.StringMap{"pulumi.com/skipAwait": pulumi.String("true")}
	service, err := corev1.NewService(ctx, w.name, &corev1.ServiceArgs{
		Metadata: metadata,
		Spec: corev1.ServiceSpecArgs{
			Type:     pulumi.String("ClusterIP"),
			Selector: pulumi.StringMap{tierLabel: pulumi.String(w.label)},
			// The pods' own port: some network policy engines compare Service ports with pod ports.
			Ports: corev1.ServicePortArray{corev1.ServicePortArgs{
				Name: pulumi.String(portName), Port: pulumi.Int(*w.args.Port), TargetPort: pulumi.String(portName),
			}},
		},
	}, pulumi.Parent(parent))
	if err != nil {
		return nil, rollout{}, fmt.Errorf("create service: %w", err)
	}
	w.container = w.servingContainer()
	// An image of its own may serve on port 80 without being root: the network is the pod's alone.
	w.sysctls = corev1.SysctlArray{corev1.SysctlArgs{Name: pulumi.String("net.ipv4.ip_unprivileged_port_start"), Value: pulumi.String("0")}}
	pods, err := w.deploy(ctx, parent, after...)
	return service, pods, err
}

func (w *workload) servingContainer() corev1.ContainerArgs {
	const startEvery = 2
	container := w.baseContainer()
	container.Command = stringArray(w.args.Command)
	container.Args = stringArray(w.args.Args)
	container.Ports = corev1.ContainerPortArray{corev1.ContainerPortArgs{
		Name: pulumi.String(portName), ContainerPort: pulumi.Int(*w.args.Port),
	}}
	container.Lifecycle = sleepBeforeStop(w.drainSeconds)
	// The process alone: one that was born while its database is down must be there when that is back.
	start := corev1.ProbeArgs{
		PeriodSeconds: pulumi.Int(startEvery), TimeoutSeconds: pulumi.Int(5), FailureThreshold: pulumi.Int(w.rolloutSeconds / startEvery),
	}
	// Every 3 s, so that the site is back soon after its database is.
	container.ReadinessProbe = corev1.ProbeArgs{
		HttpGet: httpGet(w.args.HealthPath), PeriodSeconds: pulumi.Int(3),
		TimeoutSeconds: pulumi.Int(3), FailureThreshold: pulumi.Int(3),
	}
	// A minute of silence, on a path that doesn't look at the database: then only a restart helps.
	live := corev1.ProbeArgs{PeriodSeconds: pulumi.Int(10), TimeoutSeconds: pulumi.Int(5), FailureThreshold: pulumi.Int(6)}
	if w.args.LivePath == "" {
		live.TcpSocket, start.TcpSocket = tcpConnect(), tcpConnect()
	} else {
		live.HttpGet, start.HttpGet = httpGet(w.args.LivePath), httpGet(w.args.LivePath)
	}
	container.LivenessProbe, container.StartupProbe = live, start
	return container
}

// copied shares nothing that either of the two may add to.
func (w *workload) copied() *workload {
	other := *w
	other.env, other.volumes, other.mounts = slices.Clone(w.env), slices.Clone(w.volumes), slices.Clone(w.mounts)
	return &other
}
