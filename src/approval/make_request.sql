-- Creates and cancels requests to restore. Only the owner may request, and each request stores a preview.

CREATE FUNCTION snapback_internal.check_owner(community text, account text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entry record;
BEGIN
    SELECT e.owner, e.owner_email, e.restores_enabled INTO entry FROM snapback_internal.directory_entry(check_owner.community) e;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SB007', MESSAGE = format('community "%s" does not exist', community),
            HINT = 'The directory given to snapback.set_directory() lists the communities.';
    END IF;
    IF entry.owner IS DISTINCT FROM account THEN
        RAISE EXCEPTION USING ERRCODE = 'SB002', MESSAGE = format('account "%s" is not the owner of community "%s"', account, community),
            HINT = 'Only the owner of a community can request a restore.';
    END IF;
    IF entry.restores_enabled IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'SB003', MESSAGE = format('restores are not enabled for community "%s"', community),
            HINT = 'The column restores_enabled of the directory must be true.';
    END IF;
    IF snapback_internal.valid_address(entry.owner_email) IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the owner of community "%s" has no usable mail address', community),
            DETAIL = format('The directory contains: %s.', coalesce(quote_literal(left(entry.owner_email, 300)), 'null')),
            HINT = 'An address has the form local@domain, in ASCII, without quotes or spaces.';
    END IF;
    RETURN entry.owner_email;
END $$;
COMMENT ON FUNCTION snapback_internal.check_owner(text, text) IS
    'Return the mail address of a community''s owner, if the account is the owner and may restore. Errors: SB007 unknown community, SB002 not the owner, '
    'SB003 restores not enabled, 55000 no usable address';

CREATE FUNCTION snapback_internal.check_request_rate(community text, requests_per_hour integer) RETURNS void
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
COMMENT ON FUNCTION snapback_internal.check_request_rate(text, integer) IS 'Raise SB006 if the community has reached its number of requests per hour';

CREATE FUNCTION snapback_internal.supersede_request(community text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM snapback.request r WHERE r.community = supersede_request.community AND r.state = 'pending'
    FOR NO KEY UPDATE NOWAIT;
    UPDATE snapback.request r SET state = CASE WHEN r.expires_at <= clock_timestamp() THEN 'expired' ELSE 'superseded' END
    WHERE r.community = supersede_request.community AND r.state = 'pending';
EXCEPTION WHEN lock_not_available THEN
    RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
        MESSAGE = format('the pending request of community "%s" is being approved or changed', community),
        HINT = 'Try again later.';
END $$;
COMMENT ON FUNCTION snapback_internal.supersede_request(text) IS
    'End the pending request of a community because a new one replaces it. Errors: 55P03 it is being approved or changed';

CREATE FUNCTION snapback_internal.preview_request(snapshot uuid, options text[], switches jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    preview   jsonb := snapback_internal.planned_tables(snapshot, options, switches);
    obstacles text;
BEGIN
    SELECT string_agg(o, E'\n') INTO obstacles FROM snapback_internal.preview_tables(preview) t, unnest(t.obstacles) o;
    IF obstacles IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SB012', MESSAGE = 'the restore cannot be executed', DETAIL = obstacles,
            HINT = 'Specify in the argument switches how to handle these rows (docs/restoring/options.md), or choose other options.';
    END IF;
    RETURN preview;
END $$;
COMMENT ON FUNCTION snapback_internal.preview_request(uuid, text[], jsonb) IS
    'Return planned_tables() for a request to store. Errors: SB012 the restore would fail; the detail has one line for each obstacle';

CREATE FUNCTION snapback_internal.check_request_isolation() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING ERRCODE = 'active_sql_transaction',
            MESSAGE = 'a restore can be requested only in a READ COMMITTED transaction',
            HINT = 'A request must see other requests that are committed while it runs.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.check_request_isolation() IS 'Raise 25001 if the isolation level hides requests of concurrent transactions';

CREATE FUNCTION snapback_internal.setting_of_new_sessions(setting text, role oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT substr(c, strpos(c, '=') + 1)
    FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) c
    WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
      AND s.setrole IN (0, setting_of_new_sessions.role)
      AND lower(split_part(c, '=', 1)) = setting_of_new_sessions.setting
    ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1
$$;
COMMENT ON FUNCTION snapback_internal.setting_of_new_sessions(text, oid) IS
    'Return the value that ALTER DATABASE and ALTER ROLE give a setting for the role (0: for all roles) in this database, NULL if none. Sessions that '
    'began earlier do not have it. Internal.';

CREATE FUNCTION snapback_internal.check_mail_settings(unusable text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    setting text := substring(unusable FROM '^snapback\.[a-z_]+');
    now     text := current_setting(setting, true);
    late    boolean := nullif(snapback_internal.setting_of_new_sessions(setting, (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user)), '') <> now;
    shared  boolean := nullif(snapback_internal.setting_of_new_sessions(setting, 0), '') <> now;
BEGIN
    IF unusable IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('no mail can be sent: %s', unusable),
            HINT = concat_ws(' ', CASE WHEN late THEN 'ALTER DATABASE or ALTER ROLE has set it after this session began: connect again.' END,
                CASE WHEN late AND shared THEN NULL ELSE 'Set it for the server or the database; the mail worker does not see the settings of this session.' END);
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.check_mail_settings(text) IS
    'Raise 55000 with the reason for which approval_settings() finds that no mail can be sent, if any. The hint says where to set the setting, or to '
    'connect again if the session began before it was set';

CREATE FUNCTION snapback.request_restore(categories text[], snapshot uuid DEFAULT NULL, community text DEFAULT NULL,
    requested_by text DEFAULT NULL, switches jsonb DEFAULT NULL, strict boolean DEFAULT false)
RETURNS TABLE (request uuid, status text, expires_at timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    settings record;
    chosen   record;
    options  text[];
    preview  jsonb;
    mailbox  text;
BEGIN
    SELECT * INTO settings FROM snapback_internal.approval_settings();
    PERFORM snapback_internal.check_mail_settings(settings.unusable), snapback_internal.check_request_isolation();
    PERFORM snapback_internal.note_departures();
    community := snapback_internal.acting_for('community', community);
    requested_by := snapback_internal.acting_for('account', requested_by);
    mailbox := snapback_internal.check_owner(community, requested_by);
    SELECT * INTO chosen FROM snapback_internal.check_snapshot(community, snapshot);
    options := snapback_internal.check_options(categories, chosen.id);

    PERFORM snapback_internal.lock_requests(community);
    PERFORM snapback_internal.check_request_rate(community, settings.requests_per_hour);
    PERFORM snapback_internal.supersede_request(community);
    status := 'pending';
    preview := snapback_internal.preview_request(chosen.id, options, switches);
    INSERT INTO snapback.request AS r (community, identity, snapshot, options, coverage, skipped_options, switches, strict, preview, requested_by, owner_email, expires_at)
    VALUES (request_restore.community, (SELECT e.identity FROM snapback_internal.directory_entry(request_restore.community) e), chosen.id, options, snapback_internal.options_coverage(options), snapback_internal.skipped_options(categories, chosen.id), request_restore.switches,
            request_restore.strict IS TRUE, preview, request_restore.requested_by, mailbox,
            least(clock_timestamp() + settings.request_ttl, chosen.captured_at + snapback_internal.retention()))
    RETURNING r.id, r.expires_at INTO request, expires_at;
    PERFORM snapback_internal.announce('request_pending', community, request, NULL, status,
        jsonb_strip_nulls(jsonb_build_object('snapshot', chosen.id, 'options', options, 'requested_by', requested_by, 'strict', nullif(strict, false)))
        || CASE WHEN switches IS NULL THEN '{}' ELSE jsonb_build_object('switches', switches) END);
    PERFORM snapback_internal.queue_mail('approval', request, NULL);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION snapback.request_restore(text[], uuid, text, text, jsonb, boolean) IS
    'Request a restore: mail the community''s owner what it would do now, and a link that approves it, valid until expires_at. A pending request of the '
    'community is superseded. categories: categories, options or *; a category or * selects those options that the snapshot contains. snapshot: by '
    'default the newest one. community, requested_by: by default those of the settings snapback.community and snapback.account, which a backend sets with '
    'SET LOCAL (with plain SET, a pooler in transaction mode leaks them to the next client). switches: see docs/restoring/options.md. strict: refuse the '
    'approval if the plan has changed since the mail. Errors: SB001 unknown option, SB002 not the owner, SB003 restores not enabled, SB004 snapshot '
    'expired, SB005 option not in the snapshot, SB006 too many requests, SB007 unknown community, SB008 unknown snapshot, SB012 the restore would fail, '
    '22023 invalid switch, 42501 the session acts for another community or account, 55000 a setting or the owner''s address is missing, 55P03 an approval '
    'is in progress, XX001 the snapshot is damaged, and those that prevent planning';

CREATE FUNCTION snapback.cancel_request(request uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    cancelled snapback.request;
    is_super  boolean := (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user);
BEGIN
    SELECT r.* INTO cancelled FROM snapback.request r
    WHERE r.id = cancel_request.request
      AND (is_super OR (r.community = current_setting('snapback.community', true) AND r.requested_by = current_setting('snapback.account', true)))
    FOR NO KEY UPDATE NOWAIT;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('request %s does not exist or belongs to others', coalesce(request::text, 'NULL')),
            HINT = 'The settings snapback.community and snapback.account must match those of the request.';
    END IF;
    IF cancelled.state <> 'pending' THEN
        RETURN false;
    END IF;
    UPDATE snapback.request r SET state = CASE WHEN r.expires_at <= clock_timestamp() THEN 'expired' ELSE 'cancelled' END
    WHERE r.id = cancelled.id RETURNING r.* INTO cancelled;
    RETURN cancelled.state = 'cancelled';
EXCEPTION WHEN lock_not_available THEN
    RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
        MESSAGE = format('request %s is being approved or changed', request), HINT = 'Try again later.';
END $$;
COMMENT ON FUNCTION snapback.cancel_request(uuid) IS
    'Cancel a pending request of the community and account in the settings (superusers: any request); return whether it was pending. Errors: 42704 no '
    'such request of theirs, 55P03 it is being approved or changed';
