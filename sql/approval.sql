-- Who may request a restore, and the states of a request until it ends. For mail itself see test/tap/mail.py. Everything that
-- would queue mail is rolled back, so that no worker starts.
\set ECHO none
SET client_min_messages = warning;
\getenv source PG_ABS_SRCDIR
\set fixture :source '/test/fixture/approval.sql'
\o /dev/null
\i :fixture
\o
RESET client_min_messages;
\set ECHO all
\set VERBOSITY default

-- Addresses.
SELECT address, snapback_internal.valid_address(address) FROM unnest(ARRAY['ada@example.org', 'a.b+c@mail.example', 'root@localhost', 'x', '@', 'a@', '@b',
    'a@b@c', 'a b@c', '"a b"@c', 'a..b@c', '.a@b', 'a.@b', 'a@b..c', 'a@-b', 'a@b-', 'a@[127.0.0.1]', 'ä@b', 'a@b,c@d', E'a@b\r\nRCPT TO:<c@d>', 'a@b>', '<a@b>',
    repeat('a', 64) || '@b', repeat('a', 65) || '@b', 'a@' || repeat('b', 63), 'a@' || repeat('b', 64)]) address;

-- Settings that are required for mail.
SET snapback.community = '42';
SET snapback.account = 'ada';
SELECT * FROM snapback.request_restore('{*}');
SET snapback.smtp_url = 'http://localhost';
SET snapback.smtp_url = 'smtp://localhost:1';
SELECT * FROM snapback.request_restore('{*}');
SET snapback.mail_from = 'restores';
SELECT * FROM snapback.request_restore('{*}');
SET snapback.mail_from = 'restores@cms.example';
SELECT * FROM snapback.request_restore('{*}');
SET snapback.approve_url = 'https://cms.example/approve';
SET snapback.approve_url = 'https://cms.example/approve?t={token}';

-- Refused requests, as a backend sees them. Owners see no snapshots of other communities.
SELECT id AS others FROM snapback.snapshot WHERE community = '43' \gset
SELECT id AS own FROM snapback.snapshot WHERE community = '42' \gset
CREATE ROLE regress_snapback_backend;
CREATE FUNCTION public.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail  text;
    hint    text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN regexp_replace(concat_ws(E'\n', SQLSTATE || ' ' || message, nullif(detail, ''), nullif(hint, '')), '[0-9a-f]{8}-[0-9a-f-]{27}', 'UUID', 'g');
END $$;
SELECT snapback.grant_backend('regress_snapback_backend');
SET SESSION AUTHORIZATION regress_snapback_backend;
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{nothing}'')');
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{}'')');
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{customization.pages}'', community => ''43'')');
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{customization.pages}'', requested_by => ''bob'')');
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{customization.pages}'', ' || quote_literal(:'others') || ')');
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{customization.pages}'', ''00000000-0000-0000-0000-000000000000'')');
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{customization.docs}'', NULL)');
SET snapback.account = 'bob';
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{customization.pages}'')');
SET snapback.account = '';
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{customization.pages}'')');
SET snapback.community = '';
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{customization.pages}'')');
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{customization.pages}'', NULL, ''99'', ''ada'')');
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{customization.pages}'', NULL, ''44'', ''cyd'')');
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{customization.pages}'', NULL, ''45'', ''dan'')');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT public.error_of('SELECT * FROM snapback.request_restore(''{customization.pages}'', NULL, ''42'', ''ada'')');
ROLLBACK;
-- Functions that a backend may not call.
SELECT public.error_of('SELECT snapback.restore(''{customization.pages}'', NULL, ''42'')');
SELECT public.error_of('SELECT snapback_internal.announce(''request_restored'', ''42'', NULL, NULL, ''restored'')');
SELECT public.error_of('SELECT * FROM snapback.process_queue()');
SELECT public.error_of('SELECT * FROM snapback.token');
SELECT public.error_of('SELECT snapback_internal.execute_restore(gen_random_uuid())');
RESET SESSION AUTHORIZATION;
SET snapback.community = '42';
SET snapback.account = 'ada';
\set SHOW_CONTEXT never
\set options '''{customization.pages}'''

-- A snapshot that is too old, or that no other follows.
BEGIN;
UPDATE snapback.snapshot SET captured_at = '2020-01-01 00:00:00+00' WHERE community = '42';
\set VERBOSITY sqlstate
SELECT * FROM snapback.request_restore(:options, NULL, '42', 'ada');
ROLLBACK;
BEGIN;
DELETE FROM snapback.snapshot WHERE community = '42';
SELECT * FROM snapback.request_restore(:options, NULL, '42', 'ada');
ROLLBACK;
\set VERBOSITY default

-- Create a secret for the tests; normally the mail worker does.
CREATE FUNCTION pg_temp.mint(request uuid, token text) RETURNS void
    LANGUAGE sql AS $$ INSERT INTO snapback.token (sha256, request) VALUES (sha256(convert_to(token, 'UTF8')), request) $$;
SELECT repeat('a', 42) || 'A' AS token, repeat('b', 42) || 'A' AS token2 \gset
CREATE VIEW pg_temp.story AS SELECT event, community, role = session_user AS by_the_dba, account, detail - 'snapshot' AS detail FROM snapback.audit ORDER BY at;

-- Request, describe, approve.
BEGIN;
SET LOCAL SESSION AUTHORIZATION regress_snapback_backend;
SELECT request, status, expires_at - now() BETWEEN '59 min' AND '61 min' AS in_an_hour
FROM snapback.request_restore('{customization.notices,customization.pages,customization.pages}') \gset
SELECT :'status' AS status, :'in_an_hour' AS in_an_hour;
RESET SESSION AUTHORIZATION;
SELECT kind, state, attempts, next_try_at <= clock_timestamp() AS due FROM snapback.mail;
SELECT pg_temp.mint(:'request', :'token'), pg_temp.mint(:'request', :'token2');
SET LOCAL SESSION AUTHORIZATION regress_snapback_backend;
SELECT community, name, requested_by, snapshot = :'own' AS snapshot, options, state, name_required FROM snapback.describe_request(:'token');
SELECT count(*) FROM snapback.describe_request(:'token') a JOIN snapback.describe_request(:'token2') b USING (request);
SELECT count(*) FROM snapback.describe_request(repeat('c', 43));
SELECT count(*) FROM snapback.describe_request('');
SELECT count(*) FROM snapback.describe_request(NULL);
SELECT status, reason, restore, changes FROM snapback.approve_restore(repeat('c', 43));
SELECT status, reason FROM snapback.approve_restore('ä' || repeat('c', 42));
SELECT status, reason FROM snapback.approve_restore(NULL);
SELECT status, reason FROM snapback.approve_restore(:'token', 'blue harbour rp');
SELECT status, reason, changes FROM snapback.approve_restore(:'token', 'Blue Harbour RP');
SELECT status, reason FROM snapback.approve_restore(:'token2', 'Blue Harbour RP');
RESET SESSION AUTHORIZATION;
SELECT state, ended_at IS NOT NULL AS ended, mail FROM snapback.requests;
SELECT count(*) AS tokens FROM snapback.token;
SELECT kind, state FROM snapback.mail ORDER BY queued_at;
SELECT state, tables, inserted, updated, deleted FROM snapback.restores;
SELECT * FROM pg_temp.story;
SELECT id, title FROM cms.page WHERE community = '42' AND (id <= 10 OR id >= 100) ORDER BY id;
-- A request that has ended keeps its state.
SELECT public.error_of('UPDATE snapback.request SET state = ''pending'', ended_at = NULL');
SELECT public.error_of('UPDATE snapback.request SET owner_email = ''eve@example.org''');
SELECT public.error_of('UPDATE snapback.restore_run SET state = ''running''');
ROLLBACK;

-- A failed restore changes nothing and can be approved again.
BEGIN;
SELECT request FROM snapback.request_restore(:options) \gset
SELECT pg_temp.mint(:'request', :'token');
INSERT INTO cms.page VALUES (1000, '43', 'taken', 'page-2');
SELECT status, reason, restore IS NOT NULL AS restore, changes FROM snapback.approve_restore(:'token');
SELECT state, sqlstate, message, tables FROM snapback.restores;
SELECT state FROM snapback.requests;
SELECT kind, state FROM snapback.mail ORDER BY queued_at;
SELECT count(*) FROM cms.page WHERE community = '42';
DELETE FROM cms.page WHERE id = 1000;
SELECT status, reason FROM snapback.approve_restore(:'token');
SELECT state FROM snapback.restores ORDER BY requested_at;
ROLLBACK;

-- Changes between request and approval.
BEGIN;
SELECT request FROM snapback.request_restore(:options) \gset
SELECT pg_temp.mint(:'request', :'token');
SAVEPOINT a;
UPDATE cms.community SET owner = 'eve' WHERE id = '42';
SELECT status, reason FROM snapback.approve_restore(:'token');
ROLLBACK TO a;
UPDATE cms.community SET email = 'eve@example.org' WHERE id = '42';
SELECT status, reason FROM snapback.approve_restore(:'token');
ROLLBACK TO a;
UPDATE cms.community SET pro = false WHERE id = '42';
SELECT status, reason FROM snapback.approve_restore(:'token');
ROLLBACK TO a;
UPDATE snapback.snapshot SET captured_at = captured_at - interval '8 days';
SELECT status, reason FROM snapback.approve_restore(:'token');
ROLLBACK TO a;
ALTER VIEW cms.directory RENAME TO directory_away;
CREATE VIEW cms.directory AS SELECT * FROM cms.directory_away WHERE community <> '42';
DELETE FROM snapback.directory;
SELECT snapback.set_directory('cms.directory');
SELECT status, reason FROM snapback.approve_restore(:'token');
SELECT name FROM snapback.describe_request(:'token');
ROLLBACK TO a;
DELETE FROM snapback.directory;
SELECT status, reason FROM snapback.approve_restore(:'token');
ROLLBACK TO a;
SET LOCAL snapback.require_community_name = on;
SELECT name_required FROM snapback.describe_request(:'token');
SELECT status, reason FROM snapback.approve_restore(:'token');
SELECT status, reason FROM snapback.approve_restore(:'token', '');
SELECT status, reason FROM snapback.approve_restore(:'token', 'Blue Harbour RP');
ROLLBACK TO a;
UPDATE cms.community SET name = NULL WHERE id = '42';
SELECT status, reason FROM snapback.approve_restore(:'token', '42');
ROLLBACK TO a;
-- The current name in the directory may be part of the damage: the name in the snapshot is shown, and approval accepts either.
UPDATE cms.community SET name = E'owned\r\nby nobody' WHERE id = '42';
SELECT name, current_name FROM snapback.describe_request(:'token');
SELECT name, current_name FROM snapback_internal.mail_facts((SELECT id FROM snapback.mail));
SELECT status, reason FROM snapback.approve_restore(:'token', 'nobody');
SELECT status, reason FROM snapback.approve_restore(:'token', E'owned\r\nby nobody');
ROLLBACK TO a;
UPDATE cms.community SET name = NULL WHERE id = '42';
SELECT name, current_name FROM snapback.describe_request(:'token');
SELECT status, reason FROM snapback.approve_restore(:'token', 'Blue Harbour RP');
ROLLBACK TO a;
UPDATE snapback.snapshot SET community_name = NULL;
SELECT name, current_name FROM snapback.describe_request(:'token');
SELECT status, reason FROM snapback.approve_restore(:'token', 'blue harbour rp');
SELECT status, reason FROM snapback.approve_restore(:'token', 'Blue Harbour RP');
ROLLBACK TO a;
-- A snapshot has no name if the directory has none, or if the name is too long or cannot be read.
SELECT community_name FROM snapback.snapshot WHERE community = '42';
UPDATE cms.community SET name = repeat('x', 1001) WHERE id = '42';
SELECT snapback.capture('42') AS nameless \gset
SELECT community_name FROM snapback.snapshot WHERE id = :'nameless';
UPDATE cms.community SET name = '' WHERE id = '42';
SELECT snapback.capture('42') AS nameless \gset
SELECT community_name FROM snapback.snapshot WHERE id = :'nameless';
ALTER VIEW cms.directory RENAME TO directory_away;
CREATE VIEW cms.directory AS SELECT community, (1 / (community::int - 42))::text AS name, owner, owner_email, restores_enabled FROM cms.directory_away WHERE community IN ('42', '43');
UPDATE snapback.directory SET relation = 'cms.directory';
SELECT snapback_internal.capture_batch('{42,43}', 'manual', '') AS nameless \gset
SELECT community, community_name FROM snapback.snapshot WHERE id = ANY (:'nameless') ORDER BY community;
ROLLBACK TO a;
SET LOCAL transaction_read_only = on;
SELECT state FROM snapback.describe_request(:'token');
SELECT status, reason FROM snapback.approve_restore(:'token');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT status, reason FROM snapback.approve_restore(:'token');
ROLLBACK;

-- A new request supersedes the pending one; too many are refused.
BEGIN;
SET LOCAL snapback.requests_per_hour = 2;
SELECT request AS first FROM snapback.request_restore(:options) \gset
SELECT pg_temp.mint(:'first', :'token');
SELECT request AS second FROM snapback.request_restore(:options) \gset
SELECT request = :'second' AS second, state, mail FROM snapback.requests ORDER BY requested_at;
SELECT status, reason FROM snapback.approve_restore(:'token');
SAVEPOINT a;
\set VERBOSITY terse
SELECT request FROM snapback.request_restore(:options);
\set VERBOSITY default
ROLLBACK TO a;
-- Cancel own pending requests.
SET LOCAL SESSION AUTHORIZATION regress_snapback_backend;
SELECT snapback.cancel_request(:'first') AS first, snapback.cancel_request(:'second') AS second, snapback.cancel_request(:'second') AS again;
SET LOCAL snapback.account = 'bob';
SAVEPOINT b;
SELECT snapback.cancel_request('00000000-0000-0000-0000-000000000000');
ROLLBACK TO b;
RESET SESSION AUTHORIZATION;
SELECT state FROM snapback.requests ORDER BY requested_at;
ROLLBACK;

-- The link becomes invalid when it expires, even before the queue is processed.
BEGIN;
SET LOCAL snapback.request_ttl = '1s';
SELECT request FROM snapback.request_restore(:options) \gset
SELECT pg_temp.mint(:'request', :'token');
SELECT pg_sleep(1.1);
SELECT state FROM snapback.requests;
SELECT state FROM snapback.describe_request(:'token');
SELECT status, reason FROM snapback.approve_restore(:'token');
SELECT * FROM snapback.process_queue();
SELECT state FROM snapback.request;
SELECT count(*) FROM snapback.describe_request(:'token');
SELECT state FROM snapback.mail;
ROLLBACK;
-- The expiration of the snapshot limits that of the request.
BEGIN;
SET LOCAL snapback.retention = '10min';
SELECT expires_at - clock_timestamp() BETWEEN interval '9 min' AND interval '10 min' AS with_the_snapshot FROM snapback.request_restore(:options);
ROLLBACK;

-- The constraints of the tables.
BEGIN;
SELECT request FROM snapback.request_restore(:options) \gset
SELECT regexp_replace(public.error_of($$INSERT INTO snapback.token SELECT '\x00', id FROM snapback.request$$), '\n.*', '');
SELECT public.error_of($$INSERT INTO snapback.request (community, snapshot, options, requested_by, owner_email, expires_at)
    SELECT community, snapshot, options, requested_by, owner_email, expires_at FROM snapback.request$$);
SELECT public.error_of($$UPDATE snapback.request SET state = 'failed'$$);
SELECT regexp_replace(public.error_of($$UPDATE snapback.request SET ended_at = now()$$), '\n.*', '');
SELECT regexp_replace(public.error_of($$UPDATE snapback.mail SET state = 'sent'$$), '\n.*', '');
SELECT regexp_replace(public.error_of($$UPDATE snapback.mail SET state = 'failed', next_try_at = NULL$$), '\n.*', '');
SELECT regexp_replace(public.error_of($$UPDATE snapback.mail SET kind = 'result'$$), '\n.*', '');
ROLLBACK;
SELECT snapback_internal.start_worker('tea');

-- Restores by a DBA, without mail.
BEGIN;
SELECT * FROM snapback.restore('{customization.pages}', NULL, '42');
SELECT state, request IS NULL AS by_dba, inserted, updated, deleted FROM snapback.restores;
SELECT event FROM pg_temp.story;
SELECT count(*) AS mails FROM snapback.mail;
ROLLBACK;
SELECT * FROM snapback.restore('{customization.pages}', NULL, '99');
SELECT * FROM snapback.restore('{customization.pages}', :'others', '43');
SELECT * FROM snapback.restore('{*}', '00000000-0000-0000-0000-000000000000', '43');
SELECT public.error_of('SELECT snapback.restore(''{customization.docs}'', NULL, ''43'')');
SELECT count(*) AS restores FROM snapback.restores WHERE state <> 'restored';

SELECT snapback.revoke_backend('regress_snapback_backend');
DROP ROLE regress_snapback_backend;
