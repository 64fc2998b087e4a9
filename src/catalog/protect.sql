-- Putting a table under an option, and taking it out again.

CREATE FUNCTION snapback.lock_relation(relation regclass) RETURNS void
LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_lock_relation';
COMMENT ON FUNCTION snapback.lock_relation(regclass) IS
    'Keeps a relation''s kind, owner and columns as they are until the transaction ends. 42704 where there is none';

CREATE FUNCTION snapback.check_filter(relation regclass, filter text) RETURNS void
LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_check_filter';
COMMENT ON FUNCTION snapback.check_filter(regclass, text) IS
    'Refuses, as the relation''s owner and without reading a row, a filter that is not one boolean expression over the '
    'relation''s own columns, or has a subquery, an aggregate, a volatile function, or a column that is generated. '
    'SQLSTATE as Postgres has it for the fault: 42601, 42703, 42804, 42803, 42501; 0A000 for what Postgres would allow';

CREATE FUNCTION snapback.large_object_column(relation regclass) RETURNS name
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE held AS (
        SELECT a.attname, a.attnum, a.atttypid AS type
        FROM pg_attribute a
        WHERE a.attrelid = large_object_column.relation AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT h.attname, h.attnum, n.type
        FROM held h
        JOIN pg_type t ON t.oid = h.type
        CROSS JOIN LATERAL (SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype
                                        WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END AS type) n
        WHERE n.type <> 0)
    SELECT h.attname FROM held h WHERE h.type = 'oid'::regtype ORDER BY h.attnum LIMIT 1
$$;
COMMENT ON FUNCTION snapback.large_object_column(regclass) IS
    'The first column that may name large objects: of type oid, a domain over it (lo), or an array of them';

CREATE FUNCTION snapback.kind_refusal(class pg_catalog.pg_class, OUT state text, OUT problem text, OUT hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation regclass := class.oid;
    part     record;
BEGIN
    state := '42809';
    IF class.relkind NOT IN ('r', 'p') THEN
        problem := format('%s is %s', relation,
            CASE class.relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table'
                WHEN 'S' THEN 'a sequence' WHEN 'i' THEN 'an index' WHEN 'I' THEN 'an index' ELSE 'not a table' END);
        hint := 'Only tables of this database can be protected: name the table that holds the rows.';
        RETURN;
    ELSIF class.oid < 16384 OR class.relnamespace = 'snapback'::regnamespace THEN
        problem := format('%s is a table of %s', relation, CASE WHEN class.oid < 16384 THEN 'the system' ELSE 'pg_snapback' END);
        hint := 'Protect the tables of your application.';
        RETURN;
    ELSIF class.relispartition THEN
        problem := format('%s is a partition', relation);
        hint := format('Protect %s, of which it is a part.', pg_partition_root(relation));
        RETURN;
    END IF;
    state := '0A000';
    IF class.relpersistence = 't' THEN
        problem := format('%s is a temporary table', relation);
        hint := 'Only permanent tables can be protected.';
        RETURN;
    END IF;
    SELECT c.oid::regclass AS name, c.relpersistence, c.relkind INTO part
    FROM (SELECT relation AS relid UNION SELECT t.relid FROM pg_partition_tree(relation) t) member
    JOIN pg_class c ON c.oid = member.relid
    WHERE c.relpersistence = 'u' OR c.relkind NOT IN ('r', 'p')
    ORDER BY c.oid LIMIT 1;
    IF FOUND THEN
        problem := format('%s %s %s', relation, CASE WHEN part.name = relation THEN 'is' ELSE format('has the partition %s, which is', part.name) END,
                          CASE part.relpersistence WHEN 'u' THEN 'an unlogged table' ELSE 'a foreign table' END);
        hint := 'Only permanent tables of this database can be protected.';
        RETURN;
    END IF;
    state := NULL;
END $$;
COMMENT ON FUNCTION snapback.kind_refusal(pg_catalog.pg_class) IS
    'Why a relation is of no kind that can be protected: SQLSTATE (42809, 0A000), problem and hint; NULL where it is';

CREATE FUNCTION snapback.table_refusal(relation regclass, OUT state text, OUT problem text, OUT hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    class        pg_class;
    large_object name;
BEGIN
    SELECT * INTO class FROM pg_class c WHERE c.oid = relation;
    IF class.oid IS NULL THEN
        state := '42P01';
        problem := format('there is no relation %s', coalesce(relation::text, 'NULL'));
        hint := 'Name a table.';
        RETURN;
    END IF;
    SELECT * INTO state, problem, hint FROM snapback.kind_refusal(class);
    IF state IS NOT NULL THEN
        RETURN;
    END IF;
    large_object := snapback.large_object_column(relation);
    IF large_object IS NOT NULL THEN
        state := '0A000';
        problem := format('column "%s" of %s holds the OID of a large object', large_object, relation);
        hint := 'Large objects are not kept. Hold the bytes in a bytea column; for a number that is no OID take bigint.';
    ELSIF class.relrowsecurity AND class.relforcerowsecurity
          AND NOT (SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles r WHERE r.oid = class.relowner) THEN
        state := '55000';
        problem := format('row security of %s binds its owner too, and would hide rows from a snapshot', relation);
        hint := format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, or ALTER ROLE %I BYPASSRLS.', relation,
                       pg_get_userbyid(class.relowner));
    ELSIF snapback.key_columns(relation) IS NULL THEN
        state := 'SB022';
        problem := format('%s has no key that names a row', relation);
        hint := 'Give it a primary key, or a unique index over columns that are NOT NULL; it must not be deferrable.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback.table_refusal(regclass) IS
    'Why a relation cannot be protected: SQLSTATE, problem and hint; NULL where it can. 42P01 there is none, 42809 no '
    'table of the application''s, 0A000 temporary, unlogged, foreign or with large objects, 55000 row security binds its '
    'owner, SB022 no key';

CREATE FUNCTION snapback.column_refusal(relation regclass, columns name[], path_columns name[],
                                        OUT state text, OUT problem text, OUT hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    column_name name;
BEGIN
    IF cardinality(columns) = 0 THEN
        state := '22023';
        problem := format('no column of %s is named', relation);
        hint := 'Leave columns out to protect whole rows.';
    END IF;
    FOREACH column_name IN ARRAY coalesce(columns, '{}') LOOP
        hint := 'Name columns that a restore can set on rows that live: none that is generated, or part of the key or of the path.';
        IF NOT snapback.has_column(relation, column_name) THEN
            state := '42703';
            problem := format('%s has no column "%s"', relation, column_name);
        ELSIF EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = column_name AND a.attgenerated <> '') THEN
            state := '428C9';
            problem := format('column "%s" of %s is generated', column_name, relation);
        ELSIF column_name = ANY (snapback.key_columns(relation)) THEN
            state := '42P10';
            problem := format('column "%s" is part of the key of %s', column_name, relation);
        ELSIF column_name = ANY (path_columns) THEN
            state := '42P10';
            problem := format('column "%s" of %s is part of its path to the community', column_name, relation);
        END IF;
        EXIT WHEN state IS NOT NULL;
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback.column_refusal(regclass, name[], name[]) IS
    'Why an option cannot restore these columns of a table: SQLSTATE (22023 none, 42703 no such column, 428C9 generated, '
    '42P10 of the key or the path), problem and hint; NULL where it can';

CREATE FUNCTION snapback.refuse(state text, problem text, hint text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF state IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = state, MESSAGE = problem, HINT = hint;
    END IF;
END $$;
COMMENT ON FUNCTION snapback.refuse(text, text, text) IS 'Raises what is wrong; nothing where the SQLSTATE is NULL';

CREATE FUNCTION snapback.find_path(relation regclass, OUT community_column name, OUT via name)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parents    regclass[] := ARRAY(SELECT t.relation FROM snapback.protected_table t WHERE t.relation IS NOT NULL);
    found_ones text[];
    nullable   boolean;
    unprotected_parents text;
    named      text;
BEGIN
    IF NOT EXISTS (SELECT FROM snapback.directory) THEN
        PERFORM snapback.refuse('55000', format('no directory of communities is set, so no path from %s can be found', relation),
                                'Call snapback.set_directory() first, or name community_column.');
    END IF;
    SELECT array_agg(b.arguments || coalesce(' (' || b.meaning || ')', '')), bool_or(NOT b.own AND NOT b.mandatory), (array_agg(b.community_column))[1],
           (array_agg(b.via))[1]
    INTO found_ones, nullable, community_column, via
    FROM snapback.best_steps(ARRAY(SELECT s FROM snapback.path_steps(ARRAY[relation], '{}') s), parents) b;
    IF cardinality(found_ones) > 1 THEN
        PERFORM snapback.refuse('SB021', format('more than one path leads from %s to a community', relation),
                                'Name one of: ' || array_to_string(found_ones, '; ') || '.');
    END IF;
    IF found_ones IS NULL OR nullable THEN
        SELECT string_agg(f.parent::text, ', ' ORDER BY f.name) INTO unprotected_parents
        FROM snapback.foreign_key f
        WHERE f.child = relation AND f.parent <> f.child AND f.parent <> ALL (parents) AND (f.mandatory OR found_ones IS NULL)
          AND f.parent IN (SELECT u.relation FROM snapback.community_tables() u);
    END IF;
    IF found_ones IS NULL OR unprotected_parents IS NOT NULL THEN
        SELECT format(', such as community_column := %L', min(n.column_name COLLATE "C")) INTO named
        FROM snapback.named_columns() n WHERE n.relation = find_path.relation HAVING count(*) > 0;
        PERFORM snapback.refuse('SB020', format('no path leads from %s to a community', relation),
            coalesce('Protect ' || unprotected_parents || ' first, or name', 'Name') ||
            ' with community_column or via what leads to one' || coalesce(named, '') || '.');
    END IF;
END $$;
COMMENT ON FUNCTION snapback.find_path(regclass) IS
    'The one path from a table to its community: an own column that refers to the directory''s key, or else a foreign key '
    'to a protected table. SB021, naming them, where there are several; SB020 where there is none, or only one that '
    'takes NULL while a better one leads to a table not protected yet; 55000 where no directory is set';

CREATE FUNCTION snapback.relations_of(table_id integer) RETURNS TABLE (relation regclass)
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.relation FROM snapback.protected_table t WHERE t.id = relations_of.table_id AND t.relation IS NOT NULL
    UNION ALL
    SELECT r.relation
    FROM snapback.protected_table t CROSS JOIN LATERAL snapback.community_relations(t.relation_name) r
    WHERE t.id = relations_of.table_id AND t.relation_name IS NOT NULL AND r.relation IS NOT NULL
$$;
COMMENT ON FUNCTION snapback.relations_of(integer) IS
    'The relations that a protected table stands for: one, or one in each community''s schema';

CREATE FUNCTION snapback.protected_as(relation regclass) RETURNS snapback.protected_table
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t FROM snapback.protected_table t WHERE t.relation = protected_as.relation
    UNION ALL
    SELECT t FROM snapback.protected_table t
    JOIN pg_class c ON c.relname = t.relation_name AND c.oid = protected_as.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN (SELECT s.schema_name FROM snapback.community_schemas() s)
    LIMIT 1
$$;
COMMENT ON FUNCTION snapback.protected_as(regclass) IS
    'The protected table that a relation is, or is one community''s part of; NULL where it is not protected';

CREATE FUNCTION snapback.is_in_community_schema(relation regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owners text[];
BEGIN
    SELECT array_agg(s.community) INTO owners
    FROM snapback.community_schemas() s
    JOIN pg_namespace n ON n.nspname = s.schema_name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.oid = relation;
    IF cardinality(owners) > 1 THEN
        PERFORM snapback.refuse('55000', format('the schema of %s belongs to more than one community', relation),
                                format('The directory gives it to: %s.', array_to_string(owners, ', ')));
    END IF;
    RETURN owners IS NOT NULL;
END $$;
COMMENT ON FUNCTION snapback.is_in_community_schema(regclass) IS
    'Whether a relation lies in the schema of one community. 55000 where the directory gives that schema to several';

CREATE FUNCTION snapback.choose_path(relation regclass, present snapback.protected_table, community_column name, via name)
RETURNS snapback.protected_table
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    explicit boolean := num_nonnulls(community_column, via) > 0;
    broken   boolean := present.relation IS NOT NULL
                        AND (snapback.resolve_path(present.relation, present.community_column, present.via)).state IS NOT NULL;
    chosen   snapback.protected_table := present;
BEGIN
    IF present.id IS NOT NULL AND NOT broken THEN
        -- The column may be left out beside a foreign key; the foreign key may not, as the column alone says another path.
        IF explicit AND (via IS DISTINCT FROM present.via
                         OR coalesce(community_column, present.community_column) IS DISTINCT FROM present.community_column) THEN
            PERFORM snapback.refuse('SB023', format('%s is protected already, by another path: %s', relation,
                CASE WHEN present.relation IS NULL THEN 'a schema for each community'
                     ELSE (snapback.resolve_path(relation, present.community_column, present.via)).path END),
                'Leave community_column and via out, or call snapback.unprotect() first.');
        END IF;
        RETURN present;
    END IF;
    chosen.relation := relation;
    IF explicit THEN
        chosen.community_column := community_column;
        chosen.via := via;
    ELSIF snapback.is_in_community_schema(relation) THEN
        chosen.relation := NULL;
        SELECT c.relname INTO chosen.relation_name FROM pg_class c WHERE c.oid = relation;
    ELSE
        SELECT p.community_column, p.via INTO chosen.community_column, chosen.via FROM snapback.find_path(relation) p;
    END IF;
    RETURN chosen;
END $$;
COMMENT ON FUNCTION snapback.choose_path(regclass, snapback.protected_table, name, name) IS
    'The path that a table is to be protected by: the one asked for, the one it has, or the one that can be found. SB023 '
    'where it has another than is asked for; errors as those of snapback.find_path()';

CREATE FUNCTION snapback.check_protectable(relation regclass, chosen snapback.protected_table, columns name[], filter text)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    start name[] := snapback.path_columns(relation, chosen.community_column, chosen.via);
BEGIN
    PERFORM snapback.refuse(r.state, r.problem, r.hint) FROM snapback.table_refusal(relation) r;
    IF chosen.relation_name IS NULL THEN
        PERFORM snapback.refuse(p.state, p.problem, p.hint)
        FROM snapback.resolve_path(relation, chosen.community_column, chosen.via) p;
    END IF;
    PERFORM snapback.refuse(r.state, r.problem, r.hint) FROM snapback.column_refusal(relation, columns, start) r;
    PERFORM snapback.check_filter(relation, filter);
END $$;
COMMENT ON FUNCTION snapback.check_protectable(regclass, snapback.protected_table, name[], text) IS
    'Refuses a table, a path, columns or a filter that cannot be protected. Errors as snapback.protect() lists them';

CREATE FUNCTION snapback.record_table(chosen snapback.protected_table) RETURNS integer
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE snapback.protected_table SET community_column = chosen.community_column, via = chosen.via WHERE id = chosen.id;
    INSERT INTO snapback.protected_table (relation, relation_name, community_column, via)
    SELECT chosen.relation, chosen.relation_name, chosen.community_column, chosen.via WHERE chosen.id IS NULL;
    SELECT t.id FROM snapback.protected_table t
    WHERE t.relation = chosen.relation OR t.relation_name = chosen.relation_name
$$;
COMMENT ON FUNCTION snapback.record_table(snapback.protected_table) IS
    'Writes a protected table down, anew or with its path as it is now; returns its number';

CREATE FUNCTION snapback.last_captured_name(table_id integer, OUT schema_name text, OUT table_name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- The stored description of a table writes tab, newline and backslash as \t, \n and \\, see docs/format.md.
    SELECT max(replace(p.part, chr(1), '\')) FILTER (WHERE p.place = 1), max(replace(p.part, chr(1), '\')) FILTER (WHERE p.place = 2)
    FROM (SELECT s.definition
          FROM snapback.snapshot_table m
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

CREATE FUNCTION snapback.tell_of_nulls(chosen snapback.protected_table) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    note text := snapback.null_note(chosen.relation, chosen.community_column, chosen.via);
BEGIN
    IF note IS NOT NULL THEN
        RAISE NOTICE USING MESSAGE = format('%s: %s', chosen.relation, note),
            HINT = 'Where no row may fall out, declare it NOT NULL, or protect the table by another path.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback.tell_of_nulls(snapback.protected_table) IS
    'A NOTICE where columns on the path that a table is protected by take NULL';

CREATE FUNCTION snapback.protect(relation regclass, option text, community_column name DEFAULT NULL, via name DEFAULT NULL,
                                 columns name[] DEFAULT NULL, filter text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    chosen   snapback.protected_table;
    member   regclass;
    its_id   integer;
BEGIN
    PERFORM snapback.refuse(r.state, r.problem, r.hint) FROM snapback.table_refusal(protect.relation) r;
    PERFORM snapback.refuse('SB001', format('there is no option %s', coalesce('"' || protect.option || '"', 'NULL')),
                            'Call snapback.add_option() first.')
    WHERE NOT EXISTS (SELECT FROM snapback.option o WHERE o.option = protect.option);
    LOCK TABLE snapback.protected_table IN SHARE ROW EXCLUSIVE MODE;
    PERFORM snapback.lock_relation(protect.relation);
    IF (snapback.protected_as(protect.relation)).id IS NULL THEN
        PERFORM snapback.take_place(protect.relation, protect.community_column, protect.via);
    END IF;

    chosen := snapback.choose_path(protect.relation, snapback.protected_as(protect.relation), protect.community_column, protect.via);
    IF chosen.relation_name IS NULL THEN
        PERFORM snapback.check_protectable(protect.relation, chosen, protect.columns, protect.filter);
    ELSE
        FOR member IN SELECT r.relation FROM snapback.community_relations(chosen.relation_name) r WHERE r.relation IS NOT NULL LOOP
            PERFORM snapback.lock_relation(member);
            PERFORM snapback.check_protectable(member, chosen, protect.columns, protect.filter);
        END LOOP;
    END IF;

    its_id := snapback.record_table(chosen);
    IF chosen.id IS NULL THEN
        PERFORM snapback.forget_columns(ARRAY(SELECT r.relation FROM snapback.relations_of(its_id) r));
    END IF;
    INSERT INTO snapback.coverage (table_id, option, columns, filter)
    VALUES (its_id, protect.option, (SELECT array_agg(DISTINCT c) FROM unnest(protect.columns) c), protect.filter)
    ON CONFLICT (table_id, option) DO UPDATE SET columns = EXCLUDED.columns, filter = EXCLUDED.filter;
    PERFORM snapback.note_columns(ARRAY(SELECT r.relation FROM snapback.relations_of(its_id) r));
    PERFORM snapback.install_guard(r.relation) FROM snapback.relations_of(its_id) r;
    PERFORM snapback.tell_of_nulls(chosen);
END $$;
COMMENT ON FUNCTION snapback.protect(regclass, text, name, name, name[], text) IS
    'Puts a table under an option; again under the same one, it replaces columns and filter. The path to the community is '
    'community_column, or via (a foreign key of the table; community_column is then the parent''s), or is found. columns: '
    'the option sets those columns of rows that live, and neither adds nor removes rows. filter: the option restores the '
    'rows for which this expression is true. A table that was dropped and made anew under its name, or that a protected table '
    'has become a partition of, takes the place of the old one, under all its options. Errors: SB001 no such option; 42P01, 42809, 0A000, 55000, SB022 as '
    'snapback.table_refusal(); 42703, 42704 no such column or foreign key; SB020 no path, SB021 several, SB023 the table '
    'has another one; 22023, 42703, 428C9, 42P10 as snapback.column_refusal(); and those of snapback.check_filter()';

CREATE FUNCTION snapback.refuse_if_parent(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    children text;
BEGIN
    SELECT string_agg(t.relation::text, ', ' ORDER BY t.id) INTO children
    FROM snapback.protected_table t
    JOIN snapback.foreign_key f ON f.child = t.relation AND f.name = t.via
    WHERE f.parent = refuse_if_parent.relation AND t.community_column IS NULL;
    IF children IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = format('%s cannot be taken out because the paths of other tables lead through it', relation),
            DETAIL = format('Protected through it: %s.', children),
            HINT = 'Call snapback.unprotect() for them first.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback.refuse_if_parent(regclass) IS '2BP01 where other tables come to their community through this one';

CREATE FUNCTION snapback.unprotect(relation regclass, option text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    present snapback.protected_table;
BEGIN
    LOCK TABLE snapback.protected_table IN SHARE ROW EXCLUSIVE MODE;
    present := snapback.protected_as(relation);
    DELETE FROM snapback.coverage c
    WHERE c.table_id = present.id AND (unprotect.option IS NULL OR c.option = unprotect.option);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('%s is not protected', coalesce(relation::text, 'NULL'))
                      || coalesce(' under the option "' || unprotect.option || '"', ''),
            HINT = 'The view snapback.protection lists what is protected.';
    END IF;
    IF NOT EXISTS (SELECT FROM snapback.coverage c WHERE c.table_id = present.id) THEN
        PERFORM snapback.refuse_if_parent(present.relation);
        PERFORM snapback.forget_columns(ARRAY(SELECT r.relation FROM snapback.relations_of(present.id) r));
        PERFORM snapback.remove_guard(r.relation)
        FROM snapback.relations_of(present.id) r JOIN pg_class c ON c.oid = r.relation;
        DELETE FROM snapback.protected_table t WHERE t.id = present.id;
        -- A guard reaches a table's children, which may be protected for themselves.
        PERFORM snapback.install_guard(t.relation)
        FROM snapback.protected_table t JOIN pg_inherits i ON i.inhrelid = t.relation;
    END IF;
END $$;
COMMENT ON FUNCTION snapback.unprotect(regclass, text) IS
    'Takes a table out of an option, or of all; with the last one its guard goes too. A table that was dropped is named by '
    'the OID that the view snapback.protection shows. 42704 where it is not protected so, 2BP01 where the paths of other '
    'tables lead through it';
