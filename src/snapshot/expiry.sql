-- Deletes snapshots by age, or all data of a community.

CREATE FUNCTION snapback_internal.lock_store(wait boolean) RETURNS boolean
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_lock_store';
COMMENT ON FUNCTION snapback_internal.lock_store(boolean) IS
    'Lock the store exclusively until the transaction ends, so that no capture or restore runs. wait: whether to wait for the lock; otherwise return '
    'false if it is not available';

CREATE FUNCTION snapback_internal.sweep(communities text[]) RETURNS bigint
    LANGUAGE sql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
    WITH referenced AS (
        SELECT DISTINCT s.community, substring(m.chunks FROM n * 32 + 1 FOR 32) AS sha256
        FROM snapback.snapshot s JOIN snapback.snapshot_table m ON m.snapshot = s.id
        CROSS JOIN LATERAL generate_series(0, length(m.chunks) / 32 - 1) AS n
        WHERE s.community = ANY (sweep.communities)
    ), gone AS (
        DELETE FROM snapback.chunk c
        WHERE c.community = ANY (sweep.communities)
          AND NOT EXISTS (SELECT FROM referenced r WHERE r.community = c.community AND r.sha256 = c.sha256)
        RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION snapback_internal.sweep(text[]) IS
    'Delete the chunks of these communities that no snapshot references; return their number. The caller holds the store lock';

-- Sequential scans are off because the planner's statistics may be outdated.
CREATE FUNCTION snapback_internal.delete_snapshots(doomed uuid[], OUT snapshots bigint, OUT chunks bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    communities text[];
    table_sets uuid[];
    shapes bytea[];
BEGIN
    SELECT array_agg(DISTINCT m.shape) INTO shapes
    FROM snapback.snapshot s JOIN snapback.snapshot_table m ON m.snapshot = s.id
    WHERE s.id = ANY (doomed) AND s.table_set IS NULL;
    WITH gone AS (
        DELETE FROM snapback.snapshot s WHERE s.id = ANY (doomed) RETURNING s.community, s.table_set
    )
    SELECT count(*), array_agg(DISTINCT g.community), array_agg(DISTINCT g.table_set) INTO snapshots, communities, table_sets FROM gone g;
    SELECT array_agg(t.id) INTO table_sets FROM snapback.table_set t
    WHERE t.id = ANY (table_sets) AND NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.table_set = t.id);
    shapes := shapes || ARRAY(SELECT DISTINCT m.shape FROM snapback.table_set_member m WHERE m.table_set = ANY (table_sets));
    DELETE FROM snapback.table_set t WHERE t.id = ANY (table_sets);
    -- Check the table sets first: they reference nearly all shapes in use.
    DELETE FROM snapback.shape h
    WHERE h.sha256 = ANY (shapes)
      AND CASE WHEN EXISTS (SELECT FROM snapback.table_set_member m WHERE m.shape = h.sha256) THEN false
               ELSE NOT EXISTS (SELECT FROM snapback.snapshot_table m WHERE m.shape = h.sha256) END;
    chunks := snapback_internal.sweep(communities);
END
$$;
COMMENT ON FUNCTION snapback_internal.delete_snapshots(uuid[]) IS
    'Delete these snapshots, and the table sets, table descriptions and chunks that no other snapshot references; return the numbers of deleted '
    'snapshots and chunks. The caller holds the store lock';

CREATE FUNCTION snapback_internal.expired_snapshots() RETURNS uuid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(s.id ORDER BY s.community, s.captured_at), '{}')
    FROM snapback.snapshot s WHERE s.captured_at + snapback_internal.retention() <= clock_timestamp()
$$;
COMMENT ON FUNCTION snapback_internal.expired_snapshots() IS 'Return the snapshots that are older than snapback.retention, ordered by community';

CREATE FUNCTION snapback_internal.prune() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM snapback_internal.forget_columns(ARRAY(SELECT k.relation FROM snapback.known_columns k
                                          WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = k.relation)));
    DELETE FROM snapback.known_labels k WHERE NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = k.type);
    DELETE FROM snapback.label_rename r WHERE NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = r.type);
    DELETE FROM snapback.capture_failure f WHERE f.failed_at + snapback_internal.retention() <= clock_timestamp();
    DELETE FROM snapback.departure d
    WHERE NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.community = d.community AND s.captured_at <= d.noticed_at);
    PERFORM snapback_internal.prune_record();
END
$$;
COMMENT ON FUNCTION snapback_internal.prune() IS
    'Delete records of dropped tables and types, failed captures older than snapback.retention, departures older than all snapshots of the '
    'community, and the records that prune_record() deletes';

CREATE FUNCTION snapback.expire(OUT snapshots bigint, OUT chunks bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    snapshots := 0;
    chunks := 0;
    IF NOT snapback_internal.lock_store(false) THEN
        RETURN;
    END IF;
    SELECT d.snapshots, d.chunks INTO snapshots, chunks FROM snapback_internal.delete_snapshots(snapback_internal.expired_snapshots()) d;
    PERFORM snapback_internal.prune();
END
$$;
COMMENT ON FUNCTION snapback.expire() IS
    'Delete the snapshots that are older than snapback.retention, and the chunks that no other snapshot references; return both numbers. Also delete '
    'failed captures older than snapback.retention, and requests, restores, their mail and audit records older than snapback.audit_retention. Does '
    'nothing while a capture or a restore runs. No capture or restore can start before the transaction ends; to delete many snapshots, CALL '
    'snapback.expire_all()';

CREATE PROCEDURE snapback.expire_all(patience interval DEFAULT '1 minute')
    LANGUAGE plpgsql
AS $$
DECLARE
    doomed pg_catalog.uuid[]; -- resolved before SET LOCAL search_path
    free_at pg_catalog.timestamptz;
    locked_at pg_catalog.timestamptz;
    took interval;
    deleted integer := 0;
    batch integer := 10;
BEGIN
    -- A procedure that commits cannot have a SET clause, and SET LOCAL ends with each transaction.
    SET LOCAL search_path = pg_catalog, pg_temp;
    PERFORM snapback_internal.hold_extension();
    IF patience IS NULL OR patience < interval '0' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'patience must not be null or negative';
    END IF;
    doomed := snapback_internal.expired_snapshots();
    free_at := clock_timestamp();
    LOOP
        IF snapback_internal.lock_store(false) THEN
            locked_at := clock_timestamp();
            IF deleted = cardinality(doomed) THEN
                PERFORM snapback_internal.prune();
                RETURN;
            END IF;
            PERFORM snapback_internal.delete_snapshots(doomed[deleted + 1:deleted + batch]);
            deleted := least(deleted + batch, cardinality(doomed));
            RAISE INFO 'deleted % of % expired snapshots', deleted, cardinality(doomed);
            took := clock_timestamp() - locked_at;
            batch := CASE WHEN took > interval '0.4 s' THEN greatest(batch / 2, 1) WHEN took < interval '0.1 s' THEN batch * 2 ELSE batch END;
            free_at := clock_timestamp();
        ELSIF clock_timestamp() >= free_at + patience THEN
            RAISE WARNING USING MESSAGE = 'expiry stopped early because a capture or a restore is running',
                DETAIL = format('%s of %s expired snapshots were deleted.', deleted, cardinality(doomed)), HINT = 'The next call continues.';
            RETURN;
        ELSE
            PERFORM pg_sleep(0.1);
        END IF;
        COMMIT;
        SET LOCAL search_path = pg_catalog, pg_temp;
        PERFORM snapback_internal.hold_extension();
    END LOOP;
END
$$;
COMMENT ON PROCEDURE snapback.expire_all(interval) IS
    'Do the work of expire() in several transactions, so that captures and restores can start in between. A batch takes about a quarter of a second, '
    'or the time of one snapshot. patience: how long to wait for a running capture or restore; then the procedure ends with a WARNING, and the next '
    'call continues. INFO messages report progress. Errors: 22023 patience is null or negative, 2D000 called in a transaction block';

CREATE FUNCTION snapback.forget(community text, OUT snapshots bigint, OUT chunks bigint, former_only boolean DEFAULT false)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    everything   boolean := former_only IS NOT TRUE;
    left_at      timestamptz; -- last time that the key was missing from the directory
    identity_now text;       -- of the community that has the key
    of_former    uuid[];      -- snapshots
    wishes       uuid[];
    runs         uuid[];
BEGIN
    IF forget.community IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'community must not be null';
    END IF;
    PERFORM snapback_internal.note_departures();
    -- A session that works for the community holds one of these row locks and may wait for the store lock later. Lock the rows first to avoid a deadlock.
    PERFORM FROM snapback.restore_run r WHERE r.community = forget.community FOR UPDATE;
    PERFORM FROM snapback.request r WHERE r.community = forget.community FOR UPDATE;
    PERFORM snapback_internal.lock_store(true);
    left_at := (SELECT max(d.noticed_at) FROM snapback.departure d WHERE d.community = forget.community);
    IF former_only THEN
        identity_now := (SELECT e.identity FROM snapback_internal.directory_entry(forget.community) e);
    END IF;
    of_former := ARRAY(SELECT d.id FROM snapback_internal.disowned_snapshots() d WHERE d.community = forget.community);
    wishes := ARRAY(SELECT r.id FROM snapback.request r WHERE r.community = forget.community
                    AND (everything OR r.snapshot = ANY (of_former) OR NOT snapback_internal.is_own_request(r)));
    runs := ARRAY(SELECT r.id FROM snapback.restore_run r WHERE r.community = forget.community
                  AND (everything OR r.snapshot = ANY (of_former) OR r.request = ANY (wishes)
                       OR NOT snapback_internal.same_community(r.community, r.identity, r.requested_at, identity_now)));
    DELETE FROM snapback.audit a
    WHERE a.community = forget.community AND (everything OR a.request = ANY (wishes) OR a.restore = ANY (runs) OR a.at <= left_at);
    DELETE FROM snapback.capture_failure f WHERE f.community = forget.community AND (everything OR f.failed_at <= left_at);
    DELETE FROM snapback.mail m WHERE m.request = ANY (wishes);
    DELETE FROM snapback.request r WHERE r.id = ANY (wishes);
    DELETE FROM snapback.restore_run r WHERE r.id = ANY (runs);
    DELETE FROM snapback.restore_epoch e WHERE e.community = forget.community AND everything;
    DELETE FROM snapback.departure d WHERE d.community = forget.community;
    SELECT d.snapshots, d.chunks INTO snapshots, chunks
    FROM snapback_internal.delete_snapshots(ARRAY(SELECT s.id FROM snapback.snapshot s
                                         WHERE s.community = forget.community AND (everything OR s.id = ANY (of_former)))) d;
    chunks := chunks + snapback_internal.sweep(ARRAY[forget.community]);
END
$$;
COMMENT ON FUNCTION snapback.forget(text, boolean) IS
    'Delete all stored data of a community: snapshots, requests, restores, mail and audit records. Call it when a community is deleted. Waits for '
    'running captures and restores. former_only: delete only the data of earlier communities with this key, not that of the community in the '
    'directory. Returns the numbers of deleted snapshots and chunks, zero for an unknown community. Errors: 22004 the community is NULL';

CREATE FUNCTION snapback_internal.strike(community text, table_id integer, keys text) RETURNS bigint
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_strike';
COMMENT ON FUNCTION snapback_internal.strike(text, integer, text) IS
    'Strike rows of one table from the community''s snapshots, by keys in jsonb; the caller holds the store and sweeps it. Internal: call strike_rows().';

CREATE FUNCTION snapback.strike_rows(community text, relation regclass, keys jsonb) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    struck bigint;
BEGIN
    IF num_nonnulls(strike_rows.community, strike_rows.relation, strike_rows.keys) < 3 THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'name the community, its table, and the keys of the rows to strike';
    END IF;
    IF jsonb_typeof(keys) <> 'array' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'keys must be a jsonb array',
            HINT = 'For example [{"id": 7}].';
    END IF;
    PERFORM snapback_internal.lock_store(true);
    struck := snapback_internal.strike(strike_rows.community, snapback_internal.protected_table_id(relation), keys::text);
    PERFORM snapback_internal.sweep(ARRAY[strike_rows.community]);
    -- What a strict request was refused for may name values that were in the way.
    UPDATE snapback.restore_run r SET changed = NULL WHERE r.community = strike_rows.community AND r.changed IS NOT NULL;
    RETURN struck;
END
$$;
COMMENT ON FUNCTION snapback.strike_rows(text, regclass, jsonb) IS
    'Erase single rows from every snapshot of a community, so that no restore brings them back: [{"key column": value}, …]. Waits for captures and restores to end. '
    'Returns how many rows went, counted in each snapshot; rows that a snapshot does not hold are passed over. The keys that restores have noted of them go too, and the plans that strict requests were refused for. '
    'The live rows are not touched, nor the switches of requests that named rows by key. '
    'Errors: 42704 not a protected table, 22023 no keys of it, SB009 its key has changed since a snapshot, XX001 damaged';
