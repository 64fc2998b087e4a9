-- Restores and constraints: exchanged values, cycles, cascades, references of other rows, sequences.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all

-- Rows of one restore exchange unique values, with immediate and deferrable constraints.
CREATE TABLE swap (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, pos int, turn int, span int4range, room int4range, code text, UNIQUE (cid, pos),
    UNIQUE (cid, turn) DEFERRABLE, EXCLUDE USING gist (span WITH &&), EXCLUDE USING gist (room WITH &&) DEFERRABLE INITIALLY DEFERRED);
CREATE UNIQUE INDEX ON swap (cid, lower(code)) WHERE id > 1;
INSERT INTO swap SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, n, n, int4range(n, n + 1), int4range(n, n + 1), 'C' || n FROM generate_series(1, 8) n;
SELECT snapback.protect('swap', 'x.one'), watch('swap');
SELECT keep();
CALL snapback.capture_all();
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
UPDATE swap SET pos = pos + 100, span = int4range(id + 100, id + 101), code = 'z' || id WHERE cid = 'a';
UPDATE swap SET pos = 5 - id, turn = 5 - id, span = int4range(5 - id, 6 - id), room = int4range(5 - id, 6 - id), code = 'c' || 5 - id WHERE cid = 'a';
COMMIT;
SELECT changed();
SELECT restored();
SELECT changed();
-- A value that another community holds is a conflict, with every kind of constraint.
UPDATE swap SET room = '[100,101)', span = '[100,101)' WHERE id = 1;
UPDATE swap SET room = '[1,2)' WHERE id = 7;
SELECT fails($$SELECT restored()$$);
UPDATE swap SET room = '[7,8)' WHERE id = 7;
UPDATE swap SET span = '[1,2)' WHERE id = 7;
SELECT fails($$SELECT restored()$$);
UPDATE swap SET span = '[7,8)' WHERE id = 7;
SELECT restored();
SELECT changed();
SELECT snapback.unprotect('swap'); DELETE FROM watched;
-- The same for a deferrable unique constraint over a generated column, in rows that the option does not cover.
CREATE TABLE seat (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, n int, half int GENERATED ALWAYS AS (n / 2) STORED,
    UNIQUE (half) DEFERRABLE, UNIQUE NULLS NOT DISTINCT (cid, n) DEFERRABLE);
INSERT INTO seat VALUES (1, 'a', 2), (2, 'a', 4), (3, 'b', 6), (4, 'a', NULL);
SELECT snapback.protect('seat', 'x.one', filter => 'id < 3'), watch('seat');
SELECT keep();
CALL snapback.capture_all();
UPDATE seat SET n = 8 WHERE id = 1;
UPDATE seat SET n = 3 WHERE id = 3;
SELECT fails($$SELECT restored()$$);
UPDATE seat SET n = 6 WHERE id = 3;
SELECT restored();
SELECT changed();
SELECT snapback.unprotect('seat'); DELETE FROM watched;

-- A row with a reference to an added one, in a column that is not restored, keeps it.
CREATE TABLE parent (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, label text);
CREATE TABLE child (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, parent int NOT NULL REFERENCES parent, note text);
INSERT INTO parent SELECT n, 'a', 'p' || n FROM generate_series(1, 3) n;
INSERT INTO child SELECT n, 'a', n, 'c' || n FROM generate_series(1, 3) n;
SELECT snapback.protect('parent', 'x.one'), snapback.protect('child', 'x.two', columns => '{note}');
CALL snapback.capture_all();
INSERT INTO parent VALUES (9, 'a', 'new');
UPDATE child SET parent = 9, note = 'changed' WHERE id = 2;
SELECT restored();
TABLE parent ORDER BY id;
TABLE child ORDER BY id;
SELECT snapback.unprotect('parent'), snapback.unprotect('child');

-- Cycles: two tables that refer to each other, by an immediate and a deferred key; a table that refers to itself.
CREATE TABLE hen (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, egg int NOT NULL, elder int REFERENCES hen ON DELETE CASCADE);
CREATE TABLE egg (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, hen int REFERENCES hen ON DELETE SET NULL);
ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO hen SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, n, nullif(n - 1, 4 * ((n - 1) / 4)) FROM generate_series(1, 8) n;
INSERT INTO egg SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, n FROM generate_series(1, 8) n;
COMMIT;
SELECT snapback.protect('hen', 'x.one'), snapback.protect('egg', 'x.two'), watch('hen'), watch('egg');
SELECT keep();
CALL snapback.capture_all();
BEGIN; DELETE FROM hen WHERE id = 1; DELETE FROM egg WHERE id < 5; COMMIT;
SELECT changed();
SELECT restored('{x.one}');
SELECT changed();
-- References among live rows are restored with the option of the referring row.
UPDATE hen SET egg = 5 - id, elder = CASE WHEN id < 4 THEN id + 1 END WHERE cid = 'a';
UPDATE egg SET hen = NULL WHERE cid = 'a';
SELECT restored('{x.two}');
SELECT restored('{x.one}');
SELECT changed();
-- A complete added cycle is deleted; if half of it is selected, the other half keeps it.
BEGIN;
INSERT INTO egg VALUES (20, 'a', NULL), (21, 'a', NULL);
INSERT INTO hen VALUES (20, 'a', 20, NULL), (21, 'a', 21, 20);
UPDATE hen SET elder = 21 WHERE id = 20;
UPDATE egg SET hen = id WHERE id >= 20;
COMMIT;
SELECT restored('{x.one}');
SELECT restored();
SELECT changed();
SELECT snapback.unprotect('hen'), snapback.unprotect('egg'); DELETE FROM watched;

-- References to rows that are not in the snapshot: set to NULL, or an error with the key of the row.
CREATE TABLE platform_user (id int PRIMARY KEY);
CREATE TABLE member (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, account int REFERENCES platform_user ON DELETE SET NULL,
    sponsor int REFERENCES platform_user ON DELETE CASCADE);
CREATE TABLE badge (id int PRIMARY KEY, member int NOT NULL REFERENCES member ON DELETE CASCADE, giver int NOT NULL REFERENCES platform_user ON DELETE CASCADE);
INSERT INTO platform_user SELECT generate_series(1, 6);
INSERT INTO member SELECT n, 'a', n, n FROM generate_series(1, 4) n;
INSERT INTO badge SELECT n, n, n + 1 FROM generate_series(1, 4) n;
SELECT snapback.protect('member', 'x.one'), snapback.protect('badge', 'x.two'), watch('member'), watch('badge', '(SELECT m.cid FROM app.member m WHERE m.id = t.member)');
SELECT keep();
CALL snapback.capture_all();
DELETE FROM platform_user WHERE id = 2;
SELECT restored('{x.one}');
TABLE member ORDER BY id;
SELECT fails($$SELECT restored('{x.two}')$$);
SELECT count(*) FROM badge;
INSERT INTO platform_user VALUES (2);
SELECT restored();
SELECT changed();
-- Restoring only the child restores its parent; if that is not allowed, nothing is restored.
DELETE FROM member WHERE id = 4;
DELETE FROM platform_user WHERE id = 4;
UPDATE badge SET giver = 1;
SELECT fails($$SELECT restored('{x.two}')$$);
INSERT INTO platform_user VALUES (4);
SELECT restored('{x.two}');
SELECT restored();
SELECT changed();
SELECT snapback.unprotect('badge'), snapback.unprotect('member'); DELETE FROM watched;

-- Keys that change with their children (ON UPDATE CASCADE).
CREATE TABLE tag (cid text REFERENCES community, name text, colour text, PRIMARY KEY (cid, name));
CREATE TABLE tagged (id int PRIMARY KEY, cid text NOT NULL, tag text, FOREIGN KEY (cid, tag) REFERENCES tag ON UPDATE CASCADE);
INSERT INTO tag VALUES ('a', 'red', 'r'), ('a', 'blue', 'b'), ('b', 'red', 'r');
INSERT INTO tagged VALUES (1, 'a', 'red'), (2, 'a', NULL), (3, 'b', 'red');
SELECT snapback.protect('tag', 'x.one'), snapback.protect('tagged', 'x.two', 'cid'), watch('tag'), watch('tagged');
SELECT keep();
CALL snapback.capture_all();
UPDATE tag SET name = 'scarlet' WHERE name = 'red' AND cid = 'a';
SELECT restored('{x.one}');
SELECT restored('{x.two}');
SELECT restored();
SELECT changed();
SELECT snapback.unprotect('tagged'), snapback.unprotect('tag'); DELETE FROM watched;

-- A referenced column that is not the key.
CREATE TABLE coded (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, code text NOT NULL UNIQUE);
CREATE TABLE coder (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, code text REFERENCES coded (code) ON UPDATE CASCADE);
INSERT INTO coded VALUES (1, 'a', 'one'), (2, 'a', 'two');
INSERT INTO coder VALUES (1, 'a', 'one'), (2, 'a', 'two');
SELECT snapback.protect('coded', 'x.one'), snapback.protect('coder', 'x.two'), watch('coded'), watch('coder');
SELECT keep();
CALL snapback.capture_all();
UPDATE coded SET code = 'uno' WHERE id = 1;
SELECT fails($$SELECT restored('{x.one}')$$);
SELECT notes FROM snapback.preview_restore('{x.two}', NULL, 'a') WHERE relation = 'app.coder';
BEGIN;
ALTER TABLE coder ALTER code SET NOT NULL;
SELECT fails($$SELECT restored('{x.two}')$$);
ROLLBACK;
SELECT restored('{x.two}');
SELECT restored();
SELECT changed();
SELECT snapback.unprotect('coder'), snapback.unprotect('coded'); DELETE FROM watched;

-- Foreign keys with generated columns, on either side.
CREATE TABLE shelf (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, label text, mark text GENERATED ALWAYS AS (lower(label)) STORED UNIQUE);
CREATE TABLE book (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, n int, shelf int GENERATED ALWAYS AS (n / 10) STORED REFERENCES shelf ON DELETE CASCADE,
    mark text REFERENCES shelf (mark));
INSERT INTO shelf SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, 'S' || n FROM generate_series(1, 8) n;
INSERT INTO book (id, cid, n, mark) SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, n * 10, 's' || n FROM generate_series(1, 8) n;
SELECT snapback.protect('shelf', 'x.one'), snapback.protect('book', 'x.two'), watch('shelf'), watch('book');
SELECT keep();
CALL snapback.capture_all();
DELETE FROM book WHERE cid = 'a'; DELETE FROM shelf WHERE cid = 'a';
SELECT relation, inserts, parents, obstacles FROM snapback.preview_restore('{x.two}', NULL, 'a');
SELECT fails($$SELECT snapback.restore('{x.two}', NULL, 'a', '{"missing_parents": "error"}')$$);
SELECT restored('{x.two}');
SELECT changed();
-- An updated row refers to another parent, which is restored; an added one is kept, or deleted with rows that refer to it.
UPDATE book SET mark = NULL WHERE id = 1;
UPDATE book SET n = 30 WHERE id = 1;
DELETE FROM shelf WHERE id = 1;
SELECT restored('{x.two}');
SELECT changed();
INSERT INTO shelf VALUES (9, 'a', 'S9');
UPDATE book SET n = 95, mark = 's9' WHERE id = 2;
INSERT INTO book (id, cid, n, mark) VALUES (9, 'a', 99, 's8');
SELECT restored('{x.one}');
SELECT key, action, old, new FROM snapback.diff_rows(NULL, 'x.two', community => 'a') ORDER BY key::text;
BEGIN;
SELECT restored('{x.two}');
ROLLBACK;
UPDATE book SET mark = 's2' WHERE id = 2;
SELECT relation, deleted, cascaded FROM snapback.restore('{x.one}', NULL, 'a', '{"referenced": "cascade"}') ORDER BY relation;
SELECT restored();
SELECT changed();
-- A row that refers to a permanently missing row cannot be restored: a generated column cannot be set to NULL.
DELETE FROM book WHERE id = 4; DELETE FROM shelf WHERE id = 4;
SELECT snapback.unprotect('shelf');
SELECT relation, inserts, nulled, obstacles FROM snapback.preview_restore('{x.two}', NULL, 'a');
SELECT fails($$SELECT restored('{x.two}')$$);
INSERT INTO shelf VALUES (4, 'a', 'S4');
SELECT restored('{x.two}');
SELECT changed();
SELECT snapback.unprotect('book'); DELETE FROM watched;

-- Added columns whose defaults are references: the referenced rows are restored too, or are missing.
CREATE TABLE kind (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
CREATE TABLE thing (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
INSERT INTO kind VALUES (1, 'a'), (2, 'a'), (5, 'b');
INSERT INTO thing VALUES (1, 'a'), (2, 'a'), (3, 'b');
SELECT snapback.protect('kind', 'x.one'), snapback.protect('thing', 'x.two'), watch('kind'), watch('thing');
SELECT snapback.capture('a') IS NOT NULL;
ALTER TABLE thing ADD kind int DEFAULT 1 REFERENCES kind, ADD next int GENERATED ALWAYS AS (kind + 1) STORED REFERENCES kind;
UPDATE thing SET kind = NULL WHERE id = 3;
DELETE FROM thing WHERE cid = 'a'; DELETE FROM kind WHERE cid = 'a';
SELECT relation, inserts, parents, obstacles FROM snapback.preview_restore('{x.two}', NULL, 'a');
SELECT key, action, new FROM snapback.diff_rows(NULL, 'x.two', community => 'a') ORDER BY key::text;
SELECT restored('{x.two}');
TABLE thing ORDER BY id;
TABLE kind ORDER BY id;
DELETE FROM thing WHERE id = 1;
ALTER TABLE thing ALTER kind SET DEFAULT 2;
SELECT relation, inserts, obstacles FROM snapback.preview_restore('{x.two}', NULL, 'a');
SELECT fails($$SELECT restored('{x.two}')$$);
-- The value of a volatile default is known only after the write.
ALTER TABLE thing DROP next, ALTER kind SET DEFAULT 8 + random();
SELECT relation, inserts, obstacles FROM snapback.preview_restore('{x.two}', NULL, 'a');
SELECT fails($$SELECT restored('{x.two}')$$);
ALTER TABLE thing ALTER kind SET DEFAULT 5 + 0 * random();
SELECT restored('{x.two}');
TABLE thing ORDER BY id;
SELECT snapback.unprotect('thing'), snapback.unprotect('kind'); DELETE FROM watched;

-- Sequences advance to the restored values from any state, and are never set back.
CREATE SEQUENCE shared_seq;
CREATE TABLE counted (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, cid text NOT NULL REFERENCES community,
    down int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1), drawn int DEFAULT nextval('app.shared_seq'),
    small smallint GENERATED BY DEFAULT AS IDENTITY (MAXVALUE 5));
INSERT INTO counted (cid) VALUES ('a'), ('a'), ('a'), ('b');
SELECT snapback.protect('counted', 'x.one'), watch('counted');
SELECT keep();
CALL snapback.capture_all();
DELETE FROM counted WHERE cid = 'a' AND id > 1;
ALTER SEQUENCE counted_id_seq RESTART; ALTER SEQUENCE counted_down_seq RESTART; ALTER SEQUENCE shared_seq RESTART WITH 3;
SELECT restored();
SELECT changed();
SELECT nextval('counted_id_seq'), nextval('counted_down_seq'), nextval('shared_seq');
-- A sequence without a value yet; one that is further; a value that the sequence could never generate.
INSERT INTO counted OVERRIDING SYSTEM VALUE VALUES (6, 'b', -6, 6, 6);
DELETE FROM counted WHERE cid = 'a';
INSERT INTO counted OVERRIDING SYSTEM VALUE VALUES (1, 'a', -3, 1, 9);
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM counted WHERE cid = 'a';
SELECT setval('counted_id_seq', 1, false), setval('counted_down_seq', -3, false), setval('shared_seq', 100);
SELECT restored();
SELECT nextval('counted_id_seq'), nextval('counted_down_seq'), nextval('shared_seq');

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
