-- The write guard in one session: here a prepared transaction is the restore that holds its community.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION snapback_test;
CREATE SCHEMA guard_test;
SET search_path = guard_test;

-- Return the outcome of a statement with the complete error.
CREATE FUNCTION fare(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, NULLIF(detail, ''), NULLIF(hint, ''));
END $$;
-- Return the locks that this session holds on the communities used below.
CREATE TABLE known (community text);
INSERT INTO known SELECT unnest('{1,2,3,true,2024-12-31,ab,"a b",192.0.2.1/32,lively,12.50,own,fixed,parted,x''y,5d1bd98c-a2f6-4b0e-8b1c-2f5a1f0f6d3e}'::text[]);
CREATE VIEW held AS
    SELECT coalesce(k.community, CASE l.objsubid WHEN 23299 THEN 'all' ELSE 'unknown' END) AS community, l.mode
      FROM pg_locks l
      LEFT JOIN known k ON l.objsubid = 23298 AND hashtextextended(k.community, 0) = (l.classid::bigint << 32 | l.objid::bigint)
     WHERE l.locktype = 'advisory' AND l.pid = pg_backend_pid();
-- Return the communities that a statement locks.
CREATE FUNCTION locks_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE taken text;
BEGIN
    BEGIN
        EXECUTE statement;
        taken := (SELECT string_agg(community, ', ' ORDER BY community) FROM guard_test.held);
        RAISE SQLSTATE 'ZZZZZ';
    EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN
        RETURN coalesce(taken, 'none');
    END;
END $$;
CREATE PROCEDURE protect(relation regclass, community_column name DEFAULT NULL, via name DEFAULT NULL) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO snapback.protected_table (relation, community_column, via) VALUES (relation, community_column, via);
    PERFORM snapback_internal.install_guard(relation);
END $$;

-- The complete errors, and kinds of writes that isolation tests cannot use.
CREATE TABLE item (id int PRIMARY KEY, cid int, n int);
INSERT INTO item SELECT i, i, 0 FROM generate_series(1, 3) i;
SELECT snapback_internal.guard_state('item');
SELECT snapback_internal.guard_state(99999::regclass);
CALL protect('item', 'cid');
SELECT snapback_internal.guard_state('item');
BEGIN;
SELECT snapback_test.lock_for_restore('1');
SELECT * FROM held ORDER BY community;
SELECT snapback.is_locked('1'), snapback.is_locked('2');
PREPARE TRANSACTION 'snapback regress restore';
SELECT snapback.is_locked('1'), snapback.is_locked('2');
SELECT fare('UPDATE item SET n = 1 WHERE cid = 1');
SELECT fare('TRUNCATE item');
SELECT fare('UPDATE item SET n = 1 WHERE cid = 2');
COPY item FROM STDIN;
11	2	0
12	1	0
\.
SELECT count(*) FROM item;
COPY item FROM STDIN;
11	2	0
12	3	0
\.
SET session_replication_role = replica;
SELECT fare('INSERT INTO item VALUES (20, 1, 0)');
COPY item FROM STDIN;
12	1	0
\.
RESET session_replication_role;
SET snapback.lock_timeout = '100ms';
SELECT fare($$SELECT snapback_test.lock_for_restore('1')$$);
SELECT fare($$SELECT snapback_test.lock_for_restore('2')$$);
SET snapback.lock_timeout = '1h';
ROLLBACK PREPARED 'snapback regress restore';
RESET snapback.lock_timeout;
SELECT fare('UPDATE item SET n = 1 WHERE cid = 1');
SELECT snapback.is_locked('1'), snapback.is_locked(NULL);
-- The settings of a restore end with its transaction.
BEGIN;
SELECT snapback_test.lock_for_restore('1');
SHOW lock_timeout;
SHOW deadlock_timeout;
COMMIT;
SHOW lock_timeout;
SHOW deadlock_timeout;
-- The epoch of a restore.
BEGIN;
SELECT snapback_test.lock_for_restore('1');
SELECT snapback_test.advance_restore_epoch('1');
SELECT xid = pg_current_xact_id(), restored_at > now() FROM snapback.restore_epoch WHERE community = '1';
COMMIT;
-- It cannot be prepared, because nothing could list the running transactions at its commit.
BEGIN;
SELECT snapback_test.advance_restore_epoch('1');
PREPARE TRANSACTION 'snapback regress epoch';
-- The check does not depend on the clock: it may be set back or be ahead.
UPDATE snapback.restore_epoch SET restored_at = now() + interval '1 hour';
\c
SET client_min_messages = warning;
SET search_path = guard_test;
SELECT fare('UPDATE item SET n = 1 WHERE cid = 1');
-- An epoch of another cluster, or an old one, is ignored.
INSERT INTO snapback.restore_epoch VALUES ('2', '9223372036854775807', '-infinity'), ('3', '3', '-infinity');
DO $$ BEGIN PERFORM snapback_test.advance_restore_epoch('unrelated'); END $$;
SELECT fare('UPDATE item SET n = 2');

-- Functions that are only triggers, and a trigger of an unsupported kind.
SELECT snapback_internal.write_guard();
SELECT snapback_internal.forget_guarded_paths();
SELECT snapback_internal.guard_new_partition();
CREATE TABLE wrong (cid int);
CREATE TRIGGER wrong AFTER INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION snapback_internal.write_guard();
SELECT fare('INSERT INTO wrong VALUES (1)');
CREATE OR REPLACE TRIGGER wrong BEFORE INSERT ON wrong FOR EACH STATEMENT EXECUTE FUNCTION snapback_internal.write_guard();
SELECT fare('INSERT INTO wrong VALUES (1)');
DROP TABLE wrong;

-- A statement that writes to a hundred thousand communities takes few locks, and does not fill the lock table.
CREATE TABLE crowd (cid int PRIMARY KEY, n int);
INSERT INTO crowd SELECT i, 0 FROM generate_series(1, 100000) i;
CALL protect('crowd', 'cid');
BEGIN;
UPDATE crowd SET n = 1;
SELECT count(*) <= 64 AS few, count(*) FILTER (WHERE community = 'all') AS of_all FROM held;
PREPARE TRANSACTION 'snapback regress crowd';
-- A restore waits for it for a limited time, and names it. The best of three runs counts, because the machine may be busy.
SET snapback.lock_timeout = '300ms';
CREATE FUNCTION waited(statement text, OUT told text, OUT seconds double precision) LANGUAGE plpgsql AS $$
DECLARE begun timestamptz := clock_timestamp();
BEGIN
    told := guard_test.fare(statement);
    seconds := extract(epoch FROM clock_timestamp() - begun);
END $$;
SELECT count(*) FILTER (WHERE told ~ 'prepared transaction .snapback regress crowd.') AS named, min(seconds) BETWEEN 0.3 AND 1.3 AS in_time
FROM generate_series(1, 3) i, LATERAL waited(format('SELECT snapback_test.lock_for_restore(%L)', i)) w;
RESET snapback.lock_timeout;
COMMIT PREPARED 'snapback regress crowd';
BEGIN; SELECT snapback_test.lock_for_restore('77'); PREPARE TRANSACTION 'snapback regress restore';
SELECT fare('UPDATE crowd SET n = 2'), fare('UPDATE crowd SET n = 2 WHERE cid < 70');
ROLLBACK PREPARED 'snapback regress restore';
-- A dropped table that is still registered blocks nobody, not even a write that moves rows.
CREATE TABLE crowded (id int, crowd int CONSTRAINT of_crowd REFERENCES crowd);
CALL protect('crowded', NULL, 'of_crowd');
DROP TABLE crowded, crowd;
SELECT fare('UPDATE item SET cid = 3 WHERE cid = 2');
DELETE FROM snapback.protected_table WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = relation);

-- Every type that casts to text can be a community key.
CREATE DOMAIN key AS varchar(20) CHECK (value <> '');
CREATE TYPE mood AS ENUM ('lively', 'calm');
CREATE FUNCTION check_type(type text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE taken text;
BEGIN
    EXECUTE format('CREATE TABLE guard_test.typed (cid %s)', type);
    CALL guard_test.protect('guard_test.typed', 'cid');
    taken := guard_test.locks_of(format('INSERT INTO guard_test.typed VALUES (%L)', value));
    DELETE FROM snapback.protected_table WHERE relation = 'guard_test.typed'::regclass;
    DROP TABLE guard_test.typed;
    RETURN taken;
END $$;
SET datestyle = 'German';
SELECT type, check_type(type, value) FROM (VALUES ('smallint', '1'), ('bigint', '1'), ('numeric', '12.50'), ('text', 'a b'),
    ('varchar(9)', 'a b'), ('char(9)', 'ab'), ('name', 'ab'), ('key', 'ab'), ('boolean', 't'), ('inet', '192.0.2.1'),
    ('mood', 'lively'), ('date', '31.12.2024'), ('uuid', '5D1BD98C-A2F6-4B0E-8B1C-2F5A1F0F6D3E'), ('"char"', '1'), ('text', NULL)) v (type, value);
RESET datestyle;
-- A key that is stored out of line.
CREATE TABLE long (id int, cid text);
ALTER TABLE long ALTER COLUMN cid SET STORAGE EXTERNAL;
CALL protect('long', 'cid');
INSERT INTO known SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i;
INSERT INTO long SELECT 1, community FROM known WHERE length(community) > 1000;
SELECT md5(locks_of('UPDATE long SET id = id + 1')) = (SELECT md5(community) FROM known WHERE length(community) > 1000) AS same;
DELETE FROM known WHERE length(community) > 1000;

-- Chains: composite keys, keys with different types, a parent named in addition to the foreign key, hostile names.
CREATE SCHEMA "of; ""DROP"" schema";
CREATE TABLE "of; ""DROP"" schema"."root'; --" ("the ""key""" bigint, gone int, part varchar(9), "c'id" text, PRIMARY KEY ("the ""key""", part));
ALTER TABLE "of; ""DROP"" schema"."root'; --" DROP COLUMN gone;
CREATE TABLE "mid $$" (gone int, id int PRIMARY KEY, part text, "k(1)" int,
    CONSTRAINT "to ""root""" FOREIGN KEY ("k(1)", part) REFERENCES "of; ""DROP"" schema"."root'; --" ON UPDATE CASCADE ON DELETE SET NULL);
ALTER TABLE "mid $$" DROP COLUMN gone;
CREATE TABLE leaf (id int PRIMARY KEY, up bigint CONSTRAINT "to $1 mid" REFERENCES "mid $$" ON DELETE CASCADE DEFERRABLE);
CALL protect('"of; ""DROP"" schema"."root''; --"', 'c''id');
CALL protect('"mid $$"', NULL, 'to "root"');
CALL protect('leaf', NULL, 'to $1 mid');
SELECT locks_of($$INSERT INTO "of; ""DROP"" schema"."root'; --" VALUES (1, 'p', 'x''y')$$);
INSERT INTO "of; ""DROP"" schema"."root'; --" VALUES (1, 'p', 'x''y'), (2, 'p', 'own'), (3, 'p', NULL);
SELECT locks_of($q$INSERT INTO "mid $$" VALUES (1, 'p', 1)$q$);
INSERT INTO "mid $$" VALUES (1, 'p', 1), (2, 'p', 2), (3, 'p', 3), (4, 'p', NULL), (5, NULL, 1);
INSERT INTO leaf VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, NULL);
SELECT id, locks_of(format('UPDATE leaf SET id = id + 10 WHERE id = %s', id)) FROM leaf ORDER BY id;
SELECT locks_of('UPDATE leaf SET up = 2 WHERE id = 1') AS moved, locks_of('DELETE FROM leaf') AS deleted;
SELECT locks_of('DELETE FROM "mid $$" WHERE id = 1') AS cascaded, locks_of($$UPDATE "of; ""DROP"" schema"."root'; --" SET part = 'q' WHERE part = 'p'$$) AS followed;
-- A parent inserted by the same statement, and one that is inserted later.
SELECT locks_of($q$WITH m AS (INSERT INTO "mid $$" VALUES (7, 'p', 1) RETURNING id) INSERT INTO leaf SELECT 7, id FROM m$q$);
SELECT locks_of('SET CONSTRAINTS ALL DEFERRED; INSERT INTO leaf VALUES (8, 8); INSERT INTO "mid $$" VALUES (8, ''p'', 1); SET CONSTRAINTS ALL IMMEDIATE');
CREATE TABLE plain_parent (id int PRIMARY KEY, owner_community text);
CREATE TABLE named_child (id int, parent int CONSTRAINT to_plain REFERENCES plain_parent);
CALL protect('named_child', 'owner_community', 'to_plain');
INSERT INTO plain_parent VALUES (1, 'own');
SELECT locks_of('INSERT INTO named_child VALUES (1, 1)');
-- Keys in another order than in the index, of a type that requires a cast, of text, and parents in partitions.
CREATE TABLE turned (x int, y text, cid text, PRIMARY KEY (x, y));
CREATE TABLE exact (id numeric PRIMARY KEY, cid text);
CREATE TABLE split (id int, part text, cid text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE split_a PARTITION OF split FOR VALUES IN ('a');
CREATE TABLE split_b PARTITION OF split FOR VALUES IN ('b');
CREATE TABLE worded (word text PRIMARY KEY, cid text);
CREATE TABLE many_sided (y text, x int, exact int, part text, id int, word varchar(9),
    CONSTRAINT to_turned FOREIGN KEY (y, x) REFERENCES turned (y, x), CONSTRAINT to_exact FOREIGN KEY (exact) REFERENCES exact,
    CONSTRAINT to_split FOREIGN KEY (id, part) REFERENCES split, CONSTRAINT to_worded FOREIGN KEY (word) REFERENCES worded);
INSERT INTO turned VALUES (1, 'a', '1'), (1, 'b', '2');
INSERT INTO exact VALUES (1, '1'), (2, '2');
INSERT INTO split VALUES (1, 'a', '1'), (1, 'b', '2');
INSERT INTO worded VALUES ('one', '1'), ('two', '2');
CALL protect('many_sided', 'cid', 'to_turned');
CREATE FUNCTION locks_by(via name) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE snapback.protected_table t SET via = locks_by.via WHERE relation = 'guard_test.many_sided'::regclass;
    RETURN guard_test.locks_of($q$INSERT INTO guard_test.many_sided VALUES ('b', 1, 2, 'b', 1, 'two')$q$);
END $$;
SELECT via, locks_by(via) FROM unnest('{to_turned,to_exact,to_split,to_worded}'::name[]) via;
DELETE FROM snapback.protected_table WHERE relation = 'many_sided'::regclass;
-- A parent may have moved since the last lookup.
CREATE TABLE mover (id int PRIMARY KEY, cid text, filler text) WITH (autovacuum_enabled = off);
CREATE TABLE moved (mover int CONSTRAINT to_mover REFERENCES mover ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
CALL protect('mover', 'cid');
CALL protect('moved', NULL, 'to_mover');
INSERT INTO mover VALUES (1, '1'), (2, '2'), (3, '3');
CREATE FUNCTION locks_below(mover int) RETURNS text LANGUAGE sql AS $$ SELECT guard_test.locks_of(format('INSERT INTO guard_test.moved VALUES (%s)', mover)) $$;
SELECT locks_below(1), locks_below(2);
UPDATE mover SET cid = 'own' WHERE id = 1;
SELECT locks_below(1) AS updated, locks_below(2);
BEGIN;
UPDATE mover SET cid = '3', filler = repeat(md5(random()::text), 50) WHERE id = 1;
SAVEPOINT s;
DELETE FROM mover WHERE id = 1;
INSERT INTO mover VALUES (1, 'fixed');
ROLLBACK TO s;
UPDATE mover SET id = 4 WHERE id = 2;
INSERT INTO mover VALUES (2, 'ab');
ROLLBACK;
SELECT locks_below(1) AS rolled_back, locks_below(2);
DELETE FROM mover WHERE id < 3;
VACUUM mover;
INSERT INTO mover VALUES (2, '3'), (1, '2');
SELECT locks_below(1) AS swapped, locks_below(2);
VACUUM FULL mover;
SELECT locks_below(1) AS rewritten, locks_below(2);
TRUNCATE mover, moved;
SELECT locks_below(1) AS emptied;
INSERT INTO mover VALUES (1, 'own');
SELECT locks_below(1) AS filled;
ALTER TABLE mover ALTER cid TYPE varchar(9), ADD x int DEFAULT 7, ALTER id TYPE bigint;
SELECT locks_below(1) AS altered;
-- A path is resolved again when the objects that it depends on change.
ALTER TABLE plain_parent RENAME TO renamed_parent;
ALTER TABLE named_child DROP COLUMN id, ADD COLUMN id2 int;
SELECT locks_of('INSERT INTO named_child VALUES (1, 1)');
UPDATE snapback.protected_table SET community_column = 'id' WHERE relation = 'named_child'::regclass;
SELECT locks_of('INSERT INTO named_child VALUES (1, 1)');
-- A broken path: such a writer may belong to any community.
ALTER TABLE renamed_parent RENAME COLUMN id TO ident;
SELECT locks_of('INSERT INTO named_child VALUES (1, 1)');
ALTER TABLE named_child DROP CONSTRAINT to_plain;
SELECT locks_of('INSERT INTO named_child VALUES (1, 1)');
UPDATE snapback.protected_table SET via = NULL, community_column = 'nowhere' WHERE relation = 'named_child'::regclass;
SELECT locks_of('INSERT INTO named_child VALUES (1, 1)');
CREATE TABLE ring (id int PRIMARY KEY, next int CONSTRAINT round REFERENCES ring);
CALL protect('ring', NULL, 'round');
SELECT locks_of('INSERT INTO ring VALUES (1, 1)');
CREATE TABLE computed (id int, cid text GENERATED ALWAYS AS (id::text) STORED);
CALL protect('computed', 'cid');
SELECT locks_of('INSERT INTO computed VALUES (1)');
DROP TABLE ring, computed;
-- A remaining guard of an unprotected table has no effect.
DELETE FROM snapback.protected_table WHERE relation = 'named_child'::regclass;
SELECT locks_of('INSERT INTO named_child VALUES (1, 1)'), snapback_internal.guard_state('named_child');
SELECT snapback_internal.remove_guard('named_child');
SELECT snapback_internal.remove_guard('named_child'), snapback_internal.guard_state('named_child');

-- Partitions with any order of columns, and children by inheritance, also added ones.
CREATE TABLE log (at int, entry text, cid text) PARTITION BY RANGE (at);
CREATE TABLE log1 (cid text, x int, y int, at int, entry text);
ALTER TABLE log1 DROP COLUMN x, DROP COLUMN y;
ALTER TABLE log ATTACH PARTITION log1 FOR VALUES FROM (0) TO (100);
CALL protect('log', 'cid');
CREATE TABLE log2 PARTITION OF log FOR VALUES FROM (100) TO (200) PARTITION BY LIST (entry);
CREATE TABLE log2a PARTITION OF log2 FOR VALUES IN ('a');
CREATE TABLE log3 (x int, entry text, cid text, at int);
ALTER TABLE log3 DROP COLUMN x;
ALTER TABLE log ATTACH PARTITION log3 FOR VALUES FROM (200) TO (300);
SELECT relid, snapback_internal.guard_state(relid) FROM pg_partition_tree('log') ORDER BY relid::text;
SELECT locks_of($$INSERT INTO log VALUES (1, 'a', 'own')$$), locks_of($$INSERT INTO log2 VALUES (101, 'a', 'own')$$), locks_of($$INSERT INTO log3 VALUES ('a', 'own', 200)$$), locks_of('TRUNCATE log2a');
INSERT INTO log VALUES (1, 'a', 'own'), (101, 'a', 'parted');
SELECT locks_of('UPDATE log SET at = 201');
COPY log (at, entry, cid) FROM STDIN;
202	a	fixed
\.
ALTER TABLE log DETACH PARTITION log3;
SELECT snapback_internal.guard_state('log'), snapback_internal.guard_state('log3'), locks_of('DELETE FROM log3');
CREATE TABLE base (id int, cid text);
CREATE TABLE heir (more int) INHERITS (base);
CREATE TABLE joint (cid text, id int, more int);
CALL protect('base', 'cid');
ALTER TABLE joint INHERIT heir;
SELECT relation, snapback_internal.guard_state(relation) FROM unnest('{base,heir,joint}'::regclass[]) relation;
SELECT locks_of($$INSERT INTO heir VALUES (1, 'own', 1)$$), locks_of($$INSERT INTO joint VALUES ('own', 1, 1)$$);
-- The states of a guard, and its repair.
ALTER TABLE log1 DISABLE TRIGGER "~snapback_write_guard";
SELECT snapback_internal.guard_state('log'), snapback_internal.guard_state('log1'), snapback_internal.guard_state('log2');
ALTER TABLE log2a ENABLE REPLICA TRIGGER "~snapback_truncate_guard";
SELECT snapback_internal.guard_state('log2');
SELECT snapback_internal.install_guard('log'), snapback_internal.guard_state('log');
DROP TRIGGER "~snapback_truncate_guard" ON joint;
SELECT snapback_internal.guard_state('base');
SELECT snapback_internal.install_guard('base'), snapback_internal.guard_state('base');
CREATE OR REPLACE TRIGGER "~snapback_write_guard" BEFORE INSERT ON heir FOR EACH ROW EXECUTE FUNCTION snapback_internal.write_guard();
SELECT snapback_internal.guard_state('heir');
SELECT snapback_internal.install_guard('base'), snapback_internal.guard_state('base');
CREATE OR REPLACE TRIGGER "~snapback_write_guard" BEFORE INSERT OR UPDATE OR DELETE ON heir FOR EACH ROW WHEN (false) EXECUTE FUNCTION snapback_internal.write_guard();
SELECT snapback_internal.guard_state('heir');
SELECT snapback_internal.install_guard('base'), snapback_internal.guard_state('base');
CREATE FUNCTION impostor() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE OR REPLACE TRIGGER "~snapback_truncate_guard" BEFORE TRUNCATE ON heir FOR EACH STATEMENT EXECUTE FUNCTION impostor();
SELECT snapback_internal.guard_state('heir');
SELECT snapback_internal.install_guard('base'), snapback_internal.guard_state('base');
SELECT snapback_internal.install_guard('base'), snapback_internal.guard_state('base');
-- The guard fires after the triggers of the application: it checks the row that they produce.
CREATE FUNCTION reassign() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.cid := ''own''; RETURN NEW; END';
CREATE TRIGGER zz_last BEFORE INSERT ON base FOR EACH ROW EXECUTE FUNCTION reassign();
SELECT locks_of($$INSERT INTO base VALUES (1, 'fixed')$$), snapback_internal.guard_state('base');
-- A trigger that fires after it is detected, for every event, unless it cannot change the row.
CREATE TRIGGER "~~" BEFORE INSERT ON base FOR EACH ROW EXECUTE FUNCTION reassign();
SELECT snapback_internal.guard_state('base');
ALTER TABLE base DISABLE TRIGGER "~~";
SELECT snapback_internal.guard_state('base');
CREATE OR REPLACE TRIGGER "~~" AFTER UPDATE ON base FOR EACH ROW EXECUTE FUNCTION reassign();
CREATE TRIGGER "~~~" BEFORE DELETE ON base FOR EACH ROW EXECUTE FUNCTION reassign();
SELECT snapback_internal.guard_state('base');
CREATE OR REPLACE TRIGGER "~~" BEFORE UPDATE OF id ON heir FOR EACH ROW EXECUTE FUNCTION reassign();
SELECT snapback_internal.guard_state('base'), snapback_internal.guard_state('heir');
DROP TRIGGER "~~" ON heir;

-- One schema per community.
CREATE SCHEMA acme;
CREATE SCHEMA later;
CREATE TABLE acme.thing (id int PRIMARY KEY);
CREATE TABLE acme.detail (thing int CONSTRAINT to_thing REFERENCES acme.thing);
CREATE TABLE later.thing (id int PRIMARY KEY);
CREATE TABLE tenant (key text, schema_name name);
INSERT INTO tenant VALUES ('fixed', 'acme');
CREATE VIEW tenants AS SELECT key AS community, key AS name, NULL::text AS owner, NULL::text AS owner_email, true AS restores_enabled, schema_name FROM tenant;
INSERT INTO snapback.protected_table (relation_name) VALUES ('thing');
SELECT snapback_internal.install_guard(relation) FROM unnest('{acme.thing,later.thing}'::regclass[]) relation;
CALL protect('acme.detail', NULL, 'to_thing');
SELECT locks_of('INSERT INTO acme.thing VALUES (1)');
INSERT INTO snapback.directory (relation) VALUES ('tenants');
SELECT locks_of('INSERT INTO acme.thing VALUES (1)'), locks_of('INSERT INTO acme.detail VALUES (NULL)'), locks_of('INSERT INTO later.thing VALUES (1)');
INSERT INTO tenant VALUES ('own', 'later');
SELECT locks_of('INSERT INTO later.thing VALUES (1)');

-- A role that may only write to the tables is guarded like any other; so are tables with row security,
-- whose owners are not trusted.
CREATE ROLE regress_snapback_owner;
CREATE ROLE regress_snapback_writer;
GRANT USAGE, CREATE ON SCHEMA guard_test TO regress_snapback_owner;
GRANT USAGE ON SCHEMA guard_test, acme TO regress_snapback_writer;
GRANT INSERT ON acme.thing TO regress_snapback_writer;
GRANT SELECT ON known TO regress_snapback_writer;
GRANT SELECT ON held TO regress_snapback_writer;
SET ROLE regress_snapback_owner;
CREATE TABLE top (id int PRIMARY KEY, cid text);
CREATE TABLE sub (id int PRIMARY KEY, top int CONSTRAINT to_top REFERENCES top);
ALTER TABLE top ENABLE ROW LEVEL SECURITY;
ALTER TABLE top FORCE ROW LEVEL SECURITY;
GRANT INSERT, SELECT, UPDATE, DELETE, TRUNCATE ON sub TO regress_snapback_writer;
RESET ROLE;
CALL protect('top', 'cid');
CALL protect('sub', NULL, 'to_top');
INSERT INTO top VALUES (1, 'own'), (2, 'fixed');
SET ROLE regress_snapback_writer;
SELECT locks_of('INSERT INTO sub VALUES (1, 1)'), locks_of('INSERT INTO acme.thing VALUES (2)');
SET row_security = off;
SELECT locks_of('INSERT INTO sub VALUES (1, 2)');
SET row_security = on;
-- The lookup does not use operators that the writer created.
SET search_path = pg_temp, guard_test, pg_catalog;
CREATE FUNCTION pg_temp.planted(int, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'planted, as %', current_user; END $$;
CREATE OPERATOR pg_temp.= (LEFTARG = int, RIGHTARG = int, PROCEDURE = pg_temp.planted);
SELECT guard_test.locks_of('INSERT INTO guard_test.sub VALUES (1, 1)');
SET search_path = guard_test;
SELECT current_user, fare('SELECT * FROM top'), fare('SELECT snapback_internal.note_departures()');
RESET ROLE;
-- A cast of the owner runs as the owner, with a fixed search_path.
CREATE TYPE pair AS (a int, b int);
ALTER TYPE pair OWNER TO regress_snapback_owner;
CREATE TABLE seen (who text, path text);
GRANT INSERT ON seen TO PUBLIC;
CREATE FUNCTION pair_text(pair) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO guard_test.seen VALUES (current_user, current_setting('search_path')); RETURN 'own'; END $$;
CREATE CAST (pair AS text) WITH FUNCTION pair_text(pair);
ALTER FUNCTION pair_text(pair) OWNER TO regress_snapback_owner;
ALTER TABLE top DISABLE ROW LEVEL SECURITY;
ALTER TABLE top ALTER COLUMN cid TYPE pair USING row(1, 2)::pair;
SET ROLE regress_snapback_writer;
INSERT INTO sub VALUES (3, 1);
RESET ROLE;
SELECT * FROM seen;

-- DROP EXTENSION drops every trigger without CASCADE.
BEGIN;
DROP EXTENSION snapback_test, pg_snapback;
SELECT count(*) FROM pg_trigger WHERE tgname LIKE '~snapback%';
INSERT INTO item VALUES (30, 1, 0);
UPDATE log SET entry = 'b' WHERE at < 100;
ROLLBACK;
SELECT count(*) FROM pg_trigger WHERE tgname LIKE '~snapback%' AND tgenabled <> 'A';
SELECT locks_of('INSERT INTO item VALUES (31, 1, 0)');

DELETE FROM snapback.protected_table;
DELETE FROM snapback.directory;
DELETE FROM snapback.restore_epoch;
DROP EXTENSION snapback_test;
DROP SCHEMA guard_test, acme, later, "of; ""DROP"" schema" CASCADE;
DROP OWNED BY regress_snapback_writer;
DROP ROLE regress_snapback_owner, regress_snapback_writer;
