package platform

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/component"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
	"threetier/internal/tags"
)

// NetworkType is the type token of Network.
const NetworkType = "threetier:platform:Network"

const (
	oneGateway     = "one"
	gatewayPerZone = "one-per-zone"
)

// NetworkArgs say what the network is like, or name the subnets of one that is there.
type NetworkArgs struct {
	// Keys says what these mean.
	CIDR, NATGateways string
	Zones, SubnetIDs  []string
	FlowLogDays       int

	// Region is the AWS region. Required.
	Region string
	// Protect refuses to delete the network. Default: false.
	Protect bool
}

// Keys are the network's, below platform:network.
func (args *NetworkArgs) Keys() keys.Table {
	isNew := args.SubnetIDs == nil
	const instead = "none beside subnetIds: that network is there"
	return keys.Table{
		keys.Text("cidr", &args.CIDR).Match(`^\d{1,3}(\.\d{1,3}){3}/(1[6-9]|20)$`, "a private network of 16 to 20 bits, as 10.20.0.0/16").
			RequiredIf(isNew).Refuse(!isNew && args.CIDR != "", args.CIDR, instead).Otherwise("required, unless subnetIds is given").Example("10.20.0.0/16").
			Doc("Addresses of the VPC. Each zone gets a quarter of them for its private subnet, and a sixteenth for its public one. Networks that overlap can't be peered."),
		keys.Texts("zones", &args.Zones).AtLeast(2, "two or three availability zones").Once("each zone once").
			Each(constraint.Text{Pattern: `^[a-z]{2}(-[a-z]+)+-\d[a-z]$`, Want: "an availability zone, as eu-west-1a"}).
			RequiredIf(isNew).Otherwise("required, unless subnetIds is given").Example("[eu-west-1a, eu-west-1b]").
			Doc("Availability zones of the subnets, by name. Add one at the end: the order decides the addresses."),
		keys.Text("natGateways", &args.NATGateways).OneOf(oneGateway, gatewayPerZone).Default(oneGateway).Needs(isNew, instead).Example(gatewayPerZone).
			Doc("How private subnets reach the internet. With one gateway, the failure of its zone cuts all of them off; each further one costs."),
		keys.Number("flowLogDays", &args.FlowLogDays).Between(1, longestRetention).Needs(isNew, instead).Example("30").Otherwise("none").
			Doc("How long the VPC's flow logs are kept, in days. CloudWatch bills them by size."),
		keys.Texts("subnetIds", &args.SubnetIDs).AtLeast(2, "private subnets in at least two availability zones").Once("each id once").
			Each(constraint.Text{Pattern: "^subnet-[0-9a-z]+$", Want: "the id of a subnet, as subnet-0123abcd"}).
			Otherwise("a network is made").Example("[subnet-0123abcd, subnet-4567cdef]").
			Doc("Private subnets of a network that is there: none is made then. Its public subnets need the tag kubernetes.io/role/elb."),
	}
}

// Complete fills in the defaults, and returns every problem of the args.
func (args *NetworkArgs) Complete() problems.List {
	ps := args.Keys().Complete()
	if args.SubnetIDs != nil && args.Zones != nil {
		ps = append(ps, problems.Problem{Path: "zones", Value: strings.Join(args.Zones, ", "), Want: "none beside subnetIds: that network is there"})
	}
	if prefix, err := netip.ParsePrefix(args.CIDR); !ps.Has("cidr") && args.CIDR != "" && (err != nil || prefix != prefix.Masked() || !prefix.Addr().IsPrivate()) {
		ps = append(ps, problems.Problem{Path: "cidr", Value: args.CIDR, Want: "the first address of a private network, as 10.20.0.0/16"})
	}
	if len(args.Zones) > maxZones {
		ps = append(ps, problems.Problem{Path: "zones", Value: fmt.Sprintf("%d items", len(args.Zones)), Want: "two or three availability zones"})
	}
	for i, zone := range args.Zones {
		if path := fmt.Sprintf("zones[%d]", i); args.Region != "" && !strings.HasPrefix(zone, args.Region) && !ps.Has(path) {
			ps = append(ps, problems.Problem{Path: path, Value: strconv.Quote(zone), Want: "a zone of " + args.Region})
		}
	}
	return append(ps, retentionProblems("flowLogDays", args.FlowLogDays)...)
}

// maxZones is how many private subnets fit into three quarters of the network; the fourth has the public ones.
const maxZones = 3

// longestRetention is more than a year of the retentions, in days, that CloudWatch takes.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
const longestRetention = 731

var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, longestRetention}

func retentionProblems(path string, days int) problems.List {
	if days == 0 || days > longestRetention || slices.Contains(retentions, days) {
		return nil
	}
	return problems.List{{Path: path, Value: strconv.Itoa(days), Want: "one of " + strings.Trim(fmt.Sprint(retentions), "[]") + ": CloudWatch takes no other"}}
}

// Network is a VPC with a private and a public subnet in each zone.
type Network struct {
	pulumi.ResourceState

	// VPCID is the VPC's.
	VPCID pulumi.StringOutput `pulumi:"vpcId"`
	// PrivateSubnetIDs are the subnets of nodes and databases, in the order of the zones.
	PrivateSubnetIDs pulumi.StringArrayOutput `pulumi:"privateSubnetIds"`
}

// NewNetwork creates a network.
func NewNetwork(ctx *pulumi.Context, name string, args *NetworkArgs, opts ...pulumi.ResourceOption) (*Network, error) {
	network := &Network{}
	if args == nil {
		return nil, component.Wrap(network, name, errors.New("args are missing"))
	}
	complete := *args
	if err := complete.Complete().Err(); err != nil {
		return nil, component.Wrap(network, name, err)
	}
	if complete.SubnetIDs != nil {
		return nil, component.Wrap(network, name, errors.New("subnetIds name a network that is there"))
	}
	b := &networkBuilder{ctx: ctx, name: name, args: complete, parent: network}
	return component.New(ctx, NetworkType, name, network, opts, b.create)
}

// networkBuilder creates the children of a Network.
type networkBuilder struct {
	ctx    *pulumi.Context
	name   string
	args   NetworkArgs
	parent *Network

	vpc      *ec2.Vpc
	internet *ec2.InternetGateway
	public   *ec2.RouteTable
	// nat is the gateway of the first zone, for those that have none of their own.
	nat     *ec2.NatGateway
	private pulumi.StringArray
	tables  pulumi.StringArray
}

func (b *networkBuilder) create() (err error) {
	b.vpc, err = ec2.NewVpc(b.ctx, b.name, &ec2.VpcArgs{
		CidrBlock: pulumi.String(b.args.CIDR), EnableDnsSupport: pulumi.Bool(true), EnableDnsHostnames: pulumi.Bool(true), Tags: b.tags(b.name),
	}, b.child(), pulumi.Protect(b.args.Protect))
	if err != nil {
		return fmt.Errorf("create VPC: %w", err)
	}
	b.internet, err = ec2.NewInternetGateway(b.ctx, b.name+"-internet", &ec2.InternetGatewayArgs{VpcId: b.vpc.ID(), Tags: b.tags(b.name)}, b.child())
	if err != nil {
		return fmt.Errorf("create internet gateway: %w", err)
	}
	b.public, err = b.table("public", &ec2.RouteArgs{GatewayId: b.internet.ID()})
	if err != nil {
		return err
	}
	for i, zone := range b.args.Zones {
		if err := b.zone(i, zone); err != nil {
			return fmt.Errorf("create zone %s: %w", zone, err)
		}
	}
	// Images come from S3: through a gateway endpoint they cost nothing.
	_, err = ec2.NewVpcEndpoint(b.ctx, b.name+"-s3", &ec2.VpcEndpointArgs{
		VpcId: b.vpc.ID(), ServiceName: pulumi.String("com.amazonaws." + b.args.Region + ".s3"), RouteTableIds: b.tables, Tags: b.tags(b.name + "-s3"),
	}, b.child())
	if err != nil {
		return fmt.Errorf("create endpoint of S3: %w", err)
	}
	if err := b.flowLogs(); err != nil {
		return fmt.Errorf("create flow logs: %w", err)
	}
	b.parent.VPCID = b.vpc.ID().ToStringOutput()
	b.parent.PrivateSubnetIDs = b.private.ToStringArrayOutput()
	return nil
}

// zone creates the subnets of a zone: the private ones have three quarters of the network, the public ones the last.
// Load balancers find theirs by the tags: https://docs.aws.amazon.com/eks/latest/userguide/tag-subnets-auto.html
func (b *networkBuilder) zone(i int, zone string) error {
	public, err := b.subnet("public-"+zone, zone, subnetOf(b.args.CIDR, 4, 12+i), "kubernetes.io/role/elb", b.public)
	if err != nil {
		return err
	}
	gateway := b.nat
	if i == 0 || b.args.NATGateways == gatewayPerZone {
		if gateway, err = b.gateway(zone, public); err != nil {
			return err
		}
	}
	if i == 0 {
		b.nat = gateway
	}
	table, err := b.table("private-"+zone, &ec2.RouteArgs{NatGatewayId: gateway.ID()})
	if err != nil {
		return err
	}
	private, err := b.subnet("private-"+zone, zone, subnetOf(b.args.CIDR, 2, i), "kubernetes.io/role/internal-elb", table)
	if err != nil {
		return err
	}
	b.private, b.tables = append(b.private, private.ID().ToStringOutput()), append(b.tables, table.ID().ToStringOutput())
	return nil
}

func (b *networkBuilder) gateway(zone string, public *ec2.Subnet) (*ec2.NatGateway, error) {
	name := b.name + "-nat-" + zone
	address, err := ec2.NewEip(b.ctx, name, &ec2.EipArgs{Domain: pulumi.String("vpc"), Tags: b.tags(name)}, b.child())
	if err != nil {
		return nil, fmt.Errorf("create address of NAT gateway: %w", err)
	}
	gateway, err := ec2.NewNatGateway(b.ctx, name, &ec2.NatGatewayArgs{AllocationId: address.ID(), SubnetId: public.ID(), Tags: b.tags(name)},
		b.child(), pulumi.DependsOn([]pulumi.Resource{b.internet}))
	if err != nil {
		return nil, fmt.Errorf("create NAT gateway: %w", err)
	}
	return gateway, nil
}

// table creates a route table whose one route leads everywhere.
func (b *networkBuilder) table(name string, route *ec2.RouteArgs) (*ec2.RouteTable, error) {
	name = b.name + "-" + name
	table, err := ec2.NewRouteTable(b.ctx, name, &ec2.RouteTableArgs{VpcId: b.vpc.ID(), Tags: b.tags(name)}, b.child())
	if err != nil {
		return nil, fmt.Errorf("create route table: %w", err)
	}
	route.RouteTableId, route.DestinationCidrBlock = table.ID(), pulumi.String("0.0.0.0/0")
	if _, err := ec2.NewRoute(b.ctx, name, route, b.child()); err != nil {
		return nil, fmt.Errorf("create route: %w", err)
	}
	return table, nil
}

func (b *networkBuilder) subnet(name, zone, cidr, role string, table *ec2.RouteTable) (*ec2.Subnet, error) {
	name = b.name + "-" + name
	named := b.tags(name)
	named[role] = pulumi.String("1")
	subnet, err := ec2.NewSubnet(b.ctx, name, &ec2.SubnetArgs{
		VpcId: b.vpc.ID(), AvailabilityZone: pulumi.String(zone), CidrBlock: pulumi.String(cidr), Tags: named,
	}, b.child(), pulumi.Protect(b.args.Protect))
	if err != nil {
		return nil, fmt.Errorf("create subnet: %w", err)
	}
	_, err = ec2.NewRouteTableAssociation(b.ctx, name, &ec2.RouteTableAssociationArgs{SubnetId: subnet.ID(), RouteTableId: table.ID()}, b.child())
	if err != nil {
		return nil, fmt.Errorf("create route table association: %w", err)
	}
	return subnet, nil
}

// subnetOf is a part of a network: the one with this number, of those that are smaller by so many bits.
func subnetOf(cidr string, bits, number int) string {
	network := netip.MustParsePrefix(cidr)
	address := network.Addr().As4()
	length := network.Bits() + bits
	binary.BigEndian.PutUint32(address[:], binary.BigEndian.Uint32(address[:])+uint32(number)<<(32-length))
	return netip.PrefixFrom(netip.AddrFrom4(address), length).String()
}

func (b *networkBuilder) flowLogs() error {
	if b.args.FlowLogDays == 0 {
		return nil
	}
	name := b.name + "-flow-logs"
	group, err := newLogGroup(b.ctx, name, "/aws/vpc/"+b.ctx.Project()+"-"+b.ctx.Stack(), b.args.FlowLogDays, b.child())
	if err != nil {
		return err
	}
	role, err := newServiceRole(b.ctx, name, "vpc-flow-logs.amazonaws.com", []string{"sts:AssumeRole"}, nil, b.child())
	if err != nil {
		return err
	}
	if err := role.allow(b.ctx, name, pulumi.Sprintf(flowLogsPolicy, group.Arn), b.child()); err != nil {
		return err
	}
	_, err = ec2.NewFlowLog(b.ctx, name, &ec2.FlowLogArgs{
		VpcId: b.vpc.ID(), TrafficType: pulumi.String("ALL"), LogDestination: group.Arn, IamRoleArn: role.Arn, Tags: b.tags(name),
	}, b.child())
	return err
}

// https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
const flowLogsPolicy = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "%s:*",
	"Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]}]}`

func (b *networkBuilder) child() pulumi.ResourceOption { return pulumi.Parent(b.parent) }

// tags name a resource as the console shows it.
func (b *networkBuilder) tags(name string) pulumi.StringMap {
	all := tags.Of(b.ctx)
	all["Name"] = pulumi.String(b.ctx.Stack() + "-" + name)
	return all
}
