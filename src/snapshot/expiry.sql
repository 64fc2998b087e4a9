-- Deletes snapshots by age, or all data of a community.

CREATE FUNCTION snapback_internal.lock_store(wait boolean) RETURNS boolean
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_lock_store';
COMMENT ON FUNCTION snapback_internal.lock_store(boolean) IS
    'Take the store for a sweep until the transaction ends: no capture or restore is under way and none begins. '
    'False where that would mean to wait and wait is false. Errors: 25001 above READ COMMITTED. Internal.';

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
                FROM (SELECT DISTINCT s.community, substring(m.chunks FROM n * 32 + 1 FOR 32) AS sha256
                      FROM snapback.snapshot s
                      -- Read each list once, not for each of its digests.
                      CROSS JOIN LATERAL (SELECT t.chunks || ''::bytea AS chunks FROM snapback.snapshot_table t WHERE t.snapshot = s.id OFFSET 0) m
                      CROSS JOIN LATERAL generate_series(0, length(m.chunks) / 32 - 1) AS n
                      WHERE s.community = ANY (communities)) r
                WHERE r.community = c.community AND r.sha256 = c.sha256)
          ORDER BY c.community, c.sha256
          LIMIT at_most) o
$$;
COMMENT ON FUNCTION snapback_internal.unreferenced_chunks(text[], integer) IS
    'The chunks of these communities that no snapshot refers to, by community and SHA-256: the first at_most of them. Internal.';

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
    'Delete chunks by community and SHA-256, but only those of some communities; return how many. The caller holds the store. Internal.';

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
    'The communities that may have chunks which no snapshot refers to: those that are noted in snapback.unswept, and those that have chunks and no snapshot. Internal.';

CREATE FUNCTION snapback_internal.manifest_states(communities text[]) RETURNS bytea[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
    SELECT coalesce(array_agg((SELECT sha256(string_agg(uuid_send(s.id) || s.manifest_sha256, ''::bytea ORDER BY s.id))
                               FROM snapback.snapshot s WHERE s.community = l.community) ORDER BY l.place), '{}')
    FROM unnest(communities) WITH ORDINALITY AS l(community, place)
$$;
COMMENT ON FUNCTION snapback_internal.manifest_states(text[]) IS
    'For each of these communities, in order, a digest of which snapshots it has and of what they refer to; null where it has none. Internal.';

CREATE FUNCTION snapback_internal.unchanged_communities(communities text[], states bytea[]) RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(u.community), '{}')
    FROM ROWS FROM (unnest(communities), unnest(states), unnest(snapback_internal.manifest_states(communities))) AS u(community, state_then, state_now)
    WHERE u.state_then IS NOT DISTINCT FROM u.state_now
$$;
COMMENT ON FUNCTION snapback_internal.unchanged_communities(text[], bytea[]) IS
    'Those of these communities whose snapshots are the same, and refer to the same chunks, as when manifest_states() returned these states. Internal.';

-- What many snapshots share is looked up by index in any case: the planner's figures may be those of the night before.
CREATE FUNCTION snapback_internal.delete_snapshots(doomed uuid[]) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    snapshots bigint;
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
    INSERT INTO snapback.unswept (community) SELECT unnest(communities) ON CONFLICT DO NOTHING;
    SELECT array_agg(t.id) INTO table_sets FROM snapback.table_set t
    WHERE t.id = ANY (table_sets) AND NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.table_set = t.id);
    shapes := shapes || ARRAY(SELECT DISTINCT m.shape FROM snapback.table_set_member m WHERE m.table_set = ANY (table_sets));
    DELETE FROM snapback.table_set t WHERE t.id = ANY (table_sets);
    -- Check the table sets first: they reference nearly all shapes in use.
    DELETE FROM snapback.shape h
    WHERE h.sha256 = ANY (shapes)
      AND CASE WHEN EXISTS (SELECT FROM snapback.table_set_member m WHERE m.shape = h.sha256) THEN false
               ELSE NOT EXISTS (SELECT FROM snapback.snapshot_table m WHERE m.shape = h.sha256) END;
    RETURN snapshots;
END
$$;
COMMENT ON FUNCTION snapback_internal.delete_snapshots(uuid[]) IS
    'Delete these snapshots, and the table sets and table descriptions that no other snapshot refers to; return how many snapshots there were. '
    'Their communities are noted in snapback.unswept until their chunks are swept. The caller holds the store. Internal.';

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
END
$$;
COMMENT ON FUNCTION snapback_internal.prune() IS
    'Delete what is remembered of tables and types that are gone, failed captures after snapback.retention, and departures that no snapshot is older than. '
    'The caller holds the store. Internal.';

CREATE FUNCTION snapback.expire(OUT snapshots bigint, OUT chunks bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    snapshots := 0;
    chunks := 0;
    IF NOT snapback_internal.lock_store(false) THEN
        RETURN;
    END IF;
    snapshots := snapback_internal.delete_snapshots(snapback_internal.expired_snapshots());
    chunks := snapback_internal.sweep(snapback_internal.unswept_communities());
    PERFORM snapback_internal.prune(), snapback_internal.prune_record();
END
$$;
COMMENT ON FUNCTION snapback.expire() IS
    'Delete the snapshots that are older than snapback.retention, and the chunks that no other snapshot refers to; return how many of each. '
    'Also prune the record: failed captures after snapback.retention, requests, restores, their mail and audit after snapback.audit_retention. '
    'Does nothing while a capture or a restore is under way: the next call will. None can begin before the transaction ends: where there is much '
    'to delete, CALL snapback.expire_all(). Errors: 25001 above READ COMMITTED';

CREATE FUNCTION snapback_internal.next_batch(size integer, took interval, at_most integer) RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN took > interval '0.4 s' THEN greatest(size / 2, 1) WHEN took < interval '0.1 s' THEN least(size * 2, at_most) ELSE size END
$$;
COMMENT ON FUNCTION snapback_internal.next_batch(integer, interval, integer) IS
    'How large the next batch is to be, for it to take about a quarter of a second, where one of this size took so long (null: not known). Internal.';

CREATE PROCEDURE snapback.expire_all(patience interval DEFAULT '1 minute')
    LANGUAGE plpgsql
AS $$
DECLARE
    doomed pg_catalog.uuid[];          -- the snapshots to delete; looked for after the SET
    deleted integer := 0;              -- how many of them are deleted
    unswept pg_catalog.text[];         -- then, the communities whose chunks are to be swept
    to_sweep integer;                  -- how many there were
    at_hand pg_catalog.text[] := '{}'; -- the first of them, that are being swept
    at_once integer := 1;              -- how many
    states pg_catalog.bytea[];         -- what they had for manifests before their chunks were compared with these
    orphans pg_catalog.record;         -- the chunks that no manifest has
    at_most integer := 100000;         -- how many are kept in memory
    swept integer;                     -- how many of them are done with
    unchanged pg_catalog.text[];       -- the communities at hand that still have the same manifests
    batch integer := 1;                -- how many snapshots, or chunks, to delete before the store is given back
    moved boolean;
    moved_at pg_catalog.timestamptz;
    reported_at pg_catalog.timestamptz;
    began pg_catalog.timestamptz;
BEGIN
    -- A procedure that commits cannot have a SET clause, and SET LOCAL ends with each transaction.
    SET LOCAL search_path = pg_catalog, pg_temp;
    IF patience IS NULL OR patience < interval '0' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'patience must not be null or negative';
    END IF;
    moved_at := clock_timestamp();
    reported_at := moved_at;
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        SET LOCAL search_path = pg_catalog, pg_temp;
        PERFORM snapback_internal.hold_extension();
        batch := snapback_internal.next_batch(batch, clock_timestamp() - began, 1000);
        began := NULL;
        doomed := coalesce(doomed, snapback_internal.expired_snapshots());
        -- What may take long is done without the store: to compare chunks with manifests.
        IF deleted = cardinality(doomed) AND at_hand = '{}' AND unswept IS DISTINCT FROM '{}' THEN
            IF unswept IS NULL THEN
                unswept := snapback_internal.unswept_communities();
                to_sweep := cardinality(unswept);
                batch := 100;
            END IF;
            began := clock_timestamp();
            at_hand := unswept[:at_once];
            states := snapback_internal.manifest_states(at_hand);
            orphans := snapback_internal.unreferenced_chunks(at_hand, at_most);
            swept := 0;
            at_once := snapback_internal.next_batch(at_once, clock_timestamp() - began, 100);
            began := NULL;
        END IF;
        moved := false;
        IF NOT snapback_internal.lock_store(false) THEN
            PERFORM pg_sleep(0.1);
        ELSIF deleted < cardinality(doomed) THEN
            began := clock_timestamp();
            PERFORM snapback_internal.delete_snapshots(doomed[deleted + 1:deleted + batch]);
            deleted := least(deleted + batch, cardinality(doomed));
            moved := true;
            IF deleted = cardinality(doomed) OR clock_timestamp() >= reported_at + interval '10 s' THEN
                RAISE INFO 'deleted % of % expired snapshots', deleted, cardinality(doomed);
                reported_at := clock_timestamp();
            END IF;
        ELSIF at_hand <> '{}' THEN
            began := clock_timestamp();
            -- A capture may refer by now to chunks that no manifest had: its community is looked through again.
            unchanged := snapback_internal.unchanged_communities(at_hand, states);
            PERFORM snapback_internal.delete_chunks(orphans.owners[swept + 1:swept + batch], orphans.digests[swept + 1:swept + batch], unchanged);
            swept := swept + batch;
            moved := unchanged <> '{}';
            IF swept >= cardinality(orphans.digests) OR NOT moved THEN
                IF cardinality(orphans.digests) < at_most THEN
                    DELETE FROM snapback.unswept u WHERE u.community = ANY (unchanged);
                    unswept := unswept[cardinality(at_hand) + 1:] || ARRAY(SELECT c FROM unnest(at_hand) AS c WHERE c <> ALL (unchanged));
                END IF;
                at_hand := '{}';
            END IF;
            IF unswept = '{}' OR clock_timestamp() >= reported_at + interval '10 s' THEN
                RAISE INFO 'swept the chunks of % of % communities', to_sweep - cardinality(unswept), to_sweep;
                reported_at := clock_timestamp();
            END IF;
        ELSE
            PERFORM snapback_internal.prune();
            EXIT;
        END IF;
        IF moved THEN
            moved_at := clock_timestamp();
        ELSIF clock_timestamp() >= moved_at + patience THEN
            RAISE WARNING USING MESSAGE = 'expiry ends early: a capture or a restore is under way',
                DETAIL = concat_ws(' ', format('%s of %s expired snapshots were deleted.', deleted, cardinality(doomed)),
                                   CASE WHEN unswept <> '{}' THEN format('The chunks of %s communities remain to be swept.', cardinality(unswept)) END),
                HINT = 'The next call goes on.';
            RETURN;
        END IF;
    END LOOP;
    COMMIT;
    SET LOCAL search_path = pg_catalog, pg_temp;
    PERFORM snapback_internal.hold_extension(), snapback_internal.prune_record();
END
$$;
COMMENT ON PROCEDURE snapback.expire_all(interval) IS
    'What expire() does, in batches that commit, so that captures and restores can begin in between: first snapshots are deleted, then the chunks that no other snapshot refers to. '
    'A batch takes about a quarter of a second, and deletes at most 1000 snapshots or chunks; chunks that an earlier call has left are deleted too. '
    'patience: how long to wait for a capture or a restore that is under way, before what is left is left to the next call, with a WARNING. Progress is reported with INFO messages, every ten seconds. '
    'Errors: 22023 patience is null or negative, 2D000 in a transaction block';

CREATE FUNCTION snapback.forget(community text, OUT snapshots bigint, OUT chunks bigint, former_only boolean DEFAULT false)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    everything   boolean := former_only IS NOT TRUE;
    left_at      timestamptz; -- last time that the key was missing from the directory
    identity_now text;       -- of the community that has the key
    of_former    uuid[];      -- snapshots
    requests     uuid[];
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
    snapshots := snapback_internal.delete_snapshots(ARRAY(SELECT s.id FROM snapback.snapshot s
                                                 WHERE s.community = forget.community AND (everything OR s.id = ANY (of_former))));
    chunks := snapback_internal.sweep(ARRAY[forget.community]);
END
$$;
COMMENT ON FUNCTION snapback.forget(text, boolean) IS
    'Erase all that is kept of a community: snapshots, requests, restores, mail and the record of them. To be called when a community is deleted. Waits for captures and restores to end. '
    'former_only: leave what belongs to the community that the directory lists under this key now, and erase what was kept of earlier ones. '
    'Returns how many snapshots and chunks went; zero for a community that nothing is kept of. Errors: 22004 no community is named, 25001 above READ COMMITTED';

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
    'Errors: 25001 above READ COMMITTED, 42704 not a protected table, 22023 no keys of it, SB009 its key has changed since a snapshot, XX001 damaged';
