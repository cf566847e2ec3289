package pods

import (
	"fmt"
	"strconv"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	autoscalingv2 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/autoscaling/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// What keeps a typo from looking like a wish.
const (
	// MaxReplicas bounds replicas.max.
	MaxReplicas = 200
	// MaxTimeoutSeconds bounds a request: a pod that stops waits for the longest one.
	MaxTimeoutSeconds = 3600
)

// ReplicaArgs bound the number of pods; an autoscaler exists only where they differ.
type ReplicaArgs struct {
	// Min is the least number of pods, 1 or more. Default: the component's, lowered to Max.
	Min *int
	// Max is the largest number of pods, up to MaxReplicas. Default: the component's, raised to Min.
	Max *int
}

// Problems are what the bounds can't be.
func (args ReplicaArgs) Problems() problems.List {
	ps := MinReplicasConstraint.Problems("min", args.Min)
	ps = append(ps, MaxReplicasConstraint.Problems("max", args.Max)...)
	if len(ps) == 0 && args.Min != nil && args.Max != nil && *args.Max < *args.Min {
		ps = append(ps, problems.Problem{Path: "max", Value: strconv.Itoa(*args.Max), Want: fmt.Sprintf("min (%d) or more", *args.Min)})
	}
	return ps
}

// WithDefaults lets a bound that is given move the other one.
func (args ReplicaArgs) WithDefaults(low, high int) ReplicaArgs {
	switch {
	case args.Min != nil && args.Max != nil:
		low, high = *args.Min, *args.Max
	case args.Min != nil:
		low, high = *args.Min, max(high, *args.Min)
	case args.Max != nil:
		low, high = min(low, *args.Max), *args.Max
	}
	return ReplicaArgs{Min: &low, Max: &high}
}

// Autoscaled tells whether the bounds differ; both are known.
func (args ReplicaArgs) Autoscaled() bool { return *args.Min != *args.Max }

// InRollout is the largest number of pods with defaultMaxSurge, which Kubernetes rounds up.
func (args ReplicaArgs) InRollout() int { return *args.Max + (*args.Max+3)/4 }

// autoscaler grows fast and shrinks slowly: a pod too many costs less than one too few.
func (t Set) autoscaler(ctx *pulumi.Context, parent pulumi.Resource, deployment *appsv1.Deployment) error {
	step := func(kind string, value, seconds int) autoscalingv2.HPAScalingPolicyArgs {
		return autoscalingv2.HPAScalingPolicyArgs{Type: pulumi.String(kind), Value: pulumi.Int(value), PeriodSeconds: pulumi.Int(seconds)}
	}
	_, err := autoscalingv2.NewHorizontalPodAutoscaler(ctx, t.Name, &autoscalingv2.HorizontalPodAutoscalerArgs{
		Metadata: t.Metadata(),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpecArgs{
			MinReplicas: pulumi.Int(*t.Replicas.Min),
			MaxReplicas: pulumi.Int(*t.Replicas.Max),
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
