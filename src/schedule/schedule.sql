-- The work that comes back: pg_cron wakes it. Its jobs live in one database of the server, which need not be this one.

CREATE FUNCTION snapback_internal.run_in_database(database name, statement text) RETURNS text
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_run_in_database';
COMMENT ON FUNCTION snapback_internal.run_in_database(name, text) IS
    'Internal, superusers only: runs a statement in another database as the current user and returns its first value as text; '
    'committed there at once, whatever becomes of the calling transaction. Errors: the statement''s own; 3D000 no such database; '
    '42501 not a superuser; 55000 the database refuses the connection; 53400 no background worker is free; 54000 a value of 2 kB or more';

CREATE FUNCTION snapback_internal.cron_database() RETURNS name
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- A mere mention in postgresql.conf does not make the setting one of the server's own.
    home name := (SELECT setting FROM pg_settings WHERE name = 'cron.database_name' AND context = 'postmaster');
BEGIN
    IF home IS NULL AND NOT pg_has_role('pg_read_all_settings', 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'permission denied to read the setting cron.database_name of pg_cron',
            DETAIL = 'Only superusers and members of pg_read_all_settings see whether pg_cron is loaded and where it keeps its jobs.',
            HINT = 'Call this function as a superuser: the jobs run as the role that schedules them, and capture_all() needs a superuser.';
    END IF;
    IF home IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'pg_cron is not loaded',
            HINT = format('Install pg_cron (Debian: postgresql-%s-cron), add pg_cron to shared_preload_libraries, restart the '
                          'server and run CREATE EXTENSION pg_cron in the database that cron.database_name names.',
                          current_setting('server_version_num')::integer / 10000);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_database WHERE datname = home AND datallowconn) THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('pg_cron''s database "%s" does not exist or refuses connections', home),
            HINT = 'Set cron.database_name to a database that exists, restart the server and run CREATE EXTENSION pg_cron there.';
    END IF;
    RETURN home;
END $$;
COMMENT ON FUNCTION snapback_internal.cron_database() IS
    'The database where pg_cron keeps its jobs (setting cron.database_name). Errors: 55000 pg_cron is not loaded, or that database is not there; '
    '42501 the caller may not see that setting';

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
    'Internal, superusers only: runs a statement where pg_cron keeps its jobs and returns its first value as text';

CREATE FUNCTION snapback_internal.has_cron() RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN snapback_internal.run_in_cron_database('SELECT count(*) FROM pg_catalog.pg_extension WHERE extname = ''pg_cron''')::integer > 0;
END $$;
COMMENT ON FUNCTION snapback_internal.has_cron() IS 'Internal: whether pg_cron''s own database has the extension pg_cron';

CREATE FUNCTION snapback_internal.cron_job(task text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT 'snapback ' || task || ' ' || CASE WHEN octet_length(current_database()) <= 44 THEN current_database() ELSE md5(current_database()) END
$$;
COMMENT ON FUNCTION snapback_internal.cron_job(text) IS
    'Internal: what this database''s pg_cron job for a task (capture, expire, queue) is called. The database''s name tells the jobs of '
    'several databases apart; a long one goes by its hash, since a job''s name has 63 bytes at most';

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
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'the time of the capture is missing',
            HINT = 'Name it as five cron fields in UTC or cron.timezone, such as ''0 3 * * *''.';
    END IF;
    IF NOT snapback_internal.has_cron() THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = format('pg_cron has not been created in its database "%s"', snapback_internal.cron_database()),
            HINT = format('Connect to database "%s" and run: CREATE EXTENSION pg_cron', snapback_internal.cron_database());
    END IF;
    -- A job that another superuser made under the same name is replaced: there is one set of jobs for a database.
    PERFORM snapback_internal.run_in_cron_database(format($job$
        WITH wanted AS (SELECT * FROM pg_catalog.jsonb_to_recordset(%L) AS w (job text, "at" text, command text)),
             gone AS (DELETE FROM cron.job j USING wanted w WHERE j.jobname = w.job AND j.username <> current_user)
        SELECT count(cron.schedule_in_database(job, "at", command, %L)) FROM wanted
        $job$, jobs, current_database()));
    RETURN QUERY SELECT * FROM jsonb_to_recordset(jobs) AS j (job text, "at" text, command text);
END $$;
COMMENT ON FUNCTION snapback.schedule(text) IS
    'Has pg_cron capture every community at capture_at (five cron fields), expire old snapshots hourly and look after the queue of mails '
    'and restores each minute; run again, it changes the jobs it made. They run as the current user, a superuser. Where pg_cron lives in '
    'another database, they are there as soon as this returns, even if the transaction is rolled back. Errors: 55000 pg_cron is missing, '
    'with what to do; 42501 the caller may not read pg_cron''s settings; 22023 not a cron schedule';

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
    'Takes back what snapback.schedule() asked of pg_cron; returns how many jobs there were. To be called before DROP EXTENSION or DROP '
    'DATABASE, which pg_cron does not notice. Errors: 55000 pg_cron is not loaded; 42501 the caller may not read pg_cron''s settings';
