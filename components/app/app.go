package app

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// AppType is App's type token.
const AppType = "threetier:index:App"

// AppArgs describe the Kubernetes stack. The cluster is the caller's Kubernetes provider,
// given as a resource option.
type AppArgs struct {
	// Namespace is made, and owned, by the app. Required.
	Namespace string
	// Database is where the backend keeps its data. Required.
	Database DatabaseConnection
	// Backend is the API.
	Backend BackendArgs
	// Frontend serves the pages.
	Frontend FrontendArgs
	// Nginx is the way in.
	Nginx NginxArgs
}

var namespaceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Problems are what the args can't run with, by the keys of the stack config.
func (a AppArgs) Problems() problems.List {
	var ps problems.List
	if a.Namespace == "" {
		ps = append(ps, problems.Problem{Path: "namespace", Want: "a name"})
	} else if !namespaceName.MatchString(a.Namespace) {
		ps = append(ps, problems.Problem{Path: "namespace", Value: strconv.Quote(a.Namespace), Want: "1 to 63 small letters, digits and -, not at an end"})
	}
	ps = append(ps, a.Backend.Problems().Under("backend")...)
	ps = append(ps, a.Frontend.Problems().Under("frontend")...)
	return append(ps, a.Nginx.Problems().Under("nginx")...)
}

// App is the Kubernetes stack: nginx in front of a frontend and a backend, in a namespace of their own.
type App struct {
	pulumi.ResourceState

	// URL is where a browser finds the app.
	URL pulumi.StringOutput `pulumi:"url"`
	// Namespace is the namespace's name.
	Namespace pulumi.StringOutput `pulumi:"namespace"`
}

// NewApp creates the namespace and everything in it. Give it the cluster's provider as an option.
func NewApp(ctx *pulumi.Context, name string, args *AppArgs, opts ...pulumi.ResourceOption) (*App, error) {
	if args == nil {
		return nil, errors.New("app: args are required")
	}
	a := *args
	a.Nginx = a.Nginx.withDefaults()
	if err := errors.Join(a.Problems().Err(), a.Database.check()); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	app := &App{}
	if err := ctx.RegisterComponentResource(AppType, name, app, opts...); err != nil {
		return nil, fmt.Errorf("register app: %w", err)
	}
	namespace, err := newNamespace(ctx, app, name, a.Namespace)
	if err != nil {
		return nil, fmt.Errorf("create namespace: %w", err)
	}
	nginx, err := app.tiers(ctx, name, namespace, a)
	if err != nil {
		return nil, err
	}
	app.URL = nginx.URL
	app.Namespace = namespace
	return app, ctx.RegisterResourceOutputs(app, pulumi.Map{
		"url":       app.URL,
		"namespace": app.Namespace,
	})
}

// tiers come from the inside out: nginx resolves the Services' names at its start.
func (app *App) tiers(ctx *pulumi.Context, name string, namespace pulumi.StringOutput, a AppArgs) (*Nginx, error) {
	a.Backend.Namespace, a.Frontend.Namespace, a.Nginx.Namespace = namespace, namespace, namespace
	a.Backend.RequestSeconds = a.Nginx.longestRequest(ToBackend)
	a.Frontend.RequestSeconds = a.Nginx.longestRequest(ToFrontend)

	policies, err := newNetworkPolicies(ctx, app, name, a)
	if err != nil {
		return nil, err
	}
	a.Backend.Database, err = a.Database.bind(ctx, app, name+"-database", tier{namespace: namespace, label: ToBackend}, a.Backend.databaseEnv())
	if err != nil {
		return nil, fmt.Errorf("create database secret: %w", err)
	}
	backend, err := NewBackend(ctx, name+"-backend", &a.Backend, pulumi.Parent(app), pulumi.DependsOn(policies))
	if err != nil {
		return nil, err
	}
	frontend, err := NewFrontend(ctx, name+"-frontend", &a.Frontend, pulumi.Parent(app), pulumi.DependsOn(policies))
	if err != nil {
		return nil, err
	}
	a.Nginx.Backend = UpstreamArgs{Host: backend.ServiceName, Port: backend.Port}
	a.Nginx.Frontend = UpstreamArgs{Host: frontend.ServiceName, Port: frontend.Port}
	return NewNginx(ctx, name+"-nginx", &a.Nginx, pulumi.Parent(app), pulumi.DependsOn([]pulumi.Resource{backend, frontend}))
}

// newNamespace refuses pods that aren't "restricted", whoever makes them.
func newNamespace(ctx *pulumi.Context, app *App, name, namespace string) (pulumi.StringOutput, error) {
	const restricted, latest = pulumi.String("restricted"), pulumi.String("latest")
	ns, err := corev1.NewNamespace(ctx, name, &corev1.NamespaceArgs{
		Metadata: metav1.ObjectMetaArgs{
			Name: pulumi.String(namespace),
			Labels: pulumi.StringMap{
				"app.kubernetes.io/managed-by":               pulumi.String("pulumi"),
				"pod-security.kubernetes.io/enforce":         restricted,
				"pod-security.kubernetes.io/enforce-version": latest,
				"pod-security.kubernetes.io/warn":            restricted,
				"pod-security.kubernetes.io/warn-version":    latest,
				// A pod behind a network load balancer is ready when that has taken it in: one
				// label is the AWS Load Balancer Controller's, one EKS Auto Mode's.
				"elbv2.k8s.aws/pod-readiness-gate-inject":     pulumi.String("enabled"),
				"eks.amazonaws.com/pod-readiness-gate-inject": pulumi.String("enabled"),
			},
		},
	}, pulumi.Parent(app))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return ns.Metadata.Name().Elem(), nil
}
