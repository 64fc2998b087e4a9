-- Determines which community a snapshot belongs to. A key may return to the directory for another community.

CREATE TABLE snapback.departure (
    community  text        NOT NULL,
    noticed_at timestamptz NOT NULL,
    PRIMARY KEY (community, noticed_at)
);
COMMENT ON TABLE snapback.departure IS
    'When a community with snapshots was found missing from the directory. Snapshots and requests up to that time belong to no community, even if '
    'the key returns, unless snapback.adopt_snapshots() deletes the row';

CREATE FUNCTION snapback_internal.same_community(community text, identity text, at timestamptz, identity_now text) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT (same_community.identity IS NULL OR same_community.identity IS NOT DISTINCT FROM same_community.identity_now)
       AND NOT EXISTS (SELECT FROM snapback.departure d
                       WHERE d.community = same_community.community AND d.noticed_at >= same_community.at);
END;
COMMENT ON FUNCTION snapback_internal.same_community(text, text, timestamptz, text) IS
    'Return whether data stored for a community belongs to the community that the directory lists under this key now. identity, at: the identity and '
    'the time of the data (identity is NULL if the directory had no such column). identity_now: the current identity';

CREATE FUNCTION snapback_internal.acting_community(key text) RETURNS TABLE (community text, identity text, missed_at timestamptz)
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e.community, e.identity, (SELECT max(d.noticed_at) FROM snapback.departure d WHERE d.community = e.community)
    FROM snapback_internal.directory_entry(acting_community.key) e WHERE e.community = current_setting('snapback.community', true)
$$;
COMMENT ON FUNCTION snapback_internal.acting_community(text) IS
    'Return the community of the setting snapback.community if it equals the key, its identity, and the last time that the key was missing from the '
    'directory; no row for other keys or if the directory does not list it. The views snapback.requests and snapback.restores call it';

CREATE FUNCTION snapback_internal.own_snapshots(community text) RETURNS SETOF snapback.snapshot
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT s.*
                 FROM snapback_internal.directory_entry(own_snapshots.community) e JOIN snapback.snapshot s ON s.community = e.community
                 WHERE snapback_internal.same_community(s.community, s.identity, s.captured_at, e.identity);
END
$$;
COMMENT ON FUNCTION snapback_internal.own_snapshots(text) IS
    'Return the snapshots of a community in the directory, without those of an earlier community with the same key. Errors: 55000 the directory '
    'cannot be read';

CREATE FUNCTION snapback_internal.own_snapshot(snapshot uuid) RETURNS uuid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    its_community text := (SELECT s.community FROM snapback.snapshot s WHERE s.id = own_snapshot.snapshot);
BEGIN
    IF its_community IS NOT NULL AND NOT EXISTS (SELECT FROM snapback_internal.own_snapshots(its_community) o WHERE o.id = own_snapshot.snapshot) THEN
        RAISE EXCEPTION USING ERRCODE = 'SB008', MESSAGE = format('snapshot %s belongs to no community', snapshot),
            DETAIL = format('Community "%s" is missing from the directory, was missing after the capture, or has another identity now.', its_community),
            HINT = 'snapback.adopt_snapshots() assigns earlier snapshots to the community. snapback.forget() deletes them.';
    END IF;
    RETURN snapshot;
END
$$;
COMMENT ON FUNCTION snapback_internal.own_snapshot(uuid) IS
    'Return the ID of a snapshot that belongs to a community of the directory, or does not exist. Errors: SB008 the snapshot belongs to no community';

CREATE FUNCTION snapback_internal.disowned_snapshots()
RETURNS TABLE (id uuid, community text, noticed_at timestamptz, is_listed boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
    keys       text[];
    identities text[];
    readable   boolean := true;
BEGIN
    BEGIN
        SELECT array_agg(k.community), array_agg(k.identity) INTO keys, identities FROM snapback_internal.directory_keys() k;
    EXCEPTION WHEN OTHERS THEN
        readable := false;
    END;
    RETURN QUERY
    SELECT s.id, s.community,
           (SELECT min(d.noticed_at) FROM snapback.departure d WHERE d.community = s.community AND d.noticed_at >= s.captured_at),
           CASE WHEN readable THEN k.community IS NOT NULL END
    FROM snapback.snapshot s
    LEFT JOIN unnest(keys, identities) AS k (community, identity) ON k.community = s.community
    LEFT JOIN (SELECT d.community, max(d.noticed_at) AS latest FROM snapback.departure d GROUP BY d.community) gone
           ON gone.community = s.community AND gone.latest >= s.captured_at
    WHERE gone.latest IS NOT NULL
       OR (readable AND (k.community IS NULL OR (s.identity IS NOT NULL AND s.identity IS DISTINCT FROM k.identity)));
END
$$;
COMMENT ON FUNCTION snapback_internal.disowned_snapshots() IS
    'Return the snapshots that belong to no community of the directory. noticed_at: when the absence was recorded (NULL: not recorded, or only the '
    'identity differs). is_listed: whether the directory lists the key now. If the directory cannot be read, is_listed is NULL and only recorded '
    'absences count';

CREATE FUNCTION snapback_internal.note_departures() RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' SET jit = off
AS $$
DECLARE
    candidates text[];
    gone       text[];
BEGIN
    IF current_setting('transaction_read_only')::boolean
       OR current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RETURN 0;
    END IF;
    -- Read the directory after the snapshots. Otherwise a community captured in between would appear to be missing.
    candidates := ARRAY(SELECT s.community
                        FROM snapback.snapshot s
                        LEFT JOIN (SELECT d.community, max(d.noticed_at) AS latest FROM snapback.departure d GROUP BY d.community) known
                               ON known.community = s.community
                        WHERE s.captured_at > known.latest OR known.latest IS NULL
                        GROUP BY s.community);
    IF candidates = '{}' THEN
        RETURN 0;
    END IF;
    BEGIN
        gone := ARRAY(SELECT c FROM unnest(candidates) AS c EXCEPT SELECT k.community FROM snapback_internal.directory_keys() k);
    EXCEPTION WHEN OTHERS THEN
        RETURN 0;
    END;
    -- The time must not precede that of the snapshots, even if the clock was ahead at the capture.
    INSERT INTO snapback.departure (community, noticed_at)
    SELECT g, greatest(clock_timestamp(), (SELECT max(s.captured_at) FROM snapback.snapshot s WHERE s.community = g)) FROM unnest(gone) AS g;
    PERFORM snapback_internal.record_step('community_departed', g, NULL, NULL, NULL) FROM unnest(gone) AS g;
    RETURN cardinality(gone);
END
$$;
COMMENT ON FUNCTION snapback_internal.note_departures() IS
    'Record the communities with snapshots that are missing from the directory; return the number of new records. Their snapshots then belong to no '
    'community. Does nothing if the directory cannot be read, or in a transaction that is read-only or not READ COMMITTED. Captures, previews, '
    'requests, approvals, health() and process_queue() call it';
