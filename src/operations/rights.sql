-- Runs last: revokes all privileges from PUBLIC, grants monitoring to pg_monitor, and marks tables for pg_dump. Not dumped is
-- data without meaning in another database: transaction IDs, column numbers, and registrations of dropped tables, whose OIDs
-- may denote other tables there.

REVOKE ALL ON ALL TABLES IN SCHEMA snapback FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA snapback FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA snapback, snapback_internal FROM PUBLIC;

-- Monitoring, without rows of communities and mail addresses. The views call the functions other than health().
GRANT USAGE ON SCHEMA snapback TO pg_monitor;
GRANT SELECT ON snapback.protection, snapback.snapshots, snapback.requests, snapback.restores, snapback.restore_progress TO pg_monitor;
GRANT EXECUTE ON FUNCTION snapback.health(), snapback_internal.health_shown_to(name), snapback_internal.retention(), snapback_internal.protection_of_tables(),
    snapback_internal.own_restore_activity(), snapback_internal.disowned_snapshots(), snapback_internal.acting_community(text) TO pg_monitor;

DO $$
DECLARE
    kept regclass;
BEGIN
    FOR kept IN SELECT c.oid FROM pg_catalog.pg_class c
                WHERE c.relnamespace = 'snapback'::regnamespace AND c.relkind IN ('r', 'S') ORDER BY c.oid
    LOOP
        PERFORM pg_catalog.pg_extension_config_dump(kept, CASE
            WHEN kept IN ('snapback.restore_epoch'::regclass, 'snapback.removed_key'::regclass, 'snapback.known_columns'::regclass,
                          'snapback.known_labels'::regclass)
                THEN 'WHERE false'
            WHEN kept IN ('snapback.directory'::regclass, 'snapback.column_rename'::regclass)
                THEN 'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = relation)'
            WHEN kept = 'snapback.label_rename'::regclass
                THEN 'WHERE EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = type)'
            WHEN kept IN ('snapback.protected_table'::regclass, 'snapback.excluded_table'::regclass)
                THEN 'WHERE relation IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = relation)'
            WHEN kept = 'snapback.coverage'::regclass
                THEN 'WHERE EXISTS (SELECT FROM snapback.protected_table t LEFT JOIN pg_catalog.pg_class c ON c.oid = t.relation'
                     ' WHERE t.id = table_id AND (t.relation IS NULL OR c.oid IS NOT NULL))'
            ELSE '' END);
    END LOOP;
END
$$;
