-- Categories and options, from which an owner chooses.

CREATE FUNCTION snapback.add_category(category text, label text, description text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF add_category.category ~ '^[a-z][a-z0-9_]*$' IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('invalid category name "%s"', add_category.category),
            HINT = 'Use lower-case letters, digits and underscores, starting with a letter, for example structure.';
    END IF;
    INSERT INTO snapback.category (category, label, description)
    VALUES (add_category.category, add_category.label, add_category.description)
    ON CONFLICT (category) DO UPDATE SET label = EXCLUDED.label, description = EXCLUDED.description;
END $$;
COMMENT ON FUNCTION snapback.add_category(text, text, text) IS
    'Add a category of options, or change label and description of an existing one. Errors: 22023 invalid name';

CREATE FUNCTION snapback.add_option(option text, label text, description text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    its_category text := split_part(add_option.option, '.', 1);
BEGIN
    IF add_option.option ~ '^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$' IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('invalid option name "%s"', add_option.option),
            HINT = 'Use the category, a dot and a name in lower case, for example structure.departments.';
    END IF;
    IF NOT EXISTS (SELECT FROM snapback.category c WHERE c.category = its_category) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('category "%s" of option "%s" does not exist', its_category, add_option.option),
            HINT = 'Call snapback.add_category() first.';
    END IF;
    INSERT INTO snapback.option (option, label, description)
    VALUES (add_option.option, add_option.label, add_option.description)
    ON CONFLICT (option) DO UPDATE SET label = EXCLUDED.label, description = EXCLUDED.description;
END $$;
COMMENT ON FUNCTION snapback.add_option(text, text, text) IS
    'Add an option to a category, or change label and description of an existing one. Errors: 22023 invalid name, 42704 no such category';

CREATE FUNCTION snapback_internal.refuse_if_covered(options text[], what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tables text;
BEGIN
    SELECT string_agg(DISTINCT coalesce(t.relation::text, quote_ident(t.relation_name)), ', ') INTO tables
    FROM snapback.coverage c JOIN snapback.protected_table t ON t.id = c.table_id
    WHERE c.option = ANY (options);
    IF tables IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = format('cannot remove %s because it covers tables', what),
            DETAIL = format('Protected tables: %s.', tables),
            HINT = 'Call snapback.unprotect() for those tables first.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.refuse_if_covered(text[], text) IS
    'Raise 2BP01 with the list of tables if one of these options covers tables. what: the object to remove, for the message';

CREATE FUNCTION snapback.remove_option(option text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM snapback_internal.refuse_if_covered(ARRAY[remove_option.option], format('option "%s"', remove_option.option));
    DELETE FROM snapback.option o WHERE o.option = remove_option.option;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('option "%s" does not exist', remove_option.option),
            HINT = 'The table snapback.option lists the options.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback.remove_option(text) IS 'Remove an option. Errors: 42704 no such option, 2BP01 the option covers tables';

CREATE FUNCTION snapback.remove_category(category text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM snapback_internal.refuse_if_covered(
        ARRAY(SELECT o.option FROM snapback.option o WHERE o.category = remove_category.category),
        format('category "%s"', remove_category.category));
    DELETE FROM snapback.option o WHERE o.category = remove_category.category;
    DELETE FROM snapback.category c WHERE c.category = remove_category.category;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('category "%s" does not exist', remove_category.category),
            HINT = 'The table snapback.category lists the categories.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback.remove_category(text) IS
    'Remove a category and its options. Errors: 42704 no such category, 2BP01 one of its options covers tables';

CREATE FUNCTION snapback_internal.expand_options(categories text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown text;
    result  text[];
BEGIN
    SELECT string_agg(format('"%s"', coalesce(e.element, 'NULL')), ', ' ORDER BY e.place) INTO unknown
    FROM unnest(categories) WITH ORDINALITY e(element, place)
    WHERE e.element IS NULL
       OR e.element <> '*'
          AND NOT EXISTS (SELECT FROM snapback.category c WHERE c.category = e.element)
          AND NOT EXISTS (SELECT FROM snapback.option o WHERE o.option = e.element);
    IF unknown IS NULL THEN
        SELECT array_agg(o.option ORDER BY c.position, o.position) INTO result
        FROM snapback.option o JOIN snapback.category c ON c.category = o.category
        WHERE o.option = ANY (categories) OR o.category = ANY (categories) OR '*' = ANY (categories);
    END IF;
    IF result IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'SB001',
            MESSAGE = CASE WHEN unknown IS NOT NULL THEN 'option or category does not exist: ' || unknown
                           WHEN cardinality(categories) > 0 THEN 'category without options: ' || array_to_string(categories, ', ')
                           ELSE 'no option is specified' END,
            HINT = coalesce('Specify ''*'', a category or an option. Available: ' ||
                            (SELECT string_agg(n.name, ', ' ORDER BY n.category_position, n.position)
                             FROM (SELECT c.category AS name, c.position AS category_position, 0 AS position
                                   FROM snapback.category c
                                   UNION ALL
                                   SELECT o.option, c.position, o.position
                                   FROM snapback.option o JOIN snapback.category c ON c.category = o.category) n) || '.',
                            'No categories or options exist yet.');
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION snapback_internal.expand_options(text[]) IS
    'Return the options that a list of categories, options and ''*'' denotes, each once, in the order of the restore dialog. Errors: SB001 the list '
    'is empty, or an element does not exist or has no options';
