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

	"threetier/internal/recorder"
	"threetier/internal/settings"
)

// editorSchema is the schema that editors read, as it stands in docs.
func editorSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(recorder.Root(), "docs/config.schema.json"))
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
func refusedByEditor(t *testing.T, schema *jsonschema.Schema, config *recorder.Config) []string {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.JSON(t)))
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
		if schema, isName := strings.CutSuffix(refused.SchemaURL, "/propertyNames"); isName {
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
func refusedByProgram(config *recorder.Config) []string {
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
		assert.Empty(t, refusedByEditor(t, editorSchema(t), recorder.StackConfig(t, stack)), stack)
	}
}

func TestEditorSchemaAcceptsASecretWhereTheProgramDoes(t *testing.T) {
	config := recorder.StackConfig(t, "dev").
		SetSecret(t, "threetier:database.password", "long-enough").
		SetSecret(t, "threetier:backend.env.KEY", "x").
		SetSecret(t, "threetier:backend.secretEnv.OTHER", "x")
	assert.Empty(t, refusedByProgram(config))
	assert.Empty(t, refusedByEditor(t, editorSchema(t), config))
	config.SetSecret(t, "threetier:nginx.maxBodySize", "1m")
	assert.Len(t, refusedByProgram(config), 1)
	assert.Contains(t, refusedByEditor(t, editorSchema(t), config), "threetier:nginx.maxBodySize")
}

// sampleConfig has the required keys, a skipped migration and one object of each list to set the keys of, and room for any number of requests.
func sampleConfig(t *testing.T) *recorder.Config {
	return recorder.YAML(t, `config:
  aws:region: eu-west-1
  threetier:cluster: {eks: acme}
  threetier:database: {lifecycle: disposable}
  threetier:backend: {image: "acme/backend:1", migrate: [alembic], skipMigration: {image: "acme/backend:1", reason: older}, egress: [{to: internet, ports: [443]}], permissions: [{actions: [sqs:SendMessage], resources: ["arn:aws:sqs:::jobs"]}]}
  threetier:frontend: {image: "acme/frontend:1", egress: [{to: internet, ports: [443]}]}
  threetier:workers: {sample: {command: [work], egress: [{to: internet, ports: [443]}]}}
  threetier:jobs: {sample: {command: [work], schedule: "@daily", egress: [{to: internet, ports: [443]}]}}
  threetier:nginx: {routes: [{path: /api, to: backend}], resources: {memory: 64Gi}, limits: {requests: 3686}}
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
func sampleOf(t *testing.T, path string, value any) *recorder.Config {
	config := sampleConfig(t)
	for path, value := range besides[path] {
		config.Set(t, path, value)
	}
	return config.Set(t, path, value)
}

// inLists are the keys whose values are lists of objects.
var inLists = regexp.MustCompile(`\b(routes|egress|permissions|tolerations)\.`)

func TestProgramAndEditorAgreeOnEverySampleOfAConstraint(t *testing.T) {
	schema := editorSchema(t)
	accepted, byProgram, byEditor := 0, 0, 0
	eachKey("", settings.Keys(), func(path string, key settings.Key) {
		if key.Constraint == nil {
			return
		}
		path = inLists.ReplaceAllString(path, "$1[0].")
		place := strings.NewReplacer("[", ".", "]", "").Replace(path)
		valid, invalid := key.Constraint.Samples()
		assert.NotEmpty(t, invalid, "%s has a sample that is refused", path)
		for _, sample := range valid {
			config := sampleOf(t, path, sample)
			for _, line := range at(path, refusedByProgram(config)) {
				// Retiring alone is refused for a control that it leaves unmet, not for its value.
				// And an action is waived only where it is refused.
				assert.Regexp(t, "or the reason why not as waive[.]|want only actions with a wildcard|in a rollout the pods open", line, "%s: %v", path, sample)
			}
			assert.Empty(t, refusedByEditor(t, schema, config), "%s: %v", path, sample)
			accepted++
		}
		for _, sample := range invalid {
			config := sampleOf(t, path, sample)
			if assert.NotEmpty(t, at(path, refusedByProgram(config)), "%s: the program takes %v", path, sample) {
				byProgram++
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
					assert.NotRegexp(t, `\(\?|\\[^dpS.{}?*]|\[\[:`, pattern)
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
	"in a rollout the pods open":          "the sum is over several keys",
	"or the reason why not as waive.":     "whether a control is met follows from several keys",
	"want no waiver: the control is met":  "the same",
	"want no reason: ":                    "whether tags need a reason follows from the lifecycle and the images",
	"since the database isn't disposable": "the same",
	"it only beside migrate":              "the rule is across two keys",
	"the backend's image: ":               "the same",
	"threetier:database.network.":         "the network is required only beside a kubeconfig",
	"the stack has no frontend":           "whether it has one, another key says",
	"threetier:databse is unknown":        "the test gives the key by environment, not in the config: its name alone is refused by the schema",
	"which the metadata services are in":  "whether a network has another inside",
	"want the network's first address":    "no pattern can count bits",
	"::ffff:0a00:0000/104":                "the same",
	"the port is the backend's own":       "the ports follow from the target",
	"threetier:frontend.egress[1].ports":  "the same",
	"for all taints":                      "the key follows from the operator",
	"want none with operator Exists":      "the same",
	"want only actions with a wildcard":   "what is waived stands in another key",
	"characters as a policy":              "it is the length of all statements",
	"want none without permissions":       "one key follows from another",
	"only EKS hands out credentials":      "the same",
	"want a name in the zone":             "the zone is another key",
	"want each name in one place":         "the other names are other keys",
	"names: a load balancer takes no":     "they are counted over several keys",
	"given beside the domain":             "the rule is across two keys",
	"at most 350 with a certificate":      "the same",
	"different ports, want":               "they are counted over the whole list",
	"the other keys of alarms need it":    "one key follows from others",
	"want logGroup beside it":             "the same",
	"given with nginx.internal":           "the same",
	"group of the stack's cluster":        "which cluster it is, another key says",
}

// editorRefusesToo holds the editor's schema to the program's refusals of a config.
func editorRefusesToo(t *testing.T, config *recorder.Config, lines []string) {
	t.Helper()
	places := refusedByEditor(t, editorSchema(t), config)
	for _, line := range lines {
		path := strings.NewReplacer("[", ".", "]", "").Replace(strings.Fields(line)[0])
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
