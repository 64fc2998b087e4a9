-- Shows what a restore would do.

CREATE FUNCTION snapback_internal.plan_restore(snapshot uuid, options text[], switches jsonb, in_parts boolean DEFAULT true)
    RETURNS SETOF snapback_internal.table_plan
    LANGUAGE c CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_plan_restore';
COMMENT ON FUNCTION snapback_internal.plan_restore(uuid, text[], jsonb, boolean) IS
    'Return the plan of a restore, one row per table, without locks or writes. digest and parts are NULL unless in_parts is true. Errors: those that '
    'restore() raises during planning. Internal: call preview_restore().';

CREATE FUNCTION snapback.preview_restore(categories text[], snapshot uuid DEFAULT NULL, community text DEFAULT NULL, switches jsonb DEFAULT NULL)
    RETURNS TABLE (relation text, options text[], inserts bigint, updates bigint, deletes bigint, unchanged bigint, kept bigint,
                   parents bigint, nulled bigint, cascaded bigint, skipped bigint, obstacles text[], notes text[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chosen record;
    missing text[];
BEGIN
    PERFORM snapback_internal.note_departures();
    community := snapback_internal.acting_for('community', community);
    SELECT * INTO chosen FROM snapback_internal.check_snapshot(community, snapshot);
    RETURN QUERY SELECT p.relation, p.options, (p.figures).*, p.obstacles, p.notes
                 FROM snapback_internal.plan_restore(chosen.id, snapback_internal.check_options(categories, chosen.id), switches, false) p
                 ORDER BY p.relation COLLATE "C";
    missing := snapback_internal.skipped_options(categories, chosen.id);
    IF missing <> '{}' THEN
        RETURN QUERY SELECT NULL::text, missing, none.*, '{}'::text[], snapback_internal.skip_notes(missing) FROM snapback_internal.total_figures('{}') none;
    END IF;
END
$$;
COMMENT ON FUNCTION snapback.preview_restore(text[], uuid, text, jsonb) IS
    'Return what a restore would do now, one row per table. options: the chosen options that cover the table, none if the restore changes it only because '
    'of foreign keys. inserts to skipped: see the type snapback.plan_figures. obstacles: why the restore would fail. notes: what else '
    'the owner should know. The last row, without a relation, lists the options that a category or * selects but that the snapshot does not contain or '
    'that cover no table. snapshot: by default the newest one. community: by default that of the setting snapback.community. switches: see '
    'docs/restoring/options.md. Errors: SB001 unknown option, SB004 snapshot expired, SB005 option not in the snapshot, SB008 unknown snapshot, 22023 '
    'invalid switch, XX001 the snapshot is damaged, and those that prevent planning';

CREATE FUNCTION snapback_internal.plan_rows(snapshot uuid, options text[], switches jsonb)
    RETURNS TABLE (relation text, key jsonb, action text, old jsonb, new jsonb)
    LANGUAGE c CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_plan_rows';
COMMENT ON FUNCTION snapback_internal.plan_rows(uuid, text[], jsonb) IS
    'Return the plan of a restore row by row, without locks or writes. Errors: those that restore() raises during planning. Internal: call diff_rows().';

CREATE FUNCTION snapback.diff_rows(snapshot uuid, option text, community text DEFAULT NULL, switches jsonb DEFAULT NULL)
    RETURNS TABLE (relation text, key jsonb, action text, old jsonb, new jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chosen record;
BEGIN
    PERFORM snapback_internal.note_departures();
    community := snapback_internal.acting_for('community', community);
    SELECT * INTO chosen FROM snapback_internal.check_snapshot(community, snapshot);
    RETURN QUERY SELECT p.* FROM snapback_internal.plan_rows(chosen.id, snapback_internal.check_options(ARRAY[option], chosen.id), switches) p;
END
$$;
COMMENT ON FUNCTION snapback.diff_rows(uuid, text, text, jsonb) IS
    'Return what a restore of an option, a category or * would do now, row by row. action: insert, update, delete, keep (an added row remains because '
    'rows outside the selection refer to it) or skip (switch on_conflict). old: the current row, new: the row after the restore; for an update, only the '
    'columns that change. Values that jsonb cannot represent, and long ones, appear as in snapshot_rows(). snapshot: by default the newest one. '
    'community: by default that of the setting snapback.community. Errors: those of preview_restore()';
