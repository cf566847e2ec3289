-- Updates the extensions of which the server has a newer version. One that can't be updated doesn't keep the others back.
-- The scripts of extensions that aren't trusted have the administrator's rights or more, and find functions and operators
-- in the extension's schema. Event triggers run as whoever changes a schema.
CREATE TEMPORARY TABLE outdated AS
SELECT extname AS name, extversion AS old, default_version AS new, extnamespace AS schema,
    EXISTS (SELECT FROM pg_available_extension_versions AS v WHERE v.name = extname AND v.version = default_version AND v.superuser AND v.trusted) AS safe
FROM pg_extension JOIN pg_available_extensions ON name = extname WHERE extversion <> default_version;
DO $$
DECLARE
    one record;
    hindrance text;
BEGIN
    FOR one IN SELECT * FROM pg_temp.outdated ORDER BY name LOOP
        SELECT string_agg(oid::regprocedure::text, ', ') INTO hindrance FROM pg_proc
        WHERE pronamespace IN (one.schema, to_regnamespace('public')) AND NOT one.safe
            AND proname IN (SELECT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace)
            AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e');
        IF current_setting('threetier.event_triggers') <> '' THEN
            hindrance := current_setting('threetier.event_triggers');
        ELSIF hindrance IS NULL THEN
            SELECT string_agg(oid::regoperator::text, ', ') INTO hindrance FROM pg_operator
            WHERE oprnamespace IN (one.schema, to_regnamespace('public')) AND NOT one.safe
                AND oprname IN (SELECT oprname FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace)
                AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_operator'::regclass AND objid = pg_operator.oid AND deptype = 'e');
        END IF;
        IF hindrance IS NOT NULL THEN
            RAISE WARNING 'extension % stays at %: its script could run %', one.name, one.old, hindrance;
            CONTINUE;
        END IF;
        BEGIN
            EXECUTE format('ALTER EXTENSION %I UPDATE', one.name);
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'extension % stays at %: %', one.name, one.old, SQLERRM;
        END;
    END LOOP;
END $$;
SELECT format('extension %s: %s, was %s', name, extversion, old) FROM pg_temp.outdated JOIN pg_extension ON extname = name
WHERE extversion <> old ORDER BY name;
SELECT 'extensions: none is older than the server''s' WHERE NOT EXISTS (SELECT FROM pg_temp.outdated);
