package pods

import (
	"maps"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/constraint"
	"threetier/internal/keys"
)

// TierLabel is what Services, network policies and budgets select pods by.
const TierLabel = "app.kubernetes.io/name"

const (
	// ManagedByLabel says who made an object: ManagedBy.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ManagedBy is whose the program's objects are.
	ManagedBy = "pulumi"
)

// Selector finds the pods of one tier.
func Selector(label string) metav1.LabelSelectorArgs {
	return metav1.LabelSelectorArgs{MatchLabels: pulumi.StringMap{TierLabel: pulumi.String(label)}}
}

// AnyOf finds the pods of several tiers.
func AnyOf(labels []string) metav1.LabelSelectorArgs {
	return metav1.LabelSelectorArgs{MatchExpressions: metav1.LabelSelectorRequirementArray{metav1.LabelSelectorRequirementArgs{
		Key: pulumi.String(TierLabel), Operator: pulumi.String("In"), Values: Strings(labels),
	}}}
}

// Metadata is that of every object in the namespace; label is the value of TierLabel.
func Metadata(namespace pulumi.StringInput, label string) metav1.ObjectMetaArgs {
	return metav1.ObjectMetaArgs{
		Namespace: namespace,
		Labels: pulumi.StringMap{
			TierLabel:      pulumi.String(label),
			ManagedByLabel: pulumi.String(ManagedBy),
		},
	}
}

// AnnotationsKey is for what looks at pods by their annotations.
func AnnotationsKey(into *map[string]string) *keys.Key {
	return keys.TextMap("podAnnotations", into).Is(constraint.Map{Names: annotationName}).Example(`{prometheus.io/scrape: "true", prometheus.io/port: "9100"}`).
		Doc("Annotations of the pods, for collectors of metrics and logs. They override the program's annotations.")
}

// annotations are the program's own, with those of the config.
func (t Set) annotations(own pulumi.StringMap) pulumi.StringMap {
	maps.Copy(own, pulumi.ToStringMap(t.PodAnnotations))
	return own
}

// Metadata is that of the set's own objects.
func (t Set) Metadata() metav1.ObjectMetaArgs { return Metadata(t.Namespace, t.Label) }
