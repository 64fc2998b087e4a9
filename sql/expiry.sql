-- Storage of snapshots with empty tables, and expiration of many snapshots.
\set ECHO none
\getenv source PG_ABS_SRCDIR
\set fixture :source '/test/fixture/communities.sql'
\o /dev/null
\i :fixture
\pset format unaligned
\pset tuples_only on
CREATE TABLE page (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, body text);
CREATE TABLE empty_one (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
CREATE TABLE empty_two (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, body text);
SELECT snapback.protect('page', 'x.one'), snapback.protect('empty_one', 'x.one'), snapback.protect('empty_two', 'x.two');
SELECT watch('page'), watch('empty_one'), watch('empty_two');
INSERT INTO page VALUES (1, 'a', 'one'), (2, 'a', 'two'), (3, 'b', 'three');
CREATE VIEW stored AS
    SELECT (SELECT count(*) FROM snapback.snapshot) AS snapshots, (SELECT count(*) FROM snapback.base_table) AS tables, (SELECT count(*) FROM snapback.manifest) AS held,
           (SELECT count(*) FROM snapback.table_set) AS sets, (SELECT count(*) FROM snapback.table_set_member) AS members, (SELECT count(*) FROM snapback.shape) AS shapes,
           (SELECT count(*) FROM snapback.chunk) AS chunks;
\o
\set ECHO all
\pset tuples_only off

-- Three communities with three tables each: one row for each non-empty table, and one table set for all.
CALL snapback.capture_all();
SELECT * FROM stored;
SELECT community, table_id, rows, bytes > 0 AS any_bytes, chunks <> '' AS any_chunks FROM snapback.manifest m JOIN snapback.snapshot s ON s.id = m.snapshot ORDER BY community COLLATE "C", table_id;
CALL snapback.capture_all();
SELECT * FROM stored;
SELECT * FROM snapback.verify();

-- A snapshot contains an empty table: it can be restored, has no rows, and added rows are deleted.
SELECT id AS snapshot FROM snapback.list_snapshots('a') LIMIT 1 \gset
SELECT option, tables, rows, bytes > 0 AS any_bytes FROM snapback.snapshot_contents(:'snapshot');
SELECT snapback_internal.snapshot_options(:'snapshot');
SELECT count(*) FROM snapback.snapshot_rows(:'snapshot', 'empty_two');
SELECT (snapback_internal.last_captured_name(id)).* FROM snapback.protected_table ORDER BY id;
SELECT snapback.erase_rows('a', 'empty_two', '[{"id": 1}]');
SELECT keep();
INSERT INTO empty_two VALUES (1, 'a', 'new'), (2, 'b', 'another''s');
DELETE FROM page WHERE cid = 'a';
SELECT relation, inserts, deletes FROM snapback.preview_restore('{*}', NULL, 'a');
SELECT restored();
SELECT changed();
-- An added column is reported even if the table was empty, and the reverse.
ALTER TABLE empty_two ADD more int;
SELECT * FROM snapback.schema_changes(:'snapshot', 'empty_two');
SELECT * FROM snapback.verify();

-- A different shape creates another set. Deleting the last snapshot with a set deletes the set and its shapes.
SELECT community, kind, count(DISTINCT b.table_set) AS sets FROM snapback.snapshot s JOIN snapback.base b ON b.id = s.base GROUP BY 1, 2 ORDER BY community COLLATE "C", kind;
CALL snapback.capture_all();
SELECT * FROM stored;
UPDATE snapback.snapshot s SET captured_at = captured_at - interval '8 days' WHERE s.community <> 'b' AND captured_at < (SELECT max(n.captured_at) FROM snapback.snapshot n WHERE n.community = s.community);
BEGIN;
SELECT snapshots FROM snapback.expire();
SELECT * FROM stored;
ROLLBACK;
CALL snapback.expire_all();
SELECT * FROM stored;
UPDATE snapback.snapshot s SET captured_at = captured_at - interval '8 days' WHERE captured_at < (SELECT max(n.captured_at) FROM snapback.snapshot n WHERE n.community = s.community);
CALL snapback.expire_all();
SELECT * FROM stored;
CALL snapback.expire_all();
SELECT * FROM snapback.verify();

-- verify() reports a damaged set for its snapshots, and new snapshots do not use it.
CREATE FUNCTION damage(statement text) RETURNS TABLE (faulty bigint, restore text) LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        EXECUTE statement;
        faulty := (SELECT count(DISTINCT v.faulty) FROM snapback.verify() v);
        restore := split_part(app.fails('SELECT app.restored()'), ':', 1);
        PERFORM snapback.capture('a', 'after');
        IF EXISTS (SELECT FROM snapback.verify((SELECT id FROM snapback.snapshot WHERE label = 'after'))) THEN
            restore := restore || ', and the next snapshot is damaged';
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'ZZZZZ';
    EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN RETURN NEXT;
    END;
END $$;
SELECT statement, d.* FROM unnest(ARRAY[
    'SELECT 1',
    'DELETE FROM snapback.table_set_member WHERE table_id = (SELECT id FROM snapback.protected_table WHERE relation = ''page''::regclass)',
    'DELETE FROM snapback.table_set_member WHERE table_id = (SELECT id FROM snapback.protected_table WHERE relation = ''empty_one''::regclass)',
    'UPDATE snapback.table_set_member SET table_id = table_id + 10 WHERE table_id = (SELECT id FROM snapback.protected_table WHERE relation = ''page''::regclass)',
    'UPDATE snapback.table_set_member SET table_id = table_id + 10 WHERE table_id = (SELECT id FROM snapback.protected_table WHERE relation = ''empty_one''::regclass)',
    'UPDATE snapback.table_set_member SET shape = (SELECT max(sha256::text)::bytea FROM snapback.shape) WHERE shape <> (SELECT max(sha256::text)::bytea FROM snapback.shape)',
    'INSERT INTO snapback.table_set_member SELECT id, 99, (SELECT min(sha256::text)::bytea FROM snapback.shape) FROM snapback.table_set',
    'UPDATE snapback.base SET sha256 = sha256(''other'')',
    'UPDATE snapback.table_set SET sha256 = sha256(''other'')']) statement, damage(statement) d;
SELECT fails('DELETE FROM snapback.table_set');
SELECT fails($$UPDATE snapback.table_set SET sha256 = ''$$);
SELECT * FROM snapback.verify();
-- Snapshots without a set contain their non-empty tables.
BEGIN;
INSERT INTO snapback.snapshot_table SELECT s.id, t.table_id, t.shape, t.rows, t.bytes, t.chunks FROM snapback.snapshot s JOIN snapback.base_table t USING (base) WHERE s.community = 'a';
UPDATE snapback.snapshot SET base = NULL, captured_at = captured_at - interval '8 days' WHERE community = 'a';
DELETE FROM snapback.base b WHERE NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.base = b.id);
SELECT count(*) FROM snapback.manifest m JOIN snapback.snapshot s ON s.id = m.snapshot WHERE s.community = 'a';
UPDATE snapback.snapshot SET captured_at = captured_at - interval '8 days' WHERE community = 'b';
SELECT snapshots FROM snapback.expire();
SELECT * FROM stored;
SELECT snapshots FROM snapback.forget('it''s "c"');
SELECT * FROM stored;
ROLLBACK;

-- Snapshots are deleted in batches, each of which commits; after a slow batch the next one is smaller.
INSERT INTO snapback.snapshot (community, captured_at, kind, manifest_sha256, table_set)
    SELECT 'gone ' || n, now() - interval '8 days', 'scheduled', sha256(''), (SELECT id FROM snapback.table_set) FROM generate_series(1, 18) n;
CREATE TABLE sweep (transaction xid8, deleted bigint, place serial);
CREATE FUNCTION note_sweep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app.sweep SELECT pg_current_xact_id(), count(*) FROM gone;
    IF (SELECT count(*) FROM gone) BETWEEN 4 AND 18 THEN
        PERFORM pg_sleep(0.5);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_sweep AFTER DELETE ON snapback.snapshot REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_sweep();
CALL snapback.expire_all();
SELECT sum(deleted), count(*) > 4 AS many, count(DISTINCT transaction) = count(*) AS committed, max(deleted) < 18 AS small FROM sweep;
SELECT coalesce(bool_and(next < deleted), true) AS smaller_when_slow FROM (SELECT deleted, lead(deleted) OVER (ORDER BY place) AS next FROM sweep) s WHERE deleted >= 4;
DROP TRIGGER note_sweep ON snapback.snapshot;
TRUNCATE sweep;
SELECT * FROM stored;

-- Chunks are deleted in batches too: at most 1000 before captures and restores can begin.
CREATE FUNCTION leave(community text, chunks integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO snapback.chunk SELECT community, decode(lpad(to_hex(n), 64, '0'), 'hex'), 'x' FROM generate_series(1, chunks) n;
    INSERT INTO snapback.snapshot (community, captured_at, kind, manifest_sha256) VALUES (community, now() - interval '8 days', 'scheduled', sha256(''));
$$;
CREATE FUNCTION left_over(OUT communities text[], OUT chunks bigint) LANGUAGE sql AS $$
    SELECT ARRAY(SELECT community FROM snapback.unswept ORDER BY community), (SELECT count(*) FROM snapback.chunk WHERE data = 'x')
$$;
CREATE TRIGGER note_sweep AFTER DELETE ON snapback.chunk REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_sweep();
SELECT leave('a', 7000);
SELECT * FROM left_over();
CALL snapback.expire_all();
SELECT sum(deleted), count(*) > 6 AS many, count(DISTINCT transaction) = count(*) AS committed, max(deleted) <= 1000 AS small FROM sweep;
SELECT * FROM left_over();
SELECT * FROM snapback.verify();

-- A capture between two batches may reference a chunk that was unreferenced before.
CREATE FUNCTION capture_meanwhile() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM snapback.snapshot WHERE label = 'meanwhile') = 0 THEN
        UPDATE app.page SET body = 'before' WHERE id = 2;
        PERFORM snapback.capture('a', 'meanwhile');
    END IF;
    RETURN NULL;
END $$;
UPDATE page SET body = 'before' WHERE id = 2;
SELECT snapback.capture('a', 'old') IS NOT NULL;
UPDATE page SET body = 'after' WHERE id = 2;
SELECT snapback.capture('a', 'new') IS NOT NULL;
UPDATE snapback.snapshot SET captured_at = captured_at - interval '8 days' WHERE label = 'old';
SELECT leave('a', 150);
CREATE TRIGGER meanwhile AFTER DELETE ON snapback.chunk FOR EACH STATEMENT EXECUTE FUNCTION capture_meanwhile();
CALL snapback.expire_all();
DROP TRIGGER meanwhile ON snapback.chunk;
SELECT * FROM left_over();
SELECT label FROM snapback.snapshot WHERE community = 'a' ORDER BY captured_at DESC LIMIT 2;
SELECT * FROM snapback.verify();
SELECT s.label, r ->> 'body' AS body FROM snapback.snapshot s CROSS JOIN snapback.snapshot_rows(s.id, 'page') r WHERE s.label IN ('new', 'meanwhile') AND r ->> 'id' = '2' ORDER BY s.label;
SELECT snapback.erase_rows('a', 'page', '[{"id": 2}]');
SELECT * FROM snapback.verify();

-- After a failed call, the next one sweeps the remaining chunks, even if the community has no snapshot left.
CREATE FUNCTION interrupt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(deleted) FROM app.sweep) > 300 THEN
        RAISE EXCEPTION 'interrupted';
    END IF;
    RETURN NULL;
END $$;
\set VERBOSITY terse
CREATE TRIGGER then_interrupt AFTER DELETE ON snapback.chunk FOR EACH STATEMENT EXECUTE FUNCTION interrupt();
CREATE PROCEDURE interrupted(community text) LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE app.sweep;
    PERFORM app.leave(community, 1200);
END $$;
CALL interrupted('a');
CALL snapback.expire_all();
SELECT communities, chunks > 0 AND chunks < 1200 AS some FROM left_over();
SELECT * FROM snapback.verify();
ALTER TABLE snapback.chunk DISABLE TRIGGER then_interrupt;
CALL snapback.expire_all();
SELECT * FROM left_over();
ALTER TABLE snapback.chunk ENABLE TRIGGER then_interrupt;
CALL interrupted('has left');
CALL snapback.expire_all();
SELECT communities, chunks > 0 AND chunks < 1200 AS some FROM left_over();
ALTER TABLE snapback.chunk DISABLE TRIGGER then_interrupt;
SELECT snapshots, chunks > 0 AS swept FROM snapback.expire();
SELECT * FROM left_over();
ALTER TABLE snapback.chunk ENABLE TRIGGER then_interrupt;
CALL interrupted('a');
CALL snapback.expire_all();
ALTER TABLE snapback.chunk DISABLE TRIGGER then_interrupt;
BEGIN;
SELECT snapshots > 0 AS erased, chunks > 0 AS swept FROM snapback.forget('a');
SELECT * FROM left_over();
ROLLBACK;
SELECT snapback.erase_rows('a', 'page', '[{"id": 2}]');
SELECT * FROM left_over();
-- Chunks of a community without snapshots are found even without a record in unswept.
INSERT INTO snapback.chunk SELECT c, sha256(c::bytea), 'x' FROM unnest(ARRAY['', '0', 'aa', 'zz', 'é']) c;
SELECT snapback_internal.unswept_communities();
CALL snapback.expire_all();
SELECT * FROM left_over();
\set VERBOSITY default
DROP TRIGGER then_interrupt ON snapback.chunk;
DROP TRIGGER note_sweep ON snapback.chunk;

-- expire_all() works if the default isolation level is REPEATABLE READ; other functions fail, because they would not see concurrent captures.
SELECT leave('a', 3);
SET default_transaction_isolation = 'repeatable read';
CALL snapback.expire_all();
SELECT statement, fails(statement) FROM unnest(ARRAY['SELECT snapback.expire()', 'SELECT snapback.forget(''a'')', 'SELECT snapback.erase_rows(''a'', ''page'', ''[]'')']) statement;
RESET default_transaction_isolation;
SELECT * FROM left_over();
-- It fails in a transaction block.
UPDATE snapback.snapshot SET captured_at = captured_at - interval '8 days' WHERE community = 'a';
BEGIN;
CALL snapback.expire_all();
ROLLBACK;
SELECT fails('CALL snapback.expire_all(NULL)');
SELECT fails('CALL snapback.expire_all(''-1 s'')');
SELECT fails('UPDATE snapback.snapshot SET table_set = gen_random_uuid()');

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
