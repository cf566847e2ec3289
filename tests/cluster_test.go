package tests

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/cluster"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/network"
	"threetier/internal/stack"
)

const providerType = "pulumi:providers:kubernetes"

// recordCluster records a Cluster of its own.
func recordCluster(args *cluster.ClusterArgs, network *recorder.Network) (*cluster.Cluster, *recorder.Recording, error) {
	var made *cluster.Cluster
	recording, err := recorder.Run(func(ctx *pulumi.Context) (err error) {
		made, err = cluster.NewCluster(ctx, "cluster", args)
		return err
	}, recorder.Options{Network: network})
	return made, recording, err
}

var eksArgs = cluster.ClusterArgs{EKS: "acme", Region: "eu-west-1"}

const autoModeClass = "eks.amazonaws.com/nlb"

// eksOf are eksArgs with a class of load balancers.
func eksOf(class string) cluster.ClusterArgs {
	args := eksArgs
	args.LoadBalancerClass = class
	return args
}

func TestClusterIsNothingButAProvider(t *testing.T) {
	_, recording, err := recordCluster(&eksArgs, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{providerType + " cluster-provider", cluster.ClusterType + " cluster"}, recording.Names())
	assert.Equal(t, []string{providerType + " cluster-provider"}, recording.Children(recording.One(t, cluster.ClusterType)))
}

func TestKubeconfigOfEKSHoldsNoCredentialButACommandForOne(t *testing.T) {
	_, recording, err := recordCluster(&eksArgs, nil)
	require.NoError(t, err)
	var kubeconfig struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				CA     string `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User map[string]struct {
				APIVersion string   `json:"apiVersion"`
				Command    string   `json:"command"`
				Args       []string `json:"args"`
				Asks       string   `json:"interactiveMode"`
			} `json:"user"`
		} `json:"users"`
	}
	text := recording.One(t, providerType).Input(t, "kubeconfig").(string)
	require.NoError(t, json.Unmarshal([]byte(text), &kubeconfig))
	assert.Equal(t, "https://acme.eks.amazonaws.com", kubeconfig.Clusters[0].Cluster.Server)
	assert.Equal(t, "Y2VydGlmaWNhdGU=", kubeconfig.Clusters[0].Cluster.CA)
	require.Len(t, kubeconfig.Users[0].User, 1)
	exec := kubeconfig.Users[0].User["exec"]
	assert.Equal(t, "client.authentication.k8s.io/v1beta1", exec.APIVersion)
	assert.Equal(t, "aws", exec.Command)
	assert.Equal(t, []string{"eks", "get-token", "--cluster-name", "acme", "--region", "eu-west-1", "--output", "json"}, exec.Args)
	assert.Equal(t, "Never", exec.Asks, "a deployment has nobody who answers")
}

func TestClusterIsIdentifiedByItsARN(t *testing.T) {
	_, recording, err := recordCluster(&eksArgs, nil)
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:eks:eu-west-1:123456789012:cluster/acme", recording.One(t, providerType).Input(t, "clusterIdentifier"))
}

func TestOnlySubnetsWithoutARouteToAnInternetGatewayAreTaken(t *testing.T) {
	for name, test := range map[string]struct {
		network recorder.Network
		want    []string
	}{
		"own tables": {*recorder.TwoZones(), []string{"subnet-privatea", "subnet-privateb"}},
		"the main table": {recorder.Network{VPC: "vpc-0123", Subnets: []recorder.Subnet{
			{ID: "subnet-b", Zone: "eu-west-1b", Main: true}, {ID: "subnet-a", Zone: "eu-west-1a", Main: true}, {ID: "subnet-c", Zone: "eu-west-1c", Public: true},
		}}, []string{"subnet-a", "subnet-b"}},
		"a public main table": {recorder.Network{VPC: "vpc-0123", MainIsPublic: true, Subnets: []recorder.Subnet{
			{ID: "subnet-a", Zone: "eu-west-1a"}, {ID: "subnet-b", Zone: "eu-west-1b"}, {ID: "subnet-c", Zone: "eu-west-1c", Main: true},
		}}, []string{"subnet-a", "subnet-b"}},
	} {
		t.Run(name, func(t *testing.T) {
			made, _, err := recordCluster(&eksArgs, &test.network)
			require.NoError(t, err)
			assert.Equal(t, test.want, made.Network.SubnetIDs)
			assert.Equal(t, "vpc-0123", made.Network.VPCID)
			assert.Equal(t, []string{recorder.ClusterSecurityGroup}, made.Network.ClientSecurityGroupIDs)
		})
	}
}

func TestTooFewZonesIsAnErrorThatListsWhatWasFound(t *testing.T) {
	_, recording, err := recordCluster(&eksArgs, &recorder.Network{VPC: "vpc-0123", Subnets: []recorder.Subnet{
		{ID: "subnet-a", Zone: "eu-west-1a"}, {ID: "subnet-b", Zone: "eu-west-1a"}, {ID: "subnet-c", Zone: "eu-west-1c", Public: true},
	}})
	assert.ErrorContains(t, err, "find private subnets of EKS cluster acme: a database wants private subnets in at least 2 "+
		"availability zones, VPC vpc-0123 has: subnet-a (eu-west-1a, private), subnet-b (eu-west-1a, private), subnet-c (eu-west-1c, public)")
	assert.Empty(t, recording.Names())
}

func TestAnyOtherClusterIsReachedByItsKubeconfig(t *testing.T) {
	secret := pulumi.ToSecret(pulumi.String("apiVersion: v1")).(pulumi.StringOutput)
	made, recording, err := recordCluster(&cluster.ClusterArgs{Kubeconfig: secret, Context: "admin@acme"}, nil)
	require.NoError(t, err)
	provider := recording.One(t, providerType)
	assert.Equal(t, "apiVersion: v1", provider.Input(t, "kubeconfig"))
	assert.True(t, provider.IsSecret(t, "kubeconfig"))
	assert.Equal(t, "admin@acme", provider.Input(t, "context"))
	assert.Equal(t, "threetier-dev", provider.Input(t, "clusterIdentifier"))
	assert.Equal(t, network.Network{}, made.Network)
	assert.Empty(t, recording.Lookups)
}

func TestClusterRefusesWhatItCanNotFind(t *testing.T) {
	kubeconfig := pulumi.String("apiVersion: v1")
	for want, args := range map[string]*cluster.ClusterArgs{
		"args are missing": nil,
		"eks is missing, want the name of an EKS cluster, or kubeconfig instead":                  {},
		"kubeconfig is given beside eks, want one of the two":                                     {EKS: "acme", Kubeconfig: kubeconfig},
		"context is admin, want none beside eks":                                                  {EKS: "acme", Context: "admin"},
		`eks is "acme prod", want 1 to 100 letters, digits, - and _, a letter or digit first`:     {EKS: "acme prod"},
		`eks is "arn:aws:eks:x", want 1 to 100 letters, digits, - and _, a letter or digit first`: {EKS: "arn:aws:eks:x"},
	} {
		_, recording, err := recordCluster(args, nil)
		assert.ErrorContains(t, err, want)
		assert.Empty(t, recording.Names())
		assert.Empty(t, recording.Lookups)
	}
}

func TestClusterServesTheAPIsThatTheStackNeeds(t *testing.T) {
	kubeconfig := pulumi.String("apiVersion: v1")
	const metrics, controller, every, controllerClass = "v1beta1.metrics.k8s.io", "v1beta1.elbv2.k8s.aws", "v1.apps", "service.k8s.aws/nlb"
	eks := func(change func(*cluster.ClusterArgs)) cluster.ClusterArgs {
		args := eksArgs
		change(&args)
		return args
	}
	for name, test := range map[string]struct {
		args     cluster.ClusterArgs
		autoMode bool
		want     []string
	}{
		"EKS":                               {eksArgs, false, []string{controller}},
		"EKS with autoscalers":              {eks(func(a *cluster.ClusterArgs) { a.Autoscales = true }), false, []string{metrics, controller}},
		"Auto Mode":                         {eksArgs, true, []string{every}},
		"Auto Mode with the other's class":  {eksOf(controllerClass), true, []string{controller}},
		"a class of another controller":     {eksOf("example.org/nlb"), false, []string{every}},
		"annotations of another controller": {eks(func(a *cluster.ClusterArgs) { a.OtherLoadBalancer = true }), false, []string{every}},
		"a kubeconfig":                      {cluster.ClusterArgs{Kubeconfig: kubeconfig}, false, []string{every}},
		"a kubeconfig with autoscalers":     {cluster.ClusterArgs{Kubeconfig: kubeconfig, Autoscales: true}, false, []string{metrics}},
		"a kubeconfig with the class":       {cluster.ClusterArgs{Kubeconfig: kubeconfig, LoadBalancerClass: controllerClass}, false, []string{controller}},
	} {
		t.Run(name, func(t *testing.T) {
			network := recorder.TwoZones()
			network.AutoMode = test.autoMode
			run := func(missing ...string) (*recorder.Recording, error) {
				return recorder.Run(func(ctx *pulumi.Context) error {
					_, err := cluster.NewCluster(ctx, "cluster", &test.args)
					return err
				}, recorder.Options{Network: network, NoAPIs: missing})
			}
			recording, err := run()
			require.NoError(t, err)
			assert.ElementsMatch(t, test.want, recording.APIs)
			for _, api := range []string{metrics, controller, every} {
				_, err := run(api)
				if !slices.Contains(test.want, api) {
					assert.NoError(t, err)
					continue
				}
				of := map[string]string{metrics: "metrics-server", controller: "load-balancer-controller", every: "api-server"}[api]
				assert.ErrorContains(t, err, "cluster-needs-"+of+": resource '"+api+"' does not exist")
			}
		})
	}
}

func TestAStackAsksForTheAPIsOfWhatItsConfigUses(t *testing.T) {
	const metrics, controller = "v1beta1.metrics.k8s.io", "v1beta1.elbv2.k8s.aws"
	fixed := map[string]any{"min": 2, "max": 2}
	for name, test := range map[string]struct {
		change func(*project.Config) *project.Config
		want   []string
	}{
		"dev": {func(c *project.Config) *project.Config { return c }, []string{metrics, controller}},
		"as many pods all the time": {func(c *project.Config) *project.Config {
			return c.Set(t, "threetier:backend.replicas", fixed)
		}, []string{controller}},
		"a worker that is scaled": {func(c *project.Config) *project.Config {
			return c.Set(t, "threetier:backend.replicas", fixed).Set(t, "threetier:workers.mailer", map[string]any{
				"command": []any{"mailer"}, "replicas": map[string]any{"min": 1, "max": 2},
			})
		}, []string{metrics, controller}},
		"another type of load balancer": {func(c *project.Config) *project.Config {
			return c.Set(t, "threetier:nginx.loadBalancer.annotations", map[string]any{awsPrefix + "type": "nlb"})
		}, []string{metrics}},
		"another class": {func(c *project.Config) *project.Config {
			return c.Set(t, "threetier:nginx.loadBalancer.class", "example.org/nlb")
		}, []string{metrics}},
	} {
		t.Run(name, func(t *testing.T) {
			recording := recorder.MustRun(t, stack.Deploy, recorder.Options{Config: test.change(project.StackConfig(t, "dev"))})
			assert.ElementsMatch(t, test.want, recording.APIs)
		})
	}
}

func TestOpenBoundariesAreAWarningWhereEKSManagesTheNetworkPlugin(t *testing.T) {
	const warning = "the add-on vpc-cni of EKS cluster acme doesn't enforce network policies: unless something else does, all pods of the " +
		"cluster reach those of the stack. Set enableNetworkPolicy in the add-on's configuration"
	for name, test := range map[string]struct {
		change func(*recorder.Network)
		want   []string
	}{
		"on, as JSON":    {func(*recorder.Network) {}, nil},
		"on, as YAML":    {func(n *recorder.Network) { n.Addons["vpc-cni"] = "env: {}\nenableNetworkPolicy: 'true'\n" }, nil},
		"off":            {func(n *recorder.Network) { n.Addons["vpc-cni"] = `{"enableNetworkPolicy":"false"}` }, []string{warning}},
		"not configured": {func(n *recorder.Network) { n.Addons["vpc-cni"] = "" }, []string{warning}},
		"not allowed": {func(n *recorder.Network) { n.AddonsDenied = true }, []string{"whether EKS cluster acme enforces network policies isn't known: " +
			"look up the add-on vpc-cni: AccessDeniedException: not authorized to perform: eks:DescribeAddon"}},
		"not managed by EKS":   {func(n *recorder.Network) { n.Addons = nil }, nil},
		"not used: Auto Mode":  {func(n *recorder.Network) { n.Addons["vpc-cni"], n.AutoMode = "", true }, nil},
		"used for another key": {func(n *recorder.Network) { n.Addons["vpc-cni"] = `{"enableNetworkPolicyLogs":"true"}` }, []string{warning}},
	} {
		t.Run(name, func(t *testing.T) {
			network := recorder.TwoZones()
			test.change(network)
			_, recording, err := recordCluster(&eksArgs, network)
			require.NoError(t, err)
			assert.Equal(t, test.want, recording.Warnings)
		})
	}
}

// needy is a cluster that meets none of a stack's needs but its private subnets.
func needy() *recorder.Network {
	network := recorder.TwoZones()
	network.Version, network.Status, network.AutoMode, network.Untagged = "1.31", "CREATING", true, true
	network.NodeGroups = []string{"sg-nodes"}
	return network
}

func TestUnmetNeedsOfAClusterAreALineEachAndNothingIsRegistered(t *testing.T) {
	network := needy()
	network.Subnets[3].Zone = "eu-west-1a"
	_, recording, err := recordCluster(&eksArgs, network)
	require.Error(t, err)
	assert.Equal(t, []string{
		"1 error occurred:",
		"\t* create cluster cluster: status of EKS cluster acme is CREATING, want ACTIVE",
		"version of EKS cluster acme is 1.31, want 1.32 or later",
		"number of subnets with the tag kubernetes.io/role/elb of EKS cluster acme is 0, want 1 or more: the load balancer's controller looks for the tag in VPC vpc-0123",
		"number of nodes in sg-cluster of EKS cluster acme is 0 of 1, want 1 or more, since the database lets in nobody else: name a security group of the nodes in threetier:database.network.clientSecurityGroupIds",
		"find private subnets of EKS cluster acme: a database wants private subnets in at least 2 availability zones, VPC vpc-0123 has: " +
			"subnet-privatea (eu-west-1a, private), subnet-privateb (eu-west-1a, private), subnet-publica (eu-west-1a, public), subnet-publicb (eu-west-1b, public)",
	}, strings.Split(strings.TrimSpace(err.Error()), "\n"))
	assert.Empty(t, recording.Names())
}

func TestEachNeedOfAClusterIsMetByOneChange(t *testing.T) {
	for name, test := range map[string]struct {
		args    cluster.ClusterArgs
		network func(*recorder.Network)
		want    string
	}{
		"while EKS makes it":                               {eksArgs, func(n *recorder.Network) { n.Status, n.New = "CREATING", true }, "EKS cluster acme has no certificate authority yet: it is CREATING"},
		"while it is updated":                              {eksArgs, func(n *recorder.Network) { n.Status = "UPDATING" }, ""},
		"an unknown version":                               {eksArgs, func(n *recorder.Network) { n.Version = "2" }, "version of EKS cluster acme is 2, want"},
		"no nodes yet":                                     {eksArgs, func(n *recorder.Network) { n.NodeGroups = nil }, ""},
		"one node of two":                                  {eksArgs, func(n *recorder.Network) { n.NodeGroups = []string{"sg-nodes", "sg-cluster"} }, ""},
		"the nodes are of a cluster that shares them":      {eksArgs, func(n *recorder.Network) { n.NodeTag, n.NodeGroups = "shared", []string{"sg-nodes"} }, "number of nodes in sg-cluster of EKS cluster acme is 0 of 1"},
		"nodes that are no cluster's":                      {eksArgs, func(n *recorder.Network) { n.NodeTag, n.NodeGroups = "none", []string{"sg-nodes"} }, ""},
		"nodes let in by name":                             {cluster.ClusterArgs{EKS: "acme", Region: "eu-west-1", ClientSecurityGroupIDs: []string{"sg-nodes"}}, func(n *recorder.Network) { n.NodeGroups = []string{"sg-nodes"} }, ""},
		"no tag, but a controller that needs none":         {eksArgs, func(n *recorder.Network) { n.Untagged = true }, ""},
		"the tag with the value of AWS's own tools":        {eksArgs, func(n *recorder.Network) { n.AutoMode = true }, ""},
		"the tag without a value":                          {eksArgs, func(n *recorder.Network) { n.AutoMode, n.SubnetTag = true, "" }, ""},
		"the tag with a value that Auto Mode doesn't take": {eksArgs, func(n *recorder.Network) { n.AutoMode, n.SubnetTag = true, "true" }, "number of subnets with the tag kubernetes.io/role/elb of EKS cluster acme is 0, want 1 or more"},
		"no tag and no public subnet": {eksArgs, func(n *recorder.Network) {
			n.Untagged, n.Subnets = true, n.Subnets[2:]
		}, "in VPC vpc-0123, which has no public subnet at all"},
		"internal, no tag, Auto Mode": {cluster.ClusterArgs{EKS: "acme", Region: "eu-west-1", InternalLoadBalancer: true}, func(n *recorder.Network) {
			n.Untagged, n.AutoMode = true, true
		}, "number of subnets with the tag kubernetes.io/role/internal-elb of EKS cluster acme is 0, want 1 or more"},
		"the class of Auto Mode": {eksOf(autoModeClass), func(n *recorder.Network) { n.AutoMode = true }, ""},
		"the class of Auto Mode without it": {eksOf(autoModeClass), func(*recorder.Network) {}, "load balancing by Auto Mode of EKS cluster acme is off, " +
			"want on: threetier:nginx.loadBalancer.class is eks.amazonaws.com/nlb, which nothing else serves"},
		"internal, no public subnet": {cluster.ClusterArgs{EKS: "acme", Region: "eu-west-1", InternalLoadBalancer: true}, func(n *recorder.Network) { n.Subnets = n.Subnets[2:] }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			network := recorder.TwoZones()
			test.network(network)
			_, _, err := recordCluster(&test.args, network)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
			assert.Len(t, strings.Split(strings.TrimSpace(err.Error()), "\n"), 2, "one line under Pulumi's own")
		})
	}
}
