package app

import (
	"maps"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// neverSchedule stands in the CronJob of a job that is run by hand, which is suspended.
const neverSchedule = "@yearly"

// runToEnd is the template of a pod that ends by itself; annotations may be nil.
func (t tier) runToEnd(annotations pulumi.StringMap) corev1.PodTemplateSpecArgs {
	// Karpenter and EKS Auto Mode would move it to pack their nodes, half-way through.
	all := pulumi.StringMap{"karpenter.sh/do-not-disrupt": pulumi.String("true")}
	maps.Copy(all, annotations)
	return corev1.PodTemplateSpecArgs{
		Metadata: metav1.ObjectMetaArgs{Labels: t.metadata().Labels, Annotations: all},
		Spec:     t.endingPod(),
	}
}

// endingPod stays where it fails, and with it its log.
func (t tier) endingPod() corev1.PodSpecArgs {
	pod := t.podSpec()
	pod.RestartPolicy = pulumi.String("Never")
	pod.TopologySpreadConstraints = nil
	return pod
}
