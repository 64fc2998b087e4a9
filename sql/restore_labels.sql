-- Renamed enum labels are followed in values and arrays; elsewhere they are an error with a name.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION changes(relation regclass) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT snapback.schema_changes((SELECT s.id FROM snapback.snapshot s WHERE s.community = 'a' AND s.kind = 'manual' ORDER BY s.captured_at DESC LIMIT 1), relation) $$;
\set ECHO all
CREATE TYPE mood AS ENUM ('good', 'so, so', 'bad');
CREATE DOMAIN better AS mood CHECK (VALUE > 'good');
CREATE DOMAIN moods AS better[];
CREATE TYPE pair AS (n int, mood mood);
CREATE TABLE felt (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, m mood, d better, a mood[], da moods, t text);
INSERT INTO felt VALUES (1, 'a', 'good', 'bad', '[0:1]={good,NULL}', '{"so, so",bad}', 'good'), (2, 'a', 'so, so', NULL, '{}', NULL, 'bad'), (3, 'a', 'bad', 'so, so', '{{good,bad},{bad,"so, so"}}', '{}', NULL), (4, 'b', 'bad', NULL, NULL, NULL, NULL);
CREATE TABLE nested (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, p pair, pa pair[]);
INSERT INTO nested VALUES (1, 'a', ROW(1, 'good'), ARRAY[ROW(2, 'bad')]::pair[]);
SELECT snapback.protect('felt', 'x.one'), snapback.protect('nested', 'x.two'), watch('felt'), watch('nested');
SELECT keep();
SELECT snapback.capture('a') IS NOT NULL;
-- There and back.
ALTER TYPE mood RENAME VALUE 'good' TO 'fine'; ALTER TYPE mood RENAME VALUE 'bad' TO 'it''s "bad"';
SELECT changes('felt');
SELECT restored('{x.one}');
CREATE PROCEDURE damage() LANGUAGE sql AS $$ DELETE FROM app.felt WHERE id = 1; UPDATE app.felt SET m = NULL, d = NULL, a = NULL, da = NULL WHERE id IN (2, 3) $$;
CALL damage();
SELECT restored('{x.one}');
SELECT * FROM felt ORDER BY id;
SELECT fails($$SELECT restored('{x.two}')$$);
ALTER TYPE mood RENAME VALUE 'fine' TO 'good'; ALTER TYPE mood RENAME VALUE 'it''s "bad"' TO 'bad';
SELECT changed();
SELECT restored('{x.two}');
-- Two labels exchange their names, one after the other and, with the event trigger disabled, simultaneously; a new label with an old name.
ALTER TYPE mood RENAME VALUE 'good' TO 't'; ALTER TYPE mood RENAME VALUE 'bad' TO 'good'; ALTER TYPE mood RENAME VALUE 't' TO 'bad'; ALTER TYPE mood ADD VALUE 'worst';
CALL damage();
SELECT restored('{x.one}');
SELECT * FROM felt ORDER BY id;
SELECT fails($$SELECT restored('{x.two}')$$);
SELECT snapback.capture('a') IS NOT NULL;
ALTER EVENT TRIGGER snapback_note_renamed_columns DISABLE;
ALTER TYPE mood RENAME VALUE 'good' TO 't'; ALTER TYPE mood RENAME VALUE 'bad' TO 'good'; ALTER TYPE mood RENAME VALUE 't' TO 'bad'; ALTER TYPE mood RENAME VALUE 'worst' TO 'nobody''s';
SELECT changes('felt');
CALL damage();
SELECT restored('{x.one}');
SELECT changed();
ALTER EVENT TRIGGER snapback_note_renamed_columns ENABLE;
SELECT type, old_labels, new_labels FROM snapback.label_rename ORDER BY number;
-- A recreated enum is matched by label names: it has no OID of the old one.
SELECT snapback.capture('a') IS NOT NULL;
ALTER TYPE mood RENAME TO old_mood;
CREATE TYPE mood AS ENUM ('bad', 'good', 'great');
SELECT snapback.unprotect('nested'); DELETE FROM watched WHERE relation = 'nested'::regclass; DROP TABLE nested; DROP TYPE pair;
ALTER TABLE felt DROP d, DROP a, DROP da, ALTER m TYPE mood USING CASE m::text WHEN 'so, so' THEN 'great' ELSE m::text END::mood;
SELECT changes('felt');
UPDATE felt SET m = 'great' WHERE id = 1;
SELECT fails($$SELECT restored('{x.one}')$$);
ALTER TYPE mood ADD VALUE 'so, so';
SELECT restored('{x.one}');
SELECT * FROM felt ORDER BY id;
-- Records of dropped enums are deleted.
DROP DOMAIN moods, better; DROP TYPE old_mood;
SELECT snapshots FROM snapback.expire();
SELECT type::regtype, labels FROM snapback.known_labels;
SELECT count(*) FROM snapback.label_rename;

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
