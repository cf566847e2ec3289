package account

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// The VPC that every account has: two private subnets for databases in two zones, and a public one. Beside it is another,
// where nothing of the program belongs.
const (
	vpcID                  = "vpc-0local0000000001"
	vpcCIDR                = "10.0.0.0/16"
	clusterSecurityGroupID = "sg-0local0000cluster"
	mainRouteTableID       = "rtb-0local000000main"
	publicRouteTableID     = "rtb-0local0000public"
	internetGatewayID      = "igw-0local0000000001"
	nodeID                 = "i-0local00000000001"

	otherVPCID           = "vpc-0local0000000002"
	otherSecurityGroupID = "sg-0local00000other"
	otherRouteTableID    = "rtb-0local00000other"
)

// subnet is one of the VPC's.
type subnet struct {
	id, vpc, zone, cidr, name string // zone is the letter that follows the region
	public                    bool
}

var subnets = []subnet{
	{id: "subnet-0local000000000a1", vpc: vpcID, zone: "a", cidr: "10.0.1.0/24", name: "public-a", public: true},
	{id: "subnet-0local000000000a2", vpc: vpcID, zone: "a", cidr: "10.0.2.0/24", name: "private-a"},
	{id: "subnet-0local000000000b3", vpc: vpcID, zone: "b", cidr: "10.0.3.0/24", name: "private-b"},
	{id: "subnet-0local000000000a8", vpc: otherVPCID, zone: "a", cidr: "10.8.1.0/24", name: "other-a"},
	{id: "subnet-0local000000000b9", vpc: otherVPCID, zone: "b", cidr: "10.8.2.0/24", name: "other-b"},
}

// vpcOf is the VPC of a security group; empty where there is no such group.
func (a *Account) vpcOf(securityGroup string) string {
	switch securityGroup {
	case clusterSecurityGroupID, defaultSecurityGroupID:
		return vpcID
	case otherSecurityGroupID:
		return otherVPCID
	}
	if group := a.store.get(kindSecurityGroup, securityGroup); group != nil {
		return text(group.Outputs, "vpcId")
	}
	return ""
}

func findSubnet(id string) *subnet {
	for i := range subnets {
		if subnets[i].id == id {
			return &subnets[i]
		}
	}
	return nil
}

// firstHost leaves room for what a VPC keeps for itself in every subnet.
const firstHost = 10

// allocate finds an address in a zone that no instance has.
func (a *Account) allocate(zone string) (string, error) {
	prefix, err := netip.ParsePrefix(a.cfg.Networks[zone])
	if err != nil {
		return "", fmt.Errorf("network of zone %q: %w", zone, err)
	}
	taken := map[string]bool{}
	for _, rec := range a.store.all(kindInstance) {
		taken[rec.Instance.IP] = true
	}
	address := prefix.Masked().Addr()
	for range firstHost {
		address = address.Next()
	}
	for ; prefix.Contains(address.Next()); address = address.Next() {
		if !taken[address.String()] {
			return address.String(), nil
		}
	}
	return "", refuse("InsufficientDBInstanceCapacity", "no address is free in zone %s", zone)
}

// addAddress gives the bridge an instance's address; loopback has all of 127.0.0.0/8 already.
func (a *Account) addAddress(ip string) error {
	if a.cfg.Bridge == "" {
		return nil
	}
	return runIP("address", "replace", ip+"/32", "dev", a.cfg.Bridge)
}

func (a *Account) dropAddress(ip string) {
	if a.cfg.Bridge == "" || ip == "" {
		return
	}
	if err := runIP("address", "del", ip+"/32", "dev", a.cfg.Bridge); err != nil {
		a.log.Warn("address stays on the bridge", "error", err)
	}
}

func runIP(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// writeHosts tells the DNS server the instances' names, and those that lead to load balancers. In place: the file may be one that is mounted, which a
// rename would leave behind.
func (a *Account) writeHosts() error {
	if a.cfg.HostsFile == "" {
		return nil
	}
	var out strings.Builder
	for _, rec := range a.store.all(kindInstance) {
		if rec.Instance.Status != statusCreating {
			fmt.Fprintf(&out, "%s %s\n", rec.Instance.IP, a.dnsName(rec))
		}
	}
	out.WriteString(a.hosts())
	if have, err := os.ReadFile(a.cfg.HostsFile); err == nil && string(have) == out.String() {
		return nil
	}
	return os.WriteFile(a.cfg.HostsFile, []byte(out.String()), 0o644)
}

func (a *Account) dnsName(rec *record) string {
	return fmt.Sprintf("%s.%s.%s.rds.amazonaws.com", rec.Instance.Identifier, a.suffix, rec.Region)
}

// sources are the networks from which an instance's security groups let its port be reached. Who refers to the
// cluster's security group means the nodes and pods.
func (a *Account) sources(rec *record) []string {
	var out []string
	for _, rule := range a.store.all(kindIngressRule) {
		in := rule.Inputs
		if !slices.Contains(list(rec.Inputs, "vpcSecurityGroupIds"), text(in, "securityGroupId")) {
			continue
		}
		protocol := text(in, "ipProtocol")
		port := rec.Instance.Port
		covers := protocol == "-1" || protocol == "tcp" && number(in, "fromPort") <= port && port <= number(in, "toPort")
		if !covers {
			continue
		}
		switch {
		case text(in, "cidrIpv4") != "":
			out = append(out, text(in, "cidrIpv4"))
		case text(in, "cidrIpv6") != "":
			out = append(out, text(in, "cidrIpv6"))
		case text(in, "referencedSecurityGroupId") == clusterSecurityGroupID:
			out = append(out, a.cfg.ClusterCIDRs...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
