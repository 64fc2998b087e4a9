-- Tables that were recreated, partitioned or replaced since the snapshot, and options that were redefined.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all

-- Dropped and recreated under the same name with another order of columns: after protect() it replaces the old table.
CREATE TABLE "made\anew" (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, a text, b int DEFAULT 7, gone int, UNIQUE (b));
INSERT INTO "made\anew" SELECT n, 'a', 'a' || n, n, n FROM generate_series(1, 3) n;
SELECT snapback.protect('"made\anew"', 'x.one'), snapback.protect('"made\anew"', 'x.two', columns => '{a}');
SELECT snapback.capture('a') IS NOT NULL;
DROP TABLE "made\anew";
CREATE TABLE "made\anew" (b bigint UNIQUE, fresh text DEFAULT 'new', a text, cid text NOT NULL REFERENCES community, id int PRIMARY KEY);
INSERT INTO "made\anew" VALUES (2, 'kept', 'x', 'a', 2), (9, 'kept', 'x', 'a', 9);
SELECT fails($$SELECT restored('{x.one}')$$);
CREATE TABLE unlike (LIKE "made\anew" INCLUDING ALL, FOREIGN KEY (cid) REFERENCES community);
SELECT snapback.protect('unlike', 'x.three');
SET client_min_messages = notice;
SELECT snapback.protect('"made\anew"', 'x.one');
SET client_min_messages = warning;
SELECT relation, options, path, guard, status FROM snapback.protection WHERE relid <> 'unlike'::regclass ORDER BY 1;
SELECT restored('{x.one}');
SELECT * FROM "made\anew" ORDER BY id;
SELECT count(*) FROM snapback.known_columns;
SELECT snapback.unprotect('unlike');
DROP TABLE "made\anew";
-- So does a table with another key and path.
CREATE TABLE "made\anew" (id int, part int NOT NULL DEFAULT 0, cid text NOT NULL, elsewhere text REFERENCES community, a text, b int, PRIMARY KEY (id));
SELECT snapback.protect('"made\anew"', 'x.one', community_column => 'cid');
SELECT restored('{x.one}');
SELECT id, part, cid, elsewhere, a, b FROM "made\anew" ORDER BY id;
SELECT snapback.unprotect('"made\anew"');

-- A copy takes the name, and the old table is renamed: the copy replaces it while it exists, or after it was dropped.
CREATE TABLE shadow (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, a text, b int);
INSERT INTO shadow SELECT n, 'a', 'a' || n, n FROM generate_series(1, 3) n;
SELECT snapback.protect('shadow', 'x.one'), snapback.protect('shadow', 'x.two', columns => '{a,b}');
SELECT snapback.capture('a') AS before \gset
ALTER TABLE shadow RENAME b TO c;
CREATE FUNCTION exchanged(old_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE app.shadow_new (LIKE app.shadow INCLUDING ALL, FOREIGN KEY (cid) REFERENCES app.community);
    INSERT INTO app.shadow_new SELECT * FROM app.shadow;
    EXECUTE format('ALTER TABLE app.shadow RENAME TO %I; ALTER TABLE app.shadow_new RENAME TO shadow', old_name);
END $$;
SELECT exchanged('shadow_old');
SELECT concern, subject, problem FROM snapback.health() WHERE concern <> 'capture' ORDER BY 1, 2;
CREATE TABLE under (id int PRIMARY KEY, shadow int NOT NULL CONSTRAINT of_shadow REFERENCES shadow_old);
SELECT snapback.protect('under', 'x.three');
SELECT fails($$SELECT snapback.protect('shadow', 'x.one')$$);
ALTER TABLE under DROP CONSTRAINT of_shadow, ADD CONSTRAINT of_shadow FOREIGN KEY (shadow) REFERENCES shadow;
SET client_min_messages = notice;
BEGIN;
-- A snapshot between the changes contains the old table.
INSERT INTO shadow_old VALUES (9, 'a', 'old', 9);
ALTER TABLE under DISABLE TRIGGER ALL; SELECT snapback.unprotect('under');
SELECT snapback.capture('a') AS between \gset
SELECT snapback.protect('shadow', 'x.one');
SELECT restored('{x.one}');
ROLLBACK;
SELECT snapback.protect('shadow', 'x.one');
SET client_min_messages = warning;
SELECT relation, options, guard, status FROM snapback.protection ORDER BY 1;
SELECT concern, subject, problem FROM snapback.health() WHERE concern <> 'capture' ORDER BY 1, 2;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'shadow_old'::regclass AND NOT tgisinternal;
DROP TABLE shadow_old;
DELETE FROM shadow WHERE id = 1; UPDATE shadow SET c = 0, a = 'x' WHERE id = 2;
SELECT restored('{x.two}');
SELECT restored('{x.one}');
SELECT * FROM shadow ORDER BY id;
-- Captured under its other name first, and dropped before the copy is protected.
SELECT snapback.unprotect('under');
DROP TABLE under;
SELECT exchanged('shadow_old');
INSERT INTO shadow_old VALUES (9, 'a', 'old', 9);
SELECT snapback.capture('a') AS between \gset
DROP TABLE shadow_old;
INSERT INTO shadow VALUES (10, 'a', 'new', 10);
SELECT snapback.protect('shadow', 'x.one');
SELECT fails($$SELECT restored('{x.one}')$$);
SELECT relation, obstacles FROM snapback.preview_restore('{x.one}', :'between', 'a');
SELECT relation, inserts, updates, deletes, obstacles FROM snapback.preview_restore('{x.one}', :'before', 'a');
SELECT snapback.capture('a') AS after \gset
DELETE FROM shadow WHERE id IN (2, 10);
SELECT restored('{x.one}');
-- It is recognized even if no snapshot contains a row of it.
BEGIN;
DELETE FROM snapback.snapshot; DELETE FROM shadow;
SELECT snapback.capture('a') IS NOT NULL;
SELECT exchanged('shadow_old');
SELECT snapback.protect('shadow', 'x.one');
INSERT INTO shadow VALUES (11, 'a', 'new', 11);
SELECT restored('{x.one}');
ROLLBACK;
-- The old table is kept as an archive under its own option: nothing is replaced.
SELECT exchanged('archive');
SELECT snapback.protect('shadow', 'x.one');
SELECT snapback.protect('archive', 'x.three');
SELECT relation, options FROM snapback.protection WHERE options <> '{}' ORDER BY 1;
SELECT snapback.capture('a') IS NOT NULL;
-- The replacement is reversed: two protected tables had the name.
ALTER TABLE shadow RENAME TO shadow_new; ALTER TABLE archive RENAME TO shadow;
SET client_min_messages = notice;
SELECT snapback.protect('shadow', 'x.three');
SET client_min_messages = warning;
SELECT snapback.unprotect('shadow');
SELECT snapback.protect('shadow', 'x.one');
SELECT relation, options FROM snapback.protection WHERE options <> '{}' ORDER BY 1;
DELETE FROM shadow;
SELECT restored('{x.one}');
SELECT count(*) FROM shadow;
-- A table that is rewritten or moved to another schema remains the same; another one that is created under its name does not, if it was captured elsewhere.
VACUUM FULL shadow;
CREATE SCHEMA elsewhere; ALTER TABLE shadow SET SCHEMA elsewhere;
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM elsewhere.shadow WHERE id < 3;
SELECT restored('{x.one}');
DELETE FROM snapback.snapshot s WHERE s.id <> (SELECT s.id FROM snapback.snapshot s ORDER BY s.captured_at DESC LIMIT 1);
CREATE TABLE shadow (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
SELECT snapback.protect('shadow', 'x.three');
SELECT relation, options FROM snapback.protection WHERE options <> '{}' ORDER BY 1;
SELECT snapback.unprotect('elsewhere.shadow'), snapback.unprotect('shadow');
DROP TABLE shadow, shadow_new; DROP SCHEMA elsewhere CASCADE;

-- Partitioned: the old table, renamed, became a partition of a new one with its name.
CREATE TABLE event (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, at date NOT NULL, note text);
INSERT INTO event SELECT n, 'a', '2026-01-01'::date + n, 'n' || n FROM generate_series(1, 4) n;
SELECT snapback.protect('event', 'x.one');
CREATE TABLE note (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
INSERT INTO note VALUES (1, 'a');
SELECT snapback.protect('note', 'x.two');
SELECT snapback.capture('a') IS NOT NULL;
ALTER TABLE event RENAME TO event_old;
ALTER TABLE event_old DROP CONSTRAINT event_pkey;
CREATE TABLE event (id int, cid text NOT NULL REFERENCES community, at date NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
ALTER TABLE event ATTACH PARTITION event_old FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE event_new PARTITION OF event DEFAULT;
UPDATE event SET at = '2027-01-01' WHERE id = 1;
DELETE FROM event WHERE id = 2; DELETE FROM note;
SELECT fails($$SELECT restored('{x.one}')$$);
SELECT fails($$SELECT snapback.capture('a')$$);
SELECT restored('{x.two}');
SELECT snapback.protect('event', 'x.one');
SELECT relation, guard, status FROM snapback.protection ORDER BY 1;
SELECT restored('{x.one}');
SELECT tableoid::regclass, * FROM event ORDER BY id;
SELECT snapback.unprotect('event'), snapback.unprotect('note');

-- Options that were redefined: other columns and rows of the snapshot, columns and tables that it does not contain.
CREATE TABLE parts (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, a text, b text, kind int);
INSERT INTO parts SELECT n, 'a', 'a' || n, 'b' || n, n % 2 FROM generate_series(1, 4) n;
CREATE TABLE later (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
SELECT snapback.protect('parts', 'x.one'), snapback.protect('parts', 'x.two', columns => '{a}');
SELECT snapback.capture('a') IS NOT NULL;
UPDATE parts SET a = 'x', b = 'x'; DELETE FROM parts WHERE id = 1;
SELECT snapback.protect('parts', 'x.one', filter => 'kind = 0'), snapback.protect('parts', 'x.two', columns => '{b}');
BEGIN; SELECT restored('{x.one}'); SELECT id, a, b FROM parts ORDER BY id; ROLLBACK;
BEGIN; SELECT restored('{x.two}'); SELECT id, a, b FROM parts ORDER BY id; ROLLBACK;
SELECT snapback.protect('later', 'x.one');
SELECT fails($$SELECT restored('{x.one}')$$);
SELECT options FROM snapback.list_snapshots('a') s, snapback_internal.snapshot_options(s.id) options WHERE kind = 'manual' LIMIT 1;
SELECT restored('{x.two}');
SELECT snapback.unprotect('later');
SELECT fails($$SELECT restored('{x.three}')$$);
ALTER TABLE parts RENAME b TO c;
ALTER TABLE parts RENAME kind TO sort;
SELECT fails($$SELECT restored('{x.one}')$$);
SELECT restored('{x.two}');
ALTER TABLE parts ADD fresh int;
SELECT snapback.protect('parts', 'x.one', filter => 'fresh IS NULL'), snapback.protect('parts', 'x.two', columns => '{fresh}');
SELECT fails($$SELECT restored('{x.one}')$$);
SELECT restored('{x.two}');
ALTER TABLE parts DROP fresh;
SELECT fails($$SELECT restored('{x.two}')$$);
SELECT snapback.protect('parts', 'x.one');
SELECT fails($$SELECT restored('{x.one}')$$);
SELECT snapback.protect('parts', 'x.two', filter => 'sort = 1');
SELECT restored();
TABLE parts ORDER BY id;

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
