package awsplugin

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
)

// GetSchema describes exactly what the stand-in knows.
func (p *Provider) GetSchema(context.Context, plugin.GetSchemaRequest) (plugin.GetSchemaResponse, error) {
	resources, functions := map[string]any{}, map[string]any{}
	for token, known := range resourceTypes {
		inputs := schemaOf(known.inputs)
		for _, name := range p.replaces[token] {
			inputs[name].(map[string]any)["willReplaceOnChanges"] = true
		}
		outputs := maps.Clone(inputs)
		for _, name := range known.outputs {
			outputs[name] = map[string]any{"$ref": "pulumi.json#/Any"}
		}
		resources[token] = map[string]any{
			"properties": outputs, "inputProperties": inputs, "requiredInputs": required(known.inputs)}
	}
	for token, arguments := range lookupTypes {
		functions[token] = map[string]any{"inputs": map[string]any{
			"properties": schemaOf(arguments), "required": required(arguments)}}
	}
	schema, err := json.Marshal(map[string]any{
		"name": "aws", "version": Version, "description": "The part of AWS that the local node stands in for.",
		"resources": resources, "functions": functions,
	})
	return plugin.GetSchemaResponse{Schema: schema}, err
}

func required(inputs map[string]input) []string {
	names := []string{}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		if inputs[name].required {
			names = append(names, name)
		}
	}
	return names
}

func schemaOf(inputs map[string]input) map[string]any {
	text := map[string]any{"type": "string"}
	out := map[string]any{}
	for name, in := range inputs {
		var property map[string]any
		switch in.shape {
		case aNumber:
			property = map[string]any{"type": "number"}
		case aTruth:
			property = map[string]any{"type": "boolean"}
		case aList, aSet:
			property = map[string]any{"type": "array", "items": text}
		case aMap:
			property = map[string]any{"type": "object", "additionalProperties": text}
		case aRecord:
			property = map[string]any{"type": "array", "items": map[string]any{"$ref": "pulumi.json#/Any"}}
		case anEntry:
			property = map[string]any{"$ref": "pulumi.json#/Any"}
		default:
			property = map[string]any{"type": "string"}
		}
		if in.secret {
			property["secret"] = true
		}
		out[name] = property
	}
	return out
}
