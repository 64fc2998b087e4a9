-- Columns with names that the extension uses in its queries, and settings that change the meaning of texts.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all
CREATE TABLE odd (id int, cid text NOT NULL REFERENCES community, "the key" int, "the 2. key 1" int, "the number" int, "the row" int, "the place" int,
    "the refused" int, "the condition 0" int, "the chosen 0" int, "key 1" int, s int, e jsonb, k int, written int, met int, number int,
    PRIMARY KEY (id, "the key"), UNIQUE (cid, "key 1"), UNIQUE ("the number"), CHECK ("the refused" > 0), EXCLUDE (s WITH =));
CREATE TABLE odd_part (id int PRIMARY KEY, odd int, "the chosen 0" int, FOREIGN KEY (odd, "the chosen 0") REFERENCES odd (id, "the key") ON DELETE CASCADE);
INSERT INTO odd (id, cid, "the key", "the number", "the refused", "the condition 0", "the chosen 0", "key 1", s, e)
    SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, n, n, n, n, 1, n, n, '{"id": 1, "the key": 1}' FROM generate_series(1, 8) n;
INSERT INTO odd_part SELECT n, n, n FROM generate_series(1, 8) n;
SELECT snapback.protect('odd', 'x.one', filter => '"the condition 0" < 100'), snapback.protect('odd', 'x.three', columns => '{s,"key 1"}', filter => 'k IS NULL'),
       snapback.protect('odd_part', 'x.two');
SELECT watch('odd'), watch('odd_part', '(SELECT o.cid FROM app.odd o WHERE o.id = t.odd)'), keep();
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM odd WHERE id = 1;
UPDATE odd SET "key 1" = 20 WHERE id = 2;
INSERT INTO odd (id, cid, "the key", "the number", "the refused", "the condition 0", "key 1", s) VALUES (9, 'a', 9, 1, 1, 1, 2, 1);
SELECT obstacles FROM snapback.preview_restore('{x.one}', NULL, 'a', '{"actions": ["insert", "update"]}');
SELECT key, action FROM snapback.diff_rows(NULL, 'x.one', 'a', '{"actions": ["insert", "update"], "on_conflict": "skip"}');
SELECT key, old, new FROM snapback.diff_rows(NULL, 'x.three', 'a');
SELECT relation, inserts, updates, deletes FROM snapback.preview_restore('{x.one}', NULL, 'a', '{"rows": {"app.odd": [{"id": 1, "the key": 1}]}, "children": true}');
SELECT snapshot_rows -> 'id' FROM snapback.list_snapshots('a') l, snapback.snapshot_rows(l.id, 'odd');
SELECT restored();
SELECT changed();
SELECT snapback.erase_rows('a', 'odd', '[{"id": 3, "the key": 3}]');
SELECT snapshot_rows -> 'id' FROM snapback.list_snapshots('a') l, snapback.snapshot_rows(l.id, 'odd') WHERE l.kind = 'manual';
SELECT count(*) FROM snapback.verify();
SELECT snapback.unprotect('odd_part'), snapback.unprotect('odd'); DELETE FROM watched; DELETE FROM snapback.snapshot; DROP TABLE odd, odd_part;

-- Only the table itself can check an index over whole rows.
CREATE TABLE whole (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, v int);
CREATE FUNCTION value_of(whole) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.v';
CREATE UNIQUE INDEX ON whole (value_of(whole));
CREATE UNIQUE INDEX ON whole (v) WHERE whole IS NOT NULL;
INSERT INTO whole SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, n FROM generate_series(1, 8) n;
SELECT snapback.protect('whole', 'x.one'), watch('whole'), keep();
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM whole WHERE id = 1;
UPDATE whole SET v = 0 WHERE id = 2;
SELECT relation, inserts, updates, obstacles FROM snapback.preview_restore('{x.one}', NULL, 'a');
SELECT restored();
SELECT changed();
UPDATE whole SET v = 0 WHERE id = 2;
UPDATE whole SET v = 2 WHERE id = 8;
SELECT fails($$SELECT app.restored()$$);
SELECT snapback.unprotect('whole'); DELETE FROM watched; DELETE FROM snapback.snapshot; DROP TABLE whole CASCADE;

-- A filter means the same in every session.
CREATE TABLE path (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, home text, v int);
INSERT INTO path SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, CASE WHEN n > 1 THEN 'c:\new' END, n FROM generate_series(1, 8) n;
SELECT snapback.protect('path', 'x.one', filter => $$home = 'c:\new' OR home = NULL$$);
SELECT snapback.capture('a') IS NOT NULL;
UPDATE path SET v = 0 WHERE cid = 'a';
SELECT updates FROM snapback.preview_restore('{x.one}', NULL, 'a');
SET standard_conforming_strings = off; SET escape_string_warning = off; SET transform_null_equals = on;
SELECT updates FROM snapback.preview_restore('{x.one}', NULL, 'a');
SELECT restored();
RESET standard_conforming_strings; RESET transform_null_equals;
SELECT * FROM path WHERE cid = 'a' ORDER BY id;

-- A caller may disable triggers; changes of requests are still announced.
SET session_replication_role = replica;
SELECT relation, updated FROM snapback.restore('{x.one}', NULL, 'a');
RESET session_replication_role;
SELECT event FROM snapback.audit WHERE restore = (SELECT restore FROM snapback.restores ORDER BY requested_at DESC LIMIT 1) ORDER BY at;

-- An option that was dropped between request and approval does not prevent reading the others.
CREATE TABLE gone (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
INSERT INTO gone VALUES (1, 'a');
SELECT snapback.protect('gone', 'x.two', filter => 'id > 0');
SELECT snapback.capture('a') IS NOT NULL;
DROP TABLE gone;
SELECT option, tables, rows FROM snapback.snapshot_contents((SELECT s.id FROM snapback.snapshots s WHERE s.kind = 'manual' ORDER BY captured_at DESC LIMIT 1));

-- health() reports a directory that cannot be read first.
ALTER VIEW directory RENAME COLUMN owner TO boss;
SELECT concern, subject, problem FROM snapback.health() WHERE subject NOT IN ('b', 'it''s "c"') AND concern <> 'guard';
DROP VIEW directory;
SELECT concern, subject IS NOT NULL, problem FROM snapback.health();

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
