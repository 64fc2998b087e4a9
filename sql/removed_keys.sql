-- What the write guard notes about rows that leave a community.
\set ECHO none
\i test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
SET jit = off;

-- What some statements note in one transaction, which is rolled back: the keys by table and community.
CREATE FUNCTION noted(VARIADIC statements text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    statement text;
    notes text[];
BEGIN
    BEGIN
        FOREACH statement IN ARRAY statements LOOP
            EXECUTE statement;
        END LOOP;
        notes := ARRAY(SELECT * FROM app.notes_since('9223372036854775807'));
        RAISE SQLSTATE 'ZZZZZ';
    EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN
        RETURN QUERY SELECT unnest(notes);
    END;
END $$;
-- What transactions have noted, from one on.
CREATE FUNCTION notes_since(since xid8) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT format('%s of %s: %s', coalesce(t.relation::text, t.relation_name::text), c.community,
                  string_agg(coalesce(k.key::text, 'all rows'), ', ' ORDER BY k.key::text))
    FROM snapback.protected_table t CROSS JOIN snapback.communities() c (community)
    CROSS JOIN LATERAL snapback_internal.removed_keys(t.id, c.community, since) k (key)
    GROUP BY t.id, c.community ORDER BY t.id, c.community
$$;
-- A place in time: what is noted from now on.
CREATE TABLE mark (xid xid8);
CREATE FUNCTION mark() RETURNS void LANGUAGE sql AS $$ DELETE FROM app.mark; INSERT INTO app.mark VALUES (pg_snapshot_xmax(pg_current_snapshot())) $$;
CREATE FUNCTION noted_since_mark() RETURNS SETOF text LANGUAGE sql AS $$ SELECT * FROM app.notes_since((SELECT xid FROM app.mark)) $$;

CREATE TABLE city (name text PRIMARY KEY, cid text REFERENCES community, n int DEFAULT 0);
CREATE TABLE dept (id int PRIMARY KEY, city text CONSTRAINT to_city REFERENCES city ON UPDATE CASCADE ON DELETE SET NULL, code int UNIQUE,
                   n int DEFAULT 0);
CREATE TABLE emp (id int PRIMARY KEY, dept int CONSTRAINT to_dept REFERENCES dept ON DELETE CASCADE DEFERRABLE, n int DEFAULT 0);
CREATE TABLE task (id int PRIMARY KEY, dept int CONSTRAINT task_dept REFERENCES dept DEFERRABLE);
CREATE TABLE place (x numeric, y text, cid text, n int DEFAULT 0, PRIMARY KEY (y, x));
CREATE TABLE part (id int, cid text, n int DEFAULT 0, PRIMARY KEY (id, n)) PARTITION BY RANGE (n);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part_high (junk int, n int NOT NULL DEFAULT 0, cid text, id int NOT NULL);
ALTER TABLE part_high DROP COLUMN junk;
ALTER TABLE part ATTACH PARTITION part_high FOR VALUES FROM (10) TO (1000);
INSERT INTO city VALUES ('A1', 'a'), ('A2', 'a'), ('B1', 'b');
INSERT INTO dept VALUES (1, 'A1', 11), (2, 'A2', 12), (3, 'B1', 13);
INSERT INTO emp SELECT n, (n - 1) / 2 + 1 FROM generate_series(1, 6) n;
INSERT INTO task SELECT n, n FROM generate_series(1, 3) n;
INSERT INTO place SELECT n, 'p' || n, 'a' FROM generate_series(1, 1000) n;
INSERT INTO part SELECT n, 'a', n FROM generate_series(0, 19) n;
SELECT snapback.protect('city', 'x.one', community_column => 'cid'), snapback.protect('dept', 'x.one', via => 'to_city'),
       snapback.protect('emp', 'x.one', via => 'to_dept'), snapback.protect('task', 'x.one', via => 'task_dept'),
       snapback.protect('place', 'x.one', community_column => 'cid'), snapback.protect('part', 'x.one', community_column => 'cid');
\set ECHO all

-- A delete, and updates of the key and of the community. Other updates and inserts note nothing.
SELECT noted('DELETE FROM place WHERE x = 1');
SELECT noted('UPDATE place SET x = 1001 WHERE x = 1');
SELECT noted('UPDATE place SET cid = ''b'' WHERE x = 1');
SELECT noted('UPDATE place SET cid = NULL WHERE x = 1');
SELECT noted('UPDATE place SET cid = ''b'', y = ''q'' WHERE x = 1');
SELECT noted('UPDATE place SET n = 1', 'INSERT INTO place VALUES (2000, ''new'', ''a'')', 'UPDATE dept SET n = 1', 'UPDATE city SET n = 1');
SELECT noted('DELETE FROM emp WHERE id = 1', 'DELETE FROM task WHERE id = 3');
SELECT noted('UPDATE emp SET dept = 2 WHERE id = 1', 'UPDATE task SET dept = 3 WHERE id = 1', 'UPDATE task SET dept = NULL WHERE id = 2');
-- Rows without a community leave none.
INSERT INTO place VALUES (0, 'nowhere', NULL);
INSERT INTO emp VALUES (100, NULL);
SELECT noted('DELETE FROM place WHERE x = 0', 'DELETE FROM emp WHERE id = 100');
-- Other statements that delete and update.
SELECT noted('MERGE INTO place USING (VALUES (1), (2)) v (x) ON place.x = v.x WHEN MATCHED AND v.x = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET x = -2');
SELECT noted('INSERT INTO place VALUES (3, ''p3'', ''a'') ON CONFLICT (x, y) DO UPDATE SET cid = ''b''');
SELECT noted('UPDATE part SET n = 15 WHERE id = 1', 'DELETE FROM part WHERE id IN (2, 12)');
-- Many keys of a table and community become one note.
BEGIN;
INSERT INTO place SELECT 10000 + n, 'many', 'a' FROM generate_series(1, 10001) n;
SELECT length(n) FROM noted('DELETE FROM place WHERE x > 10001') n;
SELECT noted('DELETE FROM place WHERE x > 10000');
ROLLBACK;
SELECT noted('TRUNCATE place');

-- A trigger that fires after the guard can change the key or the community.
CREATE FUNCTION to_b() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.cid := 'b'; RETURN NEW; END $$;
CREATE TRIGGER "~t" BEFORE INSERT OR UPDATE ON place FOR EACH ROW EXECUTE FUNCTION to_b();
SELECT noted('UPDATE place SET n = 1 WHERE x = 1');
SELECT noted('DELETE FROM place WHERE x = 1');
DROP TRIGGER "~t" ON place;
SELECT noted('UPDATE place SET n = 1 WHERE x = 1');

-- Foreign keys that delete and update. The parent is gone when its children are.
SELECT noted('DELETE FROM task', 'DELETE FROM dept WHERE id = 1');
SELECT noted('DELETE FROM city WHERE name = ''A1''');
SELECT noted('UPDATE city SET name = ''A3'' WHERE name = ''A1''');
-- A parent that moves takes its children along, at any distance.
SELECT noted('UPDATE dept SET city = ''B1'' WHERE id = 1');
SELECT noted('UPDATE city SET cid = ''b'' WHERE name = ''A1''');
SELECT noted('UPDATE dept SET city = NULL WHERE id = 1');
SELECT noted('UPDATE dept SET city = ''A2'' WHERE id = 1');
-- A new parent in the place of a removed one does so too, if it belongs to another community.
SELECT noted('SET CONSTRAINTS ALL DEFERRED', 'DELETE FROM emp WHERE dept = 1', 'DELETE FROM dept WHERE id = 1', 'INSERT INTO dept VALUES (1, ''B1'', 11)');
SELECT noted('SET CONSTRAINTS ALL DEFERRED', 'DELETE FROM emp WHERE dept = 1', 'DELETE FROM dept WHERE id = 1', 'INSERT INTO dept VALUES (1, ''A2'', 11)');
SELECT noted('SET CONSTRAINTS ALL DEFERRED', 'UPDATE dept SET id = 30 WHERE id = 1', 'UPDATE dept SET id = 1 WHERE id = 3');
-- Also gone are parents that got their key in this transaction.
SELECT noted('INSERT INTO dept VALUES (5, ''A1'', 15)', 'UPDATE emp SET dept = 5 WHERE id = 1', 'DELETE FROM dept WHERE id = 5');
SELECT noted('INSERT INTO dept VALUES (5, ''A1'', 15), (6, ''B1'', 16)', 'UPDATE emp SET dept = id + 4 WHERE id = 1', 'DELETE FROM dept WHERE id > 4');
SELECT noted('UPDATE city SET name = ''A3'' WHERE name = ''A1''', 'UPDATE city SET name = ''A4'', cid = ''b'' WHERE name = ''A3''');
-- So does a parent that appears or vanishes while foreign keys are not checked.
SELECT noted('SET LOCAL session_replication_role = replica', 'DELETE FROM dept WHERE id = 1');
SELECT noted('SET LOCAL session_replication_role = replica', 'INSERT INTO dept VALUES (4, ''A1'', 14)');
SELECT noted('SET LOCAL session_replication_role = replica', 'UPDATE dept SET id = 7 WHERE id = 3');
SELECT noted('SET LOCAL session_replication_role = replica', 'UPDATE dept SET code = 7 WHERE id = 3', 'DELETE FROM place WHERE x = 1');

-- A partitioned parent is found by a query, also when it is gone.
CREATE TABLE hall (id int, cid text, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE hall_one PARTITION OF hall FOR VALUES IN (1);
CREATE TABLE hall_two PARTITION OF hall FOR VALUES IN (2);
CREATE TABLE seat (id int PRIMARY KEY, hall int, k int, CONSTRAINT to_hall FOREIGN KEY (hall, k) REFERENCES hall ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO hall VALUES (1, 'a', 1), (2, 'b', 1);
INSERT INTO seat VALUES (1, 1, 1), (2, 1, 1), (3, 2, 1);
SELECT snapback.protect('hall', 'x.one', community_column => 'cid'), snapback.protect('seat', 'x.one', via => 'to_hall');
SELECT noted('DELETE FROM hall WHERE id = 1');
SELECT noted('UPDATE hall SET cid = ''b'' WHERE id = 1');
SELECT noted('UPDATE hall SET id = 3 WHERE id = 1');
SELECT noted('UPDATE hall SET k = 2 WHERE id = 1');
SELECT noted('SET LOCAL session_replication_role = replica', 'DELETE FROM hall_one WHERE id = 1');
SELECT snapback.unprotect('seat'), snapback.unprotect('hall');
DROP TABLE seat, hall;

-- Notes are written at the commit, and by a prepared transaction.
SELECT mark();
BEGIN;
DELETE FROM place WHERE x = 11;
SELECT count(*) FROM snapback.removed_key WHERE xid = pg_current_xact_id();
COMMIT;
SELECT noted_since_mark();
SELECT key_form FROM snapback.removed_key WHERE xid >= (SELECT xid FROM mark);
SELECT mark();
BEGIN;
DELETE FROM place WHERE x = 12;
PREPARE TRANSACTION 'snapback removal';
SELECT noted_since_mark();
COMMIT PREPARED 'snapback removal';
SELECT noted_since_mark();
-- A rollback removes what was noted since its savepoint, and no more.
SELECT mark();
BEGIN;
DELETE FROM place WHERE x = 13;
SAVEPOINT one;
DELETE FROM place WHERE x = 14;
SAVEPOINT two;
DELETE FROM place WHERE x = 15;
RELEASE two;
ROLLBACK TO one;
DELETE FROM place WHERE x = 16;
SAVEPOINT three;
INSERT INTO place SELECT 20000 + n, 'many', 'a' FROM generate_series(1, 10000) n;
DELETE FROM place;
SELECT noted_since_mark();
ROLLBACK TO three;
SAVEPOINT four;
DELETE FROM place WHERE x = 17;
RELEASE four;
SAVEPOINT five;
TRUNCATE place;
ROLLBACK TO five;
COMMIT;
SELECT noted_since_mark();
SELECT mark();
BEGIN;
DELETE FROM place WHERE x = 18;
ROLLBACK;
SELECT noted_since_mark();
-- COPY, and a parent that moves to where its own parent is inserted later.
SELECT mark();
ALTER TABLE dept ALTER CONSTRAINT to_city DEFERRABLE;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
UPDATE dept SET city = 'B2' WHERE id = 1;
COPY city FROM STDIN (DELIMITER ' ');
B2 b 0
\.
COMMIT;
SELECT noted_since_mark();
UPDATE dept SET city = 'A1' WHERE id = 1;
-- The deletes of a restore.
SELECT snapback.capture('a') IS NOT NULL;
INSERT INTO place VALUES (3000, 'added', 'a');
SELECT mark();
SELECT restored();
SELECT noted_since_mark();

-- A key that is equal to the previous one, but stored differently.
SELECT snapback.capture('a') IS NOT NULL;
SELECT mark();
UPDATE place SET x = 100.00 WHERE x = 100;
SELECT noted_since_mark();
SELECT count(*), count(DISTINCT r -> 'y'), min(r ->> 'x') FILTER (WHERE r ->> 'y' = 'p100') FROM snapback.snapshot_rows(snapback.capture('a'), 'place') r;

-- A path that is broken for a while: any community may have lost the row, and the rows that refer to it.
SELECT mark();
ALTER TABLE dept DROP CONSTRAINT to_city;
UPDATE dept SET city = 'B1' WHERE id = 1;
ALTER TABLE dept ADD CONSTRAINT to_city FOREIGN KEY (city) REFERENCES city;
SELECT noted_since_mark();
UPDATE dept SET city = 'A1' WHERE id = 1;
-- A renamed column is followed.
SELECT mark();
ALTER TABLE place RENAME cid TO other;
UPDATE place SET other = 'b' WHERE x = 20;
ALTER TABLE place RENAME other TO cid;
SELECT noted_since_mark();
-- Keys of another form cannot be read.
SELECT mark();
DELETE FROM place WHERE x = 21;
ALTER TABLE place DROP CONSTRAINT place_pkey, ADD PRIMARY KEY (x);
SELECT noted_since_mark();
ALTER TABLE place DROP CONSTRAINT place_pkey;
DELETE FROM place WHERE x = 22;
ALTER TABLE place ADD PRIMARY KEY (y, x);
SELECT noted_since_mark();
SELECT mark();
SELECT noted('DELETE FROM place WHERE x = 23');
-- A long key, and a table that is no longer protected.
INSERT INTO place SELECT 5000, string_agg(md5(n::text), ''), 'a' FROM generate_series(1, 60) n;
DELETE FROM place WHERE x = 5000;
SELECT length(notes), md5(notes) FROM noted_since_mark() notes;
SELECT snapback.unprotect('place');
SELECT mark();
DELETE FROM place WHERE x = 24;
SELECT noted_since_mark();

-- Old notes are deleted, and the keys of a forgotten community erased.
SELECT count(*) FROM snapback.removed_key WHERE xid < (SELECT xid FROM mark) \gset
BEGIN;
SELECT snapback_internal.delete_removed_keys((SELECT xid FROM mark)) = :count, :count > 0;
ROLLBACK;
-- Those that a snapshot needs are kept, and while an MVCC snapshot is in use, all that it does not see.
DO $$ BEGIN WHILE snapback_internal.oldest_transaction() <= (SELECT max(n.xid) FROM snapback.removed_key n) LOOP PERFORM pg_sleep(0.1); END LOOP; END $$;
SELECT snapback_internal.oldest_transaction() > (SELECT max(n.xid) FROM snapback.removed_key n);
SELECT count(*) FROM snapback.removed_key n WHERE n.xid >= (SELECT min(pg_snapshot_xmin(b.taken::pg_snapshot)) FROM snapback.basis b) \gset
SELECT snapshots FROM snapback.expire();
SELECT count(*) = :count, :count > 0 FROM snapback.removed_key;
BEGIN;
UPDATE snapback.snapshot SET captured_at = captured_at - interval '1 year';
SELECT snapshots > 0 FROM snapback.expire();
SELECT count(*) FROM snapback.removed_key;
ROLLBACK;
DELETE FROM emp WHERE id IN (1, 6);
SELECT noted_since_mark();
SELECT snapback.erase_rows('b', 'emp', '[{"id": 1}]');
SELECT noted_since_mark();
SELECT snapshots FROM snapback.forget('a');
SELECT noted_since_mark();
SELECT snapback_internal.removed_keys(0, 'a', '0');

-- A child that is protected apart from its parent: the rows of each are captured as its own.
CREATE TABLE vehicle (id int PRIMARY KEY, cid text);
CREATE TABLE boat (PRIMARY KEY (id)) INHERITS (vehicle);
SELECT snapback.protect('vehicle', 'x.one', community_column => 'cid'), snapback.protect('boat', 'x.one', community_column => 'cid');
INSERT INTO vehicle VALUES (1, 'a');
INSERT INTO boat VALUES (2, 'a');
SELECT noted('DELETE FROM vehicle');
SELECT noted('UPDATE vehicle SET cid = ''b''');
SELECT snapback.unprotect('vehicle'), snapback.unprotect('boat');
DROP TABLE boat, vehicle;

-- A table in the schema of each community, and a child table without the key's NOT NULL.
CREATE SCHEMA of_a; CREATE SCHEMA of_b;
CREATE TABLE of_a.note (id int PRIMARY KEY);
CREATE TABLE of_b.note (id int PRIMARY KEY);
CREATE TABLE of_a.loose () INHERITS (of_a.note);
ALTER TABLE of_a.loose ALTER id DROP NOT NULL;
INSERT INTO of_a.note VALUES (1), (2);
INSERT INTO of_b.note VALUES (1);
INSERT INTO of_a.loose VALUES (NULL);
CREATE VIEW homes AS SELECT d.*, CASE community WHEN 'a' THEN 'of_a' WHEN 'b' THEN 'of_b' END AS schema_name FROM directory d WHERE community IN ('a', 'b');
SELECT snapback.set_directory('homes');
SELECT snapback.protect('of_a.note', 'x.one');
SELECT noted('DELETE FROM ONLY of_a.note WHERE id = 1');
SELECT noted('UPDATE of_b.note SET id = 3');
SELECT noted('TRUNCATE of_b.note');
SELECT noted('DELETE FROM of_a.loose');
SELECT mark();
DELETE FROM of_b.note;
SELECT noted_since_mark();
SELECT snapback_internal.erase_removed_keys('a');
SELECT noted_since_mark();

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app, of_a, of_b CASCADE;
