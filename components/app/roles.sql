-- The roles of the database. psql runs this as the administrator, before the migration and again after the rollout.
-- It may be run at any time. It needs no superuser: RDS gives its administrator CREATEROLE and CREATEDB.
--
--   threetier_owner             owns the database and all in it; can't log in
--   threetier_rows              reads and writes rows; can't log in
--   threetier_read              reads rows; can't log in
--   threetier_migration         logs in for the migration, and acts as threetier_owner
--   threetier_a, threetier_b    log in for the app, one of them at a time
--
-- The server may log each statement, so none has a password: the environment holds their SCRAM verifiers.
\getenv app_login APP_LOGIN
\getenv app_verifier APP_VERIFIER
\getenv app_owns APP_OWNS
\getenv migration_verifier MIGRATION_VERIFIER
\getenv password_version PASSWORD_VERSION
\getenv extensions EXTENSIONS
\set ours '{threetier_owner,threetier_rows,threetier_read,threetier_migration,threetier_a,threetier_b}'
\set version_note 'passwordVersion ' :password_version ' at ' :HOST

SET client_min_messages = warning;
SET statement_timeout = 0;
SET lock_timeout = '10s';

BEGIN;

SELECT format('CREATE ROLE %I', name)
FROM unnest(:'ours'::text[]) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

-- The administrator may do all that the owner may, which is also what the pods of a version before these roles live on.
-- Since 16 it has the admin option on what it creates. Before, it takes it, or an upgrade to 16 would leave it without.
SELECT format('GRANT %I TO CURRENT_USER %s', rolname,
    CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'WITH ADMIN OPTION' ELSE '' END)
FROM pg_roles WHERE rolname = ANY (:'ours'::text[]) \gexec

SELECT format('ALTER DATABASE %I OWNER TO threetier_owner', datname)
FROM pg_database WHERE datname = current_database() AND datdba <> 'threetier_owner'::regrole \gexec

-- Since 15 this schema belongs to the database's owner.
SELECT 'REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE, USAGE ON SCHEMA public TO threetier_owner; '
    'GRANT USAGE ON SCHEMA public TO threetier_rows, threetier_read'
FROM pg_namespace WHERE nspname = 'public' AND pg_has_role(nspowner, 'USAGE') \gexec

ALTER DEFAULT PRIVILEGES FOR ROLE threetier_owner GRANT USAGE ON SCHEMAS TO threetier_rows, threetier_read;
ALTER DEFAULT PRIVILEGES FOR ROLE threetier_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO threetier_rows;
ALTER DEFAULT PRIVILEGES FOR ROLE threetier_owner GRANT SELECT ON TABLES TO threetier_read;
ALTER DEFAULT PRIVILEGES FOR ROLE threetier_owner GRANT USAGE, SELECT ON SEQUENCES TO threetier_rows;
ALTER DEFAULT PRIVILEGES FOR ROLE threetier_owner GRANT SELECT ON SEQUENCES TO threetier_read;

GRANT threetier_owner TO threetier_migration;
ALTER ROLE threetier_migration SET role = threetier_owner;
GRANT threetier_rows TO threetier_a, threetier_b;
\if :app_owns
GRANT threetier_owner TO threetier_a, threetier_b;
ALTER ROLE threetier_a SET role = threetier_owner;
ALTER ROLE threetier_b SET role = threetier_owner;
\else
ALTER ROLE threetier_a RESET role;
ALTER ROLE threetier_b RESET role;
SELECT format('REVOKE threetier_owner FROM %I', rolname)
FROM pg_roles WHERE rolname IN ('threetier_a', 'threetier_b') AND pg_has_role(rolname, 'threetier_owner', 'MEMBER') \gexec
\endif

-- A login that pods may use keeps its password. A restored snapshot has the note of another host.
SELECT set_config('threetier.app_login', :'app_login', true), set_config('threetier.version_note', :'version_note', true),
    set_config('threetier.host', :'HOST', true) \g /dev/null
DO $$
DECLARE
    login pg_roles := (SELECT role FROM pg_roles AS role WHERE rolname = current_setting('threetier.app_login'));
    note text := shobj_description(login.oid, 'pg_authid');
BEGIN
    IF login.rolcanlogin AND coalesce(login.rolvaliduntil, 'infinity') > now()
        AND note <> current_setting('threetier.version_note') AND note LIKE '% at ' || current_setting('threetier.host') THEN
        RAISE EXCEPTION '% is in use with the password of %, so it gets no other', login.rolname, note
            USING HINT = CASE WHEN login.rolvaliduntil < 'infinity'
                THEN format('A run of a job may use it until %s. Deploy again then.', login.rolvaliduntil)
                ELSE format('Set passwordVersion to %s and deploy, which ends the rotation that was begun. Then set the wanted one.',
                    substring(note FROM '\d+')::int + 1) END;
    END IF;
END $$;
ALTER ROLE :"app_login" LOGIN PASSWORD :'app_verifier' VALID UNTIL 'infinity';
COMMENT ON ROLE :"app_login" IS :'version_note';
ALTER ROLE threetier_migration LOGIN PASSWORD :'migration_verifier';

COMMIT;

SELECT format('CREATE EXTENSION IF NOT EXISTS %I CASCADE', name) FROM string_to_table(:'extensions', ',') AS name WHERE name <> '' \gexec

-- What any login created becomes the owner's, one object at a time: each waits for its lock for a moment only, since the
-- app's own statements queue behind the wait.
SET lock_timeout = '200ms';
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER %s %s OWNER TO threetier_owner', replace(object.type, 'statistics object', 'statistics'), object.identity)
        FROM pg_shdepend AS owned
        JOIN pg_database AS here ON here.oid = owned.dbid AND here.datname = current_database()
        JOIN pg_roles AS login ON login.oid = owned.refobjid AND owned.refclassid = 'pg_authid'::regclass
        CROSS JOIN LATERAL pg_identify_object(owned.classid, owned.objid, owned.objsubid) AS object
        WHERE owned.deptype = 'o'
            AND (login.rolname = session_user OR login.rolname IN ('threetier_migration', 'threetier_a', 'threetier_b'))
            AND object.type NOT IN ('extension', 'default acl', 'user mapping', 'event trigger', 'foreign-data wrapper', 'subscription')
            -- Neither an extension's member nor a column's sequence, which changes hands with its table.
            AND NOT EXISTS (
                SELECT FROM pg_depend AS of WHERE of.classid = owned.classid AND of.objid = owned.objid
                    AND (of.deptype = 'e' OR object.type = 'sequence' AND of.deptype IN ('a', 'i') AND of.refclassid = 'pg_class'::regclass))
        ORDER BY object.type <> 'schema', object.identity
    LOOP
        FOR attempt IN 1..100 LOOP
            BEGIN
                EXECUTE statement;
                EXIT;
            EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
                IF attempt = 100 THEN
                    RAISE;
                END IF;
            END;
            PERFORM pg_sleep(0.3);
        END LOOP;
        COMMIT;
    END LOOP;
END $$;

-- Default privileges are for what is created from now on. These are for what was there.
SELECT format('GRANT USAGE ON SCHEMA %I TO threetier_rows, threetier_read', nspname)
FROM pg_namespace WHERE nspowner = 'threetier_owner'::regrole
    AND NOT (has_schema_privilege('threetier_rows', oid, 'USAGE') AND has_schema_privilege('threetier_read', oid, 'USAGE')) \gexec
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %1$s TO threetier_rows; GRANT SELECT ON TABLE %1$s TO threetier_read', oid::regclass)
FROM pg_class WHERE relowner = 'threetier_owner'::regrole AND relkind IN ('r', 'p', 'v', 'm', 'f')
    AND NOT (has_table_privilege('threetier_rows', oid, 'SELECT') AND has_table_privilege('threetier_rows', oid, 'INSERT')
        AND has_table_privilege('threetier_rows', oid, 'UPDATE') AND has_table_privilege('threetier_rows', oid, 'DELETE')
        AND has_table_privilege('threetier_read', oid, 'SELECT')) \gexec
SELECT format('GRANT USAGE, SELECT ON SEQUENCE %1$s TO threetier_rows; GRANT SELECT ON SEQUENCE %1$s TO threetier_read', oid::regclass)
FROM pg_class WHERE relowner = 'threetier_owner'::regrole AND relkind = 'S'
    AND NOT (has_sequence_privilege('threetier_rows', oid, 'USAGE') AND has_sequence_privilege('threetier_rows', oid, 'SELECT')
        AND has_sequence_privilege('threetier_read', oid, 'SELECT')) \gexec
