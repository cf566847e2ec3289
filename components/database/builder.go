package database

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// builder creates the children of a Database, and holds those that others refer to.
type builder struct {
	ctx     *pulumi.Context
	name    string
	args    DatabaseArgs
	present present
	// caBundle are the certificates of RDS in the region, as PEM.
	caBundle string
	// networks are the public ones of the VPC.
	networks []string
	parent   *Database

	subnetGroup       *rds.SubnetGroup
	securityGroup     *ec2.SecurityGroup
	parameterGroup    *rds.ParameterGroup
	monitoringRole    *iam.Role
	password          pulumi.StringOutput // the administrator's
	migrationPassword pulumi.StringOutput
	appPassword       pulumi.StringOutput
	previewsPassword  pulumi.StringOutput
	primary           *rds.Instance
	replicas          []*rds.Instance
	alarms            pulumi.StringArray // their ARNs
	// before are resources that the instance needs without referring to them.
	before []pulumi.Resource
}

// create makes the instances, after everything that they need.
func (b *builder) create() error {
	for _, step := range []func() error{
		b.createSubnetGroup, b.createSecurityGroup, b.createParameterGroup, b.createLogGroups, b.createMonitoringRole,
		b.createPasswords, b.createPrimary, b.createReplicas, b.createAlarms,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) child() pulumi.ResourceOption { return pulumi.Parent(b.parent) }
