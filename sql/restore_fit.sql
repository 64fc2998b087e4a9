-- Rows of a snapshot that the table no longer accepts are reported by name before anything is written.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
-- A second table in the same restore: its rows show whether anything was written.
CREATE TABLE witness (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
CREATE FUNCTION refused() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM app.witness;
    RETURN QUERY SELECT app.fails('SELECT app.restored()');
    RETURN QUERY SELECT concat('preview: ', p.relation, ' +' || nullif(p.inserts, 0), ' ~' || nullif(p.updates, 0), ': ' || nullif(p.obstacles, '{}')::text)
                 FROM snapback.preview_restore('{x}', NULL, 'a') p WHERE p.relation IS NOT NULL;
    RETURN QUERY SELECT 'other options: ' || r FROM app.restored('{x.two}') r;
EXCEPTION WHEN OTHERS THEN
    RETURN NEXT 'no preview: ' || SQLERRM;
    DELETE FROM app.witness;
    RETURN QUERY SELECT 'other options: ' || r FROM app.restored('{x.two}') r;
END $$;
\set ECHO all
INSERT INTO witness VALUES (1, 'a');
CREATE TABLE fit (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, n int, t text, other int);
INSERT INTO fit SELECT n, 'a', nullif(n, 2), 't' || n, n FROM generate_series(1, 4) n;
SELECT snapback.protect('fit', 'x.one'), snapback.protect('witness', 'x.two'), watch('fit');
SELECT keep();
CALL snapback.capture_all();
CREATE PROCEDURE damage() LANGUAGE sql AS $$ DELETE FROM app.fit WHERE id IN (1, 2); UPDATE app.fit SET t = 'x', n = 9 WHERE id = 3 $$;
CALL damage();
-- NOT NULL, and the snapshot contains NULL: in one row of two, in both; by a domain; in an added column.
ALTER TABLE fit ALTER n SET NOT NULL;
SELECT refused();
CREATE DOMAIN given AS int CHECK (VALUE IS NOT NULL);
ALTER TABLE fit ALTER n DROP NOT NULL, ALTER n TYPE given;
SELECT refused();
CREATE DOMAIN number AS int NOT NULL;
ALTER TABLE fit ALTER n TYPE number;
SELECT refused();
ALTER TABLE fit ALTER n TYPE int, ADD fresh int NOT NULL DEFAULT 1;
ALTER TABLE fit ALTER fresh DROP DEFAULT;
SELECT refused();
ALTER TABLE fit ALTER fresh TYPE number, ALTER fresh DROP NOT NULL;
SELECT refused();
ALTER TABLE fit DROP fresh;
-- Another type, which accepts some values, by its own rules or by a domain's code, which can fail in any way.
ALTER TABLE fit ALTER t TYPE int USING 0;
SELECT refused();
CREATE FUNCTION fails_on(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM FROM app.witness; RETURN 1 / ($1 - 4) IS NOT NULL; END $$;
CREATE FUNCTION raises_on(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF $1 = 4 THEN RAISE 'not 4'; END IF; RETURN true; END $$;
CREATE DOMAIN failing AS int CHECK (app.fails_on(VALUE));
CREATE DOMAIN raising AS int CHECK (app.raises_on(VALUE));
UPDATE fit SET other = 5;
ALTER TABLE fit ALTER t TYPE text, ALTER other TYPE failing;
SELECT refused();
ALTER TABLE fit ALTER other TYPE raising;
SELECT refused();
SELECT relation, key, action FROM snapback.diff_rows(NULL, 'x', 'a');
-- A cancel is not treated as a rejected value, whatever code receives it.
CREATE FUNCTION stops_on(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN IF $1 = 4 THEN RAISE 'stopped at 4' USING ERRCODE = 'query_canceled'; END IF; RETURN true; END $$;
CREATE DOMAIN stopping AS int CHECK (app.stops_on(VALUE));
ALTER TABLE fit ALTER other TYPE stopping;
SELECT snapback.preview_restore('{x}', NULL, 'a');
ALTER TABLE fit ALTER other TYPE int, ADD CONSTRAINT stops CHECK (app.stops_on(other));
SELECT snapback.preview_restore('{x}', NULL, 'a');
ALTER TABLE fit DROP CONSTRAINT stops;
-- A constraint does not matter if the snapshot has no row that violates it.
ALTER TABLE fit ALTER t TYPE int USING 0;
SELECT relation, inserts, updates, deletes, obstacles FROM snapback.preview_restore('{x}', NULL, 'b');
ALTER TABLE fit ALTER t TYPE text;
TRUNCATE fit; INSERT INTO fit SELECT n, 'a', nullif(n, 2), 't' || n, n FROM generate_series(1, 4) n;
CALL damage();
-- A live row keeps its value.
ALTER TABLE fit ALTER t SET NOT NULL, ADD fresh text NOT NULL DEFAULT 'live';
ALTER TABLE fit ALTER fresh DROP DEFAULT;
INSERT INTO fit VALUES (1, 'a', 1, 't1', 1, 'x'), (2, 'a', 2, 't2', 2, 'x');
SELECT restored();
TABLE fit ORDER BY id;
ALTER TABLE fit DROP fresh;
CALL damage();
-- A default that was added later changes nothing: the snapshot contains NULL.
ALTER TABLE fit ALTER n SET DEFAULT 5;
BEGIN; SELECT restored(); SELECT changed(); ROLLBACK;
-- CHECK constraints: over a column, a generated one, defaults of added columns, stable and volatile; NULL satisfies them.
ALTER TABLE fit ADD CONSTRAINT "t's" CHECK (t NOT LIKE '%2') NOT VALID;
SELECT refused();
ALTER TABLE fit DROP CONSTRAINT "t's", ADD twice int GENERATED ALWAYS AS (other * 2) STORED, ADD CONSTRAINT "at most 3" CHECK (twice > 3 AND n > 0);
SELECT refused();
ALTER TABLE fit DROP twice, ADD a int DEFAULT 3, ADD b int DEFAULT 4, ADD CONSTRAINT steady CHECK (a + b + id > 8);
SELECT refused();
ALTER TABLE fit DROP CONSTRAINT steady, ADD v int DEFAULT random() * 0 + 1, ADD CHECK (v IS NOT NULL), ADD g int GENERATED ALWAYS AS (v) STORED, ADD CHECK (g IS NOT NULL);
BEGIN; SELECT restored(); SELECT id, a, b, v, g FROM fit ORDER BY id; ROLLBACK;
ALTER TABLE fit DROP g, DROP v CASCADE, DROP a, DROP b;
-- Constants have the same meaning with all settings of the session, in checks, generated columns, defaults and predicates.
ALTER TABLE fit ADD d date DEFAULT '2026-02-01', ADD i interval DEFAULT '-1 day -2 hours', ADD e date GENERATED ALWAYS AS (date '2026-02-03' + id) STORED, ADD CONSTRAINT dated CHECK (d < '2026-02-02' AND i < '-25 hours' AND e > '2026-02-03');
CREATE UNIQUE INDEX dated ON fit (t) WHERE d > '2026-01-03';
BEGIN; SET LOCAL datestyle = 'SQL, DMY'; SET LOCAL intervalstyle = 'sql_standard'; SELECT restored(); SELECT id, d, i, e FROM fit WHERE id = 1; ROLLBACK;
ALTER TABLE fit DROP e, DROP d CASCADE, DROP i CASCADE;
-- A constraint over whole rows can be checked only by the write; a violation names it.
ALTER TABLE fit ADD CONSTRAINT whole CHECK (to_jsonb(fit) ->> 't' <> 't1');
SELECT fails('SELECT restored()') LIKE '23514: new row for relation "fit" violates check constraint "whole"%';
ALTER TABLE fit DROP CONSTRAINT whole;
INSERT INTO fit VALUES (8, 'a', 1, 't', 0);
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM fit WHERE id = 8;
ALTER TABLE fit ADD CONSTRAINT failing CHECK (id / other > 0) NOT VALID;
SELECT refused();
ALTER TABLE fit DROP CONSTRAINT failing;
SELECT snapback.forget('a');
TRUNCATE fit; INSERT INTO fit SELECT n, 'a', nullif(n, 2), 't' || n, n FROM generate_series(1, 4) n;
CALL snapback.capture_all();
CALL damage();
-- A foreign key to a row that never existed: an error if the column is NOT NULL, else set to NULL with a note.
CREATE TABLE platform (id int PRIMARY KEY);
INSERT INTO platform VALUES (3), (4);
ALTER TABLE fit ALTER other SET NOT NULL, ADD CONSTRAINT "to platform" FOREIGN KEY (other) REFERENCES platform;
SELECT refused();
ALTER TABLE fit ALTER other DROP NOT NULL;
BEGIN; SELECT restored(); SELECT id, other FROM fit ORDER BY id; ROLLBACK;
ALTER TABLE fit DROP CONSTRAINT "to platform";
-- A foreign key to rows of the snapshot: missing ones are restored too.
CREATE TABLE parent (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
INSERT INTO parent SELECT n, 'a' FROM generate_series(1, 4) n;
SELECT snapback.protect('parent', 'x.three');
SELECT snapback.forget('a');
TRUNCATE fit; INSERT INTO fit SELECT n, 'a', nullif(n, 2), 't' || n, n FROM generate_series(1, 4) n;
CALL snapback.capture_all();
CALL damage();
DELETE FROM parent WHERE id < 3;
ALTER TABLE fit ADD CONSTRAINT "to parent" FOREIGN KEY (other) REFERENCES parent;
SELECT relation, inserts, parents, notes FROM snapback.preview_restore('{x.one}', NULL, 'a');
SELECT restored('{x.one}');
SELECT changed();
ALTER TABLE fit DROP CONSTRAINT "to parent";
SELECT snapback.unprotect('parent');
-- A unique constraint that rows of the snapshot violate: by a column, an expression, NULLs, an exclusion constraint, also deferrable.
CREATE TABLE alike (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, code text, n int, span int4range);
INSERT INTO alike SELECT n, 'a', CASE WHEN n < 3 THEN 'Same' || n % 2 ELSE 'same0' END, nullif(n, 1), int4range(n, n + 2) FROM generate_series(1, 3) n;
INSERT INTO alike SELECT n, 'a', 'x' || n, NULL FROM generate_series(4, 5) n;
SELECT snapback.unprotect('fit');
SELECT snapback.protect('alike', 'x.one');
SELECT snapback.capture('a') IS NOT NULL;
TRUNCATE alike;
CREATE PROCEDURE try(what text, switches jsonb DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    EXECUTE 'ALTER TABLE app.alike ADD CONSTRAINT since ' || what;
    FOR line IN SELECT concat('preview +', p.inserts, ' skipped ' || nullif(p.skipped, 0), ': ' || nullif(p.obstacles, '{}')::text) FROM snapback.preview_restore('{x.one}', NULL, 'a', switches) p
                UNION ALL SELECT app.fails(format('SELECT snapback.restore(''{x.one}'', NULL, ''a'', %L)', switches)) LOOP
        RAISE INFO '%', line;
    END LOOP;
    RAISE INFO '% rows', (SELECT count(*) FROM app.alike);
    TRUNCATE app.alike;
    ALTER TABLE app.alike DROP CONSTRAINT since;
END $$;
CALL try('UNIQUE (code)');
CREATE UNIQUE INDEX since ON alike (lower(code)) WHERE id < 4;
SELECT inserts, obstacles FROM snapback.preview_restore('{x.one}', NULL, 'a');
SELECT fails($$SELECT snapback.restore('{x.one}', NULL, 'a')$$);
DROP INDEX since;
CALL try('UNIQUE (n)');
CALL try('UNIQUE NULLS NOT DISTINCT (n)');
CALL try('UNIQUE NULLS NOT DISTINCT (n) DEFERRABLE INITIALLY DEFERRED');
CALL try('UNIQUE NULLS NOT DISTINCT (n)', '{"on_conflict": "skip"}');
CALL try('EXCLUDE USING gist (span WITH &&)');
CALL try('EXCLUDE USING gist (span WITH &&) DEFERRABLE');
CALL try('EXCLUDE USING gist (span WITH &&)', '{"on_conflict": "skip"}');
SELECT snapback.unprotect('alike');
-- The same if an option restores one of two columns and the other has changed.
CREATE TABLE mixed (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, a int, b int, UNIQUE (a, b));
INSERT INTO mixed VALUES (1, 'a', 1, 1), (2, 'a', 1, 2), (3, 'a', 2, 2);
SELECT snapback.protect('mixed', 'x.one', columns => '{a}');
SELECT snapback.capture('a') IS NOT NULL;
UPDATE mixed SET a = 5 WHERE id = 1; UPDATE mixed SET a = 6, b = 1 WHERE id = 2; UPDATE mixed SET a = 7 WHERE id = 3;
SELECT updates, obstacles FROM snapback.preview_restore('{x.one}', NULL, 'a');
SELECT split_part(fails($$SELECT restored('{x.one}')$$), E'\n', 1);
SELECT updated, skipped FROM snapback.restore('{x.one}', NULL, 'a', '{"on_conflict": "skip"}');
TABLE mixed ORDER BY id;
SELECT snapback.unprotect('mixed');
-- An added foreign key that does not accept partly NULL references.
CREATE TABLE whole (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE half (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, a int, b int);
INSERT INTO whole VALUES (1, 1);
INSERT INTO half VALUES (1, 'a', 1, NULL), (2, 'a', 1, 1), (3, 'a', NULL, NULL);
SELECT snapback.protect('half', 'x.one');
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM half;
ALTER TABLE half ADD CONSTRAINT both_or_none FOREIGN KEY (a, b) REFERENCES whole MATCH FULL;
SELECT inserts, obstacles FROM snapback.preview_restore('{x.one}', NULL, 'a');
SELECT fails($$SELECT restored('{x.one}')$$);
SELECT inserted FROM snapback.restore('{x.one}', NULL, 'a', '{"rows": {"x.one": [{"id": 2}, {"id": 3}]}}');
ALTER TABLE half DROP CONSTRAINT both_or_none, ADD FOREIGN KEY (a, b) REFERENCES whole;
SELECT restored();
TABLE half ORDER BY id;
SELECT snapback.unprotect('half');
SELECT snapback.protect('fit', 'x.one');
TRUNCATE fit; INSERT INTO fit SELECT n, 'a', nullif(n, 2), 't' || n, n FROM generate_series(1, 4) n;
SELECT snapback.capture('a') IS NOT NULL;
CALL damage();
-- The key has changed: the snapshot contains NULL in it, or duplicates.
ALTER TABLE fit DROP CONSTRAINT fit_pkey, ADD PRIMARY KEY (n);
SELECT refused();
ALTER TABLE fit DROP CONSTRAINT fit_pkey, ALTER n DROP NOT NULL, ADD PRIMARY KEY (t);
SELECT snapback.capture('a') IS NOT NULL;
BEGIN; SELECT restored(); ROLLBACK;
SELECT snapback.forget('a');
ALTER TABLE fit DROP CONSTRAINT fit_pkey, ADD PRIMARY KEY (id);
INSERT INTO fit VALUES (1, 'a', 1, 'same'), (2, 'a', 2, 'same') ON CONFLICT DO NOTHING;
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM fit WHERE id = 1;
ALTER TABLE fit DROP CONSTRAINT fit_pkey, ADD PRIMARY KEY (t);
SELECT refused();

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
