-- What has become of a table's schema since a snapshot.

CREATE FUNCTION snapback.schema_changes(snapshot uuid, relation regclass) RETURNS SETOF text
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_schema_changes';
COMMENT ON FUNCTION snapback.schema_changes(uuid, regclass) IS
    'How a table differs from what it was when the snapshot was taken, and what that means for a restore: one sentence a row, none where nothing has '
    'changed. Errors: SB008 unknown snapshot, SB005 the snapshot does not hold the table, 42704 not a protected table';
