package tests

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/gate/project"
	"threetier/gate/recorder"
)

// opens tells whether a rule of a policy that was made leads to a port of an address.
func opens(t *testing.T, policy recorder.Resource, address string, port int) bool {
	t.Helper()
	require.Equal(t, []any{"Egress"}, policy.Input(t, "spec.policyTypes"), policy.Name)
	for _, each := range policy.Input(t, "spec.egress").([]any) {
		rule := each.(map[string]any)
		toPort := slices.ContainsFunc(rule["ports"].([]any), func(p any) bool {
			return p.(map[string]any)["protocol"] == "TCP" && p.(map[string]any)["port"] == float64(port)
		})
		to, _ := rule["to"].([]any)
		toAddress := to == nil || slices.ContainsFunc(to, func(peer any) bool {
			block, isBlock := peer.(map[string]any)["ipBlock"].(map[string]any)
			if !isBlock {
				return false
			}
			require.NotContains(t, block, "except", "the VPC CNI refuses what is excepted even where another rule opens it")
			return netip.MustParsePrefix(block["cidr"].(string)).Contains(netip.MustParseAddr(address))
		})
		if toPort && toAddress {
			return true
		}
	}
	return false
}

// private are addresses of every kind that isn't public, metadata are those of the services that hand out credentials.
var (
	private  = []string{"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "fd12::1", "fe80::1", "::1"}
	metadata = []string{"169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.0", "169.254.255.255", "fd00:ec2::254", "fd00:ec2::23", "fe80::a9fe:a9fe"}
	public   = []string{"0.0.0.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "203.0.113.7", "2600:9000::1"}
)

func TestInternetIsEveryPublicAddressAndNoOther(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Backend.Egress = []app.EgressArgs{{To: "internet", Ports: []int{443, 587}}}
	})
	for _, name := range []string{"shop-backend-egress", "shop-migration-egress"} {
		policy := r.Named(t, policyType, name)
		for _, address := range public {
			assert.True(t, opens(t, policy, address, 443), "%s: %s", name, address)
			assert.True(t, opens(t, policy, address, 587), "%s: %s", name, address)
			assert.False(t, opens(t, policy, address, 80), "%s: %s", name, address)
		}
		for _, address := range slices.Concat(private, metadata) {
			assert.False(t, opens(t, policy, address, 443), "%s: %s", name, address)
		}
	}
	require.Len(t, r.All(policyType), 7+2, "the frontend has none")
}

func TestNoNetworkOpensTheMetadataServices(t *testing.T) {
	for network, neighbours := range map[string][]string{
		"0.0.0.0/0":      {"0.0.0.0", "10.0.0.1", "169.253.255.255", "169.255.0.0", "255.255.255.255"},
		"128.0.0.0/1":    {"128.0.0.0", "169.253.255.255", "169.255.0.0"},
		"168.0.0.0/6":    {"168.0.0.0", "171.255.255.255"},
		"169.0.0.0/8":    {"169.0.0.0", "169.255.255.255"},
		"169.254.0.0/15": {"169.255.0.0", "169.255.255.255"},
		"::/0":           {"::2", "2600::1", "fd00:ec1:ffff::1", "fd00:ec3::", "fec0::1"},
		"fc00::/7":       {"fd00::1", "fd00:ec1:ffff::1", "fd00:ec3::"},
		"fd00:ec2::/31":  {"fd00:ec3::"},
	} {
		r := runApp(t, func(a *appStack) { a.Frontend.Egress = []app.EgressArgs{{To: network, Ports: []int{80}}} })
		policy := r.Named(t, policyType, "shop-frontend-egress")
		for _, address := range metadata {
			assert.False(t, opens(t, policy, address, 80), "%s: %s", network, address)
		}
		for _, address := range neighbours {
			assert.True(t, opens(t, policy, address, 80), "%s: %s", network, address)
		}
	}
}

func TestFrontendThatMayCallOutMayLookUpNames(t *testing.T) {
	r := runApp(t, func(a *appStack) {
		a.Frontend.Egress = []app.EgressArgs{{To: "10.20.0.0/16", Ports: []int{6379}}, {To: "203.0.113.7/32", Ports: []int{443}}}
	})
	policy := r.Named(t, policyType, "shop-frontend-egress")
	require.Equal(t, "frontend", policy.Input(t, `spec.podSelector.matchLabels["app.kubernetes.io/name"]`))
	for address, ports := range map[string][]int{"10.20.255.1": {6379}, "10.21.0.0": {}, "203.0.113.7": {443}, "203.0.113.8": {}} {
		for _, port := range []int{443, 6379} {
			assert.Equal(t, slices.Contains(ports, port), opens(t, policy, address, port), "%s %d", address, port)
		}
		assert.Equal(t, strings.HasPrefix(address, "10."), opens(t, policy, address, 53), address)
	}
}

func TestFrontendMayCallTheBackend(t *testing.T) {
	r := runApp(t, func(a *appStack) { a.Frontend.Egress = []app.EgressArgs{{To: "backend"}} })
	clients := func() (labels []any) {
		for _, peer := range r.Named(t, policyType, "shop-backend-in").Input(t, "spec.ingress[0].from").([]any) {
			labels = append(labels, peer.(map[string]any)["podSelector"].(map[string]any)["matchLabels"].(map[string]any)["app.kubernetes.io/name"])
		}
		return labels
	}
	require.Equal(t, []any{"nginx", "frontend"}, clients())
	out := r.Named(t, policyType, "shop-frontend-egress")
	require.Equal(t, map[string]any{
		"to":    []any{map[string]any{"podSelector": map[string]any{"matchLabels": map[string]any{"app.kubernetes.io/name": "backend"}}}},
		"ports": []any{map[string]any{"protocol": "TCP", "port": 8000.0}},
	}, out.Input(t, "spec.egress[1]"))
	r = runApp(t, func(a *appStack) { a.Frontend.Egress = []app.EgressArgs{{To: "internet", Ports: []int{443}}} })
	require.Equal(t, []any{"nginx"}, clients())
}

func TestWrongWaysOutAreALineEach(t *testing.T) {
	way := func(to string, ports ...int) map[string]any {
		out := map[string]any{"to": to}
		if ports != nil {
			out["ports"] = ports
		}
		return out
	}
	config := project.StackConfig(t, "dev").
		Set(t, "threetier:backend.egress", []any{
			way("internet"), way("backend"), way("10.20.0.1/16", 1), way("169.254.169.254/32", 80), way("fd00:ec2::254/128", 80),
			way("::ffff:0a00:0000/104", 80), way("internet", 0, 443, 65536), map[string]any{"ports": []int{1}},
		}).
		Set(t, "threetier:frontend.egress", []any{way("backend", 8000), way("internet"), map[string]any{"to": "internet", "port": 443, "ports": []int{443}}})
	const network = "internet or a network, like 10.20.0.0/16"
	const outside = "want a network outside of 169.254.0.0/16, fe80::/10, fd00:ec2::/32, which the metadata services are in"
	assert.ElementsMatch(t, []string{
		"threetier:backend.egress[0].ports is missing, want 1 to 20 ports",
		`threetier:backend.egress[1].to is "backend", want ` + network,
		`threetier:backend.egress[2].to is "10.20.0.1/16", want the network's first address: 10.20.0.0/16`,
		`threetier:backend.egress[3].to is "169.254.169.254/32", ` + outside,
		`threetier:backend.egress[4].to is "fd00:ec2::254/128", ` + outside,
		`threetier:backend.egress[5].to is "::ffff:0a00:0000/104", want ` + network,
		"threetier:backend.egress[6].ports[0] is 0, want 1 to 65535",
		"threetier:backend.egress[6].ports[2] is 65536, want 1 to 65535",
		"threetier:backend.egress[7].to is missing, want " + network,
		"threetier:frontend.egress[0].ports is [8000], want none: the port is the backend's own",
		"threetier:frontend.egress[1].ports is missing, want 1 to 20 ports",
		"threetier:frontend.egress[2].port is 443, want one of the keys to, ports, udp: did you mean ports?",
	}, refusals(t, config))
}

func TestMorePortsThanThePoliciesHaveRoomForAreRefused(t *testing.T) {
	ports := func(from, to int) (list []int) {
		for port := from; port <= to; port++ {
			list = append(list, port)
		}
		return list
	}
	config := func(second []int) *project.Config {
		return project.StackConfig(t, "dev").Set(t, "threetier:backend.egress", []any{
			map[string]any{"to": "10.0.0.0/8", "ports": ports(1001, 1015)}, map[string]any{"to": "internet", "ports": second},
		})
	}
	assert.Equal(t, []string{"threetier:backend.egress is 21 different ports, want at most 20"}, refusals(t, config(ports(1010, 1021))))
	assert.Empty(t, refusedByProgram(config(ports(1010, 1020))))
}
