-- Constraints of PostgreSQL 18 that guarantee less than usual: not enforced, not valid for all rows, over periods; and columns
-- that are computed when they are read.
CREATE EXTENSION IF NOT EXISTS pgtap;
SELECT current_setting('server_version_num')::int >= 180000 AS has_them \gset
SELECT plan(CASE WHEN :'has_them' THEN 22 ELSE 1 END);
\if :has_them

CREATE SCHEMA app;
SET search_path = app, public;
CREATE TABLE community (id text PRIMARY KEY);
INSERT INTO community VALUES ('a'), ('b');
CREATE VIEW directory AS SELECT id AS community, id AS name, 'x' AS owner, 'x@example.org' AS owner_email, true AS restores_enabled FROM community;
CREATE TABLE parent (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
INSERT INTO parent SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END FROM generate_series(1, 8) n;
DO $$ BEGIN
    PERFORM snapback.set_directory('app.directory');
    PERFORM snapback.add_category('x', '', ''), snapback.add_option('x.parents', '', ''), snapback.add_option('x.children', '', '');
    PERFORM snapback.protect('app.parent', 'x.parents');
END $$;

-- ---- a foreign key that is not enforced is no path and is not checked

CREATE TABLE loose (id int PRIMARY KEY, cid text NOT NULL REFERENCES community,
    parent int NOT NULL CONSTRAINT loose_parent REFERENCES parent NOT ENFORCED, n int, double int GENERATED ALWAYS AS (n * 2),
    CONSTRAINT unkept CHECK (n > 0) NOT ENFORCED, CONSTRAINT kept CHECK (double < 100));
INSERT INTO loose (id, cid, parent, n) SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, CASE WHEN n = 2 THEN 99 ELSE n END, 1 - n FROM generate_series(1, 8) n;
SELECT throws_ok($$ SELECT snapback.protect('app.loose', 'x.children', via => 'loose_parent') $$, '42704', 'app.loose has no foreign key "loose_parent"', 'it is no path');
SELECT is_empty($$ SELECT * FROM snapback.foreign_key WHERE name = 'loose_parent' $$, 'it is not listed as a foreign key');
SELECT lives_ok($$ SELECT snapback.protect('app.loose', 'x.children') $$, 'a table that has one is protected by another path');
CREATE TABLE kept AS SELECT * FROM loose;
SELECT snapback.capture('a') AS _ \gset
DELETE FROM loose WHERE cid = 'a';
DELETE FROM parent WHERE id IN (1, 2);
SELECT results_eq($$ SELECT relation, inserts, obstacles FROM snapback.preview_restore('{x.children}', NULL, 'a') $$,
    $$ VALUES ('app.loose', 4::bigint, '{}'::text[]) $$, 'rows come back without the parents they name, and past a check that is not enforced');
SELECT lives_ok($$ SELECT snapback.restore('{x.children}', NULL, 'a') $$, 'so they do');
SELECT bag_eq('SELECT * FROM loose', 'SELECT * FROM kept', 'as they were, computed columns too');
SELECT is((SELECT count(*) FROM parent WHERE cid = 'a')::int, 2, 'and those parents stay away');
ALTER TABLE loose DROP CONSTRAINT kept;
DELETE FROM loose WHERE cid = 'a';
ALTER TABLE loose ADD CONSTRAINT kept CHECK (double > -6 OR cid = 'b');
SELECT results_eq($$ SELECT inserts, obstacles FROM snapback.preview_restore('{x.children}', NULL, 'a') $$,
    $$ VALUES (4::bigint, ARRAY['app.loose cannot be restored: constraint "kept" rejects the row with the key (4) of the snapshot: change the constraint, or restore other options']) $$,
    'a check of a computed column is tried');

-- ---- a key over periods does not identify a row, and a foreign key to it no parent

CREATE TABLE lease (room int4range, during daterange, cid text NOT NULL REFERENCES community, PRIMARY KEY (room, during WITHOUT OVERLAPS));
SELECT throws_ok($$ SELECT snapback.protect('app.lease', 'x.children') $$, 'SB022', 'app.lease has no key that identifies its rows', 'a table needs another key beside it');
ALTER TABLE lease DROP CONSTRAINT lease_pkey, ADD id int PRIMARY KEY, ADD CONSTRAINT lease_alone UNIQUE (room, during WITHOUT OVERLAPS);
SELECT lives_ok($$ SELECT snapback.protect('app.lease', 'x.children') $$, 'and is protected by that');
INSERT INTO lease VALUES ('[1,1]', '[2024-01-01,2024-07-01)', 'a', 1), ('[1,1]', '[2024-07-01,2025-01-01)', 'a', 2), ('[2,2]', '[2024-01-01,2025-01-01)', 'b', 3);
SELECT snapback.capture('a') AS _ \gset
DELETE FROM loose WHERE id = 4; -- which its check would refuse
UPDATE lease SET during = '[2030-01-01,2031-01-01)' WHERE id = 1;
UPDATE lease SET during = '[2024-01-01,2024-09-01)' WHERE id = 2;
UPDATE lease SET during = '[2024-09-01,2025-01-01)' WHERE id = 1;
SELECT lives_ok($$ SELECT snapback.restore('{x.children}', NULL, 'a') $$, 'periods swap among rows of one restore');
SELECT results_eq('SELECT id, lower(during) FROM lease ORDER BY id', $$ VALUES (1, date '2024-01-01'), (2, '2024-07-01'), (3, '2024-01-01') $$, 'and are as they were');
DELETE FROM lease WHERE id = 1;
INSERT INTO lease VALUES ('[1,1]', '[2024-05-01,2024-06-01)', 'b', 9);
SELECT throws_ok($$ SELECT snapback.restore('{x.children}', NULL, 'a') $$, '23P01',
    '1 row of app.lease cannot be restored: other rows hold their value of lease_alone now', 'a period that another row holds a part of now is known beforehand');
CREATE TABLE guest (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, room int4range, during daterange);
SELECT snapback.protect('app.guest', 'x.parents') AS _ \gset
ALTER TABLE guest ADD CONSTRAINT guest_lease FOREIGN KEY (room, PERIOD during) REFERENCES lease (room, PERIOD during);
SELECT throws_ok(format($$ SELECT snapback.protect('app.%s', 'x.children') $$, t), '0A000', 'foreign key guest_lease of app.guest is temporal', t || ' cannot be protected with it')
FROM unnest('{guest,lease}'::text[]) t;
SELECT results_eq($$ SELECT relation, problem FROM snapback.protection WHERE problem IS NOT NULL AND relid IN ('app.guest'::regclass, 'app.lease'::regclass) ORDER BY 1 $$,
    $$ SELECT r, 'foreign key guest_lease of app.guest is temporal' FROM unnest('{app.lease,app.guest}'::text[]) r ORDER BY 1 $$, 'health() reports tables protected earlier');
SELECT throws_ok($$ SELECT * FROM snapback.preview_restore('{x.children}', NULL, 'a') $$, '0A000', 'foreign key guest_lease of app.guest is temporal', 'and are not restored');
SELECT throws_ok($$ SELECT snapback.protect('app.guest', 'x.children', via => 'guest_lease') $$, '0A000', NULL, 'it is not a path');

-- ---- NOT NULL that existing rows may violate

CREATE TABLE stale (id int PRIMARY KEY, cid text REFERENCES community);
INSERT INTO stale VALUES (1, NULL);
ALTER TABLE stale ADD CONSTRAINT named NOT NULL cid NOT VALID;
SELECT ok(snapback_internal.takes_null('app.stale', 'cid'), 'it is not relied on');
DELETE FROM stale;
ALTER TABLE stale VALIDATE CONSTRAINT named;
SELECT ok(NOT snapback_internal.takes_null('app.stale', 'cid'), 'until it is validated');
CREATE TABLE numbered (n int UNIQUE, cid text NOT NULL REFERENCES community);
ALTER TABLE numbered ADD CONSTRAINT has_number NOT NULL n NOT VALID;
SELECT throws_ok($$ SELECT snapback.protect('app.numbered', 'x.children') $$, 'SB022', 'app.numbered has no key that identifies its rows', 'it does not make a unique index a key');
ALTER TABLE numbered VALIDATE CONSTRAINT has_number;
SELECT lives_ok($$ SELECT snapback.protect('app.numbered', 'x.children') $$, 'until then');

\else
SELECT throws_ok('CREATE TABLE loose (n int CHECK (n > 0) NOT ENFORCED)', '42601', NULL, 'before PostgreSQL 18 there are none of them');
\endif
SELECT * FROM finish();
