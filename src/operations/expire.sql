-- The end of snapshots by age.

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
