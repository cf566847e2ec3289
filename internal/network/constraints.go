package network

import "threetier/internal/constraint"

// MinZones is how many availability zones a database needs: RDS refuses a subnet group with fewer.
const MinZones = 2

// Constraints of the network.
var (
	VPCIDConstraint = constraint.Text{
		Pattern: "^vpc-[0-9a-z]+$",
		Want:    "the id of a VPC, as vpc-0123abcd",
		Words:   "the id of a VPC",
		Valid:   []string{"vpc-0123abcd"},
		Invalid: []string{"my-vpc", "vpc-", "vpc-0123ABCD"},
	}
	SubnetIDsConstraint = constraint.List{
		Min:  MinZones, // a subnet is in one zone
		Want: "private subnets in at least two availability zones",
		Once: "each id once",
		Items: constraint.Text{
			Pattern: "^subnet-[0-9a-z]+$",
			Want:    "the id of a subnet, as subnet-0123abcd",
			Valid:   []string{"subnet-0123abcd", "subnet-4567cdef"},
			Invalid: []string{"private", "subnet-"},
		},
	}
	ClientSecurityGroupIDsConstraint = constraint.List{
		Min:  1,
		Want: "at least one security group: that of the cluster's nodes",
		Once: "each id once",
		Items: constraint.Text{
			Pattern: "^sg-[0-9a-z]+$",
			Want:    "the id of a security group, as sg-0123abcd",
			Valid:   []string{"sg-0123abcd"},
			Invalid: []string{"default", "sg-"},
		},
	}
)
