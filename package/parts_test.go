package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"threetier/components/alarms"
	"threetier/components/app"
	"threetier/components/database"
	"threetier/components/domain"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
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

// outputs are those of a part as the engine hands them to another.
func outputs(ctx *pulumi.Context, made *provider.ConstructResult, names ...string) (resource.PropertyMap, error) {
	given := resource.PropertyMap{}
	for _, name := range names {
		output, err := internals.UnsafeAwaitOutput(ctx.Context(), pulumi.ToOutput(made.State.(pulumi.Map)[name]))
		if err != nil {
			return nil, err
		}
		given[resource.PropertyKey(name)] = resource.NewProperty(resource.Output{
			Element: resource.NewPropertyValue(output.Value), Known: output.Known, Secret: output.Secret, Dependencies: []resource.URN{"urn:pulumi:dev::threetier::its::part"},
		})
	}
	return given, nil
}

// databaseOutputs are those that an app is given.
var databaseOutputs = []string{
	"address", "readerAddress", "port", "name", "caBundle", "username", "password", "appPassword", "migrationPassword", "passwordVersion", "resourceId",
}

// ofAnApp are the inputs of an app alone, and their outputs.
func ofAnApp(t *testing.T, config string) (resource.PropertyMap, pulumi.Map) {
	t.Helper()
	given, later := inputs(t, text(t, config)), pulumi.Map{}
	for _, key := range []resource.PropertyKey{"database", "alarms", "domain", "allow"} {
		delete(given, key)
	}
	for key := range given {
		later[string(key)] = pulumi.ToOutput(true)
	}
	return given, later
}

// Three parts by their names in the program are the stack, except its records and alarms.
func TestTheAppTheDatabaseAndTheDomainAloneAreTheStack(t *testing.T) {
	for _, name := range []string{"dev", "full"} {
		stackName, config := name, project.StackConfig(t, name)
		var registered []recorder.Resource
		part := func(token, name string, values resource.PropertyMap, later pulumi.Map, answers ...string) (found resource.PropertyMap) {
			recording, err := recorder.Run(func(ctx *pulumi.Context) error {
				made, err := construct(ctx, token, name, values, later, pulumi.Composite())
				if err == nil {
					found, err = outputs(ctx, made, answers...)
				}
				return err
			}, recorder.Options{Stack: stackName, Config: region(t), ID: id, Answer: named})
			require.NoError(t, err)
			registered = append(registered, recording.Resources...)
			return found
		}
		values, later := ofAnApp(t, name)
		data := part(database.DatabaseType, "database", alone(t, name, "database"), nil, databaseOutputs...)
		values["database"], later["database"] = resource.NewProperty(data), pulumi.ToSecret(pulumi.ToOutput(true))
		if name == "full" {
			// No part lets previews in, and the program can't tell a plain value from the secret beside it.
			config.Remove(t, "threetier:domain.previews").Remove(t, "threetier:workers.mailer.env")
			delete(values["workers"].ObjectValue()["mailer"].ObjectValue(), "env")
			names := alone(t, name, "domain")
			delete(names, "previews")
			certificates := part(domain.DomainType, "domain", names.Copy(), nil, "certificateArns")
			delete(names, "zone")
			names["certificateArns"] = certificates["certificateArns"]
			values["domain"], later["domain"] = resource.NewProperty(names), pulumi.ToOutput(true)
		}
		part(app.AppType, "app", values, later)

		got, same := map[string]string{}, strings.NewReplacer()
		for _, res := range registered {
			got[res.URN] = shown(t, res, same) + inJSON(t, res.Inputs.ContainsSecrets())
			for secret, held := range map[string]map[string]string{
				"app-backend-database": {"DB_PASSWORD": "appPassword"}, "app-backend-migrate": {"DB_PASSWORD": "migrationPassword"}, "app-backend-roles": {"PGPASSWORD": "password"},
			} {
				for variable, output := range held {
					if res.Name == secret && res.Type == "kubernetes:core/v1:Secret" {
						assert.Equal(t, data[resource.PropertyKey(output)].OutputValue().Element.StringValue(), res.SecretData(t)[variable], secret)
					}
				}
			}
		}
		assert.Greater(t, len(got), 50)
		for _, res := range recorder.MustRun(t, stack.Deploy, recorder.Options{Stack: name, Config: config, ID: id, Answer: named}).Resources {
			if strings.Contains(res.URN, alarms.AlarmsType) || strings.Contains(res.URN, domain.RecordsType) {
				continue
			}
			assert.Equal(t, shown(t, res, same)+inJSON(t, res.Inputs.ContainsSecrets()), got[res.URN], res.URN)
			delete(got, res.URN)
		}
		assert.Empty(t, got, "no part has more")
	}
}

// In the first preview nothing is known of a database and of certificates but what decides which resources there are.
func TestAnAppWaitsForWhatOthersAnswer(t *testing.T) {
	values, outputs := ofAnApp(t, "dev")
	data := resource.PropertyMap{}
	for _, name := range databaseOutputs {
		data[resource.PropertyKey(name)] = later(false, "urn:pulumi:dev::threetier::threetier:index:Database::data")
	}
	data["passwordVersion"], data["port"] = resource.NewProperty(2.0), resource.NewProperty(5432.0)
	values["database"] = resource.NewProperty(data)
	values["domain"] = resource.NewProperty(resource.PropertyMap{"name": plain("shop.example.org"), "certificateArns": later(false)})
	outputs["database"], outputs["domain"] = pulumi.ToOutput(true), pulumi.ToOutput(true) // the mocks take no unknown secret
	run := func() (*recorder.Recording, error) {
		return recorder.Run(func(ctx *pulumi.Context) error {
			_, err := construct(ctx, app.AppType, "web", values, outputs, pulumi.Composite())
			return err
		}, recorder.Options{Stack: "dev", Config: region(t)})
	}
	recording, err := run()
	require.NoError(t, err)
	recording.Named(t, "threetier:index:Cluster", "web-cluster")
	recording.Named(t, "kubernetes:batch/v1:Job", "web-backend-roles")
	assert.Contains(t, inJSON(t, recording.Named(t, "kubernetes:core/v1:Service", "web-nginx").Input(t, "spec.ports")), `"port":443`)

	data["passwordVersion"] = later(false)
	_, err = run()
	assert.ErrorContains(t, err, "web.database.passwordVersion is not known in this preview, want a value that is known ")
}

func TestAnAppWithoutADatabaseHasNothingOfOne(t *testing.T) {
	values, outputs := ofAnApp(t, "dev")
	backend := values["backend"].ObjectValue()
	backend["secretEnv"] = resource.NewProperty(resource.PropertyMap{"DATABASE_URL": secret("postgresql://elsewhere")})
	recording, err := recorder.Run(func(ctx *pulumi.Context) error {
		_, err := construct(ctx, app.AppType, "web", values, outputs, pulumi.Composite())
		return err
	}, recorder.Options{Stack: "dev", Config: region(t)})
	require.NoError(t, err)
	recording.Named(t, "kubernetes:apps/v1:Deployment", "web-backend")
	recording.Named(t, "kubernetes:batch/v1:Job", "web-backend-migrate")
	for _, res := range recording.Resources {
		shown := inJSON(t, res.Plain())
		for _, of := range []string{"DB_HOST", "PGSSLMODE", "5432", "database-ca", "psql"} {
			assert.NotContains(t, shown, of, res.Name)
		}
	}

	backend["databaseEnv"] = resource.NewProperty(resource.PropertyMap{"PGHOST": plain("{host}")})
	values["jobs"] = resource.NewPropertyValue(map[string]any{"nightly": map[string]any{"command": []any{"x"}, "login": "owner"}})
	assert.ElementsMatch(t, []string{
		"shop.backend.databaseEnv is given, want none without database", `shop.jobs.nightly.login is "owner", want none without database`,
	}, partRefused(t, app.AppType, values, region(t)))
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
	web, _ := ofAnApp(t, "dev")
	web["cluster"], web["prot"] = resource.NewProperty(resource.PropertyMap{"kubeconfig": plain("{}"), "eks": plain("acme")}), resource.NewProperty(1.0)
	web["nginx"].ObjectValue()["maxBodySize"], web["backend"].ObjectValue()["image"] = secret("m4rk3d"), plain("app")
	web["database"] = resource.NewProperty(resource.PropertyMap{"address": plain("db"), "port": plain("5432"), "clientImage": plain("psql")})
	said = strings.Join(partRefused(t, app.AppType, web, project.YAML(t, "config:\n  aws:region: eu-west-1\n  aws:profile: other\n")), "\n")
	for _, line := range []string{
		"shop.prot is 1, want one of the keys cluster, ", "shop.cluster.kubeconfig is given beside eks, want one of the two",
		"shop.nginx.maxBodySize is [secret], want no secret value here: only shop.cluster.kubeconfig, shop.backend.secretFiles, ",
		`shop.backend.image is "app", want `, `shop.database.port is "5432", want a whole number`, "shop.database.password is missing, want a string",
		`shop.database.clientImage is "psql", want `, "aws:profile is given, want none: the AWS CLI",
	} {
		assert.Contains(t, said, line)
	}
	assert.NotContains(t, said, "m4rk3d")

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
		Outputs map[string]any
	}
	require.NoError(t, yaml.Unmarshal(data, &file))
	there := recorder.TwoZones()
	there.VPC = "vpc-0123abcd"
	there.Others = []recorder.Subnet{{ID: "subnet-0123abcd", Zone: "eu-west-1a"}, {ID: "subnet-4567cdef", Zone: "eu-west-1b"}}
	schemaText, err := schema()
	require.NoError(t, err)
	pack := fields{}
	require.NoError(t, json.Unmarshal(schemaText, &pack))
	token := func(part string) string { return strings.Replace(file.Resources[part].Type, ":", ":index:", 1) }
	// answered puts values in the place of other parts' outputs, which the schema has.
	var answered func(value any) any
	answered = func(value any) any {
		switch value := value.(type) {
		case map[string]any:
			for key, field := range value {
				value[key] = answered(field)
			}
		case string:
			if reference, isOne := strings.CutPrefix(value, "${"); isOne {
				part, output, _ := strings.Cut(strings.TrimSuffix(reference, "}"), ".")
				kind := pack.at("resources").at(token(part)).at("properties").at(output)["type"]
				require.NotNil(t, kind, value)
				return map[any]any{"string": "answer", "integer": 1, "array": []any{"arn"}}[kind]
			}
		}
		return value
	}
	for name, part := range file.Resources {
		given := resource.NewPropertyMapFromMap(answered(part.Properties).(map[string]any))
		_, err := record(token(name), name, given, recorder.Options{Stack: "dev", Config: region(t), Network: there})
		assert.NoError(t, err, name)
	}
	answered(file.Outputs)
	assert.Len(t, file.Resources, 3)
}
