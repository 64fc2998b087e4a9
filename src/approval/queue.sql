-- Once a minute, completes what a transaction, a worker or a crash left behind.

CREATE FUNCTION snapback_internal.restore_is_abandoned(restore uuid) RETURNS boolean
LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_restore_is_abandoned';
COMMENT ON FUNCTION snapback_internal.restore_is_abandoned(uuid) IS
    'Return whether no background worker runs this restore; if true, none can start it until this transaction ends';

CREATE FUNCTION snapback_internal.claim_restore() RETURNS uuid
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT r.id FROM snapback.restore_run r WHERE r.state = 'queued'
    ORDER BY r.requested_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
END;
COMMENT ON FUNCTION snapback_internal.claim_restore() IS
    'For the restore worker: lock the restore that was queued first and return its id; NULL if none is queued';

CREATE FUNCTION snapback_internal.end_expired_requests() RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    WITH expired AS (
        UPDATE snapback.request r SET state = 'expired'
        WHERE r.id IN (SELECT e.id FROM snapback.request e WHERE e.state = 'pending' AND e.expires_at <= clock_timestamp()
                       FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING r.id)
    SELECT count(*) FROM expired;
END;
COMMENT ON FUNCTION snapback_internal.end_expired_requests() IS
    'End the pending requests that have expired, and delete their secrets; return their number';

CREATE FUNCTION snapback_internal.end_abandoned_restores() RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run   record;
    ended bigint := 0;
BEGIN
    FOR run IN SELECT r.id FROM snapback.restore_run r WHERE r.state = 'running' ORDER BY r.requested_at FOR NO KEY UPDATE SKIP LOCKED LOOP
        IF snapback_internal.restore_is_abandoned(run.id) THEN
            PERFORM snapback_internal.note_restore_failure(run.id, 'interrupted', '57P01',
                'the background worker ended before the restore did; nothing was changed');
            ended := ended + 1;
        END IF;
    END LOOP;
    RETURN ended;
END $$;
COMMENT ON FUNCTION snapback_internal.end_abandoned_restores() IS
    'Mark restores as interrupted if their background worker has ended (crash, shutdown), so that their requests can be approved again; return their '
    'number';

CREATE FUNCTION snapback.process_queue(OUT requests_expired bigint, OUT restores_interrupted bigint, OUT restores_queued bigint, OUT mail_due bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    requests_expired := snapback_internal.end_expired_requests();
    restores_interrupted := snapback_internal.end_abandoned_restores();
    SELECT count(*) INTO restores_queued FROM snapback.restore_run r WHERE r.state = 'queued';
    IF restores_queued > 0 THEN
        PERFORM snapback_internal.start_worker('restore');
    END IF;
    -- Only one mail worker runs at a time. The next one requeues mail that an ended worker left in the state sending.
    SELECT count(*) INTO mail_due FROM snapback.mail m JOIN snapback.request r ON r.id = m.request
    WHERE m.state = 'sending' OR (snapback_internal.is_sendable(m, r) AND m.next_try_at <= clock_timestamp());
    IF mail_due > 0 THEN
        PERFORM snapback_internal.start_worker('mail');
    END IF;
    PERFORM snapback_internal.note_departures();
END $$;
COMMENT ON FUNCTION snapback.process_queue() IS
    'Run once a minute: end requests that have expired, mark restores as interrupted if their worker has ended, start workers for queued restores and due '
    'mail, and record which communities have left the directory. Return the number of each';
