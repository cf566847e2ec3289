package app

import (
	"fmt"
	"slices"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/nginx"
	"threetier/components/app/pods"
)

const (
	// workloadDrainSeconds outlasts nginx's connections to a pod that left its Service: they
	// are closed after UpstreamKeepaliveSeconds of use or UpstreamIdleSeconds of silence, so when
	// the process gets SIGTERM nobody is about to send on one. The rest is for the Service's
	// own news to reach every node.
	workloadDrainSeconds = nginx.UpstreamKeepaliveSeconds + nginx.UpstreamIdleSeconds + 6
)

// workload is an image behind a Service: what Backend and Frontend are.
type workload struct {
	pods.Set
	args WorkloadArgs // with defaults
	env  corev1.EnvVarArray
}

// newWorkload fills in what follows from the args. The Secret is part of it because a new
// value must reach the migration as well as the pods.
func newWorkload(ctx *pulumi.Context, parent pulumi.Resource, t pods.Set, args WorkloadArgs) (*workload, error) {
	t.Replicas, t.Resources, t.UID, t.Writable = args.Replicas, args.Resources, args.RunAsUser, args.writable()
	t.RolloutSeconds, t.MinReady, t.DrainSeconds = args.RolloutSeconds, *args.MinReadySeconds, workloadDrainSeconds
	w := &workload{Set: t, args: args}
	var err error
	if w.env, err = t.Env(ctx, parent, args.Env, args.SecretEnv); err != nil {
		return nil, err
	}
	if !args.sets("HOME") {
		// A uid that the image doesn't know has / for a home, and drivers that look for files there.
		w.env = append(w.env, corev1.EnvVarArgs{Name: pulumi.String("HOME"), Value: pulumi.String(pods.WritableTmp)})
	}
	return w, nil
}

// baseContainer is what the pods and the migration have in common.
func (w *workload) baseContainer() corev1.ContainerArgs {
	return corev1.ContainerArgs{Image: pulumi.String(w.args.Image), Env: w.env}
}

func (w *workload) serve(ctx *pulumi.Context, parent pulumi.Resource, name string, after ...pulumi.Resource) (*corev1.Service, pods.Rollout, error) {
	metadata := w.Metadata()
	metadata.Name = pulumi.String(name)
	// Whoever waits for pods waits for their rollout: the Service is there before them, so that nginx can start beside them.
	metadata.Annotations = pulumi.StringMap{"pulumi.com/skipAwait": pulumi.String("true")}
	service, err := corev1.NewService(ctx, w.Name, &corev1.ServiceArgs{
		Metadata: metadata,
		Spec: corev1.ServiceSpecArgs{
			Type:     pulumi.String("ClusterIP"),
			Selector: pulumi.StringMap{pods.TierLabel: pulumi.String(w.Label)},
			Ports:    w.servicePorts(),
		},
	}, pulumi.Parent(parent))
	if err != nil {
		return nil, pods.Rollout{}, fmt.Errorf("create service: %w", err)
	}
	w.Container = w.servingContainer()
	// An image of its own may serve on port 80 without being root: the network is the pod's alone.
	w.Sysctls = corev1.SysctlArray{corev1.SysctlArgs{Name: pulumi.String("net.ipv4.ip_unprivileged_port_start"), Value: pulumi.String("0")}}
	pods, err := w.Deploy(ctx, parent, after...)
	return service, pods, err
}

// servicePorts are the pods' own: some network policy engines compare Service ports with pod ports. Each leads to what a pod
// itself calls its port, so both reach the pods from before a change and after it.
func (w *workload) servicePorts() corev1.ServicePortArray {
	var all corev1.ServicePortArray
	for i, port := range w.args.ports() {
		all = append(all, corev1.ServicePortArgs{
			Name: pulumi.String([]string{pods.PortName, "former"}[i]), Port: pulumi.Int(port), TargetPort: pulumi.String(pods.PortName),
		})
	}
	return all
}

func (w *workload) servingContainer() corev1.ContainerArgs {
	const startEvery = 2
	container := w.baseContainer()
	container.Command = pods.Strings(w.args.Command)
	container.Args = pods.Strings(w.args.Args)
	container.Ports = corev1.ContainerPortArray{corev1.ContainerPortArgs{
		Name: pulumi.String(pods.PortName), ContainerPort: pulumi.Int(w.args.Port),
	}}
	container.Lifecycle = pods.SleepBeforeStop(w.DrainSeconds)
	// The process alone: one that was born while its database is down must be there when that is back.
	start := corev1.ProbeArgs{
		PeriodSeconds: pulumi.Int(startEvery), TimeoutSeconds: pulumi.Int(5), FailureThreshold: pulumi.Int(w.RolloutSeconds / startEvery),
	}
	// Every 3 s, so that the site is back soon after its database is.
	container.ReadinessProbe = corev1.ProbeArgs{
		HttpGet: pods.HTTPGet(w.args.HealthPath), PeriodSeconds: pulumi.Int(3),
		TimeoutSeconds: pulumi.Int(3), FailureThreshold: pulumi.Int(3),
	}
	// A minute of silence, on a path that doesn't look at the database: then only a restart helps.
	live := corev1.ProbeArgs{PeriodSeconds: pulumi.Int(10), TimeoutSeconds: pulumi.Int(5), FailureThreshold: pulumi.Int(6)}
	if w.args.LivePath == "" {
		live.TcpSocket, start.TcpSocket = pods.TCPConnect(), pods.TCPConnect()
	} else {
		live.HttpGet, start.HttpGet = pods.HTTPGet(w.args.LivePath), pods.HTTPGet(w.args.LivePath)
	}
	container.LivenessProbe, container.StartupProbe = live, start
	return container
}

// copied shares nothing that either of the two may add to.
func (w *workload) copied() *workload {
	other := *w
	other.env, other.Volumes, other.Mounts = slices.Clone(w.env), slices.Clone(w.Volumes), slices.Clone(w.Mounts)
	return &other
}
