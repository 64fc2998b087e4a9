-- Rows whose path contains NULL belong to no community but still exist. A restore reattaches them, and an undo
-- detaches them again.
\set ECHO none
\getenv source PG_ABS_SRCDIR
\set fixture :source '/test/fixture/communities.sql'
\o /dev/null
\i :fixture
\pset format unaligned
\pset tuples_only on
CREATE TABLE envelope (id int PRIMARY KEY, cid text REFERENCES community ON DELETE SET NULL, title text UNIQUE);
CREATE TABLE audit (id int PRIMARY KEY, envelope int CONSTRAINT of REFERENCES envelope ON DELETE SET NULL, what text);
CREATE TABLE remark (audit int NOT NULL CONSTRAINT on_audit REFERENCES audit ON DELETE CASCADE, place int, said text, PRIMARY KEY (audit, place));
INSERT INTO envelope SELECT i, CASE WHEN i < 10 THEN 'a' ELSE 'b' END, 't' || i FROM generate_series(1, 15) i;
INSERT INTO audit SELECT i, i, 'w' || i FROM generate_series(1, 15) i;
INSERT INTO audit VALUES (100, NULL, 'of nobody, always');
INSERT INTO remark SELECT i, p, 'r' || i FROM generate_series(1, 15) i, generate_series(1, 2) p;
SELECT snapback.protect('envelope', 'x.one'), snapback.protect('audit', 'x.two', via => 'of'), snapback.protect('remark', 'x.three');
-- Rows are matched by key, independent of their path.
SELECT watch('envelope', 'CASE WHEN t.id < 10 THEN ''a'' ELSE ''b'' END'), watch('audit', 'CASE WHEN t.id < 10 THEN ''a'' ELSE ''b'' END'),
    watch('remark', 'CASE WHEN t.audit < 10 THEN ''a'' ELSE ''b'' END'), keep();
SELECT snapback.capture('a'), snapback.capture('b');
CREATE TABLE states (name text, relation text, community text, hash text);
CREATE FUNCTION name_state(name text) RETURNS void LANGUAGE sql AS $$ INSERT INTO states SELECT name, s.* FROM app.state() s $$;
CREATE FUNCTION is_state(name text) RETURNS boolean LANGUAGE sql AS $$
    SELECT NOT EXISTS ((SELECT relation, community, hash FROM states s WHERE s.name = is_state.name EXCEPT SELECT * FROM app.state())
                       UNION ALL (SELECT * FROM app.state() EXCEPT SELECT relation, community, hash FROM states s WHERE s.name = is_state.name)) $$;
CREATE FUNCTION previewed(options text[] DEFAULT '{*}', switches jsonb DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', p.relation, '+' || p.inserts, '~' || p.updates, '-' || p.deletes, '=' || p.unchanged, nullif(p.obstacles, '{}'))
    FROM snapback.preview_restore(options, NULL, 'a', switches) p ORDER BY p.relation COLLATE "C" $$;
CREATE FUNCTION last() RETURNS uuid LANGUAGE sql AS $$ SELECT restore FROM snapback.restores ORDER BY requested_at DESC LIMIT 1 $$;
CREATE FUNCTION undone() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT t.relation || concat(' +' || nullif(t.inserted, 0), ' ~' || nullif(t.updated, 0), ' -' || nullif(t.deleted, 0))
    FROM snapback.undo_restore(last()) t WHERE t.inserted + t.updated + t.deleted > 0 ORDER BY t.relation COLLATE "C" $$;
\o
\set ECHO all

-- Envelopes are deleted: the notes about them become orphans, and so do the remarks on these.
DELETE FROM envelope WHERE id IN (1, 2);
UPDATE audit SET what = 'changed while outside' WHERE id = 2;
UPDATE audit SET envelope = NULL WHERE id = 3;
DELETE FROM remark WHERE audit = 1 AND place = 1;
UPDATE remark SET said = 'changed' WHERE audit = 3;
INSERT INTO remark VALUES (3, 9, 'new, on a row that is outside');
SELECT name_state('damaged');
SELECT previewed();
SELECT relation, key, action, old, new FROM snapback.diff_rows(NULL, 'x.two', 'a') ORDER BY 2;
SELECT restored('{x.one,x.two,x.three}');
SELECT changed();
SELECT * FROM remark WHERE audit = 3;
SELECT previewed();
SELECT name_state('restored');
-- After the undo they are outside again; and once more in the other direction.
SELECT undone();
SELECT is_state('damaged');
SELECT undone();
SELECT is_state('restored');
SELECT undone();
SELECT is_state('damaged');
SELECT * FROM snapback.verify();

-- The parent of a missing row must be in the restore if it is outside.
SELECT previewed('{x.three}');
SELECT fails($$SELECT restored('{x.three}')$$);
SELECT restored('{x.two,x.three}');
SELECT changed();
SELECT undone();
SELECT is_state('damaged');
-- Without updates they cannot be reattached.
SELECT previewed('{x.two}', '{"actions": ["insert", "delete"]}');
-- Named rows
SELECT previewed('{x.two}', '{"rows": {"x.two": [{"id": 2}]}, "children": true}');
SELECT relation, inserted, updated FROM snapback.restore('{x.two}', NULL, 'a', '{"rows": {"x.two": [{"id": 2}]}, "children": true}') ORDER BY 1;
SELECT * FROM audit WHERE id < 4 ORDER BY id;
SELECT undone();
SELECT is_state('damaged');

-- The column of the table itself
DELETE FROM remark WHERE place = 9;
UPDATE envelope SET cid = NULL, title = 'swapped' WHERE id = 5;
UPDATE envelope SET title = 't5' WHERE id = 6;
UPDATE envelope SET title = 't6' WHERE id = 5;
SELECT name_state('damaged again');
SELECT restored('{x.one,x.two,x.three}');
SELECT changed();
SELECT undone();
SELECT is_state('damaged again');

-- Rows that now belong to another community are not changed.
UPDATE envelope SET cid = 'b' WHERE id = 5;
SELECT previewed('{x.one}');
SELECT fails($$SELECT restored('{x.one}')$$);
UPDATE envelope SET cid = NULL WHERE id = 5;
SELECT restored('{x.one,x.two,x.three}');
SELECT changed();

-- Rows that moved into the community count as added.
UPDATE audit SET envelope = 4 WHERE id = 100;
SELECT restored('{x.two}');
SELECT undone();
SELECT * FROM audit WHERE id = 100;

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
