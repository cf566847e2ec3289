package settings

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"threetier/internal/constraint"
	"threetier/internal/keys"
)

// Reference is the page that lists every key, as Markdown.
func Reference() string {
	return "# Stack config\n\nEvery key of `Pulumi.<stack>.yaml`. This page is generated from the table that the program reads a config by.\n" +
		Keys().Reference()
}

// Annotated is a Pulumi.<stack>.yaml with every key.
func Annotated() string {
	return "# Every key of Pulumi.<stack>.yaml, with an example. Copy the lines that you need: not all of them go together.\n" +
		"# This file is generated from the table that the program reads a config by.\nconfig:\n" + Keys().Annotated("  ")
}

// Schema is a JSON schema of Pulumi.<stack>.yaml, for editors.
func Schema() ([]byte, error) { return SchemaOf(Keys(), Namespace, "Stack config of threetier") }

// SchemaOf is a JSON schema of a Pulumi.<stack>.yaml with these keys, whose own begin with the namespace.
func SchemaOf(table keys.Table, namespace, title string) ([]byte, error) {
	config := table.Schema()
	if slices.Contains(table.Names(), previewOf) {
		unlessPreview(config)
	}
	// Other providers' keys stand in the same file.
	config["additionalProperties"] = true
	config["propertyNames"] = keys.Schema{"anyOf": []any{
		keys.Schema{"enum": table.Names()},
		keys.Schema{"not": keys.Schema{"pattern": programsNames(table, namespace)}},
	}}
	file := keys.Schema{"config": config}
	for _, name := range FileKeys {
		if file[name] == nil {
			file[name] = keys.Schema{}
		}
	}
	return json.MarshalIndent(keys.Schema{
		"$schema":              "http://json-schema.org/draft-07/schema#",
		"title":                title,
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

// programsNames is a pattern of names in the program's namespace, however it is spelled, of the program's keys without one,
// which Pulumi would put into the project's, and of keys that are gone.
func programsNames(table keys.Table, namespace string) string {
	var prefix strings.Builder
	for _, letter := range namespace {
		fmt.Fprintf(&prefix, "[%c%c]", unicode.ToUpper(letter), letter)
	}
	var own, gone []string
	for _, key := range table {
		if name, isOwn := strings.CutPrefix(key.Name, namespace+":"); isOwn {
			own = append(own, name)
		}
		for _, was := range key.Was {
			gone = append(gone, was[0])
		}
	}
	pattern := "^(" + prefix.String() + ":|(" + strings.Join(own, "|") + ")([.]|$)"
	if len(gone) > 0 {
		pattern += "|" + constraint.Either(gone) + "$"
	}
	return pattern + ")"
}
