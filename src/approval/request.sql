-- Requests to restore: their states, the hashes of their secrets, and the announcement of each step.

CREATE TABLE snapback.request (
    id           uuid        PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    community    text        NOT NULL,
    identity     text,
    snapshot     uuid        NOT NULL,
    options      text[]      NOT NULL CHECK (cardinality(options) > 0),
    coverage     jsonb,
    skipped_options text[]   NOT NULL DEFAULT '{}',
    switches     jsonb,
    strict       boolean     NOT NULL DEFAULT false,
    preview      jsonb       NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(preview) = 'array'),
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
    'Requests to restore, each for one community, snapshot, set of options and switches, and the owner''s mailbox; states: see docs/approval.md. '
    'identity: of the community, as in snapback.snapshot. coverage: options_coverage() of the options at the time of the request. skipped_options: options that a '
    'category or * selected and the snapshot does not contain. preview: planned_tables() at the time of the request. strict: whether a restore with '
    'another plan is refused';

CREATE TABLE snapback.token (
    sha256    bytea       PRIMARY KEY CHECK (length(sha256) = 32),
    request   uuid        NOT NULL REFERENCES snapback.request ON DELETE CASCADE,
    minted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON snapback.token (request);
COMMENT ON TABLE snapback.token IS
    'The SHA-256 of each secret that was mailed for a request, one per try to send; the secret itself is not stored. The end of the request deletes them';

ALTER TABLE snapback.restore_run ADD FOREIGN KEY (request) REFERENCES snapback.request ON DELETE SET NULL;
CREATE INDEX ON snapback.restore_run (request);

CREATE FUNCTION snapback_internal.valid_address(address text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_valid_address';
COMMENT ON FUNCTION snapback_internal.valid_address(text) IS
    'Return whether mail can be sent to this address: local@domain in ASCII, without quotes, spaces, comments or control characters, within the length '
    'limits of SMTP';

CREATE FUNCTION snapback_internal.unusable_mail_setting() RETURNS text
LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_unusable_mail_setting';
COMMENT ON FUNCTION snapback_internal.unusable_mail_setting() IS 'Return the problem of the first setting that prevents mail, NULL if there is none';

CREATE FUNCTION snapback_internal.approval_settings(OUT request_ttl interval, OUT requests_per_hour integer, OUT require_community_name boolean,
    OUT audit_retention interval, OUT unusable text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Call the library first: loading it defines the settings.
    unusable := snapback_internal.unusable_mail_setting();
    request_ttl := snapback_internal.hours_of(current_setting('snapback.request_ttl')::interval);
    requests_per_hour := current_setting('snapback.requests_per_hour')::integer;
    require_community_name := current_setting('snapback.require_community_name')::boolean;
    audit_retention := snapback_internal.hours_of(current_setting('snapback.audit_retention')::interval);
END $$;
COMMENT ON FUNCTION snapback_internal.approval_settings() IS
    'Return the settings of requests and approvals. unusable: the problem that prevents mail, NULL if there is none';

CREATE FUNCTION snapback_internal.lock_requests(community text) RETURNS void
LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_lock_requests';
COMMENT ON FUNCTION snapback_internal.lock_requests(text) IS
    'Take the lock that serializes changes of a community''s pending request, until the end of the transaction';

CREATE FUNCTION snapback_internal.start_worker(work text) RETURNS void
LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_start_worker';
COMMENT ON FUNCTION snapback_internal.start_worker(text) IS
    'Start a background worker when this transaction commits. work: mail or restore. If no worker slot is free, process_queue() starts it later';

CREATE FUNCTION snapback_internal.options_coverage(options text[]) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_object_agg(o.option, o.covered), '{}')
    FROM (SELECT v.option, jsonb_agg(to_jsonb(v) - '{option,registered_columns}'::text[] ORDER BY v.table_id) AS covered
          FROM snapback.coverage v WHERE v.option = ANY (options) GROUP BY v.option) o
$$;
COMMENT ON FUNCTION snapback_internal.options_coverage(text[]) IS
    'Return what each of these options covers: the numbers of its tables, with columns and filters. Options that cover no table are omitted';

CREATE FUNCTION snapback_internal.is_own_request(request snapback.request) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM snapback_internal.directory_entry(request.community) e
                   WHERE snapback_internal.same_community(request.community, request.identity, request.requested_at, e.identity));
END $$;
COMMENT ON FUNCTION snapback_internal.is_own_request(snapback.request) IS
    'Return whether the directory still lists the community of a request under its key. Internal.';

-- The state machine. INSERT is not restricted, so that a dump can be loaded.

CREATE FUNCTION snapback_internal.check_request_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_jsonb(NEW) - '{state,ended_at}'::text[] IS DISTINCT FROM to_jsonb(OLD) - '{state,ended_at}'::text[] THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('request %s cannot be altered', OLD.id),
            HINT = 'Only the state of a request can change; create another request instead.';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
            ('pending', 'restoring'), ('pending', 'restored'), ('pending', 'superseded'), ('pending', 'cancelled'), ('pending', 'expired'),
            ('restoring', 'restored'), ('restoring', 'pending'), ('restoring', 'failed'), ('restoring', 'superseded')) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('request %s is %s and cannot become %s', OLD.id, OLD.state, NEW.state);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION snapback_internal.check_request_change() IS 'Trigger function: refuse changes of a request other than valid changes of its state';

CREATE FUNCTION snapback_internal.note_request_end() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.ended_at := clock_timestamp();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION snapback_internal.note_request_end() IS 'Trigger function: record when a request ends';

CREATE FUNCTION snapback_internal.follow_request_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.ended_at IS NOT NULL THEN
        DELETE FROM snapback.token t WHERE t.request = NEW.id;
        UPDATE snapback.mail m SET state = 'dropped', next_try_at = NULL
        WHERE m.request = NEW.id AND m.kind = 'approval' AND m.state = 'queued';
    END IF;
    PERFORM snapback_internal.announce('request_' || NEW.state, NEW.community, NEW.id, NULL, NEW.state);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION snapback_internal.follow_request_change() IS
    'Trigger function: announce the new state of a request; at its end, delete its secrets and drop its queued approval mail';

CREATE TRIGGER check_change BEFORE UPDATE ON snapback.request
    FOR EACH ROW EXECUTE FUNCTION snapback_internal.check_request_change();
CREATE TRIGGER note_end BEFORE UPDATE ON snapback.request
    FOR EACH ROW WHEN (NEW.state NOT IN ('pending', 'restoring') AND OLD.ended_at IS NULL) EXECUTE FUNCTION snapback_internal.note_request_end();
CREATE TRIGGER follow_change AFTER UPDATE ON snapback.request
    FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION snapback_internal.follow_request_change();

CREATE TRIGGER check_change BEFORE UPDATE ON snapback.restore_run
    FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION snapback_internal.check_restore_change();
CREATE TRIGGER follow_change AFTER UPDATE ON snapback.restore_run
    FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION snapback_internal.follow_restore_change();

-- These triggers also fire for a caller whose session_replication_role is replica.
ALTER TABLE snapback.request ENABLE ALWAYS TRIGGER note_end;
ALTER TABLE snapback.request ENABLE ALWAYS TRIGGER follow_change;
ALTER TABLE snapback.restore_run ENABLE ALWAYS TRIGGER follow_change;
