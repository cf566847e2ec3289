package tests

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"threetier/components/database"
	"threetier/tests/postgres"
)

// payload makes its caller's session an administrator of the attacker's. Each run of it is in the log, also one that is
// rolled back.
const payload = `CREATE FUNCTION public.payload() RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $payload$
BEGIN
	RAISE LOG 'payload ran as % of %', current_user, session_user;
	IF session_user = 'app_admin' THEN
		CREATE ROLE evil LOGIN CREATEROLE;
		ALTER ROLE app_admin PASSWORD 'evil';
	END IF;
	RETURN true;
EXCEPTION WHEN OTHERS THEN
	RETURN true;
END $payload$;
`

const (
	mallory = "psql-mallory"
	touched = "/tmp/threetier-payload"
)

// attack is SQL of whoever acts as the owner of DATABASE.
type attack struct {
	name string
	// sql is the attacker's.
	sql string
	// there is true where the attack is in place.
	there string
	// later is true after the Jobs.
	later string
	// shared is where there needs no session with the attack's own settings.
	shared bool
	since  int
}

// function overloads one of PostgreSQL's: the types of these arguments match the scripts' own better.
func function(name, arguments, returns, value string) string {
	return fmt.Sprintf("CREATE FUNCTION public.%s(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.payload(); RETURN %s; END $f$;\n",
		name, arguments, returns, value)
}

// sessionSettings are the owner's for all sessions: name and value, in pairs.
func sessionSettings(name string, since int, pairs ...string) attack {
	a := attack{name: name, since: since, shared: true, later: noLater}
	var names []string
	for pair := range slices.Chunk(pairs, 2) {
		a.sql += fmt.Sprintf("ALTER DATABASE DATABASE SET %s = %s; ", pair[0], pair[1])
		names = append(names, "'"+pair[0]+"'")
	}
	a.there = fmt.Sprintf("SELECT count(*) = %d FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS pair "+
		"WHERE setrole = 0 AND datname = 'DATABASE' AND split_part(pair, '=', 1) IN (%s)", len(names), strings.Join(names, ", "))
	return a
}

const noLater = "SELECT true"

func isFunction(name string) string { return "SELECT to_regproc('public." + name + "') IS NOT NULL" }

var attacks = []attack{
	{
		name:  "functions",
		sql:   function("format", "text, name", "text", "pg_catalog.format($1, VARIADIC ARRAY[$2::text])") + function("format", "text, name, text", "text", "pg_catalog.format($1, VARIADIC ARRAY[$2::text, $3])") + function("format", "text, text", "text", "pg_catalog.format($1, VARIADIC ARRAY[$2])") + function("pg_has_role", "oid, text", "boolean", "true") + function("has_schema_privilege", "text, oid, text", "boolean", "false"),
		there: "SELECT count(*) = 5 FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosrc LIKE '%payload()%'",
		later: noLater,
	},
	{
		name:  "a function that only fails",
		sql:   "CREATE FUNCTION public.format(text, name, text) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'no'; END $f$",
		there: isFunction("format"), later: noLater,
	},
	{
		name: "operators",
		sql: function("differs", "oid, regrole", "boolean", "true") + function("is", "oid, regclass", "boolean", "true") +
			"CREATE OPERATOR public.<> (LEFTARG = oid, RIGHTARG = regrole, FUNCTION = public.differs); CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = public.is);" +
			function("has", "oid, regrole", "boolean", "true") + "CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regrole, FUNCTION = public.has);",
		there: "SELECT count(*) = 3 FROM pg_operator WHERE oprnamespace = 'public'::regnamespace", later: noLater,
	},
	{
		name: "types, views and casts that come first",
		sql: `CREATE DOMAIN public.text AS pg_catalog.text CHECK (public.payload()); CREATE VIEW public.pg_roles AS SELECT * FROM pg_catalog.pg_roles WHERE public.payload();
			CREATE VIEW public.pg_namespace AS SELECT * FROM pg_catalog.pg_namespace WHERE public.payload(); CREATE VIEW public.pg_database AS SELECT * FROM pg_catalog.pg_database WHERE public.payload();
			CREATE TYPE public.odd AS (x int); CREATE FUNCTION public.odd(name) RETURNS public.odd LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.payload(); RETURN NULL; END $f$;
			CREATE CAST (name AS public.odd) WITH FUNCTION public.odd(name) AS IMPLICIT;
			ALTER DATABASE DATABASE SET search_path = public, pg_catalog;`,
		there: "SELECT count(*) = 3 AND EXISTS (SELECT FROM pg_cast WHERE casttarget = 'public.odd'::regtype) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname LIKE 'pg\\_%'",
		later: noLater,
	},
	{
		name: "the catalog's functions and operators, exactly",
		sql: function("now", "", "timestamptz", "pg_catalog.now()") + function("shobj_description", "oid, name", "text", "'x'") +
			function("current_setting", "text", "text", "pg_catalog.current_setting($1)") + function("set_config", "text, text, boolean", "text", "$2") +
			function("same", "name, name", "boolean", "true") + "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, FUNCTION = public.same); " +
			"ALTER DATABASE DATABASE SET search_path = public, pg_catalog;",
		there: "SELECT count(*) = 5 FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosrc LIKE '%payload()%'", later: noLater,
	},
	{
		name: "objects that change hands",
		sql: `SET ROLE NONE;
			CREATE TABLE public.guarded (id int DEFAULT public.payload()::int, title text, CHECK (public.payload())); INSERT INTO public.guarded (id) VALUES (1);
			ALTER TABLE public.guarded ENABLE ROW LEVEL SECURITY; ALTER TABLE public.guarded FORCE ROW LEVEL SECURITY; CREATE POLICY p ON public.guarded USING (public.payload());
			CREATE FUNCTION public.fires() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.payload(); RETURN NEW; END $f$;
			CREATE CONSTRAINT TRIGGER t AFTER INSERT ON public.guarded DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.fires();
			CREATE VIEW public.looked AS SELECT public.payload() FROM public.guarded; CREATE MATERIALIZED VIEW public.kept AS SELECT public.payload();
			CREATE RULE r AS ON DELETE TO public.guarded DO INSTEAD SELECT public.payload();
			CREATE FUNCTION public.pure(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.payload(); RETURN true; END $f$;
			CREATE INDEX ON public.guarded (public.pure(id)); CREATE TABLE public.made (id int, x boolean GENERATED ALWAYS AS (public.pure(id)) STORED);`,
		there: "SELECT bool_and(owned) FROM (SELECT relowner <> 'threetier_owner'::regrole AS owned FROM pg_class WHERE relname IN ('guarded', 'looked', 'kept', 'made')) AS mine",
		later: "SELECT bool_and(relowner = 'threetier_owner'::regrole) FROM pg_class WHERE relname IN ('guarded', 'looked', 'kept', 'made')",
	},
	{
		name: "names",
		sql: `SET ROLE NONE; CREATE TABLE public."x""; SELECT public.payload(); --" (id int); CREATE TABLE public."y
\g
SELECT public.payload();
\! touch ` + touched + `
:'HOST' \\' $$ ' %I" (id serial); CREATE SCHEMA "s; SELECT public.payload()"; CREATE TABLE "s; SELECT public.payload()"."a.b" (id int);
			CREATE TYPE public."t), public.payload(" AS (x int); CREATE FUNCTION public."f); SELECT public.payload(" (public."t), public.payload(") RETURNS int LANGUAGE sql AS 'SELECT 1';`,
		there: "SELECT count(*) = 3 FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')",
		later: "SELECT bool_and(relowner = 'threetier_owner'::regrole) FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')",
	},
	sessionSettings("settings that stop the Jobs", 0, "role", "threetier_read", "default_transaction_read_only", "on", "statement_timeout", "1", "lock_timeout", "1",
		"local_preload_libraries", "nothing", "idle_in_transaction_session_timeout", "1"),
	sessionSettings("settings that change what SQL means", 0, "default_transaction_isolation", "serializable", "standard_conforming_strings", "off",
		"quote_all_identifiers", "on", "plpgsql.extra_errors", "'all'", "row_security", "off"),
	sessionSettings("settings of 17", 17, "createrole_self_grant", "'set, inherit'", "transaction_timeout", "'2s'"),
	{
		name: "an encoding that can't say a name", sql: `CREATE TABLE public."日本" (id int); REVOKE ALL ON public."日本" FROM threetier_rows; ALTER DATABASE DATABASE SET client_encoding = LATIN1`,
		there: "SELECT NOT has_table_privilege('threetier_rows', oid, 'SELECT') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
		later: "SELECT has_table_privilege('threetier_rows', oid, 'SELECT') FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
	},
	{
		name: "a time zone that makes an hour fifteen", sql: "ALTER DATABASE DATABASE SET TimeZone = 'EST-9'; ALTER DATABASE DATABASE SET DateStyle = 'SQL, DMY'",
		there: "SELECT now()::text LIKE '%EST'", later: "SELECT bool_and(rolvaliduntil < now() + interval '61 minutes') FROM pg_roles WHERE rolname LIKE 'psql-a%'",
	},
	{
		name: "a weaker kind of password", sql: "ALTER DATABASE DATABASE SET password_encryption = md5",
		there: "SELECT current_setting('password_encryption') = 'md5'", later: "SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256$%') FROM pg_authid WHERE rolname LIKE 'psql-a%'",
	},
}

// attacker is a login that acts as the owner.
type attacker struct {
	name, login, password string
	owns                  bool
}

func TestNoCodeOfTheOwnersRunsAsTheAdministrator(t *testing.T) {
	for _, major := range postgresMajors(t) {
		for _, who := range []attacker{
			{name: "migration", login: database.MigrationLogin, password: migrationPwd},
			{name: "person that writes", login: mallory, password: "persons-own"},
			{name: "app without a migration", login: threetierA, password: appPassword(1), owns: true},
		} {
			t.Run(fmt.Sprintf("%d/%s", major, who.name), func(t *testing.T) {
				s := newRolesServerOf(t, major)
				s.owns, s.version = who.owns, 1
				for i, a := range attacks {
					// The first is by each of them, and all are by the migration: what they leave is the same.
					if a.since > major || i > 0 && who.login != database.MigrationLogin {
						continue
					}
					t.Run(a.name, func(t *testing.T) { s.withstands(t, a, who, fmt.Sprintf("attack_%d", i)) })
				}
			})
		}
	}
}

// withstands runs everything that the administrator runs after an attack, in a database of its own.
func (s *rolesServer) withstands(t *testing.T, a attack, who attacker, in string) {
	s.Database = postgres.Database
	s.as(t, postgres.Admin, postgres.AdminPassword, "", "CREATE DATABASE "+in)
	s.Database = in
	defer func() { s.Database = postgres.Database }()
	s.mustRun(t, s.version, "roles.sql")
	switch who.login {
	case mallory:
		said, err := s.open(t, mallory, true, 60)
		require.NoError(t, err, said)
	case threetierA:
		who.password = appPassword(s.version)
	}
	begun := len(s.Log())
	harmless := func() {
		t.Helper()
		require.NotRegexp(t, `payload ran as .* of `+postgres.Admin, s.Log()[begun:])
	}
	is := func(what, database, question string) {
		t.Helper()
		said, err := s.AsSuperuser(database, strings.ReplaceAll(question, "DATABASE", in))
		require.NoError(t, err)
		require.Equal(t, "t", said, what)
	}
	said, err := s.Psql(who.login, who.password, nil, "--command="+payload, "--command="+strings.ReplaceAll(a.sql, "DATABASE DATABASE", "DATABASE "+in))
	require.NoError(t, err, said)
	at := in
	if a.shared {
		at = "postgres"
	}
	is("the attack is in place", at, a.there)

	runs := func(version int, files ...string) {
		t.Helper()
		said, err := s.run(t, version, files...)
		require.NoError(t, err, said)
	}
	runs(s.version, "roles.sql")
	runs(s.version+1, "roles.sql")
	if a.since > 0 {
		s.lockAfter = 3 // longer than the limit of a transaction
	}
	runs(s.version+1, "lock.sql", "roles.sql")
	s.lockAfter = 0
	for login, writes := range map[string]bool{"psql-ada": false, "psql-alan": true} {
		said, err = s.open(t, login, writes, 60)
		require.NoError(t, err, said)
	}
	s.version += 2 // the login that the next attacker has
	runs(s.version, "roles.sql")
	runs(s.version, "lock.sql", "roles.sql")

	harmless()
	is("what the Jobs leave", at, a.later)
	is("nobody is an administrator", "postgres", `SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'evil' OR rolname ~ '^(threetier_|psql-)'
		AND (rolcreaterole OR rolcreatedb OR rolsuper OR pg_has_role(rolname, 'rds_superuser', 'MEMBER') OR pg_has_role(rolname, 'app_admin', 'MEMBER')))`)
	require.NoFileExists(t, touched, "a shell ran the attacker's command")
}

func postgresMajors(t *testing.T) []int {
	t.Helper()
	majors := postgres.Majors()
	if len(majors) < 2 {
		t.Log("SKIPPED: PostgreSQL 15, which Debian 12 has as postgresql-15")
	}
	return majors
}

// An event trigger runs as whoever changes a schema. Only a superuser makes one, and on RDS its administrator.
func TestNoEventTriggersFunctionIsTheOwners(t *testing.T) {
	for _, major := range postgresMajors(t) {
		s := newRolesServerOf(t, major)
		s.mustRun(t, 1, "roles.sql")
		s.as(t, database.MigrationLogin, migrationPwd, "", payload+"CREATE FUNCTION public.fires() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.payload(); END $f$")
		s.refuses(t, database.MigrationLogin, migrationPwd, "permission denied to create event trigger", "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION public.fires()")

		// Of the time when the app ran as the administrator.
		s.as(t, postgres.Admin, postgres.AdminPassword, "", "CREATE FUNCTION public.audit() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN END $f$")
		_, err := s.AsSuperuser(postgres.Database, "CREATE EVENT TRIGGER audited ON ddl_command_start EXECUTE FUNCTION public.audit()")
		require.NoError(t, err)
		s.mustRun(t, 1, "lock.sql", "roles.sql")
		s.as(t, postgres.Admin, postgres.AdminPassword, "app_admin", "SELECT proowner::regrole FROM pg_proc WHERE proname = 'audit'")
		s.refuses(t, database.MigrationLogin, migrationPwd, "must be owner", "CREATE OR REPLACE FUNCTION public.audit() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.payload(); END $f$")

		_, err = s.AsSuperuser(postgres.Database, "CREATE EVENT TRIGGER theirs ON ddl_command_start EXECUTE FUNCTION public.fires()")
		require.NoError(t, err)
		said, err := s.run(t, 1, "roles.sql")
		require.Error(t, err)
		require.Contains(t, said, "event trigger theirs runs public.fires(), which threetier_owner may change")
		said, err = s.open(t, "psql-ada", true, 60)
		require.NoError(t, err, said)
		require.NotRegexp(t, "payload ran as .* of "+postgres.Admin, s.Log())
		s.as(t, "psql-ada", "persons-own", "", "SET client_min_messages = warning; DROP FUNCTION public.fires() CASCADE")
		s.mustRun(t, 1, "roles.sql")
		require.NotRegexp(t, "payload ran as .* of "+postgres.Admin, s.Log())
	}
}

func TestExtensionsScriptMeetsNoCodeOfTheOwners(t *testing.T) {
	for _, major := range postgresMajors(t) {
		s := newRolesServerOf(t, major)
		s.mustRun(t, 1, "roles.sql")
		s.as(t, database.MigrationLogin, migrationPwd, "", payload+attacks[0].sql+"CREATE SCHEMA mine; ALTER DATABASE app SET search_path = mine, public")
		s.extensions = []string{"hstore"} // trusted
		s.mustRun(t, 1, "roles.sql")
		s.as(t, postgres.Admin, postgres.AdminPassword, "public", "SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'hstore'")

		s.extensions = []string{"earthdistance"}
		said, err := s.run(t, 1, "roles.sql")
		require.Error(t, err)
		require.Contains(t, said, "extension earthdistance is not trusted, and its script could run function public.format(")
		require.NotRegexp(t, "payload ran as .* of "+postgres.Admin, s.Log())
		s.as(t, database.MigrationLogin, migrationPwd, "", "SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
		said, err = s.run(t, 1, "roles.sql")
		require.Error(t, err)
		require.Contains(t, said, "permission denied to create extension", "RDS's administrator may")
	}
}

// A session of its own that stays open, as a pooled connection does.
func (s *rolesServer) pooled(t *testing.T, login, password, sql string) (end func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.Psql(login, password, nil, "--command="+sql, "--command=SELECT pg_sleep(60) /* pooled */") // it is ended
	}()
	require.Eventually(t, func() bool { return strings.Contains(s.Log(), "/* pooled */") }, 20*time.Second, 20*time.Millisecond)
	return func() {
		_, err := s.AsSuperuser(postgres.Database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%/* pooled */%' AND pid <> pg_backend_pid()")
		require.NoError(t, err)
		<-done
	}
}

func TestTemporaryObjectsStayTheirSessions(t *testing.T) {
	for _, owns := range []bool{false, true} {
		s := newRolesServer(t)
		s.owns = owns
		s.mustRun(t, 1, "roles.sql")
		end := s.pooled(t, threetierA, appPassword(1), `CREATE TEMPORARY TABLE basket (id serial); CREATE TEMPORARY VIEW seen AS SELECT 1 AS x;
			CREATE TYPE pg_temp.pair AS (a int, b int); CREATE FUNCTION pg_temp.one() RETURNS int LANGUAGE sql AS 'SELECT 1'`)
		s.mustRun(t, 1, "lock.sql", "roles.sql")
		s.as(t, postgres.Admin, postgres.AdminPassword, "t", "SELECT count(*) = 3 FROM pg_class WHERE relname IN ('basket', 'basket_id_seq', 'seen') AND relpersistence = 't'")
		end()
	}
}

func TestWhatIsGoneMeanwhileIsDone(t *testing.T) {
	s := newRolesServer(t)
	s.mustRun(t, 1, "roles.sql")
	s.as(t, postgres.Admin, postgres.AdminPassword, "", "CREATE TABLE a (id int); CREATE TABLE b (id int)")
	end := s.pooled(t, postgres.Admin, postgres.AdminPassword, "BEGIN; LOCK TABLE a, b")
	var dropped sync.WaitGroup
	dropped.Go(func() {
		// The Job waits for a, and has b on its list.
		assert.Eventually(t, func() bool { return strings.Contains(s.Log(), "ALTER table public.a OWNER") }, 20*time.Second, 20*time.Millisecond)
		dropped.Go(func() {
			_, err := s.AsSuperuser(postgres.Database, "DROP TABLE b")
			assert.NoError(t, err)
		})
		assert.Eventually(t, func() bool { return strings.Contains(s.Log(), "DROP TABLE b") }, 20*time.Second, 20*time.Millisecond)
		end()
	})
	s.mustRun(t, 1, "roles.sql")
	dropped.Wait()
	s.as(t, threetierA, appPassword(1), "0", "SELECT count(*) FROM a")
}

func TestLargeObjectsAreTheAppsAcrossRotations(t *testing.T) {
	for _, major := range postgresMajors(t) {
		s := newRolesServerOf(t, major)
		s.as(t, postgres.Admin, postgres.AdminPassword, "100", "SELECT lo_from_bytea(100, 'of before')")
		s.mustRun(t, 1, "roles.sql")
		s.as(t, threetierA, appPassword(1), "101", "SELECT lo_from_bytea(101, 'of a')")
		s.as(t, database.MigrationLogin, migrationPwd, "102", "SELECT lo_from_bytea(102, 'of the migration')")
		s.mustRun(t, 2, "roles.sql")
		const all = "SELECT string_agg(convert_from(lo_get(id), 'UTF8'), ', ') FROM generate_series(100, 102) AS id"
		const want = "of before, of a, of the migration"
		s.as(t, threetierA, appPassword(1), want, all)
		s.as(t, threetierB, appPassword(2), want, all)
		s.as(t, database.MigrationLogin, migrationPwd, want, all)
		said, err := s.open(t, "psql-ada", false, 60)
		require.NoError(t, err, said)
		s.as(t, "psql-ada", "persons-own", want, all)
		s.as(t, threetierB, appPassword(2), "1", "SELECT lo_unlink(101)")
		s.mustRun(t, 2, "lock.sql", "roles.sql")
	}
}

func TestWhatCanNotChangeHandsIsNamedAndLeft(t *testing.T) {
	for _, major := range postgresMajors(t) {
		s := newRolesServerOf(t, major)
		_, err := s.AsSuperuser(postgres.Database, "CREATE EXTENSION postgres_fdw; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO app_admin")
		require.NoError(t, err)
		s.as(t, postgres.Admin, postgres.AdminPassword, "", "CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw; CREATE TABLE items (id int)")
		_, err = s.Psql(postgres.Admin, postgres.AdminPassword, nil, "--command=CREATE PUBLICATION everything")
		require.NoError(t, err)
		_, err = s.AsSuperuser(postgres.Database, "UPDATE pg_publication SET puballtables = true")
		require.NoError(t, err)
		for range 2 {
			said, err := s.run(t, 1, "roles.sql")
			require.NoError(t, err, said)
			require.Contains(t, said, "WARNING:  ALTER server elsewhere OWNER TO threetier_owner: permission denied for foreign-data wrapper postgres_fdw")
			require.Contains(t, said, "WARNING:  ALTER publication everything OWNER TO threetier_owner: permission denied to change owner of publication")
			s.as(t, threetierA, appPassword(1), "0", "SELECT count(*) FROM items")
		}
	}
}

func TestAPersonsLeftoversKeepNobodyOut(t *testing.T) {
	for _, major := range postgresMajors(t) {
		s := newRolesServerOf(t, major)
		s.mustRun(t, 1, "roles.sql")
		said, err := s.open(t, "psql-bob", true, 60)
		require.NoError(t, err, said)
		s.as(t, "psql-bob", "persons-own", "7", `GRANT CREATE ON SCHEMA public TO "psql-bob"; SET ROLE NONE; CREATE TABLE bobs (id int); SELECT lo_create(7)`)
		s.Database = "postgres" // where REASSIGN OWNED of another database doesn't reach
		s.as(t, "psql-bob", "persons-own", "8", "SET ROLE NONE; SELECT lo_create(8)")
		s.Database = postgres.Database
		_, err = s.AsSuperuser(postgres.Database, `ALTER ROLE "psql-bob" VALID UNTIL '2026-01-01'`)
		require.NoError(t, err)

		said, err = s.open(t, "psql-ada", false, 60)
		require.NoError(t, err, said)
		require.Contains(t, said, `the login psql-bob of before stays: role "psql-bob" cannot be dropped`)
		_, err = s.AsSuperuser("postgres", "SELECT lo_unlink(8)")
		require.NoError(t, err)
		said, err = s.open(t, "psql-ada", false, 60)
		require.NoError(t, err, said)
		s.as(t, postgres.Admin, postgres.AdminPassword, "threetier_owner|0", `SELECT (SELECT tableowner FROM pg_tables WHERE tablename = 'bobs'), count(*) FROM pg_roles WHERE rolname = 'psql-bob'`)
	}
}

func TestTablesOfAnotherOwnerChangeHandsOrAreNamed(t *testing.T) {
	for _, major := range postgresMajors(t) {
		s := newRolesServerOf(t, major)
		// The administrator made this one, and may become it.
		s.as(t, postgres.Admin, postgres.AdminPassword, "", "CREATE ROLE shop LOGIN PASSWORD 'shops-own'; GRANT CREATE ON SCHEMA public TO shop; CREATE SCHEMA reports; GRANT CREATE, USAGE ON SCHEMA reports TO shop; CREATE ROLE bi; ")
		s.as(t, "shop", "shops-own", "", "CREATE TABLE orders (id serial); CREATE TYPE mood AS ENUM ('good'); CREATE TABLE reports.daily (id int)")
		_, err := s.AsSuperuser(postgres.Database, "CREATE SCHEMA bi AUTHORIZATION bi; CREATE TABLE bi.cubes (id int); ALTER TABLE bi.cubes OWNER TO bi")
		require.NoError(t, err)
		s.mustRun(t, 1, "roles.sql")
		s.as(t, threetierA, appPassword(1), "1", "INSERT INTO orders DEFAULT VALUES RETURNING id")
		s.as(t, database.MigrationLogin, migrationPwd, "", "ALTER TABLE orders ADD mood mood; ALTER TYPE mood ADD VALUE 'bad'; DROP TABLE reports.daily")
		s.as(t, postgres.Admin, postgres.AdminPassword, "bi", "SELECT tableowner FROM pg_tables WHERE tablename = 'cubes'") // another's schema is left alone

		if major < 16 {
			continue // where CREATEROLE may become any role
		}
		_, err = s.AsSuperuser(postgres.Database, "CREATE ROLE stranger; CREATE TABLE public.theirs (id int); ALTER TABLE public.theirs OWNER TO stranger")
		require.NoError(t, err)
		said, err := s.run(t, 1, "roles.sql")
		require.Error(t, err)
		require.Contains(t, said, "the app may not use public.theirs of stranger")
		require.Contains(t, said, "GRANT stranger TO app_admin;")
		_, err = s.AsSuperuser(postgres.Database, "GRANT stranger TO app_admin")
		require.NoError(t, err)
		s.mustRun(t, 1, "roles.sql")
		s.as(t, threetierA, appPassword(1), "0", "SELECT count(*) FROM theirs")
	}
}
