-- Makes the roles and the database of a preview, in the instance of another stack. psql runs this as threetier_previews in
-- the database postgres, before roles.sql, which goes on in the preview's own database. It may be run at any time.
-- A preview's roles have its own prefix in place of this one.
\getenv preview PREVIEW
\getenv taken_connections TAKEN_CONNECTIONS
\getenv app_connections APP_CONNECTIONS
\getenv owner_connections OWNER_CONNECTIONS
\getenv migration_connections MIGRATION_CONNECTIONS
\ir administrator.sql

BEGIN;
-- One preview after the other, since each counts those that are there.
SELECT pg_advisory_xact_lock(7243905918265530148) \g /dev/null
SELECT format('CREATE ROLE %I', name)
FROM unnest('{threetier_owner,threetier_rows,threetier_read,threetier_migration,threetier_a,threetier_b,threetier_owner_a,threetier_owner_b}'::text[]) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
-- Not the database's limit, which its owner may lift.
ALTER ROLE threetier_a CONNECTION LIMIT :app_connections;
ALTER ROLE threetier_b CONNECTION LIMIT :app_connections;
ALTER ROLE threetier_owner_a CONNECTION LIMIT :owner_connections;
ALTER ROLE threetier_owner_b CONNECTION LIMIT :owner_connections;
ALTER ROLE threetier_migration CONNECTION LIMIT :migration_connections;
-- This one never logs in: here its limit is the preview's sum, which all previews count.
SELECT :app_connections + :owner_connections + :migration_connections AS sum \gset
ALTER ROLE threetier_owner CONNECTION LIMIT :sum;
SELECT set_config('threetier.preview', :'preview', true), set_config('threetier.taken', :'taken_connections', true) \g /dev/null
DO $$
DECLARE
    most int := current_setting('max_connections')::int;
    taken int := current_setting('threetier.taken')::int;
    others int := (SELECT coalesce(sum(rolconnlimit), 0) FROM pg_roles WHERE rolname ~ '^pr_\d+_owner$' AND rolname <> 'threetier_owner');
    own int := (SELECT rolconnlimit FROM pg_roles WHERE rolname = 'threetier_owner');
BEGIN
    IF taken + others + own > most THEN
        RAISE EXCEPTION '% is a preview too many: the connections of its logins are %, want % or less (max_connections % - % of the stack - % of other previews)',
            current_setting('threetier.preview'), own, greatest(most - taken - others, 0), most, taken, others
            USING HINT = 'Take a preview down, lower backend.connectionsPerPod of the preview, or give the stack a larger database.instanceClass.';
    END IF;
END $$;
COMMIT;

GRANT threetier_owner TO CURRENT_USER;
-- Nobody can be connected to template0 and so be in the way, and nobody gets in before CONNECT is taken from PUBLIC.
SELECT format('CREATE DATABASE %I OWNER threetier_owner TEMPLATE template0 ALLOW_CONNECTIONS false', :'preview')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'preview') \gexec
REVOKE CONNECT ON DATABASE :"preview" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"preview" TO threetier_owner, threetier_rows, threetier_read;
ALTER DATABASE :"preview" ALLOW_CONNECTIONS true;
\connect :"preview"
