package recorded

import (
	"threetier/local/internal/account/state"
)

// The VPC that every account has: two private subnets for databases in two zones, and a public one. Beside it is another,
// where nothing of the program belongs.
const (
	VPCID                  = "vpc-0local0000000001"
	VPCCIDR                = "10.0.0.0/16"
	ClusterSecurityGroupID = "sg-0local0000cluster"
	MainRouteTableID       = "rtb-0local000000main"
	PublicRouteTableID     = "rtb-0local0000public"
	InternetGatewayID      = "igw-0local0000000001"
	NodeID                 = "i-0local00000000001"

	OtherVPCID           = "vpc-0local0000000002"
	OtherVPCCIDR         = "10.8.0.0/16"
	OtherSecurityGroupID = "sg-0local00000other"
	OtherRouteTableID    = "rtb-0local00000other"
)

// Subnet is one of the VPC's.
type Subnet struct {
	ID, VPC, Zone, CIDR, Name string // Zone is the letter that follows the region
	Public                    bool
}

var Subnets = []Subnet{
	{ID: "subnet-0local000000000a1", VPC: VPCID, Zone: "a", CIDR: "10.0.1.0/24", Name: "public-a", Public: true},
	{ID: "subnet-0local000000000a2", VPC: VPCID, Zone: "a", CIDR: "10.0.2.0/24", Name: "private-a"},
	{ID: "subnet-0local000000000b3", VPC: VPCID, Zone: "b", CIDR: "10.0.3.0/24", Name: "private-b"},
	{ID: "subnet-0local000000000a8", VPC: OtherVPCID, Zone: "a", CIDR: "10.8.1.0/24", Name: "other-a"},
	{ID: "subnet-0local000000000b9", VPC: OtherVPCID, Zone: "b", CIDR: "10.8.2.0/24", Name: "other-b"},
}

// VPCOf is the VPC of a security group; empty where there is no such group.
func VPCOf(a *state.Shared, securityGroup string) string {
	switch securityGroup {
	case ClusterSecurityGroupID, DefaultSecurityGroupID:
		return VPCID
	case OtherSecurityGroupID:
		return OtherVPCID
	}
	if group := a.Store.Get(KindSecurityGroup, securityGroup); group != nil {
		return state.Text(group.Outputs, "vpcId")
	}
	return ""
}

func FindSubnet(id string) *Subnet {
	for i := range Subnets {
		if Subnets[i].ID == id {
			return &Subnets[i]
		}
	}
	return nil
}
