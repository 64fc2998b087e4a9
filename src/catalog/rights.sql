-- The last word: nothing is granted to PUBLIC, and everything but what names transactions or column numbers is dumped.

REVOKE ALL ON ALL TABLES IN SCHEMA snapback FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA snapback FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA snapback FROM PUBLIC;

DO $$
DECLARE
    kept regclass;
BEGIN
    FOR kept IN SELECT c.oid FROM pg_catalog.pg_class c
                WHERE c.relnamespace = 'snapback'::regnamespace AND c.relkind IN ('r', 'S') ORDER BY c.oid
    LOOP
        PERFORM pg_catalog.pg_extension_config_dump(
            kept, CASE WHEN kept IN ('snapback.restore_epoch'::regclass, 'snapback.known_columns'::regclass) THEN 'WHERE false' ELSE '' END);
    END LOOP;
END
$$;
