-- Statements in another database, executed by a background worker.
\set SHOW_CONTEXT never
SELECT snapback_internal.run_in_database('postgres', 'SELECT concat_ws('' '', current_database(), current_user, current_setting(''search_path''))')
    = 'postgres ' || current_user || ' pg_catalog, pg_temp' AS as_current_user;
SELECT snapback_internal.run_in_database('postgres', 'SELECT NULL') IS NULL AS no_value;
SELECT snapback_internal.run_in_database('postgres', 'SELECT 1 WHERE false') IS NULL AS no_row;
SELECT snapback_internal.run_in_database('postgres', 'DO $$BEGIN END$$') IS NULL AS no_result;
-- They commit there, independent of this transaction.
BEGIN;
SELECT snapback_internal.run_in_database('postgres', 'CREATE TABLE public.snapback_was_here ()');
ROLLBACK;
SELECT snapback_internal.run_in_database('postgres', 'SELECT count(*) FROM pg_class WHERE relname = ''snapback_was_here''');
SELECT snapback_internal.run_in_database('postgres', 'DROP TABLE public.snapback_was_here');
-- Their errors are reported here.
SELECT snapback_internal.run_in_database('postgres', $$DO 'BEGIN RAISE ''no'' USING ERRCODE = ''SB001'', DETAIL = ''why'', HINT = ''what to do''; END'$$);
\echo :SQLSTATE
SELECT snapback_internal.run_in_database('postgres', 'SELECT 1/0');
\echo :SQLSTATE
SELECT snapback_internal.run_in_database('postgres', 'SELECT repeat(''x'', 2048)');
\echo :SQLSTATE
SELECT length(snapback_internal.run_in_database('postgres', 'SELECT repeat(''x'', 2047)'));
-- A long message is cut between characters.
DO $$BEGIN
    PERFORM snapback_internal.run_in_database('postgres', $do$DO 'BEGIN RAISE ''%'', ''x'' || repeat(chr(228), 5000); END'$do$);
EXCEPTION WHEN raise_exception THEN
    RAISE NOTICE 'cut after % characters', length(SQLERRM);
END$$;
-- A database that cannot be reached.
SELECT snapback_internal.run_in_database('no such database', 'SELECT 1');
\echo :SQLSTATE
SELECT snapback_internal.run_in_database('template0', 'SELECT 1');
\echo :SQLSTATE
-- Only superusers may use it.
CREATE ROLE other_database_user;
GRANT USAGE ON SCHEMA snapback_internal TO other_database_user;
GRANT EXECUTE ON FUNCTION snapback_internal.run_in_database(name, text) TO other_database_user;
SET ROLE other_database_user;
SELECT snapback_internal.run_in_database('postgres', 'SELECT 1');
\echo :SQLSTATE
RESET ROLE;
-- Canceling the caller ends the worker.
SET statement_timeout = '200ms';
SELECT snapback_internal.run_in_database('postgres', 'SELECT pg_sleep(60)');
\echo :SQLSTATE
RESET statement_timeout;
DO $$BEGIN
    FOR i IN 1 .. 100 LOOP
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'pg_snapback statement');
        PERFORM pg_sleep(0.1);
    END LOOP;
END$$;
SELECT count(*) AS workers_left FROM pg_stat_activity WHERE backend_type = 'pg_snapback statement';
REVOKE ALL ON FUNCTION snapback_internal.run_in_database(name, text) FROM other_database_user;
REVOKE ALL ON SCHEMA snapback_internal FROM other_database_user;
DROP ROLE other_database_user;
