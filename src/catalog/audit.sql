-- The record of every step of requests and restores, and the notification of listeners.

CREATE TABLE snapback.audit (
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    event     text        NOT NULL,
    community text        NOT NULL,
    request   uuid,
    restore   uuid,
    role      text        NOT NULL DEFAULT session_user,
    account   text,
    detail    jsonb,
    id        uuid        PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid()
);
CREATE INDEX ON snapback.audit (community, at);
COMMENT ON TABLE snapback.audit IS 'The steps of requests and restores, each with its time, the database role and the account';

CREATE FUNCTION snapback_internal.is_text(value text) RETURNS boolean
LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_is_text';
COMMENT ON FUNCTION snapback_internal.is_text(text) IS
    'Return whether a value can be converted to UTF-8. In a SQL_ASCII database it may contain any bytes. Internal.';

CREATE FUNCTION snapback_internal.announce(event text, community text, request uuid, restore uuid, state text, detail jsonb DEFAULT NULL)
RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now      timestamptz := clock_timestamp();
    payload  jsonb := jsonb_build_object('event', event, 'community', community, 'request', request, 'restore', restore,
                                         'state', state, 'at', now);
BEGIN
    INSERT INTO snapback.audit (at, event, community, request, restore, account, detail)
    VALUES (now, announce.event, announce.community, announce.request, announce.restore, nullif(current_setting('snapback.account', true), ''), announce.detail);
    -- A notification holds less than 8000 bytes, and a listener is disconnected by one that is no text in its encoding;
    -- the identifiers are enough to look up what had to be left out.
    PERFORM pg_notify('snapback', CASE WHEN octet_length(payload::text) < 7900 AND snapback_internal.is_text(announce.community) IS NOT FALSE THEN payload ELSE payload - 'community' END::text);
END $$;
COMMENT ON FUNCTION snapback_internal.announce(text, text, uuid, uuid, text, jsonb) IS
    'Record a change of state in snapback.audit and notify listeners on channel snapback, as JSON: event, community (unless it is too long or not valid '
    'text), request, restore, state, at';

CREATE FUNCTION snapback_internal.record_step(event text, community text, request uuid, restore uuid, detail jsonb)
RETURNS void LANGUAGE sql VOLATILE
BEGIN ATOMIC
    INSERT INTO snapback.audit (event, community, request, restore, account, detail)
    VALUES (record_step.event, record_step.community, record_step.request, record_step.restore, nullif(current_setting('snapback.account', true), ''), record_step.detail);
END;
COMMENT ON FUNCTION snapback_internal.record_step(text, text, uuid, uuid, jsonb) IS 'Record a step that changes no state in snapback.audit';
