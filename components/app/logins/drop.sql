-- Drops the database of a preview and all of its roles. psql runs this as threetier_previews in the database postgres. It may be run
-- at any time, also where nothing or only a part is there.
\getenv preview PREVIEW
\ir administrator.sql

-- What may end the sessions of a role is a member of it.
SELECT format('ALTER ROLE %1$I NOLOGIN; GRANT %1$I TO CURRENT_USER', rolname)
FROM pg_roles WHERE starts_with(rolname, :'preview' || '_') \gexec
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = :'preview' AND usesysid IS NOT NULL AND pg_has_role(usesysid, 'USAGE') \g /dev/null
-- DROP DATABASE itself ends the autovacuum, and waits for the others. Its owner may have made it a template, which can't be dropped.
SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname) FROM pg_database WHERE datname = :'preview' \gexec
DROP DATABASE IF EXISTS :"preview";
SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE starts_with(rolname, :'preview' || '_') \gexec
