package app

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
	"threetier/internal/component"
	"threetier/internal/keys"
)

// FrontendType is Frontend's type token.
const FrontendType = "threetier:index:Frontend"

// FrontendServiceName is the Service that nginx reaches the frontend by.
const FrontendServiceName = "frontend-service"

const frontendLabel = "frontend"

var frontendDefaults = workloadDefaults{port: 8080, healthPath: "/", minReplicas: 2, maxReplicas: 6, cpu: "50m", memory: "64Mi"}

// FrontendArgs describe what serves the pages.
type FrontendArgs struct{ WorkloadArgs }

func (args *FrontendArgs) keys() keys.Table {
	return append(args.WorkloadArgs.keys(frontendDefaults),
		egressKey(&args.Egress, true, "A frontend that renders pages on the server calls "+BackendServiceName+" with to: backend."))
}

// Frontend serves the pages: pods behind FrontendServiceName.
type Frontend struct {
	pulumi.ResourceState

	// ServiceName is the Service's name.
	ServiceName pulumi.StringOutput `pulumi:"serviceName"`
	// Port is the Service's port, and the pods'.
	Port pulumi.IntOutput `pulumi:"port"`

	service     *corev1.Service
	tier        pods.Tier
	stopSeconds int
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
		frontend.service, frontend.tier, frontend.stopSeconds = service, w.Tier(pods), w.RequestSeconds
		frontend.Port = service.Spec.Ports().Index(pulumi.Int(0)).Port()
		return nil
	})
}
