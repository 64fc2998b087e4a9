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
    DELETE FROM snapback.capture_difference d WHERE d.captured_at + snapback_internal.retention() <= clock_timestamp();
    DELETE FROM snapback.departure d
    WHERE NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.community = d.community AND s.captured_at <= d.noticed_at);
END
$$;
COMMENT ON FUNCTION snapback_internal.prune() IS
    'Delete records of dropped tables and types, failed captures after snapback.retention, and departures that are older than every snapshot of their '
    'community. The caller holds the store lock. Internal.';

CREATE FUNCTION snapback_internal.prune_removed_keys() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Before the bases are read: a capture that has not stored its basis by then has a snapshot in use.
    oldest xid8 := snapback_internal.oldest_transaction();
BEGIN
    PERFORM snapback_internal.delete_removed_keys(least(oldest, snapback_internal.oldest_basis()));
END
$$;
COMMENT ON FUNCTION snapback_internal.prune_removed_keys() IS
    'Delete the keys of removed rows that no snapshot needs in order to find the changes since. Needs no store lock. Internal.';

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
    PERFORM snapback_internal.prune(), snapback_internal.prune_removed_keys(), snapback_internal.prune_record();
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

-- The phases of expire_all(). A procedure that commits cannot have a SET clause, so start_batch() sets the search path of each transaction.

CREATE PROCEDURE snapback_internal.start_batch()
    LANGUAGE plpgsql
AS $$
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    SET LOCAL search_path = pg_catalog, pg_temp;
    PERFORM snapback_internal.hold_extension();
END
$$;
COMMENT ON PROCEDURE snapback_internal.start_batch() IS 'Commit, and begin the transaction of the next batch. Internal.';

CREATE PROCEDURE snapback_internal.await_store(patience interval, INOUT in_time boolean)
    LANGUAGE plpgsql
AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + patience;
BEGIN
    LOOP
        in_time := snapback_internal.lock_store(false);
        EXIT WHEN in_time;
        PERFORM pg_sleep(0.1);
        EXIT WHEN clock_timestamp() >= deadline;
        CALL snapback_internal.start_batch();
    END LOOP;
END
$$;
COMMENT ON PROCEDURE snapback_internal.await_store(interval, boolean) IS
    'Take the store lock until the transaction ends, or set in_time to false if captures and restores hold it for longer than patience. Internal.';

CREATE PROCEDURE snapback_internal.report_progress(message text, is_last boolean, INOUT reported_at timestamptz)
    LANGUAGE plpgsql
AS $$
BEGIN
    IF is_last OR clock_timestamp() >= reported_at + interval '10 s' THEN
        RAISE INFO '%', message;
        reported_at := clock_timestamp();
    END IF;
END
$$;
COMMENT ON PROCEDURE snapback_internal.report_progress(text, boolean, timestamptz) IS
    'Raise an INFO message if it is the last one, or if the previous one is ten seconds old. Internal.';

CREATE PROCEDURE snapback_internal.delete_expired_snapshots(patience interval, INOUT deleted integer, INOUT expired integer, INOUT in_time boolean)
    LANGUAGE plpgsql
AS $$
DECLARE
    doomed      uuid[] := snapback_internal.expired_snapshots();
    batch       integer := 1;
    began       timestamptz;
    reported_at timestamptz := clock_timestamp();
BEGIN
    deleted := 0;
    expired := cardinality(doomed);
    WHILE deleted < expired LOOP
        CALL snapback_internal.await_store(patience, in_time);
        EXIT WHEN NOT in_time;
        began := clock_timestamp();
        PERFORM snapback_internal.delete_snapshots(doomed[deleted + 1:deleted + batch]);
        deleted := least(deleted + batch, expired);
        CALL snapback_internal.start_batch();
        batch := snapback_internal.next_batch(batch, clock_timestamp() - began, 1000);
        CALL snapback_internal.report_progress(format('deleted %s of %s expired snapshots', deleted, expired), deleted = expired, reported_at);
    END LOOP;
END
$$;
COMMENT ON PROCEDURE snapback_internal.delete_expired_snapshots(interval, integer, integer, boolean) IS
    'Delete the expired snapshots in batches; in_time as in await_store(). Internal.';

CREATE PROCEDURE snapback_internal.sweep_some(patience interval, to_sweep integer, INOUT unswept text[], INOUT at_once integer, INOUT batch integer,
    INOUT reported_at timestamptz, INOUT moved boolean, INOUT in_time boolean)
    LANGUAGE plpgsql
AS $$
DECLARE
    began       timestamptz := clock_timestamp();
    communities text[] := unswept[:at_once];
    states      bytea[] := snapback_internal.manifest_states(communities);
    at_most     integer := 100000; -- unreferenced chunks in memory
    orphans     record := snapback_internal.unreferenced_chunks(communities, at_most);
    swept       integer := 0;
    unchanged   text[];
BEGIN
    at_once := snapback_internal.next_batch(at_once, clock_timestamp() - began, 100);
    moved := false;
    LOOP
        CALL snapback_internal.await_store(patience, in_time);
        EXIT WHEN NOT in_time;
        began := clock_timestamp();
        -- A capture may now reference chunks that were unreferenced: process its community again.
        unchanged := snapback_internal.unchanged_communities(communities, states);
        PERFORM snapback_internal.delete_chunks(orphans.owners[swept + 1:swept + batch], orphans.digests[swept + 1:swept + batch], unchanged);
        swept := swept + batch;
        IF (swept >= cardinality(orphans.digests) OR unchanged = '{}') AND cardinality(orphans.digests) < at_most THEN
            DELETE FROM snapback.unswept u WHERE u.community = ANY (unchanged);
            unswept := unswept[cardinality(communities) + 1:] || ARRAY(SELECT c FROM unnest(communities) AS c WHERE c <> ALL (unchanged));
        END IF;
        CALL snapback_internal.start_batch();
        CALL snapback_internal.report_progress(format('swept the chunks of %s of %s communities', to_sweep - cardinality(unswept), to_sweep), unswept = '{}', reported_at);
        EXIT WHEN unchanged = '{}';
        moved := true;
        batch := snapback_internal.next_batch(batch, clock_timestamp() - began, 1000);
        EXIT WHEN swept >= cardinality(orphans.digests);
    END LOOP;
END
$$;
COMMENT ON PROCEDURE snapback_internal.sweep_some(interval, integer, text[], integer, integer, timestamptz, boolean, boolean) IS
    'Delete the unreferenced chunks of the first at_once communities of unswept in batches. Remove those that are done, and move those whose manifests have '
    'changed to the end. to_sweep: the number of communities at the start. moved: whether chunks could be deleted; in_time as in await_store(). The chunks are compared with the manifests without the store lock, '
    'since that may take long. Internal.';

CREATE PROCEDURE snapback_internal.sweep_chunks(patience interval, INOUT remaining integer, INOUT in_time boolean)
    LANGUAGE plpgsql
AS $$
DECLARE
    unswept     text[] := snapback_internal.unswept_communities();
    to_sweep    integer := cardinality(unswept);
    at_once     integer := 1;
    batch       integer := 100;
    moved       boolean;
    moved_at    timestamptz := clock_timestamp();
    reported_at timestamptz := moved_at;
BEGIN
    remaining := to_sweep;
    WHILE in_time AND remaining > 0 LOOP
        CALL snapback_internal.sweep_some(patience, to_sweep, unswept, at_once, batch, reported_at, moved, in_time);
        remaining := cardinality(unswept);
        IF moved THEN
            moved_at := clock_timestamp();
        ELSE
            in_time := in_time AND clock_timestamp() < moved_at + patience;
        END IF;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE snapback_internal.sweep_chunks(interval, integer, boolean) IS
    'Delete the chunks that no snapshot references in batches. remaining: the number of communities that are not done; in_time is false if captures and '
    'restores prevented progress for longer than patience. Internal.';

CREATE PROCEDURE snapback.expire_all(patience interval DEFAULT '1 minute')
    LANGUAGE plpgsql
AS $$
DECLARE
    deleted   integer;
    expired   integer;
    remaining integer; -- communities to sweep
    in_time   boolean := true;
BEGIN
    SET LOCAL search_path = pg_catalog, pg_temp;
    IF patience IS NULL OR patience < interval '0' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'patience must not be null or negative';
    END IF;
    CALL snapback_internal.start_batch();
    CALL snapback_internal.delete_expired_snapshots(patience, deleted, expired, in_time);
    IF in_time THEN
        CALL snapback_internal.sweep_chunks(patience, remaining, in_time);
    END IF;
    IF in_time THEN
        CALL snapback_internal.await_store(patience, in_time);
    END IF;
    IF NOT in_time THEN
        RAISE WARNING USING MESSAGE = 'expiration ended early because a capture or a restore is running',
            DETAIL = concat_ws(' ', format('%s of %s expired snapshots were deleted.', deleted, expired),
                               CASE WHEN remaining > 0 THEN format('The chunks of %s communities remain to be swept.', remaining) END),
            HINT = 'The next call continues.';
        RETURN;
    END IF;
    PERFORM snapback_internal.prune();
    CALL snapback_internal.start_batch();
    PERFORM snapback_internal.prune_removed_keys();
    CALL snapback_internal.start_batch();
    PERFORM snapback_internal.prune_record();
END
$$;
COMMENT ON PROCEDURE snapback.expire_all(interval) IS
    'Do the same as expire() in batches that commit, so that captures and restores can start in between. Delete expired snapshots first, then chunks that '
    'no other snapshot references, including those that an earlier call left. A batch takes about a quarter of a second and deletes at most 1000 '
    'snapshots or chunks. patience: how long to wait for a running capture or restore; afterwards the procedure ends with a WARNING, and the next call '
    'continues. INFO messages report progress every ten seconds. Errors: 22023 patience is NULL or negative, 2D000 in a transaction block';
