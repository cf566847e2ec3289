package rehearse

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"threetier/internal/constraint"
)

// Finding is something that fails the gate unless the rehearsal.yaml names it.
type Finding struct {
	// Name is what allow calls it.
	Name string `json:"name"`
	// Text says what was seen.
	Text string `json:"text"`
	// Allowed is the reason that allow gives for it; empty where it gives none.
	Allowed string `json:"allowed,omitempty"`
}

// The moves: the ups, and the while before the first.
const (
	moveBefore  = "before"
	moveForward = "forward"
	moveBack    = "back"
	moveAgain   = "again"
)

var moves = []string{moveBefore, moveForward, moveBack, moveAgain}

const findingRollback = "rollback"

// findingConstraint is a name that a finding can have.
var findingConstraint = constraint.Text{
	Pattern: `^(lost ` + constraint.Either(moves) + `|slow ` + constraint.Either(moves[1:]) + `|rollback|(rows|lock) \S+|` + unmeasured + `rows)$`,
	Want:    "names like lost forward, slow back, rollback, rows items, lock items or " + unmeasured + "rows",
}

// unmeasured begins the names of what a rehearsal is for and hasn't looked at. Only rows may be allowed: an app may have none.
const unmeasured = "unmeasured "

// What is little enough to say that nothing was measured: a machine that does other work is slower than it should be.
const (
	leastLoad    = 0.5 // of the requests that the rate makes of a step
	leastSamples = 1.0 // of the locks each second, where there should be nearly five
)

// Judge finds what the gate looks at, and holds it to what is allowed.
func (r *Report) Judge(file File) {
	r.LockSeconds = *file.Limits.LockSeconds
	r.P99Before = r.p99(moveBefore).P99
	r.P99During = r.p99(moveForward, moveBack, moveAgain).P99
	r.P99Limit = max(float64(*file.Limits.P99Times)*r.P99Before, float64(*file.Limits.P99Milliseconds))
	r.Findings = slices.Concat(r.unmeasured(), r.lostRequests(), r.slowAnswers(), r.failedRollback(), r.lostRows(), r.longLocks())
	var found []string
	for i := range r.Findings {
		r.Findings[i].Allowed = file.Allow[r.Findings[i].Name]
		found = append(found, r.Findings[i].Name)
	}
	r.Unneeded = nil
	for _, unneeded := range file.Allow.Others("no finding has this name", found...) {
		r.Unneeded = append(r.Unneeded, unneeded.String())
	}
}

// Passed is the gate's word.
func (r *Report) Passed() bool { return r.Failed == "" && len(r.Unneeded) == 0 && len(r.open()) == 0 }

// open are the findings that nothing allows.
func (r *Report) open() []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Allowed != "" })
}

// leastSent is the minimum of requests that a rate makes of a step.
func (s Step) leastSent(rate int) int { return int((s.To - s.From) * float64(rate) * leastLoad) }

// unmeasured is what nothing can be said of. Where the rehearsal ended half-way, that is said already.
func (r *Report) unmeasured() []Finding {
	if r.Failed != "" {
		return nil
	}
	var found []Finding
	miss := func(what, format string, args ...any) {
		name := unmeasured + what
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.Name == name }) {
			found = append(found, Finding{Name: name, Text: "Nothing was measured: " + fmt.Sprintf(format, args...)})
		}
	}
	sent, measured := 0, map[string]bool{}
	for _, step := range r.Steps {
		seconds := step.To - step.From
		if least := step.leastSent(r.Rate); step.Sent < least {
			miss("load", "%d requests were sent in the %.0f s of the step %s, want %d or more.", step.Sent, seconds, step.Name, least)
		}
		if least := int(seconds * leastSamples); step.Samples < least {
			miss("locks", "the locks were looked at %d times in the %.0f s of the step %s, want %d or more.", step.Samples, seconds, step.Name, least)
		}
		if !step.Up && len(step.Rows) == 0 {
			miss("rows", "no table was counted at the end of the step %s.", step.Name)
		}
		sent += step.Sent
		measured[step.Move] = measured[step.Move] || step.Up || step.Move == moveBefore
	}
	if sent == 0 {
		miss("load", "no request was sent.")
	}
	for _, move := range moves {
		if !measured[move] {
			miss("steps", "no step was %s.", during[move])
		}
	}
	if len(r.Steps) > 0 && !slices.ContainsFunc(slices.Collect(maps.Values(r.Steps[0].Rows)), func(n int) bool { return n > 0 }) {
		miss("rows", "no table had a row that could be lost: seed in %s puts some in.", FileName)
	}
	if r.Watched == 0 {
		miss("pods", "no pod was seen.")
	}
	return found
}

func (r *Report) lostRequests() []Finding {
	var found []Finding
	for _, move := range moves {
		sent, lost, kinds, example := 0, 0, map[string]int{}, ""
		for _, step := range r.Steps {
			if step.Move != move {
				continue
			}
			sent, lost = sent+step.Sent, lost+step.lost()
			for kind, n := range step.Lost {
				kinds[kind] += n
			}
			if example == "" {
				example = step.Example
			}
		}
		if lost == 0 {
			continue
		}
		found = append(found, Finding{Name: "lost " + move, Text: fmt.Sprintf("%d of %d requests were lost %s (%s). The first: %s",
			lost, sent, during[move], counts(kinds), example)})
	}
	return found
}

// p99 is the step of some moves whose slowest hundredth of the answers took longest.
func (r *Report) p99(of ...string) (worst Step) {
	for _, step := range r.Steps {
		if slices.Contains(of, step.Move) && step.P99 > worst.P99 {
			worst = step
		}
	}
	return worst
}

func (r *Report) slowAnswers() []Finding {
	var found []Finding
	for _, move := range moves[1:] {
		if worst := r.p99(move); worst.P99 > r.P99Limit {
			found = append(found, Finding{Name: "slow " + move, Text: fmt.Sprintf("The p99 was %.0f ms %s, in the step %s, and %.0f ms before, want %.0f ms at most.",
				worst.P99, during[move], worst.Name, r.P99Before, r.P99Limit)})
		}
	}
	return found
}

// during says when a move was.
var during = map[string]string{
	moveBefore:  "before anything was changed",
	moveForward: "on the way to the new version",
	moveBack:    "on the way back",
	moveAgain:   "on the second way to the new version",
}

// counts are numbers by name, the largest first.
func counts(of map[string]int) string {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(of[b]-of[a], strings.Compare(a, b)) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s: %d", name, of[name])
	}
	return strings.Join(names, ", ")
}

func (r *Report) failedRollback() []Finding {
	for _, step := range r.Steps {
		if step.Move == moveBack && step.Problem != "" {
			return []Finding{{Name: findingRollback, Text: "The way back failed: " + step.Problem}}
		}
	}
	return nil
}

// lostRows are tables that have fewer rows after an up than before. The load deletes none unless its file says so.
func (r *Report) lostRows() []Finding {
	var found []Finding
	var before map[string]int
	seen := map[string]bool{}
	for _, step := range r.Steps {
		if step.Rows == nil {
			continue
		}
		for _, table := range slices.Sorted(maps.Keys(before)) {
			rows, exists := step.Rows[table]
			if rows >= before[table] || seen[table] {
				continue
			}
			seen[table] = true
			now := fmt.Sprintf("has %d rows", rows)
			if !exists {
				now = "is gone"
			}
			found = append(found, Finding{Name: "rows " + table, Text: fmt.Sprintf("The table %s had %d rows, and %s %s.", table, before[table], now, during[step.Move])})
		}
		before = step.Rows
	}
	return found
}

func (r *Report) longLocks() []Finding {
	longest := map[string]Lock{}
	moved := map[string]string{}
	for _, step := range r.Steps {
		for _, lock := range step.Locks {
			if lock.Seconds > float64(r.LockSeconds) && lock.Seconds > longest[lock.Table].Seconds {
				longest[lock.Table], moved[lock.Table] = lock, step.Move
			}
		}
	}
	var found []Finding
	for _, table := range slices.Sorted(maps.Keys(longest)) {
		lock := longest[table]
		found = append(found, Finding{Name: "lock " + table, Text: fmt.Sprintf("%s held %s on the table %s for %.1f s %s, want %d s at most. Its statement: %s",
			lock.Who, lock.Mode, table, lock.Seconds, during[moved[table]], r.LockSeconds, lock.Query)})
	}
	return found
}
