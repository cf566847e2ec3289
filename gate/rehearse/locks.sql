-- Who holds a lock that keeps others from reading or writing a table, and who waits for any lock: one line of JSON. A table
-- that a transaction is creating isn't there yet, and keeps nobody.
SELECT jsonb_build_object(
    'locks', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'pid', held.pid, 'table', regexp_replace(relation.oid::regclass::text, '^public\.', ''), 'mode', held.mode,
            'who', coalesce(nullif(holder.application_name, ''), holder.usename), 'query', left(holder.query, 200))), '[]')
        FROM pg_locks AS held
        JOIN pg_database AS here ON here.oid = held.database AND here.datname = current_database()
        JOIN pg_class AS relation ON relation.oid = held.relation AND relation.relkind IN ('r', 'p', 'm')
        JOIN pg_namespace AS schema ON schema.oid = relation.relnamespace AND schema.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
        JOIN pg_stat_activity AS holder ON holder.pid = held.pid
        WHERE held.granted AND held.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')),
    'waits', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'pid', pid, 'began', extract(epoch FROM query_start), 'query', left(query, 200),
            'seconds', extract(epoch FROM clock_timestamp() - query_start))), '[]')
        FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event <> 'advisory'));
