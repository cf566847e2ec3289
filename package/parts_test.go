package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"threetier/components/database"
	"threetier/components/domain"
	"threetier/gate/project"
	"threetier/gate/recorder"
)

// network is the recorded cluster's, as a program gives it.
func network() resource.PropertyValue {
	return resource.NewPropertyValue(map[string]any{
		"vpcId": "vpc-0123", "subnetIds": []any{"subnet-privatea", "subnet-privateb"}, "clientSecurityGroupIds": []any{recorder.ClusterSecurityGroup},
	})
}

// alone are the inputs of the part that is a stack's key.
func alone(t *testing.T, config, key string) resource.PropertyMap {
	t.Helper()
	all := inputs(t, text(t, config))
	part := all[resource.PropertyKey(key)].ObjectValue().Copy()
	if key == "database" {
		delete(part, "clientImage")
		delete(part, "extensions")
		part["network"] = network()
		if topic, given := all["alarms"]; given {
			part["alarms"] = resource.NewProperty(resource.PropertyMap{"topicArn": topic.ObjectValue()["topicArn"]})
		}
	}
	return part
}

// By the name that it has in the program, a part is the same component: nothing of it is another one, and nothing changes.
func TestAPartAloneRegistersWhatItDoesInAStack(t *testing.T) {
	for _, test := range []struct{ stack, key, token string }{
		{"dev", "database", database.DatabaseType}, {"full", "database", database.DatabaseType}, {"full", "domain", domain.DomainType},
	} {
		recording, err := record(test.token, test.key, alone(t, test.stack, test.key), recorder.Options{Stack: test.stack, Config: region(t)})
		require.NoError(t, err)
		same := strings.NewReplacer()
		var want, got []string
		for _, res := range program(t, test.stack).Resources {
			ofPreviews := strings.Contains(res.URN, "database-password-previews") // a Database alone has none
			if (strings.Contains(res.URN, "::"+test.token+"$") || res.Type == test.token) && !ofPreviews {
				want = append(want, res.URN+shown(t, res, same))
			}
		}
		for _, res := range recording.Resources {
			got = append(got, res.URN+shown(t, res, same))
		}
		assert.Greater(t, len(got), 1)
		assert.ElementsMatch(t, want, got, "%s of %s", test.key, test.stack)
	}
}

// partRefused are the lines that a part named shop is refused with.
func partRefused(t *testing.T, token string, values resource.PropertyMap, config *project.Config) []string {
	t.Helper()
	recording, err := record(token, "shop", values, recorder.Options{Stack: "dev", Config: config})
	require.Error(t, err)
	assert.Empty(t, recording.Names(), "nothing is registered")
	_, lines, told := strings.Cut(strings.TrimSpace(err.Error()), "what is given to "+token+" shop can't be used:\n")
	assert.True(t, told, err.Error())
	return strings.Split(lines, "\n")
}

func TestEveryMistakeInThePartsInputsIsALineOfOneErrorInTheProgramsWords(t *testing.T) {
	given := alone(t, "dev", "database")
	delete(given, "lifecycle")
	delete(given["network"].ObjectValue(), "vpcId")
	given["storageGiB"], given["prot"], given["engineVersion"] = resource.NewProperty(5.0), resource.NewProperty(1.0), secret("m4rk3d")
	given["port"] = later(false, "urn:pulumi:dev::threetier::aws:sqs/queue:Queue::mails")
	lines := partRefused(t, database.DatabaseType, given, region(t))
	said := strings.Join(lines, "\n")
	for _, line := range []string{
		"shop.storageGiB is 5, want 20 to 65536", "shop.prot is 1, want one of the keys lifecycle, ", "shop.lifecycle is missing, want ",
		"shop.network.vpcId is missing, want the id of a VPC", "shop.engineVersion is [secret], want no secret value here: only shop.password are kept secret",
		"shop.port is not known in this preview, want a value that is known ",
	} {
		assert.Contains(t, said, line)
	}
	assert.Len(t, lines, 6, said)
	assert.NotContains(t, said, "m4rk3d")

	assert.Equal(t, []string{"shop.name is [secret], want no secret value here"},
		partRefused(t, domain.DomainType, resource.PropertyMap{"name": secret("m4rk3d")}, region(t)))
	lines = partRefused(t, domain.DomainType, resource.PropertyMap{"name": plain("shop.example.org")}, nil)
	assert.Len(t, lines, 1)
	assert.Contains(t, lines[0], "aws:region is missing, want one of ")
	_, err := record("threetier:index:Backend", "shop", nil, recorder.Options{Config: region(t)})
	assert.ErrorContains(t, err, "the type of shop is threetier:index:Backend, want ")
}

func TestThePasswordOfADatabaseAloneStaysSecret(t *testing.T) {
	given := alone(t, "dev", "database")
	given["password"] = secret("m4rk3d-S3CR3T-value")
	recording, err := record(database.DatabaseType, "shop", given, recorder.Options{Stack: "dev", Config: region(t)})
	require.NoError(t, err)
	instance := recording.One(t, "aws:rds/instance:Instance")
	assert.True(t, instance.IsSecret(t, "password"))
	for _, res := range recording.Resources {
		assert.NotContains(t, inJSON(t, res.Plain()), "m4rk3d", res.Name)
	}
}

func TestAProviderOfTheProgramsOwnIsRefused(t *testing.T) {
	for _, part := range components() {
		recording, err := recorder.Run(func(ctx *pulumi.Context) error {
			other, err := aws.NewProvider(ctx, "other", &aws.ProviderArgs{})
			require.NoError(t, err)
			_, err = construct(ctx, part.token, "shop", nil, nil, pulumi.Providers(other))
			return err
		}, recorder.Options{Stack: "dev", Config: region(t)})
		assert.ErrorContains(t, err, "providers of shop is given, want none: the region and the credentials are those of the stack config", part.token)
		assert.Len(t, recording.Names(), 1, "the provider alone is registered")
	}
}

func TestTheExampleOfThePartsIsAccepted(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("examples/parts", "Pulumi.yaml"))
	require.NoError(t, err)
	var file struct {
		Resources map[string]struct {
			Type       string
			Properties map[string]any
		}
	}
	require.NoError(t, yaml.Unmarshal(data, &file))
	there := recorder.TwoZones()
	there.VPC = "vpc-0123abcd"
	there.Others = []recorder.Subnet{{ID: "subnet-0123abcd", Zone: "eu-west-1a"}, {ID: "subnet-4567cdef", Zone: "eu-west-1b"}}
	for name, part := range file.Resources {
		token := strings.Replace(part.Type, ":", ":index:", 1)
		_, err := record(token, name, resource.NewPropertyMapFromMap(part.Properties), recorder.Options{Stack: "dev", Config: region(t), Network: there})
		assert.NoError(t, err, name)
	}
	assert.Len(t, file.Resources, 2)
}
