#!/usr/bin/env bash
# The schedule with a real pg_cron: in this database, in another one, and missing.
cd "$(dirname "$0")/../.." || exit
. scripts/server
ran=0 failed=0

# Compare a result with the expected one.
is() {
    ran=$((ran + 1))
    if [ "$1" = "$2" ]; then
        echo "ok $ran - $3"
    else
        failed=$((failed + 1))
        printf 'not ok %d - %s\n#  got:      %s\n#  expected: %s\n' "$ran" "$3" "${1//$'\n'/ | }" "${2//$'\n'/ | }"
    fi
}

# Run SQL in a database; print values, or an error as state, message and hint.
sql() {
    psql -XAtqd "$1" -v VERBOSITY=verbose -c "$2" 2>&1 | grep -vE '^(LOCATION|CONTEXT|SQL statement|PL/pgSQL|LINE|NOTICE|WARNING| )'
}

jobs_in_cron() {
    sql postgres "SELECT jobname, schedule, command, database, username FROM cron.job WHERE database = '$1' ORDER BY jobname"
}

# The expected jobs of a database, with this time of capture and this user.
jobs_of() {
    printf '%s\n' "snapback capture $1|$2|CALL snapback.capture_all()|$1|$3" \
        "snapback expire $1|17 * * * *|CALL snapback.expire_all()|$1|$3" \
        "snapback queue $1|* * * * *|SELECT snapback.process_queue()|$1|$3"
}

# A database whose captures leave a trace and commit in between, like real ones.
make_database() {
    sql postgres "CREATE DATABASE \"$1\""
    traced_extension "$1"
}
traced_extension() {
    sql "$1" "CREATE EXTENSION pg_snapback;
              CREATE TABLE public.trace (n integer);
              CREATE OR REPLACE PROCEDURE snapback.capture_all(batch integer DEFAULT 1000) LANGUAGE plpgsql
                  AS 'BEGIN INSERT INTO public.trace VALUES (1); COMMIT; INSERT INTO public.trace VALUES (2); END'"
}

server_start || exit
make_database app
is "$(sql app 'SELECT snapback.schedule()')" \
    $'ERROR:  55000: extension pg_cron does not exist in its database "postgres"\nHINT:  Connect to database "postgres" and run CREATE EXTENSION pg_cron.' \
    'without the extension pg_cron, the error says where to create it'
is "$(sql app 'SELECT snapback.unschedule()')" 0 'without the extension pg_cron, nothing is there to take back'

sql postgres 'CREATE EXTENSION pg_cron'
is "$(sql app 'SELECT snapback.unschedule()')" 0 'where nothing is scheduled, nothing is taken back'
is "$(sql app 'SELECT job, at, command FROM snapback.schedule()')" \
    "$(jobs_of app '0 3 * * *' postgres | cut -d '|' -f 1-3)" 'schedule() shows the jobs it made'
is "$(jobs_in_cron app)" "$(jobs_of app '0 3 * * *' postgres)" 'the jobs are in the database of pg_cron'
is "$(sql app "SELECT count(*) FROM snapback.schedule('30 2 * * 1')")" 3 'scheduling again succeeds'
is "$(jobs_in_cron app)" "$(jobs_of app '30 2 * * 1' postgres)" 'scheduling again changes the jobs and adds none'
is "$(sql app "SELECT snapback.schedule('every night')" | head -n 1)" 'ERROR:  22023: invalid schedule: every night' \
    'a wrong schedule is an error'
is "$(sql app 'SELECT snapback.schedule(NULL)' | head -n 1)" 'ERROR:  22023: capture_at must not be null' \
    'a missing schedule is an error'
is "$(jobs_in_cron app)" "$(jobs_of app '30 2 * * 1' postgres)" 'a wrong schedule leaves the jobs as they were'

sql app 'ALTER DATABASE postgres SET default_transaction_read_only = on'
is "$(sql app "SELECT count(*) FROM snapback.schedule('30 2 * * 1')")" 3 "settings of pg_cron's database have no effect"
sql app 'ALTER DATABASE postgres RESET default_transaction_read_only'

sql postgres 'CREATE ROLE second SUPERUSER LOGIN'
is "$(sql app "SET ROLE second; SELECT count(*) FROM snapback.schedule('* * * * *')")" 3 'another superuser may schedule'
is "$(jobs_in_cron app)" "$(jobs_of app '* * * * *' second)" 'the jobs are then theirs, and nobody has them twice'
sql postgres 'CREATE ROLE nobody SUPERUSER NOLOGIN'
is "$(sql app 'SET ROLE nobody; SELECT snapback.schedule()' | head -n 1)" \
    'ERROR:  55000: could not execute statement in database "postgres"' 'a superuser who may not log in is refused'

long=$(printf 'd%.0s' {1..63})
make_database "$long"
is "$(sql "$long" 'SELECT count(*) FROM snapback.schedule()')" 3 'a long database name is no obstacle'
is "$(sql postgres "SELECT count(*), count(DISTINCT jobname), max(length(jobname)) < 63 FROM cron.job")" '6|6|t' \
    'the jobs of two databases stand side by side'
is "$(sql "$long" 'SELECT snapback.unschedule()')" 3 'unschedule() takes back the jobs of its database'
is "$(jobs_in_cron app)" "$(jobs_of app '* * * * *' second)" 'and of no other'

traced_extension postgres
is "$(sql postgres "SELECT count(*) FROM snapback.schedule('* * * * *')")" 3 'pg_cron in the same database needs no worker'
is "$(jobs_in_cron postgres)" "$(jobs_of postgres '* * * * *' postgres)" 'its jobs are there'
# A database whose captures all fail: its only community lacks a table.
sql postgres 'CREATE DATABASE failing'
sql failing "CREATE EXTENSION pg_snapback; CREATE SCHEMA own;
             CREATE TABLE own.thing (id int PRIMARY KEY);
             CREATE VIEW directory AS SELECT 'a' AS community, 'A' AS name, 'x' AS owner, 'x@example.org' AS owner_email, true AS restores_enabled, 'own' AS schema_name;
             SELECT snapback.set_directory('directory'), snapback.add_category('c', '', ''), snapback.add_option('c.a', '', '');
             SELECT snapback.protect('own.thing', 'c.a')" >/dev/null
sql failing 'DROP TABLE own.thing'
is "$(sql failing "SELECT count(*) FROM snapback.schedule('* * * * *')")" 3 'a night that will fail is scheduled like any other'
scheduled=$SECONDS

# Until the minute passes: servers without pg_cron, and without a free worker.
missing='ERROR:  55000: pg_cron is not loaded
HINT:  Install pg_cron (Debian: postgresql-'$(sql postgres "SELECT current_setting('server_version_num')::integer / 10000")'-cron), add pg_cron to shared_preload_libraries, restart the server and run CREATE EXTENSION pg_cron in the database of cron.database_name.'
without_cron() {
    scripts/server -c "shared_preload_libraries = ''" -c 'max_worker_processes = 1' \
        psql -XAtq -v VERBOSITY=verbose -c 'CREATE EXTENSION pg_snapback' -c "$1" 2>&1 | grep -E '^(ERROR|HINT)'
}
is "$(without_cron 'SELECT snapback.schedule()')" "$missing" 'without pg_cron in the server, the error says what to install'
is "$(without_cron 'SELECT snapback.unschedule()')" "$missing" 'the same goes for unschedule()'
is "$(without_cron "SELECT snapback_internal.run_in_database('template1', 'SELECT 1')")" \
    $'ERROR:  53400: no background worker is free\nHINT:  Raise max_worker_processes, or try again later.' \
    'where no worker is free, the error says so'
is "$(CRON_DATABASE=gone scripts/server psql -XAtq -v VERBOSITY=verbose -c 'CREATE EXTENSION pg_snapback' \
    -c 'SELECT snapback.schedule()' 2>&1 | grep ^ERROR)" \
    "ERROR:  55000: database \"gone\" of pg_cron does not exist or does not accept connections" 'a wrong cron.database_name is named'

# Wait until the capture of a database has run; on a busy machine that may take minutes.
fired() {
    while [ $((SECONDS - scheduled)) -lt 600 ]; do
        [ "$(sql "$1" 'SELECT count(*) >= 2 FROM public.trace')" != t ] || break
        sleep 1
    done
    sql "$1" 'SELECT array_agg(DISTINCT n) FROM public.trace'
}
is "$(fired app)" '{1,2}' 'the capture fires in another database, within the minute, and may commit as it goes'
is "$(fired postgres)" '{1,2}' 'the capture fires in the database of pg_cron'
is "$(sql postgres "SELECT DISTINCT username FROM cron.job_run_details WHERE database = 'app'")" second \
    'a job runs as the superuser who scheduled it'
failed_night() {
    while [ $((SECONDS - scheduled)) -lt 600 ]; do
        [ "$(sql postgres "SELECT count(*) > 0 FROM cron.job_run_details WHERE database = 'failing' AND command LIKE 'CALL%' AND end_time IS NOT NULL")" != t ] || break
        sleep 1
    done
    sql postgres "SELECT DISTINCT status, split_part(return_message, E'\n', 1) FROM cron.job_run_details WHERE database = 'failing' AND command LIKE 'CALL%' AND end_time IS NOT NULL"
}
is "$(failed_night)" 'failed|ERROR: could not capture any of 1 communities' 'a night in which every community failed has failed for pg_cron too'
is "$(sql failing 'SELECT count(*) > 0 FROM snapback.capture_failure')" t 'and what failed is on record'
is "$(sql failing 'SELECT snapback.unschedule()')" 3 '(its jobs are taken back)'
is "$(sql app 'SELECT snapback.unschedule()') $(sql postgres 'SELECT snapback.unschedule()')" '3 3' 'all jobs are taken back'
is "$(sql postgres 'SELECT count(*) FROM cron.job')" 0 'nothing is left of them'
is "$(sql app 'SELECT snapback.unschedule()')" 0 'taking back twice does no harm'

echo "1..$ran"
[ "$failed" = 0 ]
