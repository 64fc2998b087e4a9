-- A DBA's way, without mail and approval: restore, and take a restore back.

CREATE FUNCTION snapback.restore(categories text[], snapshot uuid, community text, switches jsonb DEFAULT NULL)
RETURNS TABLE (relation text, inserted bigint, updated bigint, deleted bigint, kept bigint, parents bigint, nulled bigint,
               cascaded bigint, skipped bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chosen   record;
    options  text[];
    run      uuid;
    note     text;
BEGIN
    PERFORM snapback_internal.hold_extension(), snapback_internal.note_departures();
    PERFORM FROM snapback_internal.directory_entry(restore.community);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SB007', MESSAGE = 'there is no community ' || coalesce('"' || community || '"', 'NULL'),
            HINT = 'The directory given to snapback.set_directory() lists the communities.';
    END IF;
    SELECT * INTO chosen FROM snapback_internal.check_snapshot(community, snapshot);
    options := snapback_internal.check_options(categories, chosen.id);
    FOREACH note IN ARRAY snapback_internal.skip_notes(snapback_internal.skipped_options(categories, chosen.id)) LOOP
        RAISE NOTICE '%', note;
    END LOOP;
    run := snapback_internal.record_restore(community, chosen.id, options, switches, NULL, 'running');
    PERFORM snapback_internal.execute_restore(run);
    RETURN QUERY SELECT t.* FROM snapback_internal.restored_tables(run) t;
END $$;
COMMENT ON FUNCTION snapback.restore(text[], uuid, text, jsonb) IS
    'For DBAs: restore at once, without mail and approval; returns what was changed, table by table. categories: categories, options or *, of which the last two mean what the '
    'snapshot holds of them (a notice names the rest). snapshot null: the newest; switches: docs/restoring/options.md. Errors: SB001 unknown option, SB004 snapshot expired, '
    'SB005 option not in the snapshot, SB007 unknown community, SB008 unknown snapshot, 22023 a switch is not understood, and whatever keeps the restore from being done';

CREATE FUNCTION snapback_internal.switches_to_undo(switches jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT jsonb_object_agg(s.key, s.value) FROM jsonb_each(switches) s WHERE s.key IN ('rows', 'children');
END;
COMMENT ON FUNCTION snapback_internal.switches_to_undo(jsonb) IS 'Of a restore''s switches, those that its undoing shares: which rows it is about; null for none';

CREATE FUNCTION snapback.undo_restore(restore uuid)
RETURNS TABLE (relation text, inserted bigint, updated bigint, deleted bigint, kept bigint, parents bigint, nulled bigint,
               cascaded bigint, skipped bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done     snapback.restore_run;
    options  text[];
    run      uuid;
BEGIN
    PERFORM snapback_internal.hold_extension(), snapback_internal.note_departures();
    SELECT r.* INTO done FROM snapback.restore_run r WHERE r.id = undo_restore.restore;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('there is no restore %s', coalesce(restore::text, 'NULL')),
            HINT = 'The view snapback.restores lists them.';
    ELSIF done.state <> 'restored' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('restore %s is %s and cannot be undone', restore, done.state),
            HINT = 'Only what has been restored can be taken back.';
    ELSIF NOT EXISTS (SELECT FROM snapback.snapshot s
                      WHERE s.id = done.before_snapshot AND s.captured_at + snapback_internal.retention() > clock_timestamp()) THEN
        RAISE EXCEPTION USING ERRCODE = 'SB004', MESSAGE = format('the snapshot from before restore %s has expired', restore),
            HINT = 'A restore can be undone for as long as snapback.retention says.';
    END IF;
    PERFORM snapback_internal.own_snapshot(done.before_snapshot);
    options := snapback_internal.check_options(done.options, done.before_snapshot);
    run := snapback_internal.record_restore(done.community, done.before_snapshot, options,
                                            snapback_internal.switches_to_undo(done.switches), NULL, 'running');
    PERFORM snapback_internal.execute_restore(run);
    RETURN QUERY SELECT t.* FROM snapback_internal.restored_tables(run) t;
END $$;
COMMENT ON FUNCTION snapback.undo_restore(uuid) IS
    'For DBAs: put back what a restore replaced, from the before_restore snapshot it kept: the same options and, where it was of chosen rows only, the same rows; returns what was '
    'changed, table by table. It is a restore itself, and can be undone. Errors: 42704 unknown restore, 55000 it has not restored anything, SB004 that snapshot has expired, SB008 it belongs to an earlier community with the same key, SB005 a table of '
    'these options is no longer protected, and whatever keeps a restore from being done';
