-- When changes of a table since an earlier snapshot cannot be told.
\set ECHO none
\i test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on

-- Take a basis of a table, execute a statement in a transaction of its own, and tell why the basis is of no use, if it is not.
CREATE TABLE basis (taken pg_snapshot, fingerprint jsonb);
CREATE FUNCTION table_id(relation regclass) RETURNS int LANGUAGE sql AS $$ SELECT t.id FROM snapback.protected_table t WHERE t.relation = table_id.relation $$;
CREATE FUNCTION fault(relation regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(snapback_internal.basis_fault(b.taken, b.fingerprint, snapback_internal.table_fingerprint(app.table_id(relation), 'a')), 'none') FROM app.basis b
$$;
CREATE PROCEDURE take(relation regclass) LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM app.basis;
    COMMIT;
    WHILE pg_snapshot_xmin(pg_current_snapshot()) <> pg_snapshot_xmax(pg_current_snapshot()) LOOP
        COMMIT;
    END LOOP;
    INSERT INTO app.basis VALUES (pg_current_snapshot(), snapback_internal.table_fingerprint(app.table_id(relation), 'a'));
END $$;
CREATE PROCEDURE fault_after(relation regclass, VARIADIC statements text[]) LANGUAGE plpgsql AS $$
DECLARE statement text;
BEGIN
    CALL app.take(relation);
    COMMIT;
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
        COMMIT;
    END LOOP;
    RAISE INFO '%', app.fault(relation);
END $$;

CREATE TYPE mood AS ENUM ('calm', 'glad');
CREATE TYPE pair AS (x int, m mood[]);
CREATE TABLE dept (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, code int UNIQUE);
CREATE TABLE emp (id int PRIMARY KEY, dept int CONSTRAINT to_dept REFERENCES dept, name varchar(10), p pair, n int UNIQUE NOT NULL);
CREATE TABLE part (id int, cid text, n int, PRIMARY KEY (id, n)) PARTITION BY RANGE (n);
CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part_high PARTITION OF part FOR VALUES FROM (10) TO (20);
CREATE TABLE named (id int PRIMARY KEY, cid text, r regclass);
CREATE TABLE tag (id int PRIMARY KEY, dept int CONSTRAINT tag_dept REFERENCES dept);
INSERT INTO dept VALUES (1, 'a', 1);
SELECT snapback.protect('dept', 'x.one', community_column => 'cid'), snapback.protect('emp', 'x.one', via => 'to_dept'),
       snapback.protect('part', 'x.one', community_column => 'cid'), snapback.protect('named', 'x.one', community_column => 'cid');
\set ECHO all

-- Rows that are written, vacuumed and analyzed leave a basis as it is, and so do other tables and columns.
CALL fault_after('emp', 'INSERT INTO emp VALUES (1, 1, ''ann'', NULL, 1)', 'DELETE FROM emp', 'ANALYZE emp', 'ALTER TABLE dept ADD more int', 'CREATE INDEX ON emp (name)');
CALL take('emp');
VACUUM (FREEZE) emp, dept, pg_trigger, pg_constraint;
SELECT fault('emp');
-- Another cluster or database, another version of the server or the extension, transaction IDs that were reset.
SELECT snapback_internal.basis_fault(b.taken, jsonb_set(b.fingerprint, ARRAY['database', place], '"0"'), b.fingerprint) FROM basis b, unnest('{0,1,2,3}'::text[]) place;
SELECT snapback_internal.basis_fault('5000000000:5000000000:', b.fingerprint, b.fingerprint) FROM basis b;
SELECT snapback_internal.basis_fault('5000:5000:', b.fingerprint, b.fingerprint, next) FROM basis b, unnest('{2147488647,2147488648}'::xid8[]) next;
SELECT snapback_internal.basis_fault(NULL, b.fingerprint, b.fingerprint), snapback_internal.basis_fault(b.taken, NULL, b.fingerprint) FROM basis b;
-- Files, partitions.
CALL fault_after('emp', 'TRUNCATE emp');
CALL fault_after('emp', 'CLUSTER emp USING emp_pkey');
CALL fault_after('emp', 'ALTER TABLE emp ALTER n TYPE bigint');
CALL fault_after('emp', 'CLUSTER dept USING dept_pkey');
-- The notes of removed rows as well.
CALL fault_after('emp', 'TRUNCATE snapback.removed_key');
CALL fault_after('part', 'TRUNCATE part_low');
CALL fault_after('part', 'CREATE TABLE part_top PARTITION OF part FOR VALUES FROM (20) TO (30)');
CALL fault_after('part', 'ALTER TABLE part DETACH PARTITION part_top');
CALL fault_after('part', 'ALTER TABLE part ATTACH PARTITION part_top FOR VALUES FROM (20) TO (30)');
CALL fault_after('part', 'ALTER TABLE part DETACH PARTITION part_top', 'ALTER TABLE part ATTACH PARTITION part_top FOR VALUES FROM (20) TO (30)');
-- Columns, types, key.
CALL fault_after('emp', 'ALTER TABLE emp ADD more int DEFAULT 7');
CALL fault_after('emp', 'ALTER TABLE emp RENAME more TO other');
CALL fault_after('emp', 'ALTER TABLE emp DROP other');
CALL fault_after('emp', 'ALTER TABLE emp ALTER name TYPE varchar(20)');
CALL fault_after('emp', 'ALTER TYPE mood RENAME VALUE ''calm'' TO ''quiet''');
CALL fault_after('emp', 'ALTER TYPE mood ADD VALUE ''sad''');
CALL fault_after('emp', 'ALTER TABLE emp DROP CONSTRAINT emp_pkey');
CALL fault_after('emp', 'ALTER TABLE emp ADD PRIMARY KEY (id, n)');
CALL fault_after('named', 'SELECT');
ALTER TABLE named DROP r;
CALL fault_after('named', 'SELECT');
-- Registration and path.
CALL fault_after('emp', 'ALTER TABLE emp DROP CONSTRAINT to_dept', 'ALTER TABLE emp ADD CONSTRAINT to_dept FOREIGN KEY (dept) REFERENCES dept (code)');
CALL fault_after('dept', 'ALTER TABLE dept ADD cid2 text REFERENCES community', 'UPDATE snapback.protected_table SET community_column = ''cid2'' WHERE relation = ''dept''::regclass');
CALL fault_after('emp', 'UPDATE snapback.protected_table SET community_column = ''cid'' WHERE relation = ''dept''::regclass');
-- The guard of the table, of its partitions, and of tables on the path.
CALL fault_after('emp', 'ALTER TABLE emp DISABLE TRIGGER ALL');
CALL fault_after('emp', 'ALTER TABLE emp ENABLE TRIGGER ALL', 'SELECT snapback_internal.install_guard(''emp'')');
CALL fault_after('emp', 'ALTER TABLE emp DISABLE TRIGGER "~snapback_write_guard"', 'ALTER TABLE emp ENABLE ALWAYS TRIGGER "~snapback_write_guard"');
CALL fault_after('emp', 'SELECT snapback_internal.remove_guard(''emp'')', 'SELECT snapback_internal.install_guard(''emp'')');
CALL fault_after('emp', 'ALTER TABLE dept DISABLE TRIGGER "~snapback_truncate_guard"');
CALL fault_after('emp', 'ALTER TABLE dept ENABLE ALWAYS TRIGGER "~snapback_truncate_guard"');
CALL fault_after('part', 'ALTER TABLE part_low DISABLE TRIGGER "~snapback_write_guard"', 'ALTER TABLE part_low ENABLE ALWAYS TRIGGER "~snapback_write_guard"');
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER "~~late" BEFORE UPDATE ON emp FOR EACH ROW EXECUTE FUNCTION nothing();
CALL fault_after('emp', 'DROP TRIGGER "~~late" ON emp');
CALL fault_after('emp', 'SELECT');
-- In the transaction that takes the next snapshot.
CALL take('emp');
BEGIN;
ALTER TABLE emp DISABLE TRIGGER "~snapback_write_guard";
ALTER TABLE emp ENABLE ALWAYS TRIGGER "~snapback_write_guard";
SELECT fault('emp');
ROLLBACK;
SELECT fault('emp');
-- A path through a table without a guard, and foreign keys that are not enforced.
SELECT snapback.protect('tag', 'x.one', via => 'tag_dept');
CALL fault_after('tag', 'SELECT');
CREATE TABLE hall (id int PRIMARY KEY, cid text);
CREATE TABLE seat (id int PRIMARY KEY, hall int CONSTRAINT seat_hall REFERENCES hall);
SELECT snapback.protect('seat', 'x.one', via => 'seat_hall', community_column => 'cid');
CALL fault_after('seat', 'SELECT');
CALL fault_after('tag', 'ALTER TABLE tag DROP CONSTRAINT tag_dept', 'ALTER TABLE tag ADD CONSTRAINT tag_dept FOREIGN KEY (dept) REFERENCES dept NOT VALID');
CALL fault_after('tag', 'ALTER TABLE tag VALIDATE CONSTRAINT tag_dept');
CALL fault_after('tag', 'ALTER TABLE tag DISABLE TRIGGER ALL', 'SELECT snapback_internal.install_guard(''tag'')');
CALL fault_after('tag', 'SELECT');
CALL fault_after('tag', 'ALTER TABLE tag ENABLE TRIGGER ALL', 'SELECT snapback_internal.install_guard(''tag'')');
CALL fault_after('tag', 'SELECT');
-- Partitions that are no permanent heaps.
CREATE UNLOGGED TABLE part_lost PARTITION OF part FOR VALUES FROM (30) TO (40);
CALL fault_after('part', 'SELECT');
ALTER TABLE part_lost SET LOGGED;
CALL fault_after('part', 'SELECT');
CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler;
ALTER TABLE part_low SET ACCESS METHOD other_heap;
CALL fault_after('part', 'SELECT');

-- IDs of 32 bits.
SELECT x, snapback_internal.is_between(x::text::xid, '4294967290', '4294967300') FROM unnest('{0,1,2,3,4,4294967289,4294967290,4294967295}'::bigint[]) x;
SELECT x, snapback_internal.is_between(x::text::xid, '10', '20') FROM unnest('{2,9,10,19,20,4294967295}'::bigint[]) x;
SELECT bool_and(snapback_internal.is_between(x::text::xid, '10', '5000000000')) FROM unnest('{3,9,10,4294967295}'::bigint[]) x;
-- The condition on rows, with this transaction's own rows.
CREATE TABLE old (n int);
INSERT INTO old VALUES (1);
SELECT pg_current_xact_id() AS since \gset
INSERT INTO old VALUES (2);
VACUUM FREEZE old;
BEGIN;
SELECT snapback_internal.written_since('o', :'since') IS NOT NULL;
INSERT INTO old VALUES (3);
SAVEPOINT s;
INSERT INTO old VALUES (4);
SELECT snapback_internal.written_since('o', :'since') AS condition \gset
SELECT n FROM old o WHERE :condition;
SELECT snapback_internal.written_since('o', (SELECT max(xmin::text::bigint)::text::xid8 FROM old)) AS condition \gset
SELECT n FROM old o WHERE :condition;
COMMIT;
SELECT snapback_internal.written_since('o', snapback_internal.next_transaction()) AS condition \gset
SELECT n FROM old o WHERE :condition;
SELECT snapback_internal.written_since('o', '9223372036854775807');

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
