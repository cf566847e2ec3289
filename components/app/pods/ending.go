package pods

import (
	"fmt"
	"maps"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// NeverSchedule stands in the CronJob of a job that is run by hand, which is suspended.
const NeverSchedule = "@yearly"

// OneAfterTheOther is the podReplacementPolicy of a Job: its next try waits until a pod that is evicted has ended.
const OneAfterTheOther = "Failed"

// RunToEnd is the template of a pod that ends by itself; annotations may be nil.
func (t Set) RunToEnd(annotations pulumi.StringMap) corev1.PodTemplateSpecArgs {
	// Karpenter and EKS Auto Mode, and the Cluster Autoscaler, would move it to pack their nodes, half-way through.
	all := pulumi.StringMap{
		"karpenter.sh/do-not-disrupt":                    pulumi.String("true"),
		"cluster-autoscaler.kubernetes.io/safe-to-evict": pulumi.String("false"),
	}
	maps.Copy(all, annotations)
	all = t.annotations(all)
	return corev1.PodTemplateSpecArgs{
		Metadata: metav1.ObjectMetaArgs{Labels: t.Metadata().Labels, Annotations: all},
		Spec:     t.EndingPod(),
	}
}

// Job runs the pods to success before whoever depends on it. It is auto-named, so that a change makes a new one before the
// old one goes, and has no time to live, so that it isn't run again for being gone.
func (t Set) Job(ctx *pulumi.Context, parent pulumi.Resource, name string, retries, seconds int, annotations pulumi.StringMap, after ...pulumi.Resource) (pulumi.Resource, error) {
	metadata := t.Metadata()
	// A Job that failed is run again by the next update, even when nothing changed.
	metadata.Annotations = pulumi.StringMap{"pulumi.com/replaceUnready": pulumi.String("true")}
	return batchv1.NewJob(ctx, name, &batchv1.JobArgs{
		Metadata: metadata,
		Spec: batchv1.JobSpecArgs{
			BackoffLimit:          pulumi.Int(retries),
			PodReplacementPolicy:  pulumi.String(OneAfterTheOther),
			ActiveDeadlineSeconds: pulumi.Int(seconds),
			Template:              t.RunToEnd(annotations),
		},
	}, pulumi.Parent(parent), pulumi.DependsOn(after), pulumi.Timeouts(&pulumi.CustomTimeouts{
		// The Job has failed when its pod is gone: up waits for it, as its message says more than up's own.
		Create: fmt.Sprintf("%ds", seconds+2*StopMarginSeconds),
	}))
}

// EndingPod stays where it fails, and with it its log.
func (t Set) EndingPod() corev1.PodSpecArgs {
	pod := t.podSpec()
	pod.RestartPolicy = pulumi.String("Never")
	pod.TopologySpreadConstraints = nil
	return pod
}
