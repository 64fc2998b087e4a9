-- What cannot be evaluated during a restore, found out before one is needed.

CREATE FUNCTION snapback_internal.untriable_expressions(relation regclass) RETURNS TABLE (problem text, hint text)
LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_untriable_expressions';
COMMENT ON FUNCTION snapback_internal.untriable_expressions(regclass) IS
    'The CHECK constraints, domain checks, generated columns and index expressions of a table that raise an error about names (42P01, '
    '42883, 42704, 42703, 3F000) when they are evaluated as a restore does: as the table''s owner, with the search_path pg_catalog, pg_temp. '
    'Where the table cannot even be read so, because PostgreSQL parses the functions of its indexes for that, this is the only row. '
    'Tries those that call functions of users, on up to 20 rows and on a row of NULLs, in a read-only subtransaction that is rolled back. '
    '42704 where there is no such relation. Internal.';

CREATE FUNCTION snapback_internal.tell_of_expressions(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT * FROM snapback_internal.untriable_expressions(relation) LOOP
        RAISE NOTICE USING MESSAGE = format('%s: %s', relation, found.problem), HINT = found.hint;
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback_internal.tell_of_expressions(regclass) IS
    'A NOTICE for each expression of a table that cannot be evaluated during a restore. Internal.';
