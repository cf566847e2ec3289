package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/database"
	"threetier/gate/recorder"
	"threetier/tests/postgres"
	"threetier/tests/trixie"
)

const (
	denied       = "permission denied"
	noLogin      = "is not permitted to log in"
	wrongLogin   = "password authentication failed"
	threetierA   = "threetier_a"
	threetierB   = "threetier_b"
	ownerA       = "threetier_owner_a"
	ownerB       = "threetier_owner_b"
	migrationPwd = "migrations-own-password"
)

// rolesServer is a PostgreSQL with RDS's administrator, and the roles' SQL.
type rolesServer struct {
	*postgres.Server
	host string // what the SQL thinks that the server is called
	owns bool
	jobs int // seconds of the longest

	extensions []string
	version    int // of the passwords
	lockAfter  int // seconds
}

func newRolesServer(t *testing.T) *rolesServer {
	t.Helper()
	return newRolesServerOf(t, 17)
}

func newRolesServerOf(t *testing.T, major int) *rolesServer {
	t.Helper()
	trixie.Require(t)
	server, err := postgres.Start(major)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	return &rolesServer{Server: server, extensions: []string{"pgcrypto", "uuid-ossp"}}
}

// appPassword is the app's at a version.
func appPassword(version int) string { return fmt.Sprintf("the-apps-password-%d", version) }

// run runs the script of the Job of these SQL files at a version of the passwords, with the Job's environment.
func (s *rolesServer) run(t *testing.T, version int, files ...string) (string, error) {
	t.Helper()
	r := s.app(t, version)
	name := "shop-backend-roles"
	if len(files) == 2 {
		name += "-lock"
	}
	container := r.Named(t, jobType, name).Input(t, "spec.template.spec.containers[0]").(map[string]any)
	for _, file := range files {
		require.Contains(t, scriptOf(container), file)
	}
	env := environmentOf(t, r, container)
	env["LOCK_AFTER"], env["JOB_SECONDS"], env["PGHOST"] = strconv.Itoa(s.lockAfter), strconv.Itoa(s.jobs), s.host
	return s.script(t, r.Named(t, configMapType, "shop-backend-roles"), scriptOf(container), env)
}

// open runs the script that makes a person's login.
func (s *rolesServer) open(t *testing.T, login string, writes bool, minutes int) (string, error) {
	t.Helper()
	r := s.app(t, 1)
	name := "shop-psql"
	if writes {
		name += "-write"
	}
	container := r.Named(t, cronJobType, name).Input(t, "spec.jobTemplate.spec.template.spec.initContainers[0]").(map[string]any)
	env := environmentOf(t, r, container)
	env["LOGIN"], env["MINUTES"], env["PGHOST"] = login, strconv.Itoa(minutes), s.host
	random := "$(head -c 24 /dev/urandom | base64 | tr +/ ab)"
	require.Contains(t, scriptOf(container), random)
	return s.script(t, r.Named(t, configMapType, "shop-psql"), strings.ReplaceAll(scriptOf(container), random, "persons-own"), env)
}

// app is an app whose passwords are of a version.
func (s *rolesServer) app(t *testing.T, version int) *recorder.Recording {
	t.Helper()
	return runApp(t, func(a *appStack) {
		withRoles(a)
		roles := a.Database.Roles
		roles.Extensions = s.extensions
		roles.PasswordVersion = version
		if version%2 == 0 {
			roles.App, roles.Owner, roles.Resting = threetierB, ownerB, []string{threetierA, ownerA}
		}
		a.Database.Username, a.Database.Password = pulumi.String(roles.App), secretText(appPassword(version))
		roles.Administrator.Password, roles.Migration.Password = secretText(postgres.AdminPassword), secretText(migrationPwd)
		if s.owns {
			a.Backend.Migrate = nil
		}
	})
}

// script runs a container's script, whose files are a ConfigMap's.
func (s *rolesServer) script(t *testing.T, files recorder.Resource, script string, env map[string]string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files.Input(t, "data").(map[string]any) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content.(string)), 0o600))
	}
	script = strings.NewReplacer("/etc/sql", dir, "/run/login", dir).Replace(script)
	return s.Script(script, env["PGUSER"], env["PGPASSWORD"], env)
}

func scriptOf(container map[string]any) string {
	command := container["command"].([]any)
	return command[len(command)-1].(string)
}

func (s *rolesServer) mustRun(t *testing.T, version int, files ...string) {
	t.Helper()
	said, err := s.run(t, version, files...)
	require.NoError(t, err, said)
	require.Empty(t, said)
}

// as runs SQL as a login; want is what it says.
func (s *rolesServer) as(t *testing.T, login, password, want, sql string) {
	t.Helper()
	said, err := s.Psql(login, password, nil, "--command="+sql)
	require.NoError(t, err, "%s as %s: %s", sql, login, said)
	require.Equal(t, want, said, "%s as %s", sql, login)
}

// refuses wants SQL refused with a word of PostgreSQL's.
func (s *rolesServer) refuses(t *testing.T, login, password, word, sql string) {
	t.Helper()
	said, err := s.Psql(login, password, nil, "--command="+sql)
	require.Error(t, err, "%s as %s", sql, login)
	require.Contains(t, said, word, "%s as %s", sql, login)
}

func TestRolesOfAFreshDatabase(t *testing.T) {
	s := newRolesServer(t)
	s.mustRun(t, 1, "roles.sql")
	s.mustRun(t, 1, "roles.sql")
	s.mustRun(t, 1, "lock.sql", "roles.sql")

	migration := func(sql string) { t.Helper(); s.as(t, database.MigrationLogin, migrationPwd, "", sql) }
	app := func(want, sql string) { t.Helper(); s.as(t, threetierA, appPassword(1), want, sql) }
	migration("CREATE TABLE items (id serial PRIMARY KEY, title text); CREATE SCHEMA more; CREATE TABLE more.others (id int GENERATED ALWAYS AS IDENTITY)")
	app("1", "INSERT INTO items (title) VALUES ('a') RETURNING id")
	app("a", "UPDATE items SET title = 'b' WHERE id = 2; DELETE FROM more.others; INSERT INTO more.others DEFAULT VALUES; SELECT title FROM items")
	s.as(t, postgres.Admin, postgres.AdminPassword, "threetier_owner|threetier_owner|threetier_owner",
		"SELECT (SELECT tableowner FROM pg_tables WHERE tablename = 'items'), (SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'more'), "+
			"(SELECT datdba::regrole FROM pg_database WHERE datname = 'app')")
	for sql, word := range map[string]string{
		"DROP TABLE items": "must be owner", "ALTER TABLE items ADD x int": "must be owner", "TRUNCATE items": denied,
		"CREATE TABLE mine (id int)": denied, "CREATE SCHEMA mine": denied, "CREATE ROLE mine": denied, "DROP DATABASE postgres": "must be owner",
		"SELECT * FROM pg_authid": denied, "SET ROLE threetier_owner": denied, "SET ROLE app_admin": denied,
		"ALTER ROLE threetier_b LOGIN": denied, "ALTER ROLE threetier_migration PASSWORD 'x'": denied,
	} {
		s.refuses(t, threetierA, appPassword(1), word, sql)
	}
	s.refuses(t, threetierB, appPassword(1), wrongLogin, "SELECT 1")
	s.refuses(t, database.MigrationLogin, migrationPwd, denied, "CREATE ROLE mine")
	app("2", "SELECT count(*) FROM pg_extension WHERE extname IN ('pgcrypto', 'uuid-ossp')")
	migration("DROP TABLE more.others; DROP SCHEMA more; ALTER TABLE items ADD done boolean")

	for _, password := range []string{appPassword(1), migrationPwd} {
		require.NotContains(t, s.Log(), password)
	}
	require.Contains(t, s.Log(), "ALTER ROLE \"threetier_a\" LOGIN PASSWORD 'SCRAM-SHA-256$4096:", "the log has every statement")
}

// What the administrator created when the app ran as it.
const administrators = `
CREATE TABLE items (id serial PRIMARY KEY, title text);
CREATE TABLE parts (id int GENERATED ALWAYS AS IDENTITY, at date) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE SCHEMA "More";
CREATE TABLE "More"."Odd ""name" (id int);
CREATE VIEW seen AS SELECT * FROM items;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM items;
CREATE SEQUENCE loose;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TYPE pair AS (a int, b int);
CREATE DOMAIN small AS int CHECK (VALUE < 10);
CREATE TYPE span AS RANGE (subtype = int);
CREATE FUNCTION one(int, text DEFAULT '') RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int);
CREATE STATISTICS related ON id, title FROM items;
CREATE COLLATION here FROM "C";
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
CREATE EXTENSION citext;
CREATE TABLE mixed (name citext);
SELECT lo_create(4242);
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
`

func TestRolesTakeOverWhatTheAdministratorOwned(t *testing.T) {
	s := newRolesServer(t)
	said, err := s.Psql(postgres.Admin, postgres.AdminPassword, nil, "--command="+administrators)
	require.NoError(t, err, said)

	// The pods of before go on as the administrator: requests of their own connection each, and one long transaction.
	var done atomic.Bool
	var requests atomic.Int64
	var longest atomic.Int64
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for !done.Load() {
				start := time.Now()
				said, err := s.Psql(postgres.Admin, postgres.AdminPassword, nil, "--command=INSERT INTO items (title) VALUES ('load'); SELECT count(*) FROM seen")
				assert.NoError(t, err, said)
				longest.Store(max(longest.Load(), time.Since(start).Milliseconds()))
				requests.Add(1)
			}
		})
	}
	wait.Go(func() {
		said, err := s.Psql(postgres.Admin, postgres.AdminPassword, nil, "--command=BEGIN; INSERT INTO items (title) VALUES ('long'); SELECT pg_sleep(3); COMMIT")
		assert.NoError(t, err, said)
	})
	require.Eventually(t, func() bool { return requests.Load() > 5 && strings.Contains(s.Log(), "pg_sleep(3)") }, 20*time.Second, 20*time.Millisecond)
	s.mustRun(t, 1, "roles.sql")
	require.Eventually(t, func() bool { return requests.Load() > 50 }, 20*time.Second, 20*time.Millisecond)
	done.Store(true)
	wait.Wait()
	t.Logf("%d requests, the longest took %d ms", requests.Load(), longest.Load())
	require.Less(t, longest.Load(), int64(2500), "none waits behind the long transaction's end")

	const theirs = `SELECT string_agg(o.type || ' ' || o.identity, ', ') FROM pg_shdepend d
		CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) o
		WHERE d.deptype = 'o' AND d.refobjid = 'app_admin'::regrole AND d.dbid = (SELECT oid FROM pg_database WHERE datname = 'app')
		AND o.type NOT IN ('extension', 'default acl')`
	s.as(t, postgres.Admin, postgres.AdminPassword, "", theirs)
	s.as(t, postgres.Admin, postgres.AdminPassword, "app_admin", "SELECT datdba::regrole FROM pg_database WHERE datname = 'postgres'")
	s.as(t, threetierA, appPassword(1), "1", `INSERT INTO parts (at) VALUES ('2026-02-01'); DELETE FROM "More"."Odd ""name"; INSERT INTO mixed VALUES ('x');
		UPDATE items SET title = 'x' WHERE title = 'long'; SELECT nextval('loose')`)
	s.as(t, threetierA, appPassword(1), strconv.Itoa(int(requests.Load())), "SELECT count(*) FROM items WHERE title = 'load'")
	s.refuses(t, threetierA, appPassword(1), "must be owner", "DROP TABLE items")
	s.as(t, database.MigrationLogin, migrationPwd, "", `ALTER TABLE parts ADD x int; ALTER TYPE mood ADD VALUE 'none'; DROP TABLE "More"."Odd ""name"; DROP SCHEMA "More"`)
	s.as(t, postgres.Admin, postgres.AdminPassword, "", "CREATE TABLE late (id int); ALTER TABLE items ADD late int")
	s.mustRun(t, 1, "lock.sql", "roles.sql")
	s.as(t, threetierA, appPassword(1), "0", "SELECT count(*) FROM late")
}

func TestRotationKeepsTheOldLoginUntilItIsLocked(t *testing.T) {
	s := newRolesServer(t)
	s.mustRun(t, 1, "roles.sql")
	s.as(t, database.MigrationLogin, migrationPwd, "", "CREATE TABLE items (id int)")
	s.mustRun(t, 1, "lock.sql", "roles.sql")

	s.mustRun(t, 2, "roles.sql")
	for range 2 { // an up that was interrupted, and the next
		s.as(t, ownerA, migrationPwd, "", "ANALYZE items")
		s.as(t, ownerB, migrationPwd, "", "ANALYZE items")
		s.as(t, threetierA, appPassword(1), "0", "SELECT count(*) FROM items")
		s.as(t, threetierB, appPassword(2), "0", "SELECT count(*) FROM items")
		s.mustRun(t, 2, "roles.sql")
	}
	said, err := s.run(t, 3, "roles.sql")
	require.Error(t, err, "pods may use a")
	require.Contains(t, said, "threetier_a is in use with the password of passwordVersion 1 at 127.0.0.1, so it gets no other")
	require.Contains(t, said, "Set passwordVersion to 2 and deploy")
	s.as(t, threetierA, appPassword(1), "0", "SELECT count(*) FROM items")

	s.mustRun(t, 2, "lock.sql", "roles.sql")
	s.refuses(t, threetierA, appPassword(1), noLogin, "SELECT 1")
	s.refuses(t, ownerA, migrationPwd, noLogin, "SELECT 1")
	s.as(t, threetierB, appPassword(2), "0", "SELECT count(*) FROM items")
	s.as(t, ownerB, migrationPwd, "", "ANALYZE items")
	_, err = s.run(t, 4, "roles.sql")
	require.Error(t, err, "b is in use")
	s.mustRun(t, 3, "roles.sql")
	s.mustRun(t, 3, "lock.sql", "roles.sql")
	s.refuses(t, threetierB, appPassword(2), noLogin, "SELECT 1")
	s.as(t, threetierA, appPassword(3), "0", "SELECT count(*) FROM items")

	// With jobs, whose runs may go on for ten minutes more.
	s.jobs = 600
	s.mustRun(t, 4, "roles.sql")
	s.mustRun(t, 4, "lock.sql", "roles.sql")
	s.as(t, threetierA, appPassword(3), "0", "SELECT count(*) FROM items")
	s.as(t, ownerA, migrationPwd, "", "ANALYZE items")
	said, err = s.run(t, 5, "roles.sql")
	require.Error(t, err)
	require.Contains(t, said, "A run of a job may use it until 20")
	_, err = s.AsSuperuser("app", "ALTER ROLE threetier_a VALID UNTIL 'yesterday'; ALTER ROLE threetier_owner_a VALID UNTIL 'yesterday'")
	require.NoError(t, err)
	s.refuses(t, threetierA, appPassword(3), wrongLogin, "SELECT 1")
	s.refuses(t, ownerA, migrationPwd, wrongLogin, "SELECT 1")
	s.mustRun(t, 5, "roles.sql")
	s.as(t, threetierA, appPassword(5), "infinity", "SELECT rolvaliduntil FROM pg_roles WHERE rolname = 'threetier_a'")
	s.jobs = 0

	// A lock that was killed between the two.
	s.mustRun(t, 5, "lock.sql", "roles.sql")
	s.mustRun(t, 6, "roles.sql")
	_, err = s.AsSuperuser("app", "ALTER ROLE threetier_a NOLOGIN")
	require.NoError(t, err)
	s.mustRun(t, 6, "lock.sql", "roles.sql")
	s.refuses(t, ownerA, migrationPwd, noLogin, "SELECT 1")

	// A snapshot of it, restored into another stack, whose passwords are others.
	s.host = "restored.example"
	s.mustRun(t, 1, "roles.sql")
	s.as(t, threetierA, appPassword(1), "0", "SELECT count(*) FROM items")
	s.mustRun(t, 2, "roles.sql")
	s.mustRun(t, 2, "lock.sql", "roles.sql")
	s.refuses(t, threetierA, appPassword(1), noLogin, "SELECT 1")
}

func TestOwnersLoginDoesWhatTheAppsMayNot(t *testing.T) {
	s := newRolesServer(t)
	s.mustRun(t, 1, "roles.sql")
	s.as(t, database.MigrationLogin, migrationPwd, "", "CREATE TABLE items (id int); CREATE MATERIALIZED VIEW sums AS SELECT sum(id) FROM items")
	for sql, word := range map[string]string{
		"REFRESH MATERIALIZED VIEW sums": "must be owner|" + denied, "TRUNCATE items": denied, "ANALYZE items": "", "VACUUM items": "",
	} {
		s.as(t, ownerA, migrationPwd, "", sql)
		said, err := s.Psql(threetierA, appPassword(1), nil, "--command="+sql)
		if word != "" {
			require.Error(t, err, sql)
			require.Regexp(t, word, said, sql)
		} else {
			require.Regexp(t, "WARNING: +permission denied to (analyze|vacuum)", said, "a warning alone")
		}
	}
	s.as(t, ownerA, migrationPwd, "", "CREATE TABLE more (id int); RESET ROLE; SET ROLE NONE; CREATE TABLE own (id int)")
	s.mustRun(t, 1, "lock.sql", "roles.sql")
	s.as(t, threetierA, appPassword(1), "0", "SELECT (SELECT count(*) FROM more) + (SELECT count(*) FROM own)")
	s.refuses(t, ownerB, migrationPwd, wrongLogin, "SELECT 1")
	s.refuses(t, ownerA, migrationPwd, denied, "CREATE ROLE mine")
}

func TestAppWithoutAMigrationActsAsTheOwner(t *testing.T) {
	s := newRolesServer(t)
	s.owns = true
	s.mustRun(t, 1, "roles.sql")
	s.as(t, threetierA, appPassword(1), "", "CREATE TABLE items (id int)")
	s.refuses(t, threetierA, appPassword(1), denied, "CREATE ROLE mine")
	s.mustRun(t, 2, "roles.sql")
	s.as(t, threetierB, appPassword(2), "", "ALTER TABLE items ADD x int; RESET ROLE; CREATE TABLE more (id int); SET ROLE NONE; CREATE TABLE own (id int)")
	s.mustRun(t, 2, "lock.sql", "roles.sql")
	s.as(t, postgres.Admin, postgres.AdminPassword, "threetier_owner", "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename IN ('items', 'more', 'own')")

	s.owns = false // it got a migration
	s.mustRun(t, 2, "roles.sql")
	s.as(t, threetierB, appPassword(2), "0", "SELECT count(*) FROM items")
	s.refuses(t, threetierB, appPassword(2), "must be owner", "DROP TABLE items")
	s.as(t, database.MigrationLogin, migrationPwd, "", "DROP TABLE own")
}

func TestPeoplesLoginsExpireAndReadOnly(t *testing.T) {
	s := newRolesServer(t)
	s.mustRun(t, 1, "roles.sql")
	s.as(t, database.MigrationLogin, migrationPwd, "", "CREATE TABLE items (id int)")
	said, err := s.open(t, "psql-alice", false, 60)
	require.NoError(t, err, said)
	s.as(t, "psql-alice", "persons-own", "0", "SELECT count(*) FROM items")
	s.refuses(t, "psql-alice", "persons-own", "read-only transaction", "INSERT INTO items VALUES (1)")
	s.refuses(t, "psql-alice", "persons-own", denied, "SET TRANSACTION READ WRITE; INSERT INTO items VALUES (1)")
	s.refuses(t, "psql-alice", "persons-own", denied, "SELECT * FROM pg_authid")
	s.as(t, "psql-alice", "persons-own", "5min|1min|15min",
		"SELECT current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout'), current_setting('idle_session_timeout')")
	require.Regexp(t, `LOG:  psql opened: psql-alice, reads, until 20`, s.Log())

	said, err = s.open(t, "psql-bob", true, 60)
	require.NoError(t, err, said)
	s.as(t, "psql-bob", "persons-own", "", "CREATE TABLE bobs (id int)")
	s.as(t, threetierA, appPassword(1), "0", "SELECT count(*) FROM bobs")

	said, err = s.open(t, "psql-alice", false, -1) // again, and over at once
	require.NoError(t, err, said)
	s.refuses(t, "psql-alice", "persons-own", wrongLogin, "SELECT 1")
	said, err = s.open(t, "psql-bob", false, 60)
	require.NoError(t, err, said)
	s.refuses(t, "psql-bob", "persons-own", "read-only transaction", "DROP TABLE bobs")
	s.as(t, postgres.Admin, postgres.AdminPassword, "psql-bob", "SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolname LIKE 'psql-%'")
	said, err = s.open(t, "rds-admin", false, 60)
	require.Error(t, err)
	require.Contains(t, said, "the Job is called rds-admin, want psql-NAME")
	require.NotContains(t, s.Log(), "persons-own")
}

// lockOf is the container that holds the migration's lock, and the file that says so.
func (s *rolesServer) lockOf(t *testing.T) (container map[string]any, env map[string]string, locked string) {
	t.Helper()
	r := s.app(t, 1)
	before := r.Named(t, jobType, "shop-backend-migrate").Input(t, "spec.template.spec.initContainers")
	first := before.([]any)[0].(map[string]any)
	require.NotContains(t, first, "restartPolicy", "a database that can't be reached has to end the pod, which says why")
	require.Equal(t, []any{"psql", "--no-psqlrc", "--quiet", "--command=SELECT"}, first["command"])
	container = containerNamed(before, "lock")
	locked = container["startupProbe"].(map[string]any)["exec"].(map[string]any)["command"].([]any)[2].(string)
	require.Equal(t, 2, strings.Count(scriptOf(container), locked))
	return container, environmentOf(t, r, container), locked
}

func TestOneMigrationWaitsUntilTheOtherHasEnded(t *testing.T) {
	s := newRolesServer(t)
	s.mustRun(t, 1, "roles.sql")
	container, env, probed := s.lockOf(t)
	require.Equal(t, "threetier_migration", env["PGUSER"])
	// Neither of these may end the connection that holds the lock.
	_, err := s.AsSuperuser(s.Database, "ALTER DATABASE app SET statement_timeout = 1500; ALTER DATABASE app SET lock_timeout = 500; ALTER DATABASE app SET idle_session_timeout = 1000")
	require.NoError(t, err)
	// A pod ends with its shell: the group of the script stands for the container.
	hold := func(locked string) func() {
		t.Helper()
		own := strings.ReplaceAll(scriptOf(container), probed, locked)
		ended := make(chan struct{})
		go func() {
			_, _ = s.Script("(while ! test -e "+locked+".end; do sleep 0.1; done; kill -TERM 0) & "+own, env["PGUSER"], env["PGPASSWORD"], env)
			close(ended)
		}()
		return func() {
			require.NoError(t, os.WriteFile(locked+".end", nil, 0o600))
			<-ended
		}
	}
	holds := func(locked string) func() bool {
		return func() bool {
			_, err := os.Stat(locked)
			return err == nil
		}
	}
	first, second := filepath.Join(t.TempDir(), "locked"), filepath.Join(t.TempDir(), "locked")
	endFirst := hold(first)
	require.Eventually(t, holds(first), 20*time.Second, 50*time.Millisecond)
	endSecond := hold(second)
	require.Never(t, holds(second), 4*time.Second, 100*time.Millisecond, "two migrations at once")
	endFirst()
	require.Eventually(t, holds(second), 20*time.Second, 50*time.Millisecond)
	endSecond()
}

func TestTheMigrationsLockComesBeforeItAndLastsAsLong(t *testing.T) {
	container, env, _ := (&rolesServer{}).lockOf(t)
	require.Equal(t, "Always", container["restartPolicy"], "it runs beside the migration, and ends with it")
	probe := container["startupProbe"].(map[string]any)
	require.GreaterOrEqual(t, probe["failureThreshold"].(float64)*probe["periodSeconds"].(float64), float64(600))
	require.Equal(t, "verify-full", env["PGSSLMODE"])
	require.Equal(t, migrationPwd, env["PGPASSWORD"])
	for _, name := range []string{"statement_timeout=0", "lock_timeout=0", "idle_session_timeout=0"} {
		require.Contains(t, env["PGOPTIONS"], name)
	}
	require.Nil(t, runApp(t, nil).Named(t, jobType, "shop-backend-migrate").Input(t, "spec.template.spec.initContainers"), "no logins of the program's")
}
