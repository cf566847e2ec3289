package app

import (
	"fmt"
	"maps"
	"slices"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
	"threetier/internal/constraint"
	"threetier/internal/keys"
)

// IngressArgs open a way in to a tier's pods from the pods of another namespace: a collector of metrics, say.
type IngressArgs struct {
	From  struct{ Namespace string }
	Ports []int
}

func ingressKey(into *[]IngressArgs) *keys.Key {
	return keys.Objects("ingress", into, (*IngressArgs).keys).Otherwise("none: nobody but NGINX reaches them").
		Example("[{from: {namespace: monitoring}, ports: [9100]}]").
		Doc("Connections that others can open to the pods, such as a collector of metrics.")
}

func (way *IngressArgs) keys() keys.Table {
	return keys.Table{
		keys.Object("from", keys.Table{
			keys.Text("namespace", &way.From.Namespace).Match("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "the name of a namespace").Required().Example("monitoring").
				Doc("Namespace of the cluster. All its pods can open the connections."),
		}).Required().Doc("Who can open them."),
		keys.Numbers("ports", &way.Ports).Is(constraint.Numbers{
			Items: constraint.Number{Min: 1, Max: 65535}, Max: maxEgressPorts, Want: fmt.Sprintf("1 to %d ports", maxEgressPorts),
		}).Required().Example("[9100]").Doc("TCP ports of the pods."),
	}
}

// ingressPolicies are those of the tiers that others reach.
func ingressPolicies(args AppArgs) (policies []networkPolicy) {
	open := func(label string, ways []IngressArgs) {
		var rules networkingv1.NetworkPolicyIngressRuleArray
		for _, way := range ways {
			var ports []pulumi.IntInput
			for _, port := range way.Ports {
				ports = append(ports, pulumi.Int(port))
			}
			rules = append(rules, ingress(networkingv1.NetworkPolicyPeerArray{networkingv1.NetworkPolicyPeerArgs{
				NamespaceSelector: metav1.LabelSelectorArgs{MatchLabels: pulumi.StringMap{namespaceLabel: pulumi.String(way.From.Namespace)}},
			}}, ports...))
		}
		if rules != nil {
			policies = append(policies, networkPolicy{suffix: label + "-ingress", selector: pods.Selector(label), ingress: rules})
		}
	}
	open(backendLabel, args.Backend.Ingress)
	if args.Frontend != nil {
		open(frontendLabel, args.Frontend.Ingress)
	}
	for _, name := range slices.Sorted(maps.Keys(args.Workers)) {
		open(workerLabel(name), args.Workers[name].Ingress)
	}
	return policies
}
