-- Restores in a separate schema: a uuid key, quoted names outside the search path, chains, cycles and unusual types.
\set VERBOSITY terse
SET client_min_messages = warning;
-- Little memory, so that sorting uses temporary files.
SET snapback.capture_memory = '1MB';
CREATE EXTENSION IF NOT EXISTS pg_snapback;
CREATE SCHEMA "Guild ""Hall";
CREATE TABLE "Guild ""Hall".guild (id uuid PRIMARY KEY, name text NOT NULL, owner text NOT NULL);
CREATE VIEW "Guild ""Hall".dir AS
    SELECT id AS community, name, owner, owner || '@example.org' AS owner_email, true AS restores_enabled FROM "Guild ""Hall".guild;
CREATE TYPE "Guild ""Hall".mood AS ENUM ('good', 'it''s "odd"');
CREATE TYPE "Guild ""Hall".pair AS (a int, b text);
CREATE DOMAIN "Guild ""Hall".positive AS int CHECK (VALUE > 0);
CREATE TABLE "Guild ""Hall"."Weird ""Table" (
    "Key Part" int, "select" text, "Guild Id" uuid NOT NULL REFERENCES "Guild ""Hall".guild,
    gone int, mood "Guild ""Hall".mood, pair "Guild ""Hall".pair, size "Guild ""Hall".positive,
    many text[], spans int4multirange, num numeric, real double precision, lag interval, at timestamptz, doc jsonb, raw json,
    bits bit varying, cash money, net inet, one "char", big bytea, words tsvector, odd int[],
    doubled int GENERATED ALWAYS AS ("Key Part" * 2) STORED,
    serial_no bigint GENERATED ALWAYS AS IDENTITY, pos int, UNIQUE ("Guild Id", pos),
    PRIMARY KEY ("Key Part", "select"));
ALTER TABLE "Guild ""Hall"."Weird ""Table" DROP COLUMN gone;
CREATE TABLE "Guild ""Hall".room (id serial PRIMARY KEY, k int, s text, next_room int REFERENCES "Guild ""Hall".room DEFERRABLE,
    CONSTRAINT room_weird FOREIGN KEY (k, s) REFERENCES "Guild ""Hall"."Weird ""Table" ON DELETE CASCADE);
CREATE TABLE "Guild ""Hall".chair (id int PRIMARY KEY, room_id int NOT NULL CONSTRAINT chair_room REFERENCES "Guild ""Hall".room ON DELETE CASCADE,
    legs int CHECK (legs > 0), note text);
CREATE TABLE "Guild ""Hall".diary (id int PRIMARY KEY, chair_id int REFERENCES "Guild ""Hall".chair);

INSERT INTO "Guild ""Hall".guild VALUES ('00000000-0000-0000-0000-000000000001', 'One', 'ada'), ('00000000-0000-0000-0000-000000000002', 'Two', 'bob');
INSERT INTO "Guild ""Hall"."Weird ""Table" ("Key Part", "select", "Guild Id", mood, pair, size, many, spans, num, real, lag, at, doc, raw, bits, cash, net, one, big, words, odd, pos)
SELECT n, 'it''s ' || n, ('00000000-0000-0000-0000-00000000000' || g)::uuid, 'it''s "odd"', ROW(n, E'a,"\\'::text)::"Guild ""Hall".pair, n, ARRAY['x', NULL, '"y"'],
       '{[1,3),[5,9)}', CASE n % 3 WHEN 0 THEN 'NaN' ELSE '1.500' END::numeric, CASE n % 2 WHEN 0 THEN '-0' ELSE 'Infinity' END::float8,
       '1 mon -2 days 03:04:05.000006', CASE n % 4 WHEN 0 THEN 'infinity' ELSE '2026-01-02 03:04:05.678901+00' END::timestamptz,
       '{"b": 1.50, "a": [null, "\u00e9"]}', '{"b" : 1,  "b":2}', B'1011', '12.34', '10.0.0.1/8', 'z', decode(repeat('00ff17', 40000), 'hex'),
       to_tsvector('simple', 'the quick fox'), '[0:1]={7,8}', n
FROM generate_series(1, 40) n, (VALUES (1), (2)) g(g) WHERE n % 2 = g - 1;
INSERT INTO "Guild ""Hall".room (k, s) SELECT "Key Part", "select" FROM "Guild ""Hall"."Weird ""Table";
UPDATE "Guild ""Hall".room r SET next_room = (SELECT min(o.id) FROM "Guild ""Hall".room o WHERE o.k % 2 = r.k % 2 AND o.id > r.id);
INSERT INTO "Guild ""Hall".chair SELECT n, 1 + n % 40, 4, repeat('oak ', n) FROM generate_series(1, 200) n;

SELECT snapback.set_directory('"Guild ""Hall".dir');
SELECT snapback.add_category('hall', 'Hall', 'The hall');
SELECT snapback.add_option('hall.weird', 'Weird', ''), snapback.add_option('hall.rooms', 'Rooms', ''),
       snapback.add_option('hall.legs', 'Legs', 'legs alone'), snapback.add_option('hall.low', 'Low', 'some rows');
SELECT snapback.protect('"Guild ""Hall"."Weird ""Table"', 'hall.weird');
SELECT snapback.protect('"Guild ""Hall".room', 'hall.rooms', via => 'room_weird');
SELECT snapback.protect('"Guild ""Hall".chair', 'hall.rooms');
SELECT snapback.protect('"Guild ""Hall".chair', 'hall.legs', columns => '{legs}');
SELECT snapback.protect('"Guild ""Hall".chair', 'hall.low', filter => 'id < 20');

CREATE FUNCTION state() RETURNS TABLE (relation text, hash text) LANGUAGE sql AS $$
    SELECT 'weird ' || "Guild Id", md5(string_agg(w::text, '|' ORDER BY "Key Part", "select")) FROM "Guild ""Hall"."Weird ""Table" w GROUP BY "Guild Id"
    UNION ALL SELECT 'room', md5(string_agg(r::text, '|' ORDER BY id)) FROM "Guild ""Hall".room r
    UNION ALL SELECT 'chair', md5(string_agg(c::text, '|' ORDER BY id)) FROM "Guild ""Hall".chair c $$;
CREATE TABLE before AS SELECT * FROM state();
CREATE FUNCTION changed() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT coalesce(b.relation, s.relation) FROM before b FULL JOIN state() s USING (relation)
    WHERE b.hash IS DISTINCT FROM s.hash ORDER BY 1 $$;
SELECT min(c.id) AS one, max(c.id) AS other FROM "Guild ""Hall".chair c JOIN "Guild ""Hall".room r ON r.id = c.room_id WHERE r.k % 2 = 0 \gset
CALL snapback.capture_all();
SELECT community, kind, status, rows, restores FROM snapback.snapshots ORDER BY community;
SELECT c.option, c.tables, c.rows FROM snapback.list_snapshots('00000000-0000-0000-0000-000000000001') s, snapback.snapshot_contents(s.id) c;
SELECT * FROM snapback.verify();

-- All changes at once: cascading deletes, updates, inserts, and two rows that exchange a unique value.
CREATE PROCEDURE damage() LANGUAGE sql AS $$
    DELETE FROM "Guild ""Hall".chair WHERE id BETWEEN 101 AND 120 AND room_id % 2 = 0;
    DELETE FROM "Guild ""Hall".room WHERE id IN (30, 32) AND false;
    UPDATE "Guild ""Hall"."Weird ""Table" SET pos = pos + 1000, mood = 'good', num = 1.5, doc = NULL WHERE "Guild Id" = '00000000-0000-0000-0000-000000000001';
    UPDATE "Guild ""Hall"."Weird ""Table" SET pos = CASE pos WHEN 1004 THEN 2 WHEN 1002 THEN 4 ELSE pos END WHERE pos IN (1002, 1004);
    UPDATE "Guild ""Hall".chair SET legs = 3, note = 'broken' WHERE id < 30 AND room_id IN (SELECT id FROM "Guild ""Hall".room WHERE k % 2 = 0);
    INSERT INTO "Guild ""Hall"."Weird ""Table" ("Key Part", "select", "Guild Id", pos) VALUES (900, 'new', '00000000-0000-0000-0000-000000000001', 6);
    INSERT INTO "Guild ""Hall".chair SELECT 1000 + id, id, 4, 'new' FROM "Guild ""Hall".room WHERE k = 2;
$$;
CALL damage();
SELECT * FROM changed();
SELECT * FROM snapback.preview_restore('{*}', community => '00000000-0000-0000-0000-000000000001');
SELECT * FROM snapback.restore('{hall}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT * FROM changed();
SELECT relation, inserts, updates, deletes FROM snapback.preview_restore('{*}', community => '00000000-0000-0000-0000-000000000001');

-- Options of columns only, and of rows only.
CALL damage();
SELECT * FROM snapback.restore('{hall.legs}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT count(*) FILTER (WHERE legs = 3) AS wrong_legs, count(*) FILTER (WHERE note = 'broken') AS wrong_notes FROM "Guild ""Hall".chair;
SELECT * FROM snapback.restore('{hall.low}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT count(*) FILTER (WHERE note = 'broken' AND id < 20) AS low, count(*) FILTER (WHERE note = 'broken' AND id >= 20) AS high FROM "Guild ""Hall".chair;

-- Every restore took a before_restore snapshot: back to the damage, and forward again.
SELECT relation, inserted, updated, deleted FROM snapback.restore('{*}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT * FROM changed();
SELECT relation, inserted, updated, deleted FROM snapback.restore('{*}',
    (SELECT before_snapshot FROM snapback.restore_run ORDER BY requested_at DESC LIMIT 1), '00000000-0000-0000-0000-000000000001');
SELECT * FROM changed();
SELECT count(*) FROM snapback.restore('{*}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT * FROM changed();

-- Rows that others refer to remain; missing parents are restored; references to rows that are not in the snapshot are set to NULL.
INSERT INTO "Guild ""Hall".chair SELECT 2000, id, 4, 'held' FROM "Guild ""Hall".room WHERE k = 2;
INSERT INTO "Guild ""Hall".diary VALUES (1, 2000);
SELECT relation, deleted, kept FROM snapback.restore('{*}', NULL, '00000000-0000-0000-0000-000000000001');
DELETE FROM "Guild ""Hall".diary;
UPDATE "Guild ""Hall".room SET next_room = NULL WHERE next_room IN (SELECT id FROM "Guild ""Hall".room WHERE k IN (4, 6));
DELETE FROM "Guild ""Hall"."Weird ""Table" WHERE "Key Part" IN (4, 6);
SELECT * FROM snapback.preview_restore('{hall.rooms}', community => '00000000-0000-0000-0000-000000000001');
SELECT count(*) FROM snapback.restore('{hall.rooms}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT * FROM changed();

-- Triggers of the application do not fire. An ENABLE ALWAYS trigger that changes rows is detected, and nothing is changed.
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'meddled by ' || current_user; RETURN NEW; END $$;
CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON "Guild ""Hall".chair FOR EACH ROW EXECUTE FUNCTION meddle();
DELETE FROM "Guild ""Hall".chair WHERE id = :one;
SELECT relation, inserted FROM snapback.restore('{hall.rooms}', NULL, '00000000-0000-0000-0000-000000000001') WHERE inserted > 0;
SELECT * FROM changed();
ALTER TABLE "Guild ""Hall".chair ENABLE ALWAYS TRIGGER meddle;
DELETE FROM "Guild ""Hall".chair WHERE id = :one;
SELECT * FROM snapback.restore('{hall.rooms}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT count(*) FROM "Guild ""Hall".chair WHERE id = :one;
DROP TRIGGER meddle ON "Guild ""Hall".chair;

-- The error names a value that another row holds.
UPDATE "Guild ""Hall"."Weird ""Table" SET pos = 7777 WHERE pos = 8;
INSERT INTO "Guild ""Hall".room (id, k, s) VALUES (9001, 8, 'it''s 8');
INSERT INTO "Guild ""Hall"."Weird ""Table" ("Key Part", "select", "Guild Id", pos) VALUES (901, 'held', '00000000-0000-0000-0000-000000000001', 8);
INSERT INTO "Guild ""Hall".room (id, k, s) VALUES (9002, 901, 'held');
SELECT * FROM snapback.restore('{hall.weird}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT count(*) FROM snapback.restore('{*}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT * FROM changed();

-- Sequences are advanced, never set back.
SELECT setval('"Guild ""Hall".room_id_seq', 5);
UPDATE "Guild ""Hall".room SET next_room = NULL WHERE k = 38;
DELETE FROM "Guild ""Hall".room WHERE k = 40;
SELECT count(*) FROM snapback.restore('{*}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT last_value FROM "Guild ""Hall".room_id_seq;

-- The schema has changed: one column added, one dropped, one with another type.
ALTER TABLE "Guild ""Hall".chair ADD colour text DEFAULT 'red', ALTER legs TYPE bigint;
UPDATE "Guild ""Hall".chair SET colour = 'blue', legs = 2 WHERE id = :one;
DELETE FROM "Guild ""Hall".chair WHERE id = :other;
ALTER TABLE "Guild ""Hall".chair DROP COLUMN note;
SELECT count(*) FROM snapback.restore('{hall.rooms}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT legs, colour FROM "Guild ""Hall".chair WHERE id IN (:one, :other) ORDER BY id;

-- Refusals.
SELECT * FROM snapback.restore('{hall.none}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT * FROM snapback.restore('{*}', '00000000-0000-0000-0000-00000000000f', '00000000-0000-0000-0000-000000000001');
SELECT * FROM snapback.restore('{*}', NULL, 'nobody');
SELECT snapback.capture('nobody');
SELECT snapback.capture(NULL);
SELECT snapback_internal.execute_restore('00000000-0000-0000-0000-00000000000f');
CALL snapback.capture_all(0);
SELECT snapback_internal.remove_guard('"Guild ""Hall".chair');
SELECT * FROM snapback.restore('{hall.rooms}', NULL, '00000000-0000-0000-0000-000000000001');
SELECT concern, subject, problem FROM snapback.health() WHERE concern = 'guard';
SELECT snapback_internal.install_guard('"Guild ""Hall".chair');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM snapback.restore('{*}', NULL, '00000000-0000-0000-0000-000000000001');
ROLLBACK;
SET snapback.retention = '1s';
SELECT pg_sleep(1.1);
CREATE FUNCTION sqlstate_of(statement text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE statement; RETURN 'none'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
SELECT sqlstate_of($$SELECT snapback.restore('{*}', NULL, '00000000-0000-0000-0000-000000000002')$$);
RESET snapback.retention;

-- Damage to stored data is detected and never restored.
BEGIN;
UPDATE snapback.chunk SET data = set_byte(data, length(data) / 2, get_byte(data, length(data) / 2) # 1) WHERE length(data) > 0;
SELECT count(*) > 0 AS found FROM snapback.verify();
DELETE FROM "Guild ""Hall".chair WHERE id IN (:one, :one + 1);
SELECT sqlstate_of($$SELECT snapback.restore('{*}', NULL, '00000000-0000-0000-0000-000000000002')$$),
       sqlstate_of($$SELECT snapback.restore('{*}', NULL, '00000000-0000-0000-0000-000000000001')$$);
ROLLBACK;
BEGIN;
UPDATE snapback.base_table SET rows = rows + 1 WHERE table_id = (SELECT min(table_id) FROM snapback.base_table);
SELECT count(*) > 0 AS found, min(fault) LIKE 'the manifest of snapshot % is damaged' AS named FROM snapback.verify();
SELECT sqlstate_of($$SELECT snapback.preview_restore('{*}', community => '00000000-0000-0000-0000-000000000002')$$);
ROLLBACK;
BEGIN;
DELETE FROM snapback.chunk WHERE community = '00000000-0000-0000-0000-000000000002';
SELECT count(*) > 0 AS found FROM snapback.verify();
ROLLBACK;
SELECT * FROM snapback.verify();

-- A community is forgotten; a snapshot that is too old is deleted, with chunks that no other snapshot references.
SELECT snapshots > 0 AS any, chunks > 0 AS swept FROM snapback.forget('00000000-0000-0000-0000-000000000001');
SELECT count(*) FROM snapback.chunk WHERE community = '00000000-0000-0000-0000-000000000001';
SELECT snapback.forget(NULL);
SELECT * FROM snapback.expire();
SET snapback.retention = '1s';
SELECT snapshots, chunks > 0 AS swept FROM snapback.expire();
RESET snapback.retention;
SELECT count(*) AS chunks FROM snapback.chunk;
SELECT count(*) AS shapes FROM snapback.shape;

DROP EXTENSION pg_snapback;
DROP SCHEMA "Guild ""Hall" CASCADE;
DROP FUNCTION state, changed, meddle, sqlstate_of;
DROP TABLE before;
CREATE EXTENSION pg_snapback;
