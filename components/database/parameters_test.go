package database

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serverSettings asks PostgreSQL 17 which settings it has, and which of them want a restart.
func serverSettings(t *testing.T) map[string]bool {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("SKIPPED: wants root, to run the PostgreSQL of bin/trixie")
	}
	described, err := exec.Command("../../bin/trixie", "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
		"/usr/lib/postgresql/17/bin/postgres", "--describe-config").Output()
	require.NoError(t, err, "bin/local install makes what bin/trixie runs")
	static := map[string]bool{}
	for line := range strings.Lines(string(described)) {
		if fields := strings.Split(line, "\t"); len(fields) > 1 {
			static[strings.ToLower(fields[0])] = fields[1] == "postmaster"
		}
	}
	require.Greater(t, len(static), 200)
	return static
}

func TestParametersAreStaticWherePostgreSQLSaysSo(t *testing.T) {
	static := serverSettings(t)
	for name, restarts := range static {
		if restarts {
			assert.NotContains(t, dynamicParameters, name)
		} else {
			assert.NotContains(t, staticParameters, name)
		}
	}
}

func TestEveryParameterIsOfOneKindAndKnownOnce(t *testing.T) {
	all := slices.Concat(dynamicParameters, staticParameters)
	slices.Sort(all)
	assert.Equal(t, slices.Compact(slices.Clone(all)), all)
	for major, names := range parametersSince {
		assert.Subset(t, all, names, "since %d", major)
	}
}

func TestParametersOfAllMajorsAreThoseOfPostgreSQL(t *testing.T) {
	static := serverSettings(t)
	for _, name := range slices.Concat(dynamicParameters, staticParameters) {
		_, known := static[name]
		isExtension := strings.Contains(name, ".")
		assert.True(t, known || isExtension || parameterSince(name) > 17, "PostgreSQL has no %s", name)
	}
}
