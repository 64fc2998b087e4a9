-- Tables that were made anew, partitioned or replaced since the snapshot, and options that were redefined.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all

-- Dropped and made anew under the same name, the columns in another order: once protected, it takes the place of the old one.
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
SELECT relation, options, path, guard, status FROM snapback.protection WHERE relation <> 'unlike'::regclass ORDER BY 1;
SELECT restored('{x.one}');
SELECT * FROM "made\anew" ORDER BY id;
SELECT count(*) FROM snapback.known_columns;
SELECT snapback.unprotect('unlike');
DROP TABLE "made\anew";
-- So does a table of another key and path.
CREATE TABLE "made\anew" (id int, part int NOT NULL DEFAULT 0, cid text NOT NULL, elsewhere text REFERENCES community, a text, b int, PRIMARY KEY (id));
SELECT snapback.protect('"made\anew"', 'x.one', community_column => 'cid');
SELECT restored('{x.one}');
SELECT id, part, cid, elsewhere, a, b FROM "made\anew" ORDER BY id;
SELECT snapback.unprotect('"made\anew"');

-- Partitioned meanwhile: the old table, renamed, has become a partition of a new one of its name.
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

-- Options that were redefined since: other columns and rows of what the snapshot holds, columns and tables that it has not.
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
SELECT options FROM snapback.list_snapshots('a') s, snapback.snapshot_options(s.id) options WHERE kind = 'manual' LIMIT 1;
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
