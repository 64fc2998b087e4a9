-- Finds expressions that a restore could not evaluate.

CREATE FUNCTION snapback_internal.untriable_expressions(relation regclass) RETURNS TABLE (problem text, hint text)
LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_untriable_expressions';
COMMENT ON FUNCTION snapback_internal.untriable_expressions(regclass) IS
    'Return the CHECK constraints, domain constraints, generated columns and index expressions of a table that a restore cannot evaluate: they fail '
    'with an error about names (42P01, 42883, 42704, 42703, 3F000) when run as the table''s owner with the search_path pg_catalog, pg_temp. Only one '
    'row is returned if the table itself cannot be read, because PostgreSQL parses the functions of its indexes. Tries expressions that call '
    'user-defined functions on up to 20 rows and on a row of NULLs, in a read-only subtransaction that is rolled back. Errors: 42704 no such '
    'relation';

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
COMMENT ON FUNCTION snapback_internal.tell_of_expressions(regclass) IS 'Raise a NOTICE for each expression of a table that a restore cannot evaluate';
