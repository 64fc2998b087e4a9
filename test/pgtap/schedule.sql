-- The schedule, process_queue(), statements in other databases, and the problems that health() reports.
\set owner pgtap_schedule_owner
\ir ../fixture/odd_names.sql
CREATE ROLE pgtap_schedule_nobody;
SELECT plan(97);

-- ---- statements in another database

SELECT is(snapback_internal.run_in_database('postgres', 'SELECT current_database()'), 'postgres', 'a statement runs in another database');
SELECT is(snapback_internal.run_in_database('postgres', 'SELECT current_user::text'), session_user::text, 'as who asks');
SELECT is(snapback_internal.run_in_database('postgres', statement), expected, statement) FROM (VALUES ('SELECT 6 * 7', '42'), ('SELECT NULL', NULL), ('SELECT', NULL), ('SELECT 1 WHERE false', NULL), ('SELECT ''ä"''''\''', 'ä"''\'),
    ('VALUES (1), (2)', '1'), ('SHOW search_path', 'pg_catalog, pg_temp'), ('SELECT current_setting(''statement_timeout'')', '0'), ('CREATE TEMP TABLE t (n int)', NULL),
    ('SELECT repeat(''x'', 2047)', repeat('x', 2047))) v (statement, expected);
SELECT is(snapback_internal.run_in_database(NULL, 'SELECT 1'), NULL, 'in no database nothing');
SELECT is(snapback_internal.run_in_database('postgres', NULL), NULL, 'and no statement nowhere');
SELECT throws_ok(format('SELECT snapback_internal.run_in_database(%L, %L)', database, statement), state, message, coalesce(message, statement)) FROM (VALUES
    ('nowhere', 'SELECT 1', '3D000', 'database "nowhere" does not exist'), ('postgres', 'SELECT 1 / 0', '22012', 'division by zero'), ('postgres', 'SELECT no_such()', '42883', NULL),
    ('postgres', 'SELECT', NULL, NULL), ('postgres', '', NULL, NULL), ('postgres', 'COMMIT', NULL, NULL), ('postgres', 'SELECT repeat(''x'', 2048)', '54000', NULL),
    ('template0', 'SELECT 1', '55000', 'could not execute statement in database "template0"')) v (database, statement, state, message) WHERE state IS NOT NULL;
GRANT USAGE ON SCHEMA snapback_internal TO pgtap_schedule_nobody;
GRANT EXECUTE ON FUNCTION snapback_internal.run_in_database(name, text) TO pgtap_schedule_nobody;
SELECT is(public.outcome('pgtap_schedule_nobody', $$ SELECT snapback_internal.run_in_database('postgres', 'SELECT 1') $$), '42501: only superusers may run statements in another database', 'even with a grant, superusers only');
REVOKE EXECUTE ON FUNCTION snapback_internal.run_in_database(name, text) FROM pgtap_schedule_nobody;
REVOKE USAGE ON SCHEMA snapback_internal FROM pgtap_schedule_nobody;

-- ---- jobs

SELECT is(snapback_internal.cron_job('capture'), 'snapback capture ' || current_database(), 'a job is named by task and database');
SELECT is(snapback_internal.cron_database()::text, current_setting('cron.database_name'), 'jobs are kept where pg_cron says');
SELECT throws_ok('SELECT snapback.schedule(NULL)', '22023', 'capture_at must not be null', 'a capture needs a time');
SELECT is(snapback_internal.run_in_cron_database('DROP EXTENSION IF EXISTS pg_cron'), NULL, '(pg_cron is taken out)');
SELECT is(snapback_internal.has_cron(), false, 'without pg_cron');
SELECT throws_ok('SELECT snapback.schedule()', '55000', format('extension pg_cron does not exist in its database "%s"', current_setting('cron.database_name')), 'nothing can be scheduled');
SELECT is(snapback.unschedule(), 0, 'and nothing is to be taken back');
SELECT is(snapback_internal.run_in_cron_database('CREATE EXTENSION pg_cron'), NULL, '(pg_cron is put in)');
SELECT is(snapback_internal.has_cron(), true, 'with pg_cron');
SELECT results_eq('SELECT * FROM snapback.schedule()', format($$ VALUES ('snapback capture %1$s', '0 3 * * *', 'CALL snapback.capture_all()'), ('snapback expire %1$s', '17 * * * *', 'CALL snapback.expire_all()'),
    ('snapback queue %1$s', '* * * * *', 'SELECT snapback.process_queue()') $$, current_database()), 'three jobs are made');
CREATE FUNCTION pg_temp.jobs() RETURNS text LANGUAGE sql AS $$
    SELECT snapback_internal.run_in_cron_database(format('SELECT string_agg(concat_ws(''|'', jobname, schedule, command, database, username, active), E''\n'' ORDER BY jobname) FROM cron.job WHERE database = %L', current_database()))
$$;
SELECT is(pg_temp.jobs(), format(E'snapback capture %1$s|0 3 * * *|CALL snapback.capture_all()|%1$s|%2$s|t\nsnapback expire %1$s|17 * * * *|CALL snapback.expire_all()|%1$s|%2$s|t\nsnapback queue %1$s|* * * * *|SELECT snapback.process_queue()|%1$s|%2$s|t',
                                 current_database(), session_user), 'in the database of pg_cron, for this one');
SELECT lives_ok($$ SELECT snapback.schedule('30 2 * * *') $$, 'scheduling again');
SELECT is(snapback_internal.run_in_cron_database(format('SELECT count(*)::text || string_agg(schedule, '''') FILTER (WHERE jobname LIKE ''%%capture%%'') FROM cron.job WHERE database = %L', current_database())), '330 2 * * *', 'changes the time and adds none');
SELECT throws_ok($$ SELECT snapback.schedule('at night') $$, '22023', NULL, 'a time is five fields');
SELECT is(snapback.unschedule(), 3, 'all are taken back');
SELECT is(pg_temp.jobs(), NULL, 'none is left');
SELECT is(snapback_internal.run_in_cron_database('DROP EXTENSION pg_cron'), NULL, '(pg_cron is taken out again)');

-- ---- health

CREATE FUNCTION pg_temp.concerns() RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(concat_ws(' ', concern, subject, regexp_replace(problem, '[0-9a-f-]{36}|[0-9:. -]{10,}.*', '...')) ORDER BY concern, subject), '{}') FROM snapback.health()
$$;
SELECT is(pg_temp.concerns(), '{capture 1 never captured,capture 2 never captured,capture 3 never captured,capture 4 never captured}', 'at first nothing has been captured');
SELECT snapback_internal.capture_some('{1,2,3,4}') AS _, snapback.capture('1') AS one \gset
SELECT is(pg_temp.concerns(), '{}', 'then all is well');
SELECT is_empty('SELECT FROM snapback.health() WHERE hint IS NULL OR problem IS NULL', 'nothing is said without a hint');
UPDATE snapback.snapshot SET captured_at = captured_at - interval '25 hours' WHERE community = '2';
SELECT is(pg_temp.concerns(), '{}', 'a night may be late by an hour or two');
UPDATE snapback.snapshot SET captured_at = captured_at - interval '2 hours' WHERE community = '2';
SELECT is((SELECT concern || ' ' || subject || ' ' || left(problem, 19) FROM snapback.health()), 'capture 2 last captured 1 day', 'not by more');
UPDATE snapback.snapshot SET captured_at = captured_at - interval '7 days' WHERE community = '2';
SELECT is((SELECT array_agg(concern || ' ' || subject ORDER BY concern) FROM snapback.health()), '{capture 2,expiry 2}', 'what should have been swept is named');
SELECT is((SELECT snapshots FROM snapback.expire()), 1::bigint, '(it is swept)');
SELECT is(pg_temp.concerns(), '{capture 2 never captured}', 'and then missing');
SELECT snapback.capture('2') AS _ \gset
INSERT INTO snapback.capture_failure (community, failed_at, sqlstate, message) VALUES ('1', now() - interval '1 hour', '42501', 'denied'), ('3', clock_timestamp(), '42501', 'denied');
SELECT is((SELECT array_agg(concern || ' ' || subject || ' ' || hint) FROM snapback.health()), '{"capture 3 (SQLSTATE 42501)"}', 'a capture that failed is named until one succeeds');
UPDATE snapback.capture_failure SET hint = 'Grant it.';
SELECT is((SELECT hint FROM snapback.health()), 'Grant it. (SQLSTATE 42501)', 'with the hint that capture() gives');
DELETE FROM snapback.capture_failure;
ALTER EVENT TRIGGER snapback_guard_new_partition DISABLE;
SELECT is((SELECT array_agg(concern || ' ' || subject) FROM snapback.health()), '{schema snapback_guard_new_partition}', 'an event trigger that does not fire is named');
ALTER EVENT TRIGGER snapback_guard_new_partition ENABLE;
CREATE TABLE "Odd Schema".forgotten (id int PRIMARY KEY, cid int NOT NULL REFERENCES "Odd Schema"."Tenants");
SELECT is((SELECT array_agg(concern || ' ' || subject) FROM snapback.health()), '{"unprotected \"Odd Schema\".forgotten"}', 'so is a table that nobody protects');
DROP TABLE "Odd Schema".forgotten;
INSERT INTO snapback.restore_run (community, snapshot, options, state, ended_at, message) VALUES ('1', :'one', '{odd.weird}', 'failed', now() - interval '2 days', 'old'),
    ('1', :'one', '{odd.weird}', 'failed', now(), 'new'), ('1', :'one', '{odd.weird}', 'interrupted', now(), 'crash');
SELECT is((SELECT array_agg(concern || ' ' || problem ORDER BY problem) FROM snapback.health()), '{restore failed: new,restore interrupted: crash}', 'restores that failed are named for a day');
DELETE FROM snapback.restore_run;
WITH r AS (INSERT INTO snapback.request (community, snapshot, options, requested_by, owner_email, expires_at, state, ended_at)
           VALUES ('1', :'one', '{odd.weird}', 'ann', 'a@b', now() + interval '1 hour', 'cancelled', now()) RETURNING id)
INSERT INTO snapback.mail (kind, request, state, attempts, next_try_at, last_error, sent_at) SELECT 'approval', r.id, v.* FROM r, (VALUES
    ('failed', 1, NULL, '550 no', NULL), ('queued', 2, now(), '451 later', NULL), ('queued', 0, now(), NULL, NULL), ('dropped', 1, NULL, 'x', NULL), ('sent', 1, NULL, NULL, now())) v (state, attempts, next_try_at, last_error, sent_at);
SELECT is((SELECT array_agg(concern || ' ' || problem ORDER BY problem) FROM snapback.health()), '{mail could not be sent: 451 later,mail could not be sent: 550 no}', 'and mails that could not be sent');
UPDATE snapback.mail SET attempts = 0, last_error = NULL, next_try_at = now() - interval '4 minutes' WHERE state = 'queued';
DELETE FROM snapback.mail WHERE state = 'failed';
SELECT is(pg_temp.concerns(), '{}', 'a mail that is due may wait for a while');
UPDATE snapback.mail SET next_try_at = now() - interval '6 minutes' WHERE state = 'queued';
SELECT is((SELECT array_agg(DISTINCT concern || ' ' || regexp_replace(problem, 'at .* but', 'at … but') || ' ' || left(hint, 35)) FROM snapback.health()),
    '{"mail was due at … but has not been attempted run SELECT snapback.process_queue()"}', 'but not for long');
UPDATE snapback.mail SET next_try_at = now() + interval '1 hour' WHERE state = 'queued';
SELECT is((SELECT count(*) FROM snapback.health() WHERE concern = 'mail'), 2::bigint, 'nor for an hour, as when the clock was set back');
UPDATE snapback.mail SET state = 'sending', next_try_at = NULL, claimed_at = now() - interval '16 minutes' WHERE state = 'queued';
SELECT is((SELECT array_agg(DISTINCT split_part(problem, ' since', 1)) FROM snapback.health()), '{"has been in state sending"}', 'one that is never done being sent is named');
DELETE FROM snapback.mail;
INSERT INTO snapback.restore_run (community, snapshot, options, state, requested_at, started_at) VALUES
    ('1', :'one', '{odd.weird}', 'queued', now() - interval '6 minutes', NULL), ('1', :'one', '{odd.weird}', 'queued', now() - interval '4 minutes', NULL),
    ('2', :'one', '{odd.weird}', 'running', now() - interval '7 minutes', now() - interval '6 minutes'), ('2', :'one', '{odd.weird}', 'running', now() - interval '7 minutes', now() - interval '4 minutes');
SELECT is((SELECT array_agg(concern || ' ' || split_part(problem, ' since', 1) ORDER BY problem) FROM snapback.health()),
    '{restore has been waiting for a worker,"restore its worker exited without recording a result"}', 'so are restores that nobody works on');
DELETE FROM snapback.restore_run;
CREATE ROLE regress_snapback_powerless;
CREATE ROLE regress_snapback_powerful SUPERUSER;
BEGIN;
SELECT format('ALTER DATABASE %I SET role = regress_snapback_powerless', current_database()), format('ALTER DATABASE %I SET default_transaction_read_only = yes', current_database()),
       format('ALTER ROLE regress_snapback_powerful IN DATABASE %I SET role = regress_snapback_powerless', current_database()),
       format('ALTER DATABASE %I SET work_mem = 5120', current_database()) \gexec
ALTER ROLE regress_snapback_powerless SET role = regress_snapback_powerless;
ALTER ROLE ALL SET role = none;
SELECT results_eq($$ SELECT concern, subject, problem, hint FROM snapback.health() ORDER BY subject, problem $$,
    format($$ VALUES ('settings', 'database %1$s', 'default_transaction_read_only = yes prevents the scheduled jobs from working', 'run ALTER ROLE ALL IN DATABASE %1$I RESET default_transaction_read_only'),
                     ('settings', 'database %1$s', 'role = regress_snapback_powerless prevents the scheduled jobs from working', 'run ALTER ROLE ALL IN DATABASE %1$I RESET role'),
                     ('settings', 'database %1$s, role regress_snapback_powerful', 'role = regress_snapback_powerless prevents the scheduled jobs from working', 'run ALTER ROLE regress_snapback_powerful IN DATABASE %1$I RESET role') $$, current_database()),
    'settings with which no scheduled job works are named');
ALTER ROLE ALL SET role = regress_snapback_powerless;
SELECT is((SELECT subject || ': ' || hint FROM snapback.health() WHERE subject = 'all roles'), 'all roles: run ALTER ROLE ALL RESET role', 'those of the whole server too');
ROLLBACK;
DROP ROLE regress_snapback_powerless, regress_snapback_powerful;
SELECT is(pg_temp.concerns(), '{}', 'all is well again');

-- ---- health() for roles that monitor but cannot read the tables

CREATE ROLE pgtap_schedule_watcher IN ROLE pg_monitor;
CREATE FUNCTION pg_temp.watched() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    SET LOCAL ROLE pgtap_schedule_watcher;
    told := (SELECT string_agg(concat_ws(' | ', concern, problem, hint), E'\n' ORDER BY concern COLLATE "C", problem COLLATE "C") FROM snapback.health());
    RESET ROLE;
    RETURN regexp_replace(told, 'at [-0-9: .+]*:', 'at ...:', 'g');
END $$;
SELECT is(pg_temp.watched(), NULL, 'a member of pg_monitor is told that all is well');
INSERT INTO snapback.restore_run (community, snapshot, options, state, ended_at, message, sqlstate) VALUES ('1', :'one', '{odd.weird}', 'failed', now(), 'key (ann@home) is there', '23505'),
    ('1', :'one', '{odd.weird}', 'failed', now(), 'lock timeout', '55P03'), ('1', :'one', '{odd.weird}', 'failed', now(), 'said by ann@home', 'P0001');
INSERT INTO snapback.capture_failure (community, failed_at, sqlstate, message, hint) VALUES ('3', clock_timestamp(), '42501', 'denied', 'Grant it.'), ('4', clock_timestamp(), '22P02', 'no number: "ann@home"', 'Ask ann@home.');
WITH r AS (INSERT INTO snapback.request (community, snapshot, options, requested_by, owner_email, expires_at, state, ended_at)
           VALUES ('1', :'one', '{odd.weird}', 'ann', 'a@b', now() + interval '1 hour', 'cancelled', now()) RETURNING id)
INSERT INTO snapback.mail (kind, request, state, next_try_at, last_error) SELECT 'approval', r.id, 'failed', NULL, '550 no ann@home here' FROM r;
SELECT is(pg_temp.watched(), 'capture | capture failed at ...: denied | Grant it. (SQLSTATE 42501)
capture | capture failed at ...: SQLSTATE 22P02 | see the table snapback.capture_failure
mail | could not be sent: see the table snapback.mail | check the settings snapback.smtp_*
restore | failed: SQLSTATE 23505 | the owner may approve again until the request expires
restore | failed: SQLSTATE P0001 | the owner may approve again until the request expires
restore | failed: lock timeout | the owner may approve again until the request expires', 'and of what is wrong, without a word that may be a row''s or a mail address');
SELECT is((SELECT count(*) FROM snapback.health() WHERE problem || hint LIKE '%ann@home%'), 4::bigint, 'a superuser is told all of it');
CREATE VIEW "Odd Schema".half AS SELECT community, name, owner, owner_email, ('ann@home' || name)::boolean AS restores_enabled FROM "Odd Schema"."The ""Directory""";
UPDATE snapback.directory SET relation = '"Odd Schema".half';
SELECT matches(pg_temp.watched(), '^(?!.*ann@home).*directory \| the directory cannot be read: SQLSTATE 22P02', 'no value of the directory is quoted');
SELECT matches((SELECT problem FROM snapback.health() WHERE concern = 'directory'), 'ann@home', 'but to a superuser');
UPDATE snapback.directory SET relation = '"Odd Schema"."The ""Directory"""';
DELETE FROM snapback.mail;
DELETE FROM snapback.request;
DELETE FROM snapback.restore_run;
DELETE FROM snapback.capture_failure;
SELECT is(public.outcome('pgtap_schedule_watcher', statement), 'done', statement) FROM unnest(ARRAY['SELECT * FROM snapback.protection', 'SELECT * FROM snapback.snapshots',
    'SELECT * FROM snapback.requests', 'SELECT * FROM snapback.restores', 'SELECT * FROM snapback.restore_progress']) statement;
SELECT matches(public.outcome('pgtap_schedule_watcher', statement), '^42501: permission denied', statement) FROM unnest(ARRAY['SELECT * FROM snapback_internal.health_checks(true)',
    'SELECT * FROM snapback.preview_restore(''{*}'', NULL, ''1'')', format('SELECT snapback.snapshot_rows(%L, ''pg_class'')', :'one'), 'SELECT snapback.capture(''1'')', 'SELECT * FROM snapback.chunk',
    'SELECT * FROM snapback.request', 'SELECT * FROM snapback.token', 'SELECT * FROM snapback.audit', 'SELECT * FROM snapback.restore_activity']) statement;
SELECT matches(public.outcome('pgtap_schedule_nobody', statement), '^42501: permission denied for schema snapback', 'who is no member may not: ' || statement)
FROM unnest(ARRAY['SELECT * FROM snapback.health()', 'SELECT * FROM snapback.snapshots']) statement;

-- ---- schedule() by a role that cannot see the database of pg_cron

GRANT USAGE ON SCHEMA snapback, snapback_internal TO pgtap_schedule_nobody;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA snapback, snapback_internal TO pgtap_schedule_nobody;
SELECT is(public.outcome('pgtap_schedule_nobody', format('SELECT snapback.%s()', name)), '42501: permission denied to read the setting cron.database_name of pg_cron',
          format('%s() says that it may not look, not that pg_cron is missing', name)) FROM unnest('{schedule,unschedule}'::text[]) name;
GRANT pg_read_all_settings TO pgtap_schedule_nobody;
SELECT is(public.outcome('pgtap_schedule_nobody', 'SELECT snapback_internal.cron_database()'), 'done', 'who may see it is not refused for that');
REVOKE pg_read_all_settings FROM pgtap_schedule_nobody;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA snapback, snapback_internal FROM pgtap_schedule_nobody;
REVOKE USAGE ON SCHEMA snapback, snapback_internal FROM pgtap_schedule_nobody;

-- ---- process_queue() in a transaction that is rolled back, so that no worker starts

SELECT results_eq('SELECT * FROM snapback.process_queue()', 'VALUES (0::bigint, 0::bigint, 0::bigint, 0::bigint)', 'there is nothing to do');
CREATE FUNCTION pg_temp.in_queue(request_state text, expires_in interval, mail_state text DEFAULT NULL, next_try_in interval DEFAULT NULL) RETURNS uuid LANGUAGE sql AS $$
    WITH r AS (INSERT INTO snapback.request (community, snapshot, options, requested_by, owner_email, requested_at, expires_at, state, ended_at)
               SELECT 'c' || count(*), gen_random_uuid(), '{odd.weird}', 'ann', 'a@b', clock_timestamp() - interval '2 hours', clock_timestamp() + expires_in, request_state,
                      CASE WHEN request_state NOT IN ('pending', 'restoring') THEN now() END FROM snapback.request RETURNING id),
         m AS (INSERT INTO snapback.mail (kind, request, state, next_try_at, claimed_at) SELECT 'approval', id, mail_state, clock_timestamp() + next_try_in, CASE WHEN mail_state = 'sending' THEN now() END
               FROM r WHERE mail_state IS NOT NULL)
    SELECT id FROM r
$$;
CREATE FUNCTION pg_temp.queue_run(expected text, name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    -- Rolled back, so that no workers start.
    BEGIN
        said := (SELECT q::text FROM snapback.process_queue() q);
        RAISE EXCEPTION 'undo';
    EXCEPTION WHEN raise_exception THEN
        RETURN is(said, expected, name);
    END;
END $$;
BEGIN;
SELECT pg_temp.in_queue('pending', '1 hour', 'queued', '1 hour') AS _ \gset
SELECT pg_temp.queue_run('(0,0,0,0)', 'a mail that is not due is left alone');
SELECT pg_temp.in_queue('pending', '1 hour', 'queued', '-1 second') AS _ \gset
SELECT pg_temp.queue_run('(0,0,0,1)', 'one that is due counts');
SELECT pg_temp.in_queue('pending', '1 hour', 'sending') AS _ \gset
SELECT pg_temp.queue_run('(0,0,0,2)', 'and one that somebody was sending');
SELECT pg_temp.in_queue('cancelled', '1 hour', 'queued', '-1 second') AS _ \gset
SELECT pg_temp.queue_run('(0,0,0,2)', 'but none whose request has ended');
SELECT pg_temp.in_queue('pending', '-1 second') AS late \gset
SELECT pg_temp.queue_run('(1,0,0,2)', 'a request whose time is up expires');
SELECT is((SELECT state FROM snapback.requests WHERE request = :'late'), 'expired', 'and shows as expired before that');
SELECT pg_temp.in_queue('restoring', '-1 second') AS _ \gset
SELECT pg_temp.queue_run('(1,0,0,2)', 'one that is being restored does not');
INSERT INTO snapback.restore_run (community, snapshot, options, state) VALUES ('1', :'one', '{odd.weird}', 'queued');
SELECT pg_temp.queue_run('(1,0,1,2)', 'a restore that waits counts');
INSERT INTO snapback.restore_run (community, snapshot, options, state) VALUES ('1', :'one', '{odd.weird}', 'running') RETURNING id AS lost \gset
SELECT pg_temp.queue_run('(1,1,1,2)', 'one that runs, and nobody is at work on it, is interrupted');
SELECT is(snapback_internal.end_abandoned_restores(), 1::bigint, 'interrupted');
SELECT results_eq(format('SELECT state, sqlstate, message FROM snapback.restores WHERE restore = %L', :'lost'),
    $$ VALUES ('interrupted', '57P01', 'the background worker ended before the restore did; nothing was changed') $$, 'with a reason');
SELECT is(snapback_internal.end_expired_requests(), 1::bigint, 'expired');
SELECT is(snapback_internal.end_expired_requests(), 0::bigint, 'once');
SELECT * FROM finish();
ROLLBACK;
