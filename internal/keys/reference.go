package keys

import (
	"fmt"
	"strings"
)

// Reference lists the keys as Markdown: a section for each, with all below it.
func (t Table) Reference() string {
	var page strings.Builder
	for _, key := range t {
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n", key.Name, key.Doc)
		page.WriteString("| key | type | default | accepted | example | meaning |\n|---|---|---|---|---|---|\n")
		if len(key.Keys) == 0 || key.IsMap() {
			page.WriteString(key.line(key.Name))
		}
		key.Keys.lines(&page, key.anyName())
	}
	return page.String()
}

func (t Table) lines(page *strings.Builder, prefix string) {
	for _, key := range t {
		path := prefix + key.Name
		page.WriteString(key.line(path))
		if key.IsList() {
			path += "[]"
		}
		key.Keys.lines(page, path+"."+key.anyName())
	}
}

func (k *Key) line(path string) string {
	kind := k.Type
	if k.Secret {
		kind += ", may be secret"
	}
	if k.From {
		kind += ", or `{from: ARN}` each"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |\n",
		path, kind, cell(k.ByDefault()), cell(k.Constraint.Accepted()), code(k.Example), cell(k.Doc))
}

// cell keeps a text from ending the cell, and from being taken for HTML.
func cell(text string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(text) }

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}
