package tests

import (
	"encoding/json"
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
