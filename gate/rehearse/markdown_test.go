package rehearse

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestReportBeginsWithTheVerdict(t *testing.T) {
	r := quiet()
	r.Judge(parsed(t, ""))
	text := r.Markdown()
	assert.True(t, strings.HasPrefix(text, "## Rehearsal of prod: passed\n\n"+
		"`01234567` to `abcdef01` under 20 requests per second: 1400 requests were sent, none was lost. "+
		"The way back worked, and no row was lost. The p99 was 20 ms before and 20 ms during the changes. The rehearsal took 4 min 5 s.\n"), text)
	assert.Contains(t, text, "| **forward** | 10 s | 200 | 0 | 4 ms | 20 ms |")
	assert.Contains(t, text, "Rows at the end: items: 130.")
}

func TestReportNamesEachFindingAndTheWayToAllowIt(t *testing.T) {
	r := quiet()
	r.Steps[3].Lost, r.Steps[3].Example = map[string]int{"500": 12}, "GET /api/items: status 500, want 200: <b>no column | price</b>"
	r.Steps[3].Migration = 7
	r.Steps[3].Waits = Waits{Statements: 3, Longest: 4.2, Example: "SELECT *\nFROM items"}
	r.Steps[3].Errors = []LogErrors{{Version: "base", Tier: "backend", Lines: 12, Example: "column does not exist"}}
	r.Steps[3].Restarts = []string{"backend of head ended with OOMKilled, status 137"}
	r.Judge(parsed(t, ""))
	text := r.Markdown()
	for _, want := range []string{
		"\n- **lost back**: 12 of 400 requests were lost on the way back (500: 12). The first: GET /api/items: status 500, want 200: &lt;b>no column \\| price&lt;/b> " +
			"If that is intended, put into rehearsal.yaml: `allow: { lost back: \"the reason\" }`\n",
		"| **back** | 10 s | 200 | 12 (500: 12) |",
		"- back: the migration took 7 s\n",
		"- back: 3 statements waited for a lock, the longest 4.2 s: SELECT * FROM items\n",
		"- back: backend of base logged 12 errors. The first: column does not exist\n",
		"- back: backend of head ended with OOMKilled, status 137\n",
	} {
		assert.Contains(t, text, want)
	}
}

func TestPictureInTextMarksStepsPeaksAndLosses(t *testing.T) {
	r := quiet()
	r.Timeline[15] = Second{Sent: 20, Lost: 3, P99: 2000}
	b := &strings.Builder{}
	r.writePicture(b)
	lines := strings.Split(b.String(), "\n")
	marks, latency, lost := []rune(lines[2]), []rune(lines[3]), []rune(lines[4])
	column := func(second int) int { return len("latency  ") + second }
	assert.Equal(t, "|forward", string(marks[column(10):column(18)]))
	assert.Equal(t, '█', latency[column(15)])
	assert.Equal(t, '▂', latency[column(14)])
	assert.Equal(t, 'x', lost[column(15)])
	assert.Equal(t, '.', lost[column(14)])
}

func TestLongTimelineFitsTheTextsWidth(t *testing.T) {
	r := quiet()
	for range 1000 {
		r.Timeline = append(r.Timeline, Second{Sent: 20, P99: 20})
	}
	b := &strings.Builder{}
	r.writePicture(b)
	for line := range strings.Lines(b.String()) {
		assert.LessOrEqual(t, len([]rune(line)), columns+40)
	}
}

func TestPictureOfNothingIsNone(t *testing.T) {
	b := &strings.Builder{}
	(&Report{}).writePicture(b)
	assert.Empty(t, b.String())
}
