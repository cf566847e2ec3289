package rehearse

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Markdown is the report for people: the verdict first, in the words of the gate.
func (r *Report) Markdown() string {
	b := &strings.Builder{}
	verdict := "failed"
	if r.Passed() {
		verdict = "passed"
	}
	fmt.Fprintf(b, "## Rehearsal of %s: %s\n\n", r.Stack, verdict)
	r.writeVerdict(b)
	r.writeSteps(b)
	r.writePicture(b)
	r.writeDatabase(b)
	r.writePods(b)
	writeList(b, "Load, and differences to the real stack", append([]string{"The load, with shares: " + r.kinds()}, r.Notes...))
	return b.String()
}

func (r *Report) writeVerdict(b *strings.Builder) {
	if r.Failed != "" {
		fmt.Fprintf(b, "**The rehearsal ended half-way: %s.**\n\n", oneLine(r.Failed))
	}
	sent, lost := 0, 0
	for _, step := range r.Steps {
		sent, lost = sent+step.Sent, lost+step.lost()
	}
	fmt.Fprintf(b, "%s to %s under %d requests per second: %d requests were sent, %s.", short(r.Base), short(r.Head), r.Rate, sent, none(lost, "was lost", "were lost"))
	if r.Failed == "" {
		fmt.Fprintf(b, " %s", r.wayBack())
	}
	fmt.Fprintf(b, " The p99 was %.0f ms before and %.0f ms during the changes.", r.P99Before, r.P99During)
	fmt.Fprintf(b, " The rehearsal took %s.\n", minutes(r.Seconds))
	for _, finding := range r.Findings {
		fmt.Fprintf(b, "\n- **%s**: %s", finding.Name, oneLine(finding.Text))
		if finding.Allowed != "" {
			fmt.Fprintf(b, " Allowed: %s", oneLine(finding.Allowed))
		} else if findingConstraint.Accepts(finding.Name) {
			fmt.Fprintf(b, " If that is intended, put into %s: `allow: { %s: \"the reason\" }`", FileName, finding.Name)
		}
	}
	for _, unneeded := range r.Unneeded {
		fmt.Fprintf(b, "\n- %s: %s", FileName, oneLine(unneeded))
	}
	if len(r.Findings)+len(r.Unneeded) > 0 {
		b.WriteString("\n")
	}
}

func (r *Report) wayBack() string {
	var rows []string
	for _, finding := range r.Findings {
		switch finding.Name {
		case findingRollback:
			return "The way back failed."
		case unmeasured + "steps":
			return "Nothing is known of the way back."
		case unmeasured + "rows":
			return "The way back worked. It isn't known whether rows were lost."
		}
		if table, isRows := strings.CutPrefix(finding.Name, "rows "); isRows {
			rows = append(rows, table)
		}
	}
	if len(rows) > 0 {
		return "The way back worked. Rows were lost in " + strings.Join(rows, ", ") + "."
	}
	return "The way back worked, and no row was lost."
}

// none is a number that may be none of all.
func none(n int, one, many string) string {
	switch n {
	case 0:
		return "none " + one
	case 1:
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func short(commit string) string { return "`" + commit[:min(8, len(commit))] + "`" }

func minutes(seconds float64) string {
	whole := int(math.Round(seconds))
	if whole < 60 {
		return fmt.Sprintf("%d s", whole)
	}
	return fmt.Sprintf("%d min %d s", whole/60, whole%60)
}

// oneLine is a text that can stand in a list or a table.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	text = strings.NewReplacer("|", "\\|", "`", "'", "<", "&lt;").Replace(text)
	const longest = 700
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "…"
	}
	return text
}

func (r *Report) writeSteps(b *strings.Builder) {
	b.WriteString("\n| step | length | requests | lost | p50 | p99 |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, step := range r.Steps {
		name := step.Name
		if step.Up {
			name = "**" + name + "**"
		}
		lost := "0"
		if step.lost() > 0 {
			lost = fmt.Sprintf("%d (%s)", step.lost(), counts(step.Lost))
		}
		if step.Problem != "" {
			name += ", failed"
		}
		fmt.Fprintf(b, "| %s | %.0f s | %d | %s | %.0f ms | %.0f ms |\n", name, step.To-step.From, step.Sent, lost, step.P50, step.P99)
	}
}

func (r *Report) writeDatabase(b *strings.Builder) {
	var lines []string
	for _, step := range r.Steps {
		if step.Migration > 0 {
			lines = append(lines, fmt.Sprintf("%s: the migration took %.0f s", step.Name, step.Migration))
		}
		for _, lock := range step.Locks {
			lines = append(lines, fmt.Sprintf("%s: %s held %s on %s for %.1f s: %s", step.Name, lock.Who, lock.Mode, lock.Table, lock.Seconds, lock.Query))
		}
		if step.Waits.Statements > 0 {
			lines = append(lines, fmt.Sprintf("%s: %s for a lock, the longest %.1f s: %s",
				step.Name, none(step.Waits.Statements, "statement waited", "statements waited"), step.Waits.Longest, step.Waits.Example))
		}
	}
	writeList(b, "Database", lines)
	if last := r.Steps; len(last) > 0 {
		var rows []string
		for _, table := range slices.Sorted(maps.Keys(last[len(last)-1].Rows)) {
			rows = append(rows, fmt.Sprintf("%s: %d", table, last[len(last)-1].Rows[table]))
		}
		if len(rows) > 0 {
			fmt.Fprintf(b, "\nRows at the end: %s.\n", strings.Join(rows, ", "))
		}
	}
}

func (r *Report) writePods(b *strings.Builder) {
	var lines []string
	for _, step := range r.Steps {
		for _, e := range step.Errors {
			lines = append(lines, fmt.Sprintf("%s: %s of %s logged %s. The first: %s", step.Name, e.Tier, e.Version, none(e.Lines, "error", "errors"), e.Example))
		}
		for _, restart := range step.Restarts {
			lines = append(lines, step.Name+": "+restart)
		}
	}
	writeList(b, "Errors in the logs, and restarts", lines)
	if len(r.Pods) == 0 {
		return
	}
	b.WriteString("\n| pods | most at once | CPU of one at the peak | requested | memory at the peak | requested |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, use := range r.Pods {
		fmt.Fprintf(b, "| %s | %d | %.0f m | %.0f m | %.0f MiB | %.0f MiB |\n", use.Tier, use.Most, use.CPU*1000, use.CPURequest*1000, use.Memory, use.MemoryRequest)
	}
}

// kinds are the requests of the load, with their shares.
func (r *Report) kinds() string {
	var kinds []string
	for _, request := range r.Requests {
		kinds = append(kinds, fmt.Sprintf("%s → %d (%d)", request, request.Status, *request.Share))
	}
	return strings.Join(kinds, ", ")
}

func writeList(b *strings.Builder, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n", heading)
	for _, line := range lines {
		fmt.Fprintf(b, "- %s\n", oneLine(line))
	}
}
