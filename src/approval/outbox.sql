-- The outbox: mail that a background worker sends after the commit, at least once. It contains no secrets.

CREATE TABLE snapback.mail (
    id          uuid        PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    kind        text        NOT NULL CHECK (kind IN ('approval', 'result')),
    request     uuid        NOT NULL REFERENCES snapback.request ON DELETE CASCADE,
    restore     uuid        REFERENCES snapback.restore_run ON DELETE CASCADE,
    state       text        NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'dropped')),
    attempts    integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    queued_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_try_at timestamptz DEFAULT clock_timestamp(),
    claimed_at  timestamptz,
    sent_at     timestamptz,
    last_error  text,
    CHECK ((kind = 'result') = (restore IS NOT NULL)),
    CHECK ((state = 'queued') = (next_try_at IS NOT NULL)),
    CHECK (state <> 'sending' OR claimed_at IS NOT NULL),
    CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
    CHECK (state <> 'failed' OR last_error IS NOT NULL)
);
CREATE INDEX mail_open ON snapback.mail (next_try_at) WHERE state IN ('queued', 'sending');
CREATE INDEX ON snapback.mail (request);
CREATE INDEX ON snapback.mail (restore);
COMMENT ON TABLE snapback.mail IS
    'Mail to owners. state: queued (until the next try), sending (a worker sends it), sent, failed (the server rejected it permanently, or the time was '
    'up) or dropped (its request ended first). The id is the Message-ID, the same on every try. The recipient is the owner_email of the request';

CREATE FUNCTION snapback_internal.queue_mail(kind text, request uuid, restore uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO snapback.mail (kind, request, restore) VALUES (kind, request, restore);
    PERFORM snapback_internal.start_worker('mail');
END $$;
COMMENT ON FUNCTION snapback_internal.queue_mail(text, uuid, uuid) IS 'Add a mail to the outbox; a worker sends it after the commit';

CREATE FUNCTION snapback_internal.is_sendable(mail snapback.mail, request snapback.request) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT mail.state = 'queued' AND (mail.kind = 'result' OR (request.state = 'pending' AND request.expires_at > clock_timestamp()));
END;
COMMENT ON FUNCTION snapback_internal.is_sendable(snapback.mail, snapback.request) IS
    'Return whether a mail is queued and still useful: an approval only while its request can be approved';

CREATE FUNCTION snapback_internal.community_called(request snapback.request, OUT name text, OUT current_name text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT s.community_name INTO name FROM snapback.snapshot s WHERE s.id = request.snapshot;
    SELECT e.name INTO current_name FROM snapback_internal.directory_entry(request.community) e WHERE snapback_internal.is_own_request(request);
    name := coalesce(name, current_name, request.community);
    IF current_name COLLATE "C" = name COLLATE "C" THEN
        current_name := NULL;
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.community_called(snapback.request) IS
    'Return the name of a request''s community when the snapshot was taken, because the current one may be part of the damage; without a name, the key. '
    'current_name: the name in the directory now, if it differs; NULL if the key now belongs to another community';
