-- A DBA's way to restore, without mail and approval.

CREATE FUNCTION snapback.restore_at_once(community text, snapshot uuid, options text[], switches jsonb) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run uuid := snapback.begin_restore(community, snapshot, options, switches, NULL, 'running');
BEGIN
    PERFORM snapback.carry_out(run);
    RETURN run;
END $$;
COMMENT ON FUNCTION snapback.restore_at_once(text, uuid, text[], jsonb) IS 'Restore in this transaction, asked by nobody''s request; returns the restore';

CREATE FUNCTION snapback.restore(categories text[], snapshot uuid, community text, switches jsonb DEFAULT NULL)
RETURNS TABLE (relation text, inserted bigint, updated bigint, deleted bigint, kept bigint, returned bigint, unlinked bigint,
               taken bigint, left_out bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    settings record;
    chosen   record;
    options  text[];
    run      uuid;
    skipped  text[];
BEGIN
    SELECT * INTO settings FROM snapback.approval_settings();
    PERFORM FROM snapback.directory_entry(restore.community);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SB007', MESSAGE = format('there is no community "%s"', community),
            HINT = 'The directory given to snapback.set_directory() lists the communities.';
    END IF;
    SELECT * INTO chosen FROM snapback.check_snapshot(community, snapshot, settings.retention);
    options := snapback.check_options(categories, chosen.id);
    skipped := snapback.skipped_options(categories, chosen.id);
    IF skipped <> '{}' THEN
        RAISE NOTICE 'not in this snapshot: %', array_to_string(skipped, ', ');
    END IF;
    run := snapback.restore_at_once(community, chosen.id, options, switches);
    RETURN QUERY SELECT t.* FROM snapback.restored_tables(run) t;
END $$;
COMMENT ON FUNCTION snapback.restore(text[], uuid, text, jsonb) IS
    'For DBAs: restore at once, without mail and approval; returns what was changed, table by table. categories: categories, options or *, of which the last two mean what the '
    'snapshot holds of them (a notice names the rest). snapshot null: the newest; switches: docs/restore.md. Errors: SB001 unknown option, SB004 snapshot expired, '
    'SB005 option not in the snapshot, SB007 unknown community, SB008 unknown snapshot, 22023 a switch is not understood, and whatever keeps the restore from being done';
