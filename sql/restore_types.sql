-- Values of every type are restored unchanged, with all settings of the sessions that capture and restore.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all
CREATE EXTENSION hstore SCHEMA public; CREATE EXTENSION ltree SCHEMA public; CREATE EXTENSION citext SCHEMA public;

CREATE SCHEMA "Odd Types";
CREATE TYPE "Odd Types"."a ""mood""" AS ENUM ('good', 'it''s, "odd"', '');
CREATE TYPE "Odd Types".inner_pair AS (x numeric(6, 2), at timestamptz);
CREATE TYPE "Odd Types".pair AS ("a b" int, c text, d "Odd Types".inner_pair[], e bytea);
CREATE DOMAIN "Odd Types".short AS varchar(5) CHECK (VALUE <> 'bad');
CREATE DOMAIN "Odd Types".shorts AS "Odd Types".short[];
CREATE TYPE "Odd Types".floatrange AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE "Odd Types".labels AS RANGE (subtype = text, collation = "C");
CREATE COLLATION "Odd Types".blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

CREATE TABLE typed (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, gone int,
    b bool, c1 "char", i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, n2 numeric(12, 4), m money,
    t text, vc varchar(20), ch char(7), nm name, bb bytea, bi bit(5), vb varbit, u uuid,
    d date, tm time, tmz timetz, ts timestamp, ts3 timestamp(3), tz timestamptz, iv interval, iv2 interval hour to minute,
    j json, jb jsonb, jp jsonpath, x xml, ip inet, net cidr, mac macaddr, mac8 macaddr8,
    tv tsvector, tq tsquery, lsn pg_lsn, o xid, rc regclass, rt regtype, rr regrole, xd xid8, snap pg_snapshot,
    pt point, ln line, ls lseg, bx box, pa path, po polygon, ci circle,
    hs hstore, lt ltree, lq lquery, ct citext, mood "Odd Types"."a ""mood""", pair "Odd Types".pair, short "Odd Types".short, shorts "Odd Types".shorts,
    r4 int4range, rn numrange, rts tsrange, rtz tstzrange, rd daterange, rf "Odd Types".floatrange, rl "Odd Types".labels, mr nummultirange, mrz tstzmultirange,
    af float8[], at timestamptz[], an numeric[], ab bytea[], am money[], ax xml[], aj json[], aiv interval[], ae "Odd Types"."a ""mood"""[], ap "Odd Types".pair[], ar int4range[], ai int[], atx text[],
    blind text COLLATE "Odd Types".blind, doubled numeric GENERATED ALWAYS AS (n * 2) STORED);
ALTER TABLE typed DROP COLUMN gone;
INSERT INTO typed (id, cid, b, c1, i2, i4, i8, f4, f8, n, n2, m, t, vc, ch, nm, bb, bi, vb, u, d, tm, tmz, ts, ts3, tz, iv, iv2, j, jb, jp, x, ip, net, mac, mac8,
    tv, tq, lsn, o, rc, rt, rr, xd, snap, pt, ln, ls, bx, pa, po, ci, hs, lt, lq, ct, mood, pair, short, shorts, r4, rn, rts, rtz, rd, rf, rl, mr, mrz,
    af, at, an, ab, am, ax, aj, aiv, ae, ap, ar, ai, atx, blind)
VALUES (1, 'a', true, '\377', -32768, -2147483648, -9223372036854775808, 1.1754944e-38, 5e-324, 1e-130, -99999999.9999, '-92233720368547758.08',
    E'tab\tnewline\nquote'' "\\', 'Grüße ☃ 𝄞', 'a', 'Name "x"', '\x00ff5c27', B'10101', B'', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
    '4713-01-01 BC', '24:00:00', '23:59:59.999999-15:59', 'infinity', '294276-12-31 23:59:59.999', '-infinity', '-178956970 years -8 mons -2147483648 days -2562047788:00:54.775807', '100:59',
    '{"a" : 1, "a":  1.0e5 }', '{"b": 1.000, "\u00fc": [null, 1e400, -0.0]}', '$."a"[*] ? (@ > 1)', '<?xml version="1.0"?><a>1</a>', '::ffff:1.2.3.4/128', '10.1.0.0/16', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05',
    '''a b'':1A,2B c:3', '!a & (b <-> c:*A)', 'FFFFFFFF/FFFFFFFF', '4294967295', 'pg_class', 'interval hour to minute', 'pg_monitor', '18446744073709551615', '10:20:10,14,15',
    '(-0,Infinity)', '{1,-1,0.1}', '[(0.1,0.2),(3,4)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0.1,0.2),3e-300>',
    '"a b"=>"1", c=>NULL, ""=>"\""', 'top.a_b.c', '*.foo|bar.!x*{1,}', 'MiXed', 'it''s, "odd"', ROW(-1, NULL, ARRAY[ROW('NaN', '-infinity'), NULL, ROW(1.50, '2000-01-01 12:00:00.000001+00')]::"Odd Types".inner_pair[], '\x0001'), 'abcde', '{abc,NULL,""}',
    'empty', '(,1.50]', '[2000-01-01 01:02:03.000004,)', '(-infinity,infinity]', '[2000-01-01,2000-02-02)', '[-Infinity,0.1)', '["a,b","c)""d")', '{[1.0,2.00),(3,)}', '{["2000-01-01 00:00:00+02","infinity")}',
    '{-0,NaN,Infinity,0.1,1e-300}', '{-infinity,2000-06-01 00:00:00.000001+00,"0044-03-15 00:00:00+00 BC"}', '[-1:0]={1.50,NaN}', '{"\\x00","\\x5c"}', '{1.23,-0.01}', '{<a/>,"text <b/>",NULL}', '{"{\"a\" : 1}",null}', '{"1 mon -1 day +00:00:00.000001","-1 years"}', '{good,"",NULL,"it''s, \"odd\""}', ARRAY[ROW(1,'x',NULL,NULL)]::"Odd Types".pair[], '{"[1,2)",empty}', '[2:3][0:1]={{1,NULL},{3,4}}', '{NULL,"NULL",null,"a\\b",""}', 'Case'),
 (2, 'a', false, '', 0, 0, 0, '-0', '-0', 0.000, 0, 0, '', '', '', '', '', B'00000', B'1', '00000000-0000-0000-0000-000000000000',
    'infinity', '00:00', '00:00+15', '4713-01-01 00:00 BC', '2000-01-01', '2000-01-01 00:00+14', '178956970 years 7 mons 2147483646 days 2562047788:00:54.775807', '0',
    'null', 'null', '$', '', '0.0.0.0/0', '::/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00', '', '', '0/0', '0', 0, 0, 0, '0', '1:1:',
    '(0,0)', '{0,1,0}', '[(0,0),(0,0)]', '(0,0),(0,0)', '((0,0))', '((0,0))', '<(0,0),0>', '', '', 'a', '', '', ROW(NULL, NULL, NULL, NULL), '', '{}',
    '[1,2)', 'empty', 'empty', 'empty', 'empty', 'empty', '(,)', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', ''),
 (3, 'a', NULL, NULL, NULL, NULL, NULL, 'NaN', 'NaN', 'NaN', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (4, 'a', NULL, NULL, NULL, NULL, NULL, 'Infinity', '-Infinity', '-Infinity', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
-- Values too large for one page, compressible and not.
INSERT INTO typed (id, cid, t, bb, jb, atx) SELECT 5, 'a', repeat('long ', 800000), decode(string_agg(md5(n::text), ''), 'hex'), jsonb_agg(n), array_agg(md5(n::text)) FROM generate_series(1, 150000) n;
INSERT INTO typed (id, cid, t) VALUES (6, 'b', 'another');
CREATE TABLE original AS TABLE typed;
SELECT snapback.protect('typed', 'x.one'), watch('typed');
SELECT keep();
CALL snapback.capture_all();
SELECT * FROM snapback.verify();

-- A session with other settings finds no difference ...
SET datestyle = 'German'; SET intervalstyle = 'iso_8601'; SET timezone = 'Asia/Kathmandu'; SET extra_float_digits = -15; SET bytea_output = escape;
SET array_nulls = off; SET xmloption = document; SET quote_all_identifiers = on; SET lc_monetary = 'C.UTF-8'; SET standard_conforming_strings = off; SET transform_null_equals = on;
SET search_path = app, "Odd Types", public;
SELECT inserts, updates, deletes, unchanged FROM snapback.preview_restore('{x.one}', NULL, 'a');
-- ... and restores deleted and changed rows.
DELETE FROM typed WHERE id IN (1, 3, 5);
UPDATE typed SET f8 = 0, n = 0.0, f4 = 0, atx = '{x}', t = 'T', c1 = 'x', ct = 'X', blind = 'x' WHERE id IN (2, 4);
INSERT INTO typed (id, cid) VALUES (7, 'a');
SELECT restored();
SELECT inserts, updates, deletes, unchanged FROM snapback.preview_restore('{x.one}', NULL, 'a');
SELECT count(DISTINCT s) FROM snapback.snapshot s WHERE EXISTS (SELECT FROM snapback.verify(s.id));
RESET ALL; SET client_min_messages = warning; SET search_path = app, public;
SELECT changed();
SELECT count(*) FROM typed t JOIN original o USING (id) WHERE record_image_ne(t.*, o.*);
SELECT id, iv::text, x::text FROM typed WHERE id < 3 ORDER BY id;
-- snapshot_rows() shows the rows.
SELECT count(*), count(*) FILTER (WHERE r ->> 'f8' = '-0'), max(length(r ->> 't')) FROM snapback.snapshot s, snapback.snapshot_rows(s.id, 'typed') r WHERE s.community = 'a' AND s.kind = 'scheduled';
DELETE FROM snapback.snapshot; SELECT snapback.unprotect('typed'); DELETE FROM watched;

-- Keys of many types; keys that are equal but not identical are one row, which gets its old spelling back.
CREATE TABLE key_numeric (k numeric PRIMARY KEY, cid text NOT NULL REFERENCES community, v int);
CREATE TABLE key_citext (k citext, cid citext NOT NULL, v int, PRIMARY KEY (cid, k));
CREATE TABLE key_blind (k text COLLATE "Odd Types".blind PRIMARY KEY, cid text NOT NULL REFERENCES community, v int);
CREATE TABLE key_float (k float8, cid text NOT NULL REFERENCES community, at timestamptz, v int, PRIMARY KEY (k, at));
CREATE TABLE key_bytea (k bytea, k2 bytea, cid text NOT NULL REFERENCES community, v int, PRIMARY KEY (k, k2));
CREATE TABLE key_enum (k "Odd Types"."a ""mood""", r int4range, cid text NOT NULL REFERENCES community, v int, PRIMARY KEY (k, r));
CREATE TABLE key_range (cid text NOT NULL REFERENCES community, k int[], p "Odd Types".pair, v int, PRIMARY KEY (k, p));
CREATE TABLE key_interval (cid text NOT NULL REFERENCES community, k interval, v int, PRIMARY KEY (k));
CREATE TABLE key_unique (cid text NOT NULL REFERENCES community, k name NOT NULL, i "char" NOT NULL, v int, other uuid NOT NULL, UNIQUE (k, i) INCLUDE (v), UNIQUE (other));
INSERT INTO key_numeric SELECT n / 3.0, CASE WHEN n % 2 = 0 THEN 'a' ELSE 'b' END, n FROM generate_series(-20, 20) n;
INSERT INTO key_numeric VALUES (1.50, 'a', 1), ('NaN', 'a', 1), ('Infinity', 'a', 1), ('-Infinity', 'b', 1);
INSERT INTO key_citext SELECT 'Key ' || n, 'a', n FROM generate_series(1, 20) n;
INSERT INTO key_blind SELECT 'Key ' || n, 'a', n FROM generate_series(1, 20) n;
INSERT INTO key_float VALUES ('-0', 'a', '-infinity', 1), ('NaN', 'a', 'infinity', 2), (0.1, 'a', 'epoch', 3), ('-Infinity', 'b', 'epoch', 4), (-1e-300, 'a', 'epoch', 5);
INSERT INTO key_bytea VALUES ('', '', 'a', 1), ('', '\x00', 'a', 2), ('\x00', '', 'a', 3), ('\x00', '\x00', 'b', 4), ('\x0000', '', 'a', 5), ('\x00ff', '\xff', 'a', 6), ('\x00ff', '\x00', 'a', 7), ('\x', '\x00ff00', 'a', 8);
INSERT INTO key_enum VALUES ('', 'empty', 'a', 1), ('good', '[1,2)', 'a', 2), ('it''s, "odd"', '(,)', 'a', 3), ('good', '(,2)', 'b', 4);
INSERT INTO key_range VALUES ('a', '{}', ROW(1, 'x', NULL, ''), 1), ('a', '{1,NULL}', ROW(NULL, NULL, NULL, NULL), 2), ('a', '[0:0]={1}', ROW(1, '', '{}', '\x00'), 3);
INSERT INTO key_interval VALUES ('a', '1 mon', 1), ('a', '-1 days', 2), ('b', '0', 3);
INSERT INTO key_unique VALUES ('a', 'x', '', 1, gen_random_uuid()), ('a', 'x', 'y', 2, gen_random_uuid()), ('b', '', 'y', 3, gen_random_uuid());
SELECT snapback.protect(c, 'x.one', 'cid'), watch(c, 't.cid::text') FROM pg_class p, LATERAL (SELECT p.oid::regclass) c(c) WHERE relname LIKE 'key\_%' AND relkind = 'r' AND relnamespace = 'app'::regnamespace ORDER BY relname;
SELECT keep();
CALL snapback.capture_all();
UPDATE key_numeric SET k = k * 1.0 WHERE cid = 'a' AND v % 4 = 0;
UPDATE key_numeric SET v = -v, k = 1.500000 WHERE k = 1.5;
UPDATE key_citext SET k = upper(k), v = -v WHERE v % 3 = 0;
UPDATE key_citext SET k = lower(k) WHERE v % 3 = 1;
UPDATE key_blind SET k = upper(k), v = -v WHERE v % 3 = 0;
UPDATE key_float SET k = 0 WHERE k = 0;
UPDATE key_interval SET k = '30 days' WHERE k = '1 mon';
UPDATE key_interval SET k = '-24 hours', v = 9 WHERE v = 2;
DELETE FROM key_bytea WHERE v IN (1, 3, 5); INSERT INTO key_bytea VALUES ('\x00ff00', '', 'a', 9); UPDATE key_bytea SET v = 70 WHERE v = 7;
DELETE FROM key_enum WHERE v IN (1, 3); INSERT INTO key_enum VALUES ('', '[7,8)', 'a', 9);
DELETE FROM key_range WHERE v = 3; UPDATE key_range SET v = 20 WHERE v = 2;
UPDATE key_unique SET v = v + 10 WHERE cid = 'a'; DELETE FROM key_unique WHERE i = '';
SELECT changed();
SELECT restored();
SELECT changed();

-- The order and chunks of rows do not depend on a collation: with another one, which sorts keys differently, the chunks are the same.
CREATE TABLE collated (k text COLLATE "C" PRIMARY KEY, cid text NOT NULL REFERENCES community, v text);
INSERT INTO collated SELECT chr(ascii('A') + n % 26 + 32 * (n / 26 % 2)) || 'é-' || n, 'a', repeat(md5(n::text), 20) FROM generate_series(1, 2000) n;
SELECT snapback.protect('collated', 'x.one'), watch('collated');
SELECT keep();
SELECT snapback.capture('a') IS NOT NULL;
SELECT length(chunks) / 32 > 3 AS several FROM snapback.base_table WHERE table_id = snapback_internal.protected_table_id('collated');
DELETE FROM collated WHERE v LIKE '%7'; UPDATE collated SET v = 'x' WHERE v LIKE '%8';
ALTER TABLE collated ALTER k TYPE text COLLATE "und-x-icu";
SELECT count(*) > 0 AS otherwise FROM (SELECT k, lag(k) OVER (ORDER BY k) AS before FROM collated) o WHERE k COLLATE "C" < before COLLATE "C";
SELECT restored() ~ '^app.collated \+1\d\d ~1\d\d$';
SELECT changed();
SELECT snapback.capture('a') IS NOT NULL;
SELECT count(*), count(DISTINCT chunks) FROM snapback.base_table JOIN snapback.snapshot ON snapback.base_table.base = snapback.snapshot.base WHERE table_id = snapback_internal.protected_table_id('collated') AND kind = 'manual';
SELECT inserts, updates, deletes FROM snapback.preview_restore('{x.one}', NULL, 'a') WHERE relation = 'app.collated';
SELECT snapback.unprotect('collated'); DELETE FROM watched; DELETE FROM snapback.snapshot; SELECT chunks > 0 FROM snapback.forget('a');

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA app, "Odd Types" CASCADE;
DROP EXTENSION hstore, ltree, citext;
CREATE EXTENSION pg_snapback;
