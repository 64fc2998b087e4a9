-- The end of snapshots: by age, or because a community is erased.

CREATE FUNCTION snapback.lock_store(wait boolean) RETURNS boolean
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_lock_store';
COMMENT ON FUNCTION snapback.lock_store(boolean) IS
    'Take the store for a sweep until the transaction ends: no capture or restore is under way and none begins. '
    'False where that would mean to wait and wait is false. Internal.';

CREATE FUNCTION snapback.expire(OUT snapshots bigint, OUT chunks bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    communities text[];
BEGIN
    snapshots := 0;
    chunks := 0;
    IF NOT snapback.lock_store(false) THEN
        RETURN;
    END IF;
    WITH gone AS (
        DELETE FROM snapback.snapshot s
        WHERE s.captured_at + snapback.retention() <= clock_timestamp()
        RETURNING s.community
    )
    SELECT count(*), array_agg(DISTINCT g.community) INTO snapshots, communities FROM gone g;
    chunks := snapback.sweep(communities);
    PERFORM snapback.forget_columns(ARRAY(SELECT k.relation FROM snapback.known_columns k
                                          WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = k.relation)));
    DELETE FROM snapback.known_labels k WHERE NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = k.type);
    DELETE FROM snapback.label_rename r WHERE NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = r.type);
    DELETE FROM snapback.capture_failure f WHERE f.failed_at + snapback.retention() <= clock_timestamp();
    PERFORM snapback.prune_record();
END
$$;
COMMENT ON FUNCTION snapback.expire() IS
    'Delete the snapshots that are older than snapback.retention, and the chunks that no other snapshot refers to; return how many of each. '
    'Also prune the record: failed captures after snapback.retention, requests, restores, their mail and audit after snapback.audit_retention. '
    'Does nothing while a capture or a restore is under way: the next call will';

CREATE FUNCTION snapback.sweep(communities text[]) RETURNS bigint
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
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
    ), shapes AS (
        DELETE FROM snapback.shape h
        WHERE NOT EXISTS (SELECT FROM snapback.snapshot_table m WHERE m.shape = h.sha256)
    )
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION snapback.sweep(text[]) IS
    'Delete the chunks of these communities, and the table descriptions of all, that no snapshot refers to; return how many chunks. The caller holds the store. Internal.';

CREATE FUNCTION snapback.forget(community text, OUT snapshots bigint, OUT chunks bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF forget.community IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'name the community to forget';
    END IF;
    -- Whoever is at work for the community has one of these rows, and may come to wait for the store.
    PERFORM FROM snapback.restore_run r WHERE r.community = forget.community FOR UPDATE;
    PERFORM FROM snapback.request r WHERE r.community = forget.community FOR UPDATE;
    PERFORM snapback.lock_store(true);
    DELETE FROM snapback.mail m USING snapback.request r WHERE r.id = m.request AND r.community = forget.community;
    DELETE FROM snapback.request r WHERE r.community = forget.community;
    DELETE FROM snapback.restore_run r WHERE r.community = forget.community;
    DELETE FROM snapback.audit a WHERE a.community = forget.community;
    DELETE FROM snapback.capture_failure f WHERE f.community = forget.community;
    DELETE FROM snapback.restore_epoch e WHERE e.community = forget.community;
    WITH gone AS (DELETE FROM snapback.snapshot s WHERE s.community = forget.community RETURNING 1)
    SELECT count(*) INTO snapshots FROM gone;
    chunks := snapback.sweep(ARRAY[forget.community]);
END
$$;
COMMENT ON FUNCTION snapback.forget(text) IS
    'Erase all that is kept of a community: snapshots, requests, restores, mail and the record of them. Waits for captures and restores to end. '
    'Returns how many snapshots and chunks went; zero for a community that nothing is kept of';

CREATE FUNCTION snapback.strike(community text, table_id integer, keys text) RETURNS bigint
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_strike';
COMMENT ON FUNCTION snapback.strike(text, integer, text) IS
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
    PERFORM snapback.lock_store(true);
    struck := snapback.strike(strike_rows.community, snapback.protected_table_id(relation), keys::text);
    PERFORM snapback.sweep(ARRAY[strike_rows.community]);
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
