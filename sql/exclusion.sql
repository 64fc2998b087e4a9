-- Tables that are deliberately not protected: they are listed as excluded, and no check reports them.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all
CREATE TABLE page (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
CREATE TABLE nokey (cid text NOT NULL REFERENCES community, note text);
CREATE UNLOGGED TABLE cache (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
CREATE TABLE "Log's" (id int, at date, cid text NOT NULL REFERENCES community, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE log_old PARTITION OF "Log's" DEFAULT;
CREATE TABLE log_line (id int PRIMARY KEY, log int, at date, FOREIGN KEY (log, at) REFERENCES "Log's");
CREATE VIEW shown AS SELECT relation, options, status, problem, note FROM snapback.protection ORDER BY relation COLLATE "C";
CREATE VIEW asked AS (SELECT subject FROM snapback.health() WHERE concern IN ('guard', 'unprotected') ORDER BY subject COLLATE "C") UNION ALL SELECT snapback.suggest();
SELECT snapback.protect('page', 'x.one');
SELECT * FROM shown;
SELECT snapback.exclude('nokey', 'nobody needs these notes'), snapback.exclude('cache', 'filled by itself'), snapback.exclude('"Log''s"', 'may never be changed back');
SELECT * FROM shown;
SELECT * FROM asked;
SELECT snapback.exclude('cache', 'the application fills it'), snapback.exclude('log_line', 'as the log');
SELECT * FROM shown;
SELECT * FROM asked;
SELECT snapback.capture('a') IS NOT NULL;

-- Refusals.
CREATE TEMP TABLE passing (id int);
SELECT fails('SELECT snapback.exclude(' || a || ')') FROM unnest(ARRAY['NULL, ''x''', '99999999::regclass, ''x''', '''nokey'', NULL', '''nokey'', '' ''', '''page'', ''x''',
    '''shown'', ''x''', '''log_old'', ''x''', '''passing'', ''x''', '''pg_class'', ''x''', '''snapback.chunk'', ''x''']) a;
SELECT fails('SELECT snapback.unexclude(' || a || ')') FROM unnest(ARRAY['NULL', '''page''', '''log_old''', '99999999::regclass']) a;
SELECT * FROM shown;

-- An exclusion can be removed, and ends when the table is protected.
SELECT snapback.unexclude('nokey');
SELECT * FROM asked;
SET client_min_messages = notice;
SELECT snapback.protect('"Log''s"', 'x.two');
SET client_min_messages = warning;
SELECT relation, options, status FROM shown;
SELECT snapback.unprotect('"Log''s"');
SELECT * FROM asked;
BEGIN;
SELECT fails($$SELECT snapback.protect('cache', 'x.two')$$);
SELECT status FROM shown WHERE relation = 'app.cache';
ROLLBACK;
SELECT snapback.exclude('"Log''s"', 'may never be changed back'), snapback.exclude('nokey', 'nobody needs these notes');

-- A table keeps its exclusion when it is renamed, moved, or dropped and recreated; another table does not get it.
CREATE SCHEMA "Other Place";
ALTER TABLE cache RENAME TO "Cache"; ALTER TABLE "Cache" SET SCHEMA "Other Place";
SELECT * FROM shown;
SELECT snapback.capture('a') IS NOT NULL;
DROP TABLE "Other Place"."Cache", log_line, nokey;
SELECT * FROM shown;
CREATE TABLE "Other Place"."Cache" (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
CREATE TABLE cache (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
CREATE VIEW nokey AS SELECT 1 AS id;
SELECT * FROM shown;
SELECT * FROM asked;
SELECT count(*) FROM snapback.excluded_table e WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = e.relation);
CALL snapback.capture_all();
SELECT count(*) FROM snapback.excluded_table e WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = e.relation);
SELECT snapback.exclude('"Other Place"."Cache"', 'once more');
SELECT relation, note FROM shown WHERE status = 'excluded';
SELECT snapback.unexclude('"Other Place"."Cache"');
DROP TABLE cache, "Other Place"."Cache";

-- In the schemas of communities the exclusion applies by name, also to later communities.
CREATE SCHEMA own_a; CREATE SCHEMA own_b;
CREATE TABLE own_a.scratch (id int PRIMARY KEY); CREATE TABLE own_b.scratch (id int);
CREATE OR REPLACE VIEW directory AS
    SELECT id AS community, id AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled, CASE WHEN id < 'c' THEN 'own_' || id END AS schema_name FROM community;
SELECT snapback.exclude('own_b.scratch', 'by name');
SELECT relation, note FROM shown WHERE status = 'excluded';
CREATE SCHEMA own_bb; CREATE TABLE own_bb.scratch (id int PRIMARY KEY); INSERT INTO community VALUES ('bb');
SELECT relation, note FROM shown WHERE status = 'excluded';
SELECT * FROM asked;
SELECT snapback.unexclude('own_a.scratch');
SELECT * FROM asked;
SELECT snapback.exclude('own_a.scratch', 'by name');
DROP TABLE own_b.scratch; CREATE TABLE own_b.scratch (id int PRIMARY KEY);
SELECT snapback.protect('own_bb.scratch', 'x.two');
SELECT relation, options, status FROM shown;
DROP SCHEMA app, own_a, own_b, own_bb, "Other Place" CASCADE;
DROP EXTENSION pg_snapback CASCADE;
CREATE EXTENSION pg_snapback;
