package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"threetier/gate/costs"
	"threetier/gate/plan/replacement"
)

// Comparison is what happens to one stack. docs/reference/commands.md lists the fields that programs get.
type Comparison struct {
	// Stack is the stack's name.
	Stack string `json:"stack"`
	// New tells that the stack wasn't planned before, Gone that it isn't any more.
	New  bool `json:"new"`
	Gone bool `json:"gone"`
	// Changes are in the order of the plan.
	Changes []Change `json:"changes"`
	// Before is the plan of a stack that is gone.
	Before *Plan `json:"-"`
	// Costs are of the keys that its config changes.
	Costs Costs `json:"-"`
}

// JSON is the summary for programs.
func JSON(stacks []Comparison) (string, error) {
	text, err := json.MarshalIndent(stacks, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write the plan as JSON: %w", err)
	}
	return string(text) + "\n", nil
}

// MarshalJSON is what the comparison shows of a resource.
func (r Resource) MarshalJSON() ([]byte, error) { return json.Marshal(r.Label()) }

// Markdown is the summary for a pull request: data first, then the numbers, then each change.
func Markdown(base string, stacks []Comparison) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## What changes in the stacks\n\nAgainst %s, by the stack configs alone: nothing in an account was looked at.\n", base)
	writeData(&b, stacks)
	b.WriteString("\n| stack | created | changed | replaced | deleted |\n| --- | ---: | ---: | ---: | ---: |\n")
	for _, stack := range stacks {
		counts := map[Kind]int{}
		for _, change := range stack.Changes {
			counts[change.Kind]++
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", stack.Stack, counts[Created], counts[Changed], counts[Replaced], counts[Deleted])
	}
	for _, stack := range stacks {
		writeStack(&b, stack)
	}
	return b.String()
}

// writeData is what a reviewer has to see even if nothing else.
func writeData(b *strings.Builder, stacks []Comparison) {
	var lines []string
	level := "WARNING"
	for _, stack := range stacks {
		for _, change := range stack.Changes {
			if !change.TouchesData() {
				continue
			}
			var losses []string
			for _, loss := range change.Losses {
				level = "CAUTION"
				losses = append(losses, loss.Text)
			}
			line := fmt.Sprintf("> - **%s**: `%s` is **%s**", stack.Stack, change.Resource.Label(), change.Kind)
			if len(losses) > 0 {
				line += ": " + strings.Join(slices.Compact(losses), "; ")
			}
			if change.Resource.Protect && change.goes() != "" {
				line += "; it is protected, so the engine will refuse"
			}
			lines = append(lines, line)
		}
		if stack.Gone {
			for _, label := range stack.Before.protected() {
				level = "CAUTION"
				lines = append(lines, fmt.Sprintf("> - **%s** has no config any more, and `%s` is protected", stack.Stack, label))
			}
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "\n> [!%s]\n> This touches data, or what leads to the app.\n%s\n", level, strings.Join(lines, "\n"))
	}
}

func writeStack(b *strings.Builder, stack Comparison) {
	switch {
	case stack.Gone:
		fmt.Fprintf(b, "\n### %s\n\nIt has no config any more. What it made stays until `pulumi destroy`.\n", stack.Stack)
		return
	case len(stack.Changes) == 0:
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n", stack.Stack)
	if stack.New {
		fmt.Fprintf(b, "A new stack: all of its %d resources are created.\n", len(stack.Changes))
		return
	}
	for _, change := range stack.Changes {
		fmt.Fprintf(b, "- %s `%s`", change.Kind, change.Resource.Label())
		if change.Kind == Created || change.Kind == Deleted { // there a name alone says little
			fmt.Fprintf(b, " (%s)", change.Resource.Type)
		}
		b.WriteString("\n")
		for _, detail := range change.Details {
			fmt.Fprintf(b, "  - %s\n", describe(change.Resource.Type, detail))
		}
	}
	writeCosts(b, stack.Costs)
}

func writeCosts(b *strings.Builder, of Costs) {
	if len(of.Rows) > 0 {
		fmt.Fprintf(b, "\nThe cost of such changes on the local node, by %s:\n\n%s", costs.Page, costs.Table(of.Rows))
	}
	if len(of.Unknown) > 0 {
		fmt.Fprintf(b, "\nNot measured there: `%s`.\n", strings.Join(of.Unknown, "`, `"))
	}
}

func describe(typ string, detail Detail) string {
	var text string
	switch {
	case detail.Follows != "":
		text = fmt.Sprintf("`%s` follows `%s`, which is replaced", detail.Path, detail.Follows)
	case isText(detail.Old) || isText(detail.New):
		text = fmt.Sprintf("`%s`: %s", detail.Path, lineChanges(detail))
	case detail.Old == nil:
		text = fmt.Sprintf("`%s`: added, %s", detail.Path, show(detail.New))
	case detail.New == nil:
		text = fmt.Sprintf("`%s`: removed, was %s", detail.Path, show(detail.Old))
	default:
		text = fmt.Sprintf("`%s`: %s → %s", detail.Path, show(detail.Old), show(detail.New))
	}
	if replacement.By(typ, detail.Path) {
		text += " (this makes a new one)"
	}
	return text
}

func isText(value any) bool {
	text, _ := value.(string)
	return strings.Contains(text, "\n")
}

// lineChanges counts the lines of a text that come and go; the plan's own diff shows them.
func lineChanges(detail Detail) string {
	lines := map[string]int{}
	for line := range strings.Lines(fmt.Sprint(detail.New)) {
		lines[line]++
	}
	removed := 0
	for line := range strings.Lines(fmt.Sprint(detail.Old)) {
		if lines[line] == 0 {
			removed++
			continue
		}
		lines[line]--
	}
	added := 0
	for _, n := range lines {
		added += n
	}
	return fmt.Sprintf("%d lines added, %d removed", added, removed)
}

const longestValue = 120

// show is a value between backticks, which it must not have itself.
func show(value any) string {
	text := []rune(strings.ReplaceAll(fmt.Sprint(value), "`", "'"))
	if len(text) > longestValue {
		text = append(text[:longestValue], '…')
	}
	return "`" + string(text) + "`"
}
