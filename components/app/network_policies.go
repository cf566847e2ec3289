package app

import (
	"fmt"
	"maps"
	"slices"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/logins"
	"threetier/components/app/nginx"
	"threetier/components/app/pods"
)

// networkPolicy has rules for one direction, since some policy engines let a rule for one direction of a policy count for
// the other too. Or it has none: then it closes both.
type networkPolicy struct {
	suffix   string
	selector metav1.LabelSelectorArgs
	ingress  networkingv1.NetworkPolicyIngressRuleArray
	egress   networkingv1.NetworkPolicyEgressRuleArray
}

// The ways that are open to the app's pods; all others are closed, in both directions, to every pod of the app's own namespace:
//
//	anyone → nginx → backend, frontend (where there is one); nginx → nginx of the previews that are let in
//	of a preview: nginx of the stack that lets it in → nginx
//	backend, migration, workers, jobs, roles, psql → the database's port in private networks and its VPC
//	nginx, backend, migration, workers, jobs, roles, psql → DNS in private networks and the cluster's VPC
//	who has egress → what it says, and DNS
//	the namespaces of ingress → who has it
//	who has permissions → the agent that hands out credentials
//
// The kubelet's probes need no rule: a node reaches its own pods in every policy engine.
func newNetworkPolicies(ctx *pulumi.Context, app *App, name string, args AppArgs, to Wiring) ([]pulumi.Resource, error) {
	connection, dns := to.Database, toDNS(to.EKS.Networks)
	backendPorts := args.Backend.policyPorts()
	toDatabase := networkingv1.NetworkPolicyEgressRuleArray{dns}
	if !connection.None() {
		toDatabase = networkingv1.NetworkPolicyEgressRuleArray{egress(blocks(slices.Concat(private, connection.Networks)...), connection.Port), dns}
	}
	toUpstreams := networkingv1.NetworkPolicyEgressRuleArray{egress(tierPeer(backendLabel), backendPorts...)}
	var frontend []networkPolicy
	if args.Frontend != nil {
		ports := args.Frontend.policyPorts()
		toUpstreams = append(toUpstreams, egress(tierPeer(frontendLabel), ports...))
		frontend = []networkPolicy{
			{"frontend-in", pods.Selector(frontendLabel), networkingv1.NetworkPolicyIngressRuleArray{ingress(tierPeer(nginx.Label), ports...)}, nil},
		}
	}
	var clients networkingv1.NetworkPolicyPeerArray // anyone
	if to.PreviewOf != "" {
		clients = nginxIn(namespaceLabel, to.PreviewOf)
	}
	if args.Nginx.Domain.Previews != "" {
		toUpstreams = append(toUpstreams, egress(nginxIn(PreviewOfLabel, args.Namespace), pulumi.Int(nginx.PlainPort)))
	}
	policies := append([]networkPolicy{
		{"nginx-in", pods.Selector(nginx.Label), networkingv1.NetworkPolicyIngressRuleArray{ingress(clients, args.Nginx.PodPorts()...)}, nil},
		{"nginx-out", pods.Selector(nginx.Label), nil, append(toUpstreams, dns)},
		{"backend-in", pods.Selector(backendLabel), networkingv1.NetworkPolicyIngressRuleArray{ingress(backendClients(args), backendPorts...)}, nil},
		{"backend-out", backendSelector(args.processLabels(true)), nil, toDatabase},
		{"migration-out", pods.Selector(migrationLabel), nil, toDatabase},
		{"deny", args.ownPods(), nil, nil},
	}, frontend...)
	if connection.Roles != nil {
		policies = append(policies, networkPolicy{"roles-out", pods.Selector(logins.Label), nil, toDatabase}, networkPolicy{"psql-out", pods.Selector(logins.PsqlName), nil, toDatabase})
	}
	var created []pulumi.Resource
	for _, p := range slices.Concat(policies, egressPolicies(args, to.EKS.Networks), ingressPolicies(args), identityPolicies(args)) {
		types := pulumi.StringArray{}
		if p.egress == nil {
			types = append(types, pulumi.String("Ingress"))
		}
		if p.ingress == nil {
			types = append(types, pulumi.String("Egress"))
		}
		policy, err := networkingv1.NewNetworkPolicy(ctx, name+"-"+p.suffix, &networkingv1.NetworkPolicyArgs{
			Metadata: pods.Metadata(app.Namespace, p.suffix),
			Spec: networkingv1.NetworkPolicySpecArgs{
				PodSelector: p.selector,
				PolicyTypes: types,
				Ingress:     p.ingress,
				Egress:      p.egress,
			},
		}, pulumi.Parent(app),
			// Pods that still run have the old ways: a changed policy is a new object, and the old one goes at the end, once
			// the new pods serve. What either opens is open meanwhile.
			pulumi.ReplaceOnChanges([]string{"spec"}))
		if err != nil {
			return nil, fmt.Errorf("create network policy %s: %w", p.suffix, err)
		}
		created = append(created, policy)
	}
	return created, nil
}

// backendSelector finds the backend's pods and those of some workers and jobs.
func backendSelector(labels []string) metav1.LabelSelectorArgs {
	if len(labels) == 0 {
		return pods.Selector(backendLabel)
	}
	return pods.AnyOf(append([]string{backendLabel}, labels...))
}

func tierPeer(label string) networkingv1.NetworkPolicyPeerArray {
	return networkingv1.NetworkPolicyPeerArray{networkingv1.NetworkPolicyPeerArgs{PodSelector: pods.Selector(label)}}
}

// ingress and egress without peers mean anyone, anywhere.
func ingress(from networkingv1.NetworkPolicyPeerArray, ports ...pulumi.IntInput) networkingv1.NetworkPolicyIngressRuleArgs {
	return networkingv1.NetworkPolicyIngressRuleArgs{From: from, Ports: policyPorts("TCP", ports...)}
}

func egress(to networkingv1.NetworkPolicyPeerArray, ports ...pulumi.IntInput) networkingv1.NetworkPolicyEgressRuleArgs {
	return networkingv1.NetworkPolicyEgressRuleArgs{To: to, Ports: policyPorts("TCP", ports...)}
}

// toDNS is open to where a cluster may serve DNS from: its Service, its pods, its nodes, or an address that only the node
// has, as 169.254.20.10. The metadata services are link-local too, and serve on another port.
func toDNS(vpc []string) networkingv1.NetworkPolicyEgressRuleArgs {
	return networkingv1.NetworkPolicyEgressRuleArgs{
		To:    blocks(slices.Concat(private, []string{"169.254.0.0/16"}, vpc)...),
		Ports: append(policyPorts("UDP", pulumi.Int(53)), policyPorts("TCP", pulumi.Int(53))...),
	}
}

// blocks are networks as peers.
func blocks(networks ...string) networkingv1.NetworkPolicyPeerArray {
	var peers networkingv1.NetworkPolicyPeerArray
	for _, network := range networks {
		peers = append(peers, networkingv1.NetworkPolicyPeerArgs{IpBlock: networkingv1.IPBlockArgs{Cidr: pulumi.String(network)}})
	}
	return peers
}

func policyPorts(protocol string, ports ...pulumi.IntInput) networkingv1.NetworkPolicyPortArray {
	var array networkingv1.NetworkPolicyPortArray
	for _, port := range ports {
		array = append(array, networkingv1.NetworkPolicyPortArgs{Protocol: pulumi.String(protocol), Port: port})
	}
	return array
}

// openTier is a tier by its ways out.
type openTier struct {
	name     string
	selector metav1.LabelSelectorArgs
	ways     []EgressArgs
}

func (args AppArgs) frontendEgress() []EgressArgs {
	if args.Frontend == nil {
		return nil
	}
	return args.Frontend.Egress
}

// processes are the network's view of all jobs and workers, in the order of their labels. Without ways out of its own, one
// has the backend's.
func (args AppArgs) processes() []openTier {
	var all []openTier
	for _, name := range slices.Sorted(maps.Keys(args.Jobs)) {
		all = append(all, openTier{jobLabel(name), pods.Selector(jobLabel(name)), args.Jobs[name].Egress})
	}
	for _, name := range slices.Sorted(maps.Keys(args.Workers)) {
		all = append(all, openTier{workerLabel(name), pods.Selector(workerLabel(name)), args.Workers[name].Egress})
	}
	return all
}

// processLabels are those of all workers and jobs, or of those alone that have the backend's ways out.
func (args AppArgs) processLabels(all bool) []string {
	var labels []string
	for _, process := range args.processes() {
		if all || process.ways == nil {
			labels = append(labels, process.name)
		}
	}
	return labels
}
