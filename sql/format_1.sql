-- Snapshots of format version 1 are listed, verified and restored, in a database that was dumped with them.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\set VERBOSITY terse
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS pg_snapback CASCADE;
\o /dev/null
\i :folder/test/fixture/format_1.sql
\o
\pset format unaligned
\pset tuples_only on
RESET client_min_messages;
SET search_path = shop, public;
SET snapback.retention = '3650d';
\set ECHO all
SELECT snapback.install_guards();
SELECT community, label, status, rows, size > 100 AS has_size FROM snapback.snapshots ORDER BY community, captured_at;
SELECT * FROM snapback.verify();
SELECT id AS first FROM snapback.snapshot WHERE community = 'a' AND label = 'first' \gset
SELECT id AS second FROM snapback.snapshot WHERE community = 'a' AND label = 'second' \gset
SELECT option, tables, rows FROM snapback.snapshot_contents(:'first');
SELECT r FROM snapback.snapshot_rows(:'first', 'page') r LIMIT 2;
DELETE FROM note;
DELETE FROM page;
INSERT INTO blank VALUES (1, 'a');
SELECT relation, inserted, updated, deleted FROM snapback.restore('{*}', :'second', 'a');
SELECT count(*), count(*) FILTER (WHERE title = 'changed') AS changed FROM page;
SELECT relation, inserted, updated, deleted FROM snapback.restore('{*}', :'first', 'a');
SELECT id, tenant, title, price, tags, at AT TIME ZONE 'UTC' AS at FROM page ORDER BY id;
SELECT page, body FROM note ORDER BY page;
-- A capture reads in full, and the next one its changes. Rows can be erased from both forms.
SELECT snapback.capture('a', 'third') AS third \gset
DELETE FROM note WHERE page = 1;
SET snapback.delta_limit = 1000;
SELECT snapback.capture('a', 'fourth') AS fourth \gset
SELECT label, base = id AS in_full, length(deltas) / 32 AS deltas FROM snapback.snapshot WHERE community = 'a' AND kind = 'manual' ORDER BY captured_at;
SELECT snapback.erase_rows('a', 'note', (SELECT jsonb_agg(jsonb_build_object('id', id)) FROM note WHERE page = 4));
SELECT label, (SELECT count(*) FROM snapback.snapshot_rows(id, 'note')) FROM snapback.snapshot WHERE community = 'a' AND kind = 'manual' ORDER BY captured_at;
SELECT * FROM snapback.verify();
-- They expire together.
SET snapback.retention = '1s';
SELECT pg_sleep(1.1);
SELECT snapshots > 5, chunks > 3 FROM snapback.expire();
SELECT (SELECT count(*) FROM snapback.snapshot) + (SELECT count(*) FROM snapback.base) + (SELECT count(*) FROM snapback.snapshot_table) + (SELECT count(*) FROM snapback.basis)
     + (SELECT count(*) FROM snapback.table_set) + (SELECT count(*) FROM snapback.shape) + (SELECT count(*) FROM snapback.chunk) AS left;

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA shop CASCADE;
CREATE EXTENSION pg_snapback;
