package rehearse

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// quiet is a rehearsal in which nothing was lost.
func quiet() *Report {
	r := &Report{Stack: "prod", Base: "0123456789", Head: "abcdef0123", Rate: 20, Seconds: 245, Watched: 12}
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
		step.Samples = 45
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
		"slow back": {
			func(r *Report) { r.Steps[0].P99, r.Steps[3].P99, r.Steps[4].P99 = 120, 601, 300 },
			"The p99 was 601 ms on the way back, in the step back, and 120 ms before, want 600 ms at most.",
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
		"unmeasured rows": {
			func(r *Report) { r.Steps[0].Rows["items"] = 0 },
			"Nothing was measured: no table had a row that could be lost: seed in rehearsal.yaml puts some in.",
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

			assert.Contains(t, r.Markdown(), "put into rehearsal.yaml: `allow: { "+name+": ")
			r.Judge(parsed(t, "allow: { "+name+": nobody uses it at night }"))
			assert.Equal(t, "nobody uses it at night", r.Findings[0].Allowed)
			assert.True(t, r.Passed())
		})
	}
}

func TestAnExceptionThatNothingNeedsFailsTheGate(t *testing.T) {
	r := quiet()
	r.Judge(parsed(t, "allow: { rollback: it was meant last week }"))
	assert.Equal(t, []string{`allow.rollback is "it was meant last week", want none: no finding has this name`}, r.Unneeded)
	assert.False(t, r.Passed())
	assert.Contains(t, r.Markdown(), "\n- rehearsal.yaml: allow.rollback is \"it was meant last week\", want none: ")
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

func TestRehearsalThatMeasuredNothingFails(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Report)
		want   map[string]string
	}{
		"nothing at all": {func(r *Report) { *r = Report{} }, map[string]string{
			"load": "no request was sent.", "steps": "no step was before anything was changed.", "pods": "no pod was seen.",
		}},
		"no request, no table, no sample": {
			func(r *Report) {
				for i := range r.Steps {
					r.Steps[i].Sent, r.Steps[i].Rows, r.Steps[i].Samples = 0, nil, 0
				}
			},
			map[string]string{
				"load":  "0 requests were sent in the 10 s of the step before, want 100 or more.",
				"locks": "the locks were looked at 0 times in the 10 s of the step before, want 10 or more.",
				"rows":  "no table was counted at the end of the step before.",
			},
		},
		"a load that stopped early":        {func(r *Report) { r.Steps[6].Sent = 99 }, map[string]string{"load": "99 requests were sent in the 10 s of the step after, want 100 or more."}},
		"a load that was hardly there":     {func(r *Report) { r.Steps[3].Sent = 3 }, map[string]string{"load": "3 requests were sent in the 10 s of the step back, want 100 or more."}},
		"a sampler that failed":            {func(r *Report) { r.Steps[1].Samples = 9 }, map[string]string{"locks": "the locks were looked at 9 times in the 10 s of the step forward, want 10 or more."}},
		"a count that is missing":          {func(r *Report) { r.Steps[4].Rows = nil }, map[string]string{"rows": "no table was counted at the end of the step both again."}},
		"tables without a row":             {func(r *Report) { r.Steps[0].Rows = map[string]int{"items": 0} }, map[string]string{"rows": "no table had a row that could be lost: seed in rehearsal.yaml puts some in."}},
		"no pod":                           {func(r *Report) { r.Watched = 0 }, map[string]string{"pods": "no pod was seen."}},
		"no way back":                      {func(r *Report) { r.Steps = append(r.Steps[:3:3], r.Steps[5:]...) }, map[string]string{"steps": "no step was on the way back."}},
		"a way back that is only a pause":  {func(r *Report) { r.Steps = append(r.Steps[:3:3], r.Steps[4:]...) }, map[string]string{"steps": "no step was on the way back."}},
		"no second way to the new version": {func(r *Report) { r.Steps = r.Steps[:5] }, map[string]string{"steps": "no step was on the second way to the new version."}},
		"just enough":                      {func(r *Report) { r.Steps[1].Sent, r.Steps[1].Samples = 100, 10 }, nil},
		"an up of no time":                 {func(r *Report) { r.Steps[3].To = r.Steps[3].From; r.Steps[3].Sent, r.Steps[3].Samples = 0, 0 }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := quiet()
			c.change(r)
			r.Judge(parsed(t, ""))
			found := map[string]string{}
			for _, finding := range r.Findings {
				found[strings.TrimPrefix(finding.Name, "unmeasured ")] = strings.TrimPrefix(finding.Text, "Nothing was measured: ")
			}
			if c.want == nil {
				c.want = map[string]string{}
			}
			assert.Equal(t, c.want, found)
			assert.Equal(t, len(c.want) == 0, r.Passed())
		})
	}
}

// An app may have no rows. Whatever else isn't measured, nothing makes it good.
func TestOnlyRowsMayBeUnmeasured(t *testing.T) {
	for _, what := range []string{"load", "locks", "steps", "pods"} {
		_, err := ParseFile([]byte("allow: { unmeasured " + what + ": it is quick so }"))
		assert.ErrorContains(t, err, `allow is "unmeasured `+what+`", want names like `)
	}
	r := quiet()
	r.Watched = 0
	r.Judge(parsed(t, ""))
	assert.NotContains(t, r.Markdown(), "put into rehearsal.yaml")
}

func TestLockMayLastForTheLimitAndNoLonger(t *testing.T) {
	for seconds, passes := range map[float64]bool{1.9: true, 2: true, 2.1: false, 4.9: false} {
		r := quiet()
		r.Steps[1].Locks = []Lock{{Table: "items", Seconds: seconds}}
		r.Judge(parsed(t, ""))
		assert.Equal(t, passes, r.Passed(), "%.1f s", seconds)
	}
}

// The p99 may be five times what it was before, or half a second if that is more; rehearsal.yaml names other limits.
func TestAnswersMayBeAsSlowAsTheLimits(t *testing.T) {
	for _, c := range []struct {
		before, during float64
		limits         string
		passes         bool
	}{
		{before: 20, during: 500, passes: true},
		{before: 20, during: 501},
		{before: 200, during: 1000, passes: true},
		{before: 200, during: 1001},
		{before: 20, during: 41, limits: "limits: { p99Times: 2, p99Milliseconds: 10 }"},
		{before: 20, during: 40, limits: "limits: { p99Times: 2, p99Milliseconds: 10 }", passes: true},
		{before: 0, during: 501},
	} {
		r := quiet()
		r.Steps[0].P99, r.Steps[6].P99 = c.before, c.during
		r.Judge(parsed(t, c.limits))
		assert.Equal(t, c.passes, r.Passed(), "%+v", c)
		assert.InDelta(t, c.before, r.P99Before, 0)
		assert.InDelta(t, max(c.during, 20), r.P99During, 0)
	}
}
