-- Begins each session of the administrator. Whoever acts as the database's owner may set what holds for every session in
-- the database, and creates functions there. Neither is for this session: its connection has the search path, and what
-- counts before this file (AdministratorOptions).
SELECT set_config(name, boot_val, false) FROM pg_settings WHERE source = 'database' AND context = 'user' \g /dev/null
SET client_min_messages = warning;

-- RDS lets its administrator create event triggers. They run as whoever changes a schema, so also as the administrator.
SELECT set_config('threetier.event_triggers', coalesce(
    string_agg(format('event trigger %I runs %s, which %I may change', evtname, evtfoid::regprocedure, rolname), '; '), ''), false)
FROM pg_event_trigger JOIN pg_proc ON pg_proc.oid = evtfoid JOIN pg_roles ON pg_roles.oid = proowner
WHERE evtenabled <> 'D' AND rolname <> session_user AND NOT rolsuper \g /dev/null
