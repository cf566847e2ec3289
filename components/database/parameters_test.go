package database

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/tests/trixie"
)

// serverSetting is what PostgreSQL says of a setting.
type serverSetting struct {
	kind   string
	static bool
}

// serverSettings asks PostgreSQL 17 which settings it has, of which kind, and which of them want a restart.
func serverSettings(t *testing.T) map[string]serverSetting {
	t.Helper()
	trixie.Require(t)
	described, err := exec.Command(trixie.Program(), "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
		"/usr/lib/postgresql/17/bin/postgres", "--describe-config").Output()
	require.NoError(t, err)
	kinds := map[string]string{"BOOLEAN": "boolean", "INTEGER": "integer", "REAL": "real", "ENUM": "text", "STRING": "text"}
	settings := map[string]serverSetting{}
	for line := range strings.Lines(string(described)) {
		if fields := strings.Split(line, "\t"); len(fields) > 3 {
			settings[strings.ToLower(fields[0])] = serverSetting{kinds[fields[3]], fields[1] == "postmaster"}
		}
	}
	require.Greater(t, len(settings), 200)
	return settings
}

func TestParametersAreStaticWherePostgreSQLSaysSo(t *testing.T) {
	for name, server := range serverSettings(t) {
		if known := parameterNamed(name); known.name != "" {
			assert.Equal(t, server.static, known.static, name)
		}
	}
}

// Of text, RDS checks less than the server does; of log_connections, which is a list since 18, nothing is known.
func TestParametersHaveThePostgreSQLsKindOfValue(t *testing.T) {
	for name, server := range serverSettings(t) {
		if known := parameterNamed(name); known.name != "" && name != "log_connections" {
			assert.Equal(t, server.kind, known.kind, name)
		}
	}
}

func TestTableOfParametersIsSortedAndComplete(t *testing.T) {
	var names []string
	for _, known := range parameters {
		names = append(names, known.name)
		assert.Contains(t, []string{"boolean", "integer", "real", "text"}, known.kind, known.name)
		assert.True(t, known.since == 0 || known.since > 14 && known.since <= 18, known.name)
	}
	assert.True(t, slices.IsSorted(names))
	assert.Equal(t, slices.Compact(slices.Clone(names)), names, "each once")
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(parameterTable), "\n"), func(line string) bool { return strings.HasPrefix(line, "#") })
	assert.Len(t, lines, len(parameters))
	for name := range defaultParameters {
		assert.Contains(t, names, name)
	}
}

func TestParametersOfAllMajorsAreThoseOfPostgreSQL(t *testing.T) {
	settings := serverSettings(t)
	for _, known := range parameters {
		_, isServers := settings[known.name]
		isExtension := strings.Contains(known.name, ".")
		assert.True(t, isServers || isExtension || known.since > 17, "PostgreSQL has no %s", known.name)
	}
}
