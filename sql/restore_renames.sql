-- Columns that were renamed, dropped, added, retyped since the snapshot: what is told of it, and what a restore makes of it.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION newest(community text DEFAULT 'a') RETURNS uuid LANGUAGE sql AS $$
    SELECT s.id FROM snapback.snapshot s WHERE s.community = newest.community AND s.kind <> 'before_restore' ORDER BY s.captured_at DESC LIMIT 1 $$;
CREATE FUNCTION changes(relation regclass) RETURNS SETOF text LANGUAGE sql AS $$ SELECT snapback.schema_changes(app.newest(), relation) $$;
\set ECHO all

-- Every change of the schema is told, with what it means for a restore.
CREATE TABLE told (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, gone text, "Old Name" text, amount numeric(10, 2), n int, computed int GENERATED ALWAYS AS (n * 2) STORED, plain int);
INSERT INTO told (id, cid, gone, "Old Name", amount, n, plain) SELECT n, 'a', 'gone', 'name ' || n, n, n, n FROM generate_series(1, 3) n;
SELECT snapback.protect('told', 'x.one');
CALL snapback.capture_all();
SELECT changes('told');
ALTER TABLE told DROP gone, ADD fresh text DEFAULT 'new', ALTER amount TYPE text, ALTER computed DROP EXPRESSION, DROP plain;
ALTER TABLE told ADD plain int GENERATED ALWAYS AS (n + 1) STORED;
ALTER TABLE told RENAME "Old Name" TO name;
ALTER TABLE told DROP CONSTRAINT told_pkey, ADD PRIMARY KEY (n, id);
ALTER TABLE told RENAME TO "Told";
SELECT changes('"Told"');
DELETE FROM "Told" WHERE id = 1;
UPDATE "Told" SET name = 'x', fresh = 'kept', plain = DEFAULT, computed = 9 WHERE id = 2;
SELECT restored();
SELECT id, name, amount, n, computed, fresh, plain FROM "Told" ORDER BY id;
ALTER TABLE "Told" RENAME TO told;
SELECT snapback.capture('a') IS NOT NULL;
SELECT changes('told');
-- What cannot be told of.
CREATE TABLE late (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
SELECT fails($$SELECT changes('late')$$);
SELECT snapback.protect('late', 'x.two');
SELECT fails($$SELECT changes('late')$$);
SELECT fails($$SELECT snapback.schema_changes('00000000-0000-0000-0000-000000000000', 'late')$$);
SELECT snapback.unprotect('told'), snapback.unprotect('late');
SELECT count(*) FROM snapback.known_columns;
SELECT count(*) FROM snapback.column_rename;

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
