package main

import (
	"encoding/json"
	"slices"

	"threetier/internal/keys"
	"threetier/internal/settings"
	"threetier/internal/stack"
	"threetier/internal/version"
)

// schema is Pulumi's schema of the package: its inputs are the rows of the table of keys.
func schema() ([]byte, error) {
	types := keys.Schema{}
	inputs, required := settings.OwnKeys().Package(stack.ComponentType, types)
	outputs, always := outputs()
	return json.MarshalIndent(keys.Schema{
		"name": name, "displayName": name, "version": version.Number,
		"description": "A web app on Kubernetes behind NGINX, with Amazon RDS for PostgreSQL",
		"types":       types,
		"resources": keys.Schema{stack.ComponentType: keys.Schema{
			"isComponent": true,
			"description": "All that runs one environment of an app. A Pulumi stack has one. The AWS region is aws:region in the stack config.",
			"type":        "object", "inputProperties": inputs, "requiredInputs": required,
			"properties": outputs, "required": always,
		}},
		"language": keys.Schema{
			// By default the name says where the package is from, and an import would differ between a tag and a path.
			"nodejs": keys.Schema{"packageName": name, "respectSchemaVersion": true},
			"python": keys.Schema{"packageName": name, "respectSchemaVersion": true, "pyproject": keys.Schema{"enabled": true}},
		},
	}, "", "  ")
}

func outputs() (properties keys.Schema, always []string) {
	properties = keys.Schema{}
	for _, output := range stack.Outputs {
		text := keys.Schema{"type": "string"}
		if output.Records {
			properties[output.Name] = keys.Schema{"type": "array", "items": keys.Schema{"type": "object", "additionalProperties": text}, "description": output.Doc}
			continue
		}
		text["description"] = output.Doc
		properties[output.Name] = text
		if !output.Optional {
			always = append(always, output.Name)
		}
	}
	slices.Sort(always)
	return properties, always
}
