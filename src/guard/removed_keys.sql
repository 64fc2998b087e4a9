-- What the write guard notes about rows that leave a community, because their table does not show it afterwards.

CREATE TABLE snapback.removed_key (
    community_hash bigint  NOT NULL,
    xid            xid8    NOT NULL,
    table_id       integer NOT NULL,
    part           integer NOT NULL,
    key_form       text    NOT NULL,
    keys           bytea,
    PRIMARY KEY (community_hash, xid, table_id, part)
);
COMMENT ON TABLE snapback.removed_key IS
    'Keys of rows that were deleted or moved to another community, as the transaction xid noted them. community_hash: the lock number of the community; '
    'for a table in the schema of a community, the OID of the table; 0 for all communities. keys: the values of the key columns, one row after the other, '
    'in the form of key_form, which lists their numbers and types; NULL if the whole table must be read for this community, and xid is then the last '
    'that was assigned before the commit. Invalid in another cluster, so pg_dump omits it';

CREATE FUNCTION snapback_internal.removed_keys(table_id integer, community text, since xid8) RETURNS SETOF jsonb
    LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_removed_keys';
COMMENT ON FUNCTION snapback_internal.removed_keys(integer, text, xid8) IS
    'Return the keys that left a protected table of a community, as noted by transactions from since on; one NULL if the whole table must be read instead. '
    'Includes what this transaction will note at its commit. Errors: 42704 no such protected table, SB007 the directory has no schema for the community';

CREATE FUNCTION snapback_internal.delete_removed_keys(before xid8) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deleted bigint;
BEGIN
    DELETE FROM snapback.removed_key n WHERE n.xid < delete_removed_keys.before;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;
COMMENT ON FUNCTION snapback_internal.delete_removed_keys(xid8) IS
    'Delete the notes of transactions before this one, which no basis needs, and return their number. before: the xmin of the oldest basis';

CREATE FUNCTION snapback_internal.erase_removed_keys(community text) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE snapback.removed_key n SET keys = NULL
    WHERE n.keys IS NOT NULL
      AND (n.community_hash = hashtextextended(erase_removed_keys.community COLLATE "C", 0)
           OR n.table_id IN (SELECT t.id FROM snapback.protected_table t WHERE t.relation_name IS NOT NULL))
$$;
COMMENT ON FUNCTION snapback_internal.erase_removed_keys(text) IS
    'Erase the keys that were noted for a community, and those for tables in the schema of any community, whose notes do not tell the community. Captures '
    'then read the whole tables instead';
