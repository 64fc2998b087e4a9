-- Approves a request by its mailed secret and runs the restore, at once or in a background worker.

CREATE FUNCTION snapback_internal.token_hash(token text) RETURNS bytea
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CASE WHEN token ~ '^[A-Za-z0-9_-]{43}$' THEN sha256(convert_to(token, 'UTF8')) END;
END;
COMMENT ON FUNCTION snapback_internal.token_hash(text) IS
    'Return the SHA-256 of a secret, which is all that is stored of it; NULL for a text that cannot be a secret';

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
           (SELECT jsonb_agg(o) FROM (SELECT c.option, c.label, c.rows, (c.figures).* FROM snapback_internal.request_contents(r.id) c) o),
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
    'Return what the approval page shows of the request with this mailed secret. There is no row if the secret is unknown or no longer valid, or if the '
    'community has left the directory. Changes nothing. name: the name of the community when the snapshot was taken; current_name: its name now, if that '
    'differs. options: for each option its label, its rows in the snapshot, and the figures of the plan at the time of the request (the columns of '
    'preview_restore(), summed over all tables). name_required: whether approve_restore() requires the community''s name. skipped_options: label and reason of '
    'each option that a category or * selects but that is not restored, because the snapshot does not contain it or it covers no table. switches, strict: '
    'as requested. preview: the figures of each table, including tables outside the options. notes: what else the owner should know';

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
                    WHEN request.state = 'restoring' THEN 'the restore was already approved and is in progress'
                    WHEN request.state = 'restored' THEN 'the restore was already approved and is complete'
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
    -- The name at the time of the snapshot is accepted too: the current one may be part of the damage.
    IF community_name IS NOT NULL AND (community_name COLLATE "C" IN (entry.name, former)) IS NOT TRUE THEN
        RETURN 'the name is not the community''s name';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION snapback_internal.refusal(snapback.request, text) IS
    'Return why a request cannot be approved now, in words for the owner; NULL if it can be approved';

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
        RAISE EXCEPTION USING ERRCODE = 'SB011', MESSAGE = 'the selected options were reconfigured after the request',
            DETAIL = format('The tables, columns or rows of %s have changed.', changed),
            HINT = 'Request the restore again to get a preview of the current configuration.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.check_coverage(uuid) IS
    'Raise SB011 if the tables, columns or rows of a request''s options have changed since the request';

CREATE FUNCTION snapback_internal.execute_requested_restore(restore uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run snapback.restore_run;
BEGIN
    -- While this row is locked, process_queue() does not consider the restore abandoned.
    SELECT r.* INTO run FROM snapback.restore_run r WHERE r.id = execute_requested_restore.restore FOR NO KEY UPDATE;
    PERFORM snapback_internal.check_coverage(run.request);
    PERFORM snapback_internal.execute_restore(restore);
    IF run.request IS NOT NULL THEN
        UPDATE snapback.request r SET state = 'restored' WHERE r.id = run.request;
        PERFORM snapback_internal.queue_mail('result', run.request, restore);
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.execute_requested_restore(uuid) IS 'Run a restore and complete its request; an error undoes both';

CREATE FUNCTION snapback_internal.planned_now(snapshot uuid, options text[], switches jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN snapback_internal.planned_tables(snapshot, options, switches);
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION snapback_internal.planned_now(uuid, text[], jsonb) IS 'Return planned_tables(), or NULL if the restore can no longer be planned';

CREATE FUNCTION snapback_internal.note_restore_failure(restore uuid, outcome text, sqlstate text, message text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run snapback.restore_run;
    now jsonb;
BEGIN
    -- Lock the row first, in the same order as a restore: planning locks the store.
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
    -- A failed approval in the foreground left its request pending, and has returned the error to its caller.
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
    'Record that a restore failed or was interrupted, with the current plan if it was refused because the plan has changed (SB011). The request of a '
    'background restore becomes pending again, so that the owner can retry until it expires';

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
            reason := 'the plan of the restore has changed since the request: request the restore again';
            SELECT snapback_internal.shown_preview(r.changed) INTO changes FROM snapback.restore_run r WHERE r.id = restore;
        END IF;
    END;
END $$;
COMMENT ON FUNCTION snapback_internal.approve_locked_request(snapback.request, boolean) IS
    'Run the restore of a request, now or in a worker. The caller has locked its row and checked that it can be approved';

CREATE FUNCTION snapback.approve_restore(token text, community_name text DEFAULT NULL, background boolean DEFAULT false)
RETURNS TABLE (status text, reason text, restore uuid, changes jsonb)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request_row snapback.request;
BEGIN
    PERFORM snapback_internal.hide_statement(), snapback_internal.hold_extension();
    status := 'refused';
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        reason := 'a restore can be approved only in a READ COMMITTED transaction';
    ELSIF current_setting('transaction_read_only')::boolean THEN
        reason := 'a restore cannot be approved in a read-only transaction or on a standby server';
    ELSE
        PERFORM snapback_internal.note_departures();
        -- The second of two concurrent approvals waits here and then sees the new state of the request.
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
    'Run the restore of the request with this mailed secret. status: restored, started (in the background), refused (see reason) or failed (nothing was '
    'changed; the link remains valid until it expires). changes: for each table inserted, updated, deleted, kept, parents, nulled, cascaded, skipped; if a '
    'strict request is refused because its plan has changed, the current preview. community_name: if it is given, or required by '
    'snapback.require_community_name, it must be the name of the community in the directory or in the snapshot. Raises no error except a cancellation, '
    'because an error would write the secret into the log';
