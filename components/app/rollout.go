package app

import (
	"crypto/sha256"
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// rolloutAnnotation changes with the pods.
const rolloutAnnotation = "threetier/rollout"

// awaitRollout waits for a Deployment a second time. The provider takes the status that it sees first for that of the
// new pods, even where Kubernetes hasn't looked at the change yet: then it says that the rollout is complete, and one
// that fails would pass. By the time that this annotation is written, Kubernetes has.
func (t tier) awaitRollout(ctx *pulumi.Context, parent pulumi.Resource, deployment *appsv1.Deployment, spec appsv1.DeploymentSpecArgs) error {
	of := pulumi.JSONMarshal(spec.Template).ApplyT(func(template string) string {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(template)))[:16]
	}).(pulumi.StringOutput)
	_, err := appsv1.NewDeploymentPatch(ctx, t.name, &appsv1.DeploymentPatchArgs{
		Metadata: metav1.ObjectMetaPatchArgs{
			Name: deployment.Metadata.Name(), Namespace: t.namespace.ToStringOutput().ToStringPtrOutput(),
			Annotations: pulumi.StringMap{rolloutAnnotation: of},
		},
	}, pulumi.Parent(parent), t.patience())
	return err
}
