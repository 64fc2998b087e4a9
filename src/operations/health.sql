-- Health checks for monitoring.

CREATE FUNCTION snapback_internal.health_of_unprotected() RETURNS TABLE (concern text, subject text, problem text, hint text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM snapback.protection p WHERE p.status = 'unprotected') THEN
        RETURN; -- the query below reads every foreign key
    END IF;
    RETURN QUERY
    SELECT 'unprotected', snapback_internal.qualified_name(s.relation), 'belongs to communities, but ' || coalesce('cannot be protected: ' || r.problem, 'no option covers it'),
           CASE WHEN r.problem IS NOT NULL THEN format('%s Or exclude the table: SELECT snapback.exclude(%L, reason).', r.hint, s.relation)
                WHEN NOT bool_or(s.is_call) THEN 'no path to a community is known: call snapback.protect() with community_column or via'
                WHEN count(*) > 1 THEN 'snapback.suggest() prints calls to choose from'
                ELSE 'snapback.suggest() prints the call' END
    FROM snapback_internal.suggestions(NULL) s CROSS JOIN LATERAL snapback_internal.table_refusal(s.relation) r
    GROUP BY s.relation, r.problem, r.hint
    ORDER BY s.relation::text COLLATE "C";
END
$$;
COMMENT ON FUNCTION snapback_internal.health_of_unprotected() IS 'Return the rows of health() for tables under no option: the reason and the remedy';

CREATE FUNCTION snapback_internal.health_of_communities() RETURNS TABLE (concern text, subject text, problem text, hint text)
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'guard', p.relation, 'status: ' || p.status, coalesce(p.problem, 'see the view snapback.protection')
    FROM snapback.protection p WHERE p.status NOT IN ('protected', 'unprotected', 'excluded')
    UNION ALL
    SELECT 'schema', e.evtname, 'this event trigger of the extension does not fire',
           format('run ALTER EVENT TRIGGER %I ENABLE; until then %s', e.evtname,
                  CASE e.evtname WHEN 'snapback_note_renamed_columns' THEN 'renamed columns and enum labels are detected only at the next capture'
                                 ELSE 'new partitions are not guarded against TRUNCATE: run SELECT snapback.install_guards()' END)
    FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid
    WHERE p.pronamespace = 'snapback_internal'::regnamespace AND e.evtenabled NOT IN ('O', 'A')
    UNION ALL
    SELECT * FROM snapback_internal.health_of_unprotected()
    UNION ALL
    SELECT 'option', o.option, 'covers no table',
           format('add a table with snapback.protect(), or run SELECT snapback.remove_option(%L)', o.option)
    FROM snapback.option o WHERE NOT EXISTS (SELECT FROM snapback.coverage v WHERE v.option = o.option)
    UNION ALL
    SELECT 'outside', o.relation::text, format('rows where %I is NULL belong to no community and are not captured: about %s', o.column_name, o.estimate),
           'assign them to a community and declare the column NOT NULL, or protect the table by another path'
    FROM snapback_internal.rows_outside() o
    UNION ALL
    SELECT 'constraint', r.relation::text, e.problem, e.hint
    FROM snapback.protected_table t
    CROSS JOIN LATERAL (SELECT r.relation FROM snapback_internal.relations_of(t.id) r JOIN pg_class c ON c.oid = r.relation
                        ORDER BY r.relation LIMIT 1) r
    CROSS JOIN LATERAL snapback_internal.untriable_expressions(r.relation) e
    UNION ALL
    SELECT 'difference', d.community, format('%s rows of %s differed from the captured changes on %s', d.rows, d.relation, d.captured_at),
           'The community was read in full then. Do not use its earlier snapshots, back to the check before; report the fault.'
    FROM snapback.capture_difference d
    UNION ALL
    SELECT 'capture', c, CASE WHEN s.newest IS NULL THEN 'never captured' ELSE format('last captured %s ago', clock_timestamp() - s.newest) END,
           'run CALL snapback.capture_all(), and check the jobs of snapback.schedule()'
    FROM snapback.communities() AS c
    CROSS JOIN LATERAL (SELECT max(n.captured_at) AS newest FROM snapback.snapshot n WHERE n.community = c AND n.kind <> 'before_restore'
                          AND n.id NOT IN (SELECT d.id FROM snapback_internal.disowned_snapshots() d)) s
    WHERE s.newest IS NULL OR s.newest < clock_timestamp() - interval '26 hours'
$$;
COMMENT ON FUNCTION snapback_internal.health_of_communities() IS
    'Return the rows of health() for tables and communities. Fails if the directory cannot be read';

CREATE FUNCTION snapback_internal.quotes_no_row(sqlstate text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
RETURN left(sqlstate, 2) IN ('08', '25', '28', '40', '42', '53', '54', '55', '57', '58', 'XX');
COMMENT ON FUNCTION snapback_internal.quotes_no_row(text) IS
    'Return whether messages of this SQLSTATE never quote rows because they are about privileges, objects and resources. Other messages may, '
    'including those of user-defined functions';

CREATE FUNCTION snapback_internal.directory_problem(quote_rows boolean) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM snapback_internal.directory_entries();
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN CASE WHEN quote_rows OR snapback_internal.quotes_no_row(SQLSTATE) THEN SQLERRM ELSE 'the directory cannot be read: SQLSTATE ' || SQLSTATE END;
END
$$;
COMMENT ON FUNCTION snapback_internal.directory_problem(boolean) IS
    'Return the error of reading the directory; NULL if it can be read. quote_rows: whether to return messages that may quote rows';

CREATE FUNCTION snapback_internal.settings_against_jobs() RETURNS TABLE (subject text, assignment text, undoing text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT concat_ws(', ', 'database ' || d.datname, CASE WHEN s.setrole <> 0 THEN 'role ' || r.rolname WHEN d.oid IS NULL THEN 'all roles' END),
           a.name || ' = ' || a.value,
           concat_ws(' ', 'ALTER ROLE', coalesce(quote_ident(r.rolname), 'ALL'), 'IN DATABASE ' || quote_ident(d.datname), 'RESET', a.name)
    FROM pg_db_role_setting s
    LEFT JOIN pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase
    CROSS JOIN unnest(s.setconfig) AS c (assignment)
    CROSS JOIN LATERAL (SELECT split_part(c.assignment, '=', 1), substr(c.assignment, strpos(c.assignment, '=') + 1)) AS a (name, value)
    WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) AND (s.setrole = 0 OR r.rolsuper)
      AND CASE a.name WHEN 'role' THEN NOT EXISTS (SELECT FROM pg_roles u WHERE u.rolname = a.value AND u.rolsuper) AND a.value <> 'none'
                      WHEN 'default_transaction_read_only' THEN a.value::boolean
                      ELSE false END
$$;
COMMENT ON FUNCTION snapback_internal.settings_against_jobs() IS
    'Return settings of this database or of superusers that prevent the pg_cron jobs from working, and the statement that resets each. Workers of '
    'the extension are not affected: they use the settings of the server';

CREATE FUNCTION snapback_internal.health_of_ownership() RETURNS TABLE (concern text, subject text, problem text, hint text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'disowned', d.community,
           CASE WHEN count(*) = 1 THEN '1 snapshot ' ELSE format('%s snapshots ', count(*)) END
           || CASE WHEN d.is_listed IS NOT TRUE THEN 'of a community that is not in the directory'
                   WHEN count(d.noticed_at) = 0 THEN 'whose identity differs from that in the directory'
                   ELSE 'of an earlier community with this key' END
           || coalesce(' (noticed at ' || min(d.noticed_at) || ')', ''),
           format('to delete them, run SELECT snapback.forget(%L%s); if it is the same community, %srun SELECT snapback.adopt_snapshots(%L)', d.community,
                  CASE WHEN d.is_listed THEN ', former_only => true' END, CASE WHEN d.is_listed IS NOT TRUE THEN 'add it to the directory again and ' END, d.community)
    FROM snapback_internal.disowned_snapshots() d GROUP BY d.community, d.is_listed
$$;
COMMENT ON FUNCTION snapback_internal.health_of_ownership() IS 'Return the rows of health() for snapshots that belong to no community';

CREATE FUNCTION snapback_internal.health_checks(quote_rows boolean) RETURNS TABLE (concern text, subject text, problem text, hint text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unreadable text := snapback_internal.directory_problem(quote_rows);
    stuck constant text := 'run SELECT snapback.process_queue(); if that does not help, check max_worker_processes, the jobs of snapback.schedule() and the server log';
BEGIN
    PERFORM snapback_internal.note_departures();
    IF unreadable IS NOT NULL THEN
        RETURN QUERY SELECT 'directory', coalesce((SELECT d.relation::text FROM snapback.directory d), 'none'), unreadable,
                            'restores are rejected and captures may fail; correct the directory, then call snapback.set_directory()';
    END IF;
    BEGIN
        RETURN QUERY SELECT * FROM snapback_internal.health_of_communities();
    EXCEPTION WHEN OTHERS THEN
        IF unreadable IS NULL THEN
            RAISE;
        END IF;
    END;
    RETURN QUERY SELECT * FROM snapback_internal.health_of_ownership();
    RETURN QUERY
    SELECT 'capture', f.community, format('capture failed at %s: %s', f.failed_at, CASE WHEN shown THEN f.message ELSE 'SQLSTATE ' || f.sqlstate END),
           CASE WHEN shown THEN concat_ws(' ', f.hint, '(SQLSTATE ' || f.sqlstate || ')') ELSE 'see the table snapback.capture_failure' END
    FROM snapback.capture_failure f CROSS JOIN LATERAL (SELECT quote_rows OR snapback_internal.quotes_no_row(f.sqlstate)) s (shown)
    WHERE NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.community = f.community AND s.captured_at > f.failed_at)
    UNION ALL
    SELECT 'expiry', s.community, format('snapshot %s has expired but was not deleted', s.id), 'run CALL snapback.expire_all()'
    FROM snapback.snapshot s WHERE s.captured_at + snapback_internal.retention() < clock_timestamp() - interval '2 hours'
    UNION ALL
    SELECT 'expiry', 'snapback.audit', format('expired audit records were not deleted: %s', count(*)), 'run CALL snapback.expire_all()'
    FROM snapback.audit a CROSS JOIN snapback_internal.approval_settings() s
    WHERE s.audit_retention > interval '0' AND a.at < clock_timestamp() - s.audit_retention - interval '2 hours'
    HAVING count(*) > 0
    UNION ALL
    SELECT 'mail', m.id::text, 'could not be sent: ' || CASE WHEN quote_rows THEN coalesce(m.last_error, 'unknown reason') ELSE 'see the table snapback.mail' END,
           'check the settings snapback.smtp_*'
    FROM snapback.mail m WHERE m.state = 'failed' OR (m.state = 'queued' AND m.attempts > 0)
    UNION ALL
    -- The longest delay between two attempts is 19 minutes. An attempt takes at most ten minutes.
    SELECT 'mail', m.id::text, format('was due at %s but has not been attempted', m.next_try_at), stuck
    FROM snapback.mail m
    WHERE m.state = 'queued' AND m.next_try_at NOT BETWEEN clock_timestamp() - interval '5 minutes' AND clock_timestamp() + interval '20 minutes'
    UNION ALL
    SELECT 'mail', m.id::text, format('has been in state sending since %s', m.claimed_at), stuck
    FROM snapback.mail m WHERE m.state = 'sending' AND m.claimed_at < clock_timestamp() - interval '15 minutes'
    UNION ALL
    SELECT 'restore', r.id::text, format('has been waiting for a worker since %s', r.requested_at), stuck
    FROM snapback.restore_run r WHERE r.state = 'queued' AND r.requested_at < clock_timestamp() - interval '5 minutes'
    UNION ALL
    SELECT 'restore', r.id::text, 'its worker exited without recording a result', stuck
    FROM snapback.restore_run r
    WHERE r.state = 'running' AND r.started_at < clock_timestamp() - interval '5 minutes' AND snapback_internal.restore_is_abandoned(r.id)
    UNION ALL
    SELECT 'settings', s.subject, s.assignment || ' prevents the scheduled jobs from working', 'run ' || s.undoing
    FROM snapback_internal.settings_against_jobs() s
    UNION ALL
    SELECT 'restore', r.id::text,
           format('%s: %s', r.state, CASE WHEN quote_rows OR snapback_internal.quotes_no_row(r.sqlstate) THEN r.message ELSE 'SQLSTATE ' || coalesce(r.sqlstate, 'unknown') END), 'the owner may approve again until the request expires'
    FROM snapback.restore_run r WHERE r.state IN ('failed', 'interrupted') AND r.sqlstate IS DISTINCT FROM 'SB011'
                                 AND r.ended_at > clock_timestamp() - interval '1 day';
END
$$;
COMMENT ON FUNCTION snapback_internal.health_checks(boolean) IS
    'Return the rows of health(). quote_rows: whether to return messages that may quote rows or mail addresses';

CREATE FUNCTION snapback_internal.health_shown_to(reader name) RETURNS TABLE (concern text, subject text, problem text, hint text)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM snapback_internal.health_checks((SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = reader)) $$;
COMMENT ON FUNCTION snapback_internal.health_shown_to(name) IS
    'Return the rows of health() for a role. Only superusers see messages that may quote rows';

-- The body is parsed here because callers have no USAGE on the schema snapback_internal.
CREATE FUNCTION snapback.health() RETURNS TABLE (concern text, subject text, problem text, hint text)
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT h.concern, h.subject, h.problem, h.hint FROM snapback_internal.health_shown_to(current_user) h;
END;
COMMENT ON FUNCTION snapback.health() IS
    'Return one row for each problem, and none if there are no problems. Reports a directory that cannot be read, missing guards, disabled event '
    'triggers, unprotected tables, options without tables, rows that belong to no community, constraints that cannot be evaluated during a restore, '
    'communities whose newest snapshot is older than 26 hours, failed or stuck captures, mails and restores, settings that prevent scheduled jobs '
    'from working, snapshots that belong to no community, and expired data that was not deleted. Members of pg_monitor can call it; they see the '
    'SQLSTATE instead of a message that may quote a row or a mail address';
