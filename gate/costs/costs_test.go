package costs_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"threetier/gate/costs"
)

var rows = []costs.Row{
	{Key: "threetier:backend.env", Change: "one variable more", Sent: 700, Pods: []string{"backend", "nginx"}, AWS: "the same"},
	{Key: "threetier:database.port", Change: "5434", Sent: 710, Lost: 30, Seconds: 4, Replaced: []string{"database"}, Restarted: true, AWS: "longer"},
}

func TestTableHasALineForEachRow(t *testing.T) {
	assert.Equal(t, costs.Head+
		"| `threetier:backend.env` | one variable more | 0 of 700 | 0 | backend, nginx | none | no | the same |\n"+
		"| `threetier:database.port` | 5434 | 30 of 710 | 4 | none | database | yes | longer |\n", costs.Table(rows))
}

func TestLinesAreFoundInAPage(t *testing.T) {
	page := "# A page\n\nText with `code`.\n\n" + costs.Table(rows) + "\nMore text.\n"
	assert.Equal(t, []costs.Line{
		{"threetier:backend.env", rows[0].String()}, {"threetier:database.port", rows[1].String()},
	}, costs.Lines(page))
	assert.Empty(t, costs.Lines("# Nothing\n"))
}
