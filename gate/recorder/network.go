package recorder

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Network is the VPC of the EKS cluster that lookups find.
type Network struct {
	// VPC is its id.
	VPC string
	// Subnets are the cluster's, Others more of the same VPC.
	Subnets, Others []Subnet
	// Elsewhere are the VPCs of subnets and security groups that are not in this one.
	Elsewhere map[string]string
	// Ranges are the VPC's networks of IPv4, IPv6Range is that of IPv6. Default: only 10.0.0.0/16, which it always has.
	Ranges    []string
	IPv6Range string
	// Peered are the VPCs that this one is peered with.
	Peered []string
	// Version and Status are the cluster's: 1.35 and ACTIVE where empty.
	Version, Status string
	// New is a cluster that has no certificate authority yet.
	New bool
	// AutoMode is EKS Auto Mode's.
	AutoMode bool
	// Addons are the configurations of the add-ons that EKS manages. TwoZones has vpc-cni, which enforces network policies.
	Addons map[string]string
	// AddonsDenied refuses to look add-ons up.
	AddonsDenied bool
	// Untagged takes the load balancers' tags off the subnets.
	Untagged bool
	// SubnetTag is the value of those tags, NodeTag that of the cluster's tag on its nodes.
	SubnetTag, NodeTag string
	// NodeGroups are the security groups of each node: with none, the cluster has no nodes yet.
	NodeGroups []string
	// MainIsPublic gives the VPC's main route table a route to its internet gateway.
	MainIsPublic bool

	// lookedUp is the name of the cluster, which is the stack config's.
	lookedUp string
}

// Subnet is one of the VPC's.
type Subnet struct {
	// ID and Zone are the subnet's.
	ID, Zone string
	// Public gives it a route table with an internet gateway, Main the VPC's main table, instead of a private one.
	Public, Main bool
}

// TwoZones is a VPC as it should be: in each of two zones a private and a public subnet.
func TwoZones() *Network {
	addons := map[string]string{"vpc-cni": `{"enableNetworkPolicy": "true"}`}
	return &Network{VPC: "vpc-0123", NodeGroups: []string{ClusterSecurityGroup}, Addons: addons, SubnetTag: "1", NodeTag: "owned", Subnets: []Subnet{
		{ID: "subnet-publica", Zone: "eu-west-1a", Public: true},
		{ID: "subnet-publicb", Zone: "eu-west-1b", Public: true},
		{ID: "subnet-privatea", Zone: "eu-west-1a"},
		{ID: "subnet-privateb", Zone: "eu-west-1b"},
	}}
}

// The ids of the route tables, and of the security group that EKS gives the cluster.
const (
	mainTable    = "rtb-main"
	publicTable  = "rtb-public"
	privateTable = "rtb-private"
	// ClusterSecurityGroup is what EKS puts nodes and pods into.
	ClusterSecurityGroup = "sg-cluster"
)

// All are the VPC's subnets, the cluster's first.
func (n *Network) All() []Subnet { return slices.Concat(n.Subnets, n.Others) }

func (n *Network) answer(token string, args resource.PropertyMap) (resource.PropertyMap, error) {
	switch token {
	case "aws:eks/getCluster:getCluster":
		n.lookedUp = args["name"].StringValue()
		return properties(n.cluster(n.lookedUp)), nil
	case "aws:eks/getAddon:getAddon":
		if n.AddonsDenied {
			return nil, errors.New("AccessDeniedException: not authorized to perform: eks:DescribeAddon")
		}
		name := args["addonName"].StringValue()
		configuration, there := n.Addons[name]
		if !there {
			return nil, fmt.Errorf("reading EKS Add-On (%s:%s): couldn't find resource", args["clusterName"].StringValue(), name)
		}
		return properties(fields{"addonName": name, "configurationValues": configuration}), nil
	case "aws:ec2/getSubnet:getSubnet":
		id := args["id"].StringValue()
		for _, subnet := range n.All() {
			if subnet.ID == id {
				return properties(fields{"id": id, "availabilityZone": subnet.Zone, "vpcId": n.vpcOf(id)}), nil
			}
		}
		return nil, fmt.Errorf("there is no subnet %s", id)
	case "aws:ec2/getSubnets:getSubnets":
		return properties(fields{"ids": n.subnetsWith(args["filters"])}), nil
	case "aws:ec2/getInstances:getInstances":
		return properties(fields{"ids": n.nodesWith(args["filters"])}), nil
	case "aws:ec2/getSecurityGroup:getSecurityGroup":
		id := args["id"].StringValue()
		return properties(fields{"id": id, "vpcId": n.vpcOf(id)}), nil
	case "aws:ec2/getVpcPeeringConnection:getVpcPeeringConnection":
		if args["vpcId"].StringValue() == n.VPC && slices.Contains(n.Peered, args["peerVpcId"].StringValue()) {
			return properties(fields{"id": "pcx-0123", "status": "active"}), nil
		}
		return nil, errors.New("no matching EC2 VPC Peering Connection found")
	case "aws:ec2/getVpc:getVpc":
		var associations []any
		for _, network := range append([]string{"10.0.0.0/16"}, n.Ranges...) {
			associations = append(associations, fields{"associationId": "vpc-cidr-assoc-0", "cidrBlock": network, "state": "associated"})
		}
		return properties(fields{"id": args["id"].StringValue(), "cidrBlock": "10.0.0.0/16", "cidrBlockAssociations": associations, "ipv6CidrBlock": n.IPv6Range}), nil
	case "aws:ec2/getRouteTables:getRouteTables":
		if vpc := args["vpcId"].StringValue(); vpc != n.VPC {
			return nil, fmt.Errorf("there is no VPC %s", vpc)
		}
		return properties(fields{"ids": []any{mainTable, publicTable, privateTable}}), nil
	case "aws:index/getCallerIdentity:getCallerIdentity":
		return properties(fields{"accountId": account, "arn": arn("sts", "assumed-role/administrator/person")}), nil
	case "aws:ec2/getRouteTable:getRouteTable":
		return properties(n.routeTable(args["routeTableId"].StringValue())), nil
	}
	return nil, fmt.Errorf("the program is not known to look %s up", token)
}

// matches tells whether all filters of a lookup find what has these values: none finds what isn't there.
func matches(filters resource.PropertyValue, have map[string]string) bool {
	for _, each := range filters.ArrayValue() {
		filter := each.ObjectValue()
		value, has := have[filter["name"].StringValue()]
		if !has || !slices.ContainsFunc(filter["values"].ArrayValue(), func(wanted resource.PropertyValue) bool { return wanted.StringValue() == value }) {
			return false
		}
	}
	return true
}

func (n *Network) subnetsWith(filters resource.PropertyValue) []any {
	ids := []any{}
	for _, subnet := range n.All() {
		have := map[string]string{"vpc-id": n.vpcOf(subnet.ID)}
		switch public := subnet.Public || subnet.Main && n.MainIsPublic; {
		case n.Untagged:
		case public:
			have["tag:kubernetes.io/role/elb"] = n.SubnetTag
		default:
			have["tag:kubernetes.io/role/internal-elb"] = n.SubnetTag
		}
		if matches(filters, have) {
			ids = append(ids, subnet.ID)
		}
	}
	return ids
}

func (n *Network) nodesWith(filters resource.PropertyValue) []any {
	ids := []any{}
	for i, group := range n.NodeGroups {
		if matches(filters, map[string]string{"instance.group-id": group, "tag:kubernetes.io/cluster/" + n.lookedUp: n.NodeTag}) {
			ids = append(ids, fmt.Sprintf("i-%d", i))
		}
	}
	return ids
}

func (n *Network) vpcOf(id string) string { return cmp.Or(n.Elsewhere[id], n.VPC) }

func (n *Network) cluster(name string) fields {
	var ids []any
	for _, subnet := range n.Subnets {
		ids = append(ids, subnet.ID)
	}
	authorities := []any{fields{"data": "Y2VydGlmaWNhdGU="}}
	if n.New {
		authorities = nil
	}
	return fields{
		"name": name, "arn": arn("eks", "cluster/"+name), "endpoint": "https://" + name + ".eks.amazonaws.com", "status": cmp.Or(n.Status, "ACTIVE"),
		"version": cmp.Or(n.Version, "1.35"), "computeConfigs": []any{fields{"enabled": n.AutoMode}},
		"kubernetesNetworkConfigs": []any{fields{"ipFamily": "ipv4", "elasticLoadBalancings": []any{fields{"enabled": n.AutoMode}}}},
		"certificateAuthorities":   authorities,
		"vpcConfig":                fields{"vpcId": n.VPC, "subnetIds": ids, "clusterSecurityGroupId": ClusterSecurityGroup},
	}
}

func (n *Network) routeTable(id string) fields {
	internet := []any{
		fields{"cidrBlock": "10.0.0.0/16", "gatewayId": "local"},
		fields{"cidrBlock": "0.0.0.0/0", "gatewayId": "igw-0123"},
	}
	private := []any{fields{"cidrBlock": "0.0.0.0/0", "natGatewayId": "nat-0123"}}
	routes := map[string][]any{mainTable: private, publicTable: internet, privateTable: private}[id]
	if id == mainTable && n.MainIsPublic {
		routes = internet
	}
	associations := []any{}
	if id == mainTable {
		associations = append(associations, fields{"main": true, "subnetId": "", "routeTableId": id})
	}
	for _, subnet := range n.All() {
		if (subnet.Public && id == publicTable) || (!subnet.Public && !subnet.Main && id == privateTable) {
			associations = append(associations, fields{"main": false, "subnetId": subnet.ID, "routeTableId": id})
		}
	}
	return fields{"routeTableId": id, "vpcId": n.VPC, "routes": routes, "associations": associations}
}
