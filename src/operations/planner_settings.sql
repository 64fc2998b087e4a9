-- Sets fixed planner settings for the extension's queries. The settings of a session may suit other queries: with nested
-- loops off, a capture took 70 times as long. Only functions that users and workers call directly have these SET clauses,
-- and functions that procedures call: a procedure that commits cannot have SET clauses. The write guard has none because
-- it runs for every row.
-- Settings that describe the machine (random_page_cost, work_mem, ...) are not changed.

DO $$
DECLARE
    name     text;
    entry    regprocedure;
    settings CONSTANT text := (
        SELECT string_agg(format('SET %I = %L', s.name, s.value), ' ')
        FROM (VALUES ('jit', 'off'),
                     ('max_parallel_workers_per_gather', '0'),
                     ('plan_cache_mode', 'auto'),
                     ('constraint_exclusion', 'partition'),
                     ('from_collapse_limit', '8'),
                     ('join_collapse_limit', '8'),
                     ('geqo', 'on'),
                     ('geqo_threshold', '12'),
                     ('enable_partitionwise_aggregate', 'off'),
                     ('enable_partitionwise_join', 'off'),
                     ('enable_bitmapscan', 'on'),
                     ('enable_hashagg', 'on'),
                     ('enable_hashjoin', 'on'),
                     ('enable_incremental_sort', 'on'),
                     ('enable_indexonlyscan', 'on'),
                     ('enable_indexscan', 'on'),
                     ('enable_material', 'on'),
                     ('enable_memoize', 'on'),
                     ('enable_mergejoin', 'on'),
                     ('enable_nestloop', 'on'),
                     ('enable_partition_pruning', 'on'),
                     ('enable_seqscan', 'on'),
                     ('enable_sort', 'on'),
                     ('enable_tidscan', 'on')) s(name, value));
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'set_directory', 'protect', 'unprotect', 'exclude', 'unexclude', 'suggest', 'install_guards', 'check_protection', 'note_renamed_columns', 'health',
        'communities', 'capture', 'capture_some', 'list_snapshots', 'snapshot_contents', 'snapshot_rows', 'schema_changes',
        'verify', 'expire', 'expired_snapshots', 'delete_snapshots', 'prune', 'forget', 'erase_rows',
        'preview_restore', 'diff_rows', 'restore', 'undo_restore', 'execute_requested_restore', 'note_restore_failure', 'own_restore_activity',
        'request_restore', 'describe_request', 'approve_restore', 'cancel_request', 'process_queue',
        'claim_mail', 'request_contents', 'request_side_effects', 'restored_parts', 'plan_changes', 'note_mail_sent', 'note_mail_failure',
        'next_mail_in', 'reclaim_mail']
    LOOP
        FOR entry IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace IN ('snapback'::regnamespace, 'snapback_internal'::regnamespace) AND p.proname = name LOOP
            EXECUTE format('ALTER FUNCTION %s %s', entry, settings);
        END LOOP;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'function % of the extension does not exist', name;
        END IF;
    END LOOP;
END
$$;
