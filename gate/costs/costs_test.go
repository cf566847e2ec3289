package costs_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/gate/costs"
)

var rows = []costs.Row{
	{Key: "threetier:backend.env", Change: "one variable more", Sent: 700, Pods: []string{"backend", "nginx"}, AWS: "the same"},
	{Key: "threetier:database.port", Change: "5434", Sent: 710, Lost: 30, Seconds: 4, Replaced: []string{"database"}, Restarted: true, AWS: "longer"},
}

func TestTableHasALineForEachRow(t *testing.T) {
	assert.Equal(t, costs.Table(nil)+
		"| `threetier:backend.env` | one variable more | 0 of 700 | 0 | backend, nginx | none | no | the same |\n"+
		"| `threetier:database.port` | 5434 | 30 of 710 | 4 | none | database | yes | longer |\n", costs.Table(rows))
}

func TestFiguresAreReadAsTheyWereWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "costs.json")
	none, err := costs.Read(file)
	require.NoError(t, err)
	assert.Zero(t, none)
	written := costs.Measured{Date: "2026-11-25", Stack: "dev", Rate: 20, Load: "GET / → 200 (1)", Rows: rows}
	require.NoError(t, written.Write(file))
	read, err := costs.Read(file)
	require.NoError(t, err)
	assert.Equal(t, written, read)
}
