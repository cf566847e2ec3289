package network

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

// minZones is how many availability zones a database needs: RDS refuses a subnet group with fewer.
const minZones = 2

// Network is where a database lives, and who may reach it. Keys says what each field means.
type Network struct {
	VPCID                             string
	SubnetIDs, ClientSecurityGroupIDs []string

	// PrivateIn is the VPC that the subnets were chosen from for being private; empty where somebody named them.
	PrivateIn string
}

// Or takes what the network leaves open from another one.
func (n Network) Or(other Network) Network {
	n.VPCID = cmp.Or(n.VPCID, other.VPCID)
	if n.SubnetIDs == nil {
		n.SubnetIDs, n.PrivateIn = other.SubnetIDs, other.PrivateIn
	}
	if n.ClientSecurityGroupIDs == nil {
		n.ClientSecurityGroupIDs = other.ClientSecurityGroupIDs
	}
	return n
}

// Keys are the network's, below threetier:database.
func (n *Network) Keys() keys.Table {
	return keys.Table{
		keys.Text("vpcId", &n.VPCID).Match("^vpc-[0-9a-z]+$", "the id of a VPC, as vpc-0123abcd").Words("the id of a VPC").
			Otherwise("the EKS cluster's").Example("vpc-0123abcd").Doc("VPC of the database."),
		keys.Texts("subnetIds", &n.SubnetIDs).AtLeast(minZones, "private subnets in at least two availability zones").Once("each id once"). // a subnet is in one zone
																			Each(constraint.Text{Pattern: "^subnet-[0-9a-z]+$", Want: "the id of a subnet, as subnet-0123abcd"}).
																			Otherwise("the EKS cluster's private ones").Example("[subnet-0123abcd, subnet-4567cdef]").Doc("Private subnets of the database."),
		keys.Texts("clientSecurityGroupIds", &n.ClientSecurityGroupIDs).AtLeast(1, "at least one security group: that of the cluster's nodes").Once("each id once").
			Each(constraint.Text{Pattern: "^sg-[0-9a-z]+$", Want: "the id of a security group, as sg-0123abcd"}).
			Otherwise("the EKS cluster's own").Example("[sg-0123abcd]").Doc("Security groups whose members can connect to the database."),
	}
}

// Problems are the mistakes in a network of which nothing can be left out.
func (n Network) Problems() problems.List { return n.Keys().Required().Problems() }

// Check looks up whether subnets that somebody named are private, in the VPC, and in zones enough, and whether the
// VPC's rules may name the clients' security groups.
func (n Network) Check(ctx *pulumi.Context, opts ...pulumi.InvokeOption) error {
	for _, id := range n.ClientSecurityGroupIDs {
		if err := n.checkClient(ctx, id, opts...); err != nil {
			return err
		}
	}
	if n.PrivateIn == n.VPCID {
		return nil
	}
	found, err := PrivateSubnets(ctx, n.VPCID, n.SubnetIDs, opts...)
	if err != nil {
		return err
	}
	for _, id := range n.SubnetIDs {
		if !slices.Contains(found, id) {
			return fmt.Errorf("subnet %s has a route to an internet gateway, want private subnets only", id)
		}
	}
	return nil
}

// checkClient lets a group of another VPC pass where the two are peered: only then may a rule name it.
func (n Network) checkClient(ctx *pulumi.Context, id string, opts ...pulumi.InvokeOption) error {
	group, err := ec2.LookupSecurityGroup(ctx, &ec2.LookupSecurityGroupArgs{Id: &id}, opts...)
	if err != nil {
		return fmt.Errorf("look up security group %s: %w", id, err)
	}
	if group.VpcId == n.VPCID {
		return nil
	}
	active := "active"
	for _, pair := range [][2]string{{n.VPCID, group.VpcId}, {group.VpcId, n.VPCID}} {
		_, err = ec2.LookupVpcPeeringConnection(ctx, &ec2.LookupVpcPeeringConnectionArgs{
			VpcId: &pair[0], PeerVpcId: &pair[1], Status: &active,
		}, opts...)
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("security group %s is of VPC %s, want one of VPC %s, or of one that is peered with it: %w",
		id, group.VpcId, n.VPCID, err)
}

// PrivateSubnets are those of the candidates that no internet gateway reaches.
// Fewer than two zones is an error that lists what was found, since somebody has to add a subnet then.
func PrivateSubnets(ctx *pulumi.Context, vpc string, candidates []string, opts ...pulumi.InvokeOption) ([]string, error) {
	public, err := PublicSubnets(ctx, vpc, opts...)
	if err != nil {
		return nil, err
	}
	var private, seen []string
	zones := map[string]bool{}
	for _, id := range slices.Sorted(slices.Values(candidates)) {
		subnet, err := ec2.LookupSubnet(ctx, &ec2.LookupSubnetArgs{Id: &id}, opts...)
		if err != nil {
			return nil, fmt.Errorf("look up subnet %s: %w", id, err)
		}
		if subnet.VpcId != vpc {
			return nil, fmt.Errorf("subnet %s is of VPC %s, want subnets of VPC %s", id, subnet.VpcId, vpc)
		}
		if public(id) {
			seen = append(seen, fmt.Sprintf("%s (%s, public)", id, subnet.AvailabilityZone))
			continue
		}
		seen = append(seen, fmt.Sprintf("%s (%s, private)", id, subnet.AvailabilityZone))
		private = append(private, id)
		zones[subnet.AvailabilityZone] = true
	}
	if len(zones) < minZones {
		return nil, fmt.Errorf("a database wants private subnets in at least %d availability zones, VPC %s has: %s",
			minZones, vpc, strings.Join(seen, ", "))
	}
	return private, nil
}

// PublicSubnets tells which subnets of a VPC have a route to an internet gateway.
// A subnet without a route table of its own uses the VPC's main one.
func PublicSubnets(ctx *pulumi.Context, vpc string, opts ...pulumi.InvokeOption) (func(subnet string) bool, error) {
	tables, err := ec2.GetRouteTables(ctx, &ec2.GetRouteTablesArgs{VpcId: &vpc}, opts...)
	if err != nil {
		return nil, fmt.Errorf("look up the route tables of %s: %w", vpc, err)
	}
	public := map[string]bool{}
	mainIsPublic := false
	for _, id := range tables.Ids {
		table, err := ec2.LookupRouteTable(ctx, &ec2.LookupRouteTableArgs{RouteTableId: &id}, opts...)
		if err != nil {
			return nil, fmt.Errorf("look up route table %s: %w", id, err)
		}
		reachable := slices.ContainsFunc(table.Routes, func(route ec2.GetRouteTableRoute) bool {
			return strings.HasPrefix(route.GatewayId, "igw-")
		})
		for _, association := range table.Associations {
			if association.Main {
				mainIsPublic = reachable
			} else {
				public[association.SubnetId] = reachable
			}
		}
	}
	return func(subnet string) bool {
		if reachable, own := public[subnet]; own {
			return reachable
		}
		return mainIsPublic
	}, nil
}

// Ranges are a VPC's networks that aren't private by themselves: those of IPv6 and of public addresses. Of several networks
// of IPv6, the provider tells the first.
func Ranges(ctx *pulumi.Context, vpc string, opts ...pulumi.InvokeOption) ([]string, error) {
	found, err := ec2.LookupVpc(ctx, &ec2.LookupVpcArgs{Id: &vpc}, opts...)
	if err != nil {
		return nil, fmt.Errorf("look up VPC %s: %w", vpc, err)
	}
	networks := []string{}
	for _, associated := range found.CidrBlockAssociations {
		network, err := netip.ParsePrefix(associated.CidrBlock)
		if err != nil {
			return nil, fmt.Errorf("read the networks of VPC %s: %w", vpc, err)
		}
		if !network.Addr().IsPrivate() {
			networks = append(networks, associated.CidrBlock)
		}
	}
	if found.Ipv6CidrBlock != "" {
		networks = append(networks, found.Ipv6CidrBlock)
	}
	slices.Sort(networks)
	return networks, nil
}
