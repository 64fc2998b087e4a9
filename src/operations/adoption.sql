-- Assigns earlier snapshots to a community that was missing from the directory.

CREATE FUNCTION snapback.adopt_snapshots(community text, since timestamptz DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    entry   record;
    before  bigint;
    adopted bigint;
BEGIN
    IF adopt_snapshots.community IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'community must not be null';
    END IF;
    SELECT e.identity INTO entry FROM snapback_internal.directory_entry(adopt_snapshots.community) e;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SB007', MESSAGE = format('community "%s" is not in the directory', community),
            HINT = 'Add it to the directory again first, with the same key.';
    END IF;
    before := (SELECT count(*) FROM snapback_internal.own_snapshots(adopt_snapshots.community));
    DELETE FROM snapback.departure d
    WHERE d.community = adopt_snapshots.community AND (adopt_snapshots.since IS NULL OR d.noticed_at >= adopt_snapshots.since);
    UPDATE snapback.snapshot s SET identity = entry.identity
    WHERE s.community = adopt_snapshots.community AND adopt_snapshots.since IS NULL AND s.identity IS DISTINCT FROM entry.identity;
    UPDATE snapback.restore_run r SET identity = entry.identity
    WHERE r.community = adopt_snapshots.community AND adopt_snapshots.since IS NULL AND r.identity IS DISTINCT FROM entry.identity;
    adopted := (SELECT count(*) FROM snapback_internal.own_snapshots(adopt_snapshots.community)) - before;
    PERFORM snapback_internal.record_step('snapshots_adopted', adopt_snapshots.community, NULL, NULL, jsonb_build_object('snapshots', adopted));
    RETURN adopted;
END
$$;
COMMENT ON FUNCTION snapback.adopt_snapshots(text, timestamptz) IS
    'Assign to a community of the directory the snapshots that were captured under its key before it was missing from the directory, or with another '
    'identity. For DBAs who know that it is the same community. Returns the number of assigned snapshots. since: ignore only absences recorded at '
    'this time or later, and do not change identities. Errors: SB007 the community is not in the directory, 22004 the community is NULL';
