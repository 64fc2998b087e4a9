-- The changes of a table's schema since a snapshot.

CREATE FUNCTION snapback.schema_changes(snapshot uuid, relation regclass) RETURNS SETOF text
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_schema_changes';
COMMENT ON FUNCTION snapback.schema_changes(uuid, regclass) IS
    'Return the differences between a table and its schema when the snapshot was taken, and their effect on a restore: one per row, none if nothing has '
    'changed. Errors: SB008 unknown snapshot, SB005 the snapshot does not contain the table, 42704 the table is not protected';
