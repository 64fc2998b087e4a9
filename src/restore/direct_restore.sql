-- Restores a community, and undoes a restore, without mail and approval.

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
        RAISE EXCEPTION USING ERRCODE = 'SB007', MESSAGE = format('community %s does not exist', coalesce('"' || community || '"', 'NULL')),
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
    'For DBAs: restore at once, without mail and approval, and return the changes of each table. categories: categories, options or *; a category or * '
    'selects those options that the snapshot contains, and a NOTICE names the others. snapshot: by default the newest one. switches: see '
    'docs/restoring/options.md. Errors: SB001 unknown option, SB004 snapshot expired, SB005 option not in the snapshot, SB007 unknown community, SB008 '
    'unknown snapshot, 22023 invalid switch, and those that prevent the restore';

CREATE FUNCTION snapback_internal.switches_to_undo(switches jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT jsonb_object_agg(s.key, s.value) FROM jsonb_each(switches) s WHERE s.key IN ('rows', 'children');
END;
COMMENT ON FUNCTION snapback_internal.switches_to_undo(jsonb) IS
    'Return the switches of a restore that its undo shares, because they select rows; NULL for none';

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
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('restore %s does not exist', coalesce(restore::text, 'NULL')),
            HINT = 'The view snapback.restores lists them.';
    ELSIF done.state <> 'restored' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('restore %s is %s and cannot be undone', restore, done.state),
            HINT = 'Only a completed restore can be undone.';
    ELSIF NOT EXISTS (SELECT FROM snapback.snapshot s
                      WHERE s.id = done.before_snapshot AND s.captured_at + snapback_internal.retention() > clock_timestamp()) THEN
        RAISE EXCEPTION USING ERRCODE = 'SB004', MESSAGE = format('the snapshot from before restore %s has expired', restore),
            HINT = 'The setting snapback.retention limits how long a restore can be undone.';
    END IF;
    PERFORM snapback_internal.own_snapshot(done.before_snapshot);
    options := snapback_internal.check_options(done.options, done.before_snapshot);
    run := snapback_internal.record_restore(done.community, done.before_snapshot, options,
                                            snapback_internal.switches_to_undo(done.switches), NULL, 'running');
    PERFORM snapback_internal.execute_restore(run);
    RETURN QUERY SELECT t.* FROM snapback_internal.restored_tables(run) t;
END $$;
COMMENT ON FUNCTION snapback.undo_restore(uuid) IS
    'For DBAs: undo a restore from the before_restore snapshot that it took, and return the changes of each table. The undo restores the same options or, '
    'if the restore selected rows, the same rows. It is itself a restore and can be undone. Errors: 42704 unknown restore, 55000 the restore is not '
    'completed, SB004 that snapshot has expired, SB008 it belongs to an earlier community with the same key, SB005 a table of these options is no longer '
    'protected, and those that prevent a restore';
