package settings

import (
	"encoding/json"
	"maps"

	"threetier/internal/constraint"
)

// schemaObject is a part of a JSON schema.
type schemaObject = constraint.Schema

// Schema is a JSON schema of Pulumi.<stack>.yaml, for editors.
func Schema() ([]byte, error) {
	config := properties(Keys())
	// Other providers' keys stand in the same file.
	config["additionalProperties"] = true
	config["propertyNames"] = schemaObject{"anyOf": []any{
		schemaObject{"enum": keyNames(Keys())},
		schemaObject{"not": schemaObject{"pattern": "^" + Namespace + ":"}},
	}}
	return json.MarshalIndent(schemaObject{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       "Stack config of threetier",
		"type":        "object",
		"properties":  schemaObject{"config": config},
		"description": "Pulumi.<stack>.yaml",
	}, "", "  ")
}

// properties are an object with exactly these keys.
func properties(keys []Key) schemaObject {
	fields := schemaObject{}
	var names []string
	for _, key := range keys {
		fields[key.Name] = schemaOf(key)
		if key.Default == required {
			names = append(names, key.Name)
		}
	}
	object := schemaObject{"type": "object", "properties": fields, "additionalProperties": false}
	if len(names) > 0 {
		object["required"] = names
	}
	return object
}

// schemaOf is the type of a key with what its constraint says.
func schemaOf(key Key) schemaObject {
	schema := schemaOfKind(key.Kind)
	if key.Constraint != nil {
		merge(schema, key.Constraint.Schema())
	}
	if key.Secret {
		schema = orSecure(schema)
	}
	if byDefault := key.constant(); byDefault != nil {
		schema["default"] = byDefault
	}
	schema["description"] = key.Doc + " Default: " + key.ByDefault() + "."
	return schema
}

// merge adds keywords to a schema, and to the schema of a map's values.
func merge(schema, keywords schemaObject) {
	for keyword, value := range keywords {
		values, isMap := schema[keyword].(schemaObject)
		if isMap && keyword == "additionalProperties" {
			maps.Copy(values, value.(schemaObject))
			continue
		}
		schema[keyword] = value
	}
}

func schemaOfKind(kind Kind) schemaObject {
	scalar := schemaObject{"type": []string{"string", "number", "boolean"}}
	switch kind.Name {
	case "object":
		return properties(kind.Keys)
	case "list of objects":
		return schemaObject{"type": "array", "items": properties(kind.Keys)}
	case "map of objects":
		return schemaObject{"type": "object", "additionalProperties": properties(kind.Keys)}
	case "list of strings":
		return schemaObject{"type": "array", "items": schemaObject{"type": "string"}}
	case "list of integers":
		return schemaObject{"type": "array", "items": schemaObject{"type": "integer"}}
	case "map of strings":
		return schemaObject{"type": "object", "additionalProperties": scalar}
	}
	if kind.Loose {
		return scalar
	}
	return schemaObject{"type": kind.Name}
}

// orSecure also takes what `pulumi config set --secret` writes: in place of the value, or of each value of a map.
func orSecure(schema schemaObject) schemaObject {
	if values, isMap := schema["additionalProperties"].(schemaObject); isMap {
		schema["additionalProperties"] = orSecure(values)
		return schema
	}
	return schemaObject{"anyOf": []any{schema, schemaObject{
		"type": "object", "required": []string{"secure"}, "additionalProperties": false,
		"properties": schemaObject{"secure": schemaObject{"type": "string"}},
	}}}
}
