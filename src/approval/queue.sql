-- The queue run: once a minute it picks up whatever a transaction, a worker or a crash left behind. And the views.

CREATE FUNCTION snapback.restore_is_abandoned(restore uuid) RETURNS boolean
LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_restore_is_abandoned';
COMMENT ON FUNCTION snapback.restore_is_abandoned(uuid) IS
    'Whether no background worker is at work on this restore; if so, none can begin until this transaction ends';

CREATE FUNCTION snapback.claim_restore() RETURNS uuid
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT r.id FROM snapback.restore_run r WHERE r.state = 'queued'
    ORDER BY r.requested_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
END;
COMMENT ON FUNCTION snapback.claim_restore() IS 'For the restore worker: lock the restore that is queued longest; null where none is';

CREATE FUNCTION snapback.end_expired_requests() RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    WITH expired AS (
        UPDATE snapback.request r SET state = 'expired'
        WHERE r.id IN (SELECT e.id FROM snapback.request e WHERE e.state = 'pending' AND e.expires_at <= clock_timestamp()
                       FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING r.id)
    SELECT count(*) FROM expired;
END;
COMMENT ON FUNCTION snapback.end_expired_requests() IS 'End the pending requests whose time is up; their secrets die with them. Returns how many';

CREATE FUNCTION snapback.end_abandoned_restores() RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run   record;
    ended bigint := 0;
BEGIN
    FOR run IN SELECT r.id FROM snapback.restore_run r WHERE r.state = 'running' ORDER BY r.requested_at FOR NO KEY UPDATE SKIP LOCKED LOOP
        IF snapback.restore_is_abandoned(run.id) THEN
            PERFORM snapback.note_restore_failure(run.id, 'interrupted', '57P01',
                'the background worker ended before the restore did; nothing was changed');
            ended := ended + 1;
        END IF;
    END LOOP;
    RETURN ended;
END $$;
COMMENT ON FUNCTION snapback.end_abandoned_restores() IS
    'Mark restores as interrupted whose background worker is gone (crash, shutdown); their requests may be approved again. Returns how many';

CREATE FUNCTION snapback.process_queue(OUT requests_expired bigint, OUT restores_interrupted bigint, OUT restores_queued bigint, OUT mail_due bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    requests_expired := snapback.end_expired_requests();
    restores_interrupted := snapback.end_abandoned_restores();
    SELECT count(*) INTO restores_queued FROM snapback.restore_run r WHERE r.state = 'queued';
    IF restores_queued > 0 THEN
        PERFORM snapback.start_worker('restore');
    END IF;
    -- Mail that an ended worker left as being sent is put back by the next worker: only one is at work at a time.
    SELECT count(*) INTO mail_due FROM snapback.mail m JOIN snapback.request r ON r.id = m.request
    WHERE m.state = 'sending' OR (snapback.is_sendable(m, r) AND m.next_try_at <= clock_timestamp());
    IF mail_due > 0 THEN
        PERFORM snapback.start_worker('mail');
    END IF;
END $$;
COMMENT ON FUNCTION snapback.process_queue() IS
    'Run once a minute: ends requests whose time is up, marks restores whose worker is gone as interrupted, and starts workers for queued restores and due mail. Returns how many of each';

CREATE VIEW snapback.requests AS
SELECT r.id AS request, r.community, r.snapshot, r.options, r.requested_by, r.owner_email, r.requested_at, r.expires_at,
       CASE WHEN r.state = 'pending' AND r.expires_at <= clock_timestamp() THEN 'expired' ELSE r.state END AS state, r.ended_at,
       m.state AS mail, m.attempts AS mail_attempts, m.sent_at AS mailed_at, m.last_error AS mail_error,
       r.skipped, r.switches, r.strict
FROM snapback.request r LEFT JOIN snapback.mail m ON m.request = r.id AND m.kind = 'approval';
COMMENT ON VIEW snapback.requests IS 'Every request to restore, its state now, and what became of the mail that carries its link';

CREATE VIEW snapback.restores AS
SELECT r.id AS restore, r.community, r.snapshot, r.options, r.request, r.state, r.before_snapshot, r.requested_at, r.started_at, r.ended_at,
       r.sqlstate, r.message, t.tables, t.inserted, t.updated, t.deleted, t.kept, t.returned, t.unlinked,
       t.taken, t.left_out, r.switches
FROM snapback.restore_run r
CROSS JOIN LATERAL (SELECT count(*) AS tables, coalesce(sum(t.inserted), 0)::bigint AS inserted, coalesce(sum(t.updated), 0)::bigint AS updated,
                           coalesce(sum(t.deleted), 0)::bigint AS deleted, coalesce(sum(t.kept), 0)::bigint AS kept,
                           coalesce(sum(t.returned), 0)::bigint AS returned, coalesce(sum(t.unlinked), 0)::bigint AS unlinked,
                           coalesce(sum(t.taken), 0)::bigint AS taken, coalesce(sum(t.left_out), 0)::bigint AS left_out
                    FROM snapback.restore_table t WHERE t.restore = r.id) t;
COMMENT ON VIEW snapback.restores IS 'Every restore with its outcome and the rows it changed, all tables together';

CREATE VIEW snapback.restore_progress AS
SELECT a.restore::uuid AS restore, r.community, r.request, a.pid, a.started_at, split_part(a.activity, ':', 1) AS doing,
       rows[3] AS relation, rows[1]::bigint AS rows_done, rows[2]::bigint AS rows_total
FROM (SELECT s.pid, s.xact_start AS started_at, found[1] AS restore, found[2] AS activity
      FROM pg_catalog.pg_stat_activity s
      CROSS JOIN LATERAL regexp_match(s.query, '^snapback: restore ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}): (.*)$') found
      WHERE s.state = 'active' AND s.datname = current_database() AND found IS NOT NULL) a
CROSS JOIN LATERAL regexp_match(a.activity, '^[^:]*: (?:([0-9]+) of )?([0-9]+) rows of (.*)$') rows
LEFT JOIN snapback.restore_run r ON r.id = a.restore::uuid;
COMMENT ON VIEW snapback.restore_progress IS
    'Restores at work in this database and what each is doing now: waiting for the community''s writers, comparing, deleting, updating, inserting or checking; with which table, '
    'and how many of its rows that step is about (rows_total) and has done (rows_done; null where they are not counted). community is null while a restore runs in the approving transaction itself, which others cannot see into. Shows what '
    'pg_stat_activity shows: superusers and members of pg_read_all_stats see all';
