package promises_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"threetier/internal/promises"
)

var rows = []promises.Row{
	{Key: "threetier:backend.env", Change: "one variable more", Sent: 700, Pods: []string{"backend", "nginx"}, AWS: "the same"},
	{Key: "threetier:database.port", Change: "5434", Sent: 710, Lost: 30, Seconds: 4, Replaced: []string{"database"}, Restarted: true, AWS: "longer"},
}

func TestTableHasALineForEachRow(t *testing.T) {
	assert.Equal(t, promises.Head+
		"| `threetier:backend.env` | one variable more | 0 of 700 | 0 | backend, nginx | none | no | the same |\n"+
		"| `threetier:database.port` | 5434 | 30 of 710 | 4 | none | database | yes | longer |\n", promises.Table(rows))
}

func TestLinesAreFoundInAPage(t *testing.T) {
	page := "# A page\n\nText with `code`.\n\n" + promises.Table(rows) + "\nMore text.\n"
	assert.Equal(t, []promises.Line{
		{"threetier:backend.env", rows[0].String()}, {"threetier:database.port", rows[1].String()},
	}, promises.Lines(page))
	assert.Empty(t, promises.Lines("# Nothing\n"))
}
