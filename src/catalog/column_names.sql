-- The names that columns have had. A column keeps its number whatever it is called, as long as its table lives; so what
-- was noted of a table tells later which columns were renamed. Snapshots know columns by name, and are led forward.

CREATE TABLE snapback.known_columns (
    relation oid    PRIMARY KEY,
    names    name[] NOT NULL
);
COMMENT ON TABLE snapback.known_columns IS
    'What the columns of a protected relation were called when last looked at: names[n] is that of column number n, NULL where it was dropped. '
    'Never dumped, since a table that is loaded elsewhere numbers its columns anew';

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
    'Renames of protected relations'' columns, in the order in which they came to light; those of one row came to pass at once, as far as can be told: '
    'old_names[i] became new_names[i]';

-- Its body becomes part of the queries that ask it.
CREATE FUNCTION snapback_internal.column_names(relation oid) RETURNS TABLE (names name[])
LANGUAGE sql STABLE ROWS 1
BEGIN ATOMIC
    SELECT array_agg(CASE WHEN NOT a.attisdropped THEN a.attname END ORDER BY a.attnum)
    FROM pg_attribute a WHERE a.attrelid = column_names.relation AND a.attnum > 0;
END;
COMMENT ON FUNCTION snapback_internal.column_names(oid) IS
    'What a relation''s columns are called, by their number; NULL for those that were dropped';

CREATE FUNCTION snapback_internal.differing_names(known name[], live name[], OUT old_names name[], OUT new_names name[])
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(k.name ORDER BY k.number), array_agg(l.name ORDER BY k.number)
    FROM unnest(known) WITH ORDINALITY k(name, number)
    JOIN unnest(live) WITH ORDINALITY l(name, number) USING (number)
    WHERE k.name <> l.name
$$;
COMMENT ON FUNCTION snapback_internal.differing_names(name[], name[]) IS
    'The columns that were renamed, given all names by number then and now; NULL where none was';

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
    'Every rename of a relation''s columns, oldest first; last, with the greatest number there is, those that have not been noted yet';

CREATE FUNCTION snapback_internal.renamed(names name[], old_names name[], new_names name[]) RETURNS name[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(coalesce(new_names[array_position(old_names, n.name)], n.name) ORDER BY n.place)
    FROM unnest(names) WITH ORDINALITY n(name, place)
$$;
COMMENT ON FUNCTION snapback_internal.renamed(name[], name[], name[]) IS 'Names with these renames applied to them, all at once';

-- What was registered by a column's name goes on by its new one, until another column takes that name: then it means
-- that column, as the application does. So a column can be replaced by a second one and two renames. A filter is text,
-- and stays as it is.
CREATE FUNCTION snapback_internal.names_in_use(relation regclass, names name[], registered name[]) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(coalesce(a.attname, n.name) ORDER BY n.place)
    FROM unnest(names, registered) WITH ORDINALITY n(name, registered, place)
    LEFT JOIN pg_attribute a ON a.attrelid = relation AND a.attname = n.registered AND a.attnum > 0 AND a.attgenerated = ''
$$;
COMMENT ON FUNCTION snapback_internal.names_in_use(regclass, name[], name[]) IS
    'Names of columns, each replaced by the name under which it was registered where the relation has a column of that name that takes values. Internal.';

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
    'Lets options that name columns of this relation go on by the new names, and by those under which they were registered '
    'where columns have these again. Internal.';

CREATE FUNCTION snapback_internal.rename_path_column(relation regclass, old_names name[], new_names name[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE snapback.protected_table t SET community_column = n.name
    FROM snapback.protected_table p,
         LATERAL (SELECT (snapback_internal.renamed(ARRAY[p.community_column], old_names, new_names))[1]) r(name),
         -- A new column that only happens to have the name is not the community, as long as the known one exists.
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
    'Lets community paths that name a column of this relation go on by its new name, or by the one under which it was '
    'registered: where another column was renamed to that, or the known one is gone. Internal.';

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
        -- Another session may note the same; whoever comes second finds it done.
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
    'Notes what the columns of these relations, and the labels of enums in them, are called now, and which of them were renamed since they were noted last. The caller '
    'keeps the relations locked. Internal.';

CREATE FUNCTION snapback_internal.forget_columns(relations oid[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM snapback.known_columns k WHERE k.relation = ANY (relations);
    DELETE FROM snapback.column_rename r WHERE r.relation = ANY (relations)
$$;
COMMENT ON FUNCTION snapback_internal.forget_columns(oid[]) IS
    'Forgets what columns were called: of relations that are not protected any more, or whose OID has come to name another. Internal.';

-- Renames are noted as they are made, so that none is lost where the next capture comes after a dump and load.
CREATE FUNCTION snapback_internal.note_renamed_columns() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
    renamed oid[];
    enums   oid[];
BEGIN
    -- Of most statements nothing more is asked.
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
        -- Nobody's statement fails for this: the next capture or restore notices the rename as well.
        RAISE WARNING 'pg_snapback could not note yet what was renamed: %', SQLERRM;
    END;
END $$;
COMMENT ON FUNCTION snapback_internal.note_renamed_columns() IS
    'Internal, an event trigger: notes which columns of protected tables, and labels of enums in them, a statement has renamed. Never keeps a statement from being carried out';
CREATE EVENT TRIGGER snapback_note_renamed_columns ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'ALTER TYPE')
    EXECUTE FUNCTION snapback_internal.note_renamed_columns();
