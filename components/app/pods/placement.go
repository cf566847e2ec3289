package pods

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/optional"
	"threetier/internal/problems"
)

// PlacementArgs say which nodes the pods may run on. The zero value is all that aren't tainted.
type PlacementArgs struct {
	// NodeSelector are labels that a node must have. Default: none.
	NodeSelector map[string]string
	// Tolerations let pods run on nodes with these taints. Default: none.
	Tolerations []TolerationArgs
}

// TolerationArgs let pods run on nodes with a taint.
type TolerationArgs struct {
	// Key is the taint's. Default: any, which wants TolerationExists.
	Key string
	// Operator is TolerationEqual or TolerationExists, which takes any value. Default: TolerationEqual.
	Operator string
	// Value is the taint's. Default: empty.
	Value string
	// Effect is the taint's: NoSchedule, PreferNoSchedule or NoExecute. Default: any.
	Effect string
}

// How a toleration compares.
const (
	TolerationEqual  = "Equal"
	TolerationExists = "Exists"
)

// Problems are what Kubernetes would refuse.
func (args PlacementArgs) Problems() problems.List {
	var ps problems.List
	for _, label := range slices.Sorted(maps.Keys(args.NodeSelector)) {
		ps = append(ps, NodeSelectorConstraint.Names.Check("nodeSelector", label)...)
		ps = append(ps, NodeSelectorConstraint.Values.Check("nodeSelector."+label, args.NodeSelector[label])...)
	}
	for i, toleration := range args.Tolerations {
		ps = append(ps, toleration.Problems().Under(fmt.Sprintf("tolerations[%d]", i))...)
	}
	return ps
}

// Problems are what Kubernetes would refuse.
func (args TolerationArgs) Problems() problems.List {
	ps := LabelNameConstraint.Problems("key", args.Key)
	ps = append(ps, TolerationOperatorConstraint.Problems("operator", args.Operator)...)
	ps = append(ps, LabelValueConstraint.Problems("value", args.Value)...)
	ps = append(ps, TolerationEffectConstraint.Problems("effect", args.Effect)...)
	switch {
	case args.Key == "" && args.Operator != TolerationExists:
		ps = append(ps, problems.Problem{Path: "key", Want: "the key of a taint, or operator " + TolerationExists + " for all taints"})
	case args.Value != "" && args.Operator == TolerationExists:
		ps = append(ps, problems.Problem{Path: "value", Value: strconv.Quote(args.Value), Want: "none with operator " + TolerationExists})
	}
	return ps.FirstOfEach()
}

func (args PlacementArgs) nodeSelector() pulumi.StringMapInput {
	if len(args.NodeSelector) == 0 {
		return nil
	}
	return pulumi.ToStringMap(args.NodeSelector)
}

func (args PlacementArgs) tolerations() corev1.TolerationArray {
	var tolerations corev1.TolerationArray
	for _, t := range args.Tolerations {
		tolerations = append(tolerations, corev1.TolerationArgs{
			Key: optional.String(t.Key), Operator: optional.String(t.Operator),
			Value: optional.String(t.Value), Effect: optional.String(t.Effect),
		})
	}
	return tolerations
}
