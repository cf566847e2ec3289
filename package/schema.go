package main

import (
	"encoding/json"
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/keys"
	"threetier/internal/stack"
	"threetier/internal/version"
)

// schema is Pulumi's schema of the package: the inputs are the rows of the tables of keys.
func schema() ([]byte, error) {
	types, resources := keys.Schema{}, keys.Schema{}
	for _, component := range components() {
		inputs, required := component.inputs.Package(component.token, types)
		outputs, always := component.outputs()
		resources[component.token] = keys.Schema{
			"isComponent": true, "type": "object",
			"description":     component.doc + " The AWS region is aws:region in the stack config.",
			"inputProperties": inputs, "requiredInputs": required,
			"properties": outputs, "required": always,
		}
	}
	return json.MarshalIndent(keys.Schema{
		"name": name, "displayName": name, "version": version.Number,
		"description": "A web app on Kubernetes behind NGINX, with Amazon RDS for PostgreSQL",
		"types":       types, "resources": resources,
		"language": keys.Schema{
			// By default the name says where the package is from, and an import would differ between a tag and a path.
			"nodejs": keys.Schema{"packageName": name, "respectSchemaVersion": true},
			"python": keys.Schema{"packageName": name, "respectSchemaVersion": true, "pyproject": keys.Schema{"enabled": true}},
		},
	}, "", "  ")
}

func stackOutputs() (properties keys.Schema, always []string) {
	properties = keys.Schema{}
	for _, output := range stack.Outputs {
		property := typeOf(reflect.TypeFor[string]())
		if output.Records {
			property = typeOf(reflect.TypeFor[[]map[string]string]())
		} else if !output.Optional {
			always = append(always, output.Name)
		}
		property["description"] = output.Doc
		properties[output.Name] = property
	}
	return properties, always
}

// tagged are the outputs of a component: its fields that have a pulumi tag.
func tagged(made reflect.Type) (properties keys.Schema, always []string) {
	properties = keys.Schema{}
	for i := range made.NumField() {
		if output := made.Field(i).Tag.Get("pulumi"); output != "" {
			property := typeOf(reflect.Zero(made.Field(i).Type).Interface().(pulumi.Output).ElementType())
			property["description"] = made.Field(i).Tag.Get("doc")
			properties[output] = property
			always = append(always, output)
		}
	}
	return properties, always
}

func typeOf(value reflect.Type) keys.Schema {
	switch value.Kind() {
	case reflect.Int:
		return keys.Schema{"type": "integer"}
	case reflect.Slice:
		return keys.Schema{"type": "array", "items": typeOf(value.Elem())}
	case reflect.Map:
		return keys.Schema{"type": "object", "additionalProperties": typeOf(value.Elem())}
	}
	return keys.Schema{"type": "string"}
}
