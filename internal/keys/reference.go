package keys

import (
	"fmt"
	"regexp"
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

// link is one of a Doc, which is relative to docs.
var link = regexp.MustCompile(`\[([^]]+)\]\(([^)]+)\)`)

// Annotated lists the keys as YAML to copy lines from: each with its meaning above it and an example as its value.
func (t Table) Annotated(indent string) string {
	var page strings.Builder
	for _, key := range t {
		page.WriteString("\n")
		comment(&page, indent, key.prose())
		comment(&page, indent, key.about())
		page.WriteString(indent + key.Name + ":")
		switch inner := indent + "  "; {
		case len(key.Keys) == 0:
			page.WriteString(" " + key.Example + "\n")
		case key.IsMap():
			page.WriteString("\n" + inner + "NAME:\n" + key.Keys.Annotated(inner+"  "))
		case key.IsList():
			page.WriteString("\n" + inner + "-\n" + key.Keys.Annotated(inner+"  "))
		default:
			page.WriteString("\n" + key.Keys.Annotated(inner))
		}
	}
	return page.String()
}

// prose is Doc where nobody can follow a link.
func (k *Key) prose() string { return link.ReplaceAllString(k.Doc, "$1 (docs/$2)") }

// about is what a value must be, and what an absent one means.
func (k *Key) about() string {
	about := k.Type
	if accepted := k.Constraint; accepted != nil && accepted.Accepted() != "" {
		about += ", " + accepted.Accepted()
	}
	if k.Required {
		return about + ". Required."
	}
	return about + ". Default: " + k.ByDefault() + "."
}

// comment wraps a text at a width that is read without scrolling.
func comment(page *strings.Builder, indent, text string) {
	const width = 110
	line := indent + "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word) > width && line != indent+"#" {
			page.WriteString(line + "\n")
			line = indent + "#"
		}
		line += " " + word
	}
	page.WriteString(line + "\n")
}
