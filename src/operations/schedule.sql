-- Recurring jobs, which pg_cron starts. pg_cron stores its jobs in one database of the server, possibly another one.

CREATE FUNCTION snapback_internal.run_in_database(database name, statement text) RETURNS text
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_run_in_database';
COMMENT ON FUNCTION snapback_internal.run_in_database(name, text) IS
    'Run a statement in another database as the current user and return its first value as text. It commits immediately, whatever happens to the '
    'calling transaction. For superusers only. Errors: those of the statement; 3D000 no such database; 42501 not a superuser; 55000 the database '
    'rejects the connection; 53400 no background worker is available; 54000 the value has 2 kB or more';

CREATE FUNCTION snapback_internal.cron_database() RETURNS name
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Without pg_cron, a line in postgresql.conf makes cron.database_name a placeholder of another context.
    home name := (SELECT setting FROM pg_settings WHERE name = 'cron.database_name' AND context = 'postmaster');
BEGIN
    IF home IS NULL AND NOT pg_has_role('pg_read_all_settings', 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'permission denied to read the setting cron.database_name of pg_cron',
            DETAIL = 'Only superusers and members of pg_read_all_settings can see whether pg_cron is loaded and where it stores its jobs.',
            HINT = 'Call this function as a superuser. The jobs run as the role that schedules them, and capture_all() requires a superuser.';
    END IF;
    IF home IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'pg_cron is not loaded',
            HINT = format('Install pg_cron (Debian: postgresql-%s-cron), add pg_cron to shared_preload_libraries, restart the '
                          'server and run CREATE EXTENSION pg_cron in the database of cron.database_name.',
                          current_setting('server_version_num')::integer / 10000);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_database WHERE datname = home AND datallowconn) THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('database "%s" of pg_cron does not exist or does not accept connections', home),
            HINT = 'Set cron.database_name to a database that exists, restart the server and run CREATE EXTENSION pg_cron there.';
    END IF;
    RETURN home;
END $$;
COMMENT ON FUNCTION snapback_internal.cron_database() IS
    'Return the database in which pg_cron stores its jobs (setting cron.database_name). Errors: 55000 pg_cron is not loaded or the database is not '
    'available; 42501 the caller cannot read that setting';

CREATE FUNCTION snapback_internal.run_in_cron_database(statement text) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    home   name := snapback_internal.cron_database();
    result text;
BEGIN
    IF home = current_database() THEN
        EXECUTE statement INTO result;
    ELSE
        result := snapback_internal.run_in_database(home, statement);
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION snapback_internal.run_in_cron_database(text) IS
    'Run a statement in the database of pg_cron and return its first value as text. For superusers only. Errors: as run_in_database() and '
    'cron_database()';

CREATE FUNCTION snapback_internal.has_cron() RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN snapback_internal.run_in_cron_database('SELECT count(*) FROM pg_catalog.pg_extension WHERE extname = ''pg_cron''')::integer > 0;
END $$;
COMMENT ON FUNCTION snapback_internal.has_cron() IS 'Return whether the extension pg_cron exists in its database. Errors: as run_in_cron_database()';

CREATE FUNCTION snapback_internal.cron_job(task text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT 'snapback ' || task || ' ' || CASE WHEN octet_length(current_database()) <= 44 THEN current_database() ELSE md5(current_database()) END
$$;
COMMENT ON FUNCTION snapback_internal.cron_job(text) IS
    'Return the name of the pg_cron job of this database for a task (capture, expire, queue). It contains the name of the database, or its MD5 hash '
    'if the name is long, because a job name has at most 63 bytes';

CREATE FUNCTION snapback.schedule(capture_at text DEFAULT '0 3 * * *')
    RETURNS TABLE (job text, "at" text, command text)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    jobs jsonb := jsonb_build_array(
        jsonb_build_object('job', snapback_internal.cron_job('capture'), 'at', capture_at, 'command', 'CALL snapback.capture_all()'),
        jsonb_build_object('job', snapback_internal.cron_job('expire'), 'at', '17 * * * *', 'command', 'CALL snapback.expire_all()'),
        jsonb_build_object('job', snapback_internal.cron_job('queue'), 'at', '* * * * *', 'command', 'SELECT snapback.process_queue()'));
BEGIN
    IF capture_at IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'capture_at must not be null',
            HINT = 'Specify five cron fields in UTC or the time zone of cron.timezone, for example ''0 3 * * *''.';
    END IF;
    IF NOT snapback_internal.has_cron() THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('extension pg_cron does not exist in its database "%s"', snapback_internal.cron_database()),
            HINT = format('Connect to database "%s" and run CREATE EXTENSION pg_cron.', snapback_internal.cron_database());
    END IF;
    -- Each database has one set of jobs: replace jobs of the same name that belong to another superuser.
    PERFORM snapback_internal.run_in_cron_database(format($job$
        WITH wanted AS (SELECT * FROM pg_catalog.jsonb_to_recordset(%L) AS w (job text, "at" text, command text)),
             gone AS (DELETE FROM cron.job j USING wanted w WHERE j.jobname = w.job AND j.username <> current_user)
        SELECT count(cron.schedule_in_database(job, "at", command, %L)) FROM wanted
        $job$, jobs, current_database()));
    RETURN QUERY SELECT * FROM jsonb_to_recordset(jobs) AS j (job text, "at" text, command text);
END $$;
COMMENT ON FUNCTION snapback.schedule(text) IS
    'Schedule the pg_cron jobs of this database: capture all communities at capture_at (five cron fields), expire snapshots every hour, and process '
    'the queue of mails and restores every minute. Another call changes these jobs. They run as the current user, a superuser. If pg_cron is in '
    'another database, the jobs exist immediately, even if the transaction is rolled back. Errors: 55000 pg_cron is missing; 42501 the caller cannot '
    'read the settings of pg_cron; 22023 capture_at is not a cron schedule';

CREATE FUNCTION snapback.unschedule() RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT snapback_internal.has_cron() THEN
        RETURN 0;
    END IF;
    RETURN snapback_internal.run_in_cron_database(format(
        'WITH gone AS (DELETE FROM cron.job WHERE jobname IN (%L, %L, %L) RETURNING 1) SELECT count(*) FROM gone',
        snapback_internal.cron_job('capture'), snapback_internal.cron_job('expire'), snapback_internal.cron_job('queue')));
END $$;
COMMENT ON FUNCTION snapback.unschedule() IS
    'Remove the jobs that snapback.schedule() created; return their number. Call it before DROP EXTENSION or DROP DATABASE, which do not remove '
    'pg_cron jobs. Errors: 55000 pg_cron is not loaded; 42501 the caller cannot read the settings of pg_cron';
