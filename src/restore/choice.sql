-- Selects the snapshot to restore, and those of the chosen options that it contains.

CREATE FUNCTION snapback_internal.check_snapshot(community text, snapshot uuid, OUT id uuid, OUT captured_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    retention interval := snapback_internal.retention();
BEGIN
    SELECT s.id, s.captured_at INTO id, captured_at FROM snapback_internal.own_snapshots(check_snapshot.community) s
    WHERE CASE WHEN check_snapshot.snapshot IS NULL THEN s.kind <> 'before_restore' ELSE s.id = check_snapshot.snapshot END
    ORDER BY s.captured_at DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'SB008',
            MESSAGE = CASE WHEN snapshot IS NULL THEN format('community "%s" has no snapshot', community)
                      ELSE format('community "%s" has no snapshot %s', community, snapshot) END,
            HINT = 'snapback.list_snapshots() lists those that can be restored.';
    END IF;
    IF captured_at + retention <= clock_timestamp() THEN
        RAISE EXCEPTION USING ERRCODE = 'SB004', MESSAGE = format('snapshot %s has expired', id),
            DETAIL = format('It was taken at %s and could be restored until %s.', captured_at, captured_at + retention),
            HINT = 'snapback.list_snapshots() lists those that can be restored.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.check_snapshot(text, uuid) IS
    'Return this snapshot of the community, or (NULL) its newest one that no restore made. Errors: SB008 no such snapshot, SB004 the snapshot is older '
    'than the retention';

CREATE FUNCTION snapback_internal.covers_no_table(names text[]) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT string_agg(CASE WHEN n.name LIKE '%.%' THEN 'option ' ELSE 'category ' END || n.name || ' covers no table', ', ' ORDER BY n.place)
    FROM unnest(names) WITH ORDINALITY AS n (name, place);
END;
COMMENT ON FUNCTION snapback_internal.covers_no_table(text[]) IS
    'Return the message that these options and categories cover no table, NULL for an empty array';

CREATE FUNCTION snapback_internal.check_options(categories text[], snapshot uuid) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted  text[] := snapback_internal.expand_options(categories);
    held    text[] := coalesce(snapback_internal.snapshot_options(snapshot), '{}');
    missing text[];
BEGIN
    -- The snapshot must contain every named option, and at least one option of a named category or of *.
    SELECT array_agg(c.element ORDER BY c.place) INTO missing
    FROM unnest(categories) WITH ORDINALITY AS c (element, place)
    WHERE c.element <> ALL (held)
      AND NOT EXISTS (SELECT FROM unnest(wanted) o WHERE o = ANY (held) AND (c.element = '*' OR c.element = split_part(o, '.', 1)));
    IF missing IS NOT NULL AND NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.id = check_options.snapshot) THEN
        RAISE EXCEPTION USING ERRCODE = 'SB008', MESSAGE = format('snapshot %s has been deleted', snapshot),
            HINT = 'snapback.list_snapshots() lists those that can be restored.';
    END IF;
    IF missing IS NOT NULL AND NOT EXISTS (SELECT FROM snapback.coverage v WHERE v.option = ANY (missing) OR split_part(v.option, '.', 1) = ANY (missing) OR '*' = ANY (missing)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SB005',
            MESSAGE = CASE WHEN '*' = ANY (missing) THEN 'no option covers a table' ELSE snapback_internal.covers_no_table(missing) END,
            HINT = 'Add tables with snapback.protect() and capture the community, or choose other options.';
    ELSIF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SB005', MESSAGE = format('snapshot %s does not contain %s', snapshot, array_to_string(missing, ', ')),
            DETAIL = (SELECT 'Protected after it was taken: ' || string_agg(DISTINCT coalesce(t.relation::text, quote_ident(t.relation_name)), ', ') || '.'
                               FROM snapback.coverage v JOIN snapback.protected_table t ON t.id = v.table_id
                               WHERE (v.option = ANY (missing) OR split_part(v.option, '.', 1) = ANY (missing) OR '*' = ANY (missing))
                                 AND NOT EXISTS (SELECT FROM snapback.manifest m
                                                 WHERE m.snapshot = check_options.snapshot AND m.table_id = t.id)),
            HINT = 'snapback.snapshot_contents() lists the contents of a snapshot.';
    END IF;
    RETURN ARRAY(SELECT o FROM unnest(wanted) WITH ORDINALITY AS w (o, place) WHERE o = ANY (held) ORDER BY w.place);
END $$;
COMMENT ON FUNCTION snapback_internal.check_options(text[], uuid) IS
    'Return the options of a snapshot that categories, options or * select, in order, without skipped_options(). Errors: SB001 unknown option or none '
    'given, SB005 the snapshot does not contain a named option, or no option of a category or *, SB008 the snapshot was deleted after check_snapshot() '
    'found it';

CREATE FUNCTION snapback_internal.skipped_options(categories text[], snapshot uuid) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY(SELECT o FROM unnest(snapback_internal.expand_options(categories)) WITH ORDINALITY AS w (o, place)
                 -- Evaluated once, not for each option.
                 WHERE o <> ALL (ARRAY(SELECT unnest(snapback_internal.snapshot_options(snapshot)))) ORDER BY w.place)
$$;
COMMENT ON FUNCTION snapback_internal.skipped_options(text[], uuid) IS
    'Return the options that categories or * select but the snapshot does not contain, because they are newer or cover no table';

CREATE FUNCTION snapback_internal.skip_reason(option text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN EXISTS (SELECT FROM snapback.coverage v WHERE v.option = skip_reason.option) THEN 'not in this snapshot' ELSE 'covers no table' END;
END;
COMMENT ON FUNCTION snapback_internal.skip_reason(text) IS
    'Return why an option cannot be restored from a snapshot that does not contain it: its tables are newer, or it covers no table';

CREATE FUNCTION snapback_internal.skip_notes(options text[]) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT array_remove(ARRAY['not in this snapshot: ' || string_agg(o.option, ', ' ORDER BY o.place) FILTER (WHERE o.reason = 'not in this snapshot'),
                              snapback_internal.covers_no_table(array_agg(o.option ORDER BY o.place) FILTER (WHERE o.reason = 'covers no table'))], NULL)
    FROM (SELECT s.option, s.place, snapback_internal.skip_reason(s.option) AS reason FROM unnest(options) WITH ORDINALITY AS s (option, place)) o;
END;
COMMENT ON FUNCTION snapback_internal.skip_notes(text[]) IS
    'Return notes for skipped_options(): one for options newer than the snapshot, one for those that cover no table';
