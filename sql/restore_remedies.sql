-- The hint of an error, and the notes of a preview, name options that help: none that is already chosen, and none that does not help.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all
SELECT snapback.add_option('x.four', 'FOUR', '');
CREATE FUNCTION hint(options text[], switches jsonb DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
    PERFORM snapback.restore(options, NULL, 'a', switches);
    RETURN 'it does not fail';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || hint;
END $$;
CREATE FUNCTION notes(options text[]) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT unnest(notes) FROM snapback.preview_restore(options, NULL, 'a') $$;
CREATE TABLE rank (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, name text, note text, UNIQUE (cid, name), UNIQUE (note));
CREATE TABLE person (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, kind text NOT NULL DEFAULT 'plain', rank int NOT NULL REFERENCES rank ON UPDATE CASCADE);
CREATE TABLE badge (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, person int NOT NULL REFERENCES person, rank int REFERENCES rank ON UPDATE CASCADE);
CREATE TABLE remark (id int PRIMARY KEY, rank int NOT NULL REFERENCES rank ON UPDATE CASCADE);
INSERT INTO rank VALUES (1, 'a', 'boss', 'n1'), (2, 'a', 'aide', 'n2'), (3, 'b', 'boss', 'n3');
INSERT INTO person VALUES (1, 'a', DEFAULT, 1), (2, 'a', 'guest', 2);
SELECT snapback.protect('rank', 'x.one'), snapback.protect('person', 'x.two'), snapback.protect('badge', 'x.three');
SELECT snapback.capture('a') IS NOT NULL;

-- The key has changed, and its references followed: their option helps, for the whole table or for the rows that it covers.
UPDATE rank SET id = 77 WHERE id = 1;
SELECT notes('{x.one}');
SELECT hint('{x.one}');
SELECT hint('{x.one,x.three}');
SELECT hint('{x.one,x.two}');
SELECT relation FROM snapback.restores, snapback.undo_restore(restore);
SELECT snapback.protect('person', 'x.two', filter => $$kind = 'guest'$$);
SELECT notes('{x.one}'), hint('{x.one}');
SELECT snapback.protect('person', 'x.four', filter => $$kind = 'plain'$$);
SELECT notes('{x.one}'), hint('{x.one}');
-- Several options together, including those that their rows require, and no unnecessary one.
UPDATE rank SET id = 78 WHERE id = 2;
UPDATE rank SET name = 'x' || name, note = 'm' || note WHERE id = 77;
INSERT INTO badge VALUES (1, 'a', 1, 78);
SELECT hint('{x.one}');
SELECT snapback.protect('person', 'x.two'), snapback.unprotect('person', 'x.four');
INSERT INTO rank VALUES (79, 'a', 'boss', NULL);
INSERT INTO person VALUES (9, 'a', 'plain', 79);
INSERT INTO badge VALUES (9, 'a', 9, NULL);
SELECT notes('{x.one}');
SELECT hint('{x.one}');
SELECT hint('{x.one,x.two}');
-- Nothing helps if the referring table is not protected, or if the row belongs to another community.
INSERT INTO remark VALUES (1, 79);
SELECT notes('{x.one}');
SELECT hint('{x.one}');
DELETE FROM remark; DELETE FROM badge; DELETE FROM person WHERE id = 9; DELETE FROM rank WHERE id = 79;
UPDATE rank SET note = 'n1' WHERE id = 3;
SELECT hint('{x}');
UPDATE rank SET note = 'n3' WHERE id = 3;

-- Options that share a table: the one that covers the blocking row, completely or by the column.
SELECT snapback.restore('{x}', NULL, 'a');
SELECT snapback.protect('rank', 'x.one', filter => 'id = 1'), snapback.protect('rank', 'x.two', filter => 'id = 2'),
       snapback.protect('rank', 'x.three', filter => 'id = 5'), snapback.protect('rank', 'x.four', columns => '{note}');
UPDATE rank SET note = NULL; UPDATE rank SET note = 'n1' WHERE id = 2;
SELECT hint('{x.one}');
SELECT snapback.unprotect('rank', 'x.two');
SELECT hint('{x.one}');
SELECT snapback.unprotect('rank', 'x.four');
SELECT hint('{x.one}');

-- Switches that limit the restore of the chosen options.
SELECT snapback.protect('rank', 'x.one');
SELECT hint('{x.one}', '{"rows": {"app.rank": [{"id": 1}]}}');
DELETE FROM person; DELETE FROM rank WHERE cid = 'a'; INSERT INTO rank VALUES (5, 'a', 'boss');
SELECT hint('{x.one}', '{"actions": ["insert", "update"]}');
SELECT hint('{x.one}');

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
