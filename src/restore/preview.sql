-- Shows what a restore would do.

CREATE FUNCTION snapback_internal.plan_restore(snapshot uuid, options text[], switches jsonb, in_parts boolean DEFAULT true)
    RETURNS TABLE (relation text, options text[], inserts bigint, updates bigint, deletes bigint, unchanged bigint, kept bigint,
                   parents bigint, nulled bigint, cascaded bigint, skipped bigint, obstacles text[], notes text[], digest bytea, parts text)
    LANGUAGE c CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_plan_restore';
COMMENT ON FUNCTION snapback_internal.plan_restore(uuid, text[], jsonb, boolean) IS
    'Return the plan of a restore, one row per table, without locks or writes. The columns are those of preview_restore(). digest: SHA-256 of the planned '
    'writes to the table, independent of their order. parts: a JSON array with the figures and the digest of each chosen option that covers the table, '
    'and of what no chosen option covers (option null). digest and parts are NULL unless in_parts is true. A row counts for each option whose filter it '
    'satisfies, in the snapshot or now; for an option with columns, an update counts if one of these changes. Errors: those that restore() raises during '
    'planning. Internal: call preview_restore().';

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
    RETURN QUERY SELECT p.relation, p.options, p.inserts, p.updates, p.deletes, p.unchanged, p.kept, p.parents, p.nulled, p.cascaded, p.skipped,
                        p.obstacles, p.notes
                 FROM snapback_internal.plan_restore(chosen.id, snapback_internal.check_options(categories, chosen.id), switches, false) p
                 ORDER BY p.relation COLLATE "C";
    missing := snapback_internal.skipped_options(categories, chosen.id);
    IF missing <> '{}' THEN
        RETURN QUERY SELECT NULL::text, missing, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint,
                            '{}'::text[], snapback_internal.skip_notes(missing);
    END IF;
END
$$;
COMMENT ON FUNCTION snapback.preview_restore(text[], uuid, text, jsonb) IS
    'Return what a restore would do now, one row per table: rows to insert, update, delete and leave unchanged. options: the chosen options that cover '
    'the table, none if the restore changes it only because of foreign keys. kept: rows added since the snapshot that remain because rows outside the '
    'selection refer to them. parents: inserted rows outside the selection that restored rows refer to. nulled: references set to NULL because the '
    'referenced row is not in the snapshot. cascaded: rows outside the selection that ON DELETE of a foreign key deletes or sets to NULL. skipped: rows that '
    'are not restored because another row holds their unique value, and rows that refer to those. obstacles: why the restore would fail. notes: what else '
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
