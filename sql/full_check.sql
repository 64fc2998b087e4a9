-- A capture of changes is compared with a full read from time to time. A difference is recorded, and the full read is stored.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
SET snapback.delta_limit = 1000;
\set ECHO all
CREATE TABLE page (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, body text);
CREATE TABLE note (id int PRIMARY KEY, page int NOT NULL REFERENCES page ON DELETE CASCADE, body text);
SELECT snapback.protect('page', 'x.one'), snapback.protect('note', 'x.one');
INSERT INTO page SELECT n, CASE n % 3 WHEN 0 THEN 'a' ELSE 'b' END, 'page ' || n FROM generate_series(1, 30) n;
INSERT INTO note SELECT n, n, 'note ' || n FROM generate_series(1, 30) n;
CREATE VIEW captured AS
SELECT s.community, s.label, s.base = s.id AS in_full, length(s.deltas) / 32 AS deltas, b.checked_at = s.captured_at AS checked,
       (SELECT count(*) FROM snapback.snapshot_rows(s.id, 'page')) AS pages, (SELECT count(*) FROM snapback.snapshot_rows(s.id, 'note')) AS notes
FROM snapback.snapshot s JOIN snapback.base b ON b.id = s.base;
CREATE FUNCTION capture(label text) RETURNS SETOF captured LANGUAGE plpgsql AS $$
BEGIN
    PERFORM snapback.capture('a', label), snapback.capture('b', label);
    RETURN QUERY SELECT * FROM captured c WHERE c.label = capture.label ORDER BY c.community;
END $$;
SELECT * FROM capture('first');
DELETE FROM page WHERE id = 3;
SELECT * FROM capture('changes');

-- A sound capture is checked, and keeps its base.
SET snapback.full_check_interval = '1s';
SELECT pg_sleep(1.3);
DELETE FROM page WHERE id IN (6, 1);
SELECT * FROM capture('checked');
SELECT * FROM snapback.capture_difference;
SET snapback.full_check_interval = 0;
SELECT * FROM capture('not checked');

-- Notes of removed keys are lost: the snapshots are wrong until the next check.
DELETE FROM page WHERE id = 9;
UPDATE page SET body = 'changed' WHERE id = 12;
DELETE FROM snapback.removed_key;
SELECT * FROM capture('wrong');
SET snapback.full_check_interval = '1s';
SELECT pg_sleep(1.3);
SELECT * FROM capture('repaired');
SELECT community, relation, rows FROM snapback.capture_difference ORDER BY relation;
SELECT concern, subject, regexp_replace(problem, ' on .*', '') AS problem, hint FROM snapback.health() WHERE concern = 'difference' ORDER BY problem;
SELECT * FROM snapback.verify();

-- A base without rows, and a table that lost all of them.
SET snapback.full_check_interval = 0;
DELETE FROM page WHERE cid = 'a';
DELETE FROM snapback.removed_key;
SELECT * FROM capture('emptied');
SET snapback.full_check_interval = '1s';
SELECT pg_sleep(1.3);
SELECT * FROM capture('emptied, repaired');
SELECT community, relation, rows FROM snapback.capture_difference ORDER BY captured_at, relation;
-- They are kept as long as snapshots.
UPDATE snapback.capture_difference SET captured_at = captured_at - interval '8 days' WHERE rows = 1;
CALL snapback.expire_all();
SELECT count(*) FROM snapback.capture_difference;
SELECT snapshots > 0 FROM snapback.forget('a');
SELECT count(*) FROM snapback.capture_difference;

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
