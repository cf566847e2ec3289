package app

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
	"threetier/internal/component"
	"threetier/internal/problems"
)

// FrontendType is Frontend's type token.
const FrontendType = "threetier:index:Frontend"

// FrontendServiceName is the Service that nginx reaches the frontend by.
const FrontendServiceName = "frontend-service"

const frontendLabel = "frontend"

// What a frontend gets where its args say nothing.
const (
	DefaultFrontendPort        = 8080
	DefaultFrontendHealthPath  = "/"
	DefaultFrontendMinReplicas = 2
	DefaultFrontendMaxReplicas = 6
	DefaultFrontendCPU         = "50m"
	DefaultFrontendMemory      = "64Mi"
)

var frontendDefaults = workloadDefaults{
	port:        DefaultFrontendPort,
	healthPath:  DefaultFrontendHealthPath,
	minReplicas: DefaultFrontendMinReplicas,
	maxReplicas: DefaultFrontendMaxReplicas,
	cpu:         DefaultFrontendCPU,
	memory:      DefaultFrontendMemory,
}

// FrontendArgs describe what serves the pages.
type FrontendArgs struct {
	WorkloadArgs
}

// Problems are what the args can't run with.
func (args FrontendArgs) Problems() problems.List {
	ps := append(args.WorkloadArgs.Problems(), args.formerPortProblems(DefaultFrontendPort)...)
	return append(ps, egressProblems(args.Egress, FrontendEgressToConstraint)...)
}

// Frontend serves the pages: pods behind FrontendServiceName.
type Frontend struct {
	pulumi.ResourceState

	// ServiceName is the Service's name.
	ServiceName pulumi.StringOutput `pulumi:"serviceName"`
	// Port is the Service's port, and the pods'.
	Port pulumi.IntOutput `pulumi:"port"`

	service *corev1.Service
	tier    pods.Tier
}

func (args FrontendArgs) withDefaults() FrontendArgs {
	args.WorkloadArgs = args.WorkloadArgs.withDefaults(frontendDefaults)
	return args
}

// newFrontend creates the pods, once the backend's new ones serve.
func newFrontend(ctx *pulumi.Context, name string, args FrontendArgs, place pods.Place, requestSeconds int, backend pulumi.Resource, opts ...pulumi.ResourceOption) (*Frontend, error) {
	frontend := &Frontend{}
	return component.New(ctx, FrontendType, name, frontend, opts, func() error {
		w, err := newWorkload(ctx, frontend, pods.Set{
			Name: name, Label: frontendLabel, Place: place, RequestSeconds: requestSeconds,
			// A page of one version asks for scripts that the pods of the other don't have: all new pods start at once, so
			// that both serve for as short as possible.
			MaxSurge: "100%",
		}, args.WorkloadArgs)
		if err != nil {
			return err
		}
		service, pods, err := w.serve(ctx, frontend, FrontendServiceName, backend)
		if err != nil {
			return err
		}
		frontend.ServiceName = fixedName(service, FrontendServiceName)
		frontend.service, frontend.tier = service, w.Watched(pods)
		frontend.Port = service.Spec.Ports().Index(pulumi.Int(0)).Port()
		return nil
	})
}
