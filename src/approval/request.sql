-- Requests to restore: their states, the hashes of the secrets that approve them, and the record of every step.

CREATE TABLE snapback.request (
    id           uuid        PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    community    text        NOT NULL,
    snapshot     uuid        NOT NULL,
    options      text[]      NOT NULL CHECK (cardinality(options) > 0),
    requested_by text        NOT NULL,
    owner_email  text        NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL,
    state        text        NOT NULL DEFAULT 'pending' CHECK (state IN
                             ('pending', 'restoring', 'restored', 'failed', 'superseded', 'cancelled', 'expired')),
    ended_at     timestamptz,
    CHECK (expires_at > requested_at AND expires_at <= requested_at + interval '24 hours'),
    CHECK ((state IN ('pending', 'restoring')) = (ended_at IS NULL))
);
CREATE UNIQUE INDEX request_pending ON snapback.request (community) WHERE state = 'pending';
CREATE INDEX request_by_community ON snapback.request (community, requested_at);
COMMENT ON TABLE snapback.request IS
    'Wishes to restore, bound to community, snapshot, options and the owner''s mailbox; states: docs/approval.md';

CREATE TABLE snapback.token (
    sha256    bytea       PRIMARY KEY CHECK (length(sha256) = 32),
    request   uuid        NOT NULL REFERENCES snapback.request ON DELETE CASCADE,
    minted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON snapback.token (request);
COMMENT ON TABLE snapback.token IS
    'SHA-256 of each secret that was mailed for a request, one per try to send; the secret itself is kept nowhere. They go when the request ends';

CREATE TABLE snapback.audit (
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    event     text        NOT NULL,
    community text        NOT NULL,
    request   uuid,
    restore   uuid,
    role      text        NOT NULL DEFAULT session_user,
    account   text,
    detail    jsonb
);
CREATE INDEX ON snapback.audit (community, at);
COMMENT ON TABLE snapback.audit IS 'Every step of every request and restore: when, what, by which database role and which account';

-- A restore asked for by a request leads back to it.
ALTER TABLE snapback.restore_run ADD FOREIGN KEY (request) REFERENCES snapback.request ON DELETE SET NULL;
CREATE INDEX ON snapback.restore_run (request);

CREATE FUNCTION snapback.valid_address(address text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_valid_address';
COMMENT ON FUNCTION snapback.valid_address(text) IS
    'Whether mail can be sent to this address: local@domain in ASCII, no quotes, spaces, comments or control characters, within SMTP''s lengths';

CREATE FUNCTION snapback.hide_statement() RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_hide_statement';
COMMENT ON FUNCTION snapback.hide_statement() IS
    'Replace the text of the running statement, which may hold a secret, in pg_stat_activity and in the log lines of errors';

CREATE FUNCTION snapback.unusable_mail_setting() RETURNS text
LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_unusable_mail_setting';
COMMENT ON FUNCTION snapback.unusable_mail_setting() IS 'What is wrong with the first setting that keeps mail from being sent; null where all is well';

CREATE FUNCTION snapback.approval_settings(OUT community text, OUT account text, OUT retention interval,
    OUT request_ttl interval, OUT requests_per_hour integer, OUT require_community_name boolean, OUT unusable text, OUT audit_retention interval)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- First, since a call of the library loads it, and with it the settings.
    unusable := snapback.unusable_mail_setting();
    community := current_setting('snapback.community');
    account := current_setting('snapback.account');
    retention := current_setting('snapback.retention')::interval;
    request_ttl := current_setting('snapback.request_ttl')::interval;
    requests_per_hour := current_setting('snapback.requests_per_hour')::integer;
    require_community_name := current_setting('snapback.require_community_name')::boolean;
    audit_retention := current_setting('snapback.audit_retention')::interval;
END $$;
COMMENT ON FUNCTION snapback.approval_settings() IS
    'The settings that requests and approvals go by; unusable: what keeps mail from being sent, else null';

CREATE FUNCTION snapback.lock_requests(community text) RETURNS void
LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_lock_requests';
COMMENT ON FUNCTION snapback.lock_requests(text) IS
    'Wait for, and take until the end of the transaction, the right to decide which of a community''s requests is pending';

CREATE FUNCTION snapback.start_worker(work text) RETURNS void
LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_start_worker';
COMMENT ON FUNCTION snapback.start_worker(text) IS
    'Start a background worker once this transaction commits; work: mail or restore. Where no worker slot is free, the queue run starts it later';

CREATE FUNCTION snapback.announce(event text, community text, request uuid, restore uuid, state text, detail jsonb DEFAULT NULL)
RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now      timestamptz := clock_timestamp();
    payload  jsonb := jsonb_build_object('event', event, 'community', community, 'request', request, 'restore', restore,
                                         'state', state, 'at', now);
BEGIN
    INSERT INTO snapback.audit (at, event, community, request, restore, account, detail)
    SELECT now, announce.event, announce.community, announce.request, announce.restore, nullif(s.account, ''), announce.detail
    FROM snapback.approval_settings() s;
    -- A notification holds less than 8000 bytes; the identifiers are enough to look up what had to be left out.
    PERFORM pg_notify('snapback', CASE WHEN octet_length(payload::text) < 7900 THEN payload ELSE payload - 'community' END::text);
END $$;
COMMENT ON FUNCTION snapback.announce(text, text, uuid, uuid, text, jsonb) IS
    'Record a change of state in snapback.audit and tell listeners on channel snapback of it, as JSON: event, community, request, restore, state, at';

CREATE FUNCTION snapback.record_step(event text, community text, request uuid, restore uuid, detail jsonb)
RETURNS void LANGUAGE sql VOLATILE
BEGIN ATOMIC
    INSERT INTO snapback.audit (event, community, request, restore, account, detail)
    SELECT record_step.event, record_step.community, record_step.request, record_step.restore, nullif(s.account, ''), record_step.detail
    FROM snapback.approval_settings() s;
END;
COMMENT ON FUNCTION snapback.record_step(text, text, uuid, uuid, jsonb) IS 'Record a step that changes no state in snapback.audit';

-- The state machine. Inserting is free, so that a dump can be loaded; changing is not.

CREATE FUNCTION snapback.check_request_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (NEW.id, NEW.community, NEW.snapshot, NEW.options, NEW.requested_by, NEW.owner_email, NEW.requested_at, NEW.expires_at)
       IS DISTINCT FROM
       (OLD.id, OLD.community, OLD.snapshot, OLD.options, OLD.requested_by, OLD.owner_email, OLD.requested_at, OLD.expires_at) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('request %s cannot be altered', OLD.id),
            HINT = 'Only its state changes; make another request instead.';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
            ('pending', 'restoring'), ('pending', 'restored'), ('pending', 'superseded'), ('pending', 'cancelled'), ('pending', 'expired'),
            ('restoring', 'restored'), ('restoring', 'pending'), ('restoring', 'failed'), ('restoring', 'superseded')) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('request %s is %s and cannot become %s', OLD.id, OLD.state, NEW.state);
    END IF;
    IF NEW.state NOT IN ('pending', 'restoring') AND OLD.ended_at IS NULL THEN
        NEW.ended_at := clock_timestamp();
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION snapback.check_request_change() IS 'Trigger: let a request change its state only, along the allowed ways, and note when it ends';

CREATE FUNCTION snapback.follow_request_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.ended_at IS NOT NULL THEN
        DELETE FROM snapback.token t WHERE t.request = NEW.id;
        UPDATE snapback.mail m SET state = 'dropped', next_try_at = NULL
        WHERE m.request = NEW.id AND m.kind = 'approval' AND m.state = 'queued';
    END IF;
    PERFORM snapback.announce('request_' || NEW.state, NEW.community, NEW.id, NULL, NEW.state);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION snapback.follow_request_change() IS
    'Trigger: tell of a request''s new state; where it ended, its secrets die and mail that would carry another is dropped';

CREATE TRIGGER check_change BEFORE UPDATE ON snapback.request
    FOR EACH ROW EXECUTE FUNCTION snapback.check_request_change();
CREATE TRIGGER follow_change AFTER UPDATE ON snapback.request
    FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION snapback.follow_request_change();

CREATE FUNCTION snapback.check_restore_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (('queued', 'running'),
            ('running', 'restored'), ('running', 'failed'), ('running', 'interrupted')) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('restore %s is %s and cannot become %s', OLD.id, OLD.state, NEW.state);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION snapback.check_restore_change() IS 'Trigger: let a restore change its state along the allowed ways only';

CREATE FUNCTION snapback.follow_restore_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM snapback.announce('restore_' || NEW.state, NEW.community, NEW.request, NEW.id, NEW.state,
        CASE WHEN NEW.message IS NOT NULL THEN jsonb_build_object('sqlstate', NEW.sqlstate, 'message', NEW.message) END);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION snapback.follow_restore_change() IS 'Trigger: tell of a restore''s new state';

CREATE TRIGGER check_change BEFORE UPDATE ON snapback.restore_run
    FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION snapback.check_restore_change();
CREATE TRIGGER follow_change AFTER UPDATE ON snapback.restore_run
    FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION snapback.follow_restore_change();

-- Making and cancelling requests.

CREATE FUNCTION snapback.acting_for(setting text, given text, configured text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF given IS NOT NULL AND configured <> '' AND given <> configured
       AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('this session acts for %s "%s", not for "%s"', setting, configured, given),
            HINT = format('Leave the argument out, or set snapback.%s to the one that is meant.', setting);
    END IF;
    IF coalesce(given, configured) = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('no %s is given', setting),
            HINT = format('Set snapback.%s for the session or the transaction, or pass it as an argument.', setting);
    END IF;
    RETURN coalesce(given, configured);
END $$;
COMMENT ON FUNCTION snapback.acting_for(text, text, text) IS
    'The community or account that a call is for: the argument, else the setting. 42501 where both are given and differ (superusers may), 22023 where neither is';

CREATE FUNCTION snapback.check_owner(community text, account text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry record;
BEGIN
    SELECT e.owner, e.owner_email, e.restores_enabled INTO entry FROM snapback.directory_entry(check_owner.community) e;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SB007', MESSAGE = format('there is no community "%s"', community),
            HINT = 'The directory given to snapback.set_directory() lists the communities.';
    END IF;
    IF entry.owner IS DISTINCT FROM account THEN
        RAISE EXCEPTION USING ERRCODE = 'SB002', MESSAGE = format('account "%s" is not the owner of community "%s"', account, community),
            HINT = 'Only a community''s owner may have it restored.';
    END IF;
    IF entry.restores_enabled IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'SB003', MESSAGE = format('restores are not enabled for community "%s"', community),
            HINT = 'The directory''s column restores_enabled says so, usually by the community''s plan.';
    END IF;
    IF snapback.valid_address(entry.owner_email) IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the owner of community "%s" has no usable mail address', community),
            DETAIL = format('The directory says: %s', coalesce(quote_literal(left(entry.owner_email, 300)), 'null')),
            HINT = 'An address has the form local@domain, in ASCII, without quotes or spaces.';
    END IF;
    RETURN entry.owner_email;
END $$;
COMMENT ON FUNCTION snapback.check_owner(text, text) IS
    'The mail address of a community''s owner, where the account is that owner and may restore. SB007 unknown community, SB002 not the owner, SB003 restores not enabled, 55000 no usable address';

CREATE FUNCTION snapback.check_snapshot(community text, snapshot uuid, retention interval, OUT id uuid, OUT captured_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT s.id, s.captured_at INTO id, captured_at FROM snapback.snapshot s
    WHERE s.community = check_snapshot.community
      AND CASE WHEN check_snapshot.snapshot IS NULL THEN s.kind <> 'before_restore' ELSE s.id = check_snapshot.snapshot END
    ORDER BY s.captured_at DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SB008',
            MESSAGE = CASE WHEN snapshot IS NULL THEN format('community "%s" has no snapshot', community)
                      ELSE format('community "%s" has no snapshot %s', community, snapshot) END,
            HINT = 'snapback.list_snapshots() lists those that can be restored.';
    END IF;
    IF captured_at + retention <= clock_timestamp() THEN
        RAISE EXCEPTION USING ERRCODE = 'SB004', MESSAGE = format('snapshot %s has expired', id),
            DETAIL = format('It was taken at %s and could be restored until %s.', captured_at, captured_at + retention),
            HINT = 'snapback.list_snapshots() lists those that can be restored.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback.check_snapshot(text, uuid, interval) IS
    'The community''s snapshot with this id, or (null) its newest one that no restore made. SB008 none, SB004 older than the retention';

CREATE FUNCTION snapback.check_options(categories text[], snapshot uuid) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    options text[] := snapback.expand_options(categories);
    missing text;
BEGIN
    SELECT string_agg(o, ', ') INTO missing FROM unnest(options) o
    WHERE o <> ALL (coalesce(snapback.snapshot_options(snapshot), '{}'));
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SB005', MESSAGE = format('snapshot %s does not hold %s', snapshot, missing),
            DETAIL = coalesce((SELECT 'Protected since it was taken: ' || string_agg(DISTINCT coalesce(t.relation::text, t.relation_name), ', ') || '.'
                               FROM snapback.coverage v JOIN snapback.protected_table t ON t.id = v.table_id
                               WHERE v.option = ANY (options)
                                 AND NOT EXISTS (SELECT FROM snapback.snapshot_table m
                                                 WHERE m.snapshot = check_options.snapshot AND m.table_id = t.id)),
                              'No table is registered for that.'),
            HINT = 'snapback.snapshot_contents() lists what a snapshot holds.';
    END IF;
    RETURN options;
END $$;
COMMENT ON FUNCTION snapback.check_options(text[], uuid) IS
    'The options meant by categories, options or *, in order. SB001 unknown or none, SB005 not in the snapshot';

CREATE FUNCTION snapback.check_request_rate(community text, requests_per_hour integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    recent record;
BEGIN
    SELECT count(*) AS requests, min(r.requested_at) AS first INTO recent FROM snapback.request r
    WHERE r.community = check_request_rate.community AND r.requested_at > clock_timestamp() - interval '1 hour';
    IF recent.requests >= requests_per_hour THEN
        RAISE EXCEPTION USING ERRCODE = 'SB006',
            MESSAGE = format('too many restores were requested for community "%s"', community),
            DETAIL = format('%s within the last hour; snapback.requests_per_hour is %s.', recent.requests, requests_per_hour),
            HINT = format('Try again after %s.', recent.first + interval '1 hour');
    END IF;
END $$;
COMMENT ON FUNCTION snapback.check_request_rate(text, integer) IS 'SB006 where the community has had its number of requests within the last hour';

CREATE FUNCTION snapback.supersede_request(community text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM snapback.request r WHERE r.community = supersede_request.community AND r.state = 'pending'
    FOR NO KEY UPDATE NOWAIT;
    UPDATE snapback.request r SET state = CASE WHEN r.expires_at <= clock_timestamp() THEN 'expired' ELSE 'superseded' END
    WHERE r.community = supersede_request.community AND r.state = 'pending';
EXCEPTION WHEN lock_not_available THEN
    RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
        MESSAGE = format('the pending request of community "%s" is being approved or changed at this moment', community),
        HINT = 'Try again when that has ended.';
END $$;
COMMENT ON FUNCTION snapback.supersede_request(text) IS
    'End the community''s pending request because another takes its place. 55P03 while it is being approved';

CREATE FUNCTION snapback.request_restore(categories text[], snapshot uuid DEFAULT NULL, community text DEFAULT NULL,
    requested_by text DEFAULT NULL)
RETURNS TABLE (request uuid, status text, expires_at timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    settings record;
    chosen   record;
    options  text[];
    mailbox  text;
BEGIN
    SELECT * INTO settings FROM snapback.approval_settings();
    IF settings.unusable IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('no mail can be sent: %s', settings.unusable),
            HINT = 'Set it for the server or the database: the mail worker reads it there, not from this session.';
    END IF;
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING ERRCODE = 'active_sql_transaction',
            MESSAGE = 'a restore can be requested in a READ COMMITTED transaction only',
            HINT = 'Of two requests made at once, the later must see the earlier.';
    END IF;
    community := snapback.acting_for('community', community, settings.community);
    requested_by := snapback.acting_for('account', requested_by, settings.account);
    mailbox := snapback.check_owner(community, requested_by);
    SELECT * INTO chosen FROM snapback.check_snapshot(community, snapshot, settings.retention);
    options := snapback.check_options(categories, chosen.id);

    PERFORM snapback.lock_requests(community);
    PERFORM snapback.check_request_rate(community, settings.requests_per_hour);
    PERFORM snapback.supersede_request(community);
    status := 'pending';
    INSERT INTO snapback.request AS r (community, snapshot, options, requested_by, owner_email, expires_at)
    VALUES (request_restore.community, chosen.id, options, request_restore.requested_by, mailbox,
            least(clock_timestamp() + settings.request_ttl, chosen.captured_at + settings.retention))
    RETURNING r.id, r.expires_at INTO request, expires_at;
    PERFORM snapback.announce('request_pending', community, request, NULL, status,
        jsonb_build_object('snapshot', chosen.id, 'options', options, 'requested_by', requested_by));
    PERFORM snapback.queue_mail('approval', request, NULL);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION snapback.request_restore(text[], uuid, text, text) IS
    'Ask for a restore: mails the community''s owner a link that approves it, valid until expires_at. categories: categories, options or *; '
    'snapshot: null for the newest; community, requested_by: null for the settings snapback.community and snapback.account. The community''s earlier pending request '
    'is superseded. Errors: SB001 unknown option, SB002 not the owner, SB003 restores not enabled, SB004 snapshot expired, SB005 option not in the snapshot, SB006 too many '
    'requests, SB007 unknown community, SB008 unknown snapshot, 42501 acting for another, 55000 a setting or the owner''s address is missing, 55P03 an approval is under way';

CREATE FUNCTION snapback.cancel_request(request uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    settings  record;
    cancelled snapback.request;
    is_super  boolean := (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user);
BEGIN
    SELECT * INTO settings FROM snapback.approval_settings();
    SELECT r.* INTO cancelled FROM snapback.request r
    WHERE r.id = cancel_request.request
      AND (is_super OR (r.community = settings.community AND r.requested_by = settings.account))
    FOR NO KEY UPDATE NOWAIT;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('there is no request %s of this session''s', request),
            HINT = 'The settings snapback.community and snapback.account must name the request''s.';
    END IF;
    IF cancelled.state <> 'pending' THEN
        RETURN false;
    END IF;
    UPDATE snapback.request r SET state = CASE WHEN r.expires_at <= clock_timestamp() THEN 'expired' ELSE 'cancelled' END
    WHERE r.id = cancelled.id RETURNING r.* INTO cancelled;
    RETURN cancelled.state = 'cancelled';
EXCEPTION WHEN lock_not_available THEN
    RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
        MESSAGE = format('request %s is being approved or changed at this moment', request), HINT = 'Try again when that has ended.';
END $$;
COMMENT ON FUNCTION snapback.cancel_request(uuid) IS
    'Cancel a pending request of the account and community that the settings name (superusers: any); returns whether it was pending. '
    '42704 no such request of theirs, 55P03 it is being approved at this moment';
