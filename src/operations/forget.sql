-- Deletes all stored data of a community.

CREATE FUNCTION snapback.forget(community text, OUT snapshots bigint, OUT chunks bigint, former_only boolean DEFAULT false)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    everything   boolean := former_only IS NOT TRUE;
    left_at      timestamptz; -- last time that the key was missing from the directory
    identity_now text;       -- of the community that has the key
    of_former    uuid[];      -- snapshots
    requests     uuid[];
    runs         uuid[];
BEGIN
    IF forget.community IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'community must not be null';
    END IF;
    PERFORM snapback_internal.note_departures();
    -- A session that works for the community holds one of these row locks and may wait for the store lock later. Lock the rows first to avoid a deadlock.
    PERFORM FROM snapback.restore_run r WHERE r.community = forget.community FOR UPDATE;
    PERFORM FROM snapback.request r WHERE r.community = forget.community FOR UPDATE;
    PERFORM snapback_internal.lock_store(true);
    left_at := (SELECT max(d.noticed_at) FROM snapback.departure d WHERE d.community = forget.community);
    IF former_only THEN
        identity_now := (SELECT e.identity FROM snapback_internal.directory_entry(forget.community) e);
    END IF;
    of_former := ARRAY(SELECT d.id FROM snapback_internal.disowned_snapshots() d WHERE d.community = forget.community);
    requests := ARRAY(SELECT r.id FROM snapback.request r WHERE r.community = forget.community
                    AND (everything OR r.snapshot = ANY (of_former) OR NOT snapback_internal.is_own_request(r)));
    runs := ARRAY(SELECT r.id FROM snapback.restore_run r WHERE r.community = forget.community
                  AND (everything OR r.snapshot = ANY (of_former) OR r.request = ANY (requests)
                       OR NOT snapback_internal.same_community(r.community, r.identity, r.requested_at, identity_now)));
    DELETE FROM snapback.audit a
    WHERE a.community = forget.community AND (everything OR a.request = ANY (requests) OR a.restore = ANY (runs) OR a.at <= left_at);
    DELETE FROM snapback.capture_failure f WHERE f.community = forget.community AND (everything OR f.failed_at <= left_at);
    DELETE FROM snapback.capture_difference d WHERE d.community = forget.community AND (everything OR d.captured_at <= left_at);
    DELETE FROM snapback.mail m WHERE m.request = ANY (requests);
    DELETE FROM snapback.request r WHERE r.id = ANY (requests);
    DELETE FROM snapback.restore_run r WHERE r.id = ANY (runs);
    DELETE FROM snapback.restore_epoch e WHERE e.community = forget.community AND everything;
    PERFORM snapback_internal.erase_removed_keys(forget.community);
    DELETE FROM snapback.departure d WHERE d.community = forget.community;
    snapshots := snapback_internal.delete_snapshots(ARRAY(SELECT s.id FROM snapback.snapshot s
                                                 WHERE s.community = forget.community AND (everything OR s.id = ANY (of_former))));
    chunks := snapback_internal.sweep(ARRAY[forget.community]);
END
$$;
COMMENT ON FUNCTION snapback.forget(text, boolean) IS
    'Delete all stored data of a community: snapshots, requests, restores, mail and audit. Call it when a community is deleted. Waits for captures and '
    'restores to end. former_only: keep the data of the community that the directory lists under this key now, and delete only that of earlier ones. '
    'Returns the number of deleted snapshots and chunks. Errors: 22004 the community is NULL, 25001 above READ COMMITTED';
