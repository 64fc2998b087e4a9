-- What is protected and what is not: a table that nobody registered must be seen, not silently missing.

-- No planner can tell how many rows come of a recursion; to compile for many takes longer than the query.
CREATE FUNCTION snapback_internal.community_tables() RETURNS TABLE (relation regclass)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
    WITH RECURSIVE key AS MATERIALIZED (SELECT k.relation FROM snapback_internal.community_key_column() k),
    edge AS MATERIALIZED (
        SELECT DISTINCT coalesce(pg_partition_root(f.child), f.child)::regclass AS child,
                        coalesce(pg_partition_root(f.parent), f.parent)::regclass AS parent
        FROM snapback.foreign_key f
        UNION
        SELECT i.inhrelid::regclass, i.inhparent::regclass
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition),
    member AS (
        SELECT t.relation FROM snapback.protected_table t WHERE t.relation IS NOT NULL
        UNION
        SELECT e.child FROM edge e JOIN key ON key.relation = e.parent
        UNION
        SELECT n.relation FROM snapback_internal.named_columns() n
        UNION
        SELECT c.oid::regclass
        FROM snapback_internal.community_schemas() s
        JOIN pg_namespace n ON n.nspname = s.schema_name
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        UNION
        SELECT e.child FROM member m JOIN edge e ON e.parent = m.relation)
    SELECT m.relation FROM member m
    WHERE m.relation NOT IN (SELECT k.relation FROM key k)
      AND m.relation NOT IN (SELECT d.relation FROM snapback.directory d)
$$;
COMMENT ON FUNCTION snapback_internal.community_tables() IS
    'Every table whose rows belong to communities, as far as can be seen: it is protected, refers to the directory''s key '
    'or to such a table, has a column called like those that do, inherits from one, or lies in a community''s schema. '
    'Partitions count as their root; the table behind the directory is left out';

CREATE FUNCTION snapback_internal.unprotected_tables() RETURNS TABLE (relation regclass)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.relation FROM snapback_internal.community_tables() c
    WHERE (snapback_internal.protected_as(c.relation)).id IS NULL
      AND c.relation NOT IN (SELECT x.relation FROM snapback_internal.excluded_relations() x)
$$;
COMMENT ON FUNCTION snapback_internal.unprotected_tables() IS 'The tables that belong to communities, stand under no option and are not excluded';

CREATE FUNCTION snapback_internal.filter_problem(relation regclass, filter text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM snapback_internal.check_filter(relation, filter);
    RETURN NULL;
EXCEPTION WHEN others THEN
    RETURN SQLERRM;
END $$;
COMMENT ON FUNCTION snapback_internal.filter_problem(regclass, text) IS 'What keeps a filter from being used; NULL where nothing does';

CREATE FUNCTION snapback_internal.coverage_problem(its_table snapback.protected_table, relation regclass, options text[] DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('option %s: %s', c.option, coalesce(r.problem, f.problem))
    FROM snapback.coverage c
    CROSS JOIN LATERAL snapback_internal.column_refusal(coverage_problem.relation, c.columns,
        snapback_internal.path_columns(coverage_problem.relation, its_table.community_column, its_table.via)) r
    CROSS JOIN LATERAL snapback_internal.filter_problem(coverage_problem.relation, c.filter) f(problem)
    WHERE c.table_id = its_table.id AND num_nonnulls(c.columns, c.filter) > 0 AND coalesce(r.problem, f.problem) IS NOT NULL
      AND (coverage_problem.options IS NULL OR c.option = ANY (coverage_problem.options))
    ORDER BY c.option COLLATE "C"
    LIMIT 1
$$;
COMMENT ON FUNCTION snapback_internal.coverage_problem(snapback.protected_table, regclass, text[]) IS
    'What keeps an option, or one of these, from restoring its part of a table: a column that is gone, a filter that no longer holds';

CREATE FUNCTION snapback_internal.table_status(its_table snapback.protected_table, relation regclass, absent_from text,
                                      OUT path text, OUT guard text, OUT status text, OUT problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    resolved record;
BEGIN
    IF relation IS NULL OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation) THEN
        status := 'relation gone';
        problem := coalesce(absent_from, format('it was dropped; snapback.protect() the table that took its place, or SELECT snapback.unprotect(%s::regclass)', relation::oid));
        RETURN;
    END IF;
    guard := snapback_internal.guard_state(relation);
    path := 'schema';
    IF its_table.relation_name IS NULL THEN
        SELECT * INTO resolved FROM snapback_internal.resolve_path(relation, its_table.community_column, its_table.via);
        path := resolved.path;
        IF resolved.problem IS NOT NULL THEN
            status := 'path broken';
            problem := resolved.problem;
            RETURN;
        END IF;
    END IF;
    problem := (snapback_internal.table_refusal(relation)).problem;
    IF problem IS NOT NULL THEN
        status := 'not capturable';
        RETURN;
    END IF;
    problem := snapback_internal.coverage_problem(its_table, relation);
    IF problem IS NOT NULL THEN
        status := 'option broken';
        RETURN;
    END IF;
    status := CASE guard WHEN 'enabled' THEN 'protected' ELSE 'guard ' || guard END;
    problem := CASE guard WHEN 'enabled' THEN NULL
                          WHEN 'overtaken' THEN 'a BEFORE trigger fires after the guard, and may change rows behind it; rename that trigger'
                          ELSE 'writes are not refused while a community is restored; SELECT snapback.install_guards()' END;
END $$;
COMMENT ON FUNCTION snapback_internal.table_status(snapback.protected_table, regclass, text) IS
    'How a protected relation fares: its path, its guard, and the first thing that is wrong with it';

CREATE FUNCTION snapback_internal.protected_relations()
RETURNS TABLE (its_table snapback.protected_table, relation regclass, absent_from text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t, t.relation, NULL FROM snapback.protected_table t WHERE t.relation IS NOT NULL
    UNION ALL
    SELECT t, r.relation, format('community %s has no table %I.%I', r.community, r.schema_name, t.relation_name)
    FROM snapback.protected_table t CROSS JOIN LATERAL snapback_internal.community_relations(t.relation_name) r
    WHERE t.relation_name IS NOT NULL
$$;
COMMENT ON FUNCTION snapback_internal.protected_relations() IS
    'Every relation that is protected, or ought to be: where a community''s schema lacks the table, relation is NULL';

CREATE FUNCTION snapback_internal.qualified_name(relation regclass) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    SELECT relation::text
$$;
COMMENT ON FUNCTION snapback_internal.qualified_name(regclass) IS
    'A relation''s name with its schema, quoted where it must be, whatever the caller''s search_path; the OID of one that was dropped';

CREATE FUNCTION snapback.install_guards() RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unguarded regclass;
BEGIN
    FOR unguarded IN
        SELECT p.relation FROM snapback_internal.protected_relations() p JOIN pg_class c ON c.oid = p.relation
        WHERE c.relkind IN ('r', 'p') AND snapback_internal.guard_state(p.relation) IN ('disabled', 'missing')
        ORDER BY p.relation::text COLLATE "C"
    LOOP
        PERFORM snapback_internal.install_guard(unguarded);
        RETURN NEXT snapback_internal.qualified_name(unguarded);
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback.install_guards() IS
    'Puts the guard on every protected table where it is missing or disabled, such as those of a community that came later '
    'and has a schema of its own; returns the names of those tables';

CREATE FUNCTION snapback_internal.protection_of_tables()
RETURNS TABLE (relation text, options text[], path text, key name[], guard text, status text, problem text, note text, relid regclass)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT snapback_internal.qualified_name(p.relation) AS relation,
           ARRAY(SELECT c.option
                 FROM snapback.coverage c
                 JOIN snapback.option o ON o.option = c.option
                 JOIN snapback.category g ON g.category = o.category
                 WHERE c.table_id = (p.its_table).id
                 ORDER BY g.position, o.position) AS options,
           s.path,
           CASE WHEN s.status <> 'relation gone' THEN snapback_internal.key_columns(p.relation) END AS key,
           s.guard,
           s.status,
           s.problem,
           CASE WHEN s.status <> 'relation gone' THEN snapback_internal.null_note(p.relation, (p.its_table).community_column, (p.its_table).via) END AS note,
           p.relation AS relid
    FROM snapback_internal.protected_relations() p
    CROSS JOIN LATERAL snapback_internal.table_status(p.its_table, p.relation, p.absent_from) s
    UNION ALL
    SELECT snapback_internal.qualified_name(u.relation), '{}', NULL, snapback_internal.key_columns(u.relation), snapback_internal.guard_state(u.relation), 'unprotected',
           coalesce((snapback_internal.table_refusal(u.relation)).problem, 'it stands under no option: its rows are not kept'), NULL, u.relation
    FROM snapback_internal.unprotected_tables() u
    UNION ALL
    SELECT snapback_internal.qualified_name(x.relation), '{}', NULL, snapback_internal.key_columns(x.relation), NULL, 'excluded', NULL, x.reason, x.relation
    FROM snapback_internal.excluded_relations() x WHERE (snapback_internal.protected_as(x.relation)).id IS NULL
$$;
COMMENT ON FUNCTION snapback_internal.protection_of_tables() IS
    'The rows of the view snapback.protection, for roles that may not read what it is made of. Internal: read the view';

CREATE VIEW snapback.protection AS SELECT * FROM snapback_internal.protection_of_tables();
COMMENT ON VIEW snapback.protection IS
    'Every table whose rows belong to communities, protected or not: its name with its schema, its options, its path to the community, the columns of '
    'its key, the state of its guard, and a status: protected; guard missing, disabled or overtaken; option broken (a column or '
    'a filter no longer fits); not capturable (the table changed its kind or lost its key); path broken; relation gone; '
    'unprotected; excluded (left out on purpose by snapback.exclude()). problem says what is wrong, note what there is to know: which rows fall out of their '
    'community, or why a table is excluded. relid is the table itself, to '
    'compare with others and to hand to snapback.unprotect()';
