package node

import (
	"fmt"
	"os/exec"
	"strings"
)

// The node's network is that of an EKS node: one address in the VPC, pods and
// load balancers beside it, and the service range that EKS takes for such a VPC.
const (
	// Bridge carries the node's address, those of the load balancers and of the RDS instances.
	Bridge = "node0"
	// Address is the node's own.
	Address = "10.0.0.10"

	vpcPrefix     = "/16"
	podRange      = "10.0.64.0/18"
	podSubnet     = "10.0.64.0/24"
	serviceRange  = "172.20.0.0/16"
	apiServerIP   = "172.20.0.1"
	dnsAddress    = "169.254.20.10"
	loadBalancers = "10.0.1."
)

// setUpNetwork makes the interfaces of an empty network namespace. Nothing
// outside can be reached; the default route is there because the kubelet wants one.
func setUpNetwork() error {
	commands := []string{
		"ip link set lo up",
		"ip addr add " + dnsAddress + "/32 dev lo",
		"ip addr add " + podIdentityAddress + "/32 dev lo",
		"ip link add " + Bridge + " type bridge",
		"ip addr add " + Address + vpcPrefix + " dev " + Bridge,
		"ip link set " + Bridge + " up",
		"ip route add default via 10.0.0.1 dev " + Bridge,
		"sysctl -qw net.ipv4.ip_forward=1",
		"sysctl -qw net.bridge.bridge-nf-call-iptables=1",
		// A freed address of an instance or a load balancer may be another's soon.
		"sysctl -qw net.ipv4.conf.all.arp_announce=2",
	}
	for _, c := range commands {
		if err := run(strings.Fields(c)...); err != nil {
			return fmt.Errorf("set up the network: %w", err)
		}
	}
	return nil
}

func run(args ...string) error {
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
