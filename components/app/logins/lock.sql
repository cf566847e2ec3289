-- Locks the other logins, the app's and the owner's, after a rollout. The wait is for the pods that still use them: they serve
-- until nobody sends them requests any more. A run of one of the jobs may go on for longer: then a login expires by itself.
\getenv resting_logins RESTING_LOGINS
\getenv lock_after LOCK_AFTER
\getenv job_seconds JOB_SECONDS
\ir administrator.sql
SELECT string_agg(rolname, ',') AS open, count(*) > 0 AS is_open FROM pg_roles
WHERE rolname = ANY (string_to_array(:'resting_logins', ',')) AND rolcanlogin AND coalesce(rolvaliduntil, 'infinity') = 'infinity' \gset
\if :is_open
SELECT pg_sleep(:lock_after) \g /dev/null
SELECT CASE :job_seconds
    WHEN 0 THEN format('ALTER ROLE %I NOLOGIN', login)
    ELSE format('ALTER ROLE %I VALID UNTIL %L', login, now() + make_interval(secs => :job_seconds)) END
FROM string_to_table(:'open', ',') AS login \gexec
\endif
