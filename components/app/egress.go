package app

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/nginx"
	"threetier/components/app/pods"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

// Where a way out may lead.
const (
	ToInternet = "internet" // all public addresses
	ToBackend  = "backend"
)

// maxEgressPorts leaves room for DNS and the database: the VPC CNI takes 24 ports for one network, and counts those of
// the networks around it too.
const maxEgressPorts = 20

// EgressArgs open a way out of a tier's pods: to ToInternet, to a network in CIDR notation or, of a frontend, to ToBackend.
type EgressArgs struct {
	To         string
	Ports, UDP []int
}

// egressKey is the list of a tier's ways out; a frontend's may lead to the backend.
func egressKey(into *[]EgressArgs, toBackend bool, doc string) *keys.Key {
	return keys.Objects("egress", into, func(way *EgressArgs) keys.Table { return way.keys(toBackend) }).Otherwise("none").
		Example("[{to: internet, ports: [443, 587]}, {to: 10.20.0.0/16, ports: [6379]}]").
		Doc("Connections that the pods can open, besides the ones that they always need. " + doc)
}

const egressWant = "internet or a network, like 10.20.0.0/16"

func (way *EgressArgs) keys(toBackend bool) keys.Table {
	const octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
	words, want := ToInternet, egressWant
	if toBackend {
		words, want = ToInternet+"|"+ToBackend, "internet, backend or a network, like 10.20.0.0/16"
	}
	numbers := constraint.Numbers{
		Items: constraint.Number{Min: 1, Max: 65535}, Max: maxEgressPorts, Want: fmt.Sprintf("1 to %d ports", maxEgressPorts),
	}
	ports := keys.Numbers("ports", &way.Ports).Is(numbers)
	if toBackend {
		ports.Otherwise("the backend's, with to: backend; else required, unless there are udp").
			Refuse(way.To == ToBackend && way.Ports != nil, fmt.Sprint(way.Ports), "none: the port is the backend's own")
	} else {
		ports.Otherwise("required, unless there are udp")
	}
	ports.RequiredIf(way.To != ToBackend && way.UDP == nil)
	better := betterNetwork(way.To)
	return keys.Table{
		keys.Text("to", &way.To).Match(`^(`+words+`|(`+octet+`\.){3}`+octet+`/([0-9]|[12][0-9]|3[0-2])`+
			`|[0-9a-f:]*::?[0-9a-f:]*/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$`, want).Needs(better == "", better).Required().Example("internet").
			Doc("internet is every public address. A network never opens the metadata services in it (169.254.0.0/16, fd00:ec2::/32)."),
		ports.Example("[443]").Doc("TCP ports."),
		keys.Numbers("udp", &way.UDP).Is(numbers).Refuse(way.To == ToBackend && way.UDP != nil, fmt.Sprint(way.UDP), "none: the backend's port is TCP").
			Otherwise("none").Example("[8125]").Doc("UDP ports."),
	}
}

var (
	// internet are the public networks of IPv4 and IPv6.
	internet = append(without(netip.MustParsePrefix("0.0.0.0/0"), append([]string{
		"169.254.0.0/16", // link-local, with the metadata services
		"127.0.0.0/8",
	}, private...)...), netip.MustParsePrefix("2000::/3"))

	// private are the networks that no address of the internet is in.
	private = []string{
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"100.64.0.0/10", // behind a provider's NAT; some clusters give it to pods
		"fc00::/7",
	}

	// neverOpen have the metadata services of the node and of the pods: who reaches them may get the node's own rights.
	neverOpen = []string{"169.254.0.0/16", "fe80::/10", "fd00:ec2::/32"}
)

// without splits a network around others. A policy's own "except" would do more than that: the VPC CNI refuses what is
// excepted in one rule even where another rule opens it, and so would close DNS and the database.
func without(whole netip.Prefix, holes ...string) []netip.Prefix {
	for _, text := range holes {
		hole := netip.MustParsePrefix(text)
		if !whole.Overlaps(hole) {
			continue
		}
		if whole.Bits() >= hole.Bits() {
			return nil
		}
		low := netip.PrefixFrom(whole.Addr(), whole.Bits()+1)
		high := netip.PrefixFrom(upperHalf(whole), whole.Bits()+1)
		return append(without(low, holes...), without(high, holes...)...)
	}
	return []netip.Prefix{whole}
}

func upperHalf(whole netip.Prefix) netip.Addr {
	bytes := whole.Addr().AsSlice()
	bytes[whole.Bits()/8] |= 0x80 >> (whole.Bits() % 8)
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}

// egressProblems are what the ways out of a tier can't be together.
func egressProblems(ways []EgressArgs) problems.List {
	var all []int
	for _, way := range ways {
		all = append(all, way.Ports...)
		for _, port := range way.UDP {
			all = append(all, -port) // another one than TCP's
		}
	}
	slices.Sort(all)
	if n := len(slices.Compact(all)); n > maxEgressPorts {
		return problems.List{{Path: "egress", Value: fmt.Sprintf("%d different ports", n), Want: fmt.Sprintf("at most %d", maxEgressPorts)}}
	}
	return nil
}

// betterNetwork is what is wanted instead of a network, where a pattern can't say it; empty where nothing is wrong.
func betterNetwork(cidr string) string {
	if cidr == "" || cidr == ToInternet || cidr == ToBackend {
		return ""
	}
	network, err := netip.ParsePrefix(cidr)
	switch {
	case err != nil || network.Addr().Is4In6():
		return egressWant
	case network != network.Masked():
		return fmt.Sprintf("the network's first address: %s", network.Masked())
	case len(without(network, neverOpen...)) == 0:
		return "a network outside of " + strings.Join(neverOpen, ", ") + ", which the metadata services are in"
	}
	return ""
}

// egressPolicies are those of the tiers that may call out. A frontend may look up names then, as a backend always may.
func egressPolicies(args AppArgs, vpc []string) []networkPolicy {
	backendPorts := args.Backend.policyPorts()
	var policies []networkPolicy
	for _, tier := range append([]openTier{
		{backendLabel, backendSelector(args.processLabels(false)), args.Backend.Egress},
		{"migration", pods.Selector(migrationLabel), args.Backend.Egress},
		{frontendLabel, pods.Selector(frontendLabel), args.frontendEgress()},
	}, args.processes()...) {
		if len(tier.ways) == 0 {
			continue
		}
		var rules networkingv1.NetworkPolicyEgressRuleArray
		if tier.name == frontendLabel {
			rules = append(rules, toDNS(vpc))
		}
		for _, way := range tier.ways {
			rules = append(rules, way.rule(backendPorts))
		}
		policies = append(policies, networkPolicy{suffix: tier.name + "-egress", selector: tier.selector, egress: rules})
	}
	return policies
}

func (way EgressArgs) rule(backendPorts []pulumi.IntInput) networkingv1.NetworkPolicyEgressRuleArgs {
	var networks []netip.Prefix
	switch way.To {
	case ToBackend:
		return egress(tierPeer(backendLabel), backendPorts...)
	case ToInternet:
		networks = internet
	default:
		networks = without(netip.MustParsePrefix(way.To), neverOpen...)
	}
	var to networkingv1.NetworkPolicyPeerArray
	for _, network := range networks {
		to = append(to, blocks(network.String())...)
	}
	var tcp, udp []pulumi.IntInput
	for _, port := range way.Ports {
		tcp = append(tcp, pulumi.Int(port))
	}
	for _, port := range way.UDP {
		udp = append(udp, pulumi.Int(port))
	}
	return networkingv1.NetworkPolicyEgressRuleArgs{To: to, Ports: append(policyPorts("TCP", tcp...), policyPorts("UDP", udp...)...)}
}

// backendClients are the tiers that call the backend.
func backendClients(args AppArgs) networkingv1.NetworkPolicyPeerArray {
	clients := tierPeer(nginx.Label)
	if slices.ContainsFunc(args.frontendEgress(), func(way EgressArgs) bool { return way.To == ToBackend }) {
		clients = append(clients, tierPeer(frontendLabel)...)
	}
	return clients
}
