-- Replaces a protected table that was dropped or renamed: its snapshots then belong to the new table.

CREATE FUNCTION snapback_internal.full_name(relation regclass) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = full_name.relation
$$;
COMMENT ON FUNCTION snapback_internal.full_name(regclass) IS
    'Return the schema-qualified name of a relation, quoted if necessary, independent of the search_path; NULL if there is no such relation';

CREATE FUNCTION snapback_internal.described_name(definition text, OUT schema_name text, OUT table_name text)
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    -- Stored table descriptions escape tab, newline and backslash as \t, \n and \\: see docs/format.md.
    SELECT max(replace(p.part, chr(1), '\')) FILTER (WHERE p.place = 1), max(replace(p.part, chr(1), '\')) FILTER (WHERE p.place = 2)
    FROM regexp_match(described_name.definition, '^table\t([^\t]*)\t([^\n]*)$', 'n') f(parts)
    CROSS JOIN LATERAL unnest(f.parts) WITH ORDINALITY w(part, place)
    CROSS JOIN LATERAL (SELECT replace(replace(replace(w.part, '\\', chr(1)), '\t', E'\t'), '\n', E'\n'), w.place) p(part, place)
$$;
COMMENT ON FUNCTION snapback_internal.described_name(text) IS 'Return the schema and the name of a table from its stored description';

CREATE FUNCTION snapback_internal.last_captured_name(table_id integer, OUT schema_name text, OUT table_name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.schema_name, d.table_name
    FROM (SELECT s.definition
          FROM snapback.manifest m
          JOIN snapback.snapshot n ON n.id = m.snapshot
          JOIN snapback.shape s ON s.sha256 = m.shape
          WHERE m.table_id = last_captured_name.table_id
          ORDER BY n.captured_at DESC LIMIT 1) s
    CROSS JOIN LATERAL snapback_internal.described_name(s.definition) d
$$;
COMMENT ON FUNCTION snapback_internal.last_captured_name(integer) IS
    'Return the name of a protected table at its last capture; NULL if no snapshot contains it';

CREATE FUNCTION snapback_internal.captured_as(relation regclass) RETURNS TABLE (table_id integer, captured_at timestamptz)
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    WITH named AS (
        SELECT s.sha256 FROM snapback.shape s
        CROSS JOIN LATERAL snapback_internal.described_name(s.definition) d
        WHERE format('%I.%I', d.schema_name, d.table_name) = snapback_internal.full_name(captured_as.relation))
    SELECT m.table_id, max(n.captured_at)
    FROM snapback.manifest m JOIN snapback.snapshot n ON n.id = m.snapshot
    WHERE m.shape = ANY (ARRAY(SELECT d.sha256 FROM named d))
    GROUP BY m.table_id
$$;
COMMENT ON FUNCTION snapback_internal.captured_as(regclass) IS
    'Return the protected tables that snapshots contain under the current name of a relation, and the time of the last capture of each under that '
    'name';

CREATE FUNCTION snapback_internal.replaced_table(relation regclass) RETURNS snapback.protected_table
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH partitioned AS (
        SELECT t AS its_table, NULL::timestamptz AS captured_at FROM snapback.protected_table t
        JOIN pg_class c ON c.oid = t.relation AND c.relispartition
        WHERE pg_partition_root(c.oid) = replaced_table.relation),
    renamed AS (
        -- Skip a table that was registered under another name after its last capture under this one: its current relation
        -- is a different one.
        SELECT t AS its_table, a.captured_at FROM snapback_internal.captured_as(replaced_table.relation) a
        JOIN snapback.protected_table t ON t.id = a.table_id
        WHERE t.relation IS NOT NULL AND t.relation <> replaced_table.relation
          AND (t.registered_name = snapback_internal.full_name(replaced_table.relation) OR a.captured_at > t.registered_at))
    SELECT f.its_table FROM (SELECT * FROM partitioned UNION ALL SELECT * FROM renamed) f
    ORDER BY f.captured_at IS NOT NULL, f.captured_at DESC
    LIMIT 1
$$;
COMMENT ON FUNCTION snapback_internal.replaced_table(regclass) IS
    'Return the protected table that a relation replaces: one that was captured under the name of the relation and was dropped or renamed, or one '
    'that has become a partition of it';

CREATE FUNCTION snapback_internal.refuse_if_path(replaced regclass, relation regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    children text := snapback_internal.tables_led_through(refuse_if_path.replaced);
BEGIN
    IF children IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = format('cannot replace %s by %s because the paths of other tables lead through the old table', replaced, relation),
            DETAIL = format('Tables protected through it: %s.', children),
            HINT = format('Change their foreign keys to reference %s first.', relation);
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.refuse_if_path(regclass, regclass) IS
    'Raise 2BP01 if the paths of other protected tables lead through the table to be replaced';

CREATE FUNCTION snapback_internal.move_columns(old_relation regclass, new_relation regclass) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT snapback_internal.forget_columns(ARRAY[new_relation]::oid[]);
    DELETE FROM snapback.known_columns k WHERE k.relation = old_relation;
    UPDATE snapback.column_rename r SET relation = new_relation WHERE r.relation = old_relation
$$;
COMMENT ON FUNCTION snapback_internal.move_columns(regclass, regclass) IS
    'Assign the recorded renames of a relation''s columns to the relation that replaces it';

CREATE FUNCTION snapback_internal.take_place(relation regclass, community_column name, via name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    replaced  snapback.protected_table := snapback_internal.replaced_table(relation);
    remains   boolean := EXISTS (SELECT FROM pg_class c WHERE c.oid = replaced.relation);
    partition boolean := EXISTS (SELECT FROM pg_class c WHERE c.oid = replaced.relation AND c.relispartition);
    own_until timestamptz := (SELECT a.captured_at FROM snapback_internal.captured_as(relation) a WHERE a.table_id = replaced.id);
BEGIN
    IF replaced.id IS NULL THEN
        RETURN;
    END IF;
    IF remains AND NOT partition THEN
        PERFORM snapback_internal.refuse_if_path(replaced.relation, take_place.relation);
    END IF;
    PERFORM snapback_internal.remove_guard(replaced.relation) WHERE remains;
    PERFORM snapback_internal.move_columns(replaced.relation, take_place.relation);
    IF num_nonnulls(take_place.community_column, take_place.via) > 0 THEN
        replaced.community_column := take_place.community_column;
        replaced.via := take_place.via;
    END IF;
    UPDATE snapback.protected_table t
    SET relation = take_place.relation, community_column = replaced.community_column, via = replaced.via,
        registered_name = snapback_internal.full_name(take_place.relation), registered_at = clock_timestamp(),
        replaced_during = CASE WHEN partition OR own_until IS NULL THEN t.replaced_during
                               ELSE t.replaced_during + tstzmultirange(tstzrange(own_until, clock_timestamp(), '()')) END
    WHERE t.id = replaced.id;
    -- Removing a guard also removes it from the table's children, which may be protected themselves.
    PERFORM snapback_internal.install_guard(t.relation)
    FROM snapback.protected_table t JOIN pg_inherits i ON i.inhrelid = t.relation WHERE i.inhparent = replaced.relation;
    RAISE NOTICE USING MESSAGE = format('%s replaces the previously protected table under all its options; older snapshots are restored into it',
                                        take_place.relation)
                                 || CASE WHEN remains AND NOT partition THEN format('; %s is no longer protected', replaced.relation) ELSE '' END;
END $$;
COMMENT ON FUNCTION snapback_internal.take_place(regclass, name, name) IS
    'Replace a protected table by a relation, so that its snapshots are restored into the relation: a table that was captured under the name of the '
    'relation and was dropped or renamed, or one that has become a partition of it. Do nothing if there is no such table. Errors: 2BP01 paths of '
    'other tables lead through the old table';

CREATE FUNCTION snapback_internal.tell_of_namesake(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    namesake snapback.protected_table := snapback_internal.replaced_table(relation);
BEGIN
    IF namesake.id IS NOT NULL THEN
        RAISE NOTICE USING MESSAGE = format('snapshots also contain another protected table under the name %s: %s',
                                            relation, coalesce(snapback_internal.full_name(namesake.relation), 'a dropped table')),
            HINT = format('To restore those rows into %s, call snapback.unprotect() and then snapback.protect() for it. It then replaces '
                          'the other table, and its own snapshots can no longer be restored.', relation);
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.tell_of_namesake(regclass) IS
    'Raise a NOTICE if a protected relation has the name under which another protected table was captured';
