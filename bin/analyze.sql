-- Gathers the planner's statistics of every table that the login owns. Each is a statement of its own, without a limit.
SET statement_timeout = 0;
SET lock_timeout = 0;
SELECT format('ANALYZE %s', oid::regclass) FROM pg_class
WHERE relkind IN ('r', 'p', 'm') AND NOT relispartition AND relpersistence <> 't' AND pg_has_role(relowner, 'USAGE')
    AND relnamespace <> ALL ('{pg_catalog,information_schema,pg_toast}'::regnamespace[])
ORDER BY oid::regclass::text \gexec
SELECT CASE WHEN pg_has_role(relowner, 'USAGE') THEN format('statistics: %s tables analyzed', count(*))
    ELSE format('statistics: %s tables of %s are not the owner''s, want them analyzed by that role', count(*), relowner::regrole) END
FROM pg_class
WHERE relkind IN ('r', 'p', 'm') AND NOT relispartition AND relpersistence <> 't'
    AND relnamespace <> ALL ('{pg_catalog,information_schema,pg_toast}'::regnamespace[])
GROUP BY relowner;
