-- Deletes snapshots by age.

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
    'Delete records of dropped tables and types, failed captures after snapback.retention, and departures that are older than every snapshot of their '
    'community. The caller holds the store lock. Internal.';

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
    'Delete the snapshots that are older than snapback.retention, and the chunks that no other snapshot references; return the number of each. Also '
    'delete failed captures after snapback.retention, and requests, restores, mails and the audit after snapback.audit_retention. Does nothing while a '
    'capture or a restore runs. Captures and restores wait until the transaction ends; to delete many snapshots, use CALL snapback.expire_all(). Errors: '
    '25001 above READ COMMITTED';

CREATE FUNCTION snapback_internal.next_batch(size integer, took interval, at_most integer) RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN took > interval '0.4 s' THEN greatest(size / 2, 1) WHEN took < interval '0.1 s' THEN least(size * 2, at_most) ELSE size END
$$;
COMMENT ON FUNCTION snapback_internal.next_batch(integer, interval, integer) IS
    'Return the size of the next batch so that it takes about a quarter of a second. took: the time of the last batch, NULL if unknown. Internal.';

CREATE PROCEDURE snapback.expire_all(patience interval DEFAULT '1 minute')
    LANGUAGE plpgsql
AS $$
DECLARE
    doomed pg_catalog.uuid[];          -- the snapshots to delete; determined after the SET
    deleted integer := 0;              -- number of deleted ones
    unswept pg_catalog.text[];         -- afterwards: the communities whose chunks are still to be swept
    to_sweep integer;                  -- their number at the start
    at_hand pg_catalog.text[] := '{}'; -- the first of them, which are being swept
    at_once integer := 1;              -- number of these
    states pg_catalog.bytea[];         -- their manifest states before the chunks were compared
    orphans pg_catalog.record;         -- their unreferenced chunks
    at_most integer := 100000;         -- maximum number of these in memory
    swept integer;                     -- number of processed ones
    unchanged pg_catalog.text[];       -- communities in at_hand whose manifests have not changed
    batch integer := 1;                -- snapshots or chunks to delete before the store lock is released
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
        -- Comparing chunks with manifests may take long, so it runs without the store lock.
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
            -- A capture may now reference chunks that were unreferenced: process its community again.
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
            RAISE WARNING USING MESSAGE = 'expiration ended early because a capture or a restore is running',
                DETAIL = concat_ws(' ', format('%s of %s expired snapshots were deleted.', deleted, cardinality(doomed)),
                                   CASE WHEN unswept <> '{}' THEN format('The chunks of %s communities remain to be swept.', cardinality(unswept)) END),
                HINT = 'The next call continues.';
            RETURN;
        END IF;
    END LOOP;
    COMMIT;
    SET LOCAL search_path = pg_catalog, pg_temp;
    PERFORM snapback_internal.hold_extension(), snapback_internal.prune_record();
END
$$;
COMMENT ON PROCEDURE snapback.expire_all(interval) IS
    'Do the same as expire() in batches that commit, so that captures and restores can start in between. Delete expired snapshots first, then chunks that '
    'no other snapshot references, including those that an earlier call left. A batch takes about a quarter of a second and deletes at most 1000 '
    'snapshots or chunks. patience: how long to wait for a running capture or restore; afterwards the procedure ends with a WARNING, and the next call '
    'continues. INFO messages report progress every ten seconds. Errors: 22023 patience is NULL or negative, 2D000 in a transaction block';
