-- Requests, secrets and mail: errors and their messages, states, and privileges of a backend.
-- All in one transaction that is rolled back: mail is sent after a commit.
BEGIN;
\set owner pgtap_approval_owner
\ir ../fixture/odd_names.sql
CREATE ROLE pgtap_backend;
SELECT snapback.grant_backend('pgtap_backend') AS _, snapback.capture('1') AS one, snapback.capture('2') AS two, snapback.capture('4') AS free \gset
CREATE TEMP TABLE grantable AS SELECT f AS oid, p.proname::text AS name FROM snapback_internal.backend_functions() f JOIN pg_proc p ON p.oid = f;
-- A strict function with a constant NULL argument would not be called.
CREATE TEMP TABLE forbidden AS SELECT p.oid::regprocedure AS oid, p.proname::text AS name, p.prokind, p.pronamespace::regnamespace AS schema,
        (SELECT string_agg(format(CASE p.prokind WHEN 'p' THEN 'NULL::%s' ELSE '(SELECT NULL::%s)' END, format_type(t, NULL)), ', ') FROM unnest(p.proargtypes) t) AS arguments
    FROM pg_proc p WHERE p.pronamespace IN ('snapback'::regnamespace, 'snapback_internal'::regnamespace) AND p.oid NOT IN (SELECT oid FROM grantable);
SELECT plan((233 + 2 * (SELECT count(*) FROM forbidden) + (SELECT count(*) FROM grantable) + 2 * (SELECT count(*) FROM pg_class WHERE relnamespace = 'snapback'::regnamespace AND relkind IN ('r', 'v', 'S')))::int);

-- ---- errors of a request

CREATE FUNCTION pg_temp.refused(arguments text, state text, message text, name text) RETURNS text LANGUAGE sql AS $$
    SELECT throws_ok(format('SELECT * FROM snapback.request_restore(%s)', arguments), state, message, name)
$$;
SELECT pg_temp.refused($$ '{*}' $$, '55000', 'no mail can be sent: snapback.smtp_url is not set', 'without a mail server');
SET snapback.smtp_url = 'smtp://127.0.0.1:1';
SELECT pg_temp.refused($$ '{*}' $$, '55000', 'no mail can be sent: snapback.mail_from is not set', 'without a sender');
SET snapback.mail_from = 'nobody';
SELECT pg_temp.refused($$ '{*}' $$, '55000', 'no mail can be sent: snapback.mail_from is not a mail address', 'with a sender that is none');
SET snapback.mail_from = 'restores@cms.example';
SELECT pg_temp.refused($$ '{*}' $$, '55000', 'no mail can be sent: snapback.approve_url is not set', 'without a link');
SELECT throws_ok($$ SET snapback.approve_url = 'https://cms.example' $$, '22023', NULL, 'a link needs a place for the secret');
SELECT throws_ok($$ SET snapback.smtp_url = 'http://cms.example' $$, '22023', NULL, 'a mail server is none of the web''s');
SELECT throws_ok($$ SET snapback.request_ttl = '25h' $$, '22023', NULL, 'a link lives for a day at most');
SELECT throws_ok($$ SET snapback.request_ttl = 0 $$, '22023', NULL, 'and for a second at least');
SELECT throws_ok($$ SET snapback.no_such_setting = 0 $$, '42602', NULL, 'there is no other setting');
SET snapback.approve_url = 'https://cms.example/{token}';
SELECT pg_temp.refused($$ '{*}' $$, '22023', 'no community is given', 'without a community');
SELECT pg_temp.refused($$ '{*}', community => '1' $$, '22023', 'no account is given', 'without an account');
SELECT pg_temp.refused($$ '{*}', NULL, '99', 'ann' $$, 'SB007', 'community "99" does not exist', 'for an unknown community');
SELECT pg_temp.refused($$ '{*}', NULL, '1', 'ben' $$, 'SB002', 'account "ben" is not the owner of community "1"', 'by who is not the owner');
SELECT pg_temp.refused($$ '{*}', NULL, '1', 'Ann' $$, 'SB002', 'account "Ann" is not the owner of community "1"', 'by who looks like the owner');
SELECT pg_temp.refused($$ '{*}', NULL, '4', 'dan' $$, 'SB003', 'restores are not enabled for community "4"', 'on a plan without restores');
SELECT pg_temp.refused($$ '{*}', NULL, '3', 'cat' $$, 'SB008', 'community "3" has no snapshot', 'without a snapshot');
SELECT pg_temp.refused(format($$ '{*}', %L, '1', 'ann' $$, :'two'), 'SB008', format('community "1" has no snapshot %s', :'two'), 'from another''s snapshot');
SELECT pg_temp.refused($$ '{odd.none}', NULL, '1', 'ann' $$, 'SB001', 'option or category does not exist: "odd.none"', 'for an unknown option');
SELECT pg_temp.refused($$ '{}', NULL, '1', 'ann' $$, 'SB001', 'no option is specified', 'for no option');
UPDATE "Odd Schema"."Tenants" SET mailbox = 'ann@example.org, eve@example.org' WHERE "Key" = 1;
SELECT pg_temp.refused($$ '{*}', NULL, '1', 'ann' $$, '55000', 'the owner of community "1" has no usable mail address', 'to two mailboxes');
UPDATE "Odd Schema"."Tenants" SET mailbox = NULL WHERE "Key" = 1;
SELECT pg_temp.refused($$ '{*}', NULL, '1', 'ann' $$, '55000', 'the owner of community "1" has no usable mail address', 'to none');
UPDATE "Odd Schema"."Tenants" SET mailbox = 'ann@example.org', boss = NULL WHERE "Key" = 1;
SELECT pg_temp.refused($$ '{*}', NULL, '1', 'ann' $$, 'SB002', NULL, 'where nobody is the owner');
UPDATE "Odd Schema"."Tenants" SET boss = 'ann' WHERE "Key" = 1;
SELECT snapback.add_option('odd.late', 'Late', '') AS _ \gset
CREATE TABLE "Odd Schema".late (id int PRIMARY KEY, cid int NOT NULL REFERENCES "Odd Schema"."Tenants");
SELECT snapback.protect('"Odd Schema".late', 'odd.late') AS _ \gset
SELECT pg_temp.refused($$ '{odd.late}', NULL, '1', 'ann' $$, 'SB005', format('snapshot %s does not contain odd.late', :'one'), 'for what the snapshot does not hold');
UPDATE snapback.snapshot SET captured_at = captured_at - interval '7 days' WHERE id = :'one';
SELECT pg_temp.refused($$ '{odd.weird}', NULL, '1', 'ann' $$, 'SB004', format('snapshot %s has expired', :'one'), 'from a snapshot that is too old');
UPDATE snapback.snapshot SET captured_at = captured_at + interval '7 days' WHERE id = :'one';
SELECT is_empty('SELECT FROM snapback.request UNION ALL SELECT FROM snapback.mail UNION ALL SELECT FROM snapback.audit', 'whatever is refused leaves no trace');

-- ---- the steps of a request

SELECT request AS first FROM snapback.request_restore('{odd.weird,odd.children,even.plain}', NULL, '1', 'ann') \gset
SELECT results_eq($$ SELECT community, options, requested_by, owner_email, state, mail, mail_attempts FROM snapback.requests $$,
    $$ VALUES ('1', '{odd.weird,odd.children,even.plain}'::text[], 'ann', 'ann@example.org', 'pending', 'queued', 0) $$, 'a request is pending, and its mail waits');
SELECT is_empty('SELECT FROM snapback.token', 'there is no secret before the mail is sent');
SELECT is((SELECT expires_at - requested_at < interval '1 hour 1 second' FROM snapback.request), true, 'it is open for an hour');
CREATE FUNCTION pg_temp.mint(request uuid, letter text) RETURNS text LANGUAGE sql AS $$
    INSERT INTO snapback.token (sha256, request) VALUES (sha256(convert_to(repeat(letter, 43), 'UTF8')), request) RETURNING repeat(letter, 43)
$$;
SELECT pg_temp.mint(:'first', 'a') AS token, pg_temp.mint(:'first', 'b') AS token2 \gset
SELECT results_eq(format('SELECT request, community, name, requested_by, snapshot, state, name_required FROM snapback.describe_request(%L)', :'token'),
    format($$ VALUES (%L::uuid, '1', 'One', 'ann', %L::uuid, 'pending', false) $$, :'first', :'one'), 'the approval page shows it');
SELECT results_eq(format($$SELECT jsonb_agg(jsonb_build_object('option', o -> 'option', 'label', o -> 'label', 'rows', o -> 'rows') ORDER BY n)
             FROM snapback.describe_request(%L), jsonb_array_elements(options) WITH ORDINALITY e (o, n)$$, :'token2'),
    $$ VALUES ('[{"option": "odd.weird", "label": "Weird", "rows": 10}, {"option": "odd.children", "label": "Children", "rows": 20}, {"option": "even.plain", "label": "Plain", "rows": 5}]'::jsonb) $$,
    'by each of its secrets');
SELECT is_empty(format('SELECT * FROM snapback.describe_request(%L)', t), format('but not by %L', left(t, 50))) FROM unnest(ARRAY[repeat('c', 43), '', NULL, repeat('a', 42), repeat('a', 44), repeat('a', 42) || '=',
    ' ' || :'token', upper(:'token'), encode(sha256(convert_to(:'token', 'UTF8')), 'hex'), E'\\x' || encode(sha256(convert_to(:'token', 'UTF8')), 'hex'), repeat('ä', 43)]) t;
CREATE FUNCTION pg_temp.approval(token text, name text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(': ', status, reason) FROM snapback.approve_restore(token, name) $$;
SELECT is(pg_temp.approval(t), 'refused: the link is unknown or no longer valid', format('%L does not approve either', left(t, 50))) FROM unnest(ARRAY[repeat('c', 43), '', NULL, encode(sha256(convert_to(:'token', 'UTF8')), 'hex')]) t;
SELECT is(pg_temp.approval(:'token', n), 'refused: the name is not the community''s name', format('the name is One, not %L', n)) FROM unnest(ARRAY['one', 'One ', '', 'Two']) n;
SET LOCAL snapback.require_community_name = on;
SELECT is(pg_temp.approval(:'token'), 'refused: the community''s name must be given', 'and must be given, where that is demanded');
SET LOCAL snapback.require_community_name = off;
CREATE FUNCTION pg_temp.meanwhile(statement text, token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    BEGIN
        EXECUTE statement;
        said := pg_temp.approval(token);
        RAISE EXCEPTION 'undo';
    EXCEPTION WHEN raise_exception THEN
        RETURN said;
    END;
END $$;
SELECT is(pg_temp.meanwhile(statement, :'token'), 'refused: ' || reason, reason) FROM (VALUES
    ('UPDATE "Odd Schema"."Tenants" SET boss = ''eve'' WHERE "Key" = 1', 'the community''s owner or the owner''s mail address has changed since the request'),
    ('UPDATE "Odd Schema"."Tenants" SET mailbox = ''eve@example.org'' WHERE "Key" = 1', 'the community''s owner or the owner''s mail address has changed since the request'),
    ('UPDATE "Odd Schema"."Tenants" SET mailbox = NULL WHERE "Key" = 1', 'the community''s owner or the owner''s mail address has changed since the request'),
    ('UPDATE "Odd Schema"."Tenants" SET plan = NULL WHERE "Key" = 1', 'restores are no longer enabled for the community'),
    ('UPDATE snapback.snapshot SET captured_at = captured_at - interval ''7 days''', 'the snapshot has expired'),
    ('DELETE FROM snapback.snapshot', 'the snapshot has expired'),
    ('CREATE OR REPLACE VIEW "Odd Schema"."The ""Directory""" AS SELECT "Key" AS community, title AS name, boss AS owner, mailbox AS owner_email, plan AS restores_enabled FROM "Odd Schema"."Tenants" WHERE false',
     'the community no longer exists')) v (statement, reason);
DELETE FROM "Odd Schema"."Weird ""Table""" WHERE "Id'" = 2;
SELECT results_eq(format('SELECT status, reason, jsonb_array_length(changes) FROM snapback.approve_restore(%L, ''One'')', :'token2'), $$ VALUES ('restored', NULL, 3) $$, 'the second secret approves as the first would');
SELECT is((SELECT count(*) FROM "Odd Schema"."Child's" WHERE parent = 2), 2::bigint, 'and what was lost is back');
SELECT is_empty('SELECT FROM snapback.token', 'no secret outlives its request');
SELECT is(pg_temp.approval(:'token'), 'refused: the link is unknown or no longer valid', 'the first one approves nothing more');
SELECT results_eq($$ SELECT kind, state FROM snapback.mail ORDER BY queued_at $$, $$ VALUES ('approval', 'dropped'), ('result', 'queued') $$, 'the owner gets a mail with the result');
SELECT results_eq($$ SELECT event FROM snapback.audit ORDER BY at $$, $$ VALUES ('request_pending'), ('approval_refused'), ('approval_refused'), ('approval_refused'), ('approval_refused'), ('approval_refused'),
    ('request_approved'), ('restore_running'), ('restore_restored'), ('request_restored') $$, 'every step is on record');

SELECT request AS second FROM snapback.request_restore('{odd.weird}', NULL, '1', 'ann') \gset
SELECT pg_temp.mint(:'second', 'd') AS token \gset
SELECT request AS third FROM snapback.request_restore('{odd.weird}', NULL, '1', 'ann') \gset
SELECT is((SELECT array_agg(state ORDER BY requested_at) FROM snapback.request), '{restored,superseded,pending}', 'a request takes the place of the one before');
SELECT is(pg_temp.approval(:'token'), 'refused: the link is unknown or no longer valid', 'whose secret dies');
SELECT is(snapback.cancel_request(:'second'), false, 'what has ended cannot be cancelled');
SELECT is(snapback.cancel_request(:'third'), true, 'what is pending can');
SELECT throws_ok($$ SELECT snapback.cancel_request('00000000-0000-0000-0000-000000000000') $$, '42704', 'request 00000000-0000-0000-0000-000000000000 does not exist or belongs to others', 'what there is not cannot');
SET LOCAL snapback.requests_per_hour = 3;
SELECT pg_temp.refused($$ '{odd.weird}', NULL, '1', 'ann' $$, 'SB006', 'too many restores were requested for community "1"', 'requests of the last hour count');
SELECT lives_ok($$ SELECT snapback.request_restore('{odd.weird}', NULL, '2', 'ben') $$, 'another community has its own');
SET LOCAL snapback.requests_per_hour = 1000;

-- ---- states

CREATE FUNCTION pg_temp.entered(state text) RETURNS uuid LANGUAGE sql AS $$
    DELETE FROM snapback.request WHERE community = 'x' AND state = 'pending';
    INSERT INTO snapback.request (community, snapshot, options, requested_by, owner_email, expires_at, state, ended_at)
    VALUES ('x', gen_random_uuid(), '{odd.weird}', 'ann', 'ann@example.org', clock_timestamp() + interval '1 hour', state, CASE WHEN state NOT IN ('pending', 'restoring') THEN now() END) RETURNING id
$$;
CREATE FUNCTION pg_temp.moved(before text, after text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    request   uuid := pg_temp.entered(before);
    statement text := format('UPDATE snapback.request SET state = %L WHERE id = %L', after, request);
BEGIN
    IF before = 'pending' AND after IN ('restoring', 'restored', 'superseded', 'cancelled', 'expired') OR before = 'restoring' AND after IN ('restored', 'pending', 'failed', 'superseded') THEN
        RETURN lives_ok(statement, format('a request that is %s may become %s', before, after));
    END IF;
    RETURN throws_ok(statement, '55000', format('request %s is %s and cannot become %s', request, before, after), format('a request that is %s does not become %s', before, after));
END $$;
SELECT pg_temp.moved(b, a) FROM unnest('{pending,restoring,restored,failed,superseded,cancelled,expired}'::text[]) b, unnest('{pending,restoring,restored,failed,superseded,cancelled,expired}'::text[]) a WHERE a <> b;
SELECT pg_temp.entered('pending') AS pending \gset
SELECT throws_ok(format('UPDATE snapback.request SET %s WHERE id = %L', change, :'pending'), '55000', format('request %s cannot be altered', :'pending'), change)
FROM unnest(ARRAY['id = gen_random_uuid()', 'community = ''y''', 'snapshot = gen_random_uuid()', 'options = ''{*}''', 'requested_by = ''eve''', 'owner_email = ''eve@example.org''',
    'requested_at = requested_at - interval ''1 s''', 'expires_at = expires_at + interval ''1 s''']) change;
SELECT throws_ok(format($$ INSERT INTO snapback.request (community, snapshot, options, requested_by, owner_email, requested_at, expires_at, state, ended_at)
                           SELECT 'y', gen_random_uuid(), %L, 'ann', 'a@b', now(), %s, %L, %s $$, options, expires_at, state, ended_at), '23514', NULL, name)
FROM (VALUES ('{}', 'now() + interval ''1 hour''', 'pending', 'NULL', 'a request is for something'), ('{x}', 'now()', 'pending', 'NULL', 'and open for a while'),
             ('{x}', 'now() + interval ''25 hours''', 'pending', 'NULL', 'for a day at most'), ('{x}', 'now() + interval ''1 hour''', 'done', 'now()', 'in a state that there is'),
             ('{x}', 'now() + interval ''1 hour''', 'pending', 'now()', 'not ended while it is pending'), ('{x}', 'now() + interval ''1 hour''', 'restoring', 'now()', 'nor while it is restored'),
             ('{x}', 'now() + interval ''1 hour''', 'cancelled', 'NULL', 'ended when it has ended')) v (options, expires_at, state, ended_at, name);
SELECT throws_ok($$ INSERT INTO snapback.request (community, snapshot, options, requested_by, owner_email, expires_at)
                    SELECT community, snapshot, options, requested_by, owner_email, now() + interval '1 hour' FROM snapback.request WHERE state = 'pending' LIMIT 1 $$, '23505', NULL, 'of a community''s requests one is pending');

SELECT is(snapback_internal.token_hash(t), NULL, format('%L cannot be a secret', left(t, 50))) FROM unnest(ARRAY['', repeat('a', 42), repeat('a', 44), repeat('a', 42) || ' ', repeat('a', 42) || '=']) t;
SELECT throws_ok(format($$ INSERT INTO snapback.token (sha256, request) VALUES ('\x00', %L) $$, :'pending'), '23514', NULL, 'of a secret its SHA-256 is kept');
SELECT throws_ok($$ INSERT INTO snapback.token (sha256, request) VALUES (sha256('x'), gen_random_uuid()) $$, '23503', NULL, 'for its request');

CREATE FUNCTION pg_temp.mail(kind text, state text, next_try_at timestamptz, claimed_at timestamptz, sent_at timestamptz, last_error text, with_restore boolean DEFAULT false) RETURNS void LANGUAGE sql AS $$
    INSERT INTO snapback.mail (kind, request, restore, state, next_try_at, claimed_at, sent_at, last_error)
    SELECT kind, r.id, CASE WHEN with_restore THEN (SELECT min(id::text)::uuid FROM snapback.restore_run) END, mail.state, next_try_at, claimed_at, sent_at, last_error
    FROM snapback.request r WHERE r.community = 'x' AND r.state = 'pending'
$$;
SELECT lives_ok(format('SELECT pg_temp.mail(%s)', a), 'a mail may be: ' || a) FROM unnest(ARRAY[$$ 'approval', 'queued', now(), NULL, NULL, NULL $$, $$ 'approval', 'queued', now(), now(), NULL, 'x' $$,
    $$ 'approval', 'sending', NULL, now(), NULL, NULL $$, $$ 'approval', 'sent', NULL, now(), now(), NULL $$, $$ 'approval', 'failed', NULL, now(), NULL, 'x' $$, $$ 'approval', 'dropped', NULL, NULL, NULL, NULL $$,
    $$ 'result', 'queued', now(), NULL, NULL, NULL, true $$]) a;
SELECT throws_ok(format('SELECT pg_temp.mail(%s)', a), '23514', NULL, 'but not: ' || a) FROM unnest(ARRAY[$$ 'approval', 'queued', NULL, NULL, NULL, NULL $$, $$ 'approval', 'sending', now(), now(), NULL, NULL $$,
    $$ 'approval', 'sending', NULL, NULL, NULL, NULL $$, $$ 'approval', 'sent', NULL, now(), NULL, NULL $$, $$ 'approval', 'queued', now(), NULL, now(), NULL $$, $$ 'approval', 'failed', NULL, now(), NULL, NULL $$,
    $$ 'approval', 'failed', now(), now(), NULL, 'x' $$, $$ 'result', 'queued', now(), NULL, NULL, NULL $$, $$ 'approval', 'queued', now(), NULL, NULL, NULL, true $$, $$ 'advertisement', 'queued', now(), NULL, NULL, NULL $$]) a;
SELECT throws_ok('INSERT INTO snapback.mail (kind, request) VALUES (''approval'', gen_random_uuid())', '23503', NULL, 'and not about nothing');
SELECT throws_ok('SELECT snapback_internal.start_worker(''tea'')', '22023', 'worker "tea" does not exist', 'workers send mail and restore');
SELECT throws_ok('SELECT snapback_internal.queue_mail(NULL, NULL, NULL)', '23502', NULL, 'and nothing is no mail');

-- ---- privileges of a backend

SELECT is_empty($$ SELECT name FROM grantable WHERE name IN ('restore', 'capture', 'capture_all', 'capture_batch', 'expire', 'forget', 'erase_rows', 'execute_restore', 'record_restore', 'execute_requested_restore', 'announce',
    'queue_mail', 'claim_mail', 'note_mail_sent', 'process_queue', 'run_in_database', 'schedule', 'unschedule', 'grant_backend', 'revoke_backend', 'set_directory', 'protect', 'unprotect', 'snapshot_rows', 'mail_facts') $$,
    'what sets up, destroys or tells too much is not a backend''s');
SELECT is_empty('SELECT g.name FROM grantable g JOIN pg_proc p ON p.oid = g.oid WHERE NOT p.prosecdef', 'what is runs with the extension''s rights, for it has none of its own');
SELECT schema_privs_are('snapback', 'pgtap_backend', '{USAGE}');
SELECT is(has_function_privilege('pgtap_backend', oid::oid, 'EXECUTE'), true, format('a backend may call %s', oid)) FROM grantable;
SELECT is(has_function_privilege('pgtap_backend', oid::oid, 'EXECUTE'), false, format('a backend may not call %s', oid)) FROM forbidden;
SELECT is(public.outcome('pgtap_backend', format('%s %s.%I(%s)', CASE prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT' END, schema, name, arguments)),
          CASE schema WHEN 'snapback'::regnamespace THEN format('42501: permission denied for %s %s', CASE prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, name)
                      ELSE '42501: permission denied for schema snapback_internal' END, format('and is refused %s', oid)) FROM forbidden;
SELECT table_privs_are('snapback', relname, 'pgtap_backend', CASE WHEN relname IN ('requests', 'restores', 'restore_progress') THEN '{SELECT}'::text[] ELSE '{}' END,
                       format('what right a backend has to snapback.%s', relname))
FROM pg_class WHERE relnamespace = 'snapback'::regnamespace AND relkind IN ('r', 'v');
SELECT sequence_privs_are('snapback', relname, 'pgtap_backend', '{}', format('a backend has no right to snapback.%s', relname)) FROM pg_class WHERE relnamespace = 'snapback'::regnamespace AND relkind = 'S';
SELECT matches(public.outcome('pgtap_backend', format('SELECT count(*) FROM snapback.%I', relname)),
               CASE WHEN relname IN ('requests', 'restores', 'restore_progress') THEN '^done$' ELSE '^42501: permission denied' END, format('and whether it can read it: %s', relname))
FROM pg_class WHERE relnamespace = 'snapback'::regnamespace AND relkind IN ('r', 'v', 'S');

SET LOCAL snapback.community = '1';
SET LOCAL snapback.account = 'ann';
SELECT is(public.outcome('pgtap_backend', statement), 'done', statement) FROM unnest(ARRAY['SELECT * FROM snapback.list_snapshots(''1'')', format('SELECT * FROM snapback.snapshot_contents(%L)', :'one'),
    'SELECT * FROM snapback.preview_restore(''{odd.weird}'')', 'SELECT * FROM snapback.request_restore(''{odd.weird}'')', 'SELECT * FROM snapback.describe_request(repeat(''x'', 43))',
    'SELECT * FROM snapback.approve_restore(repeat(''x'', 43))', 'SELECT snapback.is_locked(''1'')', 'SET LOCAL snapback.community = ''1''', 'SET LOCAL snapback.account = ''ann''']) statement;
SELECT is(public.outcome('pgtap_backend', format('SELECT snapback.cancel_request(%L)', (SELECT id FROM snapback.request WHERE community = '1' AND state = 'pending'))), 'done', 'cancel_request() of its own');

-- The requests and restores that it sees: those of its community, with any condition.
SAVEPOINT followed;
INSERT INTO snapback.restore_run (community, snapshot, options, request, state, ended_at, message, sqlstate, switches)
SELECT r.community, r.snapshot, r.options, r.id, 'failed', now(), 'a value of ' || r.community, '22P02', '{"rows": {}}' FROM snapback.request r WHERE r.community IN ('1', '2');
INSERT INTO snapback.restore_run (community, snapshot, options) VALUES ('2', :'two', '{odd.weird}'), ('', :'two', '{odd.weird}');
CREATE FUNCTION pg_temp.seen(role text, acting_for text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    seen   text;
    before text := session_user;
BEGIN
    PERFORM set_config('snapback.community', acting_for, true), set_config('session_authorization', role, true);
    EXECUTE format('SELECT string_agg(DISTINCT q::text, '' '') FROM (%s) q', query) INTO seen;
    PERFORM set_config('session_authorization', before, true);
    RETURN seen;
END $$;
SELECT is(pg_temp.seen('pgtap_backend', c, format('SELECT community FROM snapback.%s', v)), CASE WHEN c IN ('1', '2') THEN format('(%s)', c) END, format('acting for %L it sees of %s that community''s', c, v))
FROM unnest('{requests,restores}'::text[]) v, unnest(ARRAY['1', '2', '', 'nobody', ' 1', '1 ']) c;
CREATE FUNCTION public.leak(community text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE EXCEPTION 'leaked %', community; END $$;
SELECT is(public.outcome('pgtap_backend', format('SET LOCAL snapback.community = ''none''; SELECT * FROM snapback.%s WHERE public.leak(community)', v)), 'done', format('no condition looks behind %s', v))
FROM unnest('{requests,restores,restore_progress}'::text[]) v;
SELECT is(pg_temp.seen('pgtap_backend', '1', 'SELECT owner_email, mail_error, requested_by FROM snapback.requests'), '(,,ann)', 'of a request who made it, but no address');
SELECT is(pg_temp.seen('pgtap_backend', '1', 'SELECT state, sqlstate, message, switches FROM snapback.restores WHERE message LIKE ''a value%'''), '(failed,22P02,"a value of 1","{""rows"": {}}")', 'of a restore how it ended, and why');
SELECT is(pg_temp.seen('pgtap_backend', '2', format('SELECT restore FROM snapback.restores WHERE request = %L', (SELECT id FROM snapback.request WHERE community = '1' LIMIT 1))), NULL, 'not another''s by its request');
SELECT is(pg_temp.seen('pgtap_backend', '2', 'SELECT count(*) FROM snapback.restores r JOIN snapback.requests q USING (request)'),
          pg_temp.seen(session_user, '', 'SELECT count(*) FROM snapback.restores r JOIN snapback.requests q USING (request) WHERE r.community = ''2'''), 'its restores lead to its requests');
CREATE ROLE pgtap_approval_watcher IN ROLE pg_monitor;
SELECT is(pg_temp.seen('pgtap_approval_watcher', '', 'SELECT community, owner_email, mail_error, requested_by, switches FROM snapback.requests WHERE community IN (''1'', ''2'')'), '(1,,,,) (2,,,,)', 'pg_monitor sees all communities, and nobody''s name');
SELECT is(pg_temp.seen('pgtap_approval_watcher', '', 'SELECT community, sqlstate, message, switches FROM snapback.restores WHERE state = ''failed'' AND sqlstate = ''22P02'''), '(1,22P02,,) (2,22P02,,)', 'and no message that may quote a row');
SELECT is(pg_temp.seen(session_user, '2', 'SELECT community FROM snapback.restores WHERE community <> '''''), '(1) (2)', 'a superuser sees all, whomever the session acts for');
-- The other duties: dump and operate.
CREATE ROLE pgtap_dumper;
SELECT snapback.grant_dump('pgtap_dumper') AS _ \gset
SELECT is(pg_temp.seen('pgtap_dumper', '', 'SELECT id, owner_email FROM snapback.request'), pg_temp.seen(session_user, '', 'SELECT request, owner_email FROM snapback.requests'), 'who may dump the tables reads them');
SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'snapback'::regnamespace AND c.relkind = 'r' AND NOT has_table_privilege('pgtap_dumper', c.oid, 'SELECT')
    UNION ALL SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'snapback'::regnamespace AND CASE c.relkind WHEN 'S' THEN NOT has_sequence_privilege('pgtap_dumper', c.oid, 'SELECT') END $$, 'all of them');
SELECT is_empty($$ SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'snapback'::regnamespace AND c.relkind = 'r' AND has_table_privilege('pgtap_dumper', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    UNION ALL SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace IN ('snapback'::regnamespace, 'snapback_internal'::regnamespace) AND has_function_privilege('pgtap_dumper', p.oid, 'EXECUTE') $$, 'and does nothing else');
SELECT snapback.grant_backend('pgtap_dumper') AS _, snapback.revoke_dump('pgtap_dumper') AS _ \gset
SELECT is(public.outcome('pgtap_dumper', 'SELECT * FROM snapback.list_snapshots(''1'')'), 'done', 'one duty that is taken back leaves the other');
SELECT matches(public.outcome('pgtap_dumper', 'SELECT * FROM snapback.chunk'), '^42501', '(it is taken back)');
SELECT snapback.grant_operator('pgtap_dumper') AS _, snapback.revoke_backend('pgtap_dumper') AS _ \gset
SELECT is(public.outcome('pgtap_dumper', statement), 'done', statement) FROM unnest(ARRAY['SELECT snapback.capture(''1'', ''by an operator'')', 'SELECT * FROM snapback.restore(''{odd.weird}'', NULL, ''1'')']) statement;
SELECT is(public.outcome('pgtap_dumper', format('SELECT * FROM snapback.undo_restore(%L)', (SELECT restore FROM snapback.restores WHERE state = 'restored' AND community = '1' LIMIT 1))), 'done', 'SELECT * FROM snapback.undo_restore(...)');
SELECT matches(public.outcome('pgtap_dumper', statement), '^42501', 'no operator''s: ' || statement) FROM unnest(ARRAY['SELECT snapback_internal.capture_batch(''{1}'', ''manual'', '''')', 'SELECT snapback.forget(''1'')', 'CALL snapback.capture_all()',
    'SELECT snapback.grant_operator(''pgtap_dumper'')']) statement;
SELECT snapback.revoke_operator('pgtap_dumper') AS _ \gset
SELECT schema_privs_are('snapback', 'pgtap_dumper', '{}'::name[], 'the last one takes the schema along');
ROLLBACK TO followed;

SELECT request AS bens FROM snapback.requests WHERE community = '2' \gset
SELECT is(public.outcome('pgtap_backend', statement), expected, expected) FROM (VALUES
    ('SELECT * FROM snapback.request_restore(''{odd.weird}'', community => ''2'')', '42501: this session acts for community "1", not for "2"'),
    ('SELECT * FROM snapback.request_restore(''{odd.weird}'', requested_by => ''ben'')', '42501: this session acts for account "ann", not for "ben"'),
    ('SELECT * FROM snapback.preview_restore(''{odd.weird}'', community => ''2'')', '42501: this session acts for community "1", not for "2"'),
    (format('SELECT * FROM snapback.preview_restore(''{odd.weird}'', %L)', :'two'), format('SB008: community "1" has no snapshot %s', :'two')),
    (format('SELECT snapback.cancel_request(%L)', :'bens'), format('42704: request %s does not exist or belongs to others', :'bens'))) v (statement, expected);
SELECT is(public.outcome('pgtap_backend', format('SET snapback.%s = DEFAULT', name)), format('42501: permission denied to set parameter "snapback.%s"', name), format('it cannot set snapback.%s', name))
FROM unnest('{retention,request_ttl,requests_per_hour,lock_timeout,require_community_name,smtp_url,smtp_user,smtp_password_file,smtp_ca_file,smtp_require_tls,smtp_timeout,mail_from,approve_url}'::text[]) name;
SELECT matches(public.outcome('pgtap_backend', format('SHOW snapback.%s', name)), '^42501', format('nor see snapback.%s', name)) FROM unnest('{smtp_user,smtp_password_file}'::text[]) name;
SELECT matches(public.outcome('pgtap_backend', statement), '^42501', statement) FROM unnest(ARRAY['DROP EXTENSION pg_snapback', 'ALTER EXTENSION pg_snapback UPDATE', 'CREATE TABLE snapback.x ()',
    'CREATE FUNCTION snapback.x() RETURNS int LANGUAGE sql AS ''SELECT 1''', 'DROP SCHEMA snapback CASCADE', 'ALTER TABLE "Odd Schema".plain DISABLE TRIGGER ALL', 'SET session_replication_role = replica']) statement;
SELECT lives_ok('SELECT snapback.revoke_backend(''pgtap_backend'')', 'what was granted can be taken back');
SELECT is_empty('SELECT name FROM grantable WHERE has_function_privilege(''pgtap_backend'', oid::oid, ''EXECUTE'')', 'all of it');
SELECT schema_privs_are('snapback', 'pgtap_backend', '{}'::name[]);

SELECT * FROM finish();
ROLLBACK;
