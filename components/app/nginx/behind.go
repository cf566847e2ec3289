package nginx

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
)

// ServiceName is the Service by which another stack's nginx reaches the nginx of a preview.
const ServiceName = "nginx"

// newService has the pods' own port, as some network policy engines compare the two.
func newService(ctx *pulumi.Context, parent pulumi.Resource, t pods.Set) (*corev1.Service, error) {
	metadata := t.Metadata()
	metadata.Name = pulumi.String(ServiceName)
	metadata.Annotations = pulumi.StringMap{"pulumi.com/skipAwait": pulumi.String("true")}
	return corev1.NewService(ctx, t.Name, &corev1.ServiceArgs{
		Metadata: metadata,
		Spec: corev1.ServiceSpecArgs{
			Type:     pulumi.String("ClusterIP"),
			Selector: pulumi.StringMap{pods.TierLabel: pulumi.String(t.Label)},
			Ports: corev1.ServicePortArray{corev1.ServicePortArgs{
				Name: pulumi.String(pods.PortName), Port: pulumi.Int(PlainPort), TargetPort: pulumi.String(pods.PortName),
			}},
		},
	}, pulumi.Parent(parent))
}

// trustedProxies are all where a network policy lets in the other nginx alone, which writes the headers itself.
func (args Args) trustedProxies() []string {
	if args.Behind {
		return []string{"0.0.0.0/0", "::/0"}
	}
	return args.TrustedProxies
}
