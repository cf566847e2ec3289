package settings

import (
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
		if len(key.Kind.Keys) == 0 || key.Kind.Map {
			page.WriteString(row(key.Name, key))
		}
		rows(&page, anyName(key), key.Kind.Keys)
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
		rows(page, path+"."+anyName(key), key.Kind.Keys)
	}
}

// anyName stands for the names in a map of objects.
func anyName(key Key) string {
	if key.Kind.Map {
		return "NAME."
	}
	return ""
}

func row(path string, key Key) string {
	kind := key.Kind.Name
	if key.Secret {
		kind += ", may be secret"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |\n",
		path, kind, cell(key.ByDefault()), cell(key.Accepted()), code(key.Example), cell(key.Doc))
}

// cell keeps a text from ending the cell, and from being taken for HTML.
func cell(text string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(text) }

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}
