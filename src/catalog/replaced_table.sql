-- A table that takes the place of one that is gone: what was stored of that is this one's.

CREATE FUNCTION snapback.last_captured_name(table_id integer, OUT schema_name text, OUT table_name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- The stored description of a table writes tab, newline and backslash as \t, \n and \\, see docs/format.md.
    SELECT max(replace(p.part, chr(1), '\')) FILTER (WHERE p.place = 1), max(replace(p.part, chr(1), '\')) FILTER (WHERE p.place = 2)
    FROM (SELECT s.definition
          FROM snapback.manifest m
          JOIN snapback.snapshot n ON n.id = m.snapshot
          JOIN snapback.shape s ON s.sha256 = m.shape
          WHERE m.table_id = last_captured_name.table_id
          ORDER BY n.captured_at DESC LIMIT 1) s
    CROSS JOIN LATERAL regexp_match(s.definition, '^table\t([^\t]*)\t([^\n]*)$', 'n') f(parts)
    CROSS JOIN LATERAL unnest(f.parts) WITH ORDINALITY w(part, place)
    CROSS JOIN LATERAL (SELECT replace(replace(replace(w.part, '\\', chr(1)), '\t', E'\t'), '\n', E'\n'), w.place) p(part, place)
$$;
COMMENT ON FUNCTION snapback.last_captured_name(integer) IS
    'What a protected table was called when it was last captured; NULL where no snapshot holds it';

CREATE FUNCTION snapback.replaced_table(relation regclass) RETURNS snapback.protected_table
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t FROM snapback.protected_table t
    LEFT JOIN pg_class gone ON gone.oid = t.relation
    CROSS JOIN LATERAL (SELECT l.* FROM snapback.last_captured_name(t.id) l WHERE gone.oid IS NULL) l
    JOIN pg_class c ON c.relname = l.table_name
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = l.schema_name
    WHERE c.oid = replaced_table.relation AND t.relation IS NOT NULL
    UNION ALL
    SELECT t FROM snapback.protected_table t
    JOIN pg_class c ON c.oid = t.relation AND c.relispartition
    WHERE pg_partition_root(c.oid) = replaced_table.relation
    LIMIT 1
$$;
COMMENT ON FUNCTION snapback.replaced_table(regclass) IS
    'The protected table whose place a relation takes: one that was dropped and bore its name, or one that is a partition of it now';

CREATE FUNCTION snapback.take_place(relation regclass, community_column name, via name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    replaced snapback.protected_table := snapback.replaced_table(relation);
BEGIN
    IF replaced.id IS NULL THEN
        RETURN;
    END IF;
    PERFORM snapback.remove_guard(replaced.relation) FROM pg_class c WHERE c.oid = replaced.relation;
    PERFORM snapback.forget_columns(ARRAY[replaced.relation, take_place.relation]::oid[]);
    IF num_nonnulls(take_place.community_column, take_place.via) > 0 THEN
        replaced.community_column := take_place.community_column;
        replaced.via := take_place.via;
    END IF;
    UPDATE snapback.protected_table t
    SET relation = take_place.relation, community_column = replaced.community_column, via = replaced.via
    WHERE t.id = replaced.id;
    RAISE NOTICE USING MESSAGE = format('%s takes the place of the table that was protected before, under all its options: older snapshots are restored into it',
                                        take_place.relation);
END $$;
COMMENT ON FUNCTION snapback.take_place(regclass, name, name) IS
    'Lets a relation take the place of a protected table that was dropped and made anew under the same name, or that has become a partition of it, so that '
    'snapshots can be restored into it. Nothing where there is none such. Internal: call snapback.protect()';
