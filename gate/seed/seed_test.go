package seed

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSeedIsReadFromTheRehearsalsFile(t *testing.T) {
	dir := t.TempDir()
	none, err := Read(dir)
	require.NoError(t, err)
	assert.Equal(t, Seed{}, none)
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), []byte("seed: { sql: SELECT 1, command: [a, b] }\nload: { rate: 5 }\n"), 0o600))
	rows, err := Read(dir)
	require.NoError(t, err)
	assert.Equal(t, Seed{SQL: "SELECT 1", Command: []string{"a", "b"}}, rows)
}

func TestBothWaysOfASeedRunTheSQLFirst(t *testing.T) {
	said := filepath.Join(t.TempDir(), "said")
	script := func(text string, args ...string) *exec.Cmd {
		return exec.Command("sh", append([]string{"-c", "{ " + text + "; } >>" + said, "sh"}, args...)...)
	}
	psql := func(args ...string) *exec.Cmd { return script(`echo "psql $* $WRITE"; cat; echo`, args...) }
	inPod := func(command []string) (*exec.Cmd, error) { return script(`echo "pod $*"`, command...), nil }
	require.NoError(t, Seed{SQL: "SELECT 1", Command: []string{"a", "b"}}.Put(psql, inPod))
	require.NoError(t, Seed{}.Put(psql, inPod))
	text, err := os.ReadFile(said)
	require.NoError(t, err)
	assert.Equal(t, "psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --single-transaction 1\nSET statement_timeout = 0;\nSELECT 1\npod a b\n", string(text))

	fails := func(...string) *exec.Cmd { return exec.Command("sh", "-c", "echo 'ERROR:  no such table' >&2; exit 3") }
	assert.ErrorContains(t, Seed{SQL: "SELECT 1"}.Put(fails, inPod), "seed.sql: exit status 3: ERROR:  no such table")
	noPod := func([]string) (*exec.Cmd, error) { return nil, errors.New("the backend has no running pod") }
	assert.EqualError(t, Seed{Command: []string{"a"}}.Put(psql, noPod), "the backend has no running pod")
}
