package database

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/rdsca"
)

// DatabaseType is the type token of Database.
const DatabaseType = "threetier:index:Database"

// Database is an Amazon RDS PostgreSQL instance with all that belongs to it.
type Database struct {
	pulumi.ResourceState

	// Address is the host name, without the port.
	Address pulumi.StringOutput `pulumi:"address"`
	// ReaderAddress is the host name for reads that may lag: the first read replica's, or Address where there is none.
	ReaderAddress pulumi.StringOutput `pulumi:"readerAddress"`
	// Port is the TCP port of Address and ReaderAddress.
	Port pulumi.IntOutput `pulumi:"port"`
	// Name is the database's name inside the instance.
	Name pulumi.StringOutput `pulumi:"name"`
	// Username is the administrator's name.
	Username pulumi.StringOutput `pulumi:"username"`
	// Password is the administrator's password, a secret.
	Password pulumi.StringOutput `pulumi:"password"`
	// CABundle are the certificates, as PEM, that the instance's certificate is verified with.
	CABundle pulumi.StringOutput `pulumi:"caBundle"`
	// SecurityGroupID is the security group that lets clients in.
	SecurityGroupID pulumi.IDOutput `pulumi:"securityGroupId"`
	// Identifier is the instance's name in the RDS console, its metrics and its log groups.
	Identifier pulumi.StringOutput `pulumi:"identifier"`
	// ARN is the instance's Amazon resource name.
	ARN pulumi.StringOutput `pulumi:"arn"`

	// Ready are the resources that a client needs before it can connect: instances and ingress rules. To depend on
	// them is safer than to depend on the component, whose children the Go SDK only gets to know one after the other.
	Ready []pulumi.Resource
}

// NewDatabase creates the instance, its network access, password, parameters, logs and alarms.
func NewDatabase(ctx *pulumi.Context, name string, args *DatabaseArgs, opts ...pulumi.ResourceOption) (*Database, error) {
	if args == nil {
		return nil, errors.New("create database: args are missing")
	}
	settled := args.withDefaults()
	ps := append(settled.Network.Problems().Under("network"), settled.Problems()...)
	if err := ps.Err(); err != nil {
		return nil, fmt.Errorf("create database %s: %w", name, err)
	}
	parts := databaseBuilder{ctx: ctx, name: name, args: settled}
	if err := errors.Join(parts.checkIdentifier(), settled.Network.Check(ctx)); err != nil {
		return nil, fmt.Errorf("create database %s: %w", name, err)
	}
	bundle, err := rdsca.Bundle(settled.Region)
	if err != nil {
		return nil, fmt.Errorf("create database %s: %w", name, err)
	}
	database := &Database{}
	if err := ctx.RegisterComponentResource(DatabaseType, name, database, opts...); err != nil {
		return nil, fmt.Errorf("register database %s: %w", name, err)
	}

	// Not before: registering a component clears its outputs.
	database.CABundle = pulumi.String(bundle).ToStringOutput()
	parts.parent = database
	instance, err := parts.create()
	if err != nil {
		return nil, fmt.Errorf("create database %s: %w", name, err)
	}
	replicas, err := parts.createReplicas(instance)
	if err != nil {
		return nil, fmt.Errorf("create database %s: %w", name, err)
	}
	if err := parts.createAlarms(instance, replicas); err != nil {
		return nil, fmt.Errorf("create database %s: %w", name, err)
	}
	database.set(parts, instance, replicas)
	return database, database.registerOutputs(ctx)
}

// set fills the outputs. They come from the instance rather than from the args, so that they are right after a
// restore too, when name and username are those of the snapshot.
func (database *Database) set(parts databaseBuilder, instance *rds.Instance, replicas []*rds.Instance) {
	database.Address = instance.Address
	database.ReaderAddress = instance.Address
	if len(replicas) > 0 {
		database.ReaderAddress = replicas[0].Address
	}
	database.Port = instance.Port
	database.Name = instance.DbName
	database.Username = instance.Username
	database.Password = parts.password
	database.SecurityGroupID = parts.securityGroup.ID()
	database.Identifier = instance.Identifier
	database.ARN = instance.Arn
	database.Ready = append(slices.Clone(parts.before), instance)
	for _, replica := range replicas {
		database.Ready = append(database.Ready, replica)
	}
}

func (database *Database) registerOutputs(ctx *pulumi.Context) error {
	return ctx.RegisterResourceOutputs(database, pulumi.Map{
		"address":         database.Address,
		"readerAddress":   database.ReaderAddress,
		"port":            database.Port,
		"name":            database.Name,
		"username":        database.Username,
		"password":        database.Password,
		"caBundle":        database.CABundle,
		"securityGroupId": database.SecurityGroupID,
		"identifier":      database.Identifier,
		"arn":             database.ARN,
	})
}
