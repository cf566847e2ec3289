-- Makes a person's login. It has the name of the Job, and expires with it. Its password comes over stdin.
\getenv login LOGIN
\getenv minutes MINUTES
\getenv writes WRITES
\ir administrator.sql
SELECT :'login' NOT LIKE 'psql-_%' AS is_foreign \gset
\if :is_foreign
\warn the Job is called :login, want psql-NAME
SELECT 1 / 0;
\endif

-- Those of Jobs that are gone. What a person has as such, which is little, since a login that writes acts as the owner,
-- becomes the owner's. A login that can't go keeps nobody else out.
SELECT set_config('threetier.login', :'login', false) \g /dev/null
DO $$
DECLARE
    old text;
BEGIN
    FOR old IN SELECT rolname FROM pg_roles
        WHERE rolname LIKE 'psql-_%' AND (rolname = current_setting('threetier.login') OR rolvaliduntil < now())
    LOOP
        BEGIN
            IF current_setting('threetier.event_triggers') = '' THEN -- they would run
                EXECUTE format('GRANT %I TO CURRENT_USER', old);
                EXECUTE format('REASSIGN OWNED BY %I TO threetier_owner', old);
                EXECUTE format('DROP OWNED BY %I', old);
            END IF;
            EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM %I', current_database(), old);
            EXECUTE format('DROP ROLE %I', old);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'the login % of before stays: %', old, SQLERRM;
        END;
    END LOOP;
END $$;

SELECT now() + make_interval(mins => :minutes) AS until \gset
BEGIN;
CREATE ROLE :"login" NOINHERIT VALID UNTIL :'until';
-- Or nobody could drop it after an upgrade to 16.
SELECT format('GRANT %I TO CURRENT_USER WITH ADMIN OPTION', :'login') WHERE current_setting('server_version_num')::int < 160000 \gexec
-- Beside previews not everybody may connect, and this login inherits nothing.
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'login')
WHERE NOT has_database_privilege(:'login', current_database(), 'CONNECT') \gexec
ALTER ROLE :"login" SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE :"login" SET idle_session_timeout = '15min';
ALTER ROLE :"login" SET statement_timeout = '5min';
ALTER ROLE :"login" SET lock_timeout = '5s';
\if :writes
GRANT threetier_owner TO :"login";
ALTER ROLE :"login" SET role = threetier_owner;
\else
GRANT threetier_read TO :"login";
ALTER ROLE :"login" SET role = threetier_read;
ALTER ROLE :"login" SET default_transaction_read_only = on;
\endif
COMMIT;
\password :login
ALTER ROLE :"login" LOGIN;

-- For the server's log, which has messages of this level whatever else it leaves out.
SELECT set_config('threetier.opened', format('%s, %s, until %s', :'login', CASE WHEN :'writes' = 'true' THEN 'writes' ELSE 'reads' END, :'until'), false) \g /dev/null
DO $$ BEGIN RAISE LOG 'psql opened: %', current_setting('threetier.opened'); END $$;
