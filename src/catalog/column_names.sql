-- Records renamed columns. A column keeps its number for the lifetime of its table, so recorded names show later which
-- columns were renamed. Snapshots store column names; a restore maps them to the current names.

CREATE TABLE snapback.known_columns (
    relation oid    PRIMARY KEY,
    names    name[] NOT NULL
);
COMMENT ON TABLE snapback.known_columns IS
    'The column names of a protected relation at the last check: names[n] is the name of column number n, NULL for a dropped column. Not dumped, '
    'because column numbers change when a table is dumped and reloaded';

CREATE TABLE snapback.column_rename (
    number     bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    relation   regclass    NOT NULL,
    old_names  name[]      NOT NULL,
    new_names  name[]      NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (cardinality(old_names) > 0 AND cardinality(old_names) = cardinality(new_names))
);
CREATE INDEX ON snapback.column_rename (relation, number);
COMMENT ON TABLE snapback.column_rename IS
    'Renamed columns of protected relations, in the order of detection: old_names[i] became new_names[i]. One row contains the renames that were '
    'detected together';

-- The planner inlines this function.
CREATE FUNCTION snapback_internal.column_names(relation oid) RETURNS TABLE (names name[])
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT array_agg(CASE WHEN NOT a.attisdropped THEN a.attname END ORDER BY a.attnum)
    FROM pg_attribute a WHERE a.attrelid = column_names.relation AND a.attnum > 0;
END;
COMMENT ON FUNCTION snapback_internal.column_names(oid) IS 'Return the column names of a relation by column number; NULL for dropped columns';

CREATE FUNCTION snapback_internal.differing_names(known name[], live name[], OUT old_names name[], OUT new_names name[])
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(k.name ORDER BY k.number), array_agg(l.name ORDER BY k.number)
    FROM unnest(known) WITH ORDINALITY k(name, number)
    JOIN unnest(live) WITH ORDINALITY l(name, number) USING (number)
    WHERE k.name <> l.name
$$;
COMMENT ON FUNCTION snapback_internal.differing_names(name[], name[]) IS
    'Return the renamed columns, given the recorded and the current names by column number; NULL if no column was renamed';

CREATE FUNCTION snapback_internal.renames_of(relation regclass) RETURNS TABLE (number bigint, old_names name[], new_names name[])
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT r.number, r.old_names, r.new_names FROM snapback.column_rename r WHERE r.relation = renames_of.relation
    UNION ALL
    SELECT 9223372036854775807, d.old_names, d.new_names
    FROM snapback.known_columns k
    CROSS JOIN LATERAL snapback_internal.column_names(k.relation) n
    CROSS JOIN LATERAL snapback_internal.differing_names(k.names, n.names) d
    WHERE k.relation = renames_of.relation AND k.names <> n.names AND d.old_names IS NOT NULL
    ORDER BY 1;
END $$;
COMMENT ON FUNCTION snapback_internal.renames_of(regclass) IS
    'Return every rename of the columns of a relation, oldest first. Renames that are not recorded yet come last, with number 9223372036854775807';

CREATE FUNCTION snapback_internal.renamed(names name[], old_names name[], new_names name[]) RETURNS name[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(coalesce(new_names[array_position(old_names, n.name)], n.name) ORDER BY n.place)
    FROM unnest(names) WITH ORDINALITY n(name, place)
$$;
COMMENT ON FUNCTION snapback_internal.renamed(name[], name[], name[]) IS 'Return the names after these renames, applied simultaneously';

-- A registration follows a renamed column until another column takes the registered name. Then it refers to that column,
-- as the application does. This allows replacing a column by a second one with two renames. Filters are text and do not
-- change.
CREATE FUNCTION snapback_internal.names_in_use(relation regclass, names name[], registered name[]) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(coalesce(a.attname, n.name) ORDER BY n.place)
    FROM unnest(names, registered) WITH ORDINALITY n(name, registered, place)
    LEFT JOIN pg_attribute a ON a.attrelid = relation AND a.attname = n.registered AND a.attnum > 0 AND a.attgenerated = ''
$$;
COMMENT ON FUNCTION snapback_internal.names_in_use(regclass, name[], name[]) IS
    'Return column names, each replaced by its registered name if the relation has a column of that name that is not generated';

CREATE FUNCTION snapback_internal.rename_covered_columns(relation regclass, old_names name[], new_names name[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE snapback.coverage c SET columns = u.columns
    FROM snapback.protected_table t, snapback.coverage v,
         snapback_internal.names_in_use(rename_covered_columns.relation, snapback_internal.renamed(v.columns, old_names, new_names), v.registered_columns) u(columns)
    WHERE v.table_id = c.table_id AND v.option = c.option AND t.id = c.table_id AND c.columns <> u.columns
      AND coalesce(t.relation_name = (SELECT p.relname FROM pg_class p WHERE p.oid = rename_covered_columns.relation),
                   t.relation = rename_covered_columns.relation)
$$;
COMMENT ON FUNCTION snapback_internal.rename_covered_columns(regclass, name[], name[]) IS
    'Change the columns of options after columns of this relation were renamed: use the new names, or the registered names where columns have those '
    'names again';

CREATE FUNCTION snapback_internal.rename_path_column(relation regclass, old_names name[], new_names name[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE snapback.protected_table t SET community_column = n.name
    FROM snapback.protected_table p,
         LATERAL (SELECT (snapback_internal.renamed(ARRAY[p.community_column], old_names, new_names))[1]) r(name),
         -- A new column with the registered name does not replace the community column while that column exists.
         LATERAL (SELECT CASE WHEN p.registered_column = ANY (new_names)
                                OR NOT snapback_internal.has_column(rename_path_column.relation, r.name)
                                   AND snapback_internal.has_column(rename_path_column.relation, p.registered_column)
                              THEN p.registered_column ELSE r.name END) n(name)
    WHERE p.id = t.id AND t.community_column <> n.name
      AND CASE WHEN t.via IS NULL THEN t.relation = rename_path_column.relation
               ELSE EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = t.relation AND k.conname = t.via AND k.contype = 'f'
                            AND k.confrelid = rename_path_column.relation) END
$$;
COMMENT ON FUNCTION snapback_internal.rename_path_column(regclass, name[], name[]) IS
    'Change the community paths that use a renamed column of this relation. Use the new name, or the registered name if another column was renamed '
    'to it or the known column was dropped';

CREATE FUNCTION snapback_internal.note_columns(relations oid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    changed record;
    known   name[];
    found_renamed record;
BEGIN
    FOR changed IN
        SELECT r.relation, n.names
        FROM unnest(note_columns.relations) r(relation)
        CROSS JOIN LATERAL snapback_internal.column_names(r.relation) n(names)
        LEFT JOIN snapback.known_columns k ON k.relation = r.relation
        WHERE n.names IS NOT NULL AND k.names IS DISTINCT FROM n.names
        ORDER BY r.relation
    LOOP
        -- A concurrent session may record the same rename: the row lock makes the second one see it.
        SELECT k.names INTO known FROM snapback.known_columns k WHERE k.relation = changed.relation FOR UPDATE;
        SELECT d.* INTO found_renamed FROM snapback_internal.differing_names(known, changed.names) d;
        IF found_renamed.old_names IS NOT NULL THEN
            INSERT INTO snapback.column_rename (relation, old_names, new_names)
            VALUES (changed.relation, found_renamed.old_names, found_renamed.new_names);
        END IF;
        PERFORM snapback_internal.rename_covered_columns(changed.relation, found_renamed.old_names, found_renamed.new_names);
        PERFORM snapback_internal.rename_path_column(changed.relation, found_renamed.old_names, found_renamed.new_names);
        INSERT INTO snapback.known_columns (relation, names) VALUES (changed.relation, changed.names)
        ON CONFLICT (relation) DO UPDATE SET names = EXCLUDED.names;
    END LOOP;
    PERFORM snapback_internal.note_labels(ARRAY(SELECT DISTINCT e.type FROM unnest(note_columns.relations) r(relation)
                                       CROSS JOIN LATERAL snapback_internal.enum_columns(r.relation) e));
END $$;
COMMENT ON FUNCTION snapback_internal.note_columns(oid[]) IS
    'Record the current column names of these relations and the labels of the enums in them, and the renames since the last record. The caller holds '
    'locks on the relations';

CREATE FUNCTION snapback_internal.forget_columns(relations oid[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM snapback.known_columns k WHERE k.relation = ANY (relations);
    DELETE FROM snapback.column_rename r WHERE r.relation = ANY (relations)
$$;
COMMENT ON FUNCTION snapback_internal.forget_columns(oid[]) IS
    'Delete the recorded column names of relations that are no longer protected, or whose OID now denotes another relation';

-- Renames are recorded immediately. Otherwise a dump and reload before the next capture would lose them.
CREATE FUNCTION snapback_internal.note_renamed_columns() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
    renamed oid[];
    enums   oid[];
BEGIN
    SELECT array_agg(c.objid) FILTER (WHERE c.classid = 'pg_class'::regclass AND c.objsubid > 0),
           array_agg(c.objid) FILTER (WHERE c.classid = 'pg_type'::regclass)
    INTO renamed, enums FROM pg_event_trigger_ddl_commands() c;
    IF num_nonnulls(renamed, enums) = 0 THEN
        RETURN;
    END IF;
    BEGIN
        WITH RECURSIVE touched (relation) AS (
            SELECT unnest(renamed)
            UNION
            SELECT t.oid FROM pg_class c JOIN pg_class t ON t.reloftype = c.reltype
            WHERE c.oid = ANY (renamed) AND c.relkind = 'c'
            UNION
            SELECT i.inhrelid FROM touched t JOIN pg_inherits i ON i.inhparent = t.relation
        )
        SELECT array_agg(k.relation) INTO renamed
        FROM touched t JOIN snapback.known_columns k ON k.relation = t.relation;
        PERFORM snapback_internal.note_columns(renamed);
        PERFORM snapback_internal.note_labels(ARRAY(SELECT k.type FROM snapback.known_labels k WHERE k.type = ANY (enums)));
    EXCEPTION WHEN OTHERS THEN
        -- The user's statement must not fail: the next capture or restore detects the rename as well.
        RAISE WARNING 'pg_snapback could not record a rename: %', SQLERRM;
    END;
END $$;
COMMENT ON FUNCTION snapback_internal.note_renamed_columns() IS
    'Event trigger: record the columns of protected tables, and the labels of enums in them, that a statement has renamed. Errors become warnings, '
    'so that the statement succeeds';
CREATE EVENT TRIGGER snapback_note_renamed_columns ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'ALTER TYPE')
    EXECUTE FUNCTION snapback_internal.note_renamed_columns();
