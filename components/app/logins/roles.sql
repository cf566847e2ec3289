-- The roles of the database. psql runs this as the administrator, before the migration and again after the rollout.
-- It may be run at any time. It needs no superuser: RDS gives its administrator CREATEROLE and CREATEDB.
--
--   threetier_owner             owns the database and all in it; can't log in
--   threetier_rows              reads and writes rows; can't log in
--   threetier_read              reads rows; can't log in
--   threetier_migration         logs in for the migration, and acts as threetier_owner
--   threetier_a, threetier_b    log in for the app, one of them at a time
--   threetier_owner_a, _b       log in for workers and jobs that act as threetier_owner, one of them at a time
--
-- The server may log each statement, so none has a password: the environment holds their SCRAM verifiers.
\getenv app_login APP_LOGIN
\getenv app_verifier APP_VERIFIER
\getenv app_owns APP_OWNS
\getenv migration_verifier MIGRATION_VERIFIER
\getenv owner_login OWNER_LOGIN
\getenv owner_verifier OWNER_VERIFIER
\getenv password_version PASSWORD_VERSION
\getenv extensions EXTENSIONS
\set logins '{threetier_migration,threetier_a,threetier_b,threetier_owner_a,threetier_owner_b}'
\set version_note 'passwordVersion ' :password_version ' at ' :HOST

\ir administrator.sql
DO $$
BEGIN
    IF current_setting('threetier.event_triggers') <> '' THEN
        RAISE EXCEPTION '%', current_setting('threetier.event_triggers')
            USING HINT = 'Let its owner drop it: DROP FUNCTION … CASCADE, in a psql that writes. An event trigger wants a function of the administrator.';
    END IF;
END $$;
SET lock_timeout = '10s';

BEGIN;

SELECT format('CREATE ROLE %I', name)
FROM unnest('{threetier_owner,threetier_rows,threetier_read}' || :'logins'::text[]) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

-- The administrator may do all that the owner may, which is also what the pods of a version before these roles live on.
-- Since 16 it has the admin option on what it creates. Before, it takes it, or an upgrade to 16 would leave it without.
SELECT format('GRANT %I TO CURRENT_USER %s', rolname,
    CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'WITH ADMIN OPTION' ELSE '' END)
FROM pg_roles WHERE rolname = ANY ('{threetier_owner,threetier_rows,threetier_read}' || :'logins'::text[]) \gexec

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

GRANT threetier_rows TO threetier_owner;
GRANT threetier_owner TO threetier_migration, threetier_owner_a, threetier_owner_b;
ALTER ROLE threetier_migration SET role = threetier_owner;
ALTER ROLE threetier_owner_a SET role = threetier_owner;
ALTER ROLE threetier_owner_b SET role = threetier_owner;
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

-- A login that pods may use keeps its password: the app's, and with it the owner's, which has its turn at the same time. A restored snapshot has the note of another host.
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
ALTER ROLE :"owner_login" LOGIN PASSWORD :'owner_verifier' VALID UNTIL 'infinity';
ALTER ROLE threetier_migration LOGIN PASSWORD :'migration_verifier';

COMMIT;

-- The script of an extension runs with its schema, and those of the extensions that it needs, in its search path. Creating a
-- trusted one gives nobody more than the owner has, who may create it, too. Another's script has the administrator's rights
-- or more.
-- https://www.postgresql.org/docs/current/sql-createextension.html#id-1.9.3.64.7
SELECT set_config('threetier.extensions', :'extensions', false) \g /dev/null
DO $$
DECLARE
    untrusted text := (
        WITH RECURSIVE wanted AS (
            SELECT name::name COLLATE "C" FROM string_to_table(current_setting('threetier.extensions'), ',') AS name
            UNION
            SELECT unnest(requires) FROM wanted JOIN pg_available_extension_versions USING (name)
        )
        SELECT string_agg(DISTINCT name, ', ') FROM wanted JOIN pg_available_extension_versions USING (name)
        WHERE NOT (superuser AND trusted) AND name NOT IN (SELECT extname FROM pg_extension));
    overloads text := (
        WITH routines AS (
            SELECT 'pg_proc'::regclass AS class, oid, pronamespace AS schema, proname AS name FROM pg_proc
            UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace, oprname FROM pg_operator
        )
        SELECT string_agg(object.type || ' ' || object.identity, ', ')
        FROM routines CROSS JOIN LATERAL pg_identify_object(class, oid, 0) AS object
        WHERE (routines.schema = to_regnamespace('public') OR routines.schema IN (SELECT extnamespace FROM pg_extension))
            AND routines.schema <> 'pg_catalog'::regnamespace
            AND (class, routines.name) IN (SELECT class, name FROM routines WHERE schema = 'pg_catalog'::regnamespace)
            AND NOT EXISTS (SELECT FROM pg_depend AS of WHERE of.classid = class AND of.objid = oid AND of.deptype = 'e'));
BEGIN
    IF untrusted IS NOT NULL AND overloads IS NOT NULL THEN
        RAISE EXCEPTION 'extension % is not trusted, and its script could run %', untrusted, overloads
            USING HINT = 'Give that another name than PostgreSQL''s own, or move it to another schema until the extension is there.';
    END IF;
END $$;
SELECT format('CREATE EXTENSION IF NOT EXISTS %I SCHEMA public CASCADE', name)
FROM string_to_table(:'extensions', ',') AS name WHERE name <> '' \gexec

-- Each statement waits for its lock for a moment only, since the app's own statements queue behind the wait. An object that
-- is gone meanwhile needs none. One that can't change hands is named: a server, say, whose wrapper isn't the owner's to use.
SET lock_timeout = '200ms';
CREATE OR REPLACE PROCEDURE pg_temp.patiently(VARIADIC statements text[]) LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY statements LOOP
        FOR attempt IN 1..100 LOOP
            BEGIN
                EXECUTE statement;
                EXIT;
            EXCEPTION
                WHEN undefined_table OR undefined_object OR undefined_function OR invalid_schema_name THEN
                    EXIT;
                WHEN insufficient_privilege THEN
                    RAISE WARNING '%: %', statement, SQLERRM;
                    EXIT;
                WHEN lock_not_available OR deadlock_detected THEN
                    IF attempt = 100 THEN
                        RAISE;
                    END IF;
            END;
            PERFORM pg_sleep(0.3);
        END LOOP;
    END LOOP;
END $$;

-- What others than the owner have here: what our own logins created, and what lies in a schema that is the owner's to be.
CREATE OR REPLACE TEMPORARY VIEW others AS
SELECT owned.classid, owned.objid, object.type, object.schema, object.identity, login.rolname AS owner
FROM pg_shdepend AS owned
JOIN pg_database AS here ON here.oid = owned.dbid AND here.datname = current_database()
JOIN pg_roles AS login ON login.oid = owned.refobjid AND owned.refclassid = 'pg_authid'::regclass
CROSS JOIN LATERAL pg_identify_object(owned.classid, owned.objid, owned.objsubid) AS object
WHERE owned.deptype = 'o' AND NOT login.rolsuper AND login.rolname NOT IN ('threetier_owner', 'threetier_rows')
    AND object.type NOT IN ('extension', 'default acl', 'user mapping', 'event trigger', 'foreign-data wrapper', 'subscription')
    AND coalesce(object.schema, '') NOT LIKE 'pg\_temp%'
    AND (login.rolname = session_user OR login.rolname = ANY (:'logins')
        OR EXISTS (
            SELECT FROM pg_namespace JOIN pg_roles AS has ON has.oid = nspowner
            WHERE quote_ident(nspname) = object.schema AND (nspname = 'public'
                OR has.rolname IN ('threetier_owner', session_user) OR has.rolname = ANY (:'logins'))))
    -- Neither an extension's member nor a column's sequence, which changes hands with its table.
    AND NOT EXISTS (
        SELECT FROM pg_depend AS of WHERE of.classid = owned.classid AND of.objid = owned.objid
            AND (of.deptype = 'e' OR object.type = 'sequence' AND of.deptype IN ('a', 'i') AND of.refclassid = 'pg_class'::regclass))
    -- Nor code that an event trigger runs as whoever changes a schema.
    AND NOT EXISTS (SELECT FROM pg_event_trigger WHERE owned.classid = 'pg_proc'::regclass AND evtfoid = owned.objid);

-- What others created becomes the owner's, one object at a time.
SELECT DISTINCT format('CALL pg_temp.patiently(%L)', format('GRANT %I TO CURRENT_USER', owner))
FROM others WHERE NOT pg_has_role(session_user, owner, 'USAGE') \gexec
SELECT format('CALL pg_temp.patiently(%L)',
    format('ALTER %s %s OWNER TO threetier_owner', replace(type, 'statistics object', 'statistics'), identity))
FROM others WHERE type <> 'large object' ORDER BY type <> 'schema', identity \gexec
-- A large object has no grants by default, and only who has it may unlink it: it's a row, rather than a table.
SELECT format('CALL pg_temp.patiently(VARIADIC %L)', array_agg(format(
    'ALTER LARGE OBJECT %1$s OWNER TO threetier_rows; GRANT SELECT ON LARGE OBJECT %1$s TO threetier_read', object)))
FROM (
    SELECT metadata.oid AS object, row_number() OVER () / 100 AS batch
    FROM pg_largeobject_metadata AS metadata JOIN pg_roles AS login ON login.oid = lomowner
    WHERE login.rolname IN (session_user, 'threetier_owner') OR login.rolname = ANY (:'logins')
) AS objects GROUP BY batch \gexec

-- Default privileges are for what is created from now on. These are for what was there.
SELECT format('CALL pg_temp.patiently(%L)', format('GRANT USAGE ON SCHEMA %I TO threetier_rows, threetier_read', nspname))
FROM pg_namespace WHERE nspowner = 'threetier_owner'::regrole
    AND NOT (has_schema_privilege('threetier_rows', oid, 'USAGE') AND has_schema_privilege('threetier_read', oid, 'USAGE')) \gexec
SELECT format('CALL pg_temp.patiently(%L)', format('GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %1$I.%2$I TO threetier_rows; '
    'GRANT SELECT ON TABLE %1$I.%2$I TO threetier_read', nspname, relname))
FROM pg_class AS relation JOIN pg_namespace AS schema ON schema.oid = relnamespace
WHERE relowner = 'threetier_owner'::regrole AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relpersistence <> 't'
    AND NOT (has_table_privilege('threetier_rows', relation.oid, 'SELECT') AND has_table_privilege('threetier_rows', relation.oid, 'INSERT')
        AND has_table_privilege('threetier_rows', relation.oid, 'UPDATE') AND has_table_privilege('threetier_rows', relation.oid, 'DELETE')
        AND has_table_privilege('threetier_read', relation.oid, 'SELECT')) \gexec
SELECT format('CALL pg_temp.patiently(%L)', format('GRANT USAGE, SELECT ON SEQUENCE %1$I.%2$I TO threetier_rows; '
    'GRANT SELECT ON SEQUENCE %1$I.%2$I TO threetier_read', nspname, relname))
FROM pg_class AS relation JOIN pg_namespace AS schema ON schema.oid = relnamespace
WHERE relowner = 'threetier_owner'::regrole AND relkind = 'S' AND relpersistence <> 't'
    AND NOT (has_sequence_privilege('threetier_rows', relation.oid, 'USAGE') AND has_sequence_privilege('threetier_rows', relation.oid, 'SELECT')
        AND has_sequence_privilege('threetier_read', relation.oid, 'SELECT')) \gexec

-- The administrator couldn't have these, and the app couldn't use them.
DO $$
DECLARE
    tables text;
    grants text;
BEGIN
    SELECT string_agg(format('%s of %I', identity, owner), ', ' ORDER BY identity), string_agg(DISTINCT format('GRANT %I TO %I;', owner, session_user), ' ')
    INTO tables, grants FROM pg_temp.others WHERE type LIKE '%table' AND NOT has_table_privilege('threetier_rows', objid, 'SELECT');
    IF tables IS NOT NULL THEN
        RAISE EXCEPTION 'the app may not use %', tables
            USING HINT = format('Run this as a role that may, and deploy again: %s', grants);
    END IF;
END $$;
