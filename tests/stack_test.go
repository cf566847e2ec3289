package tests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
)

// Type tokens that several tests name.
const (
	instanceType     = "aws:rds/instance:Instance"
	subscriptionType = "aws:rds/eventSubscription:EventSubscription"
	alarmType        = "aws:cloudwatch/metricAlarm:MetricAlarm"
	versionType      = "aws:secretsmanager/secretVersion:SecretVersion"
	namespaceType    = "kubernetes:core/v1:Namespace"
	ingressType      = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
)

// deploy records the whole stack of a config.
func deploy(t *testing.T, name string, config *project.Config) *recorder.Recording {
	t.Helper()
	return recorder.MustRun(t, stack.Deploy, recorder.Options{Stack: name, Config: config})
}

// refusals are the lines of the error that a stack config is refused with. Nothing may be registered then.
func refusals(t *testing.T, config *project.Config) []string {
	t.Helper()
	recording, err := recorder.Run(stack.Deploy, recorder.Options{Config: config})
	require.Error(t, err)
	assert.Empty(t, recording.Names(), "nothing is registered")
	assert.Empty(t, recording.Lookups, "nothing is looked up")
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); strings.Contains(line, ", want ") {
			lines = append(lines, line)
		}
	}
	editorRefusesToo(t, config, lines)
	return lines
}

func TestEveryResourceOfAStackHasAParentAndOfKubernetesTheClustersProvider(t *testing.T) {
	for _, name := range []string{"dev", "prod", "full"} {
		recording := deploy(t, name, project.StackConfig(t, name))
		for _, res := range recording.Resources {
			isTop := slices.Contains([]string{"threetier:index:Cluster", "threetier:index:Database", "threetier:index:Domain", "threetier:index:App", "threetier:index:DomainRecords", "threetier:index:Alarms"}, res.Type)
			assert.Equal(t, isTop, res.Parent == "", "%s %s", res.Type, res.Name)
			assert.Equal(t, strings.HasPrefix(res.Type, "kubernetes:"), strings.Contains(res.Provider, "cluster-provider"), "%s %s", res.Type, res.Name)
		}
	}
}

func TestDatabaseComesBeforeTheNamespace(t *testing.T) {
	// The order of what doesn't depend on each other is a matter of luck: one run proves little.
	for range 20 {
		recording := deploy(t, "dev", project.StackConfig(t, "dev"))
		index := func(typ string) int {
			return slices.IndexFunc(recording.Resources, func(res recorder.Resource) bool { return res.Type == typ })
		}
		require.Less(t, index(instanceType), index(namespaceType))
		app := recording.One(t, "threetier:index:App")
		require.Contains(t, app.DependsOn, recording.One(t, instanceType).URN)
		require.Contains(t, app.DependsOn, recording.One(t, ingressType).URN)
	}
}

// What holds data keeps its name for ever: another name is another resource, and the end of the data.
func TestNamesOfWhatHoldsDataStay(t *testing.T) {
	recording := deploy(t, "prod", project.StackConfig(t, "prod").Set(t, "threetier:database.readReplicas", 1))
	database := "urn:pulumi:prod::threetier::threetier:index:Database::database"
	for _, pinned := range []struct{ typ, name string }{
		{instanceType, "database"},
		{instanceType, "database-replica-1"},
		{"aws:rds/subnetGroup:SubnetGroup", "database-subnets"},
		{"aws:rds/parameterGroup:ParameterGroup", "database-parameters-17"},
		{"aws:ec2/securityGroup:SecurityGroup", "database-security-group"},
		{"aws:secretsmanager/secret:Secret", "database-password"},
		{versionType, "database-password-v1"},
		{"aws:secretsmanager/secret:Secret", "database-password-migration"},
		{"aws:secretsmanager/secret:Secret", "database-password-a"},
		{"aws:secretsmanager/secret:Secret", "database-password-b"},
	} {
		assert.Equal(t, database, recording.Named(t, pinned.typ, pinned.name).Parent, pinned.name)
	}
	namespace := recording.Named(t, namespaceType, "app")
	assert.Equal(t, "urn:pulumi:prod::threetier::threetier:index:App::app", namespace.Parent)
	assert.Equal(t, "threetier-prod-database", recording.Named(t, instanceType, "database").Input(t, "identifier"))
}

func TestStacksOfOneProjectShareNoNames(t *testing.T) {
	taken := map[string]string{}
	for _, name := range []string{"dev", "prod", "full"} {
		for _, res := range deploy(t, name, project.StackConfig(t, name)).Resources {
			var key string
			switch res.Type {
			case instanceType:
				key = fmt.Sprint(res.Input(t, "identifier"))
			case "aws:cloudwatch/logGroup:LogGroup":
				key = fmt.Sprint(res.Input(t, "name"))
			case dashboardType:
				key = "dashboard " + fmt.Sprint(res.Input(t, "dashboardName"))
			case namespaceType:
				key = fmt.Sprint(res.Input(t, "metadata.name"))
			default:
				continue
			}
			assert.Empty(t, taken[key], "%s is in two stacks", key)
			taken[key] = name
		}
	}
	assert.Contains(t, taken, "threetier-dev")
}

func TestMinimalConfigIsTwoImagesAClusterARegionAndALifecycle(t *testing.T) {
	recording := deploy(t, "try", project.YAML(t, `
config:
  aws:region: eu-central-1
  threetier:cluster: {eks: acme}
  threetier:database: {lifecycle: disposable}
  threetier:backend: {image: example.org/api:1}
  threetier:frontend: {image: example.org/pages:1}
`))
	assert.Equal(t, "threetier-try", recording.One(t, namespaceType).Input(t, "metadata.name"))
	assert.Equal(t, "db.t4g.micro", recording.One(t, instanceType).Input(t, "instanceClass"))
}

// marker is in every secret that a test searches for.
const marker = "m4rk3d-S3CR3T-value"

func TestSecretsAppearInSecretInputsOnly(t *testing.T) {
	config := project.StackConfig(t, "dev").
		SetSecret(t, "threetier:database.password", marker+"-db").
		SetSecret(t, "threetier:backend.secretEnv.JWT_SECRET_KEY", marker+"-jwt").
		SetSecret(t, "threetier:frontend.env.API_KEY", marker+"-api")
	recording := deploy(t, "dev", config)
	for _, res := range recording.Resources {
		assert.NotContains(t, fmt.Sprint(res.Plain()), marker, "%s %s", res.Type, res.Name)
	}
	assert.Equal(t, marker+"-db", recording.Named(t, versionType, "database-password-own").Input(t, "secretString"))
	assert.True(t, recording.One(t, instanceType).IsSecret(t, "password"))
	all := ""
	for _, secret := range recording.All("kubernetes:core/v1:Secret") {
		all += fmt.Sprint(secret.SecretData(t))
	}
	for _, kind := range []string{"-db", "-jwt", "-api"} {
		assert.Contains(t, all, marker+kind, "held by a Kubernetes Secret")
	}
}

func TestGeneratedPasswordAppearsInSecretInputsOnly(t *testing.T) {
	recording := deploy(t, "dev", project.StackConfig(t, "dev"))
	require.Len(t, recording.All(versionType), 3)
	for _, version := range recording.All(versionType) {
		password := version.Input(t, "secretString").(string)
		require.Regexp(t, `^[A-Za-z0-9]{32}$`, password)
		for _, res := range recording.Resources {
			assert.NotContains(t, fmt.Sprint(res.Plain()), password, "%s %s", res.Type, res.Name)
		}
	}
}

func TestErrorOfTheStackNeverShowsASecret(t *testing.T) {
	config := project.StackConfig(t, "dev").
		SetSecret(t, "threetier:database.password", "short@"+marker+" ").
		SetSecret(t, "threetier:database.instanceClass", marker).
		SetSecret(t, "threetier:backend.secretEnv", marker).
		SetSecret(t, "threetier:backend.unknown", marker).
		SetSecret(t, "threetier:nginx.maxBodySize", marker)
	_, err := recorder.Run(stack.Deploy, recorder.Options{Config: config})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), marker)
	assert.Contains(t, err.Error(), "threetier:database.password is [secret]")
	assert.Contains(t, err.Error(), "threetier:backend.unknown is [secret]")
}

func TestNetworkMayNameOnlyWhatDiffersFromTheClusters(t *testing.T) {
	subnets := []string{"subnet-isolateda", "subnet-isolatedb"}
	network := recorder.TwoZones()
	for i, zone := range []string{"eu-west-1a", "eu-west-1b"} {
		network.Others = append(network.Others, recorder.Subnet{ID: subnets[i], Zone: zone})
	}
	recording := recorder.MustRun(t, stack.Deploy, recorder.Options{
		Network: network, Config: project.StackConfig(t, "dev").Set(t, "threetier:database.network.subnetIds", subnets),
	})
	assert.Equal(t, []any{subnets[0], subnets[1]}, recording.One(t, "aws:rds/subnetGroup:SubnetGroup").Input(t, "subnetIds"))
	assert.Equal(t, "vpc-0123", recording.One(t, "aws:ec2/securityGroup:SecurityGroup").Input(t, "vpcId"))
	assert.Equal(t, recorder.ClusterSecurityGroup, recording.One(t, ingressType).Input(t, "referencedSecurityGroupId"))
}

func TestAppHasTheDatabasesAddressInItsPods(t *testing.T) {
	recording := deploy(t, "dev", project.StackConfig(t, "dev"))
	address := "threetier-dev-database.abcdefghijkl.eu-west-1.rds.amazonaws.com"
	deployment := recording.Named(t, "kubernetes:apps/v1:Deployment", "app-backend")
	assert.Contains(t, fmt.Sprint(deployment.Input(t, "spec.template.spec.containers[0].env")), address)
}

func TestReplicaIsTheReaderHost(t *testing.T) {
	config := project.StackConfig(t, "prod").
		Set(t, "threetier:database.readReplicas", 1).
		Set(t, "threetier:backend.databaseEnv", map[string]string{"WRITE": "{host}", "READ": "{readerHost}"})
	deployment := deploy(t, "prod", config).Named(t, "kubernetes:apps/v1:Deployment", "app-backend")
	env := fmt.Sprint(deployment.Input(t, "spec.template.spec.containers[0].env"))
	assert.Contains(t, env, "name:READ value:threetier-prod-database-replica-1.")
	assert.Contains(t, env, "name:WRITE value:threetier-prod-database.")
}

func TestProgramOfAnotherProjectNameReadsTheSameKeys(t *testing.T) {
	// The keys are the program's, not the project's: a fork that renames its project keeps its stack configs.
	config := project.StackConfig(t, "dev")
	recording, err := recorder.Run(stack.Deploy, recorder.Options{Config: config, Project: "shop"})
	require.NoError(t, err)
	assert.Equal(t, "shop-dev", recording.One(t, namespaceType).Input(t, "metadata.name"))
}
