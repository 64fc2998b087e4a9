-- What a restore would do, before anybody asks for it.

CREATE FUNCTION snapback_internal.plan_restore(snapshot uuid, options text[], switches jsonb, in_parts boolean DEFAULT true)
    RETURNS TABLE (relation text, options text[], inserts bigint, updates bigint, deletes bigint, unchanged bigint, kept bigint,
                   parents bigint, nulled bigint, cascaded bigint, skipped bigint, obstacles text[], notes text[], digest bytea, parts text)
    LANGUAGE c CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_plan_restore';
COMMENT ON FUNCTION snapback_internal.plan_restore(uuid, text[], jsonb, boolean) IS
    'The plan of a restore, table by table; nothing is locked or written. The columns are those of preview_restore(); digest: SHA-256 of every write '
    'that is planned for the table, whatever their order; parts: a JSON array with the figures of each chosen option that covers the table, and of what none of them covers (option '
    'null), with the digest of their writes; both NULL unless in_parts. A row counts under the options whose filter it meets, then or now; a change under an option with columns where one of those differs. Errors as restore() would raise them while planning. Internal: call preview_restore().';

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
    'What a restore would do now, table by table: rows to insert, update, delete and leave as they are. options: the chosen options that cover the table, none where it '
    'is touched for its foreign keys only. kept: rows added since that stay, because rows outside the selection refer to them; parents: of the inserted, rows outside the '
    'selection that come back because restored rows refer to them; nulled: references that become NULL, because the row they named is in no snapshot; cascaded: rows '
    'outside the selection that are deleted or set to NULL, as a foreign key''s ON DELETE says; skipped: rows that are not restored, because another row holds their unique value, and rows that '
    'refer to those. obstacles: what keeps the restore from being done, in words; notes: what an owner should know. Options that a category or * stands for, '
    'but that the snapshot does not hold, or that cover no table, are in a last row without a relation. switches: docs/restoring/options.md. No snapshot: the newest; no community: the setting '
    'snapback.community. Errors: SB001 unknown option, SB004 expired, SB005 not in the snapshot, SB008 unknown snapshot, 22023 a switch is not understood, XX001 damaged, and whatever would keep the restore from being planned';

CREATE FUNCTION snapback_internal.plan_rows(snapshot uuid, options text[], switches jsonb)
    RETURNS TABLE (relation text, key jsonb, action text, old jsonb, new jsonb)
    LANGUAGE c CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_plan_rows';
COMMENT ON FUNCTION snapback_internal.plan_rows(uuid, text[], jsonb) IS
    'The plan of a restore, row by row; nothing is locked or written. Errors as restore() would raise them while planning. Internal: call diff_rows().';

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
    'What a restore of an option, a category or * would do now, row by row. action: insert, update, delete, keep (a row added since that stays, because rows outside the '
    'selection refer to it) or skip (switch on_conflict); old: the row as it is, new: as it will be, of an update only the columns that change. Values that jsonb cannot hold, and long ones, are shown as by snapshot_rows(). Snapshot null: the newest; '
    'community null: the setting snapback.community. Errors as those of preview_restore()';
