-- Lists snapshots, shows their contents, and verifies them.

CREATE FUNCTION snapback_internal.stored_rows(snapshot uuid, table_id integer)
    RETURNS SETOF jsonb
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_stored_rows';
COMMENT ON FUNCTION snapback_internal.stored_rows(uuid, integer) IS
    'Return the rows of one table of a snapshot, with the columns of the live table. Errors: XX001 the snapshot is damaged, SB009 a type no longer '
    'exists';

CREATE FUNCTION snapback_internal.protected_table_id(relation regclass) RETURNS integer
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found integer;
BEGIN
    SELECT p.id INTO found FROM snapback.protected_table p JOIN pg_class c ON c.oid = protected_table_id.relation
    WHERE p.relation = c.oid OR p.relation_name = c.relname;
    IF found IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('%s is not protected', coalesce(relation::text, 'NULL')),
            HINT = 'The view snapback.protection lists the protected tables.';
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION snapback_internal.protected_table_id(regclass) IS
    'Return the number of a protected table. Errors: 42704 the table is not protected';

CREATE FUNCTION snapback.snapshot_rows(snapshot uuid, relation regclass) RETURNS SETOF jsonb
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT snapback_internal.stored_rows(snapback_internal.own_snapshot(snapshot_rows.snapshot), snapback_internal.protected_table_id(snapshot_rows.relation))
$$;
COMMENT ON FUNCTION snapback.snapshot_rows(uuid, regclass) IS
    'Return the rows of one table in a snapshot as jsonb objects, in key order. A value that jsonb cannot represent becomes a string of its text. In '
    'a row of more than 32 MB, each value larger than 32 MB divided by the number of columns becomes a string: the first 1000 bytes of its text, '
    'followed by "... [N bytes, SHA-256 H]", where N and H are length and hash of the whole text, or of the bytes of a bytea. Errors: SB008 no such '
    'snapshot, or it belongs to no community; 42704 the table is not protected; XX001 the snapshot is damaged';

CREATE FUNCTION snapback_internal.covered_rows(snapshot uuid, table_id integer, filter text) RETURNS bigint
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_covered_rows';
COMMENT ON FUNCTION snapback_internal.covered_rows(uuid, integer, text) IS
    'Return the number of rows of a table in a snapshot that satisfy a filter, evaluated as the table''s owner';

CREATE FUNCTION snapback.verify(snapshot uuid DEFAULT NULL)
    RETURNS TABLE (faulty uuid, relation text, fault text)
    LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_verify';
COMMENT ON FUNCTION snapback.verify(uuid) IS
    'Read a snapshot, or by default all snapshots, and verify the hashes of manifests, table descriptions and chunks, and the row counts. Return one '
    'row per fault. Errors: SB008 no such snapshot';
