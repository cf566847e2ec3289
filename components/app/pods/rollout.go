package pods

import (
	"crypto/sha256"
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/keys"
)

// DefaultRolloutSeconds is enough for a new node to join and an app to start on it, a few times over.
const DefaultRolloutSeconds = 300

// Rollout is a Deployment, and what is there once its new pods serve.
type Rollout struct {
	deployment *appsv1.Deployment
	Complete   pulumi.Resource
}

// Tier is a set of equal pods, for those who watch them.
type Tier struct {
	// Name is that of the pods' container, and of the label that selects them.
	Name string
	// Deployment is the Deployment's name.
	Deployment pulumi.StringOutput
	// MaxReplicas is the autoscaler's limit; 0 where the number of pods is fixed.
	MaxReplicas int
}

// Tier is the set as the alarms see it.
func (t Set) Tier(pods Rollout) Tier {
	watched := Tier{Name: t.Label, Deployment: pods.deployment.Metadata.Name().Elem()}
	if t.Replicas.Autoscaled() {
		watched.MaxReplicas = t.Replicas.Max
	}
	return watched
}

// rolloutAnnotation changes with the pods.
const rolloutAnnotation = "threetier/rollout"

// awaitRollout waits for a Deployment a second time. The provider takes the status that it sees first for that of the
// new pods, even where Kubernetes hasn't looked at the change yet: then it says that the rollout is complete, and one
// that fails would pass. A patch is a second resource over the same Deployment, for which the provider waits alike: it
// writes one annotation after the Deployment's own change, and by then Kubernetes has looked.
func (t Set) awaitRollout(ctx *pulumi.Context, parent pulumi.Resource, deployment *appsv1.Deployment, spec appsv1.DeploymentSpecArgs) (*appsv1.DeploymentPatch, error) {
	of := pulumi.JSONMarshal(spec.Template).ApplyT(func(template string) string {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(template)))[:16]
	}).(pulumi.StringOutput)
	return appsv1.NewDeploymentPatch(ctx, t.Name, &appsv1.DeploymentPatchArgs{
		Metadata: metav1.ObjectMetaPatchArgs{
			Name: deployment.Metadata.Name(), Namespace: t.Namespace.ToStringOutput().ToStringPtrOutput(),
			Annotations: pulumi.StringMap{rolloutAnnotation: of},
		},
	}, pulumi.Parent(parent), t.patience(),
		// It goes with its Deployment. To take it back from one that is gone, with its namespace perhaps, is an error.
		pulumi.RetainOnDelete(true))
}

// RolloutKey is how long the pods that start together may take. The minimum leaves Kubernetes some to notice a failed
// rollout before Pulumi stops waiting.
func RolloutKey(into *int, byDefault int) *keys.Key {
	return keys.Number("rolloutSeconds", into).Between(20, MaxTimeoutSeconds).Default(byDefault).Example("120").
		Doc("Time that a new pod has to become ready, in seconds. A rollout starts a quarter of the pods at a time, so it may take four times as long.")
}

// patience is for all pods of a rollout: with defaultMaxSurge, up to four start one after the other, and more in four groups.
func (t Set) patience() pulumi.ResourceOption {
	groups := min(t.Replicas.Max, 4)
	if t.MaxSurge != "" {
		groups = 1
	}
	// The first pods start together.
	return pulumi.Timeouts(&pulumi.CustomTimeouts{Create: fmt.Sprintf("%ds", t.RolloutSeconds), Update: fmt.Sprintf("%ds", groups*t.RolloutSeconds)})
}
