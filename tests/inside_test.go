package tests

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
)

// A pod that somebody took over could send what it reads anywhere, if these ports led to the internet.
func TestDNSAndTheDatabaseAreInside(t *testing.T) {
	network := recorder.TwoZones()
	network.Ranges, network.IPv6Range = []string{"198.51.100.0/24"}, "2600:1f18::/56"
	config := project.StackConfig(t, "dev").Set(t, "threetier:frontend.egress", []any{map[string]any{"to": "203.0.113.7/32", "ports": []int{443}}})
	r := recorder.MustRun(t, stack.Deploy, recorder.Options{Config: config, Network: network})
	own := []string{"198.51.100.7", "2600:1f18::1"}
	// A Service's address on EKS by IPv4 and IPv6, and those of a DNS server that only the node has.
	servers := []string{"172.20.0.10", "10.100.0.10", "fd30:1c53:5f8a::a", "169.254.20.10", "169.254.169.253", "fd00:ec2::253"}
	policies, lookUp := 0, 0
	for _, policy := range r.All(policyType) {
		if !slices.Equal(policy.Input(t, "spec.policyTypes").([]any), []any{"Egress"}) {
			continue
		}
		policies++
		for _, address := range public {
			assert.False(t, opens(t, policy, address, 53), "%s: DNS at %s", policy.Name, address)
			assert.False(t, opens(t, policy, address, 5433), "%s: PostgreSQL at %s", policy.Name, address)
		}
		for _, address := range metadata {
			assert.False(t, opens(t, policy, address, 80), "%s: %s", policy.Name, address)
		}
		if strings.HasSuffix(policy.Name, "-out") || policy.Name == "app-frontend-egress" {
			lookUp++
			for _, address := range slices.Concat(own, servers) {
				assert.True(t, opens(t, policy, address, 53), "%s: DNS at %s", policy.Name, address)
			}
		}
		if strings.HasSuffix(policy.Name, "-out") && policy.Name != "app-nginx-out" {
			for _, address := range append(own, "10.0.7.7", "172.31.0.1", "192.168.1.1", "100.64.0.9") {
				assert.True(t, opens(t, policy, address, 5433), "%s: PostgreSQL at %s", policy.Name, address)
			}
		}
	}
	require.Equal(t, []int{6, 6}, []int{policies, lookUp}, "nginx, backend, migration, roles, psql, frontend")
}
