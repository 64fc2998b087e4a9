-- Shows which tables are protected and which are not, including tables that nobody registered.

-- The planner overestimates recursive queries. JIT compilation would take longer than the query.
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
    'Return every table whose rows belong to communities, as far as can be detected: it is protected, references the key of the directory or such a '
    'table, has a column with the name of a community column, inherits from such a table, or is in the schema of a community. Partitions count as '
    'their root. The table behind the directory does not count';

CREATE FUNCTION snapback_internal.unprotected_tables() RETURNS TABLE (relation regclass)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.relation FROM snapback_internal.community_tables() c
    WHERE (snapback_internal.protected_as(c.relation)).id IS NULL
      AND c.relation NOT IN (SELECT x.relation FROM snapback_internal.excluded_relations() x)
$$;
COMMENT ON FUNCTION snapback_internal.unprotected_tables() IS 'Return the tables that belong to communities but are neither protected nor excluded';

CREATE FUNCTION snapback_internal.filter_problem(relation regclass, filter text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM snapback_internal.check_filter(relation, filter);
    RETURN NULL;
EXCEPTION WHEN others THEN
    RETURN SQLERRM;
END $$;
COMMENT ON FUNCTION snapback_internal.filter_problem(regclass, text) IS 'Return the error of an invalid filter; NULL if the filter is valid';

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
    'Return why an option, or one of the specified options, cannot restore its part of a table: a dropped column or an invalid filter; NULL if all '
    'can';

CREATE FUNCTION snapback_internal.table_status(its_table snapback.protected_table, relation regclass, absent_from text,
                                      OUT path text, OUT guard text, OUT status text, OUT problem text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    resolved record;
BEGIN
    IF relation IS NULL OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation) THEN
        status := 'relation gone';
        problem := coalesce(absent_from, format('the table was dropped; call snapback.protect() for its replacement, or run SELECT snapback.unprotect(%s::regclass)', relation::oid));
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
                          WHEN 'overtaken' THEN 'a BEFORE trigger fires after the guard and may change rows that the guard has checked; rename that trigger'
                          ELSE 'writes are not blocked during a restore; run SELECT snapback.install_guards()' END;
END $$;
COMMENT ON FUNCTION snapback_internal.table_status(snapback.protected_table, regclass, text) IS
    'Return the status of a protected relation: its path, its guard, and its first problem';

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
    'Return every relation that is or should be protected; relation is NULL if the schema of a community lacks the table';

CREATE FUNCTION snapback_internal.qualified_name(relation regclass) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    SELECT relation::text
$$;
COMMENT ON FUNCTION snapback_internal.qualified_name(regclass) IS
    'Return the schema-qualified name of a relation, quoted if necessary, independent of the caller''s search_path; the OID of a dropped relation';

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
    'Create or enable the guard on every protected table where it is missing or disabled, for example in the schema of a new community; return the '
    'names of those tables';

CREATE FUNCTION snapback_internal.protection_of_tables()
RETURNS TABLE (relation text, options text[], path text, key_columns name[], guard text, status text, problem text, note text, relid regclass)
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
           CASE WHEN s.status <> 'relation gone' THEN snapback_internal.key_columns(p.relation) END AS key_columns,
           s.guard,
           s.status,
           s.problem,
           CASE WHEN s.status <> 'relation gone' THEN snapback_internal.null_note(p.relation, (p.its_table).community_column, (p.its_table).via) END AS note,
           p.relation AS relid
    FROM snapback_internal.protected_relations() p
    CROSS JOIN LATERAL snapback_internal.table_status(p.its_table, p.relation, p.absent_from) s
    UNION ALL
    SELECT snapback_internal.qualified_name(u.relation), '{}', NULL, snapback_internal.key_columns(u.relation), snapback_internal.guard_state(u.relation), 'unprotected',
           coalesce((snapback_internal.table_refusal(u.relation)).problem, 'no option covers the table, so its rows are not captured'), NULL, u.relation
    FROM snapback_internal.unprotected_tables() u
    UNION ALL
    SELECT snapback_internal.qualified_name(x.relation), '{}', NULL, snapback_internal.key_columns(x.relation), NULL, 'excluded', NULL, x.reason, x.relation
    FROM snapback_internal.excluded_relations() x WHERE (snapback_internal.protected_as(x.relation)).id IS NULL
$$;
COMMENT ON FUNCTION snapback_internal.protection_of_tables() IS
    'Return the rows of the view snapback.protection, for roles that cannot read the underlying tables';

CREATE VIEW snapback.protection AS SELECT * FROM snapback_internal.protection_of_tables();
COMMENT ON VIEW snapback.protection IS
    'Every table whose rows belong to communities, protected or not: its schema-qualified name, its options, its path to the community, the columns '
    'of its key, the state of its guard, and a status: protected; guard missing, disabled or overtaken; option broken (a column was dropped or a '
    'filter is invalid); not capturable (the kind of the table changed or it lost its key); path broken; relation gone; unprotected; excluded (by '
    'snapback.exclude()). problem: what is wrong. note: which rows belong to no community, or why the table is excluded. relid: the table itself, '
    'for joins and for snapback.unprotect()';
