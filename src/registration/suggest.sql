-- Prints the missing calls of snapback.protect(), for a DBA to copy.

CREATE FUNCTION snapback_internal.option_named(relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.option FROM snapback.option o JOIN pg_class c ON c.oid = option_named.relation
    CROSS JOIN LATERAL (SELECT split_part(o.option, '.', 2) AS name) n
    WHERE snapback_internal.plain_name(snapback_internal.singular(n.name)) = snapback_internal.plain_name(snapback_internal.singular(c.relname))
    ORDER BY n.name = c.relname DESC, o.position LIMIT 1
$$;
COMMENT ON FUNCTION snapback_internal.option_named(regclass) IS
    'Return the first option with the name of the table, singular or plural: teams for "Team"; NULL if there is none';

CREATE FUNCTION snapback_internal.likely_option(relation regclass, via name, option text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        likely_option.option,
        snapback_internal.option_named(likely_option.relation),
        (SELECT coalesce((SELECT min(c.option)
                          FROM snapback.protected_table t JOIN snapback.coverage c ON c.table_id = t.id
                          WHERE t.relation = f.parent
                          HAVING count(*) = 1),
                         snapback_internal.option_named(f.parent))
         FROM snapback.foreign_key f WHERE f.child = likely_option.relation AND f.name = likely_option.via),
        (SELECT min(o.option) FROM snapback.option o HAVING count(*) = 1),
        '<option>')
$$;
COMMENT ON FUNCTION snapback_internal.likely_option(regclass, name, text) IS
    'Return the specified option, otherwise the option with the name of the table, the option of the parent, the only option, or a placeholder';

CREATE FUNCTION snapback_internal.comment_line(line text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT '-- ' || regexp_replace(line, '[\r\n]+', ' ', 'g')
$$;
COMMENT ON FUNCTION snapback_internal.comment_line(text) IS 'Return a text as a one-line SQL comment; line breaks become spaces';

CREATE FUNCTION snapback_internal.suggested_calls(relations regclass[], steps snapback.path_step[], parents regclass[], option text)
RETURNS TABLE (relation regclass, line text, is_call boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    choice record;
    remark text;
BEGIN
    is_call := true;
    FOR choice IN SELECT b.*, count(*) OVER (PARTITION BY b.relation) AS choices, row_number() OVER (PARTITION BY b.relation ORDER BY b.arguments COLLATE "C") AS place
                  FROM snapback_internal.best_steps(steps, parents) b WHERE b.relation = ANY (relations)
                  ORDER BY b.relation::text COLLATE "C", place LOOP
        relation := choice.relation;
        IF choice.choices > 1 AND choice.place = 1 THEN
            line := snapback_internal.comment_line(format('%s: more than one path leads to a community; choose one of these calls:', choice.relation));
            RETURN NEXT;
        END IF;
        line := format('SELECT snapback.protect(%L, %L, %s);', choice.relation, snapback_internal.likely_option(choice.relation, choice.via, option),
                       choice.arguments);
        remark := concat_ws('; ', CASE WHEN choice.choices > 1 OR choice.via IS NULL THEN choice.meaning END,
                                  CASE WHEN NOT choice.mandatory THEN 'rows where it is NULL are not captured' END);
        line := line || coalesce(' ' || snapback_internal.comment_line(nullif(remark, '')), '');
        line := CASE WHEN choice.choices > 1 THEN snapback_internal.comment_line(line) ELSE line END;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback_internal.suggested_calls(regclass[], snapback.path_step[], regclass[], text) IS
    'Return the calls that protect these tables, given the possible steps of their paths and the protected parents. Alternative paths become '
    'comments. Remarks follow the call';

CREATE FUNCTION snapback_internal.suggest_in_order(todo regclass[], option text) RETURNS TABLE (relation regclass, line text, is_call boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parents regclass[] := ARRAY(SELECT t.relation FROM snapback.protected_table t WHERE t.relation IS NOT NULL);
    named   jsonb := (SELECT jsonb_object_agg(n.relation::oid, n.names)
                      FROM (SELECT n.relation, array_agg(n.column_name) AS names FROM snapback_internal.named_columns() n GROUP BY 1) n);
    steps   snapback.path_step[] := ARRAY(SELECT s FROM snapback_internal.path_steps(todo, named) s);
    ready   regclass[];
BEGIN
    LOOP
        ready := ARRAY(SELECT DISTINCT b.relation FROM snapback_internal.best_steps(steps, parents) b WHERE b.own OR b.mandatory);
        -- Use a nullable step only if no better one exists.
        IF ready = '{}' THEN
            ready := ARRAY(SELECT b.relation FROM snapback_internal.best_steps(steps, parents) b ORDER BY b.relation::text COLLATE "C" LIMIT 1);
        END IF;
        EXIT WHEN ready = '{}';
        RETURN QUERY SELECT c.* FROM snapback_internal.suggested_calls(ready, steps, parents, option) c;
        parents := parents || ready;
        steps := ARRAY(SELECT s FROM unnest(steps) s WHERE s.relation <> ALL (ready));
        todo := ARRAY(SELECT r FROM unnest(todo) r WHERE r <> ALL (ready));
    END LOOP;
    RETURN QUERY SELECT t, snapback_internal.comment_line(format('%s: no path to a community is known; specify community_column or via', t)), false FROM unnest(todo) t;
END $$;
COMMENT ON FUNCTION snapback_internal.suggest_in_order(regclass[], text) IS
    'Return the calls that protect these tables, parents before the children whose paths lead through them. is_call is false for a comment that '
    'explains why there is no call';

CREATE FUNCTION snapback_internal.suggestions(option text) RETURNS TABLE (relation regclass, line text, is_call boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    unprotected regclass[] := ARRAY(SELECT u.relation FROM snapback_internal.unprotected_tables() u);
    refused     regclass[] := ARRAY(SELECT u FROM unnest(unprotected) u WHERE (snapback_internal.table_refusal(u)).problem IS NOT NULL);
    own         regclass[] := ARRAY(SELECT u FROM unnest(unprotected) u WHERE snapback_internal.is_in_community_schema(u));
BEGIN
    RETURN QUERY SELECT u, snapback_internal.comment_line(format('%s cannot be protected: %s', u, (snapback_internal.table_refusal(u)).problem)), false
                 FROM unnest(refused) u ORDER BY u::text COLLATE "C";
    -- One call protects the tables of the same name in the schemas of all communities.
    RETURN QUERY SELECT u, CASE WHEN u = first_value(u) OVER alike
                                THEN format('SELECT snapback.protect(%L, %L);', u, snapback_internal.likely_option(u, NULL, suggestions.option)) END, true
                 FROM unnest(own) u JOIN pg_class c ON c.oid = u
                 WHERE u <> ALL (refused)
                 WINDOW alike AS (PARTITION BY c.relname ORDER BY u::text COLLATE "C")
                 ORDER BY c.relname, u::text COLLATE "C";
    RETURN QUERY SELECT s.* FROM snapback_internal.suggest_in_order(ARRAY(
                     SELECT u FROM unnest(unprotected) u WHERE u <> ALL (refused) AND u <> ALL (own)), suggestions.option) s;
END $$;
COMMENT ON FUNCTION snapback_internal.suggestions(text) IS
    'Return the lines of suggest() and the table of each. is_call: the line protects the table, or is one of several calls to choose from. line is '
    'NULL if the call for another table also protects this one';

CREATE FUNCTION snapback.suggest(option text DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lines text[];
BEGIN
    IF NOT EXISTS (SELECT FROM snapback.directory) THEN
        RETURN NEXT snapback_internal.comment_line('no directory of communities is set: call snapback.set_directory() first');
        RETURN;
    END IF;
    PERFORM snapback_internal.refuse('SB001', format('option "%s" does not exist', suggest.option), 'Call snapback.add_option() first.')
    WHERE suggest.option IS NOT NULL AND NOT EXISTS (SELECT FROM snapback.option o WHERE o.option = suggest.option);
    lines := ARRAY(SELECT s.line FROM snapback_internal.suggestions(suggest.option) s WHERE s.line IS NOT NULL);
    IF EXISTS (SELECT FROM unnest(lines) l WHERE l LIKE '%, ''<option>''%') THEN
        RETURN NEXT snapback_internal.comment_line(coalesce(
            (SELECT format('replace <option>, or print the calls for one option: SELECT snapback.suggest(%L)', o.option)
             FROM snapback.option o JOIN snapback.category c ON c.category = o.category ORDER BY c.position, o.position LIMIT 1),
            'no options exist yet: call snapback.add_option() first'));
    END IF;
    RETURN QUERY SELECT l FROM unnest(lines) l;
END $$;
COMMENT ON FUNCTION snapback.suggest(text) IS
    'Return the missing calls of snapback.protect(), one per row, in an executable order. option: the option for all calls; by default, the option '
    'with the name of the table, that of its parent, or the only one; otherwise the placeholder <option>. Alternative paths and tables that cannot '
    'be protected become comments. Errors: SB001 no such option';
