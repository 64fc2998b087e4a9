-- The queue run: once a minute it picks up whatever a transaction, a worker or a crash left behind.

CREATE FUNCTION snapback_internal.restore_is_abandoned(restore uuid) RETURNS boolean
LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_restore_is_abandoned';
COMMENT ON FUNCTION snapback_internal.restore_is_abandoned(uuid) IS
    'Whether no background worker is at work on this restore; if so, none can begin until this transaction ends';

CREATE FUNCTION snapback_internal.claim_restore() RETURNS uuid
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT r.id FROM snapback.restore_run r WHERE r.state = 'queued'
    ORDER BY r.requested_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
END;
COMMENT ON FUNCTION snapback_internal.claim_restore() IS 'For the restore worker: lock the restore that is queued longest; null where none is';

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
COMMENT ON FUNCTION snapback_internal.end_expired_requests() IS 'End the pending requests whose time is up; their secrets die with them. Returns how many';

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
    'Mark restores as interrupted whose background worker is gone (crash, shutdown); their requests may be approved again. Returns how many';

CREATE FUNCTION snapback.process_queue(OUT requests_expired bigint, OUT restores_interrupted bigint, OUT restores_queued bigint, OUT mail_due bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    requests_expired := snapback_internal.end_expired_requests();
    restores_interrupted := snapback_internal.end_abandoned_restores();
    SELECT count(*) INTO restores_queued FROM snapback.restore_run r WHERE r.state = 'queued';
    IF restores_queued > 0 THEN
        PERFORM snapback_internal.start_worker('restore');
    END IF;
    -- Mail that an ended worker left as being sent is put back by the next worker: only one is at work at a time.
    SELECT count(*) INTO mail_due FROM snapback.mail m JOIN snapback.request r ON r.id = m.request
    WHERE m.state = 'sending' OR (snapback_internal.is_sendable(m, r) AND m.next_try_at <= clock_timestamp());
    IF mail_due > 0 THEN
        PERFORM snapback_internal.start_worker('mail');
    END IF;
    PERFORM snapback_internal.note_departures();
END $$;
COMMENT ON FUNCTION snapback.process_queue() IS
    'Run once a minute: ends requests whose time is up, marks restores whose worker is gone as interrupted, starts workers for queued restores and due mail, and notes which communities have left the directory. Returns how many of each';
