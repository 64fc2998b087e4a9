-- The switches of a restore, single rows with their children, the notes of the preview, and undo.
\set ECHO none
\i test/fixture/communities.sql
\set ECHO all

CREATE TABLE unit (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, name text, code text UNIQUE, head int);
CREATE TABLE post (id int PRIMARY KEY, unit_id int NOT NULL CONSTRAINT post_unit REFERENCES unit ON DELETE CASCADE, title text);
CREATE TABLE duty (post_id int CONSTRAINT duty_post REFERENCES post ON DELETE CASCADE, "when" text, note text, PRIMARY KEY (post_id, "when"));
CREATE TABLE member (id int PRIMARY KEY, cid text NOT NULL, name text, unit_id int CONSTRAINT member_unit REFERENCES unit ON DELETE SET NULL);
ALTER TABLE unit ADD CONSTRAINT unit_head FOREIGN KEY (head) REFERENCES member ON DELETE SET NULL;
CREATE TABLE badge (id int PRIMARY KEY, unit_id int CONSTRAINT badge_unit REFERENCES unit);
INSERT INTO unit SELECT n, (ARRAY['a', 'b'])[1 + n % 2], 'unit ' || n, 'u' || n FROM generate_series(1, 12) n;
INSERT INTO post SELECT n, 1 + n % 12, 'post ' || n FROM generate_series(1, 48) n;
INSERT INTO duty SELECT p.id, w, 'note' FROM post p, (VALUES ('early'), ('late')) v(w);
INSERT INTO member SELECT u.id * 10 + k, u.cid, 'member ' || k, u.id FROM unit u, generate_series(0, 2) k;
UPDATE unit SET head = id * 10;
SELECT watch(t::regclass, c) FROM (VALUES ('unit', 't.cid'), ('member', 't.cid'), ('badge', 'NULL'),
    ('post', '(SELECT u.cid FROM app.unit u WHERE u.id = t.unit_id)'),
    ('duty', '(SELECT u.cid FROM app.unit u JOIN app.post p ON p.unit_id = u.id WHERE p.id = t.post_id)')) v(t, c);
SELECT snapback.protect('unit', 'x.one'), snapback.protect('member', 'x.two', community_column => 'cid');
SELECT snapback.protect('post', 'x.one'), snapback.protect('duty', 'x.three');
SELECT snapback.capture('a') IS NOT NULL AS captured, snapback.capture('b') IS NOT NULL AS captured;
SELECT keep();
CREATE FUNCTION preview(options text[], switches jsonb DEFAULT NULL) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT relation || concat(' +' || nullif(inserts, 0), ' ~' || nullif(updates, 0), ' -' || nullif(deletes, 0), ' kept ' || nullif(kept, 0),
                              ' parents ' || nullif(parents, 0), ' nulled ' || nullif(nulled, 0), ' cascaded ' || nullif(cascaded, 0), ' skipped ' || nullif(skipped, 0),
                              E'\n  ! ' || nullif(array_to_string(obstacles, E'\n  ! '), ''), E'\n  * ' || nullif(array_to_string(notes, E'\n  * '), ''))
    FROM snapback.preview_restore(options, NULL, 'a', switches)
    WHERE inserts + updates + deletes + kept + parents + nulled + cascaded + skipped + cardinality(obstacles) + cardinality(notes) > 0 ORDER BY 1 $$;
-- Preview, restore, and report what still differs; report if preview and restore disagree.
CREATE FUNCTION try(options text[], switches jsonb DEFAULT NULL) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    expected text[] := ARRAY(SELECT p FROM app.preview(options, switches) p);
BEGIN
    RETURN QUERY SELECT unnest(expected);
    RETURN QUERY SELECT 'restored otherwise: ' || d FROM (
        SELECT format('%s +%s ~%s -%s', relation, inserts, updates, deletes) FROM snapback.preview_restore(options, NULL, 'a', switches)
        EXCEPT SELECT format('%s +%s ~%s -%s', relation, inserted, updated, deleted) FROM snapback.restore(options, NULL, 'a', switches)) x(d);
    RETURN QUERY SELECT 'not as it was: ' || c FROM app.changed() c;
END $$;

-- Invalid switches are errors.
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '[]')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"action": 1}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"actions": "insert"}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"actions": []}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"actions": ["insert", "drop"]}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"referenced": true}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"missing_parents": "ignore"}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"on_conflict": null}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"rows": []}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"rows": {}}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"rows": {"x.one": []}}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"rows": {"x.one": [1]}}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"children": true}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"rows": {"x.one": [{"id": 2}]}, "children": 1}')$$);

-- Actions: missing, changed and added rows, each separately.
CREATE PROCEDURE damage() LANGUAGE sql AS $$
    DELETE FROM app.post WHERE id = 3; UPDATE app.post SET title = 'rogue' WHERE id IN (1, 5); INSERT INTO app.post VALUES (100, 2, 'added');
$$;
CALL damage();
SELECT preview('{x.one}');
SELECT preview('{x.one}', '{"actions": ["insert"]}');
SELECT preview('{x.one}', '{"actions": ["update"]}');
SELECT preview('{x.one}', '{"actions": ["delete"]}');
SELECT relation, key, action, old, new FROM snapback.diff_rows(NULL, 'x.one', 'a');
BEGIN;
SELECT * FROM try('{x.one}', '{"actions": ["insert", "delete"]}');
ROLLBACK;
SELECT * FROM try('{x}');

-- Added rows that others refer to: kept, with the referring table; or deleted with all rows that refer to them.
INSERT INTO unit VALUES (101, 'a', 'new', 'new'), (103, 'a', 'held', 'held');
INSERT INTO post VALUES (101, 101, 'in the new unit');
INSERT INTO duty VALUES (101, 'early');
INSERT INTO member VALUES (1010, 'a', 'new', 101);
UPDATE member SET unit_id = 101 WHERE id = 20;
INSERT INTO badge VALUES (1, 103);
SELECT preview('{x.one}');
SELECT preview('{x.one,x.two,x.three}');
SELECT preview('{x.one}', '{"referenced": "cascade"}');
SELECT relation, key, action FROM snapback.diff_rows(NULL, 'x.one', 'a', '{"referenced": "cascade"}');
BEGIN;
SELECT * FROM try('{x.one}', '{"referenced": "cascade"}');
SELECT id, unit_id FROM member WHERE id IN (20, 1010);
SELECT * FROM duty WHERE post_id = 101;
-- An undo restores cascaded rows.
SELECT keep();
ROLLBACK;
SELECT keep();
CREATE FUNCTION go_back() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT t.relation || concat(' +' || nullif(t.inserted, 0), ' ~' || nullif(t.updated, 0), ' -' || nullif(t.deleted, 0))
    FROM (SELECT * FROM snapback.restores ORDER BY requested_at DESC LIMIT 1) r, snapback.restore(r.options, r.before_snapshot, r.community) t
    WHERE t.inserted + t.updated + t.deleted > 0 ORDER BY 1 $$;
SELECT count(*) FROM snapback.restore('{x.one}', NULL, 'a', '{"referenced": "cascade"}');
SELECT changed();
SELECT relation::regclass, key FROM snapback.restore_row JOIN snapback.protected_table ON id = table_id ORDER BY 1, 2;
SELECT go_back();
SELECT changed();
-- An undo of the undo repeats the restore.
SELECT go_back();
SELECT id, unit_id FROM member WHERE id IN (20, 1010);
DELETE FROM badge; DELETE FROM unit WHERE id > 100; DELETE FROM member WHERE id > 1000;
SELECT restored('{x.one,x.two,x.three}');

-- Parents: restored, or an error.
SELECT keep();
DELETE FROM duty WHERE post_id = 3;
DELETE FROM post WHERE id = 3;
SELECT preview('{x.three}');
SELECT preview('{x.three}', '{"missing_parents": "error"}');
SELECT fails($$SELECT * FROM snapback.restore('{x.three}', NULL, 'a', '{"missing_parents": "error"}')$$);
SELECT * FROM try('{x.three}');
SELECT go_back();
SELECT count(*) FROM post WHERE id = 3;
SELECT * FROM try('{x.three}');

-- Conflicts: another community now holds a unique value.
DELETE FROM unit WHERE id IN (2, 4);
UPDATE unit SET code = 'u2' WHERE id = 1;
UPDATE unit SET code = 'u6 no more' WHERE id = 6;
INSERT INTO unit VALUES (200, 'b', 'thief', 'u6');
SELECT preview('{x}');
SELECT fails($$SELECT * FROM snapback.restore('{x}', NULL, 'a')$$);
SELECT preview('{x}', '{"on_conflict": "skip"}');
SELECT count(*), min(key::text) FROM snapback.diff_rows(NULL, 'x', 'a', '{"on_conflict": "skip"}') WHERE action = 'skip';
SELECT fails($$SELECT * FROM snapback.restore('{x}', NULL, 'a', '{"on_conflict": "skip", "missing_parents": "error"}')$$);
SELECT count(*) FROM snapback.restore('{x}', NULL, 'a', '{"on_conflict": "skip"}');
SELECT id, code FROM unit WHERE id IN (1, 2, 4, 6, 200) ORDER BY id;
SELECT preview('{x}', '{"on_conflict": "skip"}');
DELETE FROM unit WHERE id = 200;
UPDATE unit SET code = 'u1' WHERE id = 1;
SELECT * FROM try('{x}');

-- One unit only; then with all rows that belong to it.
UPDATE unit SET name = 'rogue' WHERE id IN (8, 10);
DELETE FROM unit WHERE id = 6;
UPDATE member SET name = 'renamed' WHERE id = 60;
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"rows": {"x.one": [{"name": 1}]}}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"rows": {"x.one": [{"id": 6}]}}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x.two}', NULL, 'a', '{"rows": {"app.unit": [{"id": 6}]}}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"rows": {"app.unit": [{"id": 7}]}}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"rows": {"app.unit": [{"id": "six"}]}}')$$);
SELECT fails($$SELECT * FROM snapback.preview_restore('{x}', NULL, 'a', '{"rows": {"x.three": [{"post_id": 5, "when": "early"}], "app.duty": [{"post_id": 5, "when": "early"}]}}')$$);
SELECT preview('{x.one}', '{"rows": {"app.unit": [{"id": 6}]}}');
SELECT preview('{x.one}', '{"rows": {"app.unit": [{"id": 6}]}, "children": true}');
SELECT * FROM try('{x.one}', '{"rows": {"app.unit": [{"id": 6}]}, "children": true}');
SELECT id, name FROM unit WHERE id IN (6, 8, 10) ORDER BY id;
-- The member kept its new name, and has its unit again.
SELECT * FROM member WHERE id = 60;
SELECT * FROM try('{x}');

-- A row equal to the snapshot is not restored with a selected one: it refers by a value that has moved to another row.
CREATE TABLE shelf (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, code text UNIQUE);
CREATE TABLE book (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, shelf text CONSTRAINT book_shelf REFERENCES shelf (code) ON DELETE CASCADE);
INSERT INTO shelf SELECT n, 'a', 'S' || n FROM generate_series(1, 3) n;
INSERT INTO book SELECT n, 'a', 'S' || n FROM generate_series(1, 3) n;
SELECT snapback.protect('shelf', 'x.three'), snapback.protect('book', 'x.three'), watch('shelf'), watch('book');
SELECT snapback.capture('a') IS NOT NULL AS captured;
UPDATE shelf SET id = 12 WHERE id = 2;
SELECT preview('{x.three}');
SELECT preview('{x.three}', '{"actions": ["delete"]}');
SELECT preview('{x.three}', '{"actions": ["delete"], "referenced": "cascade"}');
INSERT INTO shelf VALUES (4, 'a', 'S4');
INSERT INTO book VALUES (4, 'a', 'S4');
UPDATE book SET shelf = 'S4' WHERE id = 3;
SELECT preview('{x.three}', '{"actions": ["delete"], "referenced": "cascade"}');
-- A row that would immediately be restored is not selected either.
SELECT preview('{x.three}', '{"actions": ["insert", "delete"], "referenced": "cascade"}');
BEGIN;
SELECT * FROM try('{x.three}', '{"actions": ["insert", "delete"], "referenced": "cascade"}');
ROLLBACK;
BEGIN;
SELECT * FROM try('{x.three}', '{"actions": ["delete"], "referenced": "cascade"}');
TABLE shelf ORDER BY id;
TABLE book ORDER BY id;
ROLLBACK;
-- Rows of one restore with the same unique value: the option restores the column of some rows only, or the constraint is new.
SELECT snapback.unprotect('book', 'x.three'), snapback.protect('shelf', 'x.two', columns => '{code}', filter => 'id < 3');
DELETE FROM watched WHERE relation = 'book'::regclass; DROP TABLE book;
UPDATE shelf SET id = 2 WHERE id = 12;
SELECT snapback.capture('a') IS NOT NULL AS captured;
UPDATE shelf SET code = 'S9' WHERE id = 1;
UPDATE shelf SET code = 'S1' WHERE id = 3;
SELECT preview('{x.two}');
SELECT preview('{x.two}', '{"on_conflict": "skip"}');
ALTER TABLE shelf DROP CONSTRAINT shelf_code_key;
UPDATE shelf SET code = 'same';
SELECT snapback.capture('a') IS NOT NULL AS captured;
UPDATE shelf SET code = 'S' || id;
ALTER TABLE shelf ADD UNIQUE (code);
SELECT preview('{x.three}');
SELECT fails($$SELECT * FROM snapback.restore('{x.three}', NULL, 'a')$$);
SELECT * FROM try('{x.three}', '{"on_conflict": "skip"}');
TABLE shelf ORDER BY id;

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
