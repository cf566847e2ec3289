package tests

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/cluster"
	"threetier/internal/network"
	"threetier/internal/recorder"
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
	assert.Equal(t, "threetier-dev-admin@acme", provider.Input(t, "clusterIdentifier"))
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
		"while it is updated":                      {eksArgs, func(n *recorder.Network) { n.Status = "UPDATING" }, ""},
		"an unknown version":                       {eksArgs, func(n *recorder.Network) { n.Version = "2" }, "version of EKS cluster acme is 2, want"},
		"no nodes yet":                             {eksArgs, func(n *recorder.Network) { n.NodeGroups = nil }, ""},
		"one node of two":                          {eksArgs, func(n *recorder.Network) { n.NodeGroups = []string{"sg-nodes", "sg-cluster"} }, ""},
		"nodes let in by name":                     {cluster.ClusterArgs{EKS: "acme", Region: "eu-west-1", ClientSecurityGroupIDs: []string{"sg-nodes"}}, func(n *recorder.Network) { n.NodeGroups = []string{"sg-nodes"} }, ""},
		"no tag, but a controller that needs none": {eksArgs, func(n *recorder.Network) { n.Untagged = true }, ""},
		"no tag and no public subnet": {eksArgs, func(n *recorder.Network) {
			n.Untagged, n.Subnets = true, n.Subnets[2:]
		}, "in VPC vpc-0123, which has no public subnet at all"},
		"internal, no tag, Auto Mode": {cluster.ClusterArgs{EKS: "acme", Region: "eu-west-1", InternalLoadBalancer: true}, func(n *recorder.Network) {
			n.Untagged, n.AutoMode = true, true
		}, "number of subnets with the tag kubernetes.io/role/internal-elb of EKS cluster acme is 0, want 1 or more"},
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
