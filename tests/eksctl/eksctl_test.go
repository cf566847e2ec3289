// Package eksctl tests the files of docs/cluster: eksctl takes them, and they fit the stack configs.
package eksctl

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
)

func file(name string) string { return filepath.Join(project.Root(), "docs", "cluster", name) }

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(file(name))
	require.NoError(t, err)
	return string(text)
}

// check is eksctl's own schema on the text of a config.
func check(t *testing.T, text string) error {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("schema.json")
	require.NoError(t, err)
	var value any
	require.NoError(t, encoding.YAML.Unmarshal([]byte(text), &value))
	data, err := json.Marshal(value)
	require.NoError(t, err)
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	require.NoError(t, err)
	return schema.Validate(instance)
}

// cluster is what of a ClusterConfig has to fit a stack config.
type cluster struct {
	Metadata struct{ Name, Region, Version string }
	AddOns   []struct{ Name string } `yaml:"addons"`
	AutoMode struct {
		Enabled   bool
		NodePools []string `yaml:"nodePools"`
	} `yaml:"autoModeConfig"`
	Access struct {
		Mode string `yaml:"authenticationMode"`
	} `yaml:"accessConfig"`
	VPC struct {
		CIDR string
		NAT  struct{ Gateway string }
	}
}

func TestClusterConfigsAreTakenByEksctlAndFitTheStacks(t *testing.T) {
	networks := map[string]bool{}
	for _, stack := range []string{"dev", "prod"} {
		text := read(t, stack+".yaml")
		require.NoError(t, check(t, text), stack)
		var parsed cluster
		require.NoError(t, encoding.YAML.Unmarshal([]byte(text), &parsed))
		config := project.StackConfig(t, stack)
		region, err := config.Text("aws:region")
		require.NoError(t, err)
		name, err := config.Text("threetier:cluster")
		require.NoError(t, err)
		assert.Equal(t, region, parsed.Metadata.Region)
		assert.JSONEq(t, `{"eks": "`+parsed.Metadata.Name+`"}`, name)
		assert.True(t, parsed.AutoMode.Enabled)
		assert.Contains(t, parsed.AutoMode.NodePools, "general-purpose", "or no pod of the app gets a node")
		assert.Equal(t, "metrics-server", parsed.AddOns[0].Name)
		assert.Equal(t, "API", parsed.Access.Mode, "the workflows' roles come in by access entries")
		assert.NotEqual(t, "Disable", parsed.VPC.NAT.Gateway, "the private subnets lead out")
		assert.GreaterOrEqual(t, parsed.Metadata.Version, "1.32")
		networks[parsed.VPC.CIDR] = true
	}
	assert.Len(t, networks, 2, "networks that overlap can't be peered")
}

func TestMisspelledKeyOfAClusterConfigIsFound(t *testing.T) {
	text := read(t, "dev.yaml")
	for _, edit := range [][2]string{{"nodePools:", "nodePool:"}, {"gateway: Single", "gateway: One"}, {"enabled: true", "enabled: yes please"}, {"addons:", "addOns:"}} {
		require.Contains(t, text, edit[0])
		assert.Error(t, check(t, strings.Replace(text, edit[0], edit[1], 1)), edit[1])
	}
}

func TestNetworkPoliciesAreSwitchedOnWhereAutoModeLooks(t *testing.T) {
	var parsed struct {
		Kind     string
		Metadata struct{ Name, Namespace string }
		Data     map[string]string
	}
	require.NoError(t, encoding.YAML.Unmarshal([]byte(read(t, "network-policies.yaml")), &parsed))
	assert.Equal(t, "ConfigMap kube-system/amazon-vpc-cni", parsed.Kind+" "+parsed.Metadata.Namespace+"/"+parsed.Metadata.Name)
	assert.Equal(t, map[string]string{"enable-network-policy-controller": "true"}, parsed.Data)
}
