\echo Use "CREATE EXTENSION snapback_test" to load this file. \quit
-- A restore calls these in C++. Tests call them alone, to see what other sessions can do between them.

CREATE SCHEMA snapback_test;

CREATE FUNCTION snapback_test.lock_for_restore(community text) RETURNS void
    LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS '$libdir/pg_snapback', 'snapback_lock_for_restore';
COMMENT ON FUNCTION snapback_test.lock_for_restore(text) IS
    'Exclude all writers of the community until the transaction ends. Wait for at most snapback.lock_timeout. Errors: 55P03 with the blockers, 25001 above READ COMMITTED';

CREATE FUNCTION snapback_test.advance_restore_epoch(community text) RETURNS void
    LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS '$libdir/pg_snapback', 'snapback_advance_restore_epoch';
COMMENT ON FUNCTION snapback_test.advance_restore_epoch(text) IS
    'Record that this transaction restores the community, so that transactions with data from before the restore cannot write to it. '
    'The transaction can no longer be prepared (0A000). Errors: 53200 shared memory has no space for the list of running transactions';
