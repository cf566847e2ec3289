package platform

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/cluster"
	"threetier/internal/component"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/lookup"
	"threetier/internal/problems"
	"threetier/internal/tags"
)

// ClusterType is the type token of Cluster.
const ClusterType = "threetier:platform:Cluster"

// ClusterArgs say what the cluster is like, or name one that is there.
type ClusterArgs struct {
	// Keys says what these mean.
	Name, Version     string
	Existing          bool
	AuditLogDays      int
	PublicAccessCIDRs []string

	// Region is the AWS region. Required.
	Region string
	// Protect refuses to delete the cluster. Default: false.
	Protect bool
}

// Keys are the cluster's, below platform:cluster.
func (args *ClusterArgs) Keys() keys.Table {
	const instead = "none beside existing: that cluster is there"
	return keys.Table{
		keys.Text("name", &args.Name).Match("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", "1 to 100 letters, digits, - and _, a letter or digit first").
			Required().Example("acme-prod").Doc("Name of the EKS cluster: threetier:cluster.eks of the stack."),
		keys.Flag("existing", &args.Existing).
			Doc("Whether the cluster is there already. Neither it nor a network is made then; the roles get their rights in it."),
		keys.Text("version", &args.Version).Match(`^1\.(3[2-9]|[4-9]\d)$`, "1.32 or later, in quotes").RequiredIf(!args.Existing).
			Refuse(args.Existing && args.Version != "", args.Version, instead).Otherwise("required, unless existing").Example(`"1.35"`).
			Doc("Kubernetes' version. EKS raises it by itself when its standard support ends. Raise it by one minor version at a time; there is no way back."),
		keys.Number("auditLogDays", &args.AuditLogDays).Between(1, longestRetention).Needs(!args.Existing, instead).Otherwise("none").Example("90").
			Doc("How long the cluster's audit log is kept, in days: who did what. threetier:alarms.auditLogGroup reads it. CloudWatch bills it by size."),
		keys.Texts("publicAccessCidrs", &args.PublicAccessCIDRs).AtLeast(1, "at least one network").
			Each(constraint.Text{Pattern: `^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$`, Want: "a network, as 203.0.113.0/24"}).Otherwise("[0.0.0.0/0]").Example("[203.0.113.0/24]").
			Doc("Networks that reach the cluster's API from outside the VPC. GitHub's runners have no fixed addresses."),
	}
}

// Complete fills in the defaults, and returns every problem of the args.
func (args *ClusterArgs) Complete() problems.List {
	ps := append(args.Keys().Complete(), retentionProblems("auditLogDays", args.AuditLogDays)...)
	if args.Existing && args.PublicAccessCIDRs != nil {
		ps = append(ps, problems.Problem{Path: "publicAccessCidrs", Value: "given", Want: "none beside existing: that cluster is there"})
	}
	return ps
}

// Cluster is an EKS cluster, and the way into it.
type Cluster struct {
	pulumi.ResourceState

	// Name is the cluster's.
	Name pulumi.StringOutput `pulumi:"name"`
	// Provider manages objects in the cluster.
	Provider *kubernetes.Provider
}

// NewCluster creates a cluster in the subnets, or looks it up where it is there.
func NewCluster(ctx *pulumi.Context, name string, args *ClusterArgs, subnets pulumi.StringArrayInput, opts ...pulumi.ResourceOption) (*Cluster, error) {
	made := &Cluster{}
	if args == nil {
		return nil, component.Wrap(made, name, errors.New("args are missing"))
	}
	b := &clusterBuilder{ctx: ctx, name: name, args: *args, parent: made}
	if err := b.args.Complete().Err(); err != nil {
		return nil, component.Wrap(made, name, err)
	}
	if !args.Existing {
		return component.New(ctx, ClusterType, name, made, opts, func() error { return b.create(subnets) })
	}
	lookups, err := lookup.AWS(opts...)
	if err != nil {
		return nil, err
	}
	found, err := eks.LookupCluster(ctx, &eks.LookupClusterArgs{Name: args.Name}, lookups...)
	if err == nil && len(found.CertificateAuthorities) == 0 {
		err = errors.New("it has no certificate authority yet: it is " + found.Status)
	}
	if err != nil {
		return nil, component.Wrap(made, name, fmt.Errorf("look up EKS cluster %s: %w", args.Name, err))
	}
	return component.New(ctx, ClusterType, name, made, opts, func() error {
		made.Name = pulumi.String(args.Name).ToStringOutput()
		authority := pulumi.String(found.CertificateAuthorities[0].Data).ToStringPtrOutput()
		return b.provide(pulumi.String(found.Arn), pulumi.String(found.Endpoint).ToStringOutput(), authority)
	})
}

// clusterBuilder creates the children of a Cluster.
type clusterBuilder struct {
	ctx    *pulumi.Context
	name   string
	args   ClusterArgs
	parent *Cluster
}

// https://docs.aws.amazon.com/eks/latest/userguide/auto-learn-iam.html
var (
	ofCluster = []string{"AmazonEKSBlockStoragePolicy", "AmazonEKSClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy"}
	ofNodes   = []string{"AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy"}
)

func (b *clusterBuilder) create(subnets pulumi.StringArrayInput) error {
	role, err := newServiceRole(b.ctx, b.name+"-control", "eks.amazonaws.com", []string{"sts:AssumeRole", "sts:TagSession"}, ofCluster, b.child())
	if err != nil {
		return err
	}
	nodes, err := newServiceRole(b.ctx, b.name+"-nodes", "ec2.amazonaws.com", []string{"sts:AssumeRole"}, ofNodes, b.child())
	if err != nil {
		return err
	}
	before := slices.Concat(role.attached, nodes.attached)
	args := b.clusterArgs(role, nodes, subnets)
	if b.args.AuditLogDays > 0 {
		// EKS would make the group itself, and keep its lines for ever.
		logs, err := newLogGroup(b.ctx, b.name+"-logs", "/aws/eks/"+b.args.Name+"/cluster", b.args.AuditLogDays, b.child())
		if err != nil {
			return err
		}
		before = append(before, logs)
		args.EnabledClusterLogTypes = pulumi.ToStringArray([]string{"audit", "authenticator"})
	}
	made, err := eks.NewCluster(b.ctx, b.name+"-eks", args, b.child(), pulumi.DependsOn(before), pulumi.Protect(b.args.Protect))
	if err != nil {
		return fmt.Errorf("create EKS cluster: %w", err)
	}
	b.parent.Name = made.Name
	// The autoscalers read it.
	_, err = eks.NewAddon(b.ctx, b.name+"-metrics-server", &eks.AddonArgs{ClusterName: made.Name, AddonName: pulumi.String("metrics-server"), Tags: tags.Of(b.ctx)}, b.child())
	if err != nil {
		return fmt.Errorf("create add-on metrics-server: %w", err)
	}
	if err := b.provide(made.Arn, made.Endpoint, made.CertificateAuthority.Data()); err != nil {
		return err
	}
	// Without it, network policies are accepted and do nothing.
	// https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html
	_, err = corev1.NewConfigMap(b.ctx, b.name+"-network-policies", &corev1.ConfigMapArgs{
		Metadata: metav1.ObjectMetaArgs{Name: pulumi.String("amazon-vpc-cni"), Namespace: pulumi.String("kube-system")},
		Data:     pulumi.StringMap{"enable-network-policy-controller": pulumi.String("true")},
	}, b.child(), pulumi.Provider(b.parent.Provider))
	if err != nil {
		return fmt.Errorf("switch on network policies: %w", err)
	}
	return nil
}

// clusterArgs are those of Auto Mode, whose three parts EKS switches on together.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
func (b *clusterBuilder) clusterArgs(control, nodes *role, subnets pulumi.StringArrayInput) *eks.ClusterArgs {
	open := pulumi.ToStringArray([]string{"0.0.0.0/0"})
	if b.args.PublicAccessCIDRs != nil {
		open = pulumi.ToStringArray(b.args.PublicAccessCIDRs)
	}
	return &eks.ClusterArgs{
		Name: pulumi.String(b.args.Name), Version: pulumi.String(b.args.Version), RoleArn: control.Arn, Tags: tags.Of(b.ctx),
		AccessConfig: eks.ClusterAccessConfigArgs{
			AuthenticationMode: pulumi.String("API"), BootstrapClusterCreatorAdminPermissions: pulumi.Bool(true),
		},
		BootstrapSelfManagedAddons: pulumi.Bool(false),
		ComputeConfig: eks.ClusterComputeConfigArgs{
			Enabled: pulumi.Bool(true), NodePools: pulumi.ToStringArray([]string{"general-purpose", "system"}), NodeRoleArn: nodes.Arn,
		},
		KubernetesNetworkConfig: eks.ClusterKubernetesNetworkConfigArgs{
			ElasticLoadBalancing: eks.ClusterKubernetesNetworkConfigElasticLoadBalancingArgs{Enabled: pulumi.Bool(true)},
		},
		StorageConfig: eks.ClusterStorageConfigArgs{BlockStorage: eks.ClusterStorageConfigBlockStorageArgs{Enabled: pulumi.Bool(true)}},
		// Extended support, EKS's default, costs five times more.
		UpgradePolicy: eks.ClusterUpgradePolicyArgs{SupportType: pulumi.String("STANDARD")},
		VpcConfig: eks.ClusterVpcConfigArgs{
			SubnetIds: subnets, EndpointPrivateAccess: pulumi.Bool(true), EndpointPublicAccess: pulumi.Bool(true), PublicAccessCidrs: open,
		},
	}
}

// provide leads to the cluster.
func (b *clusterBuilder) provide(arn pulumi.StringInput, endpoint pulumi.StringOutput, authority pulumi.StringPtrOutput) (err error) {
	kubeconfig := pulumi.All(endpoint, authority.Elem()).ApplyT(func(all []any) (string, error) {
		return cluster.Kubeconfig(b.args.Name, b.args.Region, all[0].(string), all[1].(string))
	}).(pulumi.StringOutput)
	b.parent.Provider, err = kubernetes.NewProvider(b.ctx, b.name+"-provider", &kubernetes.ProviderArgs{
		Kubeconfig: kubeconfig, ClusterIdentifier: arn.ToStringOutput(),
	}, b.child())
	if err != nil {
		return fmt.Errorf("create Kubernetes provider: %w", err)
	}
	return nil
}

func (b *clusterBuilder) child() pulumi.ResourceOption { return pulumi.Parent(b.parent) }
