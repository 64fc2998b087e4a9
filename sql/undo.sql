-- Undo a restore, and undo the undo: the same rows within and outside the chosen options.
\set ECHO none
\getenv source PG_ABS_SRCDIR
\set fixture :source '/test/fixture/communities.sql'
\o /dev/null
\i :fixture
SET client_min_messages = notice;
\pset format unaligned
\pset tuples_only on
CREATE TABLE department (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, label text);
CREATE TABLE member (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, department int REFERENCES department, name text);
CREATE TABLE award (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, member int NOT NULL REFERENCES member ON DELETE CASCADE, name text);
INSERT INTO department SELECT i, c, 'd' || i FROM generate_series(1, 4) i, (VALUES (0, 'a'), (10, 'b')) v (n, c) WHERE n = 0
    UNION ALL SELECT i, 'b', 'd' || i FROM generate_series(11, 14) i;
INSERT INTO member SELECT i, CASE WHEN i < 20 THEN 'a' ELSE 'b' END, CASE WHEN i < 20 THEN 1 ELSE 11 END + i % 4, 'm' || i FROM generate_series(1, 40) i;
INSERT INTO award SELECT i, m.cid, m.id, 'w' || i FROM generate_series(1, 40) i JOIN member m ON m.id = i;
SELECT snapback.protect('department', 'x.one'), snapback.protect('member', 'x.two'), snapback.protect('award', 'x.three');
SELECT watch(w) FROM unnest('{department,member,award}'::regclass[]) w;
SELECT snapback.capture('a', 'all is well');
-- The rows of the last restore's report, and the last restore.
CREATE FUNCTION undone(restore uuid) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT t.relation || concat(' +' || nullif(t.inserted, 0), ' ~' || nullif(t.updated, 0), ' -' || nullif(t.deleted, 0), ' cascaded ' || nullif(t.cascaded, 0),
                                ' parents ' || nullif(t.parents, 0))
    FROM snapback.undo_restore(restore) t WHERE t.inserted + t.updated + t.deleted > 0 ORDER BY t.relation COLLATE "C" $$;
CREATE FUNCTION last() RETURNS uuid LANGUAGE sql AS $$ SELECT restore FROM snapback.restores ORDER BY requested_at DESC LIMIT 1 $$;
-- Two states to compare with, in addition to that of the fixture.
CREATE TABLE states (name text, relation text, community text, hash text);
CREATE FUNCTION name_state(name text) RETURNS void LANGUAGE sql AS $$ INSERT INTO states SELECT name, s.* FROM app.state() s $$;
CREATE FUNCTION is_state(name text) RETURNS boolean LANGUAGE sql AS $$
    SELECT NOT EXISTS ((SELECT relation, community, hash FROM states s WHERE s.name = is_state.name EXCEPT SELECT * FROM app.state())
                       UNION ALL (SELECT * FROM app.state() EXCEPT SELECT relation, community, hash FROM states s WHERE s.name = is_state.name)) $$;
\o
\set ECHO all

-- All kinds of damage: members of a department and the department are deleted; some rows are changed; some are added.
DELETE FROM member WHERE cid = 'a' AND department = 2;
DELETE FROM department WHERE id = 2;
UPDATE member SET name = 'changed' WHERE id IN (1, 3);
INSERT INTO member VALUES (100, 'a', 1, 'new');
SELECT name_state('damaged');
SELECT restored('{x.two}');
SELECT name_state('restored');
SELECT last() AS first \gset
SELECT undone(:'first');
SELECT is_state('damaged');
SELECT last() AS second \gset
SELECT undone(:'second');
SELECT is_state('restored');
SELECT undone(last());
SELECT is_state('damaged');
SELECT state, options, switches, request FROM snapback.restores;
SELECT kind, count(*), count(DISTINCT label) FROM snapback.list_snapshots('a') GROUP BY kind ORDER BY kind;
-- The first restore can be undone later, independent of restores in between.
SELECT restored('{x.two}');
UPDATE member SET name = 'between' WHERE id IN (5, 100);
INSERT INTO member VALUES (101, 'a', 3, 'between');
INSERT INTO award VALUES (101, 'a', 101, 'between');
SELECT name_state('between');
SELECT undone(:'first');
SELECT is_state('damaged') AS rows_and_awards, (SELECT count(*) FROM member WHERE id = 101) AS held, (SELECT count(*) FROM award WHERE id = 101) AS award;
SELECT undone(last());
SELECT is_state('between');
DELETE FROM award WHERE id = 101;
SELECT name_state('without award');
SELECT undone(:'first');
SELECT is_state('damaged');
SELECT undone(last());
SELECT is_state('without award');

-- The undo restores rows that a foreign key cascaded to.
SELECT restored();
INSERT INTO member VALUES (102, 'a', 1, 'newer');
INSERT INTO award VALUES (102, 'a', 102, 'newer');
SELECT name_state('followed');
SELECT relation, deleted, cascaded FROM snapback.restore('{x.two}', NULL, 'a', '{"referenced": "cascade"}') ORDER BY 1;
SELECT name_state('unfollowed');
SELECT last() AS followed \gset
SELECT undone(:'followed');
SELECT is_state('followed');
SELECT undone(last());
SELECT is_state('unfollowed');

-- The undo of a restore of single rows concerns only these rows, with all kinds of writes.
UPDATE member SET name = 'x' || id WHERE id IN (1, 2, 3);
SELECT relation, updated FROM snapback.restore('{x.two}', NULL, 'a', '{"rows": {"x.two": [{"id": 1}, {"id": 2}]}, "actions": ["update"]}');
SELECT last() AS chosen \gset
UPDATE member SET name = 'y' || id WHERE id IN (2, 3);
SELECT undone(:'chosen');
SELECT id, name FROM member WHERE id IN (1, 2, 3) ORDER BY id;
SELECT switches FROM snapback.restores WHERE restore = last();
UPDATE member SET department = 4 WHERE id = 1;
SELECT relation, updated FROM snapback.restore('{x.one,x.two}', NULL, 'a', '{"rows": {"x.one": [{"id": 4}]}, "children": true}') ORDER BY 1;
SELECT undone(last());
SELECT switches FROM snapback.restores WHERE restore = last();

-- Restores that cannot be undone.
SELECT fails($$SELECT snapback.undo_restore('00000000-0000-0000-0000-000000000000')$$);
SELECT fails($$SELECT snapback.undo_restore(NULL)$$);
BEGIN;
SELECT snapback_internal.record_restore('a', (SELECT id FROM snapback.snapshot WHERE label = 'all is well'), '{x.one}', NULL, NULL, 'running') AS running \gset
SELECT fails(format('SELECT snapback.undo_restore(%L)', :'running'));
SELECT snapback_internal.note_restore_failure(:'running', 'failed', 'XX000', 'as a test');
SELECT fails(format('SELECT snapback.undo_restore(%L)', :'running'));
ROLLBACK;
BEGIN;
SELECT pg_sleep(1.1);
SET LOCAL snapback.retention = '1s';
SELECT fails(format('SELECT snapback.undo_restore(%L)', :'first'));
SELECT snapshots > 0 FROM snapback.expire();
RESET snapback.retention;
SELECT fails(format('SELECT snapback.undo_restore(%L)', :'first'));
ROLLBACK;
BEGIN;
SELECT snapback.unprotect('member');
SELECT fails(format('SELECT snapback.undo_restore(%L)', :'first'));
ROLLBACK;
-- The other community is unchanged.
SELECT count(*) FROM (SELECT relation, hash FROM states WHERE community = 'b' EXCEPT SELECT relation, hash FROM state()) d;

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
