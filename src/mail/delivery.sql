-- Functions of the mail worker: claim due mail, return its contents, record the delivery.

CREATE FUNCTION snapback_internal.claim_mail(OUT id uuid, OUT kind text, OUT request uuid, OUT restore uuid)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Lock the request too, so that no secret is created for a request that is ending.
    SELECT m.id, m.kind, m.request, m.restore INTO id, kind, request, restore
    FROM snapback.mail m JOIN snapback.request r ON r.id = m.request
    WHERE snapback_internal.is_sendable(m, r) AND m.next_try_at <= clock_timestamp()
    ORDER BY m.next_try_at LIMIT 1 FOR NO KEY UPDATE OF m, r SKIP LOCKED;
    UPDATE snapback.mail m SET state = 'sending', attempts = m.attempts + 1, claimed_at = clock_timestamp(), next_try_at = NULL
    WHERE m.id = claim_mail.id;
END $$;
COMMENT ON FUNCTION snapback_internal.claim_mail() IS
    'For the mail worker: mark the mail that is due first as sending and return it; NULLs if none is due';

CREATE FUNCTION snapback_internal.reclaim_mail() RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    WITH reclaimed AS (
        UPDATE snapback.mail m
        SET state = CASE WHEN m.kind = 'result' OR r.ended_at IS NULL THEN 'queued' ELSE 'dropped' END,
            next_try_at = CASE WHEN m.kind = 'result' OR r.ended_at IS NULL THEN clock_timestamp() END,
            last_error = 'the mail worker ended while it sent this mail'
        FROM snapback.request r WHERE r.id = m.request AND m.state = 'sending' RETURNING m.id)
    SELECT count(*) FROM reclaimed;
END;
COMMENT ON FUNCTION snapback_internal.reclaim_mail() IS
    'For the mail worker, of which only one runs: requeue mail that an earlier worker was sending when it ended; return its number';

CREATE FUNCTION snapback_internal.note_mail_sent(mail uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sent record;
BEGIN
    UPDATE snapback.mail m SET state = 'sent', sent_at = clock_timestamp(), last_error = NULL
    WHERE m.id = note_mail_sent.mail AND m.state = 'sending'
    RETURNING m.kind, m.request, m.restore, m.attempts INTO sent;
    PERFORM snapback_internal.record_step('mail_sent', r.community, r.id, sent.restore,
        jsonb_build_object('mail', note_mail_sent.mail, 'kind', sent.kind, 'attempts', sent.attempts))
    FROM snapback.request r WHERE r.id = sent.request;
END $$;
COMMENT ON FUNCTION snapback_internal.note_mail_sent(uuid) IS 'For the mail worker: record that the mail server accepted the mail';

CREATE FUNCTION snapback_internal.note_mail_failure(mail uuid, error text, final boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tried       snapback.mail;
    request_row snapback.request;
    next        timestamptz;
    deadline    timestamptz;
    outcome     text;
BEGIN
    SELECT m.* INTO tried FROM snapback.mail m WHERE m.id = note_mail_failure.mail AND m.state = 'sending';
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT r.* INTO request_row FROM snapback.request r WHERE r.id = tried.request;
    deadline := CASE tried.kind WHEN 'approval' THEN request_row.expires_at ELSE tried.queued_at + interval '1 day' END;
    -- 5 s, 10 s, 20 s ... up to 15 minutes, varied by a quarter so that mails are not all retried at once.
    next := clock_timestamp() + least(5 * 2 ^ least(tried.attempts - 1, 20), 900) * (0.75 + random() / 2) * interval '1 second';
    outcome := CASE WHEN final OR next >= deadline THEN 'failed'
                    WHEN tried.kind = 'approval' AND request_row.ended_at IS NOT NULL THEN 'dropped'
                    ELSE 'queued' END;
    UPDATE snapback.mail m SET state = outcome, last_error = left(error, 1000),
                               next_try_at = CASE WHEN outcome = 'queued' THEN next END
    WHERE m.id = tried.id;
    PERFORM snapback_internal.record_step(CASE outcome WHEN 'queued' THEN 'mail_delayed' ELSE 'mail_' || outcome END,
        request_row.community, request_row.id, tried.restore,
        jsonb_build_object('mail', tried.id, 'kind', tried.kind, 'attempts', tried.attempts, 'error', left(error, 1000)));
END $$;
COMMENT ON FUNCTION snapback_internal.note_mail_failure(uuid, text, boolean) IS
    'For the mail worker: record a failed try. final: the server rejected the mail permanently; otherwise it is retried at growing intervals, an approval '
    'while it can be approved, a result for a day';

CREATE FUNCTION snapback_internal.next_mail_in() RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT ceil(extract(epoch FROM min(m.next_try_at) - clock_timestamp()) * 1000)::bigint
    FROM snapback.mail m JOIN snapback.request r ON r.id = m.request WHERE snapback_internal.is_sendable(m, r);
END;
COMMENT ON FUNCTION snapback_internal.next_mail_in() IS
    'Return the milliseconds until the next queued mail is due, negative if it is already due; NULL if none is queued';

CREATE FUNCTION snapback_internal.time_for_owners(at timestamptz) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC';
END;
COMMENT ON FUNCTION snapback_internal.time_for_owners(timestamptz) IS 'Return a time as mails show it: in UTC, to the minute';

CREATE FUNCTION snapback_internal.mail_facts(mail uuid, OUT recipient text, OUT name text, OUT requested_by text, OUT snapshot_at text,
    OUT expires_at text, OUT outcome text, OUT message text, OUT can_retry boolean, OUT is_strict boolean, OUT skipped_options text[], OUT notes text[], OUT current_name text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT r.owner_email, called.name, r.requested_by,
           snapback_internal.time_for_owners(s.captured_at), snapback_internal.time_for_owners(r.expires_at), run.state, run.message,
           r.state = 'pending' AND r.expires_at > clock_timestamp() AND run.sqlstate IS DISTINCT FROM 'SB011', r.strict,
           ARRAY(SELECT snapback_internal.option_label(o) || ': ' || snapback_internal.skip_reason(o) FROM unnest(r.skipped_options) WITH ORDINALITY AS k (o, place) ORDER BY k.place),
           snapback_internal.preview_notes(r.preview), called.current_name
    INTO recipient, name, requested_by, snapshot_at, expires_at, outcome, message, can_retry, is_strict, skipped_options, notes, current_name
    FROM snapback.mail m
    JOIN snapback.request r ON r.id = m.request
    CROSS JOIN LATERAL snapback_internal.community_called(r) called
    LEFT JOIN snapback.snapshot s ON s.id = r.snapshot
    LEFT JOIN snapback.restore_run run ON run.id = m.restore
    WHERE m.id = mail_facts.mail;
END $$;
COMMENT ON FUNCTION snapback_internal.mail_facts(uuid) IS
    'For the mail worker: return the contents of a mail without figures. can_retry: whether the same link can still restore (false if the plan has '
    'changed)';

CREATE FUNCTION snapback_internal.restored_parts(restore uuid) RETURNS TABLE (label text, figures snapback.plan_figures)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT l.label, snapback_internal.total_figures(array_agg(p.figures))
    FROM snapback.restore_run u
    JOIN snapback.restore_table t ON t.restore = u.id
    CROSS JOIN LATERAL unnest(t.parts) p
    CROSS JOIN LATERAL (SELECT array_position(u.options, p.option) AS place, coalesce(snapback_internal.option_label(p.option), snapback_internal.relation_label(t.relation, u.options)) AS label) l
    WHERE u.id = restored_parts.restore
    GROUP BY l.place, l.label
    HAVING l.place IS NOT NULL OR sum(snapback_internal.rows_written(p.figures)) > 0
    ORDER BY l.place, l.label COLLATE "C";
END;
COMMENT ON FUNCTION snapback_internal.restored_parts(uuid) IS
    'Return what a restore changed, for its owner: the figures of restored_tables() for each chosen option, followed by other changes';

CREATE FUNCTION snapback_internal.plan_changes(restore uuid) RETURNS TABLE (label text, was snapback.plan_figures, now snapback.plan_figures)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT d.* FROM (
        SELECT coalesce(now.label, was.label) AS label, coalesce(was.figures, none), coalesce(now.figures, none)
        FROM snapback.restore_run u
        JOIN snapback.request r ON r.id = u.request
        CROSS JOIN (snapback_internal.preview_parts(r.preview) was FULL JOIN snapback_internal.preview_parts(u.changed) now
                    ON now.label = was.label AND coalesce(now.option, '') = coalesce(was.option, ''))
        CROSS JOIN snapback_internal.total_figures('{}') none
        WHERE u.id = plan_changes.restore AND u.changed IS NOT NULL
          AND (was.digests, (was.figures).inserts, (was.figures).updates, (was.figures).deletes) IS DISTINCT FROM (now.digests, (now.figures).inserts, (now.figures).updates, (now.figures).deletes)
        ORDER BY array_position(r.options, coalesce(now.option, was.option)), 1) d;
END;
COMMENT ON FUNCTION snapback_internal.plan_changes(uuid) IS
    'If a restore was refused because its plan differs from the request''s preview, return the parts that differ: rows to insert, update and delete, then '
    'and now. The figures are equal if only the rows differ. Otherwise return no rows';
