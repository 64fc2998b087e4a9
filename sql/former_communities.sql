-- A community with the key of an earlier one gets none of its snapshots.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all
SET timezone = 'Asia/Tokyo';
SET snapback.smtp_url = 'smtp://mail.example.org'; SET snapback.mail_from = 'x@example.org'; SET snapback.approve_url = 'https://example.org/{token}';
CREATE TABLE page (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, title text);
SELECT snapback.protect('page', 'x.one');
-- The snapshots of a community that anyone sees, and the state that a DBA sees.
CREATE FUNCTION seen(community text) RETURNS TABLE (listed bigint, contents bigint) LANGUAGE sql AS $$
    SELECT count(DISTINCT l.id), count(c.option) FROM snapback.list_snapshots(community) l LEFT JOIN LATERAL snapback.snapshot_contents(l.id) c ON true $$;
CREATE FUNCTION told() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(E'\n  ', h.concern || ' ' || h.subject, regexp_replace(h.problem, 'noticed at [^)]*', 'noticed at <time>'), h.hint) FROM snapback.health() h
    WHERE h.concern IN ('disowned', 'directory') ORDER BY h.subject COLLATE "C" $$;
CREATE FUNCTION leaves(community text) RETURNS void LANGUAGE sql AS $$
    DELETE FROM app.page p WHERE p.cid = community; DELETE FROM app.community c WHERE c.id = community $$;
CREATE FUNCTION comes(community text) RETURNS void LANGUAGE sql AS $$ INSERT INTO app.community VALUES (community) $$;
INSERT INTO page VALUES (1, 'a', 'secret of a'), (2, 'b', 'of b');
SELECT request AS first FROM snapback.capture('a') s, snapback.request_restore('{x.one}', s, 'a', 'ada') \gset
INSERT INTO snapback.token (sha256, request) VALUES (snapback_internal.token_hash(repeat('t', 43)), :'first');
UPDATE page SET title = 'changed' WHERE id = 1;
SELECT inserted, updated FROM snapback.restore('{x.one}', NULL, 'a');
SELECT restore AS undo FROM snapback.restores \gset
CALL snapback.capture_all();
SELECT * FROM told();
SELECT * FROM seen('a');

-- While the community is missing, nobody sees its snapshots. Only a DBA does, with their state.
SELECT leaves('a');
SELECT * FROM seen('a');
SELECT DISTINCT community, status FROM snapback.snapshots ORDER BY 1;
SELECT count(*) FROM snapback.snapshots s, snapback.snapshot_contents(s.id) c WHERE s.community = 'a';
SELECT fails($$SELECT snapback.preview_restore('{x}', NULL, 'a')$$);
SELECT count(*) FROM snapback.describe_request(repeat('t', 43));
SELECT count(*) FROM snapback.departure;
SELECT fails($$SELECT snapback.adopt_snapshots('a')$$);
-- Every function that records the absence; a failed one does not. It is recorded only once.
CREATE FUNCTION notices(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE noticed bigint;
BEGIN
    EXECUTE statement;
    noticed := (SELECT count(*) FROM snapback.departure);
    RAISE EXCEPTION 'undo';
EXCEPTION WHEN raise_exception THEN
    RETURN noticed;
END $$;
SELECT s, notices(s) FROM unnest(ARRAY['SELECT snapback.capture(''b'')', 'SELECT snapback.health()', 'SELECT snapback.process_queue()', 'SELECT snapback.preview_restore(''{x}'', NULL, ''b'')',
    'SELECT snapback.diff_rows(NULL, ''x.one'', ''b'')', 'SELECT snapback.request_restore(''{x.one}'', NULL, ''b'', ''ada'')', 'SELECT snapback.restore(''{x.one}'', NULL, ''b'')',
    'SELECT snapback.approve_restore(repeat(''u'', 43))', 'SELECT snapback.list_snapshots(''b'')', 'SELECT snapback_internal.note_departures(), snapback_internal.note_departures()',
    'SET TRANSACTION READ ONLY; SELECT snapback.preview_restore(''{x}'', NULL, ''b'')']) s;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT snapback_internal.note_departures();
ROLLBACK;
CALL snapback.capture_all();
SELECT snapback_internal.note_departures();
SELECT * FROM told();

-- Another community gets the key: it has no snapshots.
SELECT comes('a');
SELECT * FROM seen('a');
SELECT fails($$SELECT snapback.diff_rows(NULL, 'x.one', 'a')$$);
SELECT fails($$SELECT snapback.preview_restore('{x}', NULL, 'a')$$);
SELECT fails($$SELECT snapback.request_restore('{x}', NULL, 'a', 'ada')$$);
SELECT fails(format($$SELECT snapback.%s$$, c)) FROM (SELECT id FROM snapback.snapshot WHERE community = 'a' AND kind = 'scheduled') s,
    unnest(ARRAY[format($$restore('{x.one}', %L, 'a')$$, id), format($$request_restore('{x}', %L, 'a', 'ada')$$, id), format($$diff_rows(%L, 'x.one', 'a')$$, id),
                 format($$preview_restore('{x}', %L, 'a')$$, id), format($$snapshot_rows(%L, 'app.page')$$, id), $$restore('{x.one}', NULL, 'a')$$]) c;
SELECT count(*) FROM snapback.snapshots s, snapback.snapshot_contents(s.id) c WHERE s.community = 'a';
SELECT fails(format('SELECT snapback.undo_restore(%L)', :'undo'));
SELECT count(*) FROM snapback.describe_request(repeat('t', 43));
SELECT status, reason FROM snapback.approve_restore(repeat('t', 43));
SELECT DISTINCT community, kind, status FROM snapback.snapshots ORDER BY 1, 2;
SELECT subject, problem FROM snapback.health() WHERE concern = 'capture';
SELECT * FROM told();
-- Internal functions refuse these snapshots too.
INSERT INTO snapback.restore_run (community, snapshot, options) SELECT 'a', id, '{x.one}' FROM snapback.snapshot WHERE community = 'a' AND kind = 'scheduled' RETURNING id AS run \gset
SELECT fails(format('SELECT snapback_internal.execute_restore(%L)', :'run'));
DELETE FROM snapback.restore_run WHERE id = :'run';
-- The views for a backend show no requests, failures or values of the earlier community, or of a missing one.
CREATE ROLE regress_former_backend;
SELECT snapback.grant_backend('regress_former_backend');
SET snapback.community = 'a';
SET ROLE regress_former_backend;
SELECT (SELECT count(*) FROM snapback.requests) AS requests, (SELECT count(*) FROM snapback.restores) AS restores;
SELECT count(*) FROM snapback_internal.acting_community('b');
RESET ROLE;
SELECT (SELECT count(*) FROM snapback.requests) AS requests, (SELECT count(*) FROM snapback.restores) AS restores;
-- Monitoring shows disowned snapshots.
CREATE ROLE regress_former_monitor;
GRANT pg_monitor TO regress_former_monitor;
SET ROLE regress_former_monitor;
SELECT community, status, count(*) FROM snapback.snapshots GROUP BY 1, 2 ORDER BY community COLLATE "C", 2;
SELECT subject, regexp_replace(problem, 'noticed at [^)]*', 'noticed at <time>') FROM snapback.health() WHERE concern = 'disowned';
RESET ROLE;
-- The new community keeps its own snapshots; forget() deletes the earlier ones, and erased rows are in none.
INSERT INTO page VALUES (3, 'a', 'of the new a');
SELECT snapback.capture('a', 'new') IS NOT NULL;
SELECT request AS second FROM snapback.request_restore('{x.one}', NULL, 'a', 'ada') \gset
SELECT state FROM snapback.requests ORDER BY requested_at;
SET ROLE regress_former_backend;
SELECT state, requested_by FROM snapback.requests;
RESET ROLE;
RESET snapback.community;
SELECT * FROM seen('a');
SELECT new FROM snapback.list_snapshots('a') l, snapback.snapshot_rows(l.id, 'page') new;
SELECT snapback.erase_rows('a', 'page', '[{"id": 1}]');
SELECT snapshots FROM snapback.forget('a', former_only => true);
SELECT * FROM told();
SELECT label, status FROM snapback.snapshots WHERE community = 'a';
SELECT request = :'second' FROM snapback.requests;
SELECT count(*) FROM snapback.restores;
SELECT count(*) FROM snapback.departure;
SELECT count(*) FROM snapback.verify();
SELECT bool_and(detail::text NOT LIKE '%' || :'first' || '%') FROM snapback.audit WHERE community = 'a';
SELECT snapshots, (SELECT count(*) FROM snapback.snapshot WHERE community = 'a') FROM snapback.forget('a', former_only => true);
SELECT snapshots FROM snapback.forget('a');

-- By mistake the community was missing and is back. adopt_snapshots() with a time ignores only absences recorded since then.
SELECT leaves('a');
SELECT comes('a');
INSERT INTO page VALUES (1, 'a', 'first');
SELECT snapback.capture('a', 'first') IS NOT NULL;
SELECT leaves('a');
SELECT snapback_internal.note_departures();
SELECT comes('a');
INSERT INTO page VALUES (1, 'a', 'second');
SELECT snapback.capture('a', 'second') IS NOT NULL;
SELECT clock_timestamp() AS night \gset
ALTER TABLE page DROP CONSTRAINT page_cid_fkey;
DELETE FROM community;
SELECT snapback_internal.note_departures();
INSERT INTO community VALUES ('a'), ('b');
SELECT label FROM snapback.list_snapshots('a');
SELECT c, snapback.adopt_snapshots(c, since => :'night') > 0 FROM snapback.communities() c;
SELECT label FROM snapback.list_snapshots('a');
SELECT snapback.adopt_snapshots('a');
SELECT label FROM snapback.list_snapshots('a');
SELECT snapback.adopt_snapshots('a');
SELECT * FROM told();
UPDATE page SET title = 'x' WHERE cid = 'a';
SELECT updated FROM snapback.restore('{x.one}', NULL, 'a');
SELECT title FROM page WHERE cid = 'a';
SELECT fails('SELECT snapback.adopt_snapshots(NULL)');
SELECT fails('SELECT snapback.forget(NULL, former_only => true)');
SELECT event, detail FROM snapback.audit WHERE event ~ 'depart|adopt' ORDER BY at;

-- If the directory cannot be read, no absence is recorded; row security in it causes a warning.
SELECT community, count(*) AS snapshots FROM snapback.snapshot WHERE community IN ('a', 'b') GROUP BY 1 ORDER BY 1;
BEGIN;
CREATE FUNCTION broken() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'the directory is broken'; END $$;
CREATE OR REPLACE VIEW directory AS SELECT id AS community, broken() AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled FROM community WHERE broken() IS NOT NULL;
SELECT snapback_internal.note_departures();
SELECT * FROM told();
SELECT DISTINCT community, status FROM snapback.snapshots ORDER BY 1;
SELECT fails($$SELECT snapback.list_snapshots('a')$$);
DROP VIEW directory;
SELECT snapback_internal.note_departures();
DELETE FROM snapback.directory;
SELECT snapback_internal.note_departures();
ROLLBACK;
BEGIN;
\set VERBOSITY default
CREATE VIEW others AS SELECT 'A' AS community, 'A' AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled;
SELECT snapback.set_directory('others');
\set VERBOSITY terse
SELECT DISTINCT community, status FROM snapback.snapshots ORDER BY 1;
SELECT snapback.set_directory('directory');
SELECT DISTINCT community, status FROM snapback.snapshots ORDER BY 1;
ROLLBACK;
-- A row without a key, and a duplicate one, hide no community.
BEGIN;
CREATE OR REPLACE VIEW directory AS SELECT id AS community, id AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled FROM community WHERE id = 'a'
    UNION ALL SELECT unnest(ARRAY[NULL, 'a']), '', '', '', true;
SELECT snapback_internal.note_departures();
SELECT community FROM snapback.departure;
SELECT fails($$SELECT snapback.list_snapshots('a')$$);
ROLLBACK;
-- If the clock was set back, snapshots are newer than the recorded absence.
BEGIN;
UPDATE snapback.snapshot SET captured_at = captured_at + interval '1 hour';
SELECT leaves('b');
SELECT snapback_internal.note_departures(), snapback_internal.note_departures();
SELECT comes('b');
SELECT * FROM seen('b');
ROLLBACK;
-- The record is deleted with the last snapshot that it concerns.
BEGIN;
SELECT leaves('b');
SELECT snapback_internal.note_departures();
SELECT comes('b');
SELECT snapback.capture('b') IS NOT NULL;
UPDATE snapback.snapshot SET captured_at = captured_at - interval '8 days' WHERE captured_at <= (SELECT noticed_at FROM snapback.departure WHERE community = 'b');
SELECT status, count(*) FROM snapback.snapshots GROUP BY 1 ORDER BY 1;
SELECT community FROM snapback.departure ORDER BY 1;
SELECT snapshots > 0 FROM snapback.expire();
SELECT community FROM snapback.departure ORDER BY 1;
SELECT * FROM seen('b');
ROLLBACK;

-- With an identity in the directory no absence must be recorded. A timestamp is the same in every time zone and date style.
CREATE TABLE founded (id text PRIMARY KEY, at timestamptz);
INSERT INTO founded VALUES ('a', '2026-01-01 00:00:00.123456+00'), ('b', NULL);
CREATE OR REPLACE VIEW directory AS SELECT c.id AS community, c.id AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled, f.at AS identity
    FROM community c LEFT JOIN founded f USING (id);
SELECT snapback.set_directory('directory');
-- Captured before the directory had an identity: these belong to the community.
SELECT count(*) > 0 AS before FROM snapback.list_snapshots('a');
DELETE FROM snapback.snapshot;
SELECT snapback.capture('a') IS NOT NULL, snapback.capture('b') IS NOT NULL;
SELECT community, identity FROM snapback.snapshot ORDER BY 1;
SET datestyle = 'German'; SET timezone = 'Europe/Berlin';
SELECT * FROM seen('a');
SELECT * FROM seen('b');
SELECT request AS third FROM snapback.request_restore('{x.one}', NULL, 'a', 'ada') \gset
INSERT INTO snapback.token (sha256, request) VALUES (snapback_internal.token_hash(repeat('v', 43)), :'third');
SELECT count(*) FROM snapback.describe_request(repeat('v', 43));
SELECT count(*) FROM snapback.restore('{x.one}', NULL, 'a');
SELECT restore AS undo FROM snapback.restores ORDER BY requested_at DESC LIMIT 1 \gset
SELECT kind, identity FROM snapback.snapshot WHERE community = 'a' ORDER BY captured_at;
RESET datestyle;
UPDATE founded SET at = '2026-06-01' WHERE id = 'a';
SELECT * FROM seen('a');
SELECT DISTINCT community, status FROM snapback.snapshots ORDER BY 1;
SELECT fails($$SELECT snapback.preview_restore('{x}', NULL, 'a')$$);
SELECT fails(format('SELECT snapback.undo_restore(%L)', :'undo'));
SELECT count(*) FROM snapback.describe_request(repeat('v', 43));
SET snapback.community = 'a';
SET ROLE regress_former_backend;
SELECT (SELECT count(*) FROM snapback.requests) AS requests, (SELECT count(*) FROM snapback.restores WHERE state = 'restored') AS restores;
RESET ROLE;
RESET snapback.community;
SELECT status, reason FROM snapback.approve_restore(repeat('v', 43));
-- A request stores the identity itself, independent of its snapshot.
BEGIN;
UPDATE snapback.snapshot SET identity = NULL;
SELECT * FROM seen('a');
SELECT status, reason FROM snapback.approve_restore(repeat('v', 43));
ROLLBACK;
BEGIN;
ALTER TABLE snapback.request DISABLE TRIGGER check_change;
UPDATE snapback.request SET identity = NULL;
SELECT status, reason FROM snapback.approve_restore(repeat('v', 43));
ROLLBACK;
SELECT * FROM told();
SELECT count(*) FROM snapback.departure;
SELECT snapback.capture('a') IS NOT NULL;
SELECT * FROM seen('a');
BEGIN;
SELECT snapshots FROM snapback.forget('a', former_only => true);
SELECT * FROM seen('a');
SELECT count(*) FROM snapback.restores WHERE restore = :'undo';
ROLLBACK;
-- NULL is an identity of its own.
SELECT * FROM seen('b');
UPDATE founded SET at = '2026-02-02' WHERE id = 'b';
SELECT * FROM seen('b');
-- After a mistake, adopt_snapshots() assigns the current identity, unless it is restricted by time.
SELECT snapback.adopt_snapshots('b', since => '-infinity');
SELECT snapback.adopt_snapshots('b');
SELECT * FROM seen('b');
UPDATE founded SET at = '2026-01-01 00:00:00.123456+00' WHERE id = 'a';
SELECT DISTINCT kind FROM snapback.list_snapshots('a') ORDER BY 1;
SELECT snapback.adopt_snapshots('a');
SELECT * FROM told();
SELECT count(*) FROM snapback.verify();
-- A directory without the column has no identities: snapshots with an identity are disowned until they are adopted.
ALTER VIEW directory RENAME TO with_identity;
CREATE VIEW directory AS SELECT id AS community, id AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled FROM community;
SELECT snapback.set_directory('directory');
SELECT * FROM seen('a');
SELECT snapback.adopt_snapshots('a') > 0;
SELECT DISTINCT identity IS NULL FROM snapback.snapshot WHERE community = 'a';
SELECT * FROM seen('a');
SELECT snapback.set_directory('with_identity');
-- Identities of any type.
BEGIN;
DROP VIEW with_identity;
CREATE VIEW with_identity AS SELECT id AS community, id AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled, json_build_object('no', 1) AS identity FROM community;
SELECT snapback.set_directory('with_identity');
SELECT snapback.adopt_snapshots('a') IS NOT NULL, snapback.capture('a') IS NOT NULL;
SELECT DISTINCT identity FROM snapback.snapshot WHERE community = 'a';
SELECT count(*) FROM snapback.list_snapshots('a') WHERE kind = 'manual';
ROLLBACK;
DROP SCHEMA app CASCADE;
DROP EXTENSION pg_snapback CASCADE;
DROP ROLE regress_former_backend, regress_former_monitor;
CREATE EXTENSION pg_snapback;
