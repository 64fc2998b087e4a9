-- Values that jsonb cannot represent, and long values: they are shown row by row, and restored unchanged.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION newest() RETURNS uuid LANGUAGE sql AS $$
    SELECT s.id FROM snapback.snapshot s WHERE s.kind <> 'before_restore' ORDER BY s.captured_at DESC LIMIT 1 $$;
\set ECHO all

-- json values that are not valid jsonb: as a column, in a domain, an array, a composite type; a type whose cast to json fails.
CREATE TYPE pair AS (a int, b json);
CREATE DOMAIN document AS json;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE FUNCTION refuse_bad(mood) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF $1 = 'bad' THEN RAISE EXCEPTION 'as %', current_user; END IF;
    RETURN '{"mood": "good"}';
END $$;
CREATE CAST (mood AS json) WITH FUNCTION refuse_bad(mood);
CREATE TABLE odd (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, j json, d document, l json[], p pair, m mood, f float8, n numeric, x xml, u text UNIQUE);
INSERT INTO odd VALUES
    (1, 'a', '{"a": "x\u0000y"}', '"\ud800"', ARRAY['1', '{"n": 1e400000}']::json[], ROW(1, '"\u0000"'), 'bad', 'NaN', 'Infinity', '<a/>', 'u1'),
    (2, 'a', '{"a" : 1}', '[]', ARRAY['1']::json[], ROW(1, '{}'), 'good', '-0', 1.50, NULL, 'u2');
SELECT snapback.protect('odd', 'x.one');
CALL snapback.capture_all();
SELECT r FROM snapback.snapshot_rows(newest(), 'odd') r;
DELETE FROM odd WHERE id = 1;
UPDATE odd SET j = '"\u0000"', l = NULL, m = 'bad';
INSERT INTO odd (id, cid, j) VALUES (3, 'a', '"\udead"');
SELECT key, action, old, new FROM snapback.diff_rows(NULL, 'x.one', 'a');
-- A row of another community holds the unique value; that row is not read completely.
INSERT INTO odd (id, cid, u) VALUES (4, 'b', 'u1');
SELECT unnest(obstacles) FROM snapback.preview_restore('{x.one}', NULL, 'a');
SELECT key, action, new ->> 'u' FROM snapback.diff_rows(NULL, 'x.one', 'a', '{"on_conflict": "skip"}');
DELETE FROM odd WHERE id = 4;
SELECT restored('{x.one}');
SELECT * FROM odd ORDER BY id;
SELECT count(*) FROM snapback.diff_rows(NULL, 'x.one', 'a');
-- The cast runs as the owner of the table.
CREATE ROLE regress_odd_owner;
GRANT USAGE ON SCHEMA app TO regress_odd_owner;
ALTER TABLE odd OWNER TO regress_odd_owner;
GRANT REFERENCES, SELECT ON community TO regress_odd_owner;
CREATE OR REPLACE FUNCTION refuse_bad(mood) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT to_json(current_user) $$;
SELECT r -> 'm' FROM snapback.snapshot_rows(newest(), 'odd') r;
-- A statement can be canceled while such code runs.
CREATE OR REPLACE FUNCTION refuse_bad(mood) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT to_json(pg_sleep(60)) $$;
SET statement_timeout = '200ms';
SELECT count(*) FROM snapback.snapshot_rows(newest(), 'odd');
RESET statement_timeout;
SELECT snapback.unprotect('odd');

-- Values shown as text that is not valid in the database's encoding, and values without a text form, of types that a superuser created.
CREATE TYPE raw;
CREATE FUNCTION raw_in(cstring) RETURNS raw LANGUAGE internal IMMUTABLE STRICT AS 'byteain';
CREATE FUNCTION raw_out(raw) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE raw (INPUT = raw_in, OUTPUT = raw_out, LIKE = bytea);
CREATE TYPE raw_pair AS (j json, r raw);
CREATE TABLE mute (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, p raw_pair, r raw, rs raw[], l json);
INSERT INTO mute VALUES (1, 'a', ROW('"\u0000"', '\x61fffe62'), '\x61fffe62', ARRAY['\xe9'::raw, '\xc3bc'], '["ü"]'),
                        (2, 'a', ROW('{}', '\xc3bc'), '\xc3bc', ARRAY['\xc3bc'::raw], NULL),
                        (3, 'a', ROW('{}', ('\x' || repeat('ff', 34000000))::raw), NULL, NULL, NULL);
SELECT snapback.protect('mute', 'x.two');
SELECT snapback.capture('a') IS NOT NULL;
SELECT r - 'cid' FROM snapback.snapshot_rows(newest(), 'mute') r WHERE r ->> 'id' <> '3';
SELECT left(r ->> 'p', 30), right(r ->> 'p', 100), length(r ->> 'p') FROM snapback.snapshot_rows(newest(), 'mute') r WHERE r ->> 'id' = '3';
SELECT encode(sha256(convert_to('({},', 'UTF8') || decode(repeat('ff', 34000000), 'hex') || convert_to(')', 'UTF8')), 'hex');
UPDATE mute SET p = ROW('"\u0000"', '\xff'), r = '\xff' WHERE id = 2;
SELECT key, action, old, new FROM snapback.diff_rows(NULL, 'x.two', 'a');
SELECT restored('{x.two}');
CREATE OR REPLACE FUNCTION raw_out(raw) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'trigger_out';
SELECT r - 'cid' FROM snapback.snapshot_rows(newest(), 'mute') r WHERE r ->> 'id' = '2';
SELECT snapback.unprotect('mute');

-- In a row of more than 32 MB, long values are shortened: text, bytea, and others whose text form is long.
CREATE TABLE wide (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, t text, b bytea, j json);
INSERT INTO wide VALUES (1, 'a', repeat('ü', 8000000), decode(repeat('ab', 8000000), 'hex'), to_json(repeat('x', 16000000))),
                        (2, 'a', repeat('t', 1000000), decode(repeat('cd', 100000), 'hex'), to_json(repeat('y', 100000)));
SELECT snapback.protect('wide', 'x.two');
SELECT snapback.capture('a') IS NOT NULL;
CREATE FUNCTION brief(value jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(k || ': ' || length(v) || ' ' || CASE WHEN length(v) > 200 THEN left(v, 6) || ' ' || right(v, 94) ELSE v END, ', ' ORDER BY k) FROM jsonb_each_text(value) e(k, v) $$;
SELECT brief(r) FROM snapback.snapshot_rows(newest(), 'wide') r;
SELECT encode(sha256(convert_to(t, 'UTF8')), 'hex'), encode(sha256(b), 'hex'), encode(sha256(convert_to(j::text, 'UTF8')), 'hex') FROM wide WHERE id = 1;
UPDATE wide SET t = t || '.', b = b || '\x00' WHERE id = 1;
SELECT key, action, brief(old), brief(new) FROM snapback.diff_rows(NULL, 'x.two', 'a');
SELECT snapback.unprotect('wide');

-- Keys that fit into an index but are longer in jsonb: they are recorded for an undo.
CREATE TABLE parent (k bytea PRIMARY KEY, cid text NOT NULL REFERENCES community);
CREATE TABLE child (id int PRIMARY KEY, k bytea REFERENCES parent, cid text NOT NULL REFERENCES community);
INSERT INTO parent SELECT string_agg(sha512(n::text::bytea), '' ORDER BY n), 'a' FROM generate_series(1, 40) n;
INSERT INTO child SELECT 1, k, 'a' FROM parent;
SELECT snapback.protect('parent', 'x.one'), snapback.protect('child', 'x.three', community_column => 'cid');
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM child; DELETE FROM parent;
SELECT restored('{x.three}');
SELECT length(key ->> 'k') FROM snapback.restore_row;
SELECT restore AS last FROM snapback.restores ORDER BY requested_at DESC LIMIT 1 \gset
SELECT relation, deleted FROM snapback.undo_restore(:'last');

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
DROP ROLE regress_odd_owner;
CREATE EXTENSION pg_snapback;
