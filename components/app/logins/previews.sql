-- Lets previews in. Only a stack with domain.previews runs this, after roles.sql, as the administrator.
--
--   threetier_previews   logs in for the Jobs of previews, and makes their databases and roles
--
-- Since 16, CREATEROLE changes those roles alone that one has made, and makes none that may do more. So threetier_previews
-- is a member of nothing here, and the stack's own roles and rows are out of its reach.
-- https://www.postgresql.org/docs/16/release-16.html#RELEASE-16-PRIVILEGES
\getenv previews_verifier PREVIEWS_VERIFIER
\getenv previews_connections PREVIEWS_CONNECTIONS
\ir administrator.sql
DO $$
BEGIN
    IF current_setting('server_version_num')::int < 160000 THEN
        RAISE EXCEPTION 'the server is PostgreSQL %, want 16 or later for previews', current_setting('server_version');
    END IF;
END $$;

BEGIN;
SELECT 'CREATE ROLE threetier_previews' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'threetier_previews') \gexec
ALTER ROLE threetier_previews LOGIN CREATEROLE CREATEDB CONNECTION LIMIT :previews_connections PASSWORD :'previews_verifier';

-- By default everybody may connect to every database.
SELECT format('GRANT CONNECT ON DATABASE %I TO threetier_owner, threetier_rows, threetier_read', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), rolname) FROM pg_roles
WHERE rolname LIKE 'psql-_%' AND NOT has_database_privilege(rolname, current_database(), 'CONNECT') \gexec
SELECT format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', datname) FROM pg_database
WHERE datallowconn AND pg_has_role(datdba, 'USAGE') \gexec
SELECT 'GRANT CONNECT ON DATABASE postgres TO threetier_previews'
WHERE NOT has_database_privilege('threetier_previews', 'postgres', 'CONNECT') \gexec
COMMIT;
