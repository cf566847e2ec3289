package tests

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/database"
	"threetier/gate/project"
	"threetier/tests/postgres"
)

// updateExtensions is what bin/after-upgrade runs as the administrator.
func (s *rolesServer) updateExtensions(t *testing.T) string {
	t.Helper()
	r := s.app(t, 1)
	env := environmentOf(t, r, r.Named(t, cronJobType, "shop-psql-write").Input(t, "spec.jobTemplate.spec.template.spec.initContainers[0]").(map[string]any))
	sql, err := os.ReadFile(filepath.Join(project.Root(), "bin/extensions.sql"))
	require.NoError(t, err)
	env["PGHOST"], env["SQL"] = s.host, string(sql)
	said, err := s.script(t, r.Named(t, configMapType, "shop-psql"),
		`printf %s "$SQL" | psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --file=/etc/sql/administrator.sql --file=-`, env)
	require.NoError(t, err, said)
	return said
}

func TestAfterAnUpgradeExtensionsAndStatisticsAreRenewed(t *testing.T) {
	s := newRolesServer(t)
	_, err := s.AsSuperuser(postgres.Database, "CREATE EXTENSION hstore SCHEMA public VERSION '1.4'; UPDATE pg_extension SET extowner = '"+postgres.Admin+"'::regrole WHERE extname = 'hstore'")
	require.NoError(t, err)
	s.mustRun(t, 1, "roles.sql")
	s.as(t, database.MigrationLogin, migrationPwd, "", "CREATE TABLE items AS SELECT generate_series(1, 100) AS id; CREATE TABLE parts (id int) PARTITION BY RANGE (id)")

	assert.Contains(t, s.updateExtensions(t), "extension hstore: 1.8, was 1.4")
	assert.Equal(t, "extensions: none is older than the server's", s.updateExtensions(t))

	said, err := s.open(t, "psql-after-upgrade", true, 60)
	require.NoError(t, err, said)
	said, err = s.Psql("psql-after-upgrade", "persons-own", nil, "--file="+filepath.Join(project.Root(), "bin/analyze.sql"))
	require.NoError(t, err, said)
	assert.Equal(t, "statistics: 2 tables analyzed", said)
	s.as(t, postgres.Admin, postgres.AdminPassword, "1", "SELECT count(*) FROM pg_stats WHERE tablename = 'items'")
}

func TestAfterAnUpgradeNoExtensionsScriptRunsTheOwnersCode(t *testing.T) {
	s := newRolesServer(t)
	_, err := s.AsSuperuser(postgres.Database, "CREATE EXTENSION cube SCHEMA public; CREATE EXTENSION earthdistance SCHEMA public VERSION '1.1'; "+
		"UPDATE pg_extension SET extversion = '1.0', extowner = '"+postgres.Admin+"'::regrole WHERE extname = 'earthdistance'")
	require.NoError(t, err)
	s.mustRun(t, 1, "roles.sql")
	s.as(t, database.MigrationLogin, migrationPwd, "", payload+attacks[0].sql)
	said := s.updateExtensions(t)
	assert.Contains(t, said, "extension earthdistance stays at 1.0: its script could run")
	assert.NotRegexp(t, "payload ran as .* of "+postgres.Admin, s.Log())
}
