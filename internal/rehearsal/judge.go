package rehearsal

import (
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
	Pattern: `^(lost ` + constraint.Either(moves) + `|rollback|(rows|lock) \S+)$`,
	Want:    "names like lost forward, lost back, rollback, rows items or lock items",
}

// Judge finds what the gate looks at, and holds it to what is allowed. A permission that no finding needs is left for
// the next mistake, so it fails the gate too.
func (r *Report) Judge(file File) {
	r.LockSeconds = *file.Limits.LockSeconds
	r.Findings = slices.Concat(r.lostRequests(), r.failedRollback(), r.lostRows(), r.longLocks())
	needed := map[string]bool{}
	for i := range r.Findings {
		r.Findings[i].Allowed = file.Allow[r.Findings[i].Name]
		needed[r.Findings[i].Name] = true
	}
	r.Unneeded = nil
	for _, name := range slices.Sorted(maps.Keys(file.Allow)) {
		if !needed[name] {
			r.Unneeded = append(r.Unneeded, name)
		}
	}
}

// Passed is the gate's word.
func (r *Report) Passed() bool { return r.Failed == "" && len(r.Unneeded) == 0 && len(r.open()) == 0 }

// open are the findings that nothing allows.
func (r *Report) open() []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Allowed != "" })
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

// during says when a move was.
var during = map[string]string{
	moveBefore:  "before anything was changed",
	moveForward: "on the way to the new version",
	moveBack:    "on the way back",
	moveAgain:   "on the second way to the new version",
}

// counts are numbers by name, the largest first.
func counts(of map[string]int) string {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		if of[a] != of[b] {
			return of[b] - of[a]
		}
		return strings.Compare(a, b)
	})
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
