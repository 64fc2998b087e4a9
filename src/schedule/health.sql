-- What an alert would watch.

CREATE FUNCTION snapback_internal.health_of_unprotected() RETURNS TABLE (concern text, subject text, problem text, hint text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM snapback.protection p WHERE p.status = 'unprotected') THEN
        RETURN; -- what follows looks at every foreign key there is
    END IF;
    RETURN QUERY
    SELECT 'unprotected', snapback_internal.qualified_name(s.relation), 'belongs to communities, and ' || coalesce('cannot be protected: ' || r.problem, 'no option restores it'),
           CASE WHEN r.problem IS NOT NULL THEN format('%s Or leave the table out on purpose: SELECT snapback.exclude(%L, reason).', r.hint, s.relation)
                WHEN NOT bool_or(s.is_call) THEN 'no path to a community is known: call snapback.protect() with community_column or via'
                WHEN count(*) > 1 THEN 'snapback.suggest() prints calls to choose from'
                ELSE 'snapback.suggest() prints the call' END
    FROM snapback_internal.suggestions(NULL) s CROSS JOIN LATERAL snapback_internal.table_refusal(s.relation) r
    GROUP BY s.relation, r.problem, r.hint
    ORDER BY s.relation::text COLLATE "C";
END
$$;
COMMENT ON FUNCTION snapback_internal.health_of_unprotected() IS 'What health() says of tables that stand under no option: why, and what can be done. Internal.';

CREATE FUNCTION snapback_internal.health_of_communities() RETURNS TABLE (concern text, subject text, problem text, hint text)
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'guard', p.relation, 'status: ' || p.status, coalesce(p.problem, 'see the view snapback.protection')
    FROM snapback.protection p WHERE p.status NOT IN ('protected', 'unprotected', 'excluded')
    UNION ALL
    SELECT 'schema', e.evtname, 'this event trigger of the extension does not fire',
           format('run ALTER EVENT TRIGGER %I ENABLE; until then %s', e.evtname,
                  CASE e.evtname WHEN 'snapback_note_renamed_columns' THEN 'renamed columns and enum labels are noticed at the next capture only'
                                 ELSE 'new partitions are not guarded against TRUNCATE: run SELECT snapback.install_guards()' END)
    FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid
    WHERE p.pronamespace = 'snapback_internal'::regnamespace AND e.evtenabled NOT IN ('O', 'A')
    UNION ALL
    SELECT * FROM snapback_internal.health_of_unprotected()
    UNION ALL
    SELECT 'option', o.option, 'covers no table, so nothing can be restored by it',
           format('put a table under it with SELECT snapback.protect(), or run SELECT snapback.remove_option(%L)', o.option)
    FROM snapback.option o WHERE NOT EXISTS (SELECT FROM snapback.coverage v WHERE v.option = o.option)
    UNION ALL
    SELECT 'outside', o.relation::text, format('rows with NULL in %I belong to no community, and are not kept: about %s', o.column_name, o.estimate),
           'give them a community and declare the column NOT NULL, or protect the table by another path'
    FROM snapback_internal.rows_outside() o
    UNION ALL
    SELECT 'constraint', r.relation::text, e.problem, e.hint
    FROM snapback.protected_table t
    CROSS JOIN LATERAL (SELECT r.relation FROM snapback_internal.relations_of(t.id) r JOIN pg_class c ON c.oid = r.relation
                        ORDER BY r.relation LIMIT 1) r
    CROSS JOIN LATERAL snapback_internal.untriable_expressions(r.relation) e
    UNION ALL
    SELECT 'capture', c, CASE WHEN s.newest IS NULL THEN 'never captured' ELSE format('last captured %s ago', clock_timestamp() - s.newest) END,
           'run CALL snapback.capture_all(), and see whether snapback.schedule() is in force'
    FROM snapback.communities() AS c
    CROSS JOIN LATERAL (SELECT max(n.captured_at) AS newest FROM snapback.snapshot n WHERE n.community = c AND n.kind <> 'before_restore'
                          AND n.id NOT IN (SELECT d.id FROM snapback_internal.disowned_snapshots() d)) s
    WHERE s.newest IS NULL OR s.newest < clock_timestamp() - interval '26 hours'
$$;
COMMENT ON FUNCTION snapback_internal.health_of_communities() IS 'What health() says of tables and communities. Fails where the directory cannot be read. Internal.';

CREATE FUNCTION snapback_internal.quotes_no_row(sqlstate text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
RETURN left(sqlstate, 2) IN ('08', '25', '28', '40', '42', '53', '54', '55', '57', '58', 'XX');
COMMENT ON FUNCTION snapback_internal.quotes_no_row(text) IS
    'Whether messages of this SQLSTATE are about rights, objects and resources, and so quote no row. Those about values do, and anybody''s own may. Internal.';

CREATE FUNCTION snapback_internal.directory_problem(quote_rows boolean) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM snapback_internal.directory_entries();
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN CASE WHEN quote_rows OR snapback_internal.quotes_no_row(SQLSTATE) THEN SQLERRM ELSE 'it cannot be read: SQLSTATE ' || SQLSTATE END;
END
$$;
COMMENT ON FUNCTION snapback_internal.directory_problem(boolean) IS
    'What keeps the directory from being read; null where nothing does. quote_rows: whether errors may be shown that quote rows. Internal.';

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
    'Settings of this database, or of superusers, with which the jobs of pg_cron cannot work, and what takes each back. Workers of the extension are not concerned: they start with the server''s settings. Internal.';

CREATE FUNCTION snapback_internal.health_of_ownership() RETURNS TABLE (concern text, subject text, problem text, hint text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'disowned', d.community,
           CASE WHEN count(*) = 1 THEN '1 snapshot ' ELSE format('%s snapshots ', count(*)) END
           || CASE WHEN d.is_listed IS NOT TRUE THEN 'of a community that is not in the directory'
                   WHEN count(d.noticed_at) = 0 THEN 'with another identity than the directory has for this key'
                   ELSE 'of an earlier community with this key' END
           || coalesce(' (noticed at ' || min(d.noticed_at) || ')', ''),
           format('SELECT snapback.forget(%L%s) erases them; if it is the same community, %sSELECT snapback.adopt_snapshots(%L)', d.community,
                  CASE WHEN d.is_listed THEN ', former_only => true' END, CASE WHEN d.is_listed IS NOT TRUE THEN 'put it back into the directory and run ' END, d.community)
    FROM snapback_internal.disowned_snapshots() d GROUP BY d.community, d.is_listed
$$;
COMMENT ON FUNCTION snapback_internal.health_of_ownership() IS 'What health() says of snapshots that belong to no community. Internal.';

CREATE FUNCTION snapback_internal.health_checks(quote_rows boolean) RETURNS TABLE (concern text, subject text, problem text, hint text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unreadable text := snapback_internal.directory_problem(quote_rows);
    stuck constant text := 'run SELECT snapback.process_queue(); if that does not help, look for free background workers (max_worker_processes), snapback.schedule() and errors in the server''s log';
BEGIN
    PERFORM snapback_internal.note_departures();
    IF unreadable IS NOT NULL THEN
        RETURN QUERY SELECT 'directory', coalesce((SELECT d.relation::text FROM snapback.directory d), 'none'), unreadable,
                            'restores are refused and captures may fail until SELECT snapback.set_directory() accepts it';
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
    SELECT 'expiry', s.community, format('snapshot %s should have been swept', s.id), 'run CALL snapback.expire_all()'
    FROM snapback.snapshot s WHERE s.captured_at + snapback_internal.retention() < clock_timestamp() - interval '2 hours'
    UNION ALL
    SELECT 'expiry', 'snapback.audit', format('%s steps should have been pruned', count(*)), 'run CALL snapback.expire_all()'
    FROM snapback.audit a CROSS JOIN snapback_internal.approval_settings() s
    WHERE s.audit_retention > interval '0' AND a.at < clock_timestamp() - s.audit_retention - interval '2 hours'
    HAVING count(*) > 0
    UNION ALL
    SELECT 'mail', m.id::text, 'could not be sent: ' || CASE WHEN quote_rows THEN coalesce(m.last_error, 'no reason is known') ELSE 'see the table snapback.mail' END,
           'see the settings snapback.smtp_*'
    FROM snapback.mail m WHERE m.state = 'failed' OR (m.state = 'queued' AND m.attempts > 0)
    UNION ALL
    -- The longest wait between two tries is 19 minutes, the longest try takes ten.
    SELECT 'mail', m.id::text, format('was due at %s and has not been tried', m.next_try_at), stuck
    FROM snapback.mail m
    WHERE m.state = 'queued' AND m.next_try_at NOT BETWEEN clock_timestamp() - interval '5 minutes' AND clock_timestamp() + interval '20 minutes'
    UNION ALL
    SELECT 'mail', m.id::text, format('has been on its way since %s', m.claimed_at), stuck
    FROM snapback.mail m WHERE m.state = 'sending' AND m.claimed_at < clock_timestamp() - interval '15 minutes'
    UNION ALL
    SELECT 'restore', r.id::text, format('has waited for a worker since %s', r.requested_at), stuck
    FROM snapback.restore_run r WHERE r.state = 'queued' AND r.requested_at < clock_timestamp() - interval '5 minutes'
    UNION ALL
    SELECT 'restore', r.id::text, 'its worker has ended, and nobody has noted that', stuck
    FROM snapback.restore_run r
    WHERE r.state = 'running' AND r.started_at < clock_timestamp() - interval '5 minutes' AND snapback_internal.restore_is_abandoned(r.id)
    UNION ALL
    SELECT 'settings', s.subject, s.assignment || ' keeps the scheduled jobs from their work', 'run ' || s.undoing
    FROM snapback_internal.settings_against_jobs() s
    UNION ALL
    SELECT 'restore', r.id::text,
           format('%s: %s', r.state, CASE WHEN quote_rows OR snapback_internal.quotes_no_row(r.sqlstate) THEN r.message ELSE 'SQLSTATE ' || coalesce(r.sqlstate, 'unknown') END), 'the owner may approve again while the request lives'
    FROM snapback.restore_run r WHERE r.state IN ('failed', 'interrupted') AND r.sqlstate IS DISTINCT FROM 'SB011'
                                 AND r.ended_at > clock_timestamp() - interval '1 day';
END
$$;
COMMENT ON FUNCTION snapback_internal.health_checks(boolean) IS
    'What health() returns. quote_rows: whether messages may be shown that quote rows or mail addresses. Internal.';

CREATE FUNCTION snapback_internal.health_shown_to(reader name) RETURNS TABLE (concern text, subject text, problem text, hint text)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT * FROM snapback_internal.health_checks((SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = reader)) $$;
COMMENT ON FUNCTION snapback_internal.health_shown_to(name) IS
    'What health() returns to a role: to all but superusers without messages that may quote rows. Internal: call health().';

-- Its names are bound here, since its callers may not use the schema of what it calls.
CREATE FUNCTION snapback.health() RETURNS TABLE (concern text, subject text, problem text, hint text)
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT h.concern, h.subject, h.problem, h.hint FROM snapback_internal.health_shown_to(current_user) h;
END;
COMMENT ON FUNCTION snapback.health() IS
    'One row for each thing that somebody should look at: a directory that cannot be read, guards that are missing, event triggers that are disabled, tables that nobody protects, options that cover no table, rows that belong to no community, constraints that cannot be evaluated during a restore, communities whose newest snapshot '
    'is older than 26 hours, captures, mails and restores that failed or that nobody works on, settings with which scheduled jobs cannot work, '
    'snapshots that belong to no community, snapshots and records that were not swept. No row: all is well. Members of pg_monitor may call it; '
    'they get the SQLSTATE instead of a message that may quote a row or a mail address';
