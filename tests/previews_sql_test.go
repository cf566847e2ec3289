package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"threetier/components/database"
	"threetier/gate/project"
	"threetier/gate/recorder"
	"threetier/internal/stack"
	"threetier/tests/postgres"
)

// previewsServer is the PostgreSQL of a stack that lets previews in. What runs there are the Jobs of the stacks themselves.
type previewsServer struct {
	*rolesServer
	outputs map[string]any // of the stack
}

func newPreviewsServer(t *testing.T) *previewsServer {
	t.Helper()
	s := &previewsServer{rolesServer: newRolesServer(t)}
	config := letsIn(t).SetSecret(t, "threetier:database.password", postgres.AdminPassword)
	found, r, err := recorder.Outputs(stack.Deploy, recorder.Options{Config: config})
	require.NoError(t, err)
	s.outputs = found
	for _, job := range []string{"app-backend-roles", "app-backend-roles-lock"} {
		said, err := s.job(t, r, job)
		require.NoError(t, err, said)
		require.Empty(t, said)
	}
	return s
}

// preview is a preview's recording.
func (s *previewsServer) preview(t *testing.T, name string) *recorder.Recording {
	t.Helper()
	return recorder.MustRun(t, stack.Deploy, recorder.Options{
		Stack: name, Config: project.StackConfig(t, "pr-1"), Others: map[string]map[string]any{"dev": s.outputs},
	})
}

// job runs the script of a Job.
func (s *previewsServer) job(t *testing.T, r *recorder.Recording, name string) (string, error) {
	t.Helper()
	container := r.Named(t, jobType, name).Input(t, "spec.template.spec.containers[0]").(map[string]any)
	env := environmentOf(t, r, container)
	env["LOCK_AFTER"] = "0"
	return s.container(t, r, "app-backend-roles", container, env)
}

func (s *previewsServer) container(t *testing.T, r *recorder.Recording, files string, container map[string]any, env map[string]string) (string, error) {
	t.Helper()
	s.Database = env["PGDATABASE"]
	return s.script(t, r.Named(t, configMapType, files), scriptOf(container), env)
}

// up makes a preview's logins, and returns the password of a login.
func (s *previewsServer) up(t *testing.T, name string) (r *recorder.Recording, passwordOf map[string]string) {
	t.Helper()
	r = s.preview(t, name)
	for _, job := range []string{"app-backend-roles", "app-backend-roles-lock"} {
		said, err := s.job(t, r, job)
		require.NoError(t, err, said)
		require.Empty(t, said)
	}
	passwordOf = map[string]string{}
	for _, res := range []recorder.Resource{r.Named(t, deploymentType, "app-backend"), r.Named(t, jobType, "app-backend-migrate")} {
		env := environmentOf(t, r, res.Input(t, "spec.template.spec.containers[0]").(map[string]any))
		passwordOf[env["DB_USER"]] = env["DB_PASSWORD"]
	}
	env := environmentOf(t, r, r.Named(t, jobType, "app-backend-roles").Input(t, "spec.template.spec.containers[0]").(map[string]any))
	passwordOf[env["PGUSER"]] = env["PGPASSWORD"]
	return r, passwordOf
}

func (s *previewsServer) drop(t *testing.T, r *recorder.Recording) (string, error) {
	t.Helper()
	container := r.Named(t, cronJobType, "app-backend-drop-database").Input(t, "spec.jobTemplate.spec.template.spec.containers[0]").(map[string]any)
	return s.container(t, r, "app-backend-drop-database", container, environmentOf(t, r, container))
}

// in runs SQL in a database, and returns what is said.
func (s *previewsServer) in(database, login, password, sql string) (string, error) {
	s.Database = database
	return s.Psql(login, password, nil, "--command="+sql)
}

// left is what a preview has in the instance.
func (s *previewsServer) left(t *testing.T, prefix string) string {
	t.Helper()
	said, err := s.AsSuperuser("postgres", fmt.Sprintf("SELECT string_agg(name, ' ') FROM (SELECT rolname AS name FROM pg_roles UNION ALL SELECT datname FROM pg_database) AS all_names WHERE name LIKE '%s%%'", prefix))
	require.NoError(t, err)
	return said
}

func TestPreviewsAndTheStackCanNotConnectToEachOthersDatabases(t *testing.T) {
	s := newPreviewsServer(t)
	_, one := s.up(t, "pr-1")
	_, two := s.up(t, "pr-2")
	s.up(t, "pr-1") // again
	said, err := s.in("pr_1", "pr_1_migration", one["pr_1_migration"], "CREATE TABLE items (title text); INSERT INTO items VALUES ('of pr-1')")
	require.NoError(t, err, said)
	said, err = s.in("pr_1", "pr_1_a", one["pr_1_a"], "SELECT title, current_user FROM items")
	require.NoError(t, err, said)
	require.Equal(t, "of pr-1|pr_1_a", said)
	require.NotEqual(t, one["pr_1_a"], two["pr_2_a"])

	_, err = s.AsSuperuser("postgres", "ALTER ROLE threetier_a PASSWORD 'dev'; ALTER ROLE threetier_migration PASSWORD 'dev'")
	require.NoError(t, err)
	for _, c := range []struct{ database, login, password string }{
		{"app", "pr_1_a", one["pr_1_a"]}, {"app", "pr_1_migration", one["pr_1_migration"]}, {"pr_2", "pr_1_a", one["pr_1_a"]},
		{"pr_2", "pr_1_migration", one["pr_1_migration"]}, {"pr_1", "pr_2_migration", two["pr_2_migration"]}, {"postgres", "pr_1_a", one["pr_1_a"]},
		{"pr_1", "threetier_a", "dev"}, {"pr_2", "threetier_migration", "dev"}, {"app", database.PreviewsLogin, one[database.PreviewsLogin]},
	} {
		said, err := s.in(c.database, c.login, c.password, "SELECT 1")
		require.Error(t, err, "%s in %s", c.login, c.database)
		require.Contains(t, said, "permission denied for database")
	}
	said, err = s.in("app", "threetier_a", "dev", "SELECT 'in'")
	require.NoError(t, err, said)
	for _, password := range append(valuesOf(one), valuesOf(two)...) {
		require.NotContains(t, s.Log(), password)
	}
}

func valuesOf(of map[string]string) (all []string) {
	for _, value := range of {
		all = append(all, value)
	}
	return all
}

func TestLoginOfPreviewsReachesNothingOfTheStack(t *testing.T) {
	s := newPreviewsServer(t)
	_, one := s.up(t, "pr-1")
	for _, sql := range []string{
		"ALTER ROLE app_admin PASSWORD 'x'", "ALTER ROLE threetier_a PASSWORD 'x'", "ALTER ROLE threetier_owner RENAME TO x", "DROP ROLE threetier_b",
		"GRANT threetier_owner TO threetier_previews", "GRANT app_admin TO threetier_previews", "GRANT pg_read_all_data TO threetier_previews", "GRANT rds_superuser TO threetier_previews",
		"SET ROLE app_admin", "SET ROLE threetier_owner", "CREATE ROLE x SUPERUSER", "CREATE ROLE x REPLICATION", "CREATE ROLE x BYPASSRLS", "CREATE ROLE x IN ROLE threetier_owner",
		"CREATE DATABASE x TEMPLATE app", "DROP DATABASE app", "ALTER DATABASE app ALLOW_CONNECTIONS false",
		"ALTER ROLE threetier_previews CONNECTION LIMIT 100", "SELECT rolpassword FROM pg_authid", "CREATE TABLE public.x (id int)", "CREATE EXTENSION dblink",
	} {
		said, err := s.in("postgres", database.PreviewsLogin, one[database.PreviewsLogin], sql)
		require.Error(t, err, "%s: %s", sql, said)
		require.Regexp(t, "permission denied|must be (owner|superuser)", said, sql)
	}
	said, err := s.in("postgres", database.PreviewsLogin, one[database.PreviewsLogin], "GRANT CONNECT ON DATABASE app TO threetier_previews")
	require.NoError(t, err)
	require.Contains(t, said, "no privileges were granted")
	_, err = s.in("app", database.PreviewsLogin, one[database.PreviewsLogin], "SELECT 1")
	require.Error(t, err)
}

func TestOwnerOfAPreviewStaysWithinItsDatabaseAndItsConnections(t *testing.T) {
	s := newPreviewsServer(t)
	r, one := s.up(t, "pr-1")
	owner := one["pr_1_migration"]
	for _, sql := range []string{
		"ALTER ROLE pr_1_a CONNECTION LIMIT 100", "ALTER ROLE pr_1_owner CONNECTION LIMIT 1", "ALTER ROLE pr_1_migration CONNECTION LIMIT 100", "SET ROLE threetier_previews",
		"CREATE ROLE x", "CREATE DATABASE x", "ALTER DATABASE pr_1 RENAME TO pr_2", "GRANT pr_1_owner TO threetier_a", "CREATE PUBLICATION p FOR ALL TABLES",
	} {
		said, err := s.in("pr_1", "pr_1_migration", owner, sql)
		require.Error(t, err, "%s: %s", sql, said)
	}
	said, err := s.in("pr_1", "pr_1_migration", owner, "ALTER DATABASE pr_1 CONNECTION LIMIT -1; ALTER DATABASE pr_1 IS_TEMPLATE true; GRANT CONNECT ON DATABASE pr_1 TO PUBLIC; "+
		"REVOKE CONNECT ON DATABASE pr_1 FROM pr_1_rows, pr_1_read")
	require.NoError(t, err, said)
	said, err = s.in("template1", "pr_1_migration", owner, "ALTER DATABASE pr_1 ALLOW_CONNECTIONS false")
	require.NoError(t, err, said)
	s.up(t, "pr-1") // lets its own logins in again, and them alone
	said, err = s.AsSuperuser("postgres", "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname LIKE 'pr\\_1\\_%' AND (rolcanlogin OR rolname = 'pr_1_owner') ORDER BY 1")
	require.NoError(t, err)
	require.Equal(t, "pr_1_a|13\npr_1_migration|4\npr_1_owner|17\npr_1_owner_a|0", said)
	_, two := s.up(t, "pr-2")
	_, err = s.in("pr_1", "pr_2_a", two["pr_2_a"], "SELECT 1")
	require.Error(t, err)
	said, err = s.in("pr_1", "pr_1_a", one["pr_1_a"], "SELECT 1")
	require.NoError(t, err, said)

	said, err = s.in("template1", "pr_1_migration", owner, "ALTER DATABASE pr_1 IS_TEMPLATE true; ALTER DATABASE pr_1 ALLOW_CONNECTIONS false")
	require.NoError(t, err, said)
	said, err = s.drop(t, r)
	require.NoError(t, err, said)
	require.Empty(t, s.left(t, "pr\\_1"))
}

func TestPreviewTooManyIsRefusedInOneLine(t *testing.T) {
	s := newPreviewsServer(t)
	// 100 are there, 42 the stack's; each takes 17.
	for _, name := range []string{"pr-1", "pr-2", "pr-3"} {
		s.up(t, name)
	}
	r := s.preview(t, "pr-4")
	said, err := s.job(t, r, "app-backend-roles")
	require.Error(t, err)
	require.Contains(t, said, "pr_4 is a preview too many: the connections of its logins are 17, want 7 or less (max_connections 100 - 42 of the stack - 51 of other previews)")
	require.Empty(t, s.left(t, "pr\\_4"))
	_, err = s.drop(t, s.preview(t, "pr-2"))
	require.NoError(t, err)
	s.up(t, "pr-4")
}

func TestDatabaseOfAPreviewIsDroppedWithItsLogins(t *testing.T) {
	s := newPreviewsServer(t)
	_, err := s.AsSuperuser("postgres", "ALTER ROLE threetier_a PASSWORD 'dev'")
	require.NoError(t, err)
	r, one := s.up(t, "pr-1")
	s.up(t, "pr-12")
	said, err := s.in("pr_1", "pr_1_migration", one["pr_1_migration"], "CREATE TABLE items (id int); SELECT lo_create(7)")
	require.NoError(t, err, said)
	s.Database = "pr_1"
	end := s.pooled(t, "pr_1_a", one["pr_1_a"], "BEGIN; SELECT 1")
	defer end()
	for range 2 {
		said, err = s.drop(t, r)
		require.NoError(t, err, said)
		require.Empty(t, said)
	}
	require.NotRegexp(t, `\bpr_1(_|\b)`, s.left(t, "pr\\_1"))
	require.Contains(t, s.left(t, "pr\\_12"), "pr_12_owner")
	said, err = s.in("app", "threetier_a", "dev", "SELECT 'in'")
	require.NoError(t, err, said)
	// What an up that was killed may leave.
	for _, sql := range []string{"SELECT 1", "CREATE ROLE pr_1_owner", "CREATE ROLE pr_1_owner; GRANT pr_1_owner TO threetier_previews; CREATE ROLE pr_1_a LOGIN; GRANT pr_1_owner TO pr_1_a"} {
		said, err = s.in("postgres", database.PreviewsLogin, one[database.PreviewsLogin], sql)
		require.NoError(t, err, said)
		said, err = s.drop(t, r)
		require.NoError(t, err, said)
	}
	s.up(t, "pr-1") // reopened
}

func TestPersonInAPreviewHasALoginOfThePreview(t *testing.T) {
	s := newPreviewsServer(t)
	r, one := s.up(t, "pr-1")
	said, err := s.in("pr_1", "pr_1_migration", one["pr_1_migration"], "CREATE TABLE items (id int)")
	require.NoError(t, err, said)
	for suffix, sql := range map[string]string{"": "SELECT count(*) FROM items", "-write": "INSERT INTO items VALUES (1)"} {
		container := r.Named(t, cronJobType, "app-psql"+suffix).Input(t, "spec.jobTemplate.spec.template.spec.initContainers[0]").(map[string]any)
		env := environmentOf(t, r, container)
		require.Equal(t, "pr_1_$(JOB)", env["LOGIN"])
		env["LOGIN"] = "pr_1_psql-ada"
		container["command"].([]any)[2] = strings.ReplaceAll(scriptOf(container), "$(head -c 24 /dev/urandom | base64 | tr +/ ab)", "persons-own")
		said, err := s.container(t, r, "app-psql", container, env)
		require.NoError(t, err, said)
		said, err = s.in("pr_1", "pr_1_psql-ada", "persons-own", sql)
		require.NoError(t, err, said)
	}
	said, err = s.drop(t, r)
	require.NoError(t, err, said)
	require.Empty(t, s.left(t, "pr\\_1"))
}

// Beside previews not everybody may connect to the stack's database, but people still do, and what they leave is taken away.
func TestPersonReadsTheStacksOwnDatabaseBesidePreviews(t *testing.T) {
	s := newPreviewsServer(t)
	for range 2 {
		s.Database = "app"
		said, err := s.open(t, "psql-ada", false, 60)
		require.NoError(t, err, said)
		said, err = s.in("app", "psql-ada", "persons-own", "SELECT 1")
		require.NoError(t, err, said)
	}
	s.Database = "app"
	said, err := s.open(t, "psql-bob", false, -1)
	require.NoError(t, err, said)
	said, err = s.open(t, "psql-ada", false, 60)
	require.NoError(t, err, said)
	require.NotContains(t, s.left(t, "psql-"), "psql-bob")
}

func TestNoCodeOfAPreviewsOwnerRunsAsTheLoginOfPreviews(t *testing.T) {
	s := newPreviewsServer(t)
	for i, a := range attacks {
		name := fmt.Sprintf("pr-%d", 100+i)
		in := strings.ReplaceAll(name, "-", "_")
		t.Run(a.name, func(t *testing.T) {
			of := func(text string) string {
				return strings.NewReplacer("DATABASE DATABASE", "DATABASE "+in, "'DATABASE'", "'"+in+"'", "threetier_", in+"_", "app_admin", database.PreviewsLogin).Replace(text)
			}
			r, passwords := s.up(t, name)
			begun := len(s.Log())
			s.Database = in
			said, err := s.Psql(in+"_migration", passwords[in+"_migration"], nil, "--command="+of(payload), "--command="+of(a.sql))
			require.NoError(t, err, said)
			at := in
			if a.shared {
				at = "postgres"
			}
			there, err := s.AsSuperuser(at, of(a.there))
			require.NoError(t, err)
			require.Equal(t, "t", there, "the attack is in place")
			for _, job := range []string{"app-backend-roles", "app-backend-roles-lock"} {
				said, err := s.job(t, r, job)
				require.NoError(t, err, said)
			}
			container := r.Named(t, cronJobType, "app-psql").Input(t, "spec.jobTemplate.spec.template.spec.initContainers[0]").(map[string]any)
			env := environmentOf(t, r, container)
			env["LOGIN"] = in + "_psql-ada"
			said, err = s.container(t, r, "app-psql", container, env)
			require.NoError(t, err, said)
			said, err = s.drop(t, r)
			require.NoError(t, err, said)
			require.NotRegexp(t, "payload ran as .* of ("+database.PreviewsLogin+"|app_admin)", s.Log()[begun:])
			require.Empty(t, s.left(t, strings.ReplaceAll(in, "_", "\\_")))
			require.Empty(t, s.left(t, "evil"))
			require.NoFileExists(t, touched, "a shell ran the attacker's command")
		})
	}
}
