-- Errors between PostgreSQL and C++.
\getenv folder PG_LIBDIR
\set module :folder '/boundary_test'
CREATE FUNCTION fail(way text) RETURNS text AS :'module', 'boundary_fail' LANGUAGE c STRICT;
CREATE FUNCTION attempt(statement text) RETURNS text AS :'module', 'boundary_attempt' LANGUAGE c STRICT;
CREATE FUNCTION attempt(statement text, expected text) RETURNS text AS :'module', 'boundary_attempt_but_for' LANGUAGE c STRICT;
CREATE FUNCTION try_out(statement text) RETURNS text AS :'module', 'boundary_try_out' LANGUAGE c STRICT;
CREATE FUNCTION destructor_fails() RETURNS text AS :'module', 'boundary_destructor_fails' LANGUAGE c;
CREATE FUNCTION alive() RETURNS integer AS :'module', 'boundary_alive' LANGUAGE c;
CREATE FUNCTION ways() RETURNS text AS :'module', 'boundary_ways' LANGUAGE c;
-- The names of source files are read when an error is logged, long after it was raised.
SET log_error_verbosity = verbose;
\set SHOW_CONTEXT never
SELECT pg_backend_pid() AS session \gset

-- An error inside a call keeps its SQLSTATE and all other fields.
CREATE FUNCTION describe(way text) RETURNS TABLE (item text, value text) LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text; context text;
    in_schema text; in_table text; in_column text; of_constraint text; of_type text;
BEGIN
    PERFORM fail(way);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT, in_schema = SCHEMA_NAME, in_table = TABLE_NAME, in_column = COLUMN_NAME,
        of_constraint = CONSTRAINT_NAME, of_type = PG_DATATYPE_NAME, context = PG_EXCEPTION_CONTEXT;
    RETURN QUERY
        SELECT * FROM (VALUES ('state', state), ('message', message), ('detail', detail), ('hint', hint), ('schema', in_schema),
            ('table', in_table), ('column', in_column), ('constraint', of_constraint), ('type', of_type), ('context', context)) v
        WHERE column2 <> '';
END $$;
\pset format unaligned
\pset tuples_only on
SELECT * FROM describe('postgres');
SELECT * FROM describe('rethrown');
SELECT * FROM describe('undone and raised again');
SELECT * FROM describe('postgres below us');

-- An exception becomes an ERROR: an Error with its SQLSTATE, a standard exception as an internal error.
SELECT way, string_agg(item || '=' || value, '; ') FILTER (WHERE item <> 'context')
FROM unnest(string_to_array(ways(), ',')) WITH ORDINALITY w(way, n), describe(way)
WHERE way !~ '^postgres|unguarded|cancel|rethrown|again' GROUP BY way, n ORDER BY n;

-- Context lines are those of the existing frames.
SELECT value FROM describe('state changed') WHERE item = 'context';

-- A canceled query ends like any other.
SELECT fail('cancel');
\echo :SQLSTATE
SELECT fail('explained cancel');
\echo :SQLSTATE

-- An error without a subtransaction ends the statement; the session continues.
SELECT fail('postgres');
\echo :SQLSTATE
SELECT fail('two levels below us');
\echo :SQLSTATE
SELECT fail('bad_alloc');
\echo :SQLSTATE
SELECT pg_backend_pid() = :session AS same_session;

-- A destructor that fails in PostgreSQL code has no effect.
SELECT destructor_fails();

-- A subtransaction rolls back the failed part and keeps what was before and after it.
CREATE TABLE kept (n integer PRIMARY KEY);
BEGIN;
SELECT attempt('INSERT INTO kept VALUES (1)');
SELECT attempt('INSERT INTO kept VALUES (2); SELECT fail(''error'')');
SELECT attempt('INSERT INTO kept VALUES (3), (1)');
SELECT attempt('SELECT attempt(''INSERT INTO kept VALUES (1)''); INSERT INTO kept VALUES (4)');
SELECT attempt('SELECT fail(''destructor fails meanwhile'')');
SELECT try_out('INSERT INTO kept VALUES (5)');
SELECT try_out('INSERT INTO kept VALUES (1)');
COMMIT;
SELECT array_agg(n ORDER BY n) FROM kept;

-- A subtransaction does not catch errors that must end the transaction.
SELECT attempt('SELECT fail(''cancel'')');
\echo :SQLSTATE
CREATE FUNCTION raise(state text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = state; END $$;
SELECT attempt(format('SELECT raise(%L)', state)) FROM unnest('{22000,23514,42883,54001,55P03,XX001,P0001,SB009}'::text[]) state;
CREATE FUNCTION goes_on(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'was survived';
EXCEPTION WHEN query_canceled OR OTHERS THEN
    RETURN 'went on as ' || SQLSTATE;
END $$;
SELECT state, ended FROM unnest('{40001,40P01,53100,53200,57014,57P01,58030}'::text[]) state,
    LATERAL (SELECT goes_on(format('SELECT attempt(%L)', format('SELECT raise(%L)', state))) AS ended) e;

-- If one SQLSTATE is expected, only that error is caught.
SELECT expected, ended FROM unnest('{53200,22000}'::text[]) expected,
    LATERAL (SELECT goes_on(format('SELECT attempt(%L, %L)', 'SELECT raise(''53200'')', expected)) AS ended) e;

-- Every destructor ran.
SELECT alive() AS left_behind;

-- 10,000 errors in one session leak no objects and no memory, neither of PostgreSQL nor of the process.
CREATE PROCEDURE fail_often(times integer, which text[]) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. times LOOP
        BEGIN
            PERFORM fail(which[1 + i % cardinality(which)]);
            ASSERT false, 'nothing failed';
        EXCEPTION WHEN query_canceled OR OTHERS THEN
            NULL;
        END;
    END LOOP;
END $$;
SELECT array_remove(string_to_array(ways(), ','), 'unguarded') AS guarded \gset
CREATE VIEW memory AS
SELECT (SELECT sum(total_bytes) FROM pg_backend_memory_contexts) AS in_contexts,
       split_part(pg_read_file('/proc/self/statm'), ' ', 2)::bigint * 4096 AS in_process;
CALL fail_often(1700, :'guarded');
SELECT * FROM memory \gset before_
CALL fail_often(10000, :'guarded');
SELECT * FROM memory \gset after_
SELECT
    :after_in_contexts - :before_in_contexts < 64 * 1024 AS contexts_kept,
    :after_in_process - :before_in_process < 1024 * 1024 AS process_kept,
    alive() AS left_behind;

-- The same measurement detects leaks of errors that skip destructors.
CALL fail_often(100, '{unguarded}');
SELECT in_process - :after_in_process > 8 * 1024 * 1024 AS leak_seen, alive() AS left_behind FROM memory;
