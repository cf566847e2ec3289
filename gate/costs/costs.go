// Package costs is docs/cost-of-changes.md: what the change of one key of a stack config costs, as it was measured.
package costs

import (
	"fmt"
	"strings"
)

// File is the page, from the project's folder.
const File = "docs/cost-of-changes.md"

// Row is what one change has cost.
type Row struct {
	// Key is the key, Change what became of it.
	Key, Change string
	// Sent and Lost are requests; Seconds are those in which some were lost.
	Sent, Lost, Seconds int
	// Pods are the tiers that got new pods, Replaced the AWS resources that were replaced, by their logical names.
	Pods, Replaced []string
	// Restarted tells that the database's server was started anew.
	Restarted bool
	// AWS is what only an account shows.
	AWS string
}

// Head is the beginning of the table.
const Head = `| key | change | lost requests | seconds with losses | new pods | replaced in AWS | database restart | not measured: on AWS |
| --- | --- | ---: | ---: | --- | --- | --- | --- |
`

// String is the row's line in the table.
func (r Row) String() string {
	restarted := "no"
	if r.Restarted {
		restarted = "yes"
	}
	return fmt.Sprintf("| `%s` | %s | %d of %d | %d | %s | %s | %s | %s |\n",
		r.Key, r.Change, r.Lost, r.Sent, r.Seconds, list(r.Pods), list(r.Replaced), restarted, r.AWS)
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Table has a line for each row.
func Table(rows []Row) string {
	b := &strings.Builder{}
	b.WriteString(Head)
	for _, row := range rows {
		b.WriteString(row.String())
	}
	return b.String()
}

// Line is a row as it stands in a page.
type Line struct{ Key, Text string }

// Lines are the rows of a page.
func Lines(page string) []Line {
	var lines []Line
	for text := range strings.Lines(page) {
		rest, isRow := strings.CutPrefix(text, "| `")
		key, _, ends := strings.Cut(rest, "`")
		if isRow && ends {
			lines = append(lines, Line{key, text})
		}
	}
	return lines
}
