package database

import (
	"errors"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/component"
	"threetier/internal/lookup"
	"threetier/internal/network"
	"threetier/internal/rdsca"
)

// DatabaseType is the type token of Database.
const DatabaseType = "threetier:index:Database"

// Database is an Amazon RDS PostgreSQL instance with the resources around it.
type Database struct {
	pulumi.ResourceState

	Address           pulumi.StringOutput `pulumi:"address" doc:"The host name, without the port."`
	ReaderAddress     pulumi.StringOutput `pulumi:"readerAddress" doc:"The host name for reads that may lag: the first read replica's, or address where there is none."`
	Port              pulumi.IntOutput    `pulumi:"port" doc:"The TCP port of address and readerAddress."`
	Name              pulumi.StringOutput `pulumi:"name" doc:"The database's name inside the instance."`
	Username          pulumi.StringOutput `pulumi:"username" doc:"The administrator's name."`
	Password          pulumi.StringOutput `pulumi:"password" doc:"The administrator's password, a secret."`
	AppPassword       pulumi.StringOutput `pulumi:"appPassword" doc:"The password that is kept for the app's login, a secret."`
	MigrationPassword pulumi.StringOutput `pulumi:"migrationPassword" doc:"The password that is kept for the logins that act as the owner of the database, a secret."`
	PasswordVersion   pulumi.IntOutput    `pulumi:"passwordVersion" doc:"The number of the generated passwords."`
	CABundle          pulumi.StringOutput `pulumi:"caBundle" doc:"The certificates, as PEM, that the instance's certificate is verified with."`
	SecurityGroupID   pulumi.IDOutput     `pulumi:"securityGroupId" doc:"The security group that lets clients in."`
	Identifier        pulumi.StringOutput `pulumi:"identifier" doc:"The instance's name in the RDS console, its metrics and its log groups."`
	ResourceID        pulumi.StringOutput `pulumi:"resourceId" doc:"The instance's name that no other instance ever has."`
	ARN               pulumi.StringOutput `pulumi:"arn" doc:"The instance's Amazon resource name."`

	// Ready are the resources that a client needs before it can connect: instances and ingress rules. To depend on
	// them is safer than to depend on the component, whose children the Go SDK only gets to know one after the other.
	Ready []pulumi.Resource
	// Alarms are the ARNs of its alarms.
	Alarms pulumi.StringArray

	args     DatabaseArgs
	previews *Login
	networks []string
}

// NewDatabase creates the instance, its network access, password, parameters, logs and alarms.
func NewDatabase(ctx *pulumi.Context, name string, args *DatabaseArgs, opts ...pulumi.ResourceOption) (*Database, error) {
	database := &Database{}
	parts, err := prepare(ctx, name, args, opts...)
	if err != nil {
		return nil, component.Wrap(database, name, err)
	}
	return component.New(ctx, DatabaseType, name, database, opts, func() error {
		parts.parent = database
		if err := parts.create(); err != nil {
			return err
		}
		database.set(parts)
		return nil
	})
}

// prepare looks up everything that RDS could refuse. Nothing is registered yet.
func prepare(ctx *pulumi.Context, name string, args *DatabaseArgs, opts ...pulumi.ResourceOption) (*builder, error) {
	if args == nil {
		return nil, errors.New("args are missing")
	}
	parts := &builder{ctx: ctx, name: name, args: *args}
	ps := append(parts.args.Complete(), parts.args.Network.Problems().Under("network")...)
	if err := ps.FirstOfEach().Err(); err != nil {
		return nil, err
	}
	if err := IdentifierProblems(ctx.Project(), ctx.Stack(), name).Err(); err != nil {
		return nil, err
	}
	bundle, err := rdsca.Bundle(parts.args.Region)
	if err != nil {
		return nil, err
	}
	parts.caBundle = bundle
	lookups, err := lookup.AWS(opts...)
	if err != nil {
		return nil, err
	}
	if err := parts.args.Network.Check(ctx, lookups...); err != nil {
		return nil, err
	}
	if parts.networks, err = network.Ranges(ctx, parts.args.Network.VPCID, lookups...); err != nil {
		return nil, err
	}
	if err := parts.lookUpPresent(lookups...); err != nil {
		return nil, err
	}
	return parts, errors.Join(parts.present.problems(parts.args).Err(), parts.warn())
}

// set fills the outputs. They come from the instance rather than from the args, so that they are right after a
// restore too, when name and username are those of the snapshot.
func (d *Database) set(parts *builder) {
	instance := parts.primary
	d.Address = instance.Address
	d.ReaderAddress = instance.Address
	if len(parts.replicas) > 0 {
		d.ReaderAddress = parts.replicas[0].Address
	}
	d.Port = instance.Port
	d.Name = instance.DbName
	d.Username = instance.Username
	d.Password = parts.password
	d.AppPassword, d.MigrationPassword = parts.appPassword, parts.migrationPassword
	d.PasswordVersion = pulumi.Int(parts.args.PasswordVersion).ToIntOutput()
	d.CABundle = pulumi.String(parts.caBundle).ToStringOutput()
	d.SecurityGroupID = parts.securityGroup.ID()
	d.Identifier = instance.Identifier
	d.ResourceID = instance.ResourceId
	d.ARN = instance.Arn
	d.Alarms = parts.alarms
	d.args, d.networks = parts.args, parts.networks
	if parts.args.Previews {
		d.previews = &Login{Username: pulumi.String(PreviewsLogin), Password: parts.previewsPassword}
	}
	d.Ready = append(slices.Clone(parts.before), instance)
	for _, replica := range parts.replicas {
		d.Ready = append(d.Ready, replica)
	}
}
