-- The last word: nothing is granted to PUBLIC, and everything but what names this cluster's transactions is dumped.

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
            kept, CASE WHEN kept = 'snapback.restore_epoch'::regclass THEN 'WHERE false' ELSE '' END);
    END LOOP;
END
$$;
