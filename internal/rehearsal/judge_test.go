package rehearsal

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// quiet is a rehearsal in which nothing was lost.
func quiet() *Report {
	r := &Report{Stack: "prod", Base: "0123456789", Head: "abcdef0123", Rate: 20, Seconds: 245}
	at := 0.0
	for _, step := range []Step{
		{Name: "before", Move: moveBefore, Rows: map[string]int{"items": 100}},
		{Name: "forward", Move: moveForward, Up: true},
		{Name: "both versions", Move: moveForward, Rows: map[string]int{"items": 110}},
		{Name: "back", Move: moveBack, Up: true},
		{Name: "both again", Move: moveBack, Rows: map[string]int{"items": 120}},
		{Name: "forward again", Move: moveAgain, Up: true},
		{Name: "after", Move: moveAgain, Rows: map[string]int{"items": 130}},
	} {
		step.From, step.To, step.Sent, step.Lost, step.P50, step.P99 = at, at+10, 200, map[string]int{}, 4, 20
		at += 10
		r.Steps = append(r.Steps, step)
	}
	for range 70 {
		r.Timeline = append(r.Timeline, Second{Sent: 20, P99: 20})
	}
	return r
}

func parsed(t *testing.T, text string) File {
	t.Helper()
	file, err := ParseFile([]byte(text))
	require.NoError(t, err)
	return file
}

func TestQuietRehearsalPasses(t *testing.T) {
	r := quiet()
	r.Judge(parsed(t, ""))
	assert.Empty(t, r.Findings)
	assert.True(t, r.Passed())
}

func TestEachFindingFailsTheGateAndPassesWhenItIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Report)
		text   string
	}{
		"lost forward": {
			func(r *Report) {
				r.Steps[1].Lost, r.Steps[1].Example = map[string]int{"502": 2, "timeout": 5}, "GET /: status 502"
				r.Steps[2].Lost = map[string]int{"502": 1}
			},
			"8 of 400 requests were lost on the way to the new version (timeout: 5, 502: 3). The first: GET /: status 502",
		},
		"lost before": {
			func(r *Report) { r.Steps[0].Lost = map[string]int{"404": 1} },
			"1 of 200 requests were lost before anything was changed (404: 1). The first: ",
		},
		"rollback": {
			func(r *Report) { r.Steps[3].Problem = "can't locate the revision" },
			"The way back failed: can't locate the revision",
		},
		"rows items": {
			func(r *Report) { r.Steps[4].Rows["items"] = 90 },
			"The table items had 110 rows, and has 90 rows on the way back.",
		},
		"rows users": {
			func(r *Report) { r.Steps[0].Rows["users"] = 3 },
			"The table users had 3 rows, and is gone on the way to the new version.",
		},
		"lock items": {
			func(r *Report) {
				r.Steps[1].Locks = []Lock{
					{Table: "items", Mode: "ShareLock", Seconds: 1.5, Who: "migration"},
					{Table: "items", Mode: "AccessExclusiveLock", Seconds: 5.2, Who: "migration", Query: "SELECT pg_sleep(5)"},
				}
			},
			"migration held AccessExclusiveLock on the table items for 5.2 s on the way to the new version, want 2 s at most. Its statement: SELECT pg_sleep(5)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := quiet()
			c.change(r)
			r.Judge(parsed(t, ""))
			require.Equal(t, []Finding{{Name: name, Text: c.text}}, r.Findings)
			assert.False(t, r.Passed())

			r.Judge(parsed(t, "allow: { "+name+": nobody uses it at night }"))
			assert.Equal(t, "nobody uses it at night", r.Findings[0].Allowed)
			assert.True(t, r.Passed())
		})
	}
}

func TestAPermissionThatNothingNeedsFailsTheGate(t *testing.T) {
	r := quiet()
	r.Judge(parsed(t, "allow: { rollback: it was meant last week }"))
	assert.Equal(t, []string{"rollback"}, r.Unneeded)
	assert.False(t, r.Passed())
	assert.Contains(t, r.Markdown(), "**rollback** is allowed in rehearsal.yaml, and nothing needs it: take it out")
}

func TestARehearsalThatEndedHalfWayNeverPasses(t *testing.T) {
	r := quiet()
	r.Failed = "the new version can't be deployed: column price is in use"
	r.Judge(parsed(t, ""))
	assert.False(t, r.Passed())
	assert.Contains(t, r.Markdown(), "## Rehearsal of prod: failed\n\n**The rehearsal ended half-way: the new version can't be deployed: column price is in use.**")
}

func TestALimitOfTheFileCounts(t *testing.T) {
	r := quiet()
	r.Steps[1].Locks = []Lock{{Table: "items", Seconds: 5.2}}
	r.Judge(parsed(t, "limits: { lockSeconds: 6 }"))
	assert.True(t, r.Passed())
}
