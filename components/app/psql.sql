-- Makes a person's login. It has the name of the Job, and expires with it. Its password comes over stdin.
\getenv login LOGIN
\getenv minutes MINUTES
\getenv writes WRITES
SET client_min_messages = warning;
SELECT :'login' NOT LIKE 'psql-_%' AS is_foreign \gset
\if :is_foreign
\warn the Job is called :login, want psql-NAME
SELECT 1 / 0;
\endif

-- Those of Jobs that are gone. None owns anything: a login that writes acts as the owner.
SELECT format('DROP ROLE %I', rolname) FROM pg_roles
WHERE rolname LIKE 'psql-_%' AND (rolname = :'login' OR rolvaliduntil < now()) \gexec

SELECT now() + make_interval(mins => :minutes) AS until \gset
BEGIN;
CREATE ROLE :"login" NOINHERIT VALID UNTIL :'until';
-- Or nobody could drop it after an upgrade to 16.
SELECT format('GRANT %I TO CURRENT_USER WITH ADMIN OPTION', :'login') WHERE current_setting('server_version_num')::int < 160000 \gexec
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
