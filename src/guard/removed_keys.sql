-- What the write guard notes about rows that leave a community, because nothing in their table tells of them afterwards.

CREATE TABLE snapback.removed_key (
    community_hash bigint  NOT NULL,
    xid            xid8    NOT NULL,
    table_id       integer NOT NULL,
    part           integer NOT NULL,
    key_form       integer NOT NULL,
    keys           bytea,
    PRIMARY KEY (community_hash, xid, table_id, part)
);
COMMENT ON TABLE snapback.removed_key IS
    'Keys of rows that were deleted or moved to another community, as the transaction xid noted them. community_hash: the lock number of the community; '
    'for a table in the schema of a community, the OID of the table; 0 for all communities. keys: the values of the key columns, one row after the other, '
    'in the form that key_form identifies; NULL if the whole table must be read for this community. Invalid in another cluster, so pg_dump omits it';
