package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/component"
	"threetier/internal/keys"
	"threetier/internal/lookup"
	"threetier/internal/network"
	"threetier/internal/optional"
	"threetier/internal/problems"
)

// ClusterType is the type token of Cluster.
const ClusterType = "threetier:index:Cluster"

// ClusterArgs name the Kubernetes cluster that the stack runs on: either EKS, or Kubeconfig.
type ClusterArgs struct {
	// Keys says what these mean.
	EKS, Context string
	Kubeconfig   pulumi.StringInput

	// Region is the AWS region of the EKS cluster. Required with EKS.
	Region string
	// InternalLoadBalancer tells that the stack's load balancer is for the network alone. Default: internet-facing.
	InternalLoadBalancer bool
	// LoadBalancerClass is the class of the stack's Service. Default: the cluster's own.
	LoadBalancerClass string
	// OtherLoadBalancer tells that the Service has annotations that ask for another controller. Default: AWS's own.
	OtherLoadBalancer bool
	// Autoscales tells that autoscalers need the metrics of the stack's pods. Default: there are none.
	Autoscales bool
	// ClientSecurityGroupIDs are the security groups that may reach the database. Default: the cluster's own.
	ClientSecurityGroupIDs []string
}

// Keys are the cluster's, below threetier:cluster.
func (args *ClusterArgs) Keys() keys.Table {
	return keys.Table{
		keys.Text("eks", &args.EKS).Match("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", "1 to 100 letters, digits, - and _, a letter or digit first").
			Otherwise("none").Example("acme-prod").
			Doc("Name of the EKS cluster. The program looks up its endpoint, credentials and network. Either eks or kubeconfig is required."),
		keys.SecretText("kubeconfig", &args.Kubeconfig).Otherwise("none").Example("{secure: …}").
			Doc("Content of a kubeconfig file, for any other cluster. It requires database.network."),
		keys.Text("context", &args.Context).Otherwise("the kubeconfig's current one").Example("admin@acme").
			Doc("Context of the kubeconfig."),
	}
}

// Complete returns every mistake in the args.
func (args *ClusterArgs) Complete() problems.List {
	switch {
	case args.EKS == "" && args.Kubeconfig == nil:
		return problems.List{{Path: "eks", Want: "the name of an EKS cluster, or kubeconfig instead"}}
	case args.EKS != "" && args.Kubeconfig != nil:
		return problems.List{{Path: "kubeconfig", Value: "given beside eks", Want: "one of the two"}}
	case args.EKS != "" && args.Context != "":
		return problems.List{{Path: "context", Value: args.Context, Want: "none beside eks: it chooses a context of kubeconfig"}}
	}
	return args.Keys().Complete()
}

// Cluster is an existing Kubernetes cluster: how to reach it, and the network that it lives in.
type Cluster struct {
	pulumi.ResourceState

	// Provider manages resources in the cluster.
	Provider *kubernetes.Provider
	// VPCID is the cluster's VPC; empty without EKS.
	VPCID pulumi.StringOutput `pulumi:"vpcId"`
	// PrivateSubnetIDs are those of the cluster's subnets that no internet gateway reaches; empty without EKS.
	PrivateSubnetIDs pulumi.StringArrayOutput `pulumi:"privateSubnetIds"`
	// SecurityGroupID is the security group that EKS gives the cluster's nodes and pods; empty without EKS.
	SecurityGroupID pulumi.StringOutput `pulumi:"securityGroupId"`

	// Owner is what tells this stack's objects from those of others: it stays the same when the stack gets another name, or
	// the kubeconfig another context.
	Owner pulumi.StringOutput

	// Network is the cluster's network as a database wants it, known without waiting; zero without EKS.
	Network network.Network
	// EKS is what names the cluster in AWS; zero without EKS.
	EKS EKS

	// Kubeconfig leads to the cluster.
	Kubeconfig pulumi.StringOutput

	context string
}

// EKS is what names an EKS cluster in AWS, whether its pods have IPv6 addresses, and which public networks its VPC has.
type EKS struct {
	Name, ARN, Region string
	IPv6              bool
	Networks          []string
}

// NewCluster looks up the cluster, and reads which APIs it serves; it creates only the provider.
func NewCluster(ctx *pulumi.Context, name string, args *ClusterArgs, opts ...pulumi.ResourceOption) (*Cluster, error) {
	found, err := findCluster(ctx, args, opts...)
	if err != nil {
		return nil, component.Wrap(&Cluster{}, name, err)
	}
	cluster := &Cluster{
		Network: found.network, EKS: found.eks, Kubeconfig: found.kubeconfig.ToStringOutput(), context: args.Context,
	}
	return component.New(ctx, ClusterType, name, cluster, opts, func() error { return cluster.create(ctx, name, *args, found) })
}

func (c *Cluster) create(ctx *pulumi.Context, name string, args ClusterArgs, found foundCluster) (err error) {
	c.VPCID = pulumi.String(found.network.VPCID).ToStringOutput()
	c.PrivateSubnetIDs = pulumi.ToStringArray(found.network.SubnetIDs).ToStringArrayOutput()
	c.SecurityGroupID = pulumi.String(found.securityGroupID).ToStringOutput()
	c.Provider, err = kubernetes.NewProvider(ctx, name+"-provider", &kubernetes.ProviderArgs{
		Kubeconfig:        found.kubeconfig,
		Context:           optional.String(args.Context),
		ClusterIdentifier: pulumi.String(found.identifier),
	}, append(found.steady, pulumi.Parent(c))...)
	if err != nil {
		return fmt.Errorf("create Kubernetes provider: %w", err)
	}
	c.Owner = c.Provider.ID().ToStringOutput()
	return c.readAPIs(ctx, name, args.neededAPIs(found))
}

// foundCluster is what the rest needs to know of a cluster, wherever it was found.
type foundCluster struct {
	identifier, securityGroupID string
	steady                      []pulumi.ResourceOption
	kubeconfig                  pulumi.StringInput
	network                     network.Network
	eks                         EKS
	autoModeLoadBalancing       bool
}

func findCluster(ctx *pulumi.Context, given *ClusterArgs, opts ...pulumi.ResourceOption) (foundCluster, error) {
	if given == nil {
		return foundCluster{}, errors.New("args are missing")
	}
	args := *given
	if err := args.Complete().Err(); err != nil {
		return foundCluster{}, err
	}
	lookups, err := lookup.AWS(opts...)
	if err != nil {
		return foundCluster{}, err
	}
	if args.EKS == "" {
		// Another identifier replaces everything in the cluster, as without one does a kubeconfig that looks changed: so the
		// first one stays, whatever the stack or the context is called since.
		return foundCluster{
			identifier: fmt.Sprintf("%s-%s", ctx.Project(), ctx.Stack()),
			steady:     []pulumi.ResourceOption{pulumi.IgnoreChanges([]string{"clusterIdentifier"})},
			kubeconfig: args.Kubeconfig,
		}, nil
	}
	cluster, err := eks.LookupCluster(ctx, &eks.LookupClusterArgs{Name: args.EKS}, lookups...)
	if err != nil {
		return foundCluster{}, fmt.Errorf("look up EKS cluster %s: %w", args.EKS, err)
	}
	if len(cluster.CertificateAuthorities) == 0 {
		return foundCluster{}, fmt.Errorf("EKS cluster %s has no certificate authority yet: it is %s", args.EKS, cluster.Status)
	}
	unmet, err := preflight{ctx: ctx, args: args, cluster: cluster, lookups: lookups}.problems()
	if err != nil {
		return foundCluster{}, err
	}
	subnets, err := network.PrivateSubnets(ctx, cluster.VpcConfig.VpcId, cluster.VpcConfig.SubnetIds, lookups...)
	if err != nil {
		err = fmt.Errorf("find private subnets of EKS cluster %s: %w", args.EKS, err)
	}
	if err := errors.Join(unmet.Err(), err); err != nil {
		return foundCluster{}, err
	}
	ranges, err := network.Ranges(ctx, cluster.VpcConfig.VpcId, lookups...)
	if err != nil {
		return foundCluster{}, err
	}
	kubeconfig, err := Kubeconfig(args.EKS, args.Region, cluster.Endpoint, cluster.CertificateAuthorities[0].Data)
	if err != nil {
		return foundCluster{}, fmt.Errorf("write kubeconfig of EKS cluster %s: %w", args.EKS, err)
	}
	ipv6 := slices.ContainsFunc(cluster.KubernetesNetworkConfigs, func(config eks.GetClusterKubernetesNetworkConfig) bool { return config.IpFamily == "ipv6" })
	securityGroup := cluster.VpcConfig.ClusterSecurityGroupId
	return foundCluster{
		identifier:      cluster.Arn,
		securityGroupID: securityGroup,
		kubeconfig:      pulumi.String(kubeconfig),

		autoModeLoadBalancing: autoModeLoadBalancing(cluster),
		eks:                   EKS{Name: args.EKS, ARN: cluster.Arn, Region: args.Region, IPv6: ipv6, Networks: ranges},
		network: network.Network{
			VPCID:                  cluster.VpcConfig.VpcId,
			SubnetIDs:              subnets,
			ClientSecurityGroupIDs: []string{securityGroup},
			PrivateIn:              cluster.VpcConfig.VpcId,
		},
	}, nil
}

// Kubeconfig leads to an EKS cluster. It gets its token when it is used: a token in the kubeconfig itself would expire.
func Kubeconfig(name, region, endpoint, certificateAuthority string) (string, error) {
	type object = map[string]any
	kubeconfig, err := json.Marshal(object{
		"apiVersion": "v1",
		"kind":       "Config",
		"clusters": []object{{"name": name, "cluster": object{
			"server":                     endpoint,
			"certificate-authority-data": certificateAuthority,
		}}},
		"users": []object{{"name": "aws", "user": object{"exec": object{
			"apiVersion": "client.authentication.k8s.io/v1beta1",
			"command":    "aws",
			"args": []string{
				"eks", "get-token", "--cluster-name", name, "--region", region, "--output", "json",
			},
			"interactiveMode": "Never",
		}}}},
		"contexts":        []object{{"name": name, "context": object{"cluster": name, "user": "aws"}}},
		"current-context": name,
	})
	return string(kubeconfig), err
}
