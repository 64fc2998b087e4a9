-- The sessions that a restore waits for, apart from the writers of the community.

CREATE FUNCTION snapback_internal.blockers(waited interval) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE protected AS MATERIALIZED (
        SELECT p.relation::oid FROM snapback_internal.protected_relations() p WHERE p.relation IS NOT NULL),
    touched AS (
        (SELECT p.relation FROM protected p
         UNION
         SELECT c.confrelid FROM pg_constraint c JOIN protected p ON p.relation = c.conrelid WHERE c.contype = 'f'
         UNION
         SELECT c.conrelid FROM pg_constraint c JOIN protected p ON p.relation = c.confrelid WHERE c.contype = 'f'
         UNION
         SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'snapback'::regnamespace AND c.relkind = 'r')
        UNION
        SELECT i.inhrelid FROM touched t JOIN pg_inherits i ON i.inhparent = t.relation),
    held AS (
        SELECT l.pid, l.virtualtransaction AS by,
               CASE l.locktype WHEN 'relation' THEN l.relation::regclass::text ELSE 'the snapshot store' END AS what
        FROM pg_locks l
        WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
          AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          -- Readers and VACUUM block no restore. The class of the store's lock is LockSpace::store.
          AND (l.locktype = 'relation' AND l.mode NOT IN ('AccessShareLock', 'ShareUpdateExclusiveLock')
                   AND l.relation IN (SELECT t.relation FROM touched t)
               OR l.locktype = 'advisory' AND l.objsubid = x'5b01'::integer AND l.mode = 'ExclusiveLock'))
    SELECT string_agg(b.who, ', ' ORDER BY b.who)
    FROM (SELECT format('%s (%s)', coalesce('process ' || h.pid, 'prepared transaction ' || quote_literal(p.gid)),
                        string_agg(DISTINCT h.what, ', ')) AS who
          FROM held h
          LEFT JOIN pg_stat_activity a ON a.pid = h.pid
          LEFT JOIN pg_locks x ON h.pid IS NULL AND x.pid IS NULL AND x.virtualtransaction = h.by AND x.locktype = 'transactionid'
          LEFT JOIN pg_prepared_xacts p ON p.transaction = x.transactionid
          WHERE a.xact_start <= clock_timestamp() - waited OR p.prepared <= clock_timestamp() - waited
          GROUP BY h.pid, p.gid) b
$$;
COMMENT ON FUNCTION snapback_internal.blockers(interval) IS
    'Return the sessions and prepared transactions that may have blocked a restore for this time: they hold conflicting locks on the tables named. Return '
    'NULL if none is left. Internal.';
