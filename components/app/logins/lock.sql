-- Locks the app's other login after a rollout. The wait is for the pods that still use it: they serve until nobody sends
-- them requests any more. A run of one of the jobs may go on for longer: then the login expires by itself.
\getenv resting_login RESTING_LOGIN
\getenv lock_after LOCK_AFTER
\getenv job_seconds JOB_SECONDS
\ir administrator.sql
SELECT count(*) > 0 AS is_open FROM pg_roles
WHERE rolname = :'resting_login' AND rolcanlogin AND coalesce(rolvaliduntil, 'infinity') = 'infinity' \gset
\if :is_open
SELECT pg_sleep(:lock_after) \g /dev/null
SELECT CASE :job_seconds
    WHEN 0 THEN format('ALTER ROLE %I NOLOGIN', :'resting_login')
    ELSE format('ALTER ROLE %I VALID UNTIL %L', :'resting_login', now() + make_interval(secs => :job_seconds)) END \gexec
\endif
