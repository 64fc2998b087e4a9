-- Approving a request with its mailed secret, and carrying out the restore: at once, or by a background worker.

CREATE FUNCTION snapback_internal.token_hash(token text) RETURNS bytea
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CASE WHEN token ~ '^[A-Za-z0-9_-]{43}$' THEN sha256(convert_to(token, 'UTF8')) END;
END;
COMMENT ON FUNCTION snapback_internal.token_hash(text) IS 'What is kept of a secret: its SHA-256; null for what cannot be one';

CREATE FUNCTION snapback.describe_request(token text)
RETURNS TABLE (request uuid, community text, name text, requested_by text, requested_at timestamptz, expires_at timestamptz,
               snapshot uuid, captured_at timestamptz, options jsonb, state text, name_required boolean, skipped_options jsonb, switches jsonb,
               strict boolean, preview jsonb, notes text[], current_name text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM snapback_internal.hide_statement();
    RETURN QUERY
    SELECT r.id, r.community, called.name,
           r.requested_by, r.requested_at, r.expires_at, r.snapshot, s.captured_at,
           (SELECT jsonb_agg(c) FROM snapback_internal.request_contents(r.id) c),
           CASE WHEN r.state = 'pending' AND r.expires_at <= clock_timestamp() THEN 'expired' ELSE r.state END,
           settings.require_community_name,
           (SELECT coalesce(jsonb_agg(jsonb_build_object('option', k.o, 'label', snapback_internal.option_label(k.o), 'reason', snapback_internal.skip_reason(k.o)) ORDER BY k.place), '[]')
            FROM unnest(r.skipped_options) WITH ORDINALITY AS k (o, place)),
           r.switches, r.strict, snapback_internal.shown_preview(r.preview), snapback_internal.preview_notes(r.preview), called.current_name
    FROM snapback.token t JOIN snapback.request r ON r.id = t.request
    CROSS JOIN LATERAL snapback_internal.community_called(r) called
    LEFT JOIN snapback.snapshot s ON s.id = r.snapshot
    CROSS JOIN snapback_internal.approval_settings() settings
    WHERE t.sha256 = snapback_internal.token_hash(describe_request.token) AND snapback_internal.is_own_request(r);
END $$;
COMMENT ON FUNCTION snapback.describe_request(text) IS
    'What the approval page shows of the request that a mailed secret belongs to; no row where there is none (any more), or its community has left the directory. Changes nothing. '
    'options: for each option its label, its rows in the snapshot, and as figures what would have been done when it was asked for (the columns of preview_restore(), all tables '
    'together); name: the community''s name when the snapshot was taken, current_name: the one that it has now, where that is another; name_required: whether approve_restore() wants the community''s name; skipped_options: option and label of what was chosen by category or *, but is not restored, and the reason: it is not in this snapshot, or covers no table; '
    'switches, strict: as requested; preview: the figures table by table, those outside of the options included; notes: what else an owner should know';

CREATE FUNCTION snapback_internal.refusal(request snapback.request, community_name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    settings record;
    entry    record;
    former   text; -- name of the community, from when the snapshot was taken
BEGIN
    SELECT * INTO settings FROM snapback_internal.approval_settings();
    IF request.state IS DISTINCT FROM 'pending' THEN
        RETURN CASE WHEN request.state IS NULL THEN 'the link is unknown or no longer valid'
                    WHEN request.state = 'restoring' THEN 'the restore was approved already and is under way'
                    WHEN request.state = 'restored' THEN 'the restore was approved already and is done'
                    ELSE format('the request is %s', request.state) END;
    END IF;
    IF request.expires_at <= clock_timestamp() THEN
        RETURN 'the link has expired';
    END IF;
    SELECT e.name, e.owner, e.owner_email, e.restores_enabled, e.identity INTO entry FROM snapback_internal.directory_entry(request.community) e;
    IF NOT FOUND THEN
        RETURN 'the community no longer exists';
    END IF;
    IF NOT snapback_internal.same_community(request.community, request.identity, request.requested_at, entry.identity) THEN
        RETURN 'the community that the request was made for no longer exists';
    END IF;
    IF (entry.owner, entry.owner_email) IS DISTINCT FROM (request.requested_by, request.owner_email) THEN
        RETURN 'the community''s owner or the owner''s mail address has changed since the request';
    END IF;
    IF entry.restores_enabled IS NOT TRUE THEN
        RETURN 'restores are no longer enabled for the community';
    END IF;
    SELECT s.community_name INTO former FROM snapback.snapshot s WHERE s.id = request.snapshot AND s.community = request.community
        AND s.captured_at + snapback_internal.retention() > clock_timestamp();
    IF NOT FOUND THEN
        RETURN 'the snapshot has expired';
    END IF;
    IF NOT EXISTS (SELECT FROM snapback_internal.own_snapshots(request.community) s WHERE s.id = request.snapshot) THEN
        RETURN 'the snapshot belongs to an earlier community';
    END IF;
    IF community_name IS NULL AND settings.require_community_name THEN
        RETURN 'the community''s name must be given';
    END IF;
    -- Or its name when the snapshot was taken: the one that it has now may be part of the damage.
    IF community_name IS NOT NULL AND (community_name COLLATE "C" IN (entry.name, former)) IS NOT TRUE THEN
        RETURN 'the name is not the community''s name';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION snapback_internal.refusal(snapback.request, text) IS
    'Why a request cannot be approved as things stand now, in words for the owner; null where it can';

CREATE FUNCTION snapback_internal.check_coverage(request uuid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed text;
BEGIN
    SELECT string_agg(o, ', ' ORDER BY c.place) INTO changed
    FROM snapback.request r
    CROSS JOIN LATERAL snapback_internal.options_coverage(r.options) AS now
    CROSS JOIN LATERAL unnest(r.options) WITH ORDINALITY AS c (o, place)
    WHERE r.id = check_coverage.request AND r.coverage IS NOT NULL AND r.coverage -> o IS DISTINCT FROM now -> o;
    IF changed IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SB011', MESSAGE = 'what was chosen has been set up anew since it was requested',
            DETAIL = format('Other tables, columns or rows than then stand behind %s.', changed),
            HINT = 'Request the restore anew, and it will be shown as it is now.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.check_coverage(uuid) IS 'SB011 where other tables, columns or rows stand behind a request''s options than when it was made';

CREATE FUNCTION snapback_internal.execute_requested_restore(restore uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run snapback.restore_run;
BEGIN
    -- The lock tells the queue run that somebody is at work, whatever becomes of other locks meanwhile.
    SELECT r.* INTO run FROM snapback.restore_run r WHERE r.id = execute_requested_restore.restore FOR NO KEY UPDATE;
    PERFORM snapback_internal.check_coverage(run.request);
    PERFORM snapback_internal.execute_restore(restore);
    IF run.request IS NOT NULL THEN
        UPDATE snapback.request r SET state = 'restored' WHERE r.id = run.request;
        PERFORM snapback_internal.queue_mail('result', run.request, restore);
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.execute_requested_restore(uuid) IS 'Restore, and end the request that asked for it; all of it or, by an error, nothing';

CREATE FUNCTION snapback_internal.planned_now(snapshot uuid, options text[], switches jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN snapback_internal.planned_tables(snapshot, options, switches);
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION snapback_internal.planned_now(uuid, text[], jsonb) IS 'What planned_tables() returns, or null where nothing can be planned any more';

CREATE FUNCTION snapback_internal.note_restore_failure(restore uuid, outcome text, sqlstate text, message text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run snapback.restore_run;
    now jsonb;
BEGIN
    -- First its row, as whoever works on a restore does: to plan takes the store.
    SELECT r.* INTO run FROM snapback.restore_run r WHERE r.id = restore FOR NO KEY UPDATE;
    IF sqlstate = 'SB011' THEN
        now := snapback_internal.planned_now(run.snapshot, run.options, run.switches);
    END IF;
    UPDATE snapback.restore_run r SET state = outcome, sqlstate = note_restore_failure.sqlstate,
        message = coalesce(note_restore_failure.message, ''), changed = now, ended_at = clock_timestamp()
    WHERE r.id = restore RETURNING r.* INTO run;
    IF run.request IS NULL THEN
        RETURN;
    END IF;
    PERFORM snapback_internal.lock_requests(run.community);
    -- An approval that failed within its own transaction left its request pending, and told the owner face to face.
    UPDATE snapback.request r SET state = CASE
        WHEN r.expires_at <= clock_timestamp() THEN 'failed'
        WHEN EXISTS (SELECT FROM snapback.request o WHERE o.community = r.community AND o.state = 'pending') THEN 'superseded'
        ELSE 'pending' END
    WHERE r.id = run.request AND r.state = 'restoring';
    IF FOUND THEN
        PERFORM snapback_internal.queue_mail('result', run.request, restore);
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.note_restore_failure(uuid, text, text, text) IS
    'Record that a restore failed or was interrupted, and the plan as it is now where it was refused for being another than the preview (SB011). A request in the background goes back to pending, so that the owner may try again until it expires';

CREATE FUNCTION snapback_internal.approve_locked_request(request snapback.request, background boolean,
    OUT status text, OUT reason text, OUT restore uuid, OUT changes jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    code text;
BEGIN
    restore := snapback_internal.record_restore(request.community, request.snapshot, request.options, request.switches, request.id,
                                      CASE WHEN background THEN 'queued' ELSE 'running' END);
    IF background THEN
        UPDATE snapback.request r SET state = 'restoring' WHERE r.id = request.id;
        PERFORM snapback_internal.start_worker('restore');
        status := 'started';
        RETURN;
    END IF;
    BEGIN
        PERFORM snapback_internal.execute_requested_restore(restore);
        status := 'restored';
        SELECT coalesce(jsonb_agg(t), '[]') INTO changes FROM snapback_internal.restored_tables(restore) t;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, reason = MESSAGE_TEXT;
        status := 'failed';
        PERFORM snapback_internal.note_restore_failure(restore, 'failed', code, reason);
        IF code = 'SB011' THEN
            status := 'refused';
            reason := 'what the restore would do has changed since it was requested: request it anew';
            SELECT snapback_internal.shown_preview(r.changed) INTO changes FROM snapback.restore_run r WHERE r.id = restore;
        END IF;
    END;
END $$;
COMMENT ON FUNCTION snapback_internal.approve_locked_request(snapback.request, boolean) IS
    'Restore what a request asks for, now or by a worker. Its row is locked and it may be approved';

CREATE FUNCTION snapback.approve_restore(token text, community_name text DEFAULT NULL, background boolean DEFAULT false)
RETURNS TABLE (status text, reason text, restore uuid, changes jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request_row snapback.request;
BEGIN
    PERFORM snapback_internal.hide_statement(), snapback_internal.hold_extension();
    status := 'refused';
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        reason := 'a restore can be approved in a READ COMMITTED transaction only';
    ELSIF current_setting('transaction_read_only')::boolean THEN
        reason := 'a restore cannot be approved in a read-only transaction or on a standby server';
    ELSE
        PERFORM snapback_internal.note_departures();
        -- Of two approvals at once the later waits here, and then sees what the earlier has made of the request.
        SELECT r.* INTO request_row FROM snapback.token t JOIN snapback.request r ON r.id = t.request
        WHERE t.sha256 = snapback_internal.token_hash(approve_restore.token) FOR NO KEY UPDATE OF r;
        reason := snapback_internal.refusal(request_row, community_name);
        IF reason IS NULL THEN
            PERFORM snapback_internal.record_step('request_approved', request_row.community, request_row.id, NULL, jsonb_build_object('background', background IS TRUE));
            SELECT a.* INTO status, reason, restore, changes FROM snapback_internal.approve_locked_request(request_row, background IS TRUE) a;
        END IF;
        IF status = 'refused' AND request_row.id IS NOT NULL THEN
            PERFORM snapback_internal.record_step('approval_refused', request_row.community, request_row.id, restore, jsonb_build_object('reason', reason));
        END IF;
    END IF;
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    status := 'failed';
    reason := SQLERRM;
    restore := NULL;
    changes := NULL;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION snapback.approve_restore(text, text, boolean) IS
    'Restore what the request that this mailed secret belongs to asks for, with its switches. status: restored, started (in the background), refused (reason says why) or '
    'failed (nothing was changed; the link stays valid until it expires); changes: per table inserted, updated, deleted, kept, parents, nulled, cascaded, skipped; where a strict '
    'request is refused because its plan has changed, the preview as it is now. community_name, where given or demanded by snapback.require_community_name, must '
    'be the community''s name, as the directory has it or as it was when the snapshot was taken. Raises nothing but what cancels the statement, since an error would write the secret into the log';
