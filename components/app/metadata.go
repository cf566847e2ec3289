package app

import (
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// tierLabel is what Services, network policies and budgets select pods by.
const tierLabel = "app.kubernetes.io/name"

const (
	managedByLabel = "app.kubernetes.io/managed-by"
	managedBy      = "pulumi"
)

func tierSelector(label string) metav1.LabelSelectorArgs {
	return metav1.LabelSelectorArgs{MatchLabels: pulumi.StringMap{tierLabel: pulumi.String(label)}}
}

func anyOf(labels []string) metav1.LabelSelectorArgs {
	return metav1.LabelSelectorArgs{MatchExpressions: metav1.LabelSelectorRequirementArray{metav1.LabelSelectorRequirementArgs{
		Key: pulumi.String(tierLabel), Operator: pulumi.String("In"), Values: stringArray(labels),
	}}}
}

// metadata is that of every object in the namespace; label is the value of tierLabel.
func metadata(namespace pulumi.StringInput, label string) metav1.ObjectMetaArgs {
	return metav1.ObjectMetaArgs{
		Namespace: namespace,
		Labels: pulumi.StringMap{
			tierLabel:      pulumi.String(label),
			managedByLabel: pulumi.String(managedBy),
		},
	}
}

func (t tier) metadata() metav1.ObjectMetaArgs { return metadata(t.Namespace, t.label) }
