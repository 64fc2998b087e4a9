-- Looking at snapshots: which there are, what they hold, whether they are whole.

CREATE FUNCTION snapback_internal.retention() RETURNS interval
    LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_retention';
COMMENT ON FUNCTION snapback_internal.retention() IS 'How long a snapshot can be restored: the setting snapback.retention';

CREATE VIEW snapback.kept_snapshots AS
SELECT s.id, s.community, s.captured_at, s.captured_at + r.retention AS expires_at, s.kind, s.label,
       CASE WHEN s.captured_at + r.retention <= clock_timestamp() THEN 'expired' ELSE 'complete' END AS status,
       t.rows, t.size, d.restores
FROM snapback.snapshot s
CROSS JOIN snapback_internal.retention() AS r(retention)
CROSS JOIN LATERAL (SELECT coalesce(sum(m.rows), 0)::bigint AS rows, coalesce(sum(m.bytes), 0)::bigint AS size
                    FROM snapback.snapshot_table m WHERE m.snapshot = s.id) t
CROSS JOIN LATERAL (SELECT count(*) AS restores FROM snapback.restore_run u
                    WHERE u.snapshot = s.id AND u.community = s.community AND u.state = 'restored') d;
COMMENT ON VIEW snapback.kept_snapshots IS 'The view snapback.snapshots, but that it does not ask whose they are. Internal.';

CREATE VIEW snapback.snapshots AS
SELECT k.id, k.community, k.captured_at, k.expires_at, k.kind, k.label,
       CASE WHEN k.status = 'complete' AND d.id IS NOT NULL THEN 'disowned' ELSE k.status END AS status, k.rows, k.size, k.restores
FROM snapback.kept_snapshots k LEFT JOIN snapback_internal.disowned_snapshots() d ON d.id = k.id;
COMMENT ON VIEW snapback.snapshots IS
    'Every snapshot that is kept: rows, size in bytes before compression, and how many restores were made from it. '
    'An expired one can no longer be restored and goes with the next snapback.expire(). A disowned one belongs to no community: its own is missing from the '
    'directory, or was missing since, or the directory has another identity for it; snapback.adopt_snapshots() or snapback.forget() settles that';

CREATE FUNCTION snapback.list_snapshots(community text DEFAULT NULL)
    RETURNS TABLE (id uuid, captured_at timestamptz, expires_at timestamptz, kind text, label text, status text,
                   rows bigint, size bigint, restores bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    settings record;
BEGIN
    SELECT * INTO settings FROM snapback_internal.approval_settings();
    community := snapback_internal.acting_for('community', community, settings.community);
    RETURN QUERY SELECT k.id, k.captured_at, k.expires_at, k.kind, k.label, k.status, k.rows, k.size, k.restores
                 FROM snapback_internal.own_snapshots(list_snapshots.community) s JOIN snapback.kept_snapshots k ON k.id = s.id
                 ORDER BY k.captured_at DESC, k.id;
END
$$;
COMMENT ON FUNCTION snapback.list_snapshots(text) IS
    'A community''s snapshots, newest first; size is in bytes before compression. Those of an earlier community with the same key are not among them. Null: the community of the setting snapback.community, '
    'which a backend sets with SET LOCAL (a pooler in transaction mode passes what plain SET sets on to the next client). '
    'Errors: 42501 the session acts for another, 22023 no community is given';

CREATE FUNCTION snapback_internal.stored_rows(snapshot uuid, table_id integer)
    RETURNS SETOF jsonb
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_stored_rows';
COMMENT ON FUNCTION snapback_internal.stored_rows(uuid, integer) IS
    'Rows of one table of a snapshot, as the live table''s columns. Errors: XX001 damaged, SB009 a type is gone. Internal.';

CREATE FUNCTION snapback_internal.protected_table_id(relation regclass) RETURNS integer
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found integer;
BEGIN
    SELECT p.id INTO found FROM snapback.protected_table p JOIN pg_class c ON c.oid = protected_table_id.relation
    WHERE p.relation = c.oid OR p.relation_name = c.relname;
    IF found IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '42704', MESSAGE = format('%s is not protected', coalesce(relation::text, 'NULL')),
            HINT = 'The view snapback.protection lists the tables that are.';
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION snapback_internal.protected_table_id(regclass) IS 'A protected table''s number in the catalog; 42704 where it is not protected. Internal.';

CREATE FUNCTION snapback.snapshot_rows(snapshot uuid, relation regclass) RETURNS SETOF jsonb
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT snapback_internal.stored_rows(snapback_internal.own_snapshot(snapshot_rows.snapshot), snapback_internal.protected_table_id(snapshot_rows.relation))
$$;
COMMENT ON FUNCTION snapback.snapshot_rows(uuid, regclass) IS
    'The rows of one table in a snapshot, in key order, as jsonb objects. A value that jsonb cannot hold is a string of its text. Of a row of more than 32 MB, '
    'each value that takes more than 32 MB divided by the number of columns is a string: the first 1000 bytes of its text, and then '
    '"... [N bytes, SHA-256 H]", N and H being those of the whole text, of a bytea those of its bytes. Errors: SB008 unknown snapshot, or one that belongs to no community, 42704 not a protected table, XX001 damaged';

CREATE FUNCTION snapback_internal.covered_rows(snapshot uuid, table_id integer, filter text) RETURNS bigint
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_covered_rows';
COMMENT ON FUNCTION snapback_internal.covered_rows(uuid, integer, text) IS
    'How many rows of a table in a snapshot a filter keeps; evaluated as the table''s owner. Internal.';

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
    'The options that can be restored from a snapshot: those whose tables it holds, all of them; and, where it was taken before a '
    'restore of named rows, the options of that: it holds every table that the restore could change, and naming the same rows goes back';

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
    'covered_rows(), or null where the filter cannot be asked any more, as where its table was dropped. Internal.';

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
    CROSS JOIN LATERAL (SELECT CASE WHEN v.filter IS NULL THEN m.rows ELSE snapback_internal.rows_if_known(m.snapshot, m.table_id, v.filter) END) k (rows)
    GROUP BY c.position, o.option, o.label ORDER BY c.position
$$;
COMMENT ON FUNCTION snapback_internal.contents_of(uuid) IS 'What snapshot_contents() shows, to whomever. Internal.';

CREATE FUNCTION snapback.snapshot_contents(snapshot uuid)
    RETURNS TABLE (option text, label text, tables bigint, rows bigint, bytes bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    settings record;
    owner    text := (SELECT s.community FROM snapback.snapshot s WHERE s.id = snapshot_contents.snapshot);
BEGIN
    SELECT * INTO settings FROM snapback_internal.approval_settings();
    -- A snapshot of a community that the session does not act for is as good as none, and so is one of an earlier community.
    IF (settings.community IN ('', owner) OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user))
       AND EXISTS (SELECT FROM snapback_internal.own_snapshots(owner) o WHERE o.id = snapshot_contents.snapshot) THEN
        RETURN QUERY SELECT c.* FROM snapback_internal.contents_of(snapshot) c;
    END IF;
END
$$;
COMMENT ON FUNCTION snapback.snapshot_contents(uuid) IS
    'What a snapshot holds of each option: tables, rows that the option covers (of an option with a filter those that meet it), and bytes of those tables before compression, whole tables also where '
    'the option covers some of their rows or columns. '
    'Tables under several options count under each; rows is null where a filter cannot be asked any more. No row for a snapshot of another community than the setting snapback.community names, or of an earlier community with the same key';

CREATE FUNCTION snapback.verify(snapshot uuid DEFAULT NULL)
    RETURNS TABLE (faulty uuid, relation text, fault text)
    LANGUAGE c SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_verify';
COMMENT ON FUNCTION snapback.verify(uuid) IS
    'Read a snapshot, or with null all of them, and hash everything again: manifests, table descriptions, chunks, row counts. '
    'One row per fault, none where all is well; error SB008 for an unknown snapshot';
