package app

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/nginx"
	"threetier/components/app/pods"
	"threetier/components/database"
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

	// database and templates are what the environment has of the database.
	database  database.Connection
	templates map[string]string
}

// newWorkload fills in what follows from the args. The Secret is part of it because a new
// value must reach the migration as well as the pods.
func newWorkload(ctx *pulumi.Context, parent pulumi.Resource, t pods.Set, args WorkloadArgs) (*workload, error) {
	t.Replicas, t.Resources, t.UID = args.Replicas, args.Resources, args.RunAsUser
	t.Writable, t.Copied = args.directories()
	t.RolloutSeconds, t.MinReady, t.DrainSeconds = args.RolloutSeconds, *args.MinReadySeconds, workloadDrainSeconds
	t.DiskGiB, t.FileCapabilities, t.PodAnnotations = args.DiskGiB, true, args.PodAnnotations
	t.RequestSeconds = cmp.Or(args.StopSeconds, t.RequestSeconds)
	w := &workload{Set: t, args: args}
	var err error
	if w.env, err = t.Env(ctx, parent, args.Env, args.SecretEnv); err != nil {
		return nil, err
	}
	if err := w.MountFiles(ctx, parent, args.SecretFiles); err != nil {
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

// newPodNames gives the pods of a tier names in DNS, where nginx leads a client to one of them again.
func newPodNames(ctx *pulumi.Context, parent pulumi.Resource, name string, args AppArgs, namespace pulumi.StringInput) (created []pulumi.Resource, err error) {
	ports := map[string]int{backendLabel: args.Backend.Port}
	if args.Frontend != nil {
		ports[frontendLabel] = args.Frontend.Port
	}
	for _, tier := range slices.Sorted(maps.Keys(ports)) {
		if !args.Nginx.Sticks(tier) {
			continue
		}
		metadata := pods.Metadata(namespace, tier)
		metadata.Name = pulumi.String(nginx.PodsService(tier))
		metadata.Annotations = pulumi.StringMap{"pulumi.com/skipAwait": pulumi.String("true")}
		service, err := corev1.NewService(ctx, name+"-"+nginx.PodsService(tier), &corev1.ServiceArgs{
			Metadata: metadata,
			Spec: corev1.ServiceSpecArgs{
				ClusterIP: pulumi.String("None"),
				Selector:  pulumi.StringMap{pods.TierLabel: pulumi.String(tier)},
				Ports: corev1.ServicePortArray{corev1.ServicePortArgs{
					Name: pulumi.String(pods.PortName), Port: pulumi.Int(ports[tier]), TargetPort: pulumi.String(pods.PortName),
				}},
			},
		}, pulumi.Parent(parent))
		if err != nil {
			return nil, fmt.Errorf("create service %s: %w", nginx.PodsService(tier), err)
		}
		created = append(created, service)
	}
	return created, nil
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
	container.ReadinessProbe = corev1.ProbeArgs{
		HttpGet: w.ask(w.args.HealthPath), PeriodSeconds: pulumi.Int(readyEvery),
		TimeoutSeconds: pulumi.Int(readyEvery), FailureThreshold: pulumi.Int((w.args.ReadySeconds + readyEvery - 1) / readyEvery),
	}
	// A minute of silence, on a path that doesn't look at the database: then only a restart helps. A pod that may be busy for
	// longer isn't restarted meanwhile.
	const liveEvery = 10
	live := corev1.ProbeArgs{
		PeriodSeconds: pulumi.Int(liveEvery), TimeoutSeconds: pulumi.Int(5),
		FailureThreshold: pulumi.Int((max(60, w.args.ReadySeconds) + liveEvery - 1) / liveEvery),
	}
	if w.args.LivePath == "" {
		live.TcpSocket, start.TcpSocket = pods.TCPConnect(), pods.TCPConnect()
	} else {
		live.HttpGet, start.HttpGet = w.ask(w.args.LivePath), w.ask(w.args.LivePath)
	}
	container.LivenessProbe, container.StartupProbe = live, start
	return container
}

// ask is a probe's request, as nginx would send it: some apps answer no other host, and redirect what didn't come by HTTPS.
func (w *workload) ask(path string) corev1.HTTPGetActionArgs {
	var headers corev1.HTTPHeaderArray
	add := func(name, value string) {
		headers = append(headers, corev1.HTTPHeaderArgs{Name: pulumi.String(name), Value: pulumi.String(value)})
	}
	if w.args.HealthHost != "" {
		add("Host", w.args.HealthHost)
	}
	if w.args.https {
		add("X-Forwarded-Proto", "https")
	}
	get := pods.HTTPGet(path)
	get.HttpHeaders = headers
	return get
}

// copied shares nothing that either of the two may add to.
func (w *workload) copied() *workload {
	other := *w
	other.env, other.Volumes, other.Mounts = slices.Clone(w.env), slices.Clone(w.Volumes), slices.Clone(w.Mounts)
	return &other
}
