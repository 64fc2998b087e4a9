-- Deletes snapshots by age, or all data of a community.

CREATE FUNCTION snapback_internal.lock_store(wait boolean) RETURNS boolean
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_lock_store';
COMMENT ON FUNCTION snapback_internal.lock_store(boolean) IS
    'Take the store lock in exclusive mode until the transaction ends, so that no capture or restore runs. If wait is false, return false if the lock is '
    'not available. Errors: 25001 above READ COMMITTED. Internal.';

CREATE FUNCTION snapback_internal.digest_lists(communities text[], OUT community text, OUT digests bytea) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_memoize = off
AS $$
    -- Concatenation reads each list from TOAST once, not for each of its digests.
    SELECT b.community, t.chunks || ''::bytea
    FROM (SELECT DISTINCT s.community, s.base FROM snapback.snapshot s WHERE s.community = ANY (communities) AND s.base IS NOT NULL) b
    CROSS JOIN LATERAL (SELECT t.chunks FROM snapback.base_table t WHERE t.base = b.base OFFSET 0) t
    UNION ALL
    SELECT s.community, t.chunks || ''::bytea
    FROM snapback.snapshot s
    CROSS JOIN LATERAL (SELECT t.chunks FROM snapback.snapshot_table t WHERE t.snapshot = s.id OFFSET 0) t
    WHERE s.community = ANY (communities) AND s.base IS NULL
    UNION ALL
    SELECT s.community, s.deltas FROM snapback.snapshot s WHERE s.community = ANY (communities) AND s.deltas <> ''
$$;
COMMENT ON FUNCTION snapback_internal.digest_lists(text[]) IS
    'Return the lists of chunks and deltas that the snapshots of these communities refer to: SHA-256, 32 bytes each';

-- The subquery with DISTINCT keeps the lists of digests, which are long, out of any join.
CREATE FUNCTION snapback_internal.unreferenced_chunks(communities text[], at_most integer DEFAULT 100000, OUT owners text[], OUT digests bytea[])
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_memoize = off
AS $$
    SELECT coalesce(array_agg(o.community), '{}'), coalesce(array_agg(o.sha256), '{}')
    FROM (SELECT c.community, c.sha256
          FROM snapback.chunk c
          WHERE c.community = ANY (communities)
            AND NOT EXISTS (
                SELECT
                FROM (SELECT DISTINCT l.community, substring(l.digests FROM n * 32 + 1 FOR 32) AS sha256
                      FROM snapback_internal.digest_lists(communities) l
                      CROSS JOIN LATERAL generate_series(0, length(l.digests) / 32 - 1) AS n) r
                WHERE r.community = c.community AND r.sha256 = c.sha256)
          ORDER BY c.community, c.sha256
          LIMIT at_most) o
$$;
COMMENT ON FUNCTION snapback_internal.unreferenced_chunks(text[], integer) IS
    'Return the chunks of these communities that no snapshot references, ordered by community and SHA-256: the first at_most of them. Internal.';

CREATE FUNCTION snapback_internal.delete_chunks(owners text[], digests bytea[], only_of text[]) RETURNS bigint
    LANGUAGE sql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
    WITH gone AS (
        DELETE FROM snapback.chunk c
        WHERE c.ctid = ANY (ARRAY(SELECT (SELECT k.ctid FROM snapback.chunk k WHERE k.community = d.community AND k.sha256 = d.sha256)
                                  FROM ROWS FROM (unnest(owners), unnest(digests)) AS d(community, sha256)
                                  WHERE d.community = ANY (only_of)))
        RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION snapback_internal.delete_chunks(text[], bytea[], text[]) IS
    'Delete chunks by community and SHA-256, restricted to some communities; return their number. The caller holds the store lock. Internal.';

CREATE FUNCTION snapback_internal.sweep(communities text[]) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    at_once integer := 100000;
    swept bigint := 0;
    orphans record;
BEGIN
    LOOP
        orphans := snapback_internal.unreferenced_chunks(communities, at_once);
        swept := swept + snapback_internal.delete_chunks(orphans.owners, orphans.digests, communities);
        EXIT WHEN cardinality(orphans.digests) < at_once;
    END LOOP;
    DELETE FROM snapback.unswept u WHERE u.community = ANY (communities);
    RETURN swept;
END
$$;
COMMENT ON FUNCTION snapback_internal.sweep(text[]) IS
    'Delete the chunks of these communities that no snapshot references; return their number. The caller holds the store lock';

CREATE FUNCTION snapback_internal.unswept_communities() RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
    WITH RECURSIVE stored AS (
        (SELECT c.community FROM snapback.chunk c ORDER BY c.community LIMIT 1)
        UNION ALL
        SELECT (SELECT c.community FROM snapback.chunk c WHERE c.community > last.community ORDER BY c.community LIMIT 1)
        FROM stored last WHERE last.community IS NOT NULL
    )
    SELECT coalesce(array_agg(u.community ORDER BY u.community), '{}')
    FROM (SELECT u.community FROM snapback.unswept u
          UNION
          SELECT c.community FROM stored c
          WHERE c.community IS NOT NULL AND NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.community = c.community)) u
$$;
COMMENT ON FUNCTION snapback_internal.unswept_communities() IS
    'Return the communities that may have chunks which no snapshot references: those in snapback.unswept, and those with chunks but no snapshot. '
    'Internal.';

CREATE FUNCTION snapback_internal.manifest_states(communities text[]) RETURNS bytea[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
    SELECT coalesce(array_agg((SELECT sha256(string_agg(uuid_send(s.id) || s.manifest_sha256, ''::bytea ORDER BY s.id))
                               FROM snapback.snapshot s WHERE s.community = l.community) ORDER BY l.place), '{}')
    FROM unnest(communities) WITH ORDINALITY AS l(community, place)
$$;
COMMENT ON FUNCTION snapback_internal.manifest_states(text[]) IS
    'Return for each of these communities, in order, a digest of its snapshots and their references; NULL if it has no snapshot. Internal.';

CREATE FUNCTION snapback_internal.unchanged_communities(communities text[], states bytea[]) RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(u.community), '{}')
    FROM ROWS FROM (unnest(communities), unnest(states), unnest(snapback_internal.manifest_states(communities))) AS u(community, state_then, state_now)
    WHERE u.state_then IS NOT DISTINCT FROM u.state_now
$$;
COMMENT ON FUNCTION snapback_internal.unchanged_communities(text[], bytea[]) IS
    'Return those of these communities whose snapshots and references have not changed since manifest_states() returned these states. Internal.';

-- Always look up shared rows by index: the statistics may be outdated.
CREATE FUNCTION snapback_internal.delete_snapshots(doomed uuid[]) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    snapshots bigint;
    communities text[];
    bases uuid[];
    basis_ids uuid[];
    table_sets uuid[];
    shapes bytea[];
BEGIN
    SELECT array_agg(DISTINCT m.shape) INTO shapes
    FROM snapback.snapshot s JOIN snapback.snapshot_table m ON m.snapshot = s.id
    WHERE s.id = ANY (doomed) AND s.base IS NULL AND s.table_set IS NULL;
    WITH gone AS (
        DELETE FROM snapback.snapshot s WHERE s.id = ANY (doomed) RETURNING s.community, s.table_set, s.base, s.basis
    )
    SELECT count(*), array_agg(DISTINCT g.community), array_agg(DISTINCT g.table_set), array_agg(DISTINCT g.base), array_agg(DISTINCT g.basis)
    INTO snapshots, communities, table_sets, bases, basis_ids FROM gone g;
    INSERT INTO snapback.unswept (community) SELECT unnest(communities) ON CONFLICT DO NOTHING;
    DELETE FROM snapback.basis b WHERE b.id = ANY (basis_ids) AND NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.basis = b.id);
    WITH gone AS (
        DELETE FROM snapback.base b WHERE b.id = ANY (bases) AND NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.base = b.id)
        RETURNING b.table_set
    )
    SELECT table_sets || array_agg(DISTINCT g.table_set) INTO table_sets FROM gone g;
    SELECT array_agg(t.id) INTO table_sets FROM snapback.table_set t
    WHERE t.id = ANY (table_sets) AND NOT EXISTS (SELECT FROM snapback.base b WHERE b.table_set = t.id)
      AND NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.table_set = t.id);
    shapes := shapes || ARRAY(SELECT DISTINCT m.shape FROM snapback.table_set_member m WHERE m.table_set = ANY (table_sets));
    DELETE FROM snapback.table_set t WHERE t.id = ANY (table_sets);
    -- Check the table sets first: they reference nearly all shapes in use.
    DELETE FROM snapback.shape h
    WHERE h.sha256 = ANY (shapes)
      AND CASE WHEN EXISTS (SELECT FROM snapback.table_set_member m WHERE m.shape = h.sha256) THEN false
               ELSE NOT EXISTS (SELECT FROM snapback.base_table m WHERE m.shape = h.sha256)
                AND NOT EXISTS (SELECT FROM snapback.snapshot_table m WHERE m.shape = h.sha256) END;
    RETURN snapshots;
END
$$;
COMMENT ON FUNCTION snapback_internal.delete_snapshots(uuid[]) IS
    'Delete these snapshots, and the bases, table sets and table descriptions that no other snapshot references; return the number of snapshots. Record their '
    'communities in snapback.unswept until their chunks are swept. The caller holds the store lock. Internal.';

CREATE FUNCTION snapback_internal.expired_snapshots() RETURNS uuid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(s.id ORDER BY s.community, s.captured_at), '{}')
    FROM snapback.snapshot s WHERE s.captured_at + snapback_internal.retention() <= clock_timestamp()
$$;
COMMENT ON FUNCTION snapback_internal.expired_snapshots() IS 'Return the snapshots that are older than snapback.retention, ordered by community';

CREATE FUNCTION snapback_internal.erase(community text, table_id integer, keys text) RETURNS bigint
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_erase';
COMMENT ON FUNCTION snapback_internal.erase(text, integer, text) IS
    'Erase rows of one table from the snapshots of a community, by keys in jsonb. The caller holds the store lock and sweeps the community. Internal: '
    'call erase_rows().';
