-- The retention of requests and restores, and forget() leaves no data of a community.
\set ECHO none
\getenv source PG_ABS_SRCDIR
\set fixture :source '/test/fixture/communities.sql'
\o /dev/null
\i :fixture
SET client_min_messages = notice;
\pset format unaligned
\pset tuples_only on
CREATE TABLE page (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, title text);
INSERT INTO page VALUES (1, 'a', 'one'), (2, 'b', 'two');
SELECT snapback.protect('page', 'x.one');
SELECT snapback.capture('a'), snapback.capture('b');
SET snapback.smtp_url = 'smtp://localhost:1';
SET snapback.mail_from = 'restores@cms.example';
SET snapback.approve_url = 'https://cms.example/approve?t={token}';
SET snapback.account = 'ada';
-- A request that ended long ago with a restore, whose mail was sent, and a restore by a DBA.
CREATE FUNCTION story(community text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM snapback.request_restore('{x.one}', NULL, community);
    INSERT INTO snapback.token (sha256, request) SELECT sha256(convert_to(repeat(story.community, 42) || 'A', 'UTF8')), r.id FROM snapback.request r WHERE r.community = story.community AND r.state = 'pending';
    PERFORM snapback.approve_restore(repeat(community, 42) || 'A');
    PERFORM snapback.restore('{x.one}', NULL, community);
    PERFORM snapback.request_restore('{x.one}', NULL, community);
    INSERT INTO snapback.token (sha256, request) SELECT sha256(convert_to(story.community, 'UTF8')), r.id FROM snapback.request r WHERE r.community = story.community AND r.state = 'pending';
    INSERT INTO snapback.capture_failure (community, sqlstate, message) VALUES (story.community, 'XX000', 'as a test');
END $$;
CREATE FUNCTION age(days integer) RETURNS void LANGUAGE sql AS $$
    UPDATE snapback.audit SET at = at - days * interval '1 day';
    UPDATE snapback.restore_run SET ended_at = ended_at - days * interval '1 day';
    UPDATE snapback.request SET ended_at = ended_at - days * interval '1 day';
$$;
CREATE FUNCTION record() RETURNS TABLE (audit bigint, restores bigint, tables bigint, requests text, mail text) LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM snapback.audit), (SELECT count(*) FROM snapback.restore_run), (SELECT count(*) FROM snapback.restore_table),
           (SELECT string_agg(state, ' ' ORDER BY requested_at) FROM snapback.request), (SELECT string_agg(kind || ' ' || state, ', ' ORDER BY queued_at) FROM snapback.mail) $$;
\o
\set ECHO all

SHOW snapback.audit_retention;
BEGIN;
SELECT story('a');
SELECT * FROM record();
-- Not old enough.
SELECT age(89);
SELECT count(*) FROM snapback.expire();
SELECT * FROM record();
SELECT count(*) FROM snapback.health() WHERE subject = 'snapback.audit';
-- Old enough, but the snapshots exist, so that the restores can be undone, and one mail is not sent yet.
SELECT age(2);
SELECT problem, hint FROM snapback.health() WHERE subject = 'snapback.audit';
SET LOCAL snapback.audit_retention = 0;
SELECT count(*) FROM snapback.health() WHERE subject = 'snapback.audit';
SELECT count(*) FROM snapback.expire();
SELECT * FROM record();
SET LOCAL snapback.audit_retention = '90d';
SELECT count(*) FROM snapback.expire();
SELECT * FROM record();
SELECT count(*) FROM snapback.health() WHERE subject = 'snapback.audit';
SAVEPOINT kept;
-- Either its snapshot or its before_restore snapshot is sufficient to keep a restore.
DELETE FROM snapback.snapshot WHERE kind = 'before_restore';
SELECT snapback_internal.prune_record();
SELECT restores FROM record();
ROLLBACK TO kept;
DELETE FROM snapback.snapshot WHERE kind <> 'before_restore';
SELECT snapback_internal.prune_record();
SELECT restores FROM record();
DELETE FROM snapback.snapshot;
SELECT snapback_internal.prune_record();
SELECT * FROM record();
UPDATE snapback.mail SET state = 'sent', sent_at = now(), next_try_at = NULL WHERE kind = 'result';
SELECT snapback_internal.prune_record();
SELECT * FROM record();
-- A cancelled request is deleted without a restore.
SELECT snapback.cancel_request(id) FROM snapback.request;
SELECT age(91);
SELECT snapback_internal.prune_record();
SELECT * FROM record();
ROLLBACK;

-- forget() deletes every record of a community, including running ones.
BEGIN;
SELECT story('a'), story('b');
SELECT age(100);
INSERT INTO snapback.departure VALUES ('a', '2000-01-01'), ('b', '2000-01-01');
INSERT INTO snapback.unswept VALUES ('a'), ('b');
INSERT INTO snapback.capture_difference SELECT c, 'page', 1, now() FROM unnest('{a,b}'::text[]) c;
UPDATE snapback.mail SET state = 'sending', claimed_at = now(), next_try_at = NULL WHERE kind = 'approval' AND state = 'queued';
CREATE FUNCTION kept_of(community text) RETURNS TABLE (relation text, rows bigint) LANGUAGE plpgsql AS $$
DECLARE named regclass;
BEGIN
    FOR named IN SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'community'
                 WHERE c.relnamespace = 'snapback'::regnamespace AND c.relkind = 'r' ORDER BY c.relname COLLATE "C" LOOP
        RETURN QUERY EXECUTE format('SELECT %L, count(*) FROM %s WHERE community = $1', named, named) USING community;
    END LOOP;
END $$;
SELECT relation, rows > 0 FROM kept_of('a');
CREATE TEMP TABLE others AS SELECT * FROM kept_of('b');
SELECT * FROM (SELECT count(*) AS token FROM snapback.token) t, (SELECT count(*) AS mail FROM snapback.mail) m, (SELECT count(*) AS restore_table FROM snapback.restore_table) r;
SELECT snapshots FROM snapback.forget('a');
SELECT * FROM kept_of('a') WHERE rows > 0;
SELECT * FROM kept_of('b') EXCEPT SELECT * FROM others;
SELECT * FROM (SELECT count(*) AS token FROM snapback.token) t, (SELECT count(*) AS mail FROM snapback.mail) m, (SELECT count(*) AS restore_table FROM snapback.restore_table) r;
-- Records that refer to these without the name of a community are deleted too.
SELECT c.oid::regclass FROM pg_class c
WHERE c.relnamespace = 'snapback'::regnamespace AND c.relkind = 'r'
  AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'community')
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confdeltype = 'c')
ORDER BY c.oid::regclass::text COLLATE "C";
ROLLBACK;
\set VERBOSITY sqlstate
SET snapback.audit_retention = -1;
\set VERBOSITY terse

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
