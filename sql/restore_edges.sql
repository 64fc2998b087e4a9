-- Cases that random restores found: named rows that are deleted, references that cannot be NULL, unique values that move to other rows.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all
CREATE FUNCTION preview(switches jsonb DEFAULT NULL, options text[] DEFAULT '{x}') RETURNS SETOF text LANGUAGE sql AS $$
    SELECT relation || concat(' +' || nullif(inserts, 0), ' ~' || nullif(updates, 0), ' -' || nullif(deletes, 0), ' kept ' || nullif(kept, 0),
                              ' cascaded ' || nullif(cascaded, 0), ' skipped ' || nullif(skipped, 0), E'\n  ! ' || nullif(array_to_string(obstacles, E'\n  ! '), ''))
    FROM snapback.preview_restore(options, (SELECT id FROM snapback.snapshot WHERE community = 'a' AND kind = 'manual'), 'a', switches)
    WHERE inserts + updates + deletes + kept + cascaded + skipped + cardinality(obstacles) > 0 ORDER BY 1 $$;
CREATE FUNCTION try(switches jsonb DEFAULT NULL, options text[] DEFAULT '{x}') RETURNS SETOF text LANGUAGE sql AS $$
    SELECT relation || concat(' +' || nullif(inserted, 0), ' ~' || nullif(updated, 0), ' -' || nullif(deleted, 0))
    FROM snapback.restore(options, (SELECT id FROM snapback.snapshot WHERE community = 'a' AND kind = 'manual'), 'a', switches) WHERE inserted + updated + deleted > 0 ORDER BY 1 $$;
CREATE FUNCTION take_back(switches jsonb DEFAULT NULL, options text[] DEFAULT '{x}') RETURNS SETOF text LANGUAGE sql AS $$
    SELECT relation || concat(' +' || nullif(inserted, 0), ' ~' || nullif(updated, 0), ' -' || nullif(deleted, 0))
    FROM snapback.restore(options, (SELECT before_snapshot FROM snapback.restores ORDER BY ended_at DESC LIMIT 1), 'a', switches) WHERE inserted + updated + deleted > 0 ORDER BY 1 $$;

-- A named row that was added is deleted, and restored by the undo; the before_restore snapshot lacks the option's other table.
CREATE TABLE unit (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, code text UNIQUE, note text);
CREATE TABLE other (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
INSERT INTO unit VALUES (1, 'a', 'one'), (2, 'a', 'two'), (3, 'b', 'three');
SELECT snapback.protect('unit', 'x.one'), snapback.protect('other', 'x.one'), watch('unit'), watch('other');
SELECT snapback.capture('a') IS NOT NULL;
SELECT keep();
INSERT INTO unit VALUES (4, 'a', 'four'), (5, 'a', 'five');
SELECT try('{"rows": {"app.unit": [{"id": 4}]}}');
SELECT take_back('{"rows": {"app.unit": [{"id": 4}]}}');
SELECT take_back('{"rows": {"app.unit": [{"id": 4}]}}');
SELECT try();
SELECT changed();
SELECT fails($$SELECT try('{"rows": {"app.unit": [{"id": 6}]}}')$$);

-- Unique values that move: the new row is deleted, the old one is restored, and rows that refer to the value remain.
CREATE TABLE held (id int PRIMARY KEY, cid text NOT NULL, code text REFERENCES unit (code) ON DELETE SET NULL, again text REFERENCES unit (code) ON DELETE CASCADE);
INSERT INTO held VALUES (1, 'a', 'one', NULL), (2, 'a', NULL, 'two');
SELECT snapback.protect('held', 'x.two', community_column => 'cid'), watch('held');
DELETE FROM snapback.snapshot;
SELECT snapback.capture('a') IS NOT NULL;
SELECT keep();
UPDATE unit SET id = id + 10 WHERE cid = 'a';
INSERT INTO held VALUES (3, 'a');
SELECT preview('{"referenced": "cascade"}');
SELECT try('{"referenced": "cascade"}');
SELECT changed();
-- A value that others now refer to cannot be changed back without them: the preview reports it.
UPDATE held SET code = NULL, again = NULL;
UPDATE unit SET code = 'uno' WHERE id = 1;
UPDATE held SET code = 'uno' WHERE id = 1;
SELECT preview(NULL, '{x.one}');
SELECT fails($$SELECT try(NULL, '{x.one}')$$);
SELECT try();
SELECT changed();
SELECT snapback.unprotect('held'), snapback.unprotect('other'); DELETE FROM watched; DROP TABLE held;

-- References that cannot be NULL keep their row despite ON DELETE SET NULL; a partly NULL reference is invalid with MATCH FULL.
ALTER TABLE unit ADD UNIQUE (cid, id);
CREATE TABLE half (id int PRIMARY KEY, cid text NOT NULL, unit int, FOREIGN KEY (cid, unit) REFERENCES unit (cid, id) ON DELETE SET NULL);
CREATE TABLE whole (id int PRIMARY KEY, cid text NOT NULL, unit int NOT NULL REFERENCES unit ON DELETE SET NULL);
CREATE TABLE free (id int PRIMARY KEY, cid text NOT NULL, unit int, FOREIGN KEY (cid, unit) REFERENCES unit (cid, id) ON DELETE SET NULL (unit));
CREATE TABLE code (id text, kind text, PRIMARY KEY (id, kind));
CREATE TABLE full_or_none (id int PRIMARY KEY, cid text NOT NULL, code text, kind text NOT NULL, FOREIGN KEY (code, kind) REFERENCES code MATCH FULL);
INSERT INTO code VALUES ('k', 'l'), ('m', 'l');
INSERT INTO full_or_none VALUES (1, 'a', 'k', 'l');
SELECT snapback.protect(t::regclass, 'x.two', community_column => 'cid') FROM unnest('{half,whole,free,full_or_none}'::text[]) t;
SELECT watch(t::regclass) FROM unnest('{unit,half,whole,free,full_or_none}'::text[]) t;
DELETE FROM snapback.snapshot;
SELECT snapback.capture('a') IS NOT NULL;
SELECT keep();
INSERT INTO unit VALUES (6, 'a', 'six'), (7, 'a', 'seven'), (8, 'a', 'eight');
INSERT INTO half VALUES (1, 'a', 6);
INSERT INTO whole VALUES (1, 'a', 7);
INSERT INTO free VALUES (1, 'a', 8);
SELECT preview('{"referenced": "cascade"}', '{x.one}');
SELECT try('{"referenced": "cascade"}', '{x.one}');
TABLE free;
UPDATE full_or_none SET code = 'm';
DELETE FROM code WHERE id = 'k';
SELECT preview(NULL, '{x.two}');
INSERT INTO code VALUES ('k', 'l');
SELECT try();
SELECT changed();
SELECT snapback.unprotect(t::regclass) FROM unnest('{half,whole,free,full_or_none}'::text[]) t;
-- A row that a cascade would delete is kept if a remaining row refers to it: it is outside the selection.
CREATE TABLE hub (id text PRIMARY KEY, cid text NOT NULL, spoke int);
CREATE TABLE spoke (id int PRIMARY KEY, cid text NOT NULL, hub text NOT NULL REFERENCES hub);
ALTER TABLE hub ADD FOREIGN KEY (spoke) REFERENCES spoke ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
BEGIN; INSERT INTO hub VALUES ('k', 'a', 1); INSERT INTO spoke VALUES (1, 'a', 'k'); COMMIT;
SELECT snapback.protect('hub', 'x.one', community_column => 'cid'), snapback.protect('spoke', 'x.two', community_column => 'cid');
DELETE FROM snapback.snapshot;
SELECT snapback.capture('a') IS NOT NULL;
BEGIN; INSERT INTO hub VALUES ('l', 'a', 2); INSERT INTO spoke VALUES (2, 'a', 'l'); COMMIT;
UPDATE hub SET spoke = 2 WHERE id = 'k';
SELECT relation, deletes, kept, cascaded FROM snapback.preview_restore('{x.two}', NULL, 'a', '{"referenced": "cascade"}');
SELECT relation, deleted, kept, cascaded FROM snapback.restore('{x.two}', NULL, 'a', '{"referenced": "cascade"}');
SELECT snapback.unprotect('hub'), snapback.unprotect('spoke');
DELETE FROM watched; DROP TABLE half, whole, free, full_or_none;

-- A parent that now belongs to another community: its children do not follow it.
CREATE TABLE part (id int PRIMARY KEY, unit int NOT NULL CONSTRAINT part_unit REFERENCES unit ON DELETE CASCADE);
INSERT INTO part VALUES (1, 1), (2, 2), (3, 3);
SELECT snapback.protect('part', 'x.two'), watch('unit'), watch('part', '(SELECT u.cid FROM app.unit u WHERE u.id = t.unit)');
DELETE FROM snapback.snapshot;
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM unit WHERE id = 1;
INSERT INTO unit VALUES (1, 'b', 'taken');
DELETE FROM part WHERE id = 2;
SELECT keep();
SELECT preview();
SELECT preview(NULL, '{x.two}');
SELECT try('{"on_conflict": "skip"}');
SELECT changed();
SELECT * FROM part ORDER BY id;
SELECT snapback.unprotect('part'), snapback.unprotect('unit'); DELETE FROM watched;

-- A row named under an option of columns keeps its other columns, also if rows that refer to it are restored with it.
CREATE TABLE page (id int PRIMARY KEY, cid text NOT NULL, title text, body text, above int REFERENCES page);
INSERT INTO page VALUES (1, 'a', 't1', 'b1', NULL), (2, 'a', 't2', 'b2', 1);
SELECT snapback.protect('page', 'x.three', community_column => 'cid', columns => '{title}');
DELETE FROM snapback.snapshot;
SELECT snapback.capture('a') IS NOT NULL;
UPDATE page SET title = 'rogue', body = 'rogue';
SELECT try('{"rows": {"app.page": [{"id": 1}]}, "children": true}', '{x.three}');
SELECT * FROM page ORDER BY id;
SELECT take_back('{"rows": {"app.page": [{"id": 1}]}, "children": true}', '{x.three}');
SELECT * FROM page ORDER BY id;

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
