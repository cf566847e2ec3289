package app

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/database"
	"threetier/internal/component"
	"threetier/internal/problems"
)

// AppType is App's type token.
const AppType = "threetier:index:App"

// AppArgs describe the Kubernetes stack. The cluster is the caller's Kubernetes provider,
// given as a resource option.
type AppArgs struct {
	// Namespace is made, and owned, by the app, unless it is adopted. Required.
	Namespace string
	// Adopt is the Namespace again where others made it: then the app changes nothing of it, and leaves it behind.
	// Default: none.
	Adopt string
	// Owner is the value of OwnerLabel. Default: the objects say nothing of whose they are.
	Owner pulumi.StringInput
	// Database is where the backend keeps its data. Required.
	Database database.Connection
	// Backend is the API.
	Backend BackendArgs
	// Frontend serves the pages. Default: none, and the backend serves them too.
	Frontend *FrontendArgs
	// Workers are long-running processes beside the backend, by name. Default: none.
	Workers map[string]WorkerArgs
	// Jobs are processes that end by themselves, by name. Default: none.
	Jobs map[string]JobArgs
	// Nginx is the way in.
	Nginx NginxArgs
	// ClientImage has a shell and psql 15 or later, for the Jobs that make the database's logins. Default: DefaultClientImage.
	ClientImage string
	// Registry has the credentials for private images. Default: none, the images are public.
	Registry RegistryArgs
	// Placement says which nodes all pods may run on.
	Placement PlacementArgs
	// EKS is the cluster, where it is one. Required with Backend.Permissions.
	EKS EKSArgs
}

// Wiring is what the app needs of a stack's other components.
type Wiring struct {
	Owner        pulumi.StringInput
	EKS          EKSArgs
	Database     database.Connection
	Certificates []pulumi.StringInput
}

// Wired is a copy of the args with what the other components have.
func (args AppArgs) Wired(to Wiring) *AppArgs {
	args.Owner, args.EKS, args.Database = to.Owner, to.EKS, to.Database
	args.Nginx.Domain.CertificateARNs = to.Certificates
	return &args
}

// Problems are what the args can't run with, by the keys of the stack config.
func (args AppArgs) Problems() problems.List {
	var ps problems.List
	if args.Namespace == "" {
		ps = append(ps, problems.Problem{Path: "namespace", Want: "a name"})
	}
	ps = append(ps, NamespaceConstraint.Problems("namespace", args.Namespace)...)
	if args.Adopt != "" && args.Adopt != args.Namespace {
		ps = append(ps, problems.Problem{Path: "adopt", Value: args.Adopt, Want: args.Namespace + ", the stack's namespace, or none"})
	}
	ps = append(ps, ImageConstraint.Problems("database.clientImage", args.ClientImage)...)
	ps = append(ps, args.Backend.Problems().Under("backend")...)
	if args.Frontend != nil {
		ps = append(ps, args.Frontend.Problems().Under("frontend")...)
	}
	ps = append(ps, processProblems("workers", args.Workers)...)
	ps = append(ps, processProblems("jobs", args.Jobs)...)
	ps = append(ps, jobNameProblems(args.Jobs)...)
	ps = append(ps, args.Nginx.Problems().Under("nginx")...)
	ps = append(ps, args.routeProblems().Under("nginx")...)
	ps = append(ps, args.Registry.Problems().Under("registry")...)
	return append(ps, args.Placement.Problems().Under("placement")...)
}

// routeProblems are routes to a frontend that isn't there.
func (args AppArgs) routeProblems() problems.List {
	if args.Frontend != nil {
		return nil
	}
	var ps problems.List
	for i, route := range args.Nginx.Routes {
		if route.To == ToFrontend {
			ps = append(ps, problems.Problem{
				Path: fmt.Sprintf("routes[%d].to", i), Value: strconv.Quote(route.To),
				Want: ToBackend + ": the stack has no frontend",
			})
		}
	}
	return ps
}

// App is the Kubernetes stack: nginx in front of a frontend and a backend, in a namespace of their own.
type App struct {
	pulumi.ResourceState

	// URL is where a browser finds the app.
	URL pulumi.StringOutput `pulumi:"url"`
	// LoadBalancer is the load balancer's DNS name, or its address where it has no name.
	LoadBalancer pulumi.StringOutput `pulumi:"loadBalancer"`
	// Namespace is the namespace's name.
	Namespace pulumi.StringOutput `pulumi:"namespace"`

	// Tiers are all that run for long: nginx first, as a request meets them.
	Tiers []Tier
}

// NewApp creates the namespace and everything in it. Give it the cluster's provider as an option.
func NewApp(ctx *pulumi.Context, name string, args *AppArgs, opts ...pulumi.ResourceOption) (*App, error) {
	app := &App{}
	if args == nil {
		return nil, component.Wrap(app, name, errors.New("args are missing"))
	}
	if err := errors.Join(args.Problems().Err(), checkConnection(args.Database), checkCluster(args.Backend.Permissions, args.EKS)); err != nil {
		return nil, component.Wrap(app, name, err)
	}
	complete := args.withDefaults()
	return component.New(ctx, AppType, name, app, append(slices.Clone(opts), marks(complete.Owner)), func() error {
		return app.create(ctx, name, complete)
	})
}

func (app *App) create(ctx *pulumi.Context, name string, args AppArgs) (err error) {
	app.Namespace = pulumi.String(args.Namespace).ToStringOutput()
	if args.Adopt == "" {
		if app.Namespace, err = newNamespace(ctx, app, name, args.Namespace); err != nil {
			return fmt.Errorf("create namespace: %w", err)
		}
	}
	nginx, err := app.createTiers(ctx, name, app.Namespace, args)
	if err != nil {
		return err
	}
	app.URL, app.LoadBalancer = nginx.URL, nginx.LoadBalancer
	app.Tiers = append([]Tier{nginx.tier}, app.Tiers...)
	return nil
}

// withDefaults is a copy of the args with every optional field set; App's tiers don't do it again.
func (args AppArgs) withDefaults() AppArgs {
	if args.Frontend == nil && args.Nginx.Routes == nil {
		args.Nginx.Routes = []RouteArgs{{Path: "/", To: ToBackend}}
	}
	args.Nginx = args.Nginx.withDefaults()
	args.Backend.RequestSeconds = args.Nginx.longestRequest(ToBackend)
	args.Backend.Database, args.Backend.EKS, args.Backend.ClientImage = args.Database, args.EKS, args.ClientImage
	args.Backend = args.Backend.withDefaults()
	if args.Frontend != nil {
		frontend := *args.Frontend
		frontend.RequestSeconds = args.Nginx.longestRequest(ToFrontend)
		frontend = frontend.withDefaults()
		frontend.Placement = args.Placement
		args.Frontend = &frontend
	}
	args.Backend.Placement, args.Nginx.Placement = args.Placement, args.Placement
	args.Workers, args.Jobs = settled(args.Workers), settled(args.Jobs)
	return args
}

// createTiers goes from the inside out. What has no order rolls at once: nginx needs the Services' names at its start, and
// stays as it is where the migration fails.
func (app *App) createTiers(ctx *pulumi.Context, name string, namespace pulumi.StringOutput, args AppArgs) (*Nginx, error) {
	args.Backend.Namespace, args.Nginx.Namespace = namespace, namespace
	policies, err := newNetworkPolicies(ctx, app, name, args)
	if err != nil {
		return nil, err
	}
	pull, err := newPullSecret(ctx, app, name, namespace, args.Registry)
	if err != nil {
		return nil, fmt.Errorf("create registry secret: %w", err)
	}
	args.Backend.PullSecret, args.Nginx.PullSecret = pull, pull
	backend, err := newBackend(ctx, name+"-backend", args.Backend, pulumi.Parent(app), pulumi.DependsOn(policies))
	if err != nil {
		return nil, err
	}
	app.Tiers = append(app.Tiers, backend.tier)
	workers, err := app.createProcesses(ctx, name, backend, args, policies)
	if err != nil {
		return nil, err
	}
	if err := backend.lockRestingLogin(ctx, app, args.longestUses(backend), workers...); err != nil {
		return nil, err
	}
	if err := backend.roles.letPeopleIn(ctx, app, name+"-psql"); err != nil {
		return nil, err
	}
	args.Nginx.Backend = UpstreamArgs{Host: backend.ServiceName, Port: backend.Port}
	// The Services themselves: the Go SDK gets to know the children of a component only one after the other.
	before := append(slices.Clone(backend.migration), backend.service)
	if args.Frontend != nil {
		args.Frontend.Namespace, args.Frontend.PullSecret = namespace, pull
		frontend, err := newFrontend(ctx, name+"-frontend", *args.Frontend, pulumi.Parent(app), pulumi.DependsOn(policies))
		if err != nil {
			return nil, err
		}
		args.Nginx.Frontend = UpstreamArgs{Host: frontend.ServiceName, Port: frontend.Port}
		before = append(before, frontend.service)
		app.Tiers = append([]Tier{frontend.tier}, app.Tiers...)
	}
	return newNginx(ctx, name+"-nginx", args.Nginx, pulumi.Parent(app), pulumi.DependsOn(before))
}

// A pod behind a network load balancer is ready when that has taken it in: one label is the AWS Load Balancer Controller's,
// one EKS Auto Mode's.
const (
	controllerGate = "elbv2.k8s.aws/pod-readiness-gate-inject"
	autoModeGate   = "eks.amazonaws.com/pod-readiness-gate-inject"
)

// newNamespace refuses pods that aren't "restricted", whoever makes them.
func newNamespace(ctx *pulumi.Context, app *App, name, namespace string) (pulumi.StringOutput, error) {
	const restricted, latest = pulumi.String("restricted"), pulumi.String("latest")
	ns, err := corev1.NewNamespace(ctx, name, &corev1.NamespaceArgs{
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String(namespace),
			Labels: pulumi.StringMap{
				managedByLabel:                               pulumi.String(managedBy),
				"pod-security.kubernetes.io/enforce":         restricted,
				"pod-security.kubernetes.io/enforce-version": latest,
				"pod-security.kubernetes.io/warn":            restricted,
				"pod-security.kubernetes.io/warn-version":    latest,
				controllerGate:                               pulumi.String("enabled"),
				autoModeGate:                                 pulumi.String("enabled"),
			},
		},
	}, pulumi.Parent(app))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return fixedName(ns, namespace), nil
}
