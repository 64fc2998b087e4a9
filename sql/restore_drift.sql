-- The schema has changed since the snapshot.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all

-- Added columns keep their value in live rows and get their default in restored rows.
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN small AS int;
CREATE DOMAIN sized AS varchar(8);
CREATE TABLE moved (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, gone text, n numeric(10, 4), v varchar(20), c char(8), w bigint, t text, m mood, s small,
    d date, at timestamptz, j json, b bytea, z sized, f float8);
INSERT INTO moved SELECT n, 'a', 'gone', n + 0.1234, 'value ' || n, 'char', n, n::text, 'good', n, '2026-01-01', '2026-01-01 12:34:56.789+00', '{"a": 1}', '\x00', 'sized', 0.1 FROM generate_series(1, 4) n;
SELECT snapback.protect('moved', 'x.one');
CALL snapback.capture_all();
CREATE PROCEDURE damage() LANGUAGE sql AS $$
    DELETE FROM app.moved WHERE id = 1;
    UPDATE app.moved SET t = NULL WHERE id = 2;
    INSERT INTO app.moved (id, cid, w) VALUES (9, 'a', 9) ON CONFLICT DO NOTHING;
$$;
ALTER TABLE moved ADD added int DEFAULT 7, ADD number int GENERATED ALWAYS AS IDENTITY, ADD doubled int GENERATED ALWAYS AS (id * 2) STORED, DROP gone;
UPDATE moved SET added = 8 WHERE id = 2;
CALL damage();
SELECT restored();
SELECT id, added, number, doubled, t FROM moved ORDER BY id;
-- Changed types: values are converted through text if the new type accepts them ...
ALTER TABLE moved ALTER n TYPE numeric(10, 1), ALTER v TYPE text, ALTER c TYPE char(10), ALTER w TYPE int, ALTER t TYPE int USING t::int, ALTER d TYPE timestamp,
    ALTER at TYPE timestamptz(0), ALTER j TYPE jsonb, ALTER f TYPE numeric, ALTER m TYPE text;
CALL damage();
SELECT restored();
SELECT id, n, v, c, w, t, m, d, at AT TIME ZONE 'UTC', j, f FROM moved WHERE id < 3 ORDER BY id;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'moved'::regclass AND attname IN ('n', 'c', 'at') ORDER BY 1;
SELECT inserts, updates, deletes FROM snapback.preview_restore('{x.one}', NULL, 'a');
-- ... otherwise the error names the column.
ALTER TABLE moved ALTER v TYPE varchar(3) USING 'abc';
CALL damage();
SELECT fails('SELECT restored()');
ALTER TABLE moved ALTER v TYPE int USING 0;
SELECT fails('SELECT restored()');
ALTER TABLE moved ALTER v TYPE text;
ALTER TABLE moved ALTER m TYPE mood USING 'bad'; ALTER TYPE mood RENAME VALUE 'good' TO 'better';
BEGIN; SELECT restored(); SELECT id, m FROM moved WHERE id < 3 ORDER BY id; ROLLBACK;
ALTER TYPE mood RENAME VALUE 'better' TO 'good';
UPDATE moved SET s = 5;
ALTER DOMAIN small ADD CHECK (VALUE > 3);
SELECT fails('SELECT restored()');
ALTER DOMAIN small DROP CONSTRAINT small_check;
ALTER TABLE moved ADD CHECK (t <> 1);
SELECT fails('SELECT restored()');
SELECT relation, obstacles FROM snapback.preview_restore('{x.one}', NULL, 'a');
ALTER TABLE moved DROP CONSTRAINT moved_t_check, ADD mandatory int NOT NULL DEFAULT 1;
ALTER TABLE moved ALTER mandatory DROP DEFAULT;
SELECT fails('SELECT restored()');
ALTER TABLE moved DROP mandatory;
-- A dropped type.
ALTER TABLE moved ALTER s TYPE int, ALTER z TYPE text;
DROP DOMAIN small, sized;
CALL damage();
SELECT restored();
SELECT id, s, z FROM moved WHERE id < 3 ORDER BY id;

-- A changed key: one that is in the snapshot, and one that is not.
ALTER TABLE moved DROP CONSTRAINT moved_pkey, ADD PRIMARY KEY (w);
CALL damage();
SELECT restored();
SELECT id, t FROM moved WHERE id < 3 ORDER BY id;
ALTER TABLE moved DROP CONSTRAINT moved_pkey, ADD fresh serial, ADD PRIMARY KEY (fresh);
SELECT fails('SELECT restored()');
SELECT inserts, updates, deletes, unchanged, obstacles FROM snapback.preview_restore('{x.one}', NULL, 'a');
ALTER TABLE moved DROP fresh;
SELECT fails('SELECT restored()');
SELECT fails($$SELECT snapback.capture('a')$$);
ALTER TABLE moved ADD PRIMARY KEY (id);

-- Renamed: the table, and the column of the community.
ALTER TABLE moved RENAME TO "Moved On";
CREATE SCHEMA elsewhere;
ALTER TABLE "Moved On" SET SCHEMA elsewhere;
DELETE FROM elsewhere."Moved On" WHERE id = 1;
SELECT restored();
-- A dropped path; a dropped table.
ALTER TABLE elsewhere."Moved On" RENAME cid TO tenant;
DELETE FROM elsewhere."Moved On" WHERE id = 2;
SELECT restored();
ALTER TABLE elsewhere."Moved On" DROP tenant;
SELECT fails('SELECT restored()');
SELECT fails($$SELECT snapback.capture('a')$$);
ALTER TABLE elsewhere."Moved On" ADD tenant text;
CREATE TABLE other (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
INSERT INTO other VALUES (1, 'a');
SELECT snapback.protect('other', 'x.two');
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM other;
DROP TABLE elsewhere."Moved On" CASCADE;
SELECT restored('{x.two}');
SELECT regexp_replace(fails(s), '[0-9]+::regclass', '<oid>::regclass') FROM unnest(ARRAY[$$SELECT restored('{x.one}')$$, $$SELECT snapback.capture('a')$$]) s;
SELECT fails($$SELECT count(*) FROM snapback.list_snapshots('a') s, snapback.snapshot_contents(s.id)$$);
SELECT * FROM snapback.verify();
-- It blocks only itself: the other tables are shown, also row by row.
DELETE FROM other;
SELECT relation, options, inserts, obstacles FROM snapback.preview_restore('{*}', NULL, 'a');
SELECT relation, key, action FROM snapback.diff_rows(NULL, '*', 'a');
SELECT fails($$SELECT snapback.diff_rows(NULL, 'x.one', 'a')$$);
SELECT fails($$SELECT restored('{x.one,x.two}')$$);
-- So does a relation that can no longer be restored.
ALTER TABLE other SET UNLOGGED;
SELECT relation, inserts, obstacles FROM snapback.preview_restore('{*}', NULL, 'a');
ALTER TABLE other SET LOGGED;
-- So does a table that a community with its own schema lacks; restores of other options ignore it.
CREATE OR REPLACE VIEW directory AS
    SELECT id AS community, id AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled, CASE id WHEN 'a' THEN 'of_a' END AS schema_name FROM community;
CREATE SCHEMA of_a;
CREATE TABLE of_a.room (id int PRIMARY KEY);
CREATE TABLE of_a.chair (id int PRIMARY KEY, room int CONSTRAINT stands_in REFERENCES of_a.room);
SELECT snapback.unprotect(relid) FROM snapback.protection WHERE status = 'relation gone';
SELECT snapback.protect('of_a.room', 'x.one'), snapback.protect('of_a.chair', 'x.three');
INSERT INTO of_a.room VALUES (1);
INSERT INTO of_a.chair VALUES (1, 1);
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM of_a.chair;
DROP TABLE of_a.room CASCADE;
SELECT relation, options, inserts, obstacles FROM snapback.preview_restore('{*}', NULL, 'a');
SELECT fails($$SELECT restored('{x.one}')$$);
SELECT restored('{x.three}');

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA app, elsewhere, of_a CASCADE;
CREATE EXTENSION pg_snapback;
