package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"unicode"

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
		schemaObject{"not": schemaObject{"pattern": meantForProgram(Keys())}},
	}}
	file := schemaObject{"config": config}
	for _, name := range FileKeys {
		if file[name] == nil {
			file[name] = schemaObject{}
		}
	}
	return json.MarshalIndent(schemaObject{
		"$schema":              "http://json-schema.org/draft-07/schema#",
		"title":                "Stack config of threetier",
		"type":                 "object",
		"properties":           file,
		"required":             []string{"config"},
		"additionalProperties": false,
		"description":          "Pulumi.<stack>.yaml",
	}, "", "  ")
}

// FileKeys are those of a Pulumi.<stack>.yaml itself. Pulumi says nothing of another one, and a config key that stands beside
// config, not in it, never reaches the program. https://www.pulumi.com/docs/iac/concepts/projects/stack-settings-file/
var FileKeys = []string{"config", "secretsprovider", "encryptedkey", "encryptionsalt", "environment"}

// meantForProgram is a pattern of names in the program's namespace, however it is spelled, and of the program's keys
// without one, which Pulumi would put into the project's.
func meantForProgram(keys []Key) string {
	var namespace strings.Builder
	for _, letter := range Namespace {
		fmt.Fprintf(&namespace, "[%c%c]", unicode.ToUpper(letter), letter)
	}
	var own []string
	for _, key := range keys {
		if name, isOwn := strings.CutPrefix(key.Name, Namespace+":"); isOwn {
			own = append(own, name)
		}
	}
	return "^(" + namespace.String() + ":|(" + strings.Join(own, "|") + ")([.]|$))"
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
