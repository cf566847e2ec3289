package pods

import (
	"maps"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// NeverSchedule stands in the CronJob of a job that is run by hand, which is suspended.
const NeverSchedule = "@yearly"

// RunToEnd is the template of a pod that ends by itself; annotations may be nil.
func (t Set) RunToEnd(annotations pulumi.StringMap) corev1.PodTemplateSpecArgs {
	// Karpenter and EKS Auto Mode would move it to pack their nodes, half-way through.
	all := pulumi.StringMap{"karpenter.sh/do-not-disrupt": pulumi.String("true")}
	maps.Copy(all, annotations)
	return corev1.PodTemplateSpecArgs{
		Metadata: metav1.ObjectMetaArgs{Labels: t.Metadata().Labels, Annotations: all},
		Spec:     t.EndingPod(),
	}
}

// EndingPod stays where it fails, and with it its log.
func (t Set) EndingPod() corev1.PodSpecArgs {
	pod := t.podSpec()
	pod.RestartPolicy = pulumi.String("Never")
	pod.TopologySpreadConstraints = nil
	return pod
}
