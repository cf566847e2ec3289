package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"threetier/gate/plan"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/settings"
	"threetier/internal/stack"
)

// editorSchema is the schema of stack configs that editors read.
func editorSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	return schemaIn(t, "docs/config.schema.json")
}

func schemaIn(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(project.Root(), file))
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("config.schema.json", document))
	schema, err := compiler.Compile("config.schema.json")
	require.NoError(t, err)
	return schema
}

// refusedByEditor is where an editor would underline the stack config: "threetier:database.port". Of an object with a
// missing or surplus key it is the object.
func refusedByEditor(t *testing.T, schema *jsonschema.Schema, config *project.Config) []string {
	t.Helper()
	return underlined(t, schema, config.JSON(t))
}

func underlined(t *testing.T, schema *jsonschema.Schema, content []byte) []string {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	require.NoError(t, err)
	var refused *jsonschema.ValidationError
	if err := schema.Validate(document); err == nil || !errors.As(err, &refused) {
		require.NoError(t, err)
		return nil
	}
	var places []string
	var walk func(*jsonschema.ValidationError)
	walk = func(refused *jsonschema.ValidationError) {
		if len(refused.Causes) == 0 {
			places = append(places, strings.TrimPrefix(strings.Join(refused.InstanceLocation, "."), "config."))
		}
		// The error of a name has no place of its own but in the schema.
		if schema, isName := strings.CutSuffix(refused.SchemaURL, "/propertyNames"); isName && strings.HasSuffix(schema, "#/properties/config") {
			places = append(places, "config")
		} else if isName {
			_, pointer, _ := strings.Cut(schema, "#/properties/config/properties/")
			places = append(places, strings.NewReplacer("/items/properties/", ".0.", "/additionalProperties/properties/", ".sample.", "/properties/", ".").Replace(pointer))
		}
		for _, cause := range refused.Causes {
			walk(cause)
		}
	}
	walk(refused)
	return places
}

// refusedByProgram are the lines of the error that reading the stack config ends in.
func refusedByProgram(config *project.Config) []string {
	_, err := recorder.Run(func(ctx *pulumi.Context) error {
		_, err := settings.Load(ctx)
		return err
	}, recorder.Options{Config: config})
	var lines []string
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			if line = strings.TrimSpace(line); strings.Contains(line, ", want ") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func TestEditorSchemaAcceptsTheStackConfigs(t *testing.T) {
	for _, stack := range []string{"dev", "prod", "full"} {
		assert.Empty(t, refusedByEditor(t, editorSchema(t), project.StackConfig(t, stack)), stack)
	}
}

func TestEditorSchemaAcceptsASecretWhereTheProgramDoes(t *testing.T) {
	config := project.StackConfig(t, "dev").
		SetSecret(t, "threetier:database.password", "long-enough").
		SetSecret(t, "threetier:backend.env.KEY", "x").
		SetSecret(t, "threetier:backend.secretEnv.OTHER", "x")
	assert.Empty(t, refusedByProgram(config))
	assert.Empty(t, refusedByEditor(t, editorSchema(t), config))
	config.SetSecret(t, "threetier:nginx.maxBodySize", "1m")
	assert.Len(t, refusedByProgram(config), 1)
	assert.Contains(t, refusedByEditor(t, editorSchema(t), config), "threetier:nginx.maxBodySize")
}

// sampleConfig has the required keys, and one object of each list to set the keys of, and room for any number of requests.
func sampleConfig(t *testing.T) *project.Config {
	return project.YAML(t, `config:
  aws:region: eu-west-1
  threetier:cluster: {eks: acme}
  threetier:database: {lifecycle: disposable}
  threetier:backend: {image: "acme/backend:1", migrate: [alembic], egress: [{to: internet, ports: [443]}], ingress: [{from: {namespace: monitoring}, ports: [9100]}], permissions: [{actions: [sqs:SendMessage], resources: ["arn:aws:sqs:::jobs"]}]}
  threetier:frontend: {image: "acme/frontend:1", egress: [{to: internet, ports: [443]}], ingress: [{from: {namespace: monitoring}, ports: [9100]}]}
  threetier:workers: {sample: {command: [work], egress: [{to: internet, ports: [443]}], ingress: [{from: {namespace: monitoring}, ports: [9100]}]}}
  threetier:jobs: {sample: {command: [work], schedule: "@daily", egress: [{to: internet, ports: [443]}]}}
  threetier:nginx: {routes: [{path: /api, to: backend}], resources: {memory: 64Gi}, limits: {requests: 3686}, metrics: true, ingress: [{from: {namespace: monitoring}, ports: [8082]}]}
  threetier:registry: {server: ghcr.io, username: acme-bot, password: x}
  threetier:placement: {tolerations: [{key: dedicated}]}
`)
}

// besides are what some keys' samples need beside them.
var besides = map[string]map[string]any{
	"threetier:database.iops":           {"threetier:database.storageGiB": 2000},
	"threetier:database.throughputMiBs": {"threetier:database.storageGiB": 2000, "threetier:database.iops": 16000},
	"threetier:alarms.logGroup":         {"threetier:cluster.eks": "acme-prod"},
	"threetier:alarms.auditLogGroup":    {"threetier:cluster.eks": "acme-prod"},
	"threetier:alarms.slowSeconds":      {"threetier:alarms.logGroup": "/aws/containerinsights/acme/application"},
	"threetier:domain.zone":             {"threetier:domain.name": "sample.example.org"},
	"threetier:domain.aliases":          {"threetier:domain.name": "sample.example.org"},
	"threetier:domain.redirectFrom":     {"threetier:domain.name": "sample.example.org"},
}

// sampleOf is the sampleConfig with a value for a key.
func sampleOf(t *testing.T, path string, value any) *project.Config {
	config := sampleConfig(t)
	if path == "threetier:previewOf" {
		config.Remove(t, "threetier:cluster").Remove(t, "threetier:database").Remove(t, "threetier:backend.permissions")
	}
	for path, value := range besides[path] {
		config.Set(t, path, value)
	}
	return config.Set(t, path, value)
}

// inLists are the keys whose values are lists of objects.
var inLists = regexp.MustCompile(`\b(routes|egress|ingress|permissions|tolerations)\.`)

func TestProgramAndEditorAgreeOnEverySampleOfAConstraint(t *testing.T) {
	schema := editorSchema(t)
	accepted, byProgram, byEditor := 0, 0, 0
	eachKey("", settings.Keys(), func(path string, key *keys.Key) {
		if len(key.Constraint.Schema()) == 0 {
			return
		}
		path = inLists.ReplaceAllString(path, "$1[0].")
		place := strings.NewReplacer("[", ".", "]", "").Replace(path)
		valid, invalid := samplesOf(key)
		assert.NotEmpty(t, invalid, "%s has a sample that is refused", path)
		for _, sample := range valid {
			config := sampleOf(t, path, sample)
			for _, line := range at(path, refusedByProgram(config)) {
				// Retiring alone is refused for a control that it leaves unmet, not for its value.
				// And what nothing needs isn't allowed.
				assert.Regexp(t, "or the reason in |, want none: |in a rollout the pods open|, where the metrics are$", line, "%s: %v", path, sample)
			}
			assert.Empty(t, refusedByEditor(t, schema, config), "%s: %v", path, sample)
			accepted++
		}
		for _, sample := range invalid {
			config := sampleOf(t, path, sample)
			lines := at(path, refusedByProgram(config))
			if assert.NotEmpty(t, lines, "%s: the program takes %v", path, sample) {
				byProgram++
			}
			if text, isText := key.Constraint.(*constraint.Text); isText && len(lines) > 0 {
				assert.True(t, strings.HasSuffix(lines[0], ", want "+text.Wanted()) || strings.HasSuffix(lines[0], ", want "+text.Instead), lines[0])
			}
			if assert.NotEmpty(t, at(place, refusedByEditor(t, schema, config)), "%s: the editor takes %v", path, sample) {
				byEditor++
			}
		}
	})
	t.Logf("%d samples accepted by both; %d refused by the program, %d by the editor", accepted, byProgram, byEditor)
	assert.Equal(t, byProgram, byEditor)
	assert.Greater(t, byProgram, 150)
	assert.Greater(t, accepted, 100)
}

// at are those of some lines that begin with a path.
func at(path string, lines []string) []string {
	var found []string
	for _, line := range lines {
		if rest, isAt := strings.CutPrefix(line, path); isAt && (rest == "" || strings.ContainsAny(rest[:1], " .[")) {
			found = append(found, line)
		}
	}
	return found
}

// Patterns are read by Go and, in editors, by ECMAScript: what only one of them knows can't stand in one.
func TestPatternsOfTheEditorSchemaAreInTheSyntaxOfGoAndECMAScript(t *testing.T) {
	text, err := settings.Schema()
	require.NoError(t, err)
	var document any
	require.NoError(t, json.Unmarshal(text, &document))
	patterns := 0
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, inner := range node {
				walk(inner)
			}
		case map[string]any:
			for name, inner := range node {
				if pattern, isText := inner.(string); isText && name == "pattern" {
					patterns++
					_, err := regexp.Compile(pattern)
					assert.NoError(t, err)
					assert.NotRegexp(t, `\(\?|\\[^dpS.{}?*\[\]]|\[\[:`, pattern)
				}
				walk(inner)
			}
		}
	}
	walk(document)
	assert.Greater(t, patterns, 20)
}

// ofTheProgramAlone are, by words of their line, the refusals that no schema can make, and why.
var ofTheProgramAlone = map[string]string{
	"in a rollout the pods open":         "the sum is over several keys",
	"or the reason in ":                  "whether something needs an exception follows from other keys",
	"want none: ":                        "the same",
	"threetier:database.network.":        "the network is required only beside a kubeconfig",
	"the stack has no frontend":          "whether it has one, another key says",
	"which the metadata services are in": "whether a network has another inside",
	"want the network's first address":   "no pattern can count bits",
	"::ffff:0a00:0000/104":               "the same",
	"the port is the backend's own":      "the ports follow from the target",
	"threetier:frontend.egress[1].ports": "the same",
	"for all taints":                     "the key follows from the operator",
	"want none with operator Exists":     "the same",
	"characters as a policy":             "it is the length of all statements",
	"want none without permissions":      "one key follows from another",
	"only EKS hands out credentials":     "the same",
	"want a name in the zone":            "the zone is another key",
	"threetier:domain.name is missing":   "previews may stand alone",
	"want each name in one place":        "the other names are other keys",
	"names: a load balancer takes no":    "they are counted over several keys",
	"given beside the domain":            "the rule is across two keys",
	"at most 350 with a certificate":     "the same",
	"different ports, want":              "they are counted over the whole list",
	"the other keys of alarms need it":   "one key follows from others",
	"want logGroup beside it":            "the same",
	".ports is missing, want 1 to 20":    "udp may stand instead",
	"given with nginx.internal":          "the same",
	"group of the stack's cluster":       "which cluster it is, another key says",
	"which gets the cluster's token":     "the same",
}

// editorRefusesToo holds the editor's schema to the program's refusals of a config.
func editorRefusesToo(t *testing.T, config *project.Config, lines []string) {
	t.Helper()
	places := refusedByEditor(t, editorSchema(t), config)
	for _, line := range lines {
		path, _, _ := strings.Cut(line, " is ")
		path = strings.NewReplacer("[", ".", "]", "").Replace(path)
		refused := slices.ContainsFunc(places, func(place string) bool {
			return place == "config" || place == path || strings.HasPrefix(path, place+".") || strings.HasPrefix(place, path+".")
		})
		alone := false
		for words := range ofTheProgramAlone {
			alone = alone || strings.Contains(line, words)
		}
		assert.NotEqual(t, alone, refused, "%s: the editor refuses %v", line, places)
	}
}

// Whatever is broken, make plan refuses it as pulumi up does, and an editor underlines it.
func TestProgramPlanAndEditorRefuseTheSameBrokenConfigs(t *testing.T) {
	const (
		good    = "config:\n  aws:region: eu-west-1\n  threetier:cluster: {eks: acme}\n  threetier:database: {lifecycle: disposable, allow: {RDS.5: x, RDS.6: x, RDS.8: x, RDS.11: x, RDS.20: x, RDS.21: x, RDS.22: x, RDS.23: x, RDS.26: x}}\n"
		backend = "  threetier:backend: {image: \"acme/backend:1\"}\n"
		whole   = good + backend
		prefix  = "want a key that begins with threetier:, whatever the project is called"
	)
	for name, c := range map[string]struct {
		text string
		// want is in the refusals of plan and program; alone says who else refuses nothing, and why.
		want, alone string
	}{
		"nothing is wrong":    {text: whole + "  aws:skipMetadataApiCheck: true\n  kubernetes:namespace: x\n  kubernetes:cluster: x\n  plan:other: x\n  drill:rows: {items: 1}\n  shop:greeting: hello\n  other:backend: x\n  pulumi:tags: {a: b}\n"},
		"the file's own keys": {text: "secretsprovider: awskms://x\nencryptedkey: x\nencryptionsalt: x\n" + whole},

		"an unknown key":          {text: whole + "  threetier:fronted: {image: x}\n", want: "threetier:fronted is unknown, want one of "},
		"a null one":              {text: whole + "  threetier:fronted:\n", want: "threetier:fronted is unknown, want one of "},
		"a path":                  {text: whole + "  threetier:nginx.loadBalancer.class: x\n", want: "threetier:nginx.loadBalancer.class is unknown, want threetier:nginx: { loadBalancer: { class: … } }: in a key's name, a dot is no level"},
		"a path beside its key":   {text: whole + "  threetier:backend.port: 80\n", want: "threetier:backend.port is unknown, want threetier:backend: { port: … }"},
		"another case":            {text: whole + "  threetier:Frontend: {image: x}\n", want: "threetier:Frontend is unknown, want one of "},
		"another case before it":  {text: whole + "  Threetier:frontend: {image: x}\n", want: "Threetier:frontend is unknown, " + prefix + ": did you mean threetier:frontend?"},
		"a slip before it":        {text: whole + "  three-tier:frontend: {image: x}\n", want: "three-tier:frontend is unknown, " + prefix, alone: "editor: a schema knows no edit distance"},
		"the project before it":   {text: whole + "  shop:frontend: {image: x}\n", want: "shop:frontend is unknown, " + prefix + ": did you mean threetier:frontend?", alone: "editor: the schema doesn't know the project's name"},
		"the project, and a path": {text: whole + "  shop:nginx.hosts: [x]\n", want: "shop:nginx.hosts is unknown, " + prefix, alone: "editor: the same"},
		"nothing before it":       {text: whole + "  frontend: {image: x}\n", want: "shop:frontend is unknown, " + prefix},
		"beside config":           {text: whole + "threetier:frontend: {image: x}\n", want: "threetier:frontend is unknown, want one of config, secretsprovider, encryptedkey, encryptionsalt, environment: the program's keys stand below config", alone: "program: Pulumi doesn't hand it over"},
		"config misspelled":       {text: strings.Replace(whole, "config:", "confg:", 1), want: ""},

		"an empty file":        {text: "", want: "aws:region is missing"},
		"a comment alone":      {text: "# config:\n", want: "aws:region is missing"},
		"null":                 {text: "null\n", want: "aws:region is missing"},
		"an empty config":      {text: "config:\n", want: "aws:region is missing"},
		"an empty object":      {text: "config: {}\n", want: "aws:region is missing"},
		"a list for config":    {text: "config: [a]\n", want: "config"},
		"a text for config":    {text: "config: text\n", want: "config"},
		"a list for the file":  {text: "- config\n", want: ""},
		"a text for the file":  {text: "config\n", want: ""},
		"no YAML":              {text: "config: {\n", want: ""},
		"a tab":                {text: "config:\n\taws:region: x\n", want: ""},
		"a key twice":          {text: whole + backend, want: "already defined"},
		"a field twice":        {text: good + "  threetier:backend: {image: a, image: b}\n", want: "already defined"},
		"a null key":           {text: good + "  threetier:backend:\n", want: "threetier:backend"},
		"a list for an object": {text: good + "  threetier:backend: [a]\n", want: "threetier:backend is [\"a\"], want an object"},
		"a text for an object": {text: good + "  threetier:backend: a\n", want: "threetier:backend is \"a\", want an object"},
		"a null object beside": {text: whole + "  threetier:nginx:\n", want: "threetier:nginx is \"\", want an object"},
		"a key of three parts": {text: whole + "  threetier:backend:port: 80\n", want: "backend"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(root, "Pulumi.yaml"), []byte("name: shop\nruntime: go\n"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(root, "Pulumi.dev.yaml"), []byte(c.text), 0o600))
			said := map[string]error{}
			_, said["plan"] = plan.Build(root, "dev")
			config, err := project.Parse(root, []byte(c.text))
			if err == nil {
				_, err = recorder.Run(stack.Deploy, recorder.Options{Project: "shop", Config: config})
			}
			said["program"] = err
			said["editor"] = editorSays(t, c.text)
			for who, err := range said {
				if strings.HasPrefix(name, "nothing is wrong") || strings.HasPrefix(name, "the file's own") || strings.HasPrefix(c.alone, who+":") {
					assert.NoError(t, err, who)
					continue
				}
				if assert.Error(t, err, who) && who != "editor" {
					assert.ErrorContains(t, err, c.want, who)
				}
			}
		})
	}
}

// Pulumi hands the program an environment's values, and plan can't open it.
func TestPlanRefusesAnEnvironmentOfPulumiCloud(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "Pulumi.yaml"), []byte("name: shop\nruntime: go\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(root, "Pulumi.dev.yaml"), []byte("environment: [shop/dev]\nconfig: {aws:region: eu-west-1}\n"), 0o600))
	_, err := plan.Build(root, "dev")
	require.ErrorContains(t, err, "environment is given, want none: only Pulumi Cloud opens it")
}

// editorSays is an editor's refusal of a file's text.
func editorSays(t *testing.T, text string) error {
	t.Helper()
	var file any
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		return err
	}
	content, err := json.Marshal(file)
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	require.NoError(t, err)
	return editorSchema(t).Validate(document)
}
