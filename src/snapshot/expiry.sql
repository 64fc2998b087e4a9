-- The end of snapshots: by age, or because a community is erased.

CREATE FUNCTION snapback_internal.lock_store(wait boolean) RETURNS boolean
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_lock_store';
COMMENT ON FUNCTION snapback_internal.lock_store(boolean) IS
    'Take the store for a sweep until the transaction ends: no capture or restore is under way and none begins. '
    'False where that would mean to wait and wait is false. Internal.';

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
    'Delete the chunks of these communities that no snapshot refers to; return how many. The caller holds the store. Internal.';

-- What many snapshots share is looked up by index in any case: the planner's figures may be those of the night before.
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
    -- A shape in use is nearly always that of a table set, which is found at once.
    DELETE FROM snapback.shape h
    WHERE h.sha256 = ANY (shapes)
      AND CASE WHEN EXISTS (SELECT FROM snapback.table_set_member m WHERE m.shape = h.sha256) THEN false
               ELSE NOT EXISTS (SELECT FROM snapback.snapshot_table m WHERE m.shape = h.sha256) END;
    chunks := snapback_internal.sweep(communities);
END
$$;
COMMENT ON FUNCTION snapback_internal.delete_snapshots(uuid[]) IS
    'Delete these snapshots, and what no other snapshot refers to: table sets, table descriptions and chunks; return how many snapshots and chunks went. '
    'The caller holds the store. Internal.';

CREATE FUNCTION snapback_internal.expired_snapshots() RETURNS uuid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(s.id ORDER BY s.community, s.captured_at), '{}')
    FROM snapback.snapshot s WHERE s.captured_at + snapback_internal.retention() <= clock_timestamp()
$$;
COMMENT ON FUNCTION snapback_internal.expired_snapshots() IS 'The snapshots that are older than snapback.retention, those of a community side by side. Internal.';

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
COMMENT ON FUNCTION snapback_internal.prune() IS 'Delete what is remembered of tables and types that are gone, failed captures after snapback.retention, departures that no snapshot is older than, and the record as prune_record() does. Internal.';

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
    'Delete the snapshots that are older than snapback.retention, and the chunks that no other snapshot refers to; return how many of each. '
    'Also prune the record: failed captures after snapback.retention, requests, restores, their mail and audit after snapback.audit_retention. '
    'Does nothing while a capture or a restore is under way: the next call will. None can begin before the transaction ends: where there is much '
    'to delete, CALL snapback.expire_all()';

CREATE PROCEDURE snapback.expire_all(patience interval DEFAULT '1 minute')
    LANGUAGE plpgsql
AS $$
DECLARE
    doomed pg_catalog.uuid[]; -- looked for before any SET
    free_at pg_catalog.timestamptz;
    locked_at pg_catalog.timestamptz;
    took interval;
    deleted integer := 0;
    batch integer := 10;
BEGIN
    -- A procedure that commits cannot have a SET clause, and what it sets locally ends with each transaction.
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
            RAISE WARNING USING MESSAGE = 'expiry ends early: a capture or a restore is under way',
                DETAIL = format('%s of %s expired snapshots were deleted.', deleted, cardinality(doomed)), HINT = 'The next call goes on.';
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
    'What expire() does, in batches that commit, so that captures and restores can begin in between: a batch takes about a quarter of a second, or as long as one snapshot does. '
    'patience: how long to wait for a capture or a restore that is under way, before what is left is left to the next call, with a WARNING. Progress is reported with INFO messages. '
    'Errors: 22023 patience is null or negative, 2D000 in a transaction block';

CREATE FUNCTION snapback.forget(community text, OUT snapshots bigint, OUT chunks bigint, former_only boolean DEFAULT false)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    everything   boolean := former_only IS NOT TRUE;
    left_at      timestamptz; -- when a community with this key was last missing from the directory
    identity_now text;       -- of the community that has the key
    of_former    uuid[];      -- snapshots
    requests     uuid[];
    runs         uuid[];
BEGIN
    IF forget.community IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'name the community to forget';
    END IF;
    PERFORM snapback_internal.note_departures();
    -- Whoever is at work for the community has one of these rows, and may come to wait for the store.
    PERFORM FROM snapback.restore_run r WHERE r.community = forget.community FOR UPDATE;
    PERFORM FROM snapback.request r WHERE r.community = forget.community FOR UPDATE;
    PERFORM snapback_internal.lock_store(true);
    left_at := (SELECT max(d.noticed_at) FROM snapback.departure d WHERE d.community = forget.community);
    IF former_only THEN
        identity_now := (SELECT e.identity FROM snapback_internal.directory_entry(forget.community) e);
    END IF;
    of_former := ARRAY(SELECT d.id FROM snapback_internal.disowned_snapshots() d WHERE d.community = forget.community);
    requests := ARRAY(SELECT r.id FROM snapback.request r WHERE r.community = forget.community
                    AND (everything OR r.snapshot = ANY (of_former) OR NOT snapback_internal.is_own_request(r)));
    runs := ARRAY(SELECT r.id FROM snapback.restore_run r WHERE r.community = forget.community
                  AND (everything OR r.snapshot = ANY (of_former) OR r.request = ANY (requests)
                       OR NOT snapback_internal.same_community(r.community, r.identity, r.requested_at, identity_now)));
    DELETE FROM snapback.audit a
    WHERE a.community = forget.community AND (everything OR a.request = ANY (requests) OR a.restore = ANY (runs) OR a.at <= left_at);
    DELETE FROM snapback.capture_failure f WHERE f.community = forget.community AND (everything OR f.failed_at <= left_at);
    DELETE FROM snapback.mail m WHERE m.request = ANY (requests);
    DELETE FROM snapback.request r WHERE r.id = ANY (requests);
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
    'Erase all that is kept of a community: snapshots, requests, restores, mail and the record of them. To be called when a community is deleted. Waits for captures and restores to end. '
    'former_only: leave what belongs to the community that the directory lists under this key now, and erase what was kept of earlier ones. '
    'Returns how many snapshots and chunks went; zero for a community that nothing is kept of';

CREATE FUNCTION snapback_internal.erase(community text, table_id integer, keys text) RETURNS bigint
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_erase';
COMMENT ON FUNCTION snapback_internal.erase(text, integer, text) IS
    'Erase rows of one table from the community''s snapshots, by keys in jsonb; the caller holds the store and sweeps it. Internal: call erase_rows().';

CREATE FUNCTION snapback.erase_rows(community text, relation regclass, keys jsonb) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    erased bigint;
BEGIN
    IF num_nonnulls(erase_rows.community, erase_rows.relation, erase_rows.keys) < 3 THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'name the community, its table, and the keys of the rows to erase';
    END IF;
    IF jsonb_typeof(keys) <> 'array' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'keys must be a jsonb array',
            HINT = 'For example [{"id": 7}].';
    END IF;
    PERFORM snapback_internal.lock_store(true);
    erased := snapback_internal.erase(erase_rows.community, snapback_internal.protected_table_id(relation), keys::text);
    PERFORM snapback_internal.sweep(ARRAY[erase_rows.community]);
    -- What a strict request was refused for may name values that were in the way.
    UPDATE snapback.restore_run r SET changed = NULL WHERE r.community = erase_rows.community AND r.changed IS NOT NULL;
    RETURN erased;
END
$$;
COMMENT ON FUNCTION snapback.erase_rows(text, regclass, jsonb) IS
    'Erase single rows from every snapshot of a community, so that no restore brings them back: [{"key column": value}, …]. Waits for captures and restores to end. '
    'Returns how many rows went, counted in each snapshot; rows that a snapshot does not hold are passed over. The keys that restores have noted of them go too, and the plans that strict requests were refused for. '
    'The live rows are not touched, nor the switches of requests that named rows by key. '
    'Errors: 42704 not a protected table, 22023 no keys of it, SB009 its key has changed since a snapshot, XX001 damaged';
