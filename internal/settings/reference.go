package settings

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Reference is the page that lists every key, as Markdown.
func Reference() string {
	var page strings.Builder
	page.WriteString("# Stack config\n\nEvery key of `Pulumi.<stack>.yaml`. This page is generated from the table that the program reads a config by.\n")
	for _, key := range Keys() {
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n", key.Name, key.Doc)
		page.WriteString("| key | type | default | accepted | example | meaning |\n|---|---|---|---|---|---|\n")
		if len(key.Kind.Keys) == 0 {
			page.WriteString(row(key.Name, key))
		}
		rows(&page, "", key.Kind.Keys)
	}
	return page.String()
}

func rows(page *strings.Builder, prefix string, keys []Key) {
	for _, key := range keys {
		path := prefix + key.Name
		page.WriteString(row(path, key))
		if key.Kind.List {
			path += "[]"
		}
		rows(page, path+".", key.Kind.Keys)
	}
}

func row(path string, key Key) string {
	kind := key.Kind.Name
	if key.Secret {
		kind += ", may be secret"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |\n",
		path, kind, cell(key.Default), cell(key.Range), code(key.Example), cell(key.Doc))
}

// cell keeps a text from ending the cell, and from being taken for HTML.
func cell(text string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(text) }

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}

// schemaObject is a part of a JSON schema.
type schemaObject = map[string]any

// Schema is a JSON schema of Pulumi.<stack>.yaml, for editors.
func Schema() ([]byte, error) {
	config := properties(Keys())
	// Other providers' keys stand in the same file.
	config["additionalProperties"] = true
	config["propertyNames"] = schemaObject{"not": schemaObject{
		"pattern": "^" + Namespace + ":(?!(" + strings.Join(ownNames(), "|") + ")$)",
	}}
	return json.MarshalIndent(schemaObject{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       "Stack config of threetier",
		"type":        "object",
		"properties":  schemaObject{"config": config},
		"description": "Pulumi.<stack>.yaml",
	}, "", "  ")
}

func ownNames() []string {
	var own []string
	for _, key := range Keys() {
		if name, isOwn := strings.CutPrefix(key.Name, Namespace+":"); isOwn {
			own = append(own, name)
		}
	}
	return own
}

// properties are an object with exactly these keys.
func properties(keys []Key) schemaObject {
	fields := schemaObject{}
	for _, key := range keys {
		field := schemaOf(key.Kind, key.Secret)
		field["description"] = key.Doc + " Default: " + key.Default + "."
		fields[key.Name] = field
	}
	return schemaObject{"type": "object", "properties": fields, "additionalProperties": false}
}

func schemaOf(kind Kind, secret bool) schemaObject {
	scalar := schemaObject{"type": []string{"string", "number", "boolean"}}
	switch kind.Name {
	case "object":
		return properties(kind.Keys)
	case "list of objects":
		return schemaObject{"type": "array", "items": properties(kind.Keys)}
	case "list of strings":
		return schemaObject{"type": "array", "items": schemaObject{"type": "string"}}
	case "map of strings":
		return schemaObject{"type": "object", "additionalProperties": orSecure(scalar, secret)}
	}
	if kind.Loose {
		return scalar
	}
	return orSecure(schemaObject{"type": kind.Name}, secret)
}

// orSecure also takes what `pulumi config set --secret` writes.
func orSecure(plain schemaObject, secret bool) schemaObject {
	if !secret {
		return plain
	}
	return schemaObject{"anyOf": []any{plain, schemaObject{
		"type": "object", "required": []string{"secure"}, "additionalProperties": false,
		"properties": schemaObject{"secure": schemaObject{"type": "string"}},
	}}}
}
