-- Columns that were renamed, dropped, added or retyped since the snapshot: the reported changes, and their effect on a restore.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION newest(community text DEFAULT 'a') RETURNS uuid LANGUAGE sql AS $$
    SELECT s.id FROM snapback.snapshot s WHERE s.community = newest.community AND s.kind <> 'before_restore' ORDER BY s.captured_at DESC LIMIT 1 $$;
CREATE FUNCTION changes(relation regclass) RETURNS SETOF text LANGUAGE sql AS $$ SELECT snapback.schema_changes(app.newest(), relation) $$;
\set ECHO all

-- Every change of the schema is reported with its effect.
CREATE TABLE told (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, gone text, "Old Name" text, amount numeric(10, 2), n int, computed int GENERATED ALWAYS AS (n * 2) STORED, plain int);
INSERT INTO told (id, cid, gone, "Old Name", amount, n, plain) SELECT n, 'a', 'gone', 'name ' || n, n, n, n FROM generate_series(1, 3) n;
SELECT snapback.protect('told', 'x.one');
CALL snapback.capture_all();
SELECT changes('told');
ALTER TABLE told DROP gone, ADD fresh text DEFAULT 'new', ALTER amount TYPE text, ALTER computed DROP EXPRESSION, DROP plain;
ALTER TABLE told ADD plain int GENERATED ALWAYS AS (n + 1) STORED;
ALTER TABLE told RENAME "Old Name" TO name;
ALTER TABLE told DROP CONSTRAINT told_pkey, ADD PRIMARY KEY (n, id);
ALTER TABLE told RENAME TO "Told";
SELECT changes('"Told"');
DELETE FROM "Told" WHERE id = 1;
UPDATE "Told" SET name = 'x', fresh = 'kept', plain = DEFAULT, computed = 9 WHERE id = 2;
SELECT restored();
SELECT id, name, amount, n, computed, fresh, plain FROM "Told" ORDER BY id;
ALTER TABLE "Told" RENAME TO told;
SELECT snapback.capture('a') IS NOT NULL;
SELECT changes('told');
-- Errors.
CREATE TABLE late (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
SELECT fails($$SELECT changes('late')$$);
SELECT snapback.protect('late', 'x.two');
SELECT fails($$SELECT changes('late')$$);
SELECT fails($$SELECT snapback.schema_changes('00000000-0000-0000-0000-000000000000', 'late')$$);
SELECT snapback.unprotect('told'), snapback.unprotect('late');
SELECT count(*) FROM snapback.known_columns;
SELECT count(*) FROM snapback.column_rename;

-- Renames are followed, also in the key, until another column takes the name: a new one, a renamed one, one that exchanged names.
CREATE TABLE named (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, a text, b text, c text, d int);
INSERT INTO named SELECT n, 'a', 'a' || n, 'b' || n, 'c' || n, n FROM generate_series(1, 3) n;
SELECT snapback.protect('named', 'x.one'), snapback.protect('named', 'x.two', columns => '{a,d}');
CALL snapback.capture_all();
CREATE FUNCTION chunks_read() RETURNS SETOF text LANGUAGE sql AS $$ SELECT r::text FROM snapback.snapshot_rows(app.newest(), 'app.named') r $$;
BEGIN;
ALTER TABLE named RENAME a TO a1; ALTER TABLE named RENAME a1 TO "A 2";
ALTER TABLE named ADD a text DEFAULT 'default', ADD a1 text;
ALTER TABLE named RENAME id TO "key";
SELECT changes('named');
SELECT restored();
UPDATE named SET "A 2" = 'x', a = 'live' WHERE "key" = 2; DELETE FROM named WHERE "key" = 1;
SELECT restored('{x.two}');
SELECT restored('{x.one}');
SELECT * FROM named ORDER BY 1;
SELECT columns FROM snapback.coverage WHERE option = 'x.two';
SELECT chunks_read();
ROLLBACK;
SELECT count(*) FROM snapback.column_rename;
BEGIN;
ALTER TABLE named RENAME a TO t; ALTER TABLE named RENAME b TO a; ALTER TABLE named RENAME t TO b;
SELECT changes('named');
SELECT restored();
UPDATE named SET a = b, b = a, c = '' WHERE id = 1;
SELECT restored();
SELECT * FROM named WHERE id = 1;
SELECT columns FROM snapback.coverage WHERE option = 'x.two';
-- From a snapshot between the renames, and back again.
SELECT snapback.capture('a') IS NOT NULL;
ALTER TABLE named RENAME a TO t; ALTER TABLE named RENAME b TO a; ALTER TABLE named RENAME t TO b;
UPDATE named SET a = 'x';
SELECT changes('named');
SELECT restored();
SELECT * FROM named ORDER BY 1;
ROLLBACK;
BEGIN;
ALTER TABLE named DROP a; ALTER TABLE named RENAME b TO a; ALTER TABLE named DROP c; ALTER TABLE named ADD c int;
SELECT changes('named');
UPDATE named SET a = 'x', c = 9;
SELECT fails($$SELECT restored('{x.one}')$$);
ALTER TABLE named ALTER c TYPE text;
SELECT restored('{x.two}');
SELECT id, a FROM named ORDER BY id;
SELECT restored('{x.one}');
SELECT * FROM named ORDER BY id;
ROLLBACK;

-- If the event trigger is disabled or does not fire in the session, the preview detects a rename, and a restore records it.
ALTER EVENT TRIGGER snapback_note_renamed_columns DISABLE;
SELECT concern, subject, problem, hint FROM snapback.health() WHERE concern = 'schema';
ALTER EVENT TRIGGER snapback_guard_new_partition DISABLE;
SELECT concern, subject, problem, hint FROM snapback.health() WHERE concern = 'schema' AND subject ~ 'guard';
ALTER EVENT TRIGGER snapback_guard_new_partition ENABLE;
BEGIN;
ALTER TABLE named RENAME a TO t; ALTER TABLE named RENAME b TO a; ALTER TABLE named RENAME t TO b; ALTER TABLE named RENAME cid TO tenant;
UPDATE named SET a = 'x' WHERE id = 1;
SELECT changes('named');
SELECT count(*) FROM snapback.column_rename;
SELECT restored('{x.one}');
SELECT old_names, new_names FROM snapback.column_rename;
SELECT * FROM named ORDER BY id;
SELECT community_column FROM snapback.protected_table;
SELECT changes('named');
ROLLBACK;
ALTER EVENT TRIGGER snapback_note_renamed_columns ENABLE;
SELECT * FROM snapback.health() WHERE concern = 'schema';
SET session_replication_role = replica;
ALTER TABLE named RENAME d TO e;
RESET session_replication_role;
SELECT count(*) FROM snapback.column_rename;
SELECT snapback.capture('a') IS NOT NULL;
SELECT old_names, new_names FROM snapback.column_rename;
ALTER TABLE named RENAME e TO d;

-- A column is replaced without downtime by a second column and two renames: the new one gets the values of the old one. Also for the key, the column
-- of the community, columns of options, and snapshots from the time between.
INSERT INTO community VALUES ('7'), ('8');
CREATE TABLE big (id int PRIMARY KEY, tenant int NOT NULL, price int NOT NULL CHECK (price < 100), name text, UNIQUE (tenant, price));
INSERT INTO big SELECT n, 7 + n / 4, n * 10, 'n' || n FROM generate_series(1, 5) n;
SELECT snapback.protect('big', 'x.one', community_column => 'tenant'), snapback.protect('big', 'x.two', columns => '{name,price}');
SELECT snapback.capture('7') IS NOT NULL;
CREATE FUNCTION swapped(names text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE n text;
BEGIN
    FOREACH n IN ARRAY names LOOP
        EXECUTE format('ALTER TABLE app.big ADD %I bigint; UPDATE app.big SET %1$I = %I; ALTER TABLE app.big ALTER %1$I SET NOT NULL', n || '_new', n);
        EXECUTE format('ALTER TABLE app.big RENAME %I TO %I; ALTER TABLE app.big RENAME %I TO %1$I', n, n || '_old', n || '_new');
    END LOOP;
END $$;
SELECT swapped('{id,tenant,price}');
SELECT community_column, registered_column FROM snapback.protected_table WHERE relation = 'big'::regclass;
SELECT option, columns FROM snapback.coverage WHERE table_id = snapback_internal.protected_table_id('big') ORDER BY 1;
SELECT unnest(notes) FROM snapback.preview_restore('{x.one}', NULL, '7');
ALTER TABLE big DROP CONSTRAINT big_pkey, ADD PRIMARY KEY (id), ALTER id_old DROP NOT NULL, ALTER tenant_old DROP NOT NULL, ALTER price_old DROP NOT NULL;
DELETE FROM big WHERE id = 2; UPDATE big SET price = 0, name = 'x' WHERE id = 3; INSERT INTO big (id, tenant, price) VALUES (9, 7, 90), (10, 8, 90);
SELECT restored('{x.two}', '7');
SELECT restored('{x.one}', '7');
ALTER TABLE big DROP id_old, DROP tenant_old, DROP price_old;
SELECT unnest(notes) FROM snapback.preview_restore('{x.one}', NULL, '7');
SELECT status, path FROM snapback.protection WHERE relid = 'big'::regclass;
DELETE FROM big WHERE tenant = 7;
SELECT restored('{x.one}', '7');
SELECT id, tenant, price, name FROM big ORDER BY id;
SELECT snapback.capture('7') IS NOT NULL;
-- Together with its replacement in one snapshot; and exchanged back.
ALTER TABLE big ADD price_new numeric;
UPDATE big SET price_new = -1 WHERE id = 1;
SELECT snapback.capture('7') IS NOT NULL;
BEGIN; ALTER TABLE big RENAME price TO price_old; ALTER TABLE big RENAME price_new TO price; UPDATE big SET price = price_old; COMMIT;
UPDATE big SET price = 0 WHERE id = 3;
SELECT unnest(notes) FROM snapback.preview_restore('{x.one}', NULL, '7');
SELECT restored('{x.one}', '7');
SELECT id, tenant, price, price_old FROM big ORDER BY id;
ALTER TABLE big RENAME price TO price_new; ALTER TABLE big RENAME price_old TO price;
SELECT unnest(notes) FROM snapback.preview_restore('{x.one}', NULL, '7');
SELECT restored('{x.one}', '7');
SELECT id, tenant, price, price_new FROM big ORDER BY id;
-- A new column with the name is not the path while the renamed one exists; an option means it, unless it is generated.
ALTER TABLE big RENAME tenant TO org; ALTER TABLE big ADD tenant int;
ALTER TABLE big RENAME name TO raw; ALTER TABLE big ADD name text GENERATED ALWAYS AS (upper(raw)) STORED;
SELECT snapback.capture('7') IS NOT NULL;
SELECT community_column FROM snapback.protected_table WHERE relation = 'big'::regclass;
SELECT option, columns FROM snapback.coverage WHERE table_id = snapback_internal.protected_table_id('big') ORDER BY 1;
UPDATE big SET tenant = org; ALTER TABLE big DROP org;
SELECT snapback.capture('7') IS NOT NULL;
SELECT community_column FROM snapback.protected_table WHERE relation = 'big'::regclass;
-- The column that was named last.
ALTER TABLE big RENAME tenant TO org;
SELECT snapback.protect('big', 'x.one', community_column => 'org'), snapback.protect('big', 'x.two', columns => '{raw}');
ALTER TABLE big ADD tenant_new int; ALTER TABLE big RENAME tenant_new TO tenant;
SELECT community_column FROM snapback.protected_table WHERE relation = 'big'::regclass;
SELECT option, columns FROM snapback.coverage WHERE table_id = snapback_internal.protected_table_id('big') ORDER BY 1;
SELECT snapback.unprotect('big');
-- The key of the directory and a foreign key to it, both at once.
CREATE TABLE house (id int PRIMARY KEY);
CREATE TABLE room (id int PRIMARY KEY, house int NOT NULL REFERENCES house, v text);
CREATE VIEW houses AS SELECT id AS community, id::text AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled FROM house;
INSERT INTO house VALUES (1), (2); INSERT INTO room VALUES (1, 1, 'a'), (2, 2, 'b');
SELECT snapback.set_directory('houses');
SELECT snapback.protect('room', 'x.one');
SELECT snapback.capture('1') IS NOT NULL;
DROP VIEW houses;
ALTER TABLE house ADD id_new bigint; UPDATE house SET id_new = id; ALTER TABLE room ADD house_new bigint; UPDATE room SET house_new = house;
ALTER TABLE room DROP CONSTRAINT room_house_fkey; ALTER TABLE house DROP CONSTRAINT house_pkey;
ALTER TABLE house RENAME id TO id_old; ALTER TABLE house RENAME id_new TO id; ALTER TABLE house ADD PRIMARY KEY (id); ALTER TABLE house DROP id_old;
ALTER TABLE room RENAME house TO house_old; ALTER TABLE room RENAME house_new TO house; ALTER TABLE room ALTER house SET NOT NULL, ADD FOREIGN KEY (house) REFERENCES house, DROP house_old;
CREATE VIEW houses AS SELECT id AS community, id::text AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled FROM house;
SELECT snapback.set_directory('houses');
SELECT status, path FROM snapback.protection WHERE relid = 'room'::regclass;
DELETE FROM room WHERE house = 1;
SELECT restored('{x.one}', '1');
TABLE room ORDER BY id;
SELECT snapback.unprotect('room'), snapback.set_directory('directory');

-- It makes no statement fail or wait, and requires no privilege.
CREATE ROLE regress_renamer;
GRANT USAGE, CREATE ON SCHEMA app TO regress_renamer;
CREATE TABLE foreigners (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, a int);
ALTER TABLE foreigners OWNER TO regress_renamer; ALTER TABLE community OWNER TO regress_renamer;
SELECT snapback.protect('foreigners', 'x.three');
SET ROLE regress_renamer;
ALTER TABLE foreigners RENAME a TO b;
CREATE TABLE own (a int); ALTER TABLE own RENAME a TO b; DROP TABLE own;
RESET ROLE;
SELECT old_names, new_names FROM snapback.column_rename WHERE relation = 'foreigners'::regclass;
ALTER TABLE snapback.column_rename ADD CONSTRAINT broken CHECK (cardinality(old_names) > 9) NOT VALID;
ALTER TABLE foreigners RENAME b TO c;
ALTER TABLE snapback.column_rename DROP CONSTRAINT broken;
SELECT snapback.capture('a') IS NOT NULL;
SELECT old_names, new_names FROM snapback.column_rename WHERE relation = 'foreigners'::regclass ORDER BY number;
SELECT snapback.unprotect('foreigners'); DROP TABLE foreigners; ALTER TABLE community OWNER TO CURRENT_USER; DROP OWNED BY regress_renamer; DROP ROLE regress_renamer;

-- Partitions; a child of an unprotected parent; a typed table; one schema per community.
CREATE TABLE parted (id int, cid text NOT NULL REFERENCES community, a text, PRIMARY KEY (id)) PARTITION BY HASH (id);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_1 (gone int, a text, cid text NOT NULL, id int NOT NULL);
ALTER TABLE parted_1 DROP gone;
ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE above (a text, b text);
CREATE TABLE below (id int PRIMARY KEY, cid text NOT NULL REFERENCES community) INHERITS (above);
CREATE TYPE row_type AS (id int, cid text, a text);
CREATE TABLE typed OF row_type (PRIMARY KEY (id), FOREIGN KEY (cid) REFERENCES community);
INSERT INTO parted SELECT n, 'a', 'a' || n FROM generate_series(1, 4) n;
INSERT INTO below (id, cid, a, b) SELECT n, 'a', 'a' || n, 'b' || n FROM generate_series(1, 2) n;
INSERT INTO typed SELECT n, 'a', 'a' || n FROM generate_series(1, 2) n;
SELECT snapback.protect(t, 'x.three', 'cid') FROM unnest('{parted,below,typed}'::regclass[]) t;
SELECT snapback.capture('a') IS NOT NULL;
ALTER TABLE parted RENAME a TO z;
ALTER TABLE above RENAME a TO t; ALTER TABLE above RENAME b TO a; ALTER TABLE above RENAME t TO b;
ALTER TYPE row_type RENAME ATTRIBUTE a TO z CASCADE;
SELECT t, changes(t) FROM unnest('{parted,below,typed}'::regclass[]) t;
UPDATE parted SET z = 'x' WHERE id < 3; DELETE FROM below; UPDATE typed SET z = 'x';
SELECT restored('{x.three}');
SELECT * FROM parted ORDER BY id; SELECT id, a, b FROM below ORDER BY id; SELECT * FROM typed ORDER BY id;
SELECT snapback.unprotect(t) FROM unnest('{parted,below,typed,named}'::regclass[]) t;
CREATE SCHEMA of_a; CREATE SCHEMA of_b;
CREATE TABLE of_a.own (id int PRIMARY KEY, v text); CREATE TABLE of_b.own (id int PRIMARY KEY, v text);
INSERT INTO of_a.own VALUES (1, 'a1'); INSERT INTO of_b.own VALUES (1, 'b1');
CREATE VIEW schemas AS SELECT id AS community, id AS name, 'x' AS owner, 'x@example.org' AS owner_email, true AS restores_enabled, 'of_' || id AS schema_name FROM community WHERE id < 'c';
SELECT snapback.set_directory('schemas');
SELECT snapback.protect('of_a.own', 'x.one'), snapback.protect('of_a.own', 'x.two', columns => '{v}');
CALL snapback.capture_all();
ALTER TABLE of_a.own RENAME v TO w;
UPDATE of_a.own SET w = 'x'; UPDATE of_b.own SET v = 'x';
SELECT restored('{x.one}', 'a'), restored('{x.one}', 'b');
SELECT fails($$SELECT restored('{x.two}', 'b')$$);
ALTER TABLE of_b.own RENAME v TO w;
UPDATE of_a.own SET w = 'x'; UPDATE of_b.own SET w = 'x';
SELECT restored('{x.two}', 'a'), restored('{x.two}', 'b');
TABLE of_a.own; TABLE of_b.own;
SELECT count(*) FROM snapback.known_columns;
DROP TABLE of_b.own;
SELECT snapshots FROM snapback.expire();
SELECT count(*) FROM snapback.known_columns;
SELECT snapback.unprotect('of_a.own');
SELECT count(*) FROM snapback.known_columns;

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app, of_a, of_b CASCADE;
CREATE EXTENSION pg_snapback;
