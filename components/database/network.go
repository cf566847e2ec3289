package database

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// createSubnetGroup puts the instance into the private subnets.
func (b *builder) createSubnetGroup() (err error) {
	b.subnetGroup, err = rds.NewSubnetGroup(b.ctx, b.name+"-subnets", &rds.SubnetGroupArgs{
		Description: pulumi.String("Private subnets of the database"),
		SubnetIds:   pulumi.ToStringArray(b.args.Network.SubnetIDs),
		Tags:        b.tags(),
	}, b.child())
	if err != nil {
		return fmt.Errorf("create subnet group: %w", err)
	}
	return nil
}

// createSecurityGroup lets the clients in on one port, by rules of their own: inline rules and separate ones
// undo each other. Without egress rules, nothing gets out.
func (b *builder) createSecurityGroup() error {
	group, err := ec2.NewSecurityGroup(b.ctx, b.name+"-security-group", &ec2.SecurityGroupArgs{
		// A changed description replaces the group, which hangs while the instance uses it: it says nothing that changes.
		Description: pulumi.String("Database access"),
		VpcId:       pulumi.String(b.args.Network.VPCID),
		Tags:        b.tags(),
	}, b.child())
	if err != nil {
		return fmt.Errorf("create security group: %w", err)
	}
	b.securityGroup = group
	for _, client := range b.args.Network.ClientSecurityGroupIDs {
		rule, err := vpc.NewSecurityGroupIngressRule(b.ctx, b.name+"-from-"+client, &vpc.SecurityGroupIngressRuleArgs{
			SecurityGroupId:           group.ID(),
			ReferencedSecurityGroupId: pulumi.String(client),
			IpProtocol:                pulumi.String("tcp"),
			FromPort:                  pulumi.Int(b.args.Port),
			ToPort:                    pulumi.Int(b.args.Port),
			Description:               pulumi.String("PostgreSQL from the cluster"),
			Tags:                      b.tags(),
		}, b.child())
		if err != nil {
			return fmt.Errorf("create ingress rule for %s: %w", client, err)
		}
		// Whoever waits for the database may connect to it.
		b.before = append(b.before, rule)
	}
	return nil
}
