package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"threetier/components/app/pods"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/keys"
	"threetier/internal/rdsca"
	"threetier/internal/settings"
	"threetier/internal/stack"
)

// load reads a stack config without deploying it.
func load(t *testing.T, config *project.Config) *settings.Settings {
	t.Helper()
	var loaded *settings.Settings
	recorder.MustRun(t, func(ctx *pulumi.Context) (err error) {
		loaded, err = settings.Load(ctx)
		return err
	}, recorder.Options{Config: config})
	return loaded
}

func TestFiveWrongValuesAreFiveLinesOfOneError(t *testing.T) {
	config := project.StackConfig(t, "dev").
		Set(t, "threetier:database.storageGiB", 5).
		Set(t, "threetier:database.lifecycel", "durable").
		Set(t, "threetier:backend.port", "eighty").
		Set(t, "threetier:frontend.replicas.min", 0).
		Remove(t, "threetier:backend.image")
	assert.ElementsMatch(t, []string{
		"threetier:database.storageGiB is 5, want 20 to 65536",
		`threetier:database.lifecycel is "durable", want one of the keys lifecycle, …: did you mean lifecycle?`,
		`threetier:backend.port is "eighty", want a whole number`,
		"threetier:frontend.replicas.min is 0, want 1 to 200",
		"threetier:backend.image is missing, want an image, like registry/name@sha256:…",
	}, shortened(refusals(t, config)))
}

// shortened keeps the first of a list of keys: a new key changes no line of these tests.
func shortened(lines []string) []string {
	list := regexp.MustCompile(`( the keys \w+)(, \w+)+`)
	for i := range lines {
		lines[i] = list.ReplaceAllString(lines[i], "$1, …")
	}
	return lines
}

func TestEmptyConfigNamesAllThatIsRequired(t *testing.T) {
	assert.ElementsMatch(t, []string{
		"aws:region is missing, want one of " + strings.Join(rdsca.Regions(), ", "),
		"threetier:cluster.eks is missing, want the name of an EKS cluster, or kubeconfig instead",
		"threetier:database.lifecycle is missing, want disposable, durable or retiring",
		"threetier:backend.image is missing, want an image, like registry/name@sha256:…",
	}, refusals(t, project.YAML(t, "config: {}")))
}

func TestFrontendIsThereWithItsKeyAlone(t *testing.T) {
	config := project.StackConfig(t, "dev").Remove(t, "threetier:frontend")
	assert.Nil(t, load(t, config).App.Frontend)
	assert.Empty(t, refusedByEditor(t, editorSchema(t), config))
	assert.Equal(t, []string{`threetier:nginx.routes[0].to is "frontend", want backend: the stack has no frontend`},
		refusals(t, config.Set(t, "threetier:nginx.routes", []any{map[string]string{"path": "/", "to": "frontend"}})))
	assert.Equal(t, []string{"threetier:frontend.image is missing, want an image, like registry/name@sha256:…"},
		refusals(t, project.StackConfig(t, "dev").Remove(t, "threetier:frontend.image")))
}

func TestWrongTypeIsRefusedWithKeyAndValue(t *testing.T) {
	for path, test := range map[string]struct {
		value any
		line  string
	}{
		"threetier:cluster.eks":               {5, "threetier:cluster.eks is 5, want a string in quotes: YAML may change one without them"},
		"threetier:database.storageGiB":       {"big", `threetier:database.storageGiB is "big", want a whole number`},
		"threetier:database.port":             {5.5, "threetier:database.port is 5.5, want a whole number"},
		"threetier:database.multiAz":          {"yes", `threetier:database.multiAz is "yes", want true or false`},
		"threetier:database.network":          {[]string{"x"}, `threetier:database.network is ["x"], want an object with the keys vpcId, …`},
		"threetier:database.parameters":       {"x", `threetier:database.parameters is "x", want a map of strings`},
		"threetier:database.allow.RDS":        {map[string]int{"5": 1}, `threetier:database.allow.RDS is {"5":1}, want a string`},
		"threetier:backend.command":           {"uvicorn", `threetier:backend.command is "uvicorn", want a list of strings`},
		"threetier:backend.migrate[1]":        {7, "threetier:backend.migrate[1] is 7, want a string in quotes: YAML may change one without them"},
		"threetier:backend.env.LOG_LEVEL":     {[]int{1}, "threetier:backend.env.LOG_LEVEL is [1], want a string"},
		"threetier:nginx.routes":              {map[string]string{}, "threetier:nginx.routes is {}, want a list of objects"},
		"threetier:nginx.routes[0]":           {"x", `threetier:nginx.routes[0] is "x", want an object with the keys path, …`},
		"threetier:nginx.loadBalancer.class":  {true, "threetier:nginx.loadBalancer.class is true, want a string in quotes: YAML may change one without them"},
		"threetier:nginx.internal":            {1, "threetier:nginx.internal is 1, want true or false"},
		"threetier:nginx.resources.cpus":      {"2", `threetier:nginx.resources.cpus is "2", want one of the keys cpu, …: did you mean cpu?`},
		"threetier:frontend.migrate":          {[]string{"x"}, "threetier:frontend.migrate is [\"x\"], want one of the keys image, …"},
		"threetier:alarms.topic":              {"x", `threetier:alarms.topic is "x", want one of the keys topicArn, …: did you mean topicArn?`},
		"threetier:database.passwordVersion":  {true, "threetier:database.passwordVersion is true, want a whole number"},
		"threetier:database.engineVersion":    {[]int{17}, "threetier:database.engineVersion is [17], want a string"},
		"threetier:workers":                   {[]string{"x"}, `threetier:workers is ["x"], want a map of objects`},
		"threetier:workers.mailer":            {"x", `threetier:workers.mailer is "x", want an object with the keys command, …`},
		"threetier:jobs.nightly":              {map[string]any{"command": []string{"x"}, "cron": "x"}, `threetier:jobs.nightly.cron is "x", want one of the keys command, …`},
		"threetier:frontend.writablePaths[0]": {map[string]int{}, "threetier:frontend.writablePaths[0] is {}, want a string"},
	} {
		t.Run(path, func(t *testing.T) {
			config := project.StackConfig(t, "dev")
			if strings.Contains(path, "routes[") {
				config.Set(t, "threetier:nginx.routes", []any{map[string]string{"path": "/", "to": "frontend"}})
			}
			assert.Equal(t, []string{test.line}, shortened(refusals(t, config.Set(t, path, test.value))))
		})
	}
}

func TestTopLevelKeyThatIsNoObjectIsRefused(t *testing.T) {
	assert.Contains(t, shortened(refusals(t, project.StackConfig(t, "dev").Set(t, "threetier:nginx", "small"))),
		`threetier:nginx is "small", want an object with the keys image, …`)
}

const topLevelKeys = "one of aws:region, threetier:previewOf, threetier:cluster, threetier:namespace, threetier:adopt, threetier:database, " +
	"threetier:alarms, threetier:backend, threetier:frontend, threetier:workers, threetier:jobs, threetier:nginx, threetier:domain, threetier:allow, " +
	"threetier:registry, threetier:placement"

func TestUnknownTopLevelKeyIsRefused(t *testing.T) {
	config := project.StackConfig(t, "dev").Set(t, "threetier:databse", "{}").Set(t, "aws:skipMetadataApiCheck", "true").Set(t, "other:key", "x")
	assert.Equal(t, []string{"threetier:databse is unknown, want " + topLevelKeys + ": did you mean threetier:database?"}, refusals(t, config))
}

// The kubeconfig's token is the AWS CLI's, which doesn't read the stack config.
func TestOtherCredentialsThanTheAWSCLIsAreRefused(t *testing.T) {
	for _, name := range []string{"aws:profile", "aws:assumeRole", "aws:assumeRoleWithWebIdentity", "aws:secretKey"} {
		lines := refusals(t, project.StackConfig(t, "dev").Set(t, name, "acme"))
		assert.Equal(t, []string{name + " is given, want none: the AWS CLI, which gets the cluster's token, doesn't read it. " +
			"Set AWS_PROFILE instead, to a profile that may have a role_arn"}, lines)
	}
}

// The engine hands the config to a program by a variable; the Context can't list it.
func TestUnknownTopLevelKeyIsRefusedWhereTheEngineRunsTheProgram(t *testing.T) {
	t.Setenv(pulumi.EnvConfig, `{"threetier:fronted": "{}", "aws:skipMetadataApiCheck": "true"}`)
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := settings.Load(ctx)
		return err
	}, pulumi.WithMocks("shop", "dev", &recorder.Recording{}))
	assert.ErrorContains(t, err, "threetier:fronted is unknown, want "+topLevelKeys+": did you mean threetier:frontend?")
	assert.NotContains(t, err.Error(), "aws:skip")
}

func TestUnknownKeyIsToldWithTheNearestOne(t *testing.T) {
	for key, hint := range map[string]string{
		"threetier:database.lifecycel":            ": did you mean lifecycle?",
		"threetier:database.instance_class":       ": did you mean instanceClass?",
		"threetier:database.MultiAZ":              ": did you mean multiAz?",
		"threetier:nginx.loadBalancer.annotation": ": did you mean annotations?",
		"threetier:backend.resources.mem":         ": did you mean memory?",
		"threetier:alarms.topic":                  ": did you mean topicArn?",
		"threetier:backend.zzz":                   "",
		"threetier:backend.tag":                   "",
		"threetier:Backend":                       ": did you mean threetier:backend?",
		"threetier:region":                        ": did you mean aws:region?",
		"threetier:job":                           ": did you mean threetier:jobs?",
		"threetier:xyz":                           "",
	} {
		lines := refusals(t, project.StackConfig(t, "dev").Set(t, key, "x"))
		if assert.Len(t, lines, 1, key) {
			_, told, _ := strings.Cut(lines[0], ": did you mean")
			if told != "" {
				told = ": did you mean" + told
			}
			assert.Equal(t, hint, told, lines[0])
		}
	}
}

func TestNumbersAreTextWhereTheirValueCounts(t *testing.T) {
	loaded := load(t, project.StackConfig(t, "dev").
		Set(t, "threetier:database.engineVersion", 16).
		Set(t, "threetier:backend.resources.cpu", 1.5))
	assert.Equal(t, "16", loaded.Database.EngineVersion)
	assert.Equal(t, "1.5", loaded.App.Backend.Resources.CPU)
}

// YAML makes 1.1 of 1.10, 8 of 010 and a moment of a date. What a map or a list of strings can't be known to hold as it is written is refused.
func TestTextArrivesAsItIsWrittenOrIsRefused(t *testing.T) {
	const rest = "config:\n  aws:region: eu-west-1\n  threetier:cluster: {eks: acme}\n"
	maps := map[string]string{
		"backend.env":                       "  threetier:database: {lifecycle: disposable}\n  threetier:backend: {image: 'acme/backend:1', env: {A: VALUE}}\n",
		"backend.secretEnv":                 "  threetier:database: {lifecycle: disposable}\n  threetier:backend: {image: 'acme/backend:1', secretEnv: {A: VALUE}}\n",
		"backend.databaseEnv":               "  threetier:database: {lifecycle: disposable}\n  threetier:backend: {image: 'acme/backend:1', databaseEnv: {A: VALUE}}\n",
		"frontend.env":                      "  threetier:database: {lifecycle: disposable}\n  threetier:backend: {image: 'acme/backend:1'}\n  threetier:frontend: {image: 'acme/frontend:1', env: {A: VALUE}}\n",
		"workers.w.env":                     "  threetier:database: {lifecycle: disposable}\n  threetier:backend: {image: 'acme/backend:1', connectionsPerPod: 5}\n  threetier:workers: {w: {command: [x], env: {A: VALUE}}}\n",
		"jobs.j.env":                        "  threetier:database: {lifecycle: disposable}\n  threetier:backend: {image: 'acme/backend:1'}\n  threetier:jobs: {j: {command: [x], env: {A: VALUE}}}\n",
		"database.parameters":               "  threetier:database: {lifecycle: disposable, parameters: {A: VALUE}}\n  threetier:backend: {image: 'acme/backend:1'}\n",
		"placement.nodeSelector":            "  threetier:database: {lifecycle: disposable}\n  threetier:backend: {image: 'acme/backend:1'}\n  threetier:placement: {nodeSelector: {A: VALUE}}\n",
		"nginx.loadBalancer.annotations":    "  threetier:database: {lifecycle: disposable}\n  threetier:backend: {image: 'acme/backend:1'}\n  threetier:nginx: {loadBalancer: {annotations: {A: VALUE}}}\n",
		"nginx.headers":                     "  threetier:database: {lifecycle: disposable}\n  threetier:backend: {image: 'acme/backend:1'}\n  threetier:nginx: {headers: {A: VALUE}}\n",
		"backend.args (a list)":             "  threetier:database: {lifecycle: disposable}\n  threetier:backend: {image: 'acme/backend:1', args: [--since, VALUE]}\n",
		"placement.tolerations (one value)": "  threetier:database: {lifecycle: disposable}\n  threetier:backend: {image: 'acme/backend:1'}\n  threetier:placement: {tolerations: [{key: a, value: VALUE}]}\n",
	}
	for name, text := range maps {
		for _, value := range []string{
			"2024-02-01", "2024-02-01T10:00:00Z", "2001-12-14t21:59:43.10-05:00", "1.10", "1e3", "0x1F", "010", "1_000", "+1", "~", "", "true", "True", "12345678901234567890",
		} {
			if value == "" && !strings.Contains(text, "A: VALUE") || value == "~" && strings.Contains(name, "one value") {
				continue // an item, or a key, that isn't there
			}
			lines := refusedByProgram(project.YAML(t, rest+strings.ReplaceAll(text, "VALUE", value)))
			if assert.Len(t, lines, 1, "%s: %s", name, value) {
				assert.Contains(t, lines[0], ", want a string in quotes: YAML may change one without them", name)
			}
		}
	}
	for _, value := range []string{"yes", "off", "1:30", "1.2.3", "v1.10", "'2024-02-01'", "'1.10'", "'~'", "'true'", "2024-02-01x", "''"} {
		text := strings.ReplaceAll(maps["backend.env"], "VALUE", value)
		got := load(t, project.YAML(t, rest+text)).App.Backend.Env["A"]
		assert.Equal(t, pulumi.String(strings.Trim(value, "'")), got)
	}
}

func TestKeyWithoutValueIsAbsent(t *testing.T) {
	loaded := load(t, project.StackConfig(t, "dev").Set(t, "threetier:database.parameters", nil).Set(t, "threetier:backend.command", nil))
	assert.Nil(t, loaded.Database.Parameters)
	assert.Nil(t, loaded.App.Backend.Command)
}

// Where zero is no value, and a field can't tell it from none, it must not become the default.
func TestZeroIsRefusedWhereItIsNotAccepted(t *testing.T) {
	zeros := 0
	eachKey("", settings.Keys(), func(path string, key *keys.Key) {
		byDefault, isNumber := key.Constant.(int)
		if !isNumber || byDefault == 0 || strings.HasSuffix(path, ".minReadySeconds") {
			return
		}
		path = inLists.ReplaceAllString(path, "$1[0].")
		assert.Len(t, at(path, refusedByProgram(sampleOf(t, path, 0))), 1, path)
		zeros++
	})
	assert.Greater(t, zeros, 20)
}

func TestDefaultsOfACompleteConfigChangeNothing(t *testing.T) {
	for _, stack := range []string{"dev", "prod", "full"} {
		once, twice := load(t, project.StackConfig(t, stack)), load(t, project.StackConfig(t, stack))
		assert.Empty(t, slices.Concat(twice.Cluster.Complete(), twice.Database.Complete(), twice.App.Complete(), twice.Alarms.Complete()))
		assert.Equal(t, once.Database, twice.Database)
		assert.Equal(t, once.App.Nginx, twice.App.Nginx)
		assert.Equal(t, once.App.Backend.DatabaseEnv, twice.App.Backend.DatabaseEnv)
		assert.Equal(t, once.Alarms.SlowSeconds, twice.Alarms.SlowSeconds)
	}
}

func TestZeroIsAnotherValueThanNone(t *testing.T) {
	loaded := load(t, project.StackConfig(t, "dev").Set(t, "threetier:database.maxStorageGiB", 0).Set(t, "threetier:database.multiAz", false))
	require.NotNil(t, loaded.Database.MaxStorageGiB)
	assert.Zero(t, *loaded.Database.MaxStorageGiB)
	require.NotNil(t, loaded.Database.MultiAZ)
}

func TestSecretWhereNothingIsKeptSecretIsRefused(t *testing.T) {
	lines := refusals(t, project.StackConfig(t, "dev").SetSecret(t, "threetier:nginx.loadBalancer.class", "eks.amazonaws.com/nlb"))
	assert.Equal(t, []string{"threetier:nginx is [secret], want no secret value here: only threetier:cluster.kubeconfig, " +
		"threetier:database.password, threetier:backend.secretFiles, threetier:backend.env, threetier:backend.secretEnv, threetier:frontend.secretFiles, threetier:frontend.env, " +
		"threetier:frontend.secretEnv, threetier:workers.NAME.env, threetier:workers.NAME.secretEnv, threetier:jobs.NAME.env, " +
		"threetier:jobs.NAME.secretEnv, threetier:registry.password are kept secret"}, lines)
}

func TestRegionWithoutCertificatesIsRefused(t *testing.T) {
	assert.Equal(t, []string{`aws:region is "eu-west-11", want one of ` + strings.Join(rdsca.Regions(), ", ")},
		refusals(t, project.StackConfig(t, "dev").Set(t, "aws:region", "eu-west-11")))
}

func TestKubeconfigNeedsANetworkForTheDatabase(t *testing.T) {
	config := project.StackConfig(t, "dev").Remove(t, "threetier:cluster.eks").SetSecret(t, "threetier:cluster.kubeconfig", "apiVersion: v1")
	assert.Equal(t, []string{
		"threetier:database.network.vpcId is missing, want the id of a VPC, as vpc-0123abcd",
		"threetier:database.network.subnetIds is missing, want private subnets in at least two availability zones",
		"threetier:database.network.clientSecurityGroupIds is missing, want at least one security group: that of the cluster's nodes",
	}, refusals(t, config))
}

// eachKey visits every key, with its path.
func eachKey(prefix string, table keys.Table, visit func(path string, key *keys.Key)) {
	for _, key := range table {
		visit(prefix+key.Name, key)
		below := prefix + key.Name + "."
		if key.IsMap() {
			below += "sample."
		}
		eachKey(below, key.Keys, visit)
	}
}

func TestEveryKeyIsDocumented(t *testing.T) {
	seen := map[string]bool{}
	eachKey("", settings.Keys(), func(path string, key *keys.Key) {
		assert.False(t, seen[path], "%s is there twice", path)
		seen[path] = true
		assert.NotEmpty(t, key.Type, path)
		assert.NotEmpty(t, key.ByDefault(), "%s has a default, or says that it is required", path)
		assert.True(t, strings.HasSuffix(key.Doc, "."), "%s: %q is a sentence", path, key.Doc)
		assert.Equal(t, len(key.Keys) == 0 || key.IsList(), key.Example != "", "%s has an example unless its keys have", path)
	})
	assert.Greater(t, len(seen), 60)
}

// Pulumi refuses the project file of a project that declares the keys of another name, and pulumi new gives a project
// another name.
func TestProjectFileDeclaresNoKeys(t *testing.T) {
	project, err := workspace.LoadProject(filepath.Join(project.Root(), "Pulumi.yaml"))
	require.NoError(t, err)
	for name := range project.Config {
		assert.False(t, strings.HasPrefix(name, settings.Namespace+":") || !strings.Contains(name, ":"), "%s is declared in Pulumi.yaml, want it in the program alone", name)
	}
}

func TestReferenceAndEditorSchemaHaveEveryKey(t *testing.T) {
	reference := settings.Reference()
	schema, err := settings.Schema()
	require.NoError(t, err)
	var parsed any
	require.NoError(t, json.Unmarshal(schema, &parsed))
	eachKey("", settings.Keys(), func(path string, key *keys.Key) {
		assert.Contains(t, reference, key.Doc, path)
		assert.Contains(t, string(schema), string(mustJSON(t, key.Name)), path)
	})
	lines := strings.Split(reference, "\n")
	assert.Contains(t, lines, "| `storageGiB` | integer | 20 | 20 to 65536 | `100` | Size of the gp3 volume, in GiB. A larger number grows the volume. A number below the current size does nothing. |")
	assert.Contains(t, lines, "| `routes[].to` | string | required | backend, frontend | `backend` | Target of the route. |")
	assert.Contains(t, lines, "| `passwordVersion` | integer | 1 | 1 to 1000000 | `2` | Number of the generated passwords. The next number generates new ones, for every login. |")
}

// leaves are the paths of a parsed YAML's values, with [] for the items of a list.
func leaves(path string, value any, into map[string]bool) {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			leaves(strings.TrimPrefix(path+"."+name, "."), inner, into)
		}
	case []any:
		for _, item := range value {
			leaves(path+"[]", item, into)
		}
	}
	into[path] = true
}

func TestConfigToCopyFromHasEveryKey(t *testing.T) {
	var parsed struct{ Config map[string]any }
	require.NoError(t, yaml.Unmarshal([]byte(settings.Annotated()), &parsed))
	paths := map[string]bool{}
	leaves("", parsed.Config, paths)
	var walk func(path string, table keys.Table)
	walk = func(path string, table keys.Table) {
		for _, key := range table {
			at := path + key.Name
			assert.True(t, paths[at], at)
			switch {
			case key.IsMap():
				walk(at+".NAME.", key.Keys)
			case key.IsList():
				walk(at+"[].", key.Keys)
			default:
				walk(at+".", key.Keys)
			}
		}
	}
	walk("", settings.Keys())
}

func mustJSON(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return text
}

func TestSampleConfigsGiveAReasonBesideEveryValue(t *testing.T) {
	for _, name := range []string{"dev", "prod"} {
		text, err := os.ReadFile(filepath.Join(project.Root(), "Pulumi."+name+".yaml"))
		require.NoError(t, err)
		allow := false
		for number, line := range strings.Split(string(text), "\n") {
			trimmed := strings.TrimSpace(line)
			isKeyAlone := strings.HasSuffix(trimmed, ":")
			allow = strings.HasPrefix(trimmed, "allow:") || (allow && strings.HasPrefix(trimmed, "RDS."))
			if trimmed == "" || strings.HasPrefix(trimmed, "#") || isKeyAlone || (allow && strings.HasPrefix(trimmed, "RDS.")) {
				continue // an exception's value is its reason
			}
			assert.Contains(t, line, " # ", "Pulumi.%s.yaml:%d", name, number+1)
		}
	}
}

func TestLoadRegistersNothing(t *testing.T) {
	recording := recorder.MustRun(t, func(ctx *pulumi.Context) error {
		_, err := settings.Load(ctx)
		return err
	}, recorder.Options{Config: project.StackConfig(t, "prod")})
	assert.Empty(t, recording.Names())
	_, err := recorder.Run(stack.Deploy, recorder.Options{})
	assert.Error(t, err)
}

func TestPodsWhosePoolsExceedTheInstanceAreRefusedWithTheSum(t *testing.T) {
	config := func(connections, replicas int, class string) *project.Config {
		return sampleConfig(t).Set(t, "threetier:jobs", map[string]any{"x": map[string]any{"command": []string{"x"}}}).
			Set(t, "threetier:backend.connectionsPerPod", connections).
			Set(t, "threetier:backend.replicas", map[string]any{"max": replicas}).
			Set(t, "threetier:workers", map[string]any{"mailer": map[string]any{"command": []string{"x"}, "replicas": map[string]any{"max": 2}}}).
			Set(t, "threetier:database.instanceClass", class)
	}
	assert.Equal(t, []string{
		"threetier:backend.connectionsPerPod is 11, want less, a lower replicas.max or a larger instanceClass: in a rollout the pods open " +
			"backend 13 × 11 + worker mailer 3 × 11 + jobs and migration 3 = 179 connections, and db.t4g.micro has 74 for them",
	}, refusals(t, config(11, 10, "db.t4g.micro")))
	accepted := func(config *project.Config) {
		t.Helper()
		deploy(t, "dev", config)
	}
	accepted(config(11, 10, "db.t4g.medium"))
	accepted(config(11, 2, "db.t4g.micro")) // 3 and 3 pods, 3 more: 69
	assert.Len(t, refusals(t, config(12, 2, "db.t4g.micro")), 1)
	accepted(config(12, 2, "db.t4g.micro").Set(t, "threetier:database.parameters", map[string]any{"max_connections": "85"}))
}

// A pool of SQLAlchemy's own opens 15 connections, of which the smallest class has few.
func TestTheBackendHasNoMorePodsByDefaultThanTheInstanceHasConnectionsFor(t *testing.T) {
	least := "config:\n  aws:region: eu-west-1\n  threetier:cluster: {eks: acme}\n  threetier:database: {lifecycle: disposable}\n  threetier:backend: {image: \"acme/backend:1\", migrate: [alembic]}\n"
	for class, most := range map[string]int{"db.t4g.micro": 3, "db.t4g.small": 9, "db.t4g.medium": 10} {
		replicas := load(t, project.YAML(t, least).Set(t, "threetier:database.instanceClass", class)).App.Backend.Replicas
		assert.Equal(t, pods.ReplicaArgs{Min: 2, Max: most}, replicas, class)
	}
	assert.Equal(t, 10, load(t, project.YAML(t, least).Set(t, "threetier:backend.connectionsPerPod", 5)).App.Backend.Replicas.Max)
	assert.Equal(t, []string{
		"threetier:backend.connectionsPerPod is 15, want less, a lower replicas.max or a larger instanceClass: in a rollout the pods open " +
			"backend 5 × 15 + jobs and migration 2 = 77 connections, and db.t4g.micro has 74 for them",
	}, refusals(t, project.YAML(t, least).Set(t, "threetier:backend.replicas.max", 4)), "what is given isn't changed")
	assert.Len(t, refusals(t, project.YAML(t, least).Set(t, "threetier:backend.replicas.min", 4)), 1)
}
