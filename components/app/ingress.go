package app

import (
	"maps"
	"slices"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/nginx"
	"threetier/components/app/pods"
)

// ingressPolicies are those of the tiers that others reach.
func ingressPolicies(args AppArgs) (policies []networkPolicy) {
	open := func(label string, ways []pods.IngressArgs) {
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
	open(nginx.Label, args.Nginx.Ingress)
	open(backendLabel, args.Backend.Ingress)
	if args.Frontend != nil {
		open(frontendLabel, args.Frontend.Ingress)
	}
	for _, name := range slices.Sorted(maps.Keys(args.Workers)) {
		open(workerLabel(name), args.Workers[name].Ingress)
	}
	return policies
}
