-- What a DBA may copy: the calls of snapback.protect() that are missing.

CREATE FUNCTION snapback.option_named(relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.option FROM snapback.option o JOIN pg_class c ON c.oid = option_named.relation
    WHERE split_part(o.option, '.', 2) = c.relname
    ORDER BY o.position LIMIT 1
$$;
COMMENT ON FUNCTION snapback.option_named(regclass) IS 'The first option that is called as the table is; NULL where none is';

CREATE FUNCTION snapback.likely_option(relation regclass, via name) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        snapback.option_named(likely_option.relation),
        (SELECT coalesce((SELECT min(c.option)
                          FROM snapback.protected_table t JOIN snapback.coverage c ON c.table_id = t.id
                          WHERE t.relation = f.parent
                          HAVING count(*) = 1),
                         snapback.option_named(f.parent))
         FROM snapback.foreign_key f WHERE f.child = likely_option.relation AND f.name = likely_option.via),
        '<option>')
$$;
COMMENT ON FUNCTION snapback.likely_option(regclass, name) IS
    'The option called as the table is, or that of the parent it hangs on, or a placeholder';

CREATE FUNCTION snapback.comment_line(line text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '-- ' || regexp_replace(line, '[\r\n]+', ' ', 'g')
$$;
COMMENT ON FUNCTION snapback.comment_line(text) IS 'A line as an SQL comment that no name in it can end';

CREATE FUNCTION snapback.named_among(named jsonb, relation regclass) RETURNS name[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT ARRAY(SELECT jsonb_array_elements_text(named -> relation::oid::text)) $$;
COMMENT ON FUNCTION snapback.named_among(jsonb, regclass) IS
    'A table''s columns among those of snapback.named_columns(), which are looked for once, by the tables'' OIDs';

CREATE FUNCTION snapback.suggested_calls(relation regclass, parents regclass[], named name[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    choices integer := (SELECT count(*) FROM snapback.best_candidates(relation, parents, named));
    choice  record;
    line    text;
    remark  text;
BEGIN
    IF choices > 1 THEN
        RETURN NEXT snapback.comment_line(format('%s: more than one path leads to a community; keep one of these:', relation));
    END IF;
    FOR choice IN SELECT * FROM snapback.best_candidates(relation, parents, named) LOOP
        line := format('SELECT snapback.protect(%L, %L, %s);', relation, snapback.likely_option(relation, choice.via),
                       choice.arguments);
        remark := concat_ws('; ', CASE WHEN choices > 1 OR choice.via IS NULL THEN choice.meaning END,
                                  CASE WHEN NOT choice.mandatory THEN 'rows where it is NULL are not kept' END);
        line := line || coalesce(' ' || snapback.comment_line(nullif(remark, '')), '');
        RETURN NEXT CASE WHEN choices > 1 THEN snapback.comment_line(line) ELSE line END;
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback.suggested_calls(regclass, regclass[], name[]) IS
    'The call that protects a table, given which tables are protected by then, and which of its columns look like a '
    'community''s; where several paths offer themselves, each as a comment. What a reader should know stands behind the call';

CREATE FUNCTION snapback.suggest_in_order(todo regclass[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parents regclass[] := ARRAY(SELECT t.relation FROM snapback.protected_table t WHERE t.relation IS NOT NULL);
    named   jsonb := (SELECT jsonb_object_agg(n.relation::oid, n.names)
                      FROM (SELECT n.relation, array_agg(n.column_name) AS names FROM snapback.named_columns() n GROUP BY 1) n);
    ready   regclass[];
    member  regclass;
BEGIN
    LOOP
        ready := ARRAY(SELECT r FROM unnest(todo) r
                       WHERE EXISTS (SELECT FROM snapback.best_candidates(r, parents, snapback.named_among(named, r)) b
                                     WHERE b.own OR b.mandatory)
                       ORDER BY r::text COLLATE "C");
        -- What takes NULL is followed only where nothing better will come.
        IF ready = '{}' THEN
            ready := ARRAY(SELECT r FROM unnest(todo) r
                           WHERE EXISTS (SELECT FROM snapback.best_candidates(r, parents, snapback.named_among(named, r)))
                           ORDER BY r::text COLLATE "C" LIMIT 1);
        END IF;
        EXIT WHEN ready = '{}';
        FOREACH member IN ARRAY ready LOOP
            RETURN QUERY SELECT c FROM snapback.suggested_calls(member, parents, snapback.named_among(named, member)) c;
        END LOOP;
        parents := parents || ready;
        todo := ARRAY(SELECT r FROM unnest(todo) r WHERE r <> ALL (ready));
    END LOOP;
    FOREACH member IN ARRAY todo LOOP
        RETURN NEXT snapback.comment_line(format('%s: no path to a community is known; name community_column or via', member));
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback.suggest_in_order(regclass[]) IS
    'The calls that protect these tables, parents before the children whose paths lead through them';

CREATE FUNCTION snapback.suggest() RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    table_names name[];
    rest        regclass[];
BEGIN
    RETURN QUERY SELECT snapback.comment_line(format('%s cannot be protected: %s', u.relation, r.problem))
                 FROM snapback.unprotected_tables() u CROSS JOIN LATERAL snapback.table_refusal(u.relation) r
                 WHERE r.problem IS NOT NULL
                 ORDER BY u.relation::text COLLATE "C";
    -- Of the tables that every community has in its own schema, one call protects all.
    RETURN QUERY SELECT format('SELECT snapback.protect(%L, %L);', min(u.relation::text COLLATE "C"),
                               snapback.likely_option(min(u.relation::text COLLATE "C")::regclass, NULL))
                 FROM snapback.unprotected_tables() u JOIN pg_class c ON c.oid = u.relation
                 WHERE snapback.is_in_community_schema(u.relation) AND (snapback.table_refusal(u.relation)).problem IS NULL
                 GROUP BY c.relname
                 ORDER BY c.relname;
    RETURN QUERY SELECT s FROM snapback.suggest_in_order(ARRAY(
                     SELECT u.relation FROM snapback.unprotected_tables() u
                     WHERE NOT snapback.is_in_community_schema(u.relation)
                       AND (snapback.table_refusal(u.relation)).problem IS NULL)) s;
END $$;
COMMENT ON FUNCTION snapback.suggest() IS
    'The calls of snapback.protect() that are missing, in an order that works, one a row. Where a path is ambiguous each '
    'choice is a comment, and <option> stands for an option to be named; tables that cannot be protected are comments too';
