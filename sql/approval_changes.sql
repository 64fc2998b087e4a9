-- Changes to a request and its objects before its link is used. The approval reports them correctly,
-- in the foreground and in the background, and can be tried again unless the request has ended.
\set ECHO none
SET client_min_messages = error;
\getenv source PG_ABS_SRCDIR
\set fixture :source '/test/fixture/approval.sql'
\o /dev/null
DROP EXTENSION IF EXISTS pg_snapback CASCADE;
DROP SCHEMA IF EXISTS cms CASCADE;
CREATE EXTENSION pg_snapback;
\i :fixture
\pset format unaligned
\pset tuples_only on
SET snapback.smtp_url = 'smtp://localhost:1';
SET snapback.mail_from = 'restores@cms.example';
SET snapback.approve_url = 'https://cms.example/approve?t={token}';
SET snapback.requests_per_hour = 1000;
CREATE FUNCTION token() RETURNS text LANGUAGE sql AS $$ SELECT repeat('a', 42) || 'A' $$;
CREATE FUNCTION asked(options text[], strict boolean DEFAULT false) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    asked uuid := (SELECT request FROM snapback.request_restore(options, NULL, '42', 'ada', strict => strict));
BEGIN
    INSERT INTO snapback.token (sha256, request) VALUES (snapback_internal.token_hash(token()), asked);
    RETURN asked;
END $$;
-- The steps of the restore worker, in its three transactions.
CREATE FUNCTION worked() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    run uuid := snapback_internal.claim_restore();
    state text;
    message text;
BEGIN
    UPDATE snapback.restore_run SET state = 'running', started_at = clock_timestamp() WHERE id = run;
    BEGIN
        PERFORM snapback_internal.execute_requested_restore(run);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
        PERFORM snapback_internal.note_restore_failure(run, 'failed', state, message);
    END;
END $$;
CREATE FUNCTION approved(background boolean DEFAULT false, name text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(': ', a.status, a.reason, (SELECT string_agg(concat(t ->> 'relation', ' +', t ->> 'inserted', ' ~', t ->> 'updated', ' -', t ->> 'deleted'), ', ' ORDER BY t ->> 'relation')
                                                FROM jsonb_array_elements(a.changes) t WHERE t ? 'inserted'))
    FROM snapback.approve_restore(token(), name, background) a $$;
CREATE FUNCTION outcome() RETURNS text LANGUAGE sql AS $$
    SELECT concat('request ' || (SELECT string_agg(r.state, ', ' ORDER BY r.requested_at) FROM snapback.requests r),
                  '; restore ' || (SELECT string_agg(concat_ws(' ', r.state, r.sqlstate, r.message), ', ' ORDER BY r.requested_at) FROM snapback.restores r),
                  '; mail ' || (SELECT string_agg(m.kind || ' ' || m.state, ', ' ORDER BY m.kind) FROM snapback.mail m)) $$;
-- Request, change something, approve; report the result and roll back.
CREATE FUNCTION tried(statement text, options text[], strict boolean, background boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    PERFORM asked(options, strict);
    EXECUTE statement;
    said := approved(background);
    IF said = 'started' THEN
        PERFORM worked();
    END IF;
    RAISE EXCEPTION USING MESSAGE = said, DETAIL = outcome();
EXCEPTION WHEN raise_exception THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    RETURN regexp_replace(concat_ws(' | ', SQLERRM, said), '[0-9a-f]{8}-[0-9a-f-]{27}', 'UUID', 'g');
END $$;
CREATE FUNCTION meanwhile(statement text, options text[] DEFAULT '{customization.pages}', strict boolean DEFAULT false) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT tried(statement, options, strict, b) FROM unnest(ARRAY[false, true]) b $$;
\o
\set ECHO all

SELECT meanwhile('SELECT 1');

-- The request
SELECT meanwhile($$SELECT snapback.request_restore('{customization.pages}', NULL, '42', 'ada')$$);
SELECT meanwhile('SELECT snapback.cancel_request(id) FROM snapback.request');
SELECT meanwhile('SET LOCAL session_replication_role = replica; UPDATE snapback.request SET requested_at = requested_at - interval ''2 hours'', expires_at = expires_at - interval ''2 hours''; SET LOCAL session_replication_role = origin');
SELECT meanwhile('SELECT approved()');
SELECT meanwhile('SELECT approved(true)');
SELECT meanwhile('SELECT approved(true); SELECT worked()');
-- Its community, and the snapshot
SELECT meanwhile('SELECT snapback.forget(''42'')');
SELECT meanwhile('SELECT snapback.forget(''43'')');
SELECT meanwhile('DELETE FROM snapback.snapshot');
SELECT meanwhile('DELETE FROM snapback.chunk');
SELECT meanwhile('UPDATE cms.community SET name = ''Green Harbour'' WHERE id = ''42''');
SELECT meanwhile('INSERT INTO cms.community SELECT ''420'', name, owner, email, pro FROM cms.community WHERE id = ''42''; UPDATE cms.page SET community = ''420'' WHERE community = ''42'';
    UPDATE cms.notice SET community = ''420'' WHERE community = ''42''; DELETE FROM cms.community WHERE id = ''42''');
SELECT meanwhile('DROP VIEW cms.directory');
SELECT meanwhile('CREATE OR REPLACE VIEW cms.directory AS SELECT c.id AS community, c.name, c.owner, c.email AS owner_email, c.pro AS restores_enabled FROM cms.community c, generate_series(1, 2)');
SELECT meanwhile('CREATE OR REPLACE VIEW cms.directory AS SELECT id AS community, name, owner, email AS owner_email, 1 / length(name) = 1 AS restores_enabled FROM cms.community; UPDATE cms.community SET name = ''''');
-- The coverage of an option: a request does not restore anything else, and a restore of nothing is an error.
SELECT meanwhile('SELECT snapback.unprotect(''cms.page'')');
SELECT meanwhile('SELECT snapback.unprotect(''cms.page'')', '{*}');
SELECT meanwhile('SELECT snapback.unprotect(''cms.page''), snapback.protect(''cms.page'', ''customization.pages'')');
SELECT meanwhile('SELECT snapback.unprotect(''cms.page''), snapback.protect(''cms.page'', ''customization.notices'')');
SELECT meanwhile('SELECT snapback.unprotect(''cms.page''), snapback.remove_option(''customization.pages'')');
SELECT meanwhile('SELECT snapback.unprotect(''cms.page''), snapback.remove_option(''customization.pages''), snapback.add_option(''customization.pages'', ''Pages'', ''''), snapback.protect(''cms.notice'', ''customization.pages'')');
SELECT meanwhile('SELECT snapback.unprotect(relid) FROM snapback.protection; SELECT snapback.remove_category(''customization'')');
SELECT meanwhile('SELECT snapback.protect(''cms.notice'', ''customization.pages'')');
SELECT meanwhile('SELECT snapback.protect(''cms.page'', ''customization.pages'', filter => ''id < 5'')');
SELECT meanwhile('SELECT snapback.protect(''cms.page'', ''customization.pages'', columns => ''{title}'')', strict => true);
SELECT meanwhile('SELECT snapback.protect(''cms.page'', ''customization.notices'')');
SELECT meanwhile('SELECT snapback.add_option(''customization.pages'', ''Sheets'', ''''), snapback.protect(''cms.page'', ''customization.pages'')');
-- The table
SELECT meanwhile('DROP TABLE cms.page');
SELECT meanwhile('DROP TABLE cms.page', '{*}', strict => true);
SELECT meanwhile('ALTER TABLE cms.page RENAME TO sheet; ALTER TABLE cms.sheet SET SCHEMA public; ALTER TABLE sheet RENAME title TO heading');
SELECT meanwhile('ALTER TABLE cms.page SET UNLOGGED');
SELECT meanwhile('ALTER TABLE cms.page DROP CONSTRAINT page_pkey');
SELECT meanwhile('ALTER TABLE cms.page ALTER title TYPE date USING NULL');
SELECT meanwhile('ALTER TABLE cms.page DISABLE TRIGGER ALL');
-- The approving session
SELECT meanwhile('SET LOCAL session_replication_role = replica');
SELECT meanwhile('SET LOCAL transaction_read_only = on');
SELECT meanwhile('SET LOCAL search_path = public; SET LOCAL lock_timeout = 1; SET LOCAL row_security = off; SET LOCAL DateStyle = german; SET LOCAL standard_conforming_strings = off');

-- A rolled back approval has no effect: the link works, and no record remains.
BEGIN;
SELECT asked('{customization.pages}') IS NOT NULL;
SAVEPOINT a;
SELECT approved();
ROLLBACK TO a;
SELECT approved(true);
ROLLBACK TO a;
SELECT outcome(), (SELECT string_agg(event, ', ' ORDER BY at) FROM snapback.audit), (SELECT count(*) FROM snapback.token);
-- describe_request() changes nothing, however often it is called.
SELECT count(*), count(DISTINCT d) FROM generate_series(1, 1000), LATERAL snapback.describe_request(token()) d;
SELECT outcome(), (SELECT string_agg(event, ', ' ORDER BY at) FROM snapback.audit), (SELECT count(*) FROM snapback.token);
SAVEPOINT b;
SAVEPOINT c;
SELECT approved();
RELEASE c;
RELEASE b;
SELECT outcome(), (SELECT string_agg(event, ', ' ORDER BY at) FROM snapback.audit), (SELECT count(*) FROM snapback.token);
ROLLBACK;

-- Short and long values of the arguments.
BEGIN;
SELECT asked('{customization.pages}') IS NOT NULL;
SELECT status, reason FROM snapback.approve_restore(repeat('a', 1000000));
SELECT status, reason FROM snapback.approve_restore(token(), repeat('a', 1000000), true);
SELECT count(*) FROM snapback.describe_request(repeat('a', 1000000));
SELECT status, reason FROM snapback.approve_restore(NULL, NULL, NULL);
SELECT status, reason FROM snapback.approve_restore(token(), NULL, NULL);
ROLLBACK;
CREATE FUNCTION said(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    hint    text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n    ', SQLSTATE || ' ' || message, hint);
END $$;
SELECT said('SELECT snapback.request_restore(NULL, NULL, ''42'', ''ada'')');
SELECT said('SELECT snapback.request_restore(''{customization.pages,NULL}'', NULL, ''42'', ''ada'')');
SELECT said('SELECT snapback.request_restore(''{*}'', NULL, NULL, NULL)');
SELECT said('SELECT snapback.cancel_request(NULL)');
SELECT said('SELECT snapback.restore(''{*}'', NULL, NULL)');
SELECT said('SELECT snapback.restore(NULL, NULL, ''42'')');
SELECT said('SELECT snapback.undo_restore(NULL)');
SELECT said('SELECT snapback.grant_backend(NULL)');
SELECT said('SELECT snapback.revoke_backend(NULL)');
SELECT said('SELECT snapback.forget(NULL)');
SELECT said('SELECT snapback.grant_operator(NULL)');
SELECT said('SELECT snapback.revoke_operator(NULL)');
SELECT said('SELECT snapback.grant_dump(NULL)');
SELECT said('SELECT snapback.revoke_dump(NULL)');

-- A mail setting was made after this session began: connecting again solves the problem.
BEGIN;
SET LOCAL snapback.smtp_url = '';
CREATE FUNCTION asked_without_mail() RETURNS text LANGUAGE sql AS $$ SELECT said('SELECT snapback.request_restore(''{*}'', NULL, ''42'', ''ada'')') $$;
SELECT asked_without_mail();
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET snapback.smtp_url = ''smtp://localhost:1''', current_database()); END $$;
SELECT asked_without_mail();
-- A setting of the role takes precedence.
ALTER ROLE CURRENT_USER SET snapback.smtp_url = '';
SELECT asked_without_mail();
DO $$ BEGIN EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET "Snapback.SMTP_url" = ''smtp://localhost:2''', current_database()); END $$;
SELECT asked_without_mail();
-- The mail worker does not have the settings of a role.
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $$;
SELECT asked_without_mail();
-- Settings of another database do not count.
DO $$ BEGIN EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I RESET ALL', current_database()); END $$;
ALTER ROLE CURRENT_USER RESET ALL;
ALTER DATABASE postgres SET snapback.smtp_url = 'smtp://localhost:1';
SELECT asked_without_mail();
ROLLBACK;

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA cms CASCADE;
DROP FUNCTION token(), asked(text[], boolean), worked(), approved(boolean, text), outcome(), tried(text, text[], boolean, boolean), meanwhile(text, text[], boolean), said(text);
CREATE EXTENSION pg_snapback;
