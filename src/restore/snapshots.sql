-- The snapshots that can be restored.

CREATE VIEW snapback.kept_snapshots AS
SELECT s.id, s.community, s.captured_at, s.captured_at + r.retention AS expires_at, s.kind, s.label,
       CASE WHEN s.captured_at + r.retention <= clock_timestamp() THEN 'expired' ELSE 'complete' END AS status,
       t.rows, t.size, d.restores
FROM snapback.snapshot s
CROSS JOIN snapback_internal.retention() AS r(retention)
CROSS JOIN LATERAL (SELECT coalesce(sum(m.rows), 0)::bigint AS rows, coalesce(sum(m.bytes), 0)::bigint + s.delta_bytes AS size
                    FROM snapback.manifest m WHERE m.snapshot = s.id AND m.rows > 0) t
CROSS JOIN LATERAL (SELECT count(*) AS restores FROM snapback.restore_run u
                    WHERE u.snapshot = s.id AND u.community = s.community AND u.state = 'restored') d;
COMMENT ON VIEW snapback.kept_snapshots IS 'The view snapback.snapshots without checking which community a snapshot belongs to';

CREATE VIEW snapback.snapshots AS
SELECT k.id, k.community, k.captured_at, k.expires_at, k.kind, k.label,
       CASE WHEN k.status = 'complete' AND d.id IS NOT NULL THEN 'disowned' ELSE k.status END AS status, k.rows, k.size, k.restores
FROM snapback.kept_snapshots k LEFT JOIN snapback_internal.disowned_snapshots() d ON d.id = k.id;
COMMENT ON VIEW snapback.snapshots IS
    'Every stored snapshot: number of rows, size in bytes before compression, and number of restores from it. rows and size are those of the full '
    'capture that the snapshot is based on; size includes the changes since. An expired snapshot can no longer be '
    'restored; the next snapback.expire() deletes it. A disowned snapshot belongs to no community: its community is missing from the directory, was '
    'missing after the capture, or has another identity now. snapback.adopt_snapshots() assigns it to the community, snapback.forget() deletes it';

CREATE FUNCTION snapback.list_snapshots(community text DEFAULT NULL)
    RETURNS TABLE (id uuid, captured_at timestamptz, expires_at timestamptz, kind text, label text, status text,
                   rows bigint, size bigint, restores bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    community := snapback_internal.acting_for('community', community);
    RETURN QUERY SELECT k.id, k.captured_at, k.expires_at, k.kind, k.label, k.status, k.rows, k.size, k.restores
                 FROM snapback_internal.own_snapshots(list_snapshots.community) s JOIN snapback.kept_snapshots k ON k.id = s.id
                 ORDER BY k.captured_at DESC, k.id;
END
$$;
COMMENT ON FUNCTION snapback.list_snapshots(text) IS
    'Return the snapshots of a community, newest first; size is in bytes before compression. rows and size are those of the full capture that the '
    'snapshot is based on; size includes the changes since. Snapshots of an earlier community with the same key are '
    'not included. community: by default that of the setting snapback.community, which a backend sets with SET LOCAL (with plain SET, a pooler in '
    'transaction mode leaks it to the next client). Errors: 42501 the session acts for another community, 22023 no community is specified';

CREATE FUNCTION snapback_internal.snapshot_options(snapshot uuid) RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(array_agg(o.option ORDER BY c.position, o.position), '{}')
    FROM snapback.option o JOIN snapback.category c USING (category)
    JOIN (SELECT v.option, bool_and(v.table_id = ANY (ARRAY(SELECT m.table_id FROM snapback.manifest m WHERE m.snapshot = snapshot_options.snapshot))) AS is_held
          FROM snapback.coverage v GROUP BY v.option) v USING (option)
    WHERE v.is_held
       OR EXISTS (SELECT FROM snapback.restore_run r
                  WHERE r.before_snapshot = snapshot_options.snapshot AND o.option = ANY (r.options)
                    AND r.switches ? 'rows')
$$;
COMMENT ON FUNCTION snapback_internal.snapshot_options(uuid) IS
    'Return the options that can be restored from a snapshot: those whose tables it contains completely. For the snapshot before a restore of single '
    'rows, also the options of that restore: the snapshot contains every table that the restore could change, and a restore of the same rows undoes '
    'it';

CREATE FUNCTION snapback_internal.rows_if_known(snapshot uuid, table_id integer, filter text) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN snapback_internal.covered_rows(snapshot, table_id, filter);
EXCEPTION
    WHEN data_corrupted THEN RAISE;
    WHEN OTHERS THEN RETURN NULL;
END
$$;
COMMENT ON FUNCTION snapback_internal.rows_if_known(uuid, integer, text) IS
    'Return covered_rows(), or NULL if the filter can no longer be evaluated, for example because its table was dropped';

CREATE FUNCTION snapback_internal.contents_of(snapshot uuid)
    RETURNS TABLE (option text, label text, tables bigint, rows bigint, bytes bigint)
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.option, o.label, count(*),
           CASE WHEN count(*) = count(k.rows) THEN sum(k.rows)::bigint END, sum(m.bytes)::bigint
    FROM unnest(snapback_internal.snapshot_options(contents_of.snapshot)) WITH ORDINALITY AS c(option, position)
    JOIN snapback.option o USING (option)
    JOIN snapback.coverage v USING (option)
    JOIN snapback.manifest m ON m.snapshot = contents_of.snapshot AND m.table_id = v.table_id
    JOIN snapback.snapshot s ON s.id = m.snapshot
    CROSS JOIN LATERAL (SELECT CASE WHEN v.filter IS NULL AND s.deltas = '' THEN m.rows
                                    ELSE snapback_internal.rows_if_known(m.snapshot, m.table_id, coalesce(v.filter, 'true')) END) k (rows)
    GROUP BY c.position, o.option, o.label ORDER BY c.position
$$;
COMMENT ON FUNCTION snapback_internal.contents_of(uuid) IS 'Return the rows of snapshot_contents() without checking the caller''s community';

CREATE FUNCTION snapback.snapshot_contents(snapshot uuid)
    RETURNS TABLE (option text, label text, tables bigint, rows bigint, bytes bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owner text := (SELECT s.community FROM snapback.snapshot s WHERE s.id = snapshot_contents.snapshot);
BEGIN
    -- Snapshots of other communities, and of earlier communities with the same key, are invisible.
    IF (coalesce(current_setting('snapback.community', true), '') IN ('', owner) OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user))
       AND EXISTS (SELECT FROM snapback_internal.own_snapshots(owner) o WHERE o.id = snapshot_contents.snapshot) THEN
        RETURN QUERY SELECT c.* FROM snapback_internal.contents_of(snapshot) c;
    END IF;
END
$$;
COMMENT ON FUNCTION snapback.snapshot_contents(uuid) IS
    'Return the contents of a snapshot by option: number of tables, number of rows that the option covers (with a filter, those that satisfy it), '
    'and bytes of those tables before compression. The bytes are those of whole tables, even if the option covers only some rows or columns. A table '
    'under several options counts for each of them. rows is NULL if a filter can no longer be evaluated. No rows are returned for a snapshot of '
    'another community than that of the setting snapback.community, or of an earlier community with the same key';
