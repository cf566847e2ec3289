-- The rows of each table that the login may read, a line of JSON each. A table's own statement has the time limit alone.
SELECT format('SELECT json_build_object(''table'', %L, ''rows'', count(*)) FROM %s', oid::regclass, oid::regclass)
FROM pg_class
WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace <> ALL ('{pg_catalog,information_schema}'::regnamespace[])
    AND relpersistence <> 't' AND has_table_privilege(oid, 'SELECT')
ORDER BY oid::regclass::text \gexec
