package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/images"
	"threetier/components/app/logins"
	"threetier/components/app/nginx"
	"threetier/components/app/pods"
	"threetier/components/database"
	"threetier/internal/component"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

// AppType is App's type token.
const AppType = "threetier:index:App"

// AppArgs describe the Kubernetes stack. The cluster is the caller's Kubernetes provider, given as a resource option.
type AppArgs struct {
	Namespace, Adopt string
	Backend          BackendArgs
	Frontend         *FrontendArgs
	Workers          map[string]WorkerArgs
	Jobs             map[string]JobArgs
	Nginx            nginx.Args
	ClientImage      string
	Registry         pods.RegistryArgs
	Placement        pods.PlacementArgs
}

// NamespaceKeys are those of the namespace.
func (args *AppArgs) NamespaceKeys() keys.Table {
	return keys.Table{
		keys.Text("namespace", &args.Namespace).
			Match("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "1 to 63 lowercase letters, digits and -, not at an end").
			Words("1 to 63 lowercase letters, digits and -").RequiredIf(true, "a name").Otherwise("<project>-<stack>").Example("shop").
			Doc("The Kubernetes namespace, which the stack creates and owns. It can't be changed later: the app would be gone meanwhile."),
		keys.Text("adopt", &args.Adopt).Refuse(args.Adopt != "" && args.Adopt != args.Namespace, args.Adopt, args.Namespace+", the stack's namespace, or none").
			Otherwise("none: the stack makes its namespace, and refuses one that is there").Example("shop-shared").
			Doc("The namespace again, if others made it. The stack then runs in it, changes nothing of it, and leaves it behind. " +
				"[Run in a namespace of others](how-to/shared-namespace.md) lists the differences."),
	}
}

// ClientImageKey stands among the database's keys.
func (args *AppArgs) ClientImageKey() *keys.Key {
	return keys.Text("clientImage", &args.ClientImage).Is(pods.Image).Default(images.Client).Example("ghcr.io/acme/psql@sha256:…").
		Doc("An image with a shell and psql 15 or later. It creates the database's roles.")
}

// TierKeys are those of the tiers.
func (args *AppArgs) TierKeys() keys.Table {
	return keys.Table{
		keys.Object("backend", args.Backend.keys()).Required().
			Doc("The API: any image that answers HTTP and uses a PostgreSQL database."),
		keys.Optional("frontend", &args.Frontend, (*FrontendArgs).keys).Otherwise("none: the backend serves / too").
			Doc("The web pages: any image that answers HTTP."),
		keys.ObjectMap("workers", &args.Workers, (*WorkerArgs).keys).Names(processName).
			Doc("Long-running processes of the backend's image, by name. They get the backend's environment, Secrets and network access."),
		keys.ObjectMap("jobs", &args.Jobs, (*JobArgs).keys).Names(processName).
			Doc("Processes of the backend's image that end by themselves, by name: scheduled or run by hand. They get the backend's environment, Secrets and network access."),
		keys.Object("nginx", args.Nginx.Keys()).
			Doc("The entry point: nginx behind a load balancer."),
	}
}

// PodKeys are those of all pods.
func (args *AppArgs) PodKeys() keys.Table {
	return keys.Table{args.Registry.Key(), args.Placement.Key()}
}

// Wiring is what the app needs of a stack's other components.
type Wiring struct {
	// Owner is the value of OwnerLabel. Default: the objects say nothing of whose they are.
	Owner pulumi.StringInput
	// EKS is the cluster, where it is one. Required with permissions.
	EKS EKSArgs
	// Database is where the backend keeps its data. Default: the program doesn't know.
	Database database.Connection
	// PreviewOf is the namespace of the stack whose nginx leads to this one. Default: the app has a load balancer of its own.
	PreviewOf string
	// Certificates are those of the app's names, the load balancer's default first. Default: none, no TLS yet.
	Certificates []pulumi.StringInput
}

// check finds what only a program can get wrong; the stack config's mistakes are Problems.
func (to Wiring) check(permissions []PermissionArgs) error {
	return errors.Join(checkConnection(to.Database), checkCluster(permissions, to.EKS))
}

// Complete fills in the defaults, and returns what the args can't run with, by the keys of the stack config.
func (args *AppArgs) Complete() problems.List {
	ps := slices.Concat(args.NamespaceKeys(), args.TierKeys(), args.PodKeys()).Complete()
	ps = append(ps, keys.Table{args.ClientImageKey()}.Complete().Under("database")...)
	ps = append(ps, args.Backend.complete(ps.Below("backend")).Under("backend")...)
	if args.Frontend != nil {
		ps = append(ps, egressProblems(args.Frontend.Egress).Under("frontend")...)
	}
	for name, worker := range args.Workers {
		ps = append(ps, egressProblems(worker.Egress).Under("workers."+name)...)
	}
	for name, job := range args.Jobs {
		ps = append(ps, egressProblems(job.Egress).Under("jobs."+name)...)
	}
	args.Backend.knownAs(args.Nginx)
	if args.Frontend != nil {
		args.Frontend.knownAs(args.Nginx)
	}
	ps = append(ps, jobNameProblems(args.Jobs)...)
	ps = append(ps, args.routeProblems().Under("nginx")...)
	if args.Frontend == nil && args.Nginx.Routes == nil {
		args.Nginx.Routes = []nginx.RouteArgs{{Path: "/", To: nginx.ToBackend}}
	}
	return append(args.Nginx.Complete().Under("nginx"), ps...).FirstOfEach()
}

func (args AppArgs) routeProblems() problems.List {
	if args.Frontend != nil {
		return nil
	}
	var ps problems.List
	for i, route := range args.Nginx.Routes {
		if route.To == nginx.ToFrontend {
			ps = append(ps, problems.Problem{
				Path: fmt.Sprintf("routes[%d].to", i), Value: strconv.Quote(route.To),
				Want: nginx.ToBackend + ": the stack has no frontend",
			})
		}
	}
	return ps
}

// App is the Kubernetes stack: nginx in front of a frontend and a backend, in a namespace of their own.
type App struct {
	pulumi.ResourceState

	URL          pulumi.StringOutput `pulumi:"url" doc:"Where a browser finds the app."`
	LoadBalancer pulumi.StringOutput `pulumi:"loadBalancer" doc:"The load balancer's DNS name, or its address where it has no name."`
	Namespace    pulumi.StringOutput `pulumi:"namespace" doc:"The namespace's name."`

	// Tiers are the Deployments, nginx first, as a request meets them.
	Tiers []pods.Tier
	// Serves are what is there once nginx answers.
	Serves []pulumi.Resource
}

// NewApp creates the namespace and everything in it. Give it the cluster's provider as an option.
func NewApp(ctx *pulumi.Context, name string, args *AppArgs, to Wiring, opts ...pulumi.ResourceOption) (*App, error) {
	app := &App{}
	if args == nil {
		return nil, component.Wrap(app, name, errors.New("args are missing"))
	}
	complete := *args
	complete.Nginx.Domain.CertificateARNs, complete.Nginx.Behind = to.Certificates, to.PreviewOf != ""
	if err := errors.Join(complete.Complete().Err(), to.check(args.Backend.Permissions)); err != nil {
		return nil, component.Wrap(app, name, err)
	}
	return component.New(ctx, AppType, name, app, append(slices.Clone(opts), marks(to.Owner)), func() error {
		return app.create(ctx, name, complete, to)
	})
}

// create goes from the inside out. New pages may need the new API, so the frontend rolls once the backend has. Nginx rolls
// beside them: it needs the Services' names at its start, and stays as it is where the migration fails.
func (app *App) create(ctx *pulumi.Context, name string, args AppArgs, to Wiring) (err error) {
	app.Namespace = pulumi.String(args.Namespace).ToStringOutput()
	if args.Adopt == "" {
		if app.Namespace, err = newNamespace(ctx, app, name, args.Namespace, to.PreviewOf); err != nil {
			return fmt.Errorf("create namespace: %w", err)
		}
	}
	bounds, err := app.bound(ctx, name, args, to)
	if err != nil {
		return err
	}
	pull, err := pods.NewPullSecret(ctx, app, name, app.Namespace, args.Registry)
	if err != nil {
		return fmt.Errorf("create registry secret: %w", err)
	}
	place := pods.Place{Namespace: app.Namespace, PullSecret: pull, Placement: args.Placement}
	inside := []pulumi.ResourceOption{pulumi.Parent(app), pulumi.DependsOn(bounds)}
	backend, err := newBackend(ctx, name+"-backend", args.Backend, backendNeeds{
		Place: place, Wiring: to, clientImage: args.ClientImage,
		connections: args.connections(), requestSeconds: args.Nginx.LongestRequest(nginx.ToBackend), formerSecret: formerDatabaseSecret(app, name),
	}, inside...)
	if err != nil {
		return err
	}
	processes, workers, err := createProcesses(ctx, name, backend, args, inside...)
	if err != nil {
		return err
	}
	if err := backend.lockRestingLogin(ctx, app, args.longestUses(backend), workers...); err != nil {
		return err
	}
	if err := backend.roles.LetPeopleIn(ctx, app, name+"-psql"); err != nil {
		return err
	}
	app.Tiers = append([]pods.Tier{backend.tier}, processes...)
	args.Nginx.StopSeconds = backend.workload.RequestSeconds
	upstreams := nginx.Needs{Place: place, Backend: nginx.Upstream{Host: backend.ServiceName, Port: backend.Port}}
	// The Services themselves: the Go SDK gets to know the children of a component only one after the other.
	before := append(slices.Clone(backend.migration), backend.service)
	if args.Frontend != nil {
		frontend, err := newFrontend(ctx, name+"-frontend", *args.Frontend, place, args.Nginx.LongestRequest(nginx.ToFrontend), backend.pods, inside...)
		if err != nil {
			return err
		}
		args.Nginx.StopSeconds = max(args.Nginx.StopSeconds, frontend.stopSeconds)
		upstreams.Frontend = nginx.Upstream{Host: frontend.ServiceName, Port: frontend.Port}
		before = append(before, frontend.service)
		app.Tiers = append([]pods.Tier{frontend.tier}, app.Tiers...)
	}
	byName, err := newPodNames(ctx, app, name, args, app.Namespace)
	if err != nil {
		return err
	}
	before = append(before, byName...)
	front, err := nginx.New(ctx, name+"-nginx", args.Nginx, upstreams, pulumi.Parent(app), pulumi.DependsOn(before))
	if err != nil {
		return err
	}
	app.URL, app.LoadBalancer, app.Serves = front.URL, front.LoadBalancer, front.Serves
	app.Tiers = append([]pods.Tier{front.Tier}, app.Tiers...)
	return nil
}

// bound makes what the pods of the namespace are bounded by, before there are any.
func (app *App) bound(ctx *pulumi.Context, name string, args AppArgs, to Wiring) ([]pulumi.Resource, error) {
	policies, err := newNetworkPolicies(ctx, app, name, args, to)
	if err != nil || to.PreviewOf == "" {
		return policies, err
	}
	quota, err := app.limitPreview(ctx, name, args)
	return append(policies, quota), err
}

// A pod behind a network load balancer is ready when that has taken it in: one label is the AWS Load Balancer Controller's,
// one EKS Auto Mode's.
const (
	controllerGate = "elbv2.k8s.aws/pod-readiness-gate-inject"
	autoModeGate   = "eks.amazonaws.com/pod-readiness-gate-inject"
)

// newNamespace refuses pods that aren't "restricted", whoever makes them.
func newNamespace(ctx *pulumi.Context, app *App, name, namespace, previewOf string) (pulumi.StringOutput, error) {
	const restricted, latest = pulumi.String("restricted"), pulumi.String("latest")
	labels := pulumi.StringMap{
		pods.ManagedByLabel:                          pulumi.String(pods.ManagedBy),
		"pod-security.kubernetes.io/enforce":         restricted,
		"pod-security.kubernetes.io/enforce-version": latest,
		"pod-security.kubernetes.io/warn":            restricted,
		"pod-security.kubernetes.io/warn-version":    latest,
		controllerGate:                               pulumi.String("enabled"),
		autoModeGate:                                 pulumi.String("enabled"),
	}
	if previewOf != "" {
		labels[PreviewOfLabel] = pulumi.String(previewOf)
	}
	ns, err := corev1.NewNamespace(ctx, name, &corev1.NamespaceArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String(namespace), Labels: labels},
	}, pulumi.Parent(app))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return fixedName(ns, namespace), nil
}

// Autoscales tells whether any tier has an autoscaler. The args are complete.
func (args AppArgs) Autoscales() bool {
	bounds := []pods.ReplicaArgs{args.Backend.Replicas, args.Nginx.Replicas}
	if args.Frontend != nil {
		bounds = append(bounds, args.Frontend.Replicas)
	}
	for _, worker := range args.Workers {
		bounds = append(bounds, worker.Replicas)
	}
	return slices.ContainsFunc(bounds, pods.ReplicaArgs.Autoscaled)
}

// longestUses are those of the backend and the workers, which stop at a rollout, and of the jobs, which run on.
func (args AppArgs) longestUses(backend *Backend) logins.Uses {
	longest := logins.Uses{Pods: backend.drainSeconds()}
	for _, worker := range args.Workers {
		longest.Pods = max(longest.Pods, worker.StopSeconds+pods.StopMarginSeconds)
	}
	for _, job := range args.Jobs {
		longest.Jobs = max(longest.Jobs, job.TimeoutSeconds)
	}
	return longest
}

// createProcesses makes the workers and the jobs. It returns the workers' tiers, and what is there once they run.
func createProcesses(ctx *pulumi.Context, name string, backend *Backend, args AppArgs, opts ...pulumi.ResourceOption) (tiers []pods.Tier, rollouts []pulumi.Resource, err error) {
	for _, worker := range slices.Sorted(maps.Keys(args.Workers)) {
		created, err := backend.newWorker(ctx, name+"-worker-"+worker, worker, args.Workers[worker], opts...)
		if err != nil {
			return nil, nil, err
		}
		tiers, rollouts = append(tiers, created.tier), append(rollouts, created.pods)
	}
	for _, job := range slices.Sorted(maps.Keys(args.Jobs)) {
		if _, err := backend.newJob(ctx, name+"-job-"+job, job, args.Jobs[job], opts...); err != nil {
			return nil, nil, err
		}
	}
	return tiers, rollouts, nil
}
