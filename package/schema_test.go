package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/app"
	"threetier/components/database"
	"threetier/gate/project"
	"threetier/internal/stack"
)

// The package and the editor read the same table: they know the same keys, of the same types, and require the same ones.
func TestThePackagesSchemaHasTheKeysOfTheEditors(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(project.Root(), "docs/config.schema.json"))
	require.NoError(t, err)
	editor, pack := fields{}, fields{}
	require.NoError(t, json.Unmarshal(data, &editor))
	text, err := schema()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &pack))
	config := editor.at("properties").at("config")
	own := fields{"properties": fields{}}
	for name, key := range config.at("properties") {
		if name, isOwn := strings.CutPrefix(name, "threetier:"); isOwn && name != "previewOf" { // no component is a preview
			own.at("properties")[name] = key
		}
	}
	var required []any
	for _, name := range append(config["required"].([]any), config.at("else")["required"].([]any)...) { // else is what is no preview
		if name, isOwn := strings.CutPrefix(name.(string), "threetier:"); isOwn {
			required = append(required, name)
		}
	}
	own["required"] = required
	component := pack.at("resources").at(stack.ComponentType)
	compared := compare(t, "", own, fields{"properties": component["inputProperties"], "required": component["requiredInputs"]}, pack.at("types"))
	assert.Greater(t, compared, 150)
}

// A part has the keys of its object in a stack, except those that the rest of the stack does for it.
func TestAPartsSchemaHasTheKeysThatItHasInAStack(t *testing.T) {
	text, err := schema()
	require.NoError(t, err)
	pack := fields{}
	require.NoError(t, json.Unmarshal(text, &pack))
	for part, differ := range map[string][]string{"Database": {"alarms", "clientImage", "extensions"}, "Domain": nil} {
		alone, inStack := pack.at("resources").at("threetier:index:"+part), pack.at("types").at(stack.ComponentType+part)
		var more []string
		for name := range inStack.at("properties") {
			if alone.at("inputProperties")[name] == nil {
				more = append(more, name)
			}
		}
		for name := range alone.at("inputProperties") {
			if inStack.at("properties")[name] == nil {
				more = append(more, name)
			}
		}
		assert.ElementsMatch(t, differ, more, part)
		assert.NotEmpty(t, alone.at("properties"), part)
		for name, output := range alone.at("properties") {
			assert.NotEmpty(t, output.(map[string]any)["type"], name)
			assert.NotEmpty(t, output.(map[string]any)["description"], name)
		}
	}
	web, inStack := pack.at("resources").at(app.AppType).at("inputProperties"), pack.at("resources").at(stack.ComponentType).at("inputProperties")
	asOfApp := func(of any) string { return strings.ReplaceAll(inJSON(t, of), stack.ComponentType, app.AppType) }
	for name, input := range inStack {
		switch name {
		case "alarms", "allow":
			assert.NotContains(t, web, name)
		case "database", "domain": // of which it has outputs
			assert.Contains(t, web, name)
		default:
			assert.Equal(t, asOfApp(input), inJSON(t, web[name]), name)
		}
	}
	assert.Len(t, web, len(inStack)-2)
	for token, of := range pack.at("types") {
		name, isApps := strings.CutPrefix(token, app.AppType)
		if isApps && name != "Database" && name != "Domain" {
			assert.Equal(t, asOfApp(pack.at("types")[stack.ComponentType+name]), inJSON(t, of), token)
		}
	}
	data := pack.at("types").at(app.AppType + "Database").at("properties")
	for _, name := range databaseOutputs {
		assert.Equal(t, pack.at("resources").at(database.DatabaseType).at("properties").at(name)["type"], data.at(name)["type"], name)
	}
	assert.Len(t, data, len(databaseOutputs)+2, "and extensions and clientImage")
	assert.ElementsMatch(t, []any{"lifecycle", "network"}, pack.at("resources").at("threetier:index:Database")["requiredInputs"])
	assert.ElementsMatch(t, []any{"vpcId", "subnetIds", "clientSecurityGroupIds"}, pack.at("types").at("threetier:index:DatabaseNetwork")["required"])
}

type fields map[string]any

func (f fields) at(name string) fields {
	switch inner := f[name].(type) {
	case fields:
		return inner
	case map[string]any:
		return inner
	}
	return nil
}

// compare holds a type of the package to the editor's, and counts the keys.
func compare(t *testing.T, path string, editor, pack, types fields) (compared int) {
	t.Helper()
	if ref, isRef := pack["$ref"].(string); isRef {
		pack = types.at(strings.TrimPrefix(ref, "#/types/"))
	}
	keys := editor.at("properties")
	if len(keys) == 0 {
		return 0
	}
	assert.ElementsMatch(t, names(keys), names(pack.at("properties")), path)
	assert.ElementsMatch(t, editor["required"], pack["required"], "what %s requires", path)
	for name, key := range keys {
		key, property := fields(key.(map[string]any)), pack.at("properties").at(name)
		secure := strings.Contains(inJSON(t, key), `"secure"`) && key["properties"] == nil && key["items"] == nil && key.at("additionalProperties")["properties"] == nil
		if alternatives, has := key["anyOf"].([]any); has && secure {
			key = alternatives[0].(map[string]any)
		}
		assert.Contains(t, inJSON(t, key["type"]), property["type"], path+"."+name)
		assert.NotEmpty(t, property["description"], path+"."+name)
		if property["secret"] == true {
			assert.True(t, secure, "%s.%s may be secret", path, name)
		}
		compared++
		for _, inside := range []string{"", "items", "additionalProperties"} {
			if inside == "" {
				compared += compare(t, path+"."+name, key, property, types)
			} else if inner := key.at(inside); inner.at("properties") != nil {
				compared += compare(t, path+"."+name, inner, property.at(inside), types)
			}
		}
	}
	return compared
}

func names(of fields) (all []string) {
	for name := range of {
		all = append(all, name)
	}
	return all
}

func inJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// What is kept secret however it is given is no guess: these and no others.
func TestThePackagesSchemaSaysWhatIsASecret(t *testing.T) {
	text, err := schema()
	require.NoError(t, err)
	pack := fields{}
	require.NoError(t, json.Unmarshal(text, &pack))
	var secrets []string
	for token := range pack.at("resources") {
		for name, input := range pack.at("resources").at(token).at("inputProperties") {
			if input.(map[string]any)["secret"] == true {
				secrets = append(secrets, token+"."+name)
			}
		}
	}
	for token := range pack.at("types") {
		for name := range pack.at("types").at(token).at("properties") {
			if pack.at("types").at(token).at("properties").at(name)["secret"] == true {
				secrets = append(secrets, strings.Replace(strings.TrimPrefix(token, stack.ComponentType), app.AppType, "App", 1)+"."+name)
			}
		}
	}
	assert.ElementsMatch(t, []string{
		"threetier:index:Database.password", "AppDatabase.password", "AppDatabase.appPassword", "AppDatabase.migrationPassword",
		"AppCluster.kubeconfig", "AppBackend.secretEnv", "AppFrontend.secretEnv", "AppBackend.secretFiles", "AppFrontend.secretFiles", "AppWorkers.secretEnv", "AppJobs.secretEnv", "AppRegistry.password",
		"Cluster.kubeconfig", "Database.password", "Backend.secretEnv", "Frontend.secretEnv", "Backend.secretFiles", "Frontend.secretFiles", "Workers.secretEnv", "Jobs.secretEnv", "Registry.password",
	}, secrets)
}
