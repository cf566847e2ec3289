package account

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
func vpcOf(a *shared, securityGroup string) string {
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
