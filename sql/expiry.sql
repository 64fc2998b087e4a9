-- What a snapshot costs where tables are empty, that these are held all the same, and how many snapshots are swept.
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
    SELECT (SELECT count(*) FROM snapback.snapshot) AS snapshots, (SELECT count(*) FROM snapback.snapshot_table) AS tables, (SELECT count(*) FROM snapback.manifest) AS held,
           (SELECT count(*) FROM snapback.table_set) AS sets, (SELECT count(*) FROM snapback.table_set_member) AS members, (SELECT count(*) FROM snapback.shape) AS shapes,
           (SELECT count(*) FROM snapback.chunk) AS chunks;
\o
\set ECHO all
\pset tuples_only off

-- Three communities hold three tables each: a row for those with rows in them, and one set for all.
CALL snapback.capture_all();
SELECT * FROM stored;
SELECT community, table_id, rows, bytes > 0 AS any_bytes, chunks <> '' AS any_chunks FROM snapback.manifest m JOIN snapback.snapshot s ON s.id = m.snapshot ORDER BY community COLLATE "C", table_id;
CALL snapback.capture_all();
SELECT * FROM stored;
SELECT * FROM snapback.verify();

-- An empty table is held: it is an option to restore, has no rows, and what was added to it goes.
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
-- A column that came since is told of where a table was empty too, and the other way round.
ALTER TABLE empty_two ADD more int;
SELECT * FROM snapback.schema_changes(:'snapshot', 'empty_two');
SELECT * FROM snapback.verify();

-- Another shape makes another set; each goes with the last snapshot that has it, and what that alone had.
SELECT community, kind, count(DISTINCT s.table_set) AS sets FROM snapback.snapshot s GROUP BY 1, 2 ORDER BY community COLLATE "C", kind;
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

-- A set that is damaged is found in the snapshots that have it, and no new one takes it.
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
    'UPDATE snapback.snapshot SET table_set = NULL',
    'UPDATE snapback.table_set SET sha256 = sha256(''other'')']) statement, damage(statement) d;
SELECT fails('DELETE FROM snapback.table_set');
SELECT fails($$UPDATE snapback.table_set SET sha256 = ''$$);
SELECT * FROM snapback.verify();
-- Snapshots without a set hold what they have rows of.
BEGIN;
UPDATE snapback.snapshot SET table_set = NULL, captured_at = captured_at - interval '8 days' WHERE community = 'a';
SELECT count(*) FROM snapback.manifest m JOIN snapback.snapshot s ON s.id = m.snapshot WHERE s.community = 'a';
UPDATE snapback.snapshot SET captured_at = captured_at - interval '8 days' WHERE community = 'b';
SELECT snapshots FROM snapback.expire();
SELECT * FROM stored;
SELECT snapshots FROM snapback.forget('it''s "c"');
SELECT * FROM stored;
ROLLBACK;

-- Many snapshots go in batches, each of which is committed; where one takes long, the next is smaller.
INSERT INTO snapback.snapshot (community, captured_at, kind, manifest_sha256, table_set)
    SELECT 'gone ' || n, now() - interval '8 days', 'scheduled', sha256(''), (SELECT id FROM snapback.table_set) FROM generate_series(1, 18) n;
CREATE TABLE sweep (transaction xid8, snapshots bigint);
CREATE FUNCTION note_sweep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app.sweep SELECT pg_current_xact_id(), count(*) FROM gone;
    PERFORM pg_sleep(0.5);
    RETURN NULL;
END $$;
CREATE TRIGGER note_sweep AFTER DELETE ON snapback.snapshot REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_sweep();
CALL snapback.expire_all();
SELECT count(DISTINCT transaction), array_agg(snapshots ORDER BY transaction::text::bigint) FROM sweep;
DROP TRIGGER note_sweep ON snapback.snapshot;
SELECT * FROM stored;
-- It may not be called where it cannot commit.
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
