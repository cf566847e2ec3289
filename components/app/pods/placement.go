package pods

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/optional"
)

// PlacementArgs say which nodes the pods may run on. The zero value is every node without a taint.
type PlacementArgs struct {
	NodeSelector map[string]string
	Tolerations  []TolerationArgs
}

// TolerationArgs let pods run on nodes with a taint.
type TolerationArgs struct{ Key, Operator, Value, Effect string }

// How a toleration compares.
const (
	TolerationEqual  = "Equal"
	TolerationExists = "Exists"
)

// Key is the placement's.
func (args *PlacementArgs) Key() *keys.Key {
	return keys.Object("placement", keys.Table{
		keys.TextMap("nodeSelector", &args.NodeSelector).Is(constraint.Map{Names: labelName, Values: labelValue}).Example("{kubernetes.io/arch: arm64}").
			Doc("Labels that a node must have."),
		keys.Objects("tolerations", &args.Tolerations, (*TolerationArgs).keys).Example("[{key: dedicated, value: apps, effect: NoSchedule}]").
			Doc("Taints of nodes that the pods can run on."),
	}).Otherwise("any node without taints").Doc("The nodes that the pods of all tiers can run on.")
}

func (args *TolerationArgs) keys() keys.Table {
	return keys.Table{
		keys.Text("key", &args.Key).Is(labelName).
			RequiredIf(args.Operator != TolerationExists, "the key of a taint, or operator "+TolerationExists+" for all taints").
			Otherwise("any, with operator Exists; else required").Example("dedicated").
			Doc("Key of the taint."),
		keys.Text("operator", &args.Operator).OneOf(TolerationEqual, TolerationExists).Means(TolerationEqual).Example(TolerationExists).
			Doc(TolerationExists + " ignores the value of the taint."),
		keys.Text("value", &args.Value).Is(labelValue).Needs(args.Operator != TolerationExists, "none with operator "+TolerationExists).
			Otherwise("empty").Example("apps").
			Doc("Value of the taint."),
		keys.Text("effect", &args.Effect).OneOf("NoSchedule", "PreferNoSchedule", "NoExecute").Otherwise("any").Example("NoSchedule").
			Doc("Effect of the taint."),
	}
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
