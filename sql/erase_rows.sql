-- Erase single rows from every snapshot of a community, so that no restore can restore them.
\set ECHO none
\i test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all

CREATE TABLE person (cid text NOT NULL REFERENCES community, name text COLLATE "C", born date, about text, PRIMARY KEY (cid, name));
CREATE TABLE tag (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, label text);
INSERT INTO person SELECT c.id, 'person ' || n, date '2000-01-01' + n, repeat(md5(n::text), 8) FROM community c, generate_series(1, 2000) n;
INSERT INTO tag SELECT n, 'a', 'tag' FROM generate_series(1, 3) n;
SELECT snapback.protect('person', 'x.one'), snapback.protect('tag', 'x.two');
CALL snapback.capture_all();
UPDATE person SET about = 'changed' WHERE name = 'person 7';
CALL snapback.capture_all();
SELECT snapback.erase_rows('a', 'person', '[{"cid": "a", "name": "person 7"}, {"name": "person 1999", "cid": "a"}, {"cid": "a", "name": "nobody"}]');
SELECT s.rows FROM snapback.list_snapshots('a') s;
SELECT count(*) FROM snapback.verify();
-- Their bytes are no longer in the store; other rows remain.
SELECT community, count(*) FROM snapback.snapshot s, snapback.snapshot_rows(s.id, 'person') r WHERE r ->> 'name' IN ('person 7', 'person 1999') GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM snapback.chunk c WHERE NOT EXISTS (SELECT FROM snapback_internal.digest_lists(ARRAY[c.community]) l
    WHERE position(c.sha256 IN l.digests) > 0);
-- The live row remains, and a restore treats it as added. A row that is erased everywhere cannot be restored.
DELETE FROM person WHERE cid = 'a' AND name IN ('person 8', 'person 1999');
SELECT restored();
SELECT name FROM person WHERE cid = 'a' AND name IN ('person 7', 'person 8', 'person 1999');
SELECT fails($$SELECT snapback.erase_rows('a', 'tag', '[{"id": "x"}]')$$);
-- The records of restores and of refused strict requests no longer contain the keys.
CREATE TABLE pen (id int PRIMARY KEY, cid text NOT NULL, holder text, FOREIGN KEY (cid, holder) REFERENCES person);
INSERT INTO pen VALUES (1, 'a', 'person 5'), (2, 'a', 'person 6');
SELECT snapback.protect('pen', 'x.two', community_column => 'cid');
CALL snapback.capture_all();
DELETE FROM pen; DELETE FROM person WHERE name IN ('person 5', 'person 6') AND cid = 'a';
SELECT relation, inserted, parents FROM snapback.restore('{x.two}', NULL, 'a') WHERE inserted > 0;
UPDATE snapback.restore_run SET changed = '{"obstacle": "person 5"}';
SELECT key FROM snapback.restore_row ORDER BY key;
SELECT snapback.erase_rows('a', 'person', '[{"name": "person 5", "cid": "a"}]');
SELECT key FROM snapback.restore_row ORDER BY key;
SELECT changed FROM snapback.restore_run;
-- Snapshots older than the protection of a table do not contain its rows.
SELECT snapback.erase_rows('a', 'pen', '[{"id": 1}]');
SELECT snapback.unprotect('pen');
DROP TABLE pen;
-- All rows of a table, and a table that was empty at the capture.
SELECT snapback.erase_rows('a', 'tag', '[{"id": 1}, {"id": 2}, {"id": 3}]');
SELECT count(*) FROM snapback.verify();
SELECT snapback.erase_rows('b', 'tag', '[{"id": 1}]');
SELECT snapback.erase_rows('nobody', 'tag', '[{"id": 1}]');
SELECT fails($$SELECT snapback.erase_rows('a', 'tag', '{"id": 1}')$$);
SELECT fails($$SELECT snapback.erase_rows('a', 'tag', '[]')$$);
SELECT fails($$SELECT snapback.erase_rows('a', 'tag', '[1]')$$);
SELECT fails($$SELECT snapback.erase_rows('a', 'tag', '[{"label": 1}]')$$);
SELECT fails($$SELECT snapback.erase_rows('a', 'tag', NULL)$$);
SELECT fails($$SELECT snapback.erase_rows('a', 'community', '[{"id": "a"}]')$$);
-- The next capture contains a row that is still live, although it has not changed.
CALL snapback.capture_all();
SELECT snapback.erase_rows('a', 'tag', '[{"id": 1}]');
SELECT r ->> 'id' AS id FROM snapback.snapshot_rows(snapback.capture('a'), 'tag') r ORDER BY 1;
SELECT count(*) FROM snapback.basis b WHERE NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.basis = b.id);
-- Also erased is a key of which only the removal is stored, because earlier snapshots have expired.
SET snapback.delta_limit = 1000;
UPDATE tag SET label = 'new' WHERE id = 2;
SELECT count(snapback.capture('a'));
DO $$ BEGIN
    FOR i IN 1..14 LOOP
        INSERT INTO tag SELECT 9, 'a' WHERE i % 2 = 1;
        DELETE FROM tag WHERE id = 9 AND i % 2 = 0;
        PERFORM snapback.capture('a');
    END LOOP;
END $$;
UPDATE snapback.snapshot SET captured_at = captured_at - interval '1 year' WHERE community = 'a' AND id <> (SELECT id FROM snapback.list_snapshots('a') LIMIT 1);
SELECT snapshots > 14 FROM snapback.expire();
SELECT delta_bytes FROM snapback.snapshot WHERE community = 'a';
SELECT snapback.erase_rows('a', 'tag', '[{"id": null}]');
SELECT delta_bytes FROM snapback.snapshot WHERE community = 'a';
SELECT snapback.erase_rows('a', 'tag', '[{"id": 9}]');
SELECT delta_bytes FROM snapback.snapshot WHERE community = 'a';
SELECT count(*) FROM snapback.verify();
ALTER TABLE tag DROP CONSTRAINT tag_pkey, ADD other int NOT NULL DEFAULT 1, ADD PRIMARY KEY (id, other);
SELECT fails($$SELECT snapback.erase_rows('a', 'tag', '[{"id": 1, "other": 1}]')$$);

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
