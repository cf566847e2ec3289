package pods

import (
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	autoscalingv2 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/autoscaling/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/keys"
)

// What keeps a typo from looking like a wish.
const (
	maxReplicas = 200
	// MaxTimeoutSeconds bounds a request: a pod that stops waits for the longest one.
	MaxTimeoutSeconds = 3600
)

// ReplicaArgs bound the number of pods; an autoscaler exists only where they differ.
type ReplicaArgs struct{ Min, Max int }

// Key has low and high for defaults; a bound that is given moves the other one.
func (args *ReplicaArgs) Key(low, high int) *keys.Key {
	if args.Max > 0 {
		low = min(low, args.Max)
	}
	return keys.Object("replicas", keys.Table{
		keys.Number("min", &args.Min).Between(1, maxReplicas).Default(low).Example("2").
			Doc("Minimum number of pods."),
		keys.Number("max", &args.Max).Between(1, maxReplicas).Words(fmt.Sprintf("min to %d", maxReplicas)).Default(max(high, args.Min)).Example("10").
			Needs(args.Max >= args.Min || args.Max == 0, fmt.Sprintf("min (%d) or more", args.Min)).
			Doc("Maximum number of pods."),
	}).Doc("Number of pods. If min and max differ, an autoscaler sets it.")
}

// Autoscaled tells whether the bounds differ; both are there.
func (args ReplicaArgs) Autoscaled() bool { return args.Min != args.Max }

// InRollout is the largest number of pods with defaultMaxSurge, which Kubernetes rounds up.
func (args ReplicaArgs) InRollout() int { return args.Max + (args.Max+3)/4 }

// autoscaler grows fast and shrinks slowly: a pod too many costs less than one too few.
func (t Set) autoscaler(ctx *pulumi.Context, parent pulumi.Resource, deployment *appsv1.Deployment) error {
	step := func(kind string, value, seconds int) autoscalingv2.HPAScalingPolicyArgs {
		return autoscalingv2.HPAScalingPolicyArgs{Type: pulumi.String(kind), Value: pulumi.Int(value), PeriodSeconds: pulumi.Int(seconds)}
	}
	_, err := autoscalingv2.NewHorizontalPodAutoscaler(ctx, t.Name, &autoscalingv2.HorizontalPodAutoscalerArgs{
		Metadata: t.Metadata(),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpecArgs{
			MinReplicas: pulumi.Int(t.Replicas.Min),
			MaxReplicas: pulumi.Int(t.Replicas.Max),
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReferenceArgs{
				ApiVersion: pulumi.String("apps/v1"),
				Kind:       pulumi.String("Deployment"),
				Name:       deployment.Metadata.Name().Elem(),
			},
			Metrics: autoscalingv2.MetricSpecArray{autoscalingv2.MetricSpecArgs{
				Type: pulumi.String("Resource"),
				Resource: autoscalingv2.ResourceMetricSourceArgs{
					Name:   pulumi.String("cpu"),
					Target: autoscalingv2.MetricTargetArgs{Type: pulumi.String("Utilization"), AverageUtilization: pulumi.Int(targetCPUPercent)},
				},
			}},
			Behavior: autoscalingv2.HorizontalPodAutoscalerBehaviorArgs{
				ScaleUp: autoscalingv2.HPAScalingRulesArgs{
					StabilizationWindowSeconds: pulumi.Int(0),
					SelectPolicy:               pulumi.String("Max"),
					Policies:                   autoscalingv2.HPAScalingPolicyArray{step("Percent", 100, 15), step("Pods", 2, 15)},
				},
				ScaleDown: autoscalingv2.HPAScalingRulesArgs{
					StabilizationWindowSeconds: pulumi.Int(120),
					SelectPolicy:               pulumi.String("Max"),
					Policies:                   autoscalingv2.HPAScalingPolicyArray{step("Percent", 25, 60), step("Pods", 1, 60)},
				},
			},
		},
	}, pulumi.Parent(parent))
	return err
}
