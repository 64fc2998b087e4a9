-- Captures, the contents of snapshots, and their expiration.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all

-- Nothing protected, communities without rows, rows without a community.
SELECT fails($$SELECT snapback.capture('a')$$);
SELECT fails($$CALL snapback.capture_all()$$);
CREATE TABLE page (id int PRIMARY KEY, cid text REFERENCES community, title text, hidden boolean, body text);
CREATE TABLE log (id int, at date, cid text NOT NULL REFERENCES community, PRIMARY KEY (id, at, cid)) PARTITION BY RANGE (at);
CREATE TABLE log_old PARTITION OF log FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE log_new PARTITION OF log DEFAULT PARTITION BY LIST (cid);
CREATE TABLE log_new_rest PARTITION OF log_new DEFAULT;
INSERT INTO page SELECT n, CASE WHEN n <= 6 THEN 'a' WHEN n <= 8 THEN 'it''s "c"' END, 'page ' || n, n % 2 = 0, NULL FROM generate_series(1, 10) n;
INSERT INTO log SELECT n, date '2025-12-30' + n, 'a' FROM generate_series(1, 5) n;
SELECT snapback.protect('page', 'x.one'), snapback.protect('page', 'x.two', filter => 'NOT hidden'), snapback.protect('page', 'x.three', columns => '{title}'),
       snapback.protect('log', 'x.two'), watch('page'), watch('log');
SELECT keep();
CALL snapback.capture_all(2);
SELECT community, kind, status, rows, size, label FROM snapback.snapshots ORDER BY community COLLATE "C";
SELECT s.community, c.* FROM snapback.snapshots s, snapback.snapshot_contents(s.id) c ORDER BY s.community COLLATE "C", option COLLATE "C";
SELECT r FROM snapback.list_snapshots('it''s "c"') s, snapback.snapshot_rows(s.id, 'page') r;
SELECT count(*) FROM snapback.list_snapshots('b') s, snapback.snapshot_rows(s.id, 'page') r;
SELECT fails($$SELECT snapback.snapshot_rows('00000000-0000-0000-0000-00000000000f', 'app.page')$$);
SELECT fails($$SELECT snapback.snapshot_rows('00000000-0000-0000-0000-00000000000f', 'app.community')$$);
SELECT count(*) FROM snapback.snapshot_contents('00000000-0000-0000-0000-00000000000f');
SELECT count(*) FROM snapback.list_snapshots('nobody');
-- Community b had no rows: its restore deletes added ones. Partitions are written as one table.
INSERT INTO page VALUES (20, 'b', 'new');
UPDATE log SET at = at - 3 WHERE id IN (3, 4);
DELETE FROM log WHERE id IN (1, 5);
SELECT restored(NULL, 'b');
SELECT restored(ARRAY['x.two']);
SELECT changed();

-- One option of columns, one of rows, one of both for the same table.
UPDATE page SET title = 'T', body = 'B' WHERE cid = 'a';
DELETE FROM page WHERE id IN (1, 2);
INSERT INTO page VALUES (21, 'a', 'new', true), (22, 'a', 'new', false);
SELECT restored('{x.three}');
SELECT id, title, hidden, body FROM page WHERE cid = 'a' ORDER BY id;
SELECT restored('{x.two,x.three}');
SELECT id, title, hidden, body FROM page WHERE cid = 'a' ORDER BY id;
UPDATE page SET hidden = NOT hidden, body = 'other' WHERE id IN (3, 4);
SELECT restored('{x.two}');
SELECT id, title, hidden, body FROM page WHERE cid = 'a' ORDER BY id;
SELECT restored('{x.one,x.two,x.three}');
SELECT changed();

-- A community that fails does not affect the others, independent of the batch; its error is recorded.
CREATE OR REPLACE VIEW directory AS
    SELECT id AS community, id AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled,
           CASE id WHEN 'a' THEN 'own a' WHEN 'b' THEN 'own_b' ELSE 'own_c' END AS schema_name FROM community;
CREATE SCHEMA "own a"; CREATE SCHEMA own_b; CREATE SCHEMA own_c;
CREATE TABLE "own a".thing (id int PRIMARY KEY, v text); CREATE TABLE own_b.thing (id int PRIMARY KEY, v text, more int); CREATE TABLE own_c.thing (id int PRIMARY KEY, v text);
INSERT INTO "own a".thing SELECT n, 'a' || n FROM generate_series(1, 3) n;
INSERT INTO own_b.thing SELECT n, 'b' || n, n FROM generate_series(1, 2) n;
SELECT snapback.set_directory('directory');
SELECT snapback.protect('own_b.thing', 'x.one'), watch('"own a".thing', '''a'''), watch('own_b.thing', '''b''');
SELECT keep();
DROP TABLE own_c.thing;
DELETE FROM snapback.snapshot;
CALL snapback.capture_all();
SELECT community, rows FROM snapback.snapshots ORDER BY community COLLATE "C";
SELECT community, sqlstate, message FROM snapback.capture_failure;
SELECT fails($$SELECT snapback.capture('it''s "c"')$$);
DELETE FROM "own a".thing WHERE id = 1; UPDATE own_b.thing SET v = 'x';
SELECT restored();
SELECT changed();
SELECT restored(NULL, 'b');
SELECT changed();
-- Refusals.
SELECT fails($$SELECT snapback.capture('nobody')$$), fails($$SELECT snapback.capture(NULL)$$);
SELECT fails($$CALL snapback.capture_all(0)$$), fails($$CALL snapback.capture_all(NULL)$$);


-- If every community fails, the job fails after it has committed a record of each, with the hint of capture().
DELETE FROM snapback.capture_failure; DELETE FROM snapback.snapshot;
ALTER TABLE "own a".thing RENAME TO away; ALTER TABLE own_b.thing RENAME TO away;
CALL snapback.capture_all(2);
SELECT community, sqlstate, message, hint FROM snapback.capture_failure ORDER BY community COLLATE "C";
SELECT subject, split_part(hint, ' (', 1) AS hint FROM snapback.health() WHERE concern = 'capture' AND problem LIKE 'capture failed%' ORDER BY subject COLLATE "C";
-- One successful community is sufficient, and no community is no failure.
ALTER TABLE own_b.away RENAME TO thing;
CALL snapback.capture_all(2);
CREATE VIEW nobody AS SELECT * FROM directory WHERE false;
SELECT snapback.set_directory('nobody');
CALL snapback.capture_all();
SELECT snapback.set_directory('directory');
ALTER TABLE "own a".away RENAME TO thing;
DROP VIEW nobody;
DELETE FROM snapback.capture_failure;

-- Unchanged data is stored once; an expired snapshot is neither restored nor kept, and its deletion keeps the chunks of others.
DELETE FROM snapback.snapshot;
SELECT chunks FROM snapback.forget('a');
SELECT snapshots, chunks > 0 AS any FROM snapback.expire();
SELECT fails($$SELECT snapback.capture('a', repeat('x', 1001))$$);
SELECT fails($$SELECT snapback_internal.capture_batch(array_fill('a'::text, ARRAY[100000]), 'manual', repeat('x', 1000000))$$);
SELECT snapback.capture('a', 'first') IS NOT NULL;
SELECT count(*) AS chunks FROM snapback.chunk WHERE community = 'a' \gset
SELECT snapback.capture('a', 'second') IS NOT NULL;
SELECT count(*) = :chunks AS shared FROM snapback.chunk WHERE community = 'a';
UPDATE page SET body = 'third' WHERE cid = 'a';
SELECT snapback.capture('a', 'third') IS NOT NULL;
SELECT count(*) = :chunks + 1 AS one_more FROM snapback.chunk WHERE community = 'a';
UPDATE snapback.snapshot SET captured_at = captured_at - interval '7 days 1 second' WHERE label = 'first';
SELECT label, status FROM snapback.list_snapshots('a');
SELECT split_part(fails(format('SELECT snapback.restore(''{x.one}'', %L, ''a'')', id)), E'\n', 1) FROM snapback.snapshot WHERE label = 'first';
SELECT * FROM snapback.expire();
SELECT label, status FROM snapback.list_snapshots('a');
SELECT count(*) FROM snapback.verify();
DELETE FROM snapback.snapshot WHERE label = 'second';
SELECT snapback.capture('b') IS NOT NULL;
UPDATE snapback.snapshot SET captured_at = captured_at - interval '8 days' WHERE label = 'third';
SELECT snapshots, chunks = :chunks + 1 AS all_of_them FROM snapback.expire();
SELECT DISTINCT community FROM snapback.chunk;
-- The current setting of retention applies, not that at the capture.
SET snapback.retention = '1s';
SELECT pg_sleep(1.1);
SELECT status FROM snapback.list_snapshots('b');
RESET snapback.retention;
SELECT status FROM snapback.list_snapshots('b');
-- Seven days are 168 hours, independent of daylight saving time, exactly, even before expired snapshots are deleted.
SET timezone = 'Europe/Berlin';
BEGIN;
UPDATE snapback.snapshot SET captured_at = '2026-03-25 12:00';
SELECT DISTINCT expires_at FROM snapback.snapshots;
UPDATE snapback.snapshot SET captured_at = '2026-10-21 12:00';
SELECT DISTINCT expires_at FROM snapback.snapshots;
ROLLBACK;
RESET timezone;
-- The age is checked before the contents: a snapshot whose time was changed is then found damaged.
CREATE FUNCTION at_age(age interval) RETURNS text LANGUAGE plpgsql AS $$
DECLARE told text;
BEGIN
    UPDATE snapback.snapshot SET captured_at = clock_timestamp() - age WHERE community = 'b';
    told := format('%s; restore %s; preview %s; ', (SELECT string_agg(DISTINCT s.status, ',') FROM snapback.list_snapshots('b') s), left(app.fails('SELECT app.restored(NULL, ''b'')'), 5),
                   left(app.fails('SELECT snapback.preview_restore(''{x.one}'', NULL, ''b'')'), 5));
    RETURN told || (SELECT 'swept: ' || e.snapshots FROM snapback.expire() e);
END $$;
BEGIN; SELECT at_age('6 days 23:59:55'); ROLLBACK;
BEGIN; SELECT at_age('7 days'); ROLLBACK;
BEGIN; SELECT at_age('7 days 00:00:01'); ROLLBACK;
-- A clock that was set back.
BEGIN; SELECT at_age('-1 hour'); ROLLBACK;
-- After forget().
SELECT restored(NULL, 'b');
SELECT snapshots, chunks > 0 AS any FROM snapback.forget('b');
SELECT count(*) FROM snapback.restore_run WHERE community = 'b';
SELECT * FROM snapback.forget('b');
SELECT * FROM snapback.forget('nobody');
SELECT fails('SELECT snapback.forget(NULL)');
SELECT count(*) FROM snapback.chunk;

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA app, "own a", own_b, own_c CASCADE;
CREATE EXTENSION pg_snapback;
