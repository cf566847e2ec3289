package cluster

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/network"
	"threetier/internal/problems"
)

// leastMinor is the first Kubernetes 1.x that accepts the pods: older ones refuse the sysctls of their socket buffers.
const leastMinor = 32

// preflight finds what a stack would miss in an EKS cluster minutes later, and with less to go by.
type preflight struct {
	ctx     *pulumi.Context
	args    ClusterArgs
	cluster *eks.LookupClusterResult
	lookups []pulumi.InvokeOption
}

// problems are the unmet needs, a line each. An error means that a lookup itself failed.
func (p preflight) problems() (problems.List, error) {
	ps := slices.Concat(p.statusProblems(), p.versionProblems(), p.classProblems())
	for _, look := range []func() (problems.List, error){p.loadBalancerProblems, p.nodeProblems} {
		more, err := look()
		if err != nil {
			return nil, err
		}
		ps = append(ps, more...)
	}
	for i := range ps {
		ps[i].Path += " of EKS cluster " + p.args.EKS
	}
	if warning := p.openBoundaries(); warning != "" {
		return ps, p.ctx.Log.Warn(warning, nil)
	}
	return ps, nil
}

// statusProblems let an update pass: the API server answers all through it.
func (p preflight) statusProblems() problems.List {
	if slices.Contains([]string{"ACTIVE", "UPDATING"}, p.cluster.Status) {
		return nil
	}
	return problems.List{{Path: "status", Value: p.cluster.Status, Want: "ACTIVE"}}
}

func (p preflight) versionProblems() problems.List {
	_, minor, _ := strings.Cut(p.cluster.Version, ".")
	if number, err := strconv.Atoi(minor); err == nil && number >= leastMinor {
		return nil
	}
	return problems.List{{Path: "version", Value: p.cluster.Version, Want: fmt.Sprintf("1.%d or later", leastMinor)}}
}

// classProblems are of the one class that nobody but Auto Mode serves.
func (p preflight) classProblems() problems.List {
	if p.args.LoadBalancerClass != autoModeClass || autoModeLoadBalancing(p.cluster) {
		return nil
	}
	return problems.List{{
		Path: "load balancing by Auto Mode", Value: "off",
		Want: "on: threetier:nginx.loadBalancer.class is " + autoModeClass + ", which nothing else serves",
	}}
}

// enforced is how the add-on's configuration, which may be JSON or YAML, switches network policies on.
// https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html
var enforced = regexp.MustCompile(`enableNetworkPolicy"?\s*:\s*["']?true`)

// noAddon is the provider's word for an add-on that EKS doesn't manage.
const noAddon = "couldn't find resource"

// openBoundaries warns by the VPC CNI where EKS manages it. Another network plugin may enforce the policies beside it, so
// that neither it nor a lookup that fails is a reason to refuse; of Auto Mode's nodes, and of a plugin that somebody else
// installed, AWS knows nothing.
func (p preflight) openBoundaries() string {
	if p.autoMode() {
		return ""
	}
	addon, err := eks.LookupAddon(p.ctx, &eks.LookupAddonArgs{ClusterName: p.args.EKS, AddonName: "vpc-cni"}, p.lookups...)
	switch {
	case err != nil && strings.Contains(err.Error(), noAddon):
		return ""
	case err != nil:
		return fmt.Sprintf("whether EKS cluster %s enforces network policies isn't known: look up the add-on vpc-cni: %v", p.args.EKS, err)
	case enforced.MatchString(addon.ConfigurationValues):
		return ""
	}
	return fmt.Sprintf("the add-on vpc-cni of EKS cluster %s doesn't enforce network policies: unless something else does, "+
		"all pods of the cluster reach those of the stack. Set enableNetworkPolicy in the add-on's configuration", p.args.EKS)
}

// loadBalancerProblems find subnets as the load balancer's controller does: by their tag. From version 2.12.1 on, the AWS
// Load Balancer Controller takes any public subnet where none has the tag, and any private one for an internal load balancer.
// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/subnet_discovery
// https://docs.aws.amazon.com/eks/latest/userguide/tag-subnets-auto.html
func (p preflight) loadBalancerProblems() (problems.List, error) {
	vpc, tag := p.cluster.VpcConfig.VpcId, "kubernetes.io/role/elb"
	if p.args.InternalLoadBalancer {
		tag = "kubernetes.io/role/internal-elb"
	}
	ofVPC := ec2.GetSubnetsFilter{Name: "vpc-id", Values: []string{vpc}}
	tagged, err := ec2.GetSubnets(p.ctx, &ec2.GetSubnetsArgs{
		Filters: []ec2.GetSubnetsFilter{ofVPC, {Name: "tag:" + tag, Values: []string{"1", ""}}},
	}, p.lookups...)
	if err != nil {
		return nil, fmt.Errorf("look up the subnets of VPC %s with the tag %s: %w", vpc, tag, err)
	}
	if len(tagged.Ids) > 0 {
		return nil, nil
	}
	problem := problems.Problem{
		Path: "number of subnets with the tag " + tag, Value: "0",
		Want: "1 or more: the load balancer's controller looks for the tag in VPC " + vpc,
	}
	if p.autoMode() {
		return problems.List{problem}, nil
	}
	if !p.args.InternalLoadBalancer {
		public, err := p.hasPublicSubnet(ofVPC)
		if err != nil || !public {
			problem.Want += ", which has no public subnet at all"
			return problems.List{problem}, err
		}
	}
	return nil, p.ctx.Log.Warn(fmt.Sprintf("no subnet of VPC %s has the tag %s: before version 2.12.1, the AWS Load Balancer "+
		"Controller finds no place for the load balancer", vpc, tag), nil)
}

func (p preflight) autoMode() bool {
	return slices.ContainsFunc(p.cluster.ComputeConfigs, func(c eks.GetClusterComputeConfig) bool { return c.Enabled })
}

func (p preflight) hasPublicSubnet(ofVPC ec2.GetSubnetsFilter) (bool, error) {
	all, err := ec2.GetSubnets(p.ctx, &ec2.GetSubnetsArgs{Filters: []ec2.GetSubnetsFilter{ofVPC}}, p.lookups...)
	if err != nil {
		return false, fmt.Errorf("look up the subnets of VPC %s: %w", p.cluster.VpcConfig.VpcId, err)
	}
	public, err := network.PublicSubnets(p.ctx, p.cluster.VpcConfig.VpcId, p.lookups...)
	return slices.ContainsFunc(all.Ids, public), err
}

// nodeProblems are about running nodes none of which the database would let in. Nodes carry the cluster's name in a tag,
// whoever starts them; a cluster that has none yet, or Fargate alone, passes.
// https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html#launch-template-security-groups
func (p preflight) nodeProblems() (problems.List, error) {
	groups := p.args.ClientSecurityGroupIDs
	if groups == nil {
		groups = []string{p.cluster.VpcConfig.ClusterSecurityGroupId}
	}
	ofCluster := ec2.GetInstancesFilter{Name: "tag:kubernetes.io/cluster/" + p.args.EKS, Values: []string{"owned", "shared"}}
	inGroups := ec2.GetInstancesFilter{Name: "instance.group-id", Values: groups}
	nodes, err := ec2.GetInstances(p.ctx, &ec2.GetInstancesArgs{Filters: []ec2.GetInstancesFilter{ofCluster}}, p.lookups...)
	if err != nil {
		return nil, fmt.Errorf("look up the nodes of EKS cluster %s: %w", p.args.EKS, err)
	}
	if len(nodes.Ids) == 0 {
		return nil, nil
	}
	let, err := ec2.GetInstances(p.ctx, &ec2.GetInstancesArgs{Filters: []ec2.GetInstancesFilter{ofCluster, inGroups}}, p.lookups...)
	if err != nil {
		return nil, fmt.Errorf("look up the nodes of EKS cluster %s in %s: %w", p.args.EKS, strings.Join(groups, ", "), err)
	}
	if len(let.Ids) > 0 {
		return nil, nil
	}
	return problems.List{{
		Path: "number of nodes in " + strings.Join(groups, " or "), Value: fmt.Sprintf("0 of %d", len(nodes.Ids)),
		Want: "1 or more, since the database lets in nobody else: name a security group of the nodes in " +
			"threetier:database.network.clientSecurityGroupIds",
	}}, nil
}
