-- Locks the app's other login after a rollout. The wait is for the pods that still use it: they serve until nobody sends
-- them requests any more.
\getenv resting_login RESTING_LOGIN
\getenv lock_after LOCK_AFTER
SET statement_timeout = 0;
SELECT coalesce(bool_or(rolcanlogin), false) AS is_open FROM pg_roles WHERE rolname = :'resting_login' \gset
\if :is_open
SELECT pg_sleep(:lock_after) \g /dev/null
ALTER ROLE :"resting_login" NOLOGIN;
\endif
