package tests

import (
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/platform"
)

// platformConfig is the config of a platform, in which one text stands for another.
func platformConfig(t *testing.T, stack string, replace ...string) *project.Config {
	t.Helper()
	text, err := os.ReadFile(project.File(project.Root(), "platform-"+stack))
	require.NoError(t, err)
	for i := 0; i < len(replace); i += 2 {
		require.Contains(t, string(text), replace[i])
	}
	return project.YAML(t, strings.NewReplacer(replace...).Replace(string(text)))
}

func runPlatform(t *testing.T, stack string, config *project.Config) (*recorder.Recording, error) {
	t.Helper()
	return recorder.Run(platform.Deploy, recorder.Options{Project: "threetier-platform", Stack: stack, Config: config})
}

func mustRunPlatform(t *testing.T, stack string, replace ...string) *recorder.Recording {
	t.Helper()
	run, err := runPlatform(t, stack, platformConfig(t, stack, replace...))
	require.NoError(t, err)
	return run
}

// What the stack's config looks for has the name that the platform gives it.
func TestPlatformHasTheNamesThatTheStackLooksFor(t *testing.T) {
	for _, stack := range []string{"dev", "prod"} {
		run := mustRunPlatform(t, stack)
		config, ofPlatform := project.StackConfig(t, stack), platformConfig(t, stack)
		var cluster struct{ EKS string }
		require.NoError(t, config.Decode("threetier:cluster", &cluster))
		assert.Equal(t, cluster.EKS, run.One(t, "aws:eks/cluster:Cluster").Input(t, "name"))
		var alarms struct{ TopicARN string }
		require.NoError(t, config.Decode("threetier:alarms", &alarms))
		if alarms.TopicARN != "" {
			topic, _ := run.One(t, "aws:sns/topic:Topic").Input(t, "name").(string)
			assert.True(t, strings.HasSuffix(alarms.TopicARN, ":"+topic), topic)
			assert.Contains(t, run.Names(), "aws:iam/policy:Policy access-deploy-alarms")
		}
		want, err := config.Text("aws:region")
		require.NoError(t, err)
		region, err := ofPlatform.Text("aws:region")
		require.NoError(t, err)
		assert.Equal(t, want, region)
	}
	images, err := os.ReadFile(project.Root() + "/docs/iam/images.json")
	require.NoError(t, err)
	for _, repository := range mustRunPlatform(t, "dev").All("aws:ecr/repository:Repository") {
		assert.Contains(t, string(images), "repository/"+repository.Input(t, "name").(string))
	}
}

// RDS wants private subnets in two zones, load balancers theirs by a tag, and nodes a way to the internet.
func TestNetworkIsWhatAClusterAndADatabaseWant(t *testing.T) {
	var networks []netip.Prefix
	for stack, want := range map[string]struct{ zones, gateways int }{"dev": {2, 1}, "prod": {3, 3}} {
		run := mustRunPlatform(t, stack)
		network := netip.MustParsePrefix(run.One(t, "aws:ec2/vpc:Vpc").Input(t, "cidrBlock").(string))
		for _, other := range networks {
			assert.False(t, network.Overlaps(other), "networks that overlap can't be peered")
		}
		networks = append(networks, network)
		zones := map[string][]any{}
		var blocks []netip.Prefix
		for _, subnet := range run.All("aws:ec2/subnet:Subnet") {
			block := netip.MustParsePrefix(subnet.Input(t, "cidrBlock").(string))
			assert.True(t, network.Contains(block.Addr()) && block.Bits() > network.Bits(), "%s isn't in %s", block, network)
			for _, other := range blocks {
				assert.False(t, block.Overlaps(other), "%s overlaps %s", block, other)
			}
			blocks = append(blocks, block)
			tags := subnet.Input(t, "tags").(map[string]any)
			role := "kubernetes.io/role/elb"
			if strings.Contains(subnet.Name, "private") {
				role = "kubernetes.io/role/internal-elb"
			}
			assert.Equal(t, "1", tags[role], subnet.Name)
			zones[role] = append(zones[role], subnet.Input(t, "availabilityZone"))
		}
		require.Len(t, zones, 2)
		for role, of := range zones {
			assert.Len(t, slices.Compact(of), want.zones, role)
		}
		assert.Len(t, run.All("aws:ec2/natGateway:NatGateway"), want.gateways)
		assert.Len(t, run.All("aws:ec2/routeTableAssociation:RouteTableAssociation"), 2*want.zones)
		for _, route := range run.All("aws:ec2/route:Route") {
			toInternet := route.Input(t, "gatewayId") != nil
			assert.Equal(t, route.Name == "network-public", toInternet, route.Name)
			assert.Equal(t, !toInternet, route.Input(t, "natGatewayId") != nil, route.Name)
		}
		cluster := run.One(t, "aws:eks/cluster:Cluster")
		assert.Len(t, cluster.Input(t, "vpcConfig.subnetIds"), want.zones, "nodes are in the private subnets")
		for _, input := range []string{"enableDnsSupport", "enableDnsHostnames"} {
			assert.Equal(t, true, run.One(t, "aws:ec2/vpc:Vpc").Input(t, input), "EKS and RDS want names in the VPC")
		}
		private := len(run.All("aws:ec2/routeTable:RouteTable")) - 1
		assert.Len(t, run.One(t, "aws:ec2/vpcEndpoint:VpcEndpoint").Input(t, "routeTableIds"), private, "images reach no node by a gateway that is paid by size")
	}
}

// EKS switches the three parts of Auto Mode on together, or refuses.
func TestClusterIsOneOfAutoMode(t *testing.T) {
	run := mustRunPlatform(t, "prod")
	cluster := run.One(t, "aws:eks/cluster:Cluster")
	for path, want := range map[string]any{
		"computeConfig.enabled": true, "kubernetesNetworkConfig.elasticLoadBalancing.enabled": true, "storageConfig.blockStorage.enabled": true,
		"bootstrapSelfManagedAddons": false, "accessConfig.authenticationMode": "API", "upgradePolicy.supportType": "STANDARD",
		"computeConfig.nodePools": []any{"general-purpose", "system"}, "vpcConfig.endpointPrivateAccess": true,
		"enabledClusterLogTypes": []any{"audit", "authenticator"},
	} {
		assert.Equal(t, want, cluster.Input(t, path), path)
	}
	assert.Equal(t, "metrics-server", run.One(t, "aws:eks/addon:Addon").Input(t, "addonName"))
	assert.Equal(t, "/aws/eks/acme-prod/cluster", run.Named(t, "aws:cloudwatch/logGroup:LogGroup", "cluster-logs").Input(t, "name"))
	policies := run.Named(t, "kubernetes:core/v1:ConfigMap", "cluster-network-policies")
	assert.Equal(t, map[string]any{"name": "amazon-vpc-cni", "namespace": "kube-system"}, policies.Input(t, "metadata"))
	assert.Equal(t, map[string]any{"enable-network-policy-controller": "true"}, policies.Input(t, "data"))
	attached := map[string][]string{}
	for _, res := range run.All("aws:iam/rolePolicyAttachment:RolePolicyAttachment") {
		for _, of := range []string{"cluster-control", "cluster-nodes"} {
			if policy, isOf := strings.CutPrefix(res.Name, of+"-"); isOf {
				attached[of] = append(attached[of], policy)
				assert.Contains(t, cluster.DependsOn, res.URN, "the cluster is deleted before its role loses its rights")
			}
		}
	}
	assert.ElementsMatch(t, []string{"AmazonEKSBlockStoragePolicy", "AmazonEKSClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy"}, attached["cluster-control"])
	assert.ElementsMatch(t, []string{"AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy"}, attached["cluster-nodes"])
	assert.Contains(t, run.Named(t, "aws:iam/role:Role", "cluster-control").Input(t, "assumeRolePolicy"), "sts:TagSession")
	for _, res := range run.Resources {
		if strings.HasPrefix(res.Type, "kubernetes:") {
			assert.Contains(t, res.Provider, "::cluster-provider::", "%s is in the new cluster", res.Name)
		}
	}
	assert.True(t, cluster.Protect)
	assert.True(t, run.One(t, "aws:ec2/vpc:Vpc").Protect)
}

func TestTeamWithANetworkOrAClusterGetsTheRest(t *testing.T) {
	text := func(network, cluster string) *project.Config {
		return project.YAML(t, "config:\n  aws:region: eu-west-1\n"+network+"  platform:cluster: "+cluster+"\n")
	}
	run, err := runPlatform(t, "dev", text("  platform:network: {subnetIds: [subnet-0a, subnet-0b]}\n", `{name: theirs, version: "1.35"}`))
	require.NoError(t, err)
	assert.Empty(t, run.All("aws:ec2/vpc:Vpc"))
	assert.Equal(t, []any{"subnet-0a", "subnet-0b"}, run.One(t, "aws:eks/cluster:Cluster").Input(t, "vpcConfig.subnetIds"))

	run, err = runPlatform(t, "dev", text("", "{name: theirs, existing: true}"))
	require.NoError(t, err)
	for _, res := range run.Resources {
		assert.NotRegexp(t, "^aws:(ec2/|eks/cluster:)", res.Type)
	}
	assert.Empty(t, run.All("kubernetes:core/v1:ConfigMap"), "its network policies are its owner's")
	for _, entry := range run.All("aws:eks/accessEntry:AccessEntry") {
		assert.Equal(t, "theirs", entry.Input(t, "clusterName"))
	}
	policy, _ := run.Named(t, "aws:iam/rolePolicy:RolePolicy", "access-deploy").Input(t, "policy").(string)
	assert.Contains(t, policy, "arn:aws:eks:*:123456789012:cluster/theirs")
	assert.NotContains(t, policy, "acme-dev")
}

// A reader's role may be anybody's in the team.
func TestPeopleSeeOneNamespaceAndNoSecrets(t *testing.T) {
	people := []string{"arn:aws:iam::123456789012:role/team"}
	run, err := runPlatform(t, "dev", platformConfig(t, "dev").Set(t, "platform:access.readers", people).Set(t, "platform:access.onCall", people))
	require.NoError(t, err)
	seen := run.All("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
	require.Len(t, seen, 2)
	for _, of := range seen {
		assert.Equal(t, "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", of.Input(t, "policyArn"), "AmazonEKSAdminViewPolicy reads Secrets")
		assert.Equal(t, map[string]any{"type": "namespace", "namespaces": []any{"threetier-dev"}}, of.Input(t, "accessScope"), of.Name)
	}
}

func TestMistakesOfAPlatformsConfigAreSaidTogether(t *testing.T) {
	for name, c := range map[string]struct {
		replace []string
		want    []string
	}{
		"overlong and public": {[]string{"10.30.0.0/16", "52.30.0.0/16"}, []string{"platform:network.cidr is 52.30.0.0/16, want the first address of a private network, as 10.20.0.0/16"}},
		"no network":          {[]string{"10.30.0.0/16", "10.30.4.0/16"}, []string{"platform:network.cidr is 10.30.4.0/16, want the first address of a private network, as 10.20.0.0/16"}},
		"too large":           {[]string{"10.30.0.0/16", "10.0.0.0/8"}, []string{`platform:network.cidr is "10.0.0.0/8", want a private network of 16 to 20 bits, as 10.20.0.0/16`}},
		"another region's zone": {[]string{"eu-west-1b", "us-east-1b", "1.35", "1.31"}, []string{
			`platform:network.zones[1] is "us-east-1b", want a zone of eu-west-1`, `platform:cluster.version is "1.31", want 1.32 or later, in quotes`,
		}},
		"one zone":         {[]string{"[eu-west-1a, eu-west-1b, eu-west-1c]", "[eu-west-1a]"}, []string{`platform:network.zones is ["eu-west-1a"], want two or three availability zones`}},
		"four zones":       {[]string{"eu-west-1c]", "eu-west-1c, eu-west-1d]"}, []string{"platform:network.zones is 4 items, want two or three availability zones"}},
		"odd retention":    {[]string{"auditLogDays: 90", "auditLogDays: 91"}, []string{"platform:cluster.auditLogDays is 91, want one of 1 3 5 7 14 30 60 90 120 150 180 365 400 545 731: CloudWatch takes no other"}},
		"unknown":          {[]string{"platform:protect", "platform:protection"}, []string{"platform:protection is unknown, want one of aws:region, ", "did you mean platform:protect?"}},
		"no level":         {[]string{"auditLogDays", "auditLogsDays"}, []string{"platform:cluster.auditLogsDays is 90, want one of the keys ", "did you mean auditLogDays?"}},
		"existing network": {[]string{"name: acme-prod", "name: acme-prod\n    existing: true"}, []string{"platform:network is given with cluster.existing, want none: that cluster has its network", "platform:cluster.version is "}},
		"both networks":    {[]string{"flowLogDays: 30", "subnetIds: [subnet-0a, subnet-0b]"}, []string{"platform:network.cidr is 10.30.0.0/16, want none beside subnetIds", "platform:network.zones is "}},
		"not a flag":       {[]string{"platform:protect: true", "platform:protect: maybe"}, []string{`platform:protect is "maybe", want true or false`}},
		"zone alone":       {[]string{"alarms: true", "zoneId: Z0123456789"}, []string{`platform:access.zoneId is "Z0123456789", want names beside it`}},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := runPlatform(t, "prod", platformConfig(t, "prod", c.replace...))
			for _, want := range c.want {
				assert.ErrorContains(t, err, want)
			}
			assert.Empty(t, run.Resources, "nothing is registered before")
		})
	}
}

func TestEditorTakesThePlatformsConfigsAndUnderlinesMistakes(t *testing.T) {
	schema := schemaIn(t, "docs/platform.schema.json")
	places := func(stack, from, to string) []string {
		text, err := os.ReadFile(project.File(project.Root(), "platform-"+stack))
		require.NoError(t, err)
		require.Contains(t, string(text), from)
		var document any
		require.NoError(t, encoding.YAML.Unmarshal([]byte(strings.Replace(string(text), from, to, 1)), &document))
		content, err := json.Marshal(document)
		require.NoError(t, err)
		return underlined(t, schema, content)
	}
	assert.Empty(t, places("dev", "", ""))
	assert.Empty(t, places("prod", "", ""))
	for place, edit := range map[string][2]string{
		"platform:network.natGateways":   {"natGateways: one-per-zone", "natGateways: two"},
		"platform:network.zones.0":       {"zones: [eu-west-1a", "zones: [eu-west-1"},
		"platform:cluster":               {"auditLogDays", "auditLogsDays"},
		"platform:cluster.version":       {`"1.35"`, `"1.31"`},
		"platform:access.without.0":      {"[oidcProvider", "[provider"},
		"platform:notices.monthlyBudget": {"monthlyBudget: 850", "monthlyBudget: 0"},
		"platform:protect":               {"protect: true", "protect: maybe"},
	} {
		assert.Equal(t, []string{place}, places("prod", edit[0], edit[1]))
	}
}

func TestRolesThatTrustNobodyYetAreToldOf(t *testing.T) {
	run := mustRunPlatform(t, "dev")
	assert.Len(t, run.Warnings, 1)
	assert.Contains(t, run.Warnings[0], "make names SUBJECT=")
	run, err := runPlatform(t, "stage", platformConfig(t, "dev"))
	assert.Empty(t, run.Resources)
	assert.ErrorContains(t, err, "stack is stage, want one of which docs/iam has trust policies, as dev or prod")
}
