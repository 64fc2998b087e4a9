-- What a restore would do, before anybody asks for it.

CREATE FUNCTION snapback.plan_restore(snapshot uuid, options text[])
    RETURNS TABLE (relation text, inserts bigint, updates bigint, deletes bigint, leaves bigint, kept bigint, returned bigint, unlinked bigint)
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_plan_restore';
COMMENT ON FUNCTION snapback.plan_restore(uuid, text[]) IS
    'The plan of a restore, table by table; nothing is locked or written. Errors as restore() would raise them while planning. Internal: call preview_restore().';

CREATE FUNCTION snapback.preview_restore(categories text[], snapshot uuid DEFAULT NULL, community text DEFAULT NULL)
    RETURNS TABLE (relation text, inserts bigint, updates bigint, deletes bigint, leaves bigint, kept bigint, returned bigint, unlinked bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    settings record;
    chosen record;
BEGIN
    SELECT * INTO settings FROM snapback.approval_settings();
    community := snapback.acting_for('community', community, settings.community);
    SELECT * INTO chosen FROM snapback.check_snapshot(community, snapshot, settings.retention);
    RETURN QUERY SELECT p.* FROM snapback.plan_restore(chosen.id, snapback.check_options(categories, chosen.id)) p;
END
$$;
COMMENT ON FUNCTION snapback.preview_restore(text[], uuid, text) IS
    'What a restore would do now, table by table: rows to insert, update, delete and leave as they are. kept: rows added since that stay, because rows '
    'outside the selection refer to them; returned: of the inserted, rows outside the selection that come back because restored rows refer to them; '
    'unlinked: references that become NULL, because the row they named is in no snapshot. No snapshot: the newest; no community: the setting '
    'snapback.community. Errors: SB001 unknown option, SB004 expired, SB005 not in the snapshot, SB008 unknown snapshot, XX001 damaged, and whatever would keep the restore from being planned';
