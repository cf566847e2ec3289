package network

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/problems"
)

// Network is where a database lives, and who may reach it.
type Network struct {
	// VPCID is the VPC. Required.
	VPCID string
	// SubnetIDs are private subnets in at least two availability zones. Required.
	SubnetIDs []string
	// ClientSecurityGroupIDs are the security groups whose members may connect. Required, at least one.
	ClientSecurityGroupIDs []string

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

// Problems are all that is wrong with the network.
func (n Network) Problems() problems.List {
	ps := VPCIDConstraint.Required("vpcId", n.VPCID)
	ps = append(ps, SubnetIDsConstraint.Required("subnetIds", n.SubnetIDs)...)
	return append(ps, ClientSecurityGroupIDsConstraint.Required("clientSecurityGroupIds", n.ClientSecurityGroupIDs)...)
}

// GivenProblems are what is wrong with those parts of the network that are given.
func (n Network) GivenProblems() problems.List {
	ps := VPCIDConstraint.Problems("vpcId", n.VPCID)
	ps = append(ps, SubnetIDsConstraint.Problems("subnetIds", n.SubnetIDs)...)
	return append(ps, ClientSecurityGroupIDsConstraint.Problems("clientSecurityGroupIds", n.ClientSecurityGroupIDs)...)
}

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
	if len(zones) < MinZones {
		return nil, fmt.Errorf("a database wants private subnets in at least %d availability zones, VPC %s has: %s",
			MinZones, vpc, strings.Join(seen, ", "))
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
