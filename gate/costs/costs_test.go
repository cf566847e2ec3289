package costs_test

import (
	"os"
	"path/filepath"
	"strings"
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
	assert.NotEmpty(t, read.Sum)
	read.Sum = ""
	assert.Equal(t, written, read)
}

func TestFiguresThatSomebodyEditedAreRefused(t *testing.T) {
	for _, edit := range [][2]string{{`"lost": 30`, `"lost": 0`}, {`"sent": 700`, `"sent": 999`}, {`"2026-11-25"`, `"2026-11-26"`}, {`"rate": 20`, `"rate": 200`}, {`"restarted": true`, `"restarted": false`}} {
		file := filepath.Join(t.TempDir(), "costs.json")
		require.NoError(t, costs.Measured{Date: "2026-11-25", Rate: 20, Rows: rows}.Write(file))
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(text), edit[0])
		require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), edit[0], edit[1], 1)), 0o600))
		_, err = costs.Read(file)
		assert.ErrorContains(t, err, "want the figures as make costs wrote them", edit[1])
	}
}
