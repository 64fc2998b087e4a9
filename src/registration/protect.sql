-- Adds a table to an option, and removes it.

CREATE FUNCTION snapback_internal.check_protectable(relation regclass, chosen snapback.protected_table, columns name[], filter text)
RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    start name[] := snapback_internal.path_columns(relation, chosen.community_column, chosen.via);
BEGIN
    PERFORM snapback_internal.refuse(r.state, r.problem, r.hint) FROM snapback_internal.table_refusal(relation) r;
    IF chosen.relation_name IS NULL THEN
        PERFORM snapback_internal.refuse(p.state, p.problem, p.hint)
        FROM snapback_internal.resolve_path(relation, chosen.community_column, chosen.via) p;
    END IF;
    PERFORM snapback_internal.refuse(r.state, r.problem, r.hint) FROM snapback_internal.column_refusal(relation, columns, start) r;
    PERFORM snapback_internal.check_filter(relation, filter);
END $$;
COMMENT ON FUNCTION snapback_internal.check_protectable(regclass, snapback.protected_table, name[], text) IS
    'Raise an error if a table, its path, columns or a filter cannot be protected. Errors: see snapback.protect()';

CREATE FUNCTION snapback_internal.record_table(chosen snapback.protected_table) RETURNS integer
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE snapback.protected_table
    SET community_column = chosen.community_column, via = chosen.via, registered_column = chosen.registered_column WHERE id = chosen.id;
    INSERT INTO snapback.protected_table (relation, relation_name, community_column, via, registered_column, registered_name)
    SELECT chosen.relation, chosen.relation_name, chosen.community_column, chosen.via, chosen.registered_column,
           snapback_internal.full_name(chosen.relation)
    WHERE chosen.id IS NULL;
    SELECT t.id FROM snapback.protected_table t
    WHERE t.relation = chosen.relation OR t.relation_name = chosen.relation_name
$$;
COMMENT ON FUNCTION snapback_internal.record_table(snapback.protected_table) IS 'Insert a protected table or update its path; return its number';

CREATE FUNCTION snapback_internal.tell_of_nulls(chosen snapback.protected_table) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    note text := snapback_internal.null_note(chosen.relation, chosen.community_column, chosen.via);
BEGIN
    IF note IS NOT NULL THEN
        RAISE NOTICE USING MESSAGE = format('%s: %s', chosen.relation, note),
            HINT = 'To capture every row, add a NOT NULL constraint, or protect the table by another path.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.tell_of_nulls(snapback.protected_table) IS 'Raise a NOTICE if the path of a table has nullable columns';

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
    PERFORM snapback_internal.refuse(r.state, r.problem, r.hint) FROM snapback_internal.table_refusal(protect.relation) r;
    PERFORM snapback_internal.refuse('SB001', format('option %s does not exist', coalesce('"' || protect.option || '"', 'NULL')),
                            'Call snapback.add_option() first.')
    WHERE NOT EXISTS (SELECT FROM snapback.option o WHERE o.option = protect.option);
    LOCK TABLE snapback.protected_table IN SHARE ROW EXCLUSIVE MODE;
    PERFORM snapback_internal.lock_relation(protect.relation);
    IF (snapback_internal.protected_as(protect.relation)).id IS NULL THEN
        PERFORM snapback_internal.take_place(protect.relation, protect.community_column, protect.via);
    ELSE
        PERFORM snapback_internal.tell_of_namesake(protect.relation);
    END IF;

    chosen := snapback_internal.choose_path(protect.relation, snapback_internal.protected_as(protect.relation), protect.community_column, protect.via);
    IF chosen.relation_name IS NULL THEN
        PERFORM snapback_internal.check_protectable(protect.relation, chosen, protect.columns, protect.filter);
    ELSE
        FOR member IN SELECT r.relation FROM snapback_internal.community_relations(chosen.relation_name) r WHERE r.relation IS NOT NULL LOOP
            PERFORM snapback_internal.lock_relation(member);
            PERFORM snapback_internal.check_protectable(member, chosen, protect.columns, protect.filter);
        END LOOP;
    END IF;

    IF snapback_internal.end_exclusion(protect.relation) THEN
        RAISE NOTICE USING MESSAGE = format('%s is no longer excluded', protect.relation);
    END IF;
    its_id := snapback_internal.record_table(chosen);
    IF chosen.id IS NULL THEN
        PERFORM snapback_internal.forget_columns(ARRAY(SELECT r.relation FROM snapback_internal.relations_of(its_id) r));
    END IF;
    INSERT INTO snapback.coverage (table_id, option, columns, filter, registered_columns)
    SELECT its_id, protect.option, d.columns, protect.filter, d.columns
    FROM (SELECT array_agg(DISTINCT c) FROM unnest(protect.columns) c) d(columns)
    ON CONFLICT (table_id, option) DO UPDATE
    SET columns = EXCLUDED.columns, filter = EXCLUDED.filter, registered_columns = EXCLUDED.registered_columns;
    PERFORM snapback_internal.note_columns(ARRAY(SELECT r.relation FROM snapback_internal.relations_of(its_id) r));
    PERFORM snapback_internal.install_guard(r.relation) FROM snapback_internal.relations_of(its_id) r;
    PERFORM snapback_internal.tell_of_nulls(chosen);
    PERFORM snapback_internal.tell_of_expressions(r.relation)
    FROM (SELECT r.relation FROM snapback_internal.relations_of(its_id) r ORDER BY r.relation LIMIT 1) r;
END $$;
COMMENT ON FUNCTION snapback.protect(regclass, text, name, name, name[], text) IS
    'Add a table to an option. Another call for the same option replaces columns and filter. community_column, via: the path to the community, '
    'through a column of the table or a foreign key of the table (community_column is then a column of the parent); by default the path is found '
    'automatically. columns: the option restores these columns of existing rows, and neither adds nor deletes rows. filter: the option restores the '
    'rows for which this expression is true. A table replaces an old one under all its options if it has the name under which the old one was '
    'captured and the old one was dropped or renamed, or if the old one has become its partition; the old table is then no longer protected. '
    'Protecting an excluded table ends the exclusion. NOTICEs report nullable columns of the path and constraints that cannot be evaluated during a '
    'restore. Errors: SB001 no such option; 42P01, 42809, 0A000, 55000, SB022 as snapback_internal.table_refusal(); 42703, 42704 no such column or '
    'foreign key; SB020 no path; SB021 several paths; SB023 the table already has another path; 2BP01 paths of other tables lead through the '
    'replaced table; 22023, 42703, 428C9, 42P10 as snapback_internal.column_refusal(); those of snapback_internal.check_filter()';

CREATE FUNCTION snapback_internal.refuse_if_parent(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    children text := snapback_internal.tables_led_through(refuse_if_parent.relation);
BEGIN
    IF children IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = format('cannot unprotect %s because the paths of other tables lead through it', relation),
            DETAIL = format('Tables protected through it: %s.', children),
            HINT = 'Call snapback.unprotect() for those tables first.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.refuse_if_parent(regclass) IS 'Raise 2BP01 if the paths of other protected tables lead through this one';

CREATE FUNCTION snapback.unprotect(relation regclass, option text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    present snapback.protected_table;
BEGIN
    LOCK TABLE snapback.protected_table IN SHARE ROW EXCLUSIVE MODE;
    present := snapback_internal.protected_as(relation);
    DELETE FROM snapback.coverage c
    WHERE c.table_id = present.id AND (unprotect.option IS NULL OR c.option = unprotect.option);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('%s is not protected', coalesce(relation::text, 'NULL'))
                      || coalesce(' under the option "' || unprotect.option || '"', ''),
            HINT = 'The view snapback.protection lists the protected tables.';
    END IF;
    IF NOT EXISTS (SELECT FROM snapback.coverage c WHERE c.table_id = present.id) THEN
        PERFORM snapback_internal.refuse_if_parent(present.relation);
        PERFORM snapback_internal.forget_columns(ARRAY(SELECT r.relation FROM snapback_internal.relations_of(present.id) r));
        PERFORM snapback_internal.remove_guard(r.relation)
        FROM snapback_internal.relations_of(present.id) r JOIN pg_class c ON c.oid = r.relation;
        DELETE FROM snapback.protected_table t WHERE t.id = present.id;
        -- Removing a guard also removes it from the table's children, which may be protected themselves.
        PERFORM snapback_internal.install_guard(t.relation)
        FROM snapback.protected_table t JOIN pg_inherits i ON i.inhrelid = t.relation;
    END IF;
END $$;
COMMENT ON FUNCTION snapback.unprotect(regclass, text) IS
    'Remove a table from an option, or from all options by default; removing the last one also removes its guard. A dropped table is specified by '
    'the OID in the column relid of the view snapback.protection. Errors: 42704 the table is not protected under the option, 2BP01 paths of other '
    'tables lead through it';
