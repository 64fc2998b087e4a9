-- A basis: what must be the same so that a capture can tell which rows changed since an earlier one.

CREATE FUNCTION snapback_internal.catalog_fingerprint(table_id integer, relation regclass, system text, path text, parents oid[], keys_of oid[], key_names text[])
    RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    -- One plan for the session, by the indexes of the catalogs: planning takes longer than the query.
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN (WITH RECURSIVE member (oid) AS (
        SELECT unnest(catalog_fingerprint.relation::oid || parents)
        UNION
        SELECT i.inhrelid FROM member m JOIN pg_class c ON c.oid = m.oid AND c.relkind = 'p' JOIN pg_inherits i ON i.inhparent = m.oid
    ), foreign_key (oid) AS (
        SELECT c.oid FROM unnest(keys_of, key_names) k (child, name)
        JOIN pg_constraint c ON c.conrelid = k.child AND c.conname = k.name AND c.contype = 'f'
        UNION
        SELECT c.oid FROM foreign_key f JOIN pg_constraint c ON c.conparentid = f.oid
    ), type (oid) AS (
        SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = catalog_fingerprint.relation AND a.attnum > 0 AND NOT a.attisdropped
        UNION
        SELECT part.type
        FROM type JOIN pg_type t ON t.oid = type.oid
        CROSS JOIN LATERAL (SELECT t.typelem UNION ALL SELECT t.typbasetype
                            UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                            UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid
                            UNION ALL SELECT r.rngtypid FROM pg_range r WHERE r.rngmultitypid = t.oid) part (type)
        WHERE part.type <> 0
    ), guard (xmin) AS (
        SELECT t.xmin FROM member m JOIN pg_trigger t ON t.tgrelid = m.oid WHERE t.tgfoid = 'snapback_internal.write_guard()'::regprocedure
        UNION ALL
        SELECT t.xmin FROM foreign_key f JOIN pg_trigger t ON t.tgconstraint = f.oid
        UNION ALL
        SELECT c.xmin FROM foreign_key f JOIN pg_constraint c ON c.oid = f.oid
        UNION ALL
        SELECT i.xmin FROM member m JOIN pg_inherits i ON i.inhrelid = m.oid
    )
    SELECT jsonb_build_object(
        'database', jsonb_build_array(system, (SELECT d.oid::bigint FROM pg_database d WHERE d.datname = current_database()),
                                      (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'pg_snapback'),
                                      current_setting('server_version_num')::integer / 10000),
        'registration', jsonb_build_array(catalog_fingerprint.table_id, catalog_fingerprint.relation::oid::bigint, path),
        'files', (SELECT jsonb_agg(jsonb_build_array(c.oid::bigint, c.relfilenode::bigint) ORDER BY c.oid)
                  FROM (SELECT m.oid FROM member m UNION ALL SELECT 'snapback.removed_key'::regclass) m JOIN pg_class c ON c.oid = m.oid),
        'columns', (SELECT jsonb_agg(jsonb_build_array(a.attnum, a.attname, a.atttypid::bigint, a.atttypmod, a.attcollation::bigint, a.attgenerated)
                                     ORDER BY a.attnum)
                    FROM pg_attribute a WHERE a.attrelid = catalog_fingerprint.relation AND a.attnum > 0 AND NOT a.attisdropped),
        'key', (SELECT jsonb_build_array(i.indkey::text, i.indclass::text, i.indnkeyatts)
                FROM pg_index i WHERE i.indexrelid = snapback_internal.key_index(catalog_fingerprint.relation)),
        'types', (SELECT jsonb_agg(jsonb_build_array(
                      t.oid::bigint, p.prosrc, p.probin,
                      (SELECT jsonb_agg(a.atttypid::bigint ORDER BY a.attnum) FROM pg_attribute a
                       WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped),
                      (SELECT md5(string_agg(format('%s %L', e.oid, e.enumlabel), ',' ORDER BY e.oid)) FROM pg_enum e WHERE e.enumtypid = t.oid))
                      ORDER BY t.oid)
                  FROM type JOIN pg_type t ON t.oid = type.oid JOIN pg_proc p ON p.oid = t.typoutput WHERE type.oid >= 16384),
        'unstable', (SELECT jsonb_agg(format_type(type.oid, NULL) ORDER BY type.oid) FROM type
                     WHERE type.oid IN ('regproc'::regtype, 'regprocedure'::regtype, 'regoper'::regtype, 'regoperator'::regtype, 'regclass'::regtype,
                                        'regcollation'::regtype, 'regtype'::regtype, 'regconfig'::regtype, 'regdictionary'::regtype,
                                        'regnamespace'::regtype, 'regrole'::regtype, 'aclitem'::regtype)),
        'not_heap', (SELECT jsonb_agg(c.relname ORDER BY c.oid) FROM member m JOIN pg_class c ON c.oid = m.oid
                     WHERE c.relkind <> 'p' AND (c.relkind <> 'r' OR c.relpersistence <> 'p'
                                                 OR c.relam <> (SELECT a.oid FROM pg_am a WHERE a.amname = 'heap'))),
        'unguarded', (SELECT jsonb_agg(c.relname ORDER BY c.oid) FROM unnest(catalog_fingerprint.relation::oid || parents) m (oid) JOIN pg_class c ON c.oid = m.oid
                      WHERE snapback_internal.guard_state(m.oid) <> 'enabled'),
        'unenforced', (SELECT jsonb_agg(c.conname ORDER BY c.oid) FROM foreign_key f JOIN pg_constraint c ON c.oid = f.oid
                       WHERE NOT c.convalidated
                          OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = f.oid AND t.tgenabled NOT IN ('O', 'A'))
                          OR c.conparentid = 0 AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = f.oid)),
        'guard', (SELECT jsonb_agg(DISTINCT g.xmin::text::bigint) FROM guard g)));
END
$$;
COMMENT ON FUNCTION snapback_internal.catalog_fingerprint(integer, regclass, text, text, oid[], oid[], text[]) IS
    'What the system catalogs say of a protected table, in the snapshot of the calling statement, as far as a basis depends on it. system: the identifier of the '
    'cluster. path: the path to the community. parents: the tables on it. keys_of, key_names: its foreign keys, by table and name';

CREATE FUNCTION snapback_internal.is_between(xid xid, first xid8, next xid8) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT xid::text::bigint > 2 AND ((xid::text::bigint - first::text::numeric) % 4294967296 + 4294967296) % 4294967296
                                     < next::text::numeric - first::text::numeric
$$;
COMMENT ON FUNCTION snapback_internal.is_between(xid, xid8, xid8) IS
    'Whether a transaction ID of 32 bits, as in xmin, may denote a transaction from first on and before next. The IDs of frozen rows do not differ from others, '
    'so that a row from before first may seem to be later after 2^32 transactions; permanent IDs are earlier than all';

CREATE FUNCTION snapback_internal.next_transaction() RETURNS xid8
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_next_transaction';
COMMENT ON FUNCTION snapback_internal.next_transaction() IS
    'The ID that the next transaction or subtransaction will be assigned; what this transaction has written has a lower one';

CREATE FUNCTION snapback_internal.basis_fault(taken pg_snapshot, at_basis jsonb, now jsonb, next xid8 DEFAULT snapback_internal.next_transaction()) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE
        WHEN taken IS NULL OR at_basis IS NULL THEN 'there is no basis'
        WHEN at_basis -> 'database' IS DISTINCT FROM now -> 'database' THEN 'another database, or another version of PostgreSQL or pg_snapback'
        WHEN pg_snapshot_xmin(taken) > next THEN 'the transaction IDs have been reset'
        WHEN next::text::numeric - pg_snapshot_xmin(taken)::text::numeric >= 2147483648
            THEN 'more than 2^31 transactions ago'
        WHEN now ->> 'unstable' IS NOT NULL THEN 'the text of a type depends on the system catalogs: ' || (now ->> 'unstable')
        WHEN now ->> 'not_heap' IS NOT NULL THEN 'not a permanent table with the access method heap: ' || (now ->> 'not_heap')
        WHEN at_basis ->> 'unguarded' IS NOT NULL OR now ->> 'unguarded' IS NOT NULL
            THEN 'the write guard is not enabled: ' || coalesce(now ->> 'unguarded', at_basis ->> 'unguarded')
        WHEN at_basis ->> 'unenforced' IS NOT NULL OR now ->> 'unenforced' IS NOT NULL
            THEN 'a foreign key of the path is not enforced: ' || coalesce(now ->> 'unenforced', at_basis ->> 'unenforced')
        WHEN at_basis -> 'registration' IS DISTINCT FROM now -> 'registration' THEN 'the registration or the path has changed'
        WHEN at_basis -> 'files' IS DISTINCT FROM now -> 'files' THEN 'a table was rewritten or truncated, or the set of partitions has changed'
        WHEN at_basis -> 'columns' IS DISTINCT FROM now -> 'columns' THEN 'the columns have changed'
        WHEN at_basis -> 'key' IS DISTINCT FROM now -> 'key' THEN 'the key has changed'
        WHEN at_basis -> 'types' IS DISTINCT FROM now -> 'types' THEN 'a type has changed'
        WHEN EXISTS (SELECT FROM jsonb_array_elements_text(now -> 'guard') g (xmin)
                     WHERE snapback_internal.is_between(g.xmin::xid, pg_snapshot_xmin(taken), next))
            THEN 'the write guard, a foreign key of the path, or a partition was altered in the meantime'
    END;
END
$$;
COMMENT ON FUNCTION snapback_internal.basis_fault(pg_snapshot, jsonb, jsonb, xid8) IS
    'Return why changes of a table since a basis cannot be told, or NULL if they can. taken: the snapshot of the basis. at_basis, now: the fingerprints of the table '
    'in that snapshot and in the current one. next: the next transaction ID';

CREATE FUNCTION snapback_internal.table_fingerprint(table_id integer, community text) RETURNS jsonb
    LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_table_fingerprint';
COMMENT ON FUNCTION snapback_internal.table_fingerprint(integer, text) IS
    'Return the fingerprint of a protected table, which basis_fault() compares. community: identifies the table if each community has its own. Errors: 42704 no such '
    'protected table, 0A000 the table cannot be captured';

CREATE FUNCTION snapback_internal.written_since(alias text, since xid8) RETURNS text
    LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_written_since';
COMMENT ON FUNCTION snapback_internal.written_since(text, xid8) IS
    'Return a condition for the WHERE clause of a statement that starts in this transaction before its next write: whether the row of this alias may have been written by a transaction from '
    'since on. The condition calls built-in functions only, so that any role can use it';

CREATE FUNCTION snapback_internal.oldest_transaction() RETURNS xid8
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_oldest_transaction';
COMMENT ON FUNCTION snapback_internal.oldest_transaction() IS
    'Return the lowest xmin of all snapshots in use in this database, or a lower ID: every snapshot in use, and every later one, sees the transactions before it';

CREATE FUNCTION snapback_internal.oldest_basis() RETURNS xid8
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_oldest_basis';
COMMENT ON FUNCTION snapback_internal.oldest_basis() IS
    'Return the lowest xmin of all bases, including those of captures that are not committed yet; NULL if there is none';
