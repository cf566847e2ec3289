package keys

import (
	"maps"
	"regexp"

	"threetier/internal/constraint"
)

// Schema is a part of a JSON schema.
type Schema = constraint.Schema

// Schema is the JSON schema of an object with exactly these keys.
func (t Table) Schema() Schema {
	fields := Schema{}
	var required []string
	for _, key := range t {
		fields[key.Name] = key.schema()
		if key.Required {
			required = append(required, key.Name)
		}
	}
	object := Schema{"type": "object", "properties": fields, "additionalProperties": false}
	if len(required) > 0 {
		object["required"] = required
	}
	return object
}

// schema is the type of the key with what its constraint says.
func (k *Key) schema() Schema {
	schema := k.shape(k.Keys.Schema, Schema{"type": "string"})
	if k.Unquoted {
		schema = Schema{"type": []string{"string", "number", "boolean"}}
	}
	merge(schema, k.Constraint.Schema())
	if k.part != "" {
		values := schema["additionalProperties"].(Schema)
		values["if"], values["then"] = Schema{"pattern": regexp.QuoteMeta(k.part)}, Schema{"pattern": k.plain.Pattern}
	}
	if k.From {
		values := schema["additionalProperties"].(Schema)
		schema["additionalProperties"] = Schema{"anyOf": []any{values, Schema{
			"type": "object", "required": []string{"from"}, "additionalProperties": false,
			"properties": Schema{"from": Schema{"type": "string", "pattern": FromARN.Pattern}},
		}}}
	}
	if k.Secret {
		schema = orSecure(schema)
	}
	if k.Constant != nil && !k.Required {
		schema["default"] = k.Constant
	}
	schema["description"] = k.Doc + " Default: " + k.ByDefault() + "."
	return schema
}

// merge adds keywords to a schema, and to the schema of a map's values.
func merge(schema, keywords Schema) {
	for keyword, value := range keywords {
		values, isMap := schema[keyword].(Schema)
		if isMap && keyword == "additionalProperties" {
			maps.Copy(values, value.(Schema))
			continue
		}
		schema[keyword] = value
	}
}

// shape is the type of the key, with object as that of its keys and text as that of each string in it.
func (k *Key) shape(object func() Schema, text Schema) Schema {
	switch k.Type {
	case "object":
		return object()
	case objectList:
		return Schema{"type": "array", "items": object()}
	case objectMap:
		return Schema{"type": "object", "additionalProperties": object()}
	case "list of strings":
		return Schema{"type": "array", "items": text}
	case "list of integers":
		return Schema{"type": "array", "items": Schema{"type": "integer"}}
	case "map of strings":
		return Schema{"type": "object", "additionalProperties": text}
	}
	return Schema{"type": k.Type}
}

// orSecure also takes what `pulumi config set --secret` writes: in place of the value, or of each value of a map.
func orSecure(schema Schema) Schema {
	if values, isMap := schema["additionalProperties"].(Schema); isMap {
		schema["additionalProperties"] = orSecure(values)
		return schema
	}
	return Schema{"anyOf": []any{schema, Schema{
		"type": "object", "required": []string{"secure"}, "additionalProperties": false,
		"properties": Schema{"secure": Schema{"type": "string"}},
	}}}
}
