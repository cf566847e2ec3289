package cluster

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	apiregistrationv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiregistration/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Load balancer classes that each have one controller.
const (
	autoModeClass   = "eks.amazonaws.com/nlb"
	controllerClass = "service.k8s.aws/nlb"
)

// neededAPI is one that the cluster serves as soon as something is installed there, whoever installs it.
type neededAPI struct{ of, name string }

// neededAPIs are those without which a stack comes up, and lacks something that nothing complains about for minutes, or
// at all. The controller's is that of its TargetGroupBindings.
func (args ClusterArgs) neededAPIs(found foundCluster) []neededAPI {
	var apis []neededAPI
	if args.Autoscales {
		apis = append(apis, neededAPI{"metrics-server", "v1beta1.metrics.k8s.io"})
	}
	// The Service's annotations are for this controller alone. Auto Mode serves a Service without a class, too:
	// https://docs.aws.amazon.com/eks/latest/userguide/auto-configure-nlb.html
	byDefault := args.LoadBalancerClass == "" && args.EKS != "" && !found.autoModeLoadBalancing && !args.OtherLoadBalancer
	if byDefault || args.LoadBalancerClass == controllerClass {
		apis = append(apis, neededAPI{"load-balancer-controller", "v1beta1.elbv2.k8s.aws"})
	}
	if len(apis) == 0 {
		// Every cluster serves it. A preview that reads nothing passes with a cluster that can't be reached.
		apis = append(apis, neededAPI{"api-server", "v1.apps"})
	}
	return apis
}

// readAPIs fails where the cluster doesn't serve an API. The provider can read an object by its name and can't ask for
// one that may not be there: so the error is the engine's, and names the object and the resource here.
func (c *Cluster) readAPIs(ctx *pulumi.Context, name string, apis []neededAPI) error {
	for _, api := range apis {
		_, err := apiregistrationv1.GetAPIService(ctx, name+"-needs-"+api.of, pulumi.ID(api.name), nil,
			pulumi.Parent(c), pulumi.Provider(c.Provider))
		if err != nil {
			return fmt.Errorf("read API %s: %w", api.name, err)
		}
	}
	return nil
}

func autoModeLoadBalancing(cluster *eks.LookupClusterResult) bool {
	return slices.ContainsFunc(cluster.KubernetesNetworkConfigs, func(config eks.GetClusterKubernetesNetworkConfig) bool {
		return slices.ContainsFunc(config.ElasticLoadBalancings, func(l eks.GetClusterKubernetesNetworkConfigElasticLoadBalancing) bool { return l.Enabled })
	})
}
