-- Constraints that read other rows are checked after the restore; violations by rows that are overwritten or deleted do not matter.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION previewed() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat(p.relation, ' +' || nullif(p.inserts, 0), ' ~' || nullif(p.updates, 0), ' -' || nullif(p.deletes, 0),
                  E'\n  obstacles ' || nullif(p.obstacles, '{}')::text, E'\n  notes ' || nullif(p.notes, '{}')::text)
    FROM snapback.preview_restore('{x}', NULL, 'a') p WHERE p.relation IS NOT NULL ORDER BY p.relation COLLATE "C" $$;
\set ECHO all

-- Two tables whose constraints read each other and themselves; the rows were valid in the order in which they were inserted.
CREATE TABLE role (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, kind text NOT NULL, head int);
CREATE TABLE award (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, role int REFERENCES role ON DELETE CASCADE, after int);
CREATE FUNCTION role_is(int, text) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM app.role WHERE id = $1 AND kind = $2) $$;
CREATE FUNCTION has_award(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT EXISTS (SELECT FROM app.award WHERE id = $1) $$;
CREATE FUNCTION fits(award) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN $1.after IS NULL OR EXISTS (SELECT FROM app.award a WHERE a.id = $1.after AND a.cid = $1.cid);
END $$;
ALTER TABLE role ADD CONSTRAINT headed CHECK (head IS NULL OR has_award(head)), ADD CONSTRAINT known CHECK (kind IN ('person', 'robot'));
ALTER TABLE award ADD CONSTRAINT only_people CHECK (role_is(role, 'person')), ADD CONSTRAINT "in ""order""" CHECK (fits(award));
INSERT INTO role VALUES (1, 'a', 'person', NULL), (2, 'b', 'person', NULL), (3, 'a', 'person', NULL);
INSERT INTO award VALUES (11, 'a', 1, NULL), (12, 'b', 2, NULL);
INSERT INTO award VALUES (10, 'a', 1, 11);
INSERT INTO award VALUES (9, 'a', 3, 10);
UPDATE role SET head = 11 WHERE id = 1;
SELECT snapback.protect('role', 'x.one'), snapback.protect('award', 'x.two'), watch('role'), watch('award');
SELECT keep();
CALL snapback.capture_all();
-- All rows are deleted; or rows that others depend on are changed; or rows refer to new ones.
DELETE FROM role WHERE cid = 'a';
SELECT previewed();
SELECT restored();
SELECT changed();
DELETE FROM award WHERE id IN (9, 10);
UPDATE role SET head = NULL;
DELETE FROM award WHERE cid = 'a';
UPDATE role SET kind = 'robot' WHERE cid = 'a';
SELECT previewed();
SELECT restored();
SELECT changed();
INSERT INTO role VALUES (4, 'a', 'person', NULL);
UPDATE award SET role = 4, after = NULL WHERE id = 9;
DELETE FROM role WHERE id = 3;
SELECT restored();
SELECT changed();
-- A violation after the restore is an error with name and key, for inserted and updated rows, and nothing is written.
DELETE FROM award WHERE id = 9;
UPDATE role SET kind = 'robot' WHERE id = 3;
SELECT previewed();
SELECT keep();
SELECT fails($$SELECT restored('{x.two}')$$);
SELECT changed();
SELECT restored();
UPDATE award SET role = 1 WHERE id = 9;
UPDATE role SET kind = 'robot' WHERE id = 3;
SELECT fails($$SELECT restored('{x.two}')$$);
SELECT fails($$SELECT snapback.restore('{x.two}', NULL, 'a', '{"rows": {"x.two": [{"id": 9}]}}')$$) LIKE '23514: the restore would violate constraint "only_people"%' AS one_row_as_well;
UPDATE role SET kind = 'person' WHERE id = 3;
SELECT restored();
-- A violated constraint of the same table that reads only its own row is still an obstacle.
ALTER TABLE role DROP CONSTRAINT known, ADD CONSTRAINT known CHECK (kind <> 'person') NOT VALID;
DELETE FROM role WHERE cid = 'a' AND id = 3;
SELECT previewed();
ALTER TABLE role DROP CONSTRAINT known;
SELECT restored();
-- So is one that cannot be evaluated; one that fails with the current data may succeed later.
CREATE FUNCTION strict_role(int) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ DECLARE found text; BEGIN SELECT kind INTO STRICT found FROM app.role WHERE id = $1; RETURN found = 'person'; END $$;
ALTER TABLE award DROP CONSTRAINT only_people, ADD CONSTRAINT only_people CHECK (strict_role(role));
DELETE FROM role WHERE id = 3;
SELECT previewed();
SELECT restored();
DELETE FROM award WHERE id = 9;
ALTER TABLE award DROP CONSTRAINT award_role_fkey;
DELETE FROM role WHERE id = 3;
SELECT fails($$SELECT restored('{x.two}')$$);
REVOKE EXECUTE ON FUNCTION strict_role FROM PUBLIC;
CREATE ROLE restore_checks_owner;
GRANT ALL ON SCHEMA app TO restore_checks_owner; GRANT ALL ON ALL TABLES IN SCHEMA app TO restore_checks_owner;
ALTER TABLE award OWNER TO restore_checks_owner;
SELECT previewed();
GRANT EXECUTE ON FUNCTION strict_role TO PUBLIC;
SELECT restored();
SELECT snapback.unprotect('award'), snapback.unprotect('role');
DROP TABLE award, role CASCADE;
DELETE FROM watched;

-- Partitions, whose own constraints apply too, and a row that a function writes to the same table.
CREATE TABLE item (id int, cid text NOT NULL REFERENCES community, needs int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE FUNCTION has_item(int) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT $1 IS NULL OR EXISTS (SELECT FROM app.item WHERE id = $1) $$;
ALTER TABLE item ADD CONSTRAINT needed CHECK (has_item(needs));
CREATE TABLE item_low PARTITION OF item FOR VALUES FROM (0) TO (10);
CREATE TABLE item_high (needs int, spare int, cid text NOT NULL, id int NOT NULL, CONSTRAINT needed CHECK (has_item(needs)), CONSTRAINT other_way CHECK (has_item(id - 10)));
ALTER TABLE item_high DROP COLUMN spare;
ALTER TABLE item ATTACH PARTITION item_high FOR VALUES FROM (10) TO (20);
INSERT INTO item VALUES (1, 'a', NULL), (2, 'b', NULL);
INSERT INTO item VALUES (3, 'a', 1);
INSERT INTO item VALUES (11, 'a', 3), (12, 'b', 2);
INSERT INTO item VALUES (13, 'a', 11);
UPDATE item SET needs = 13 WHERE id = 1;
SELECT snapback.protect('item', 'x.one'), watch('item');
SELECT keep();
CALL snapback.capture_all();
DELETE FROM item WHERE cid = 'a';
SELECT restored();
SELECT changed();
UPDATE item SET needs = NULL WHERE id IN (1, 11);
DELETE FROM item WHERE id = 13;
SELECT restored();
SELECT changed();
ALTER TABLE item_high ADD CONSTRAINT never CHECK (NOT has_item(id - 10)) NOT VALID;
DELETE FROM item WHERE id = 13;
SELECT fails($$SELECT restored()$$);
ALTER TABLE item_high DROP CONSTRAINT never;
-- A partition with another owner is written through its parent: its rows are checked one by one.
ALTER TABLE item_high OWNER TO restore_checks_owner;
SELECT restored();
SELECT changed();
UPDATE item SET needs = NULL WHERE id = 1;
DELETE FROM item WHERE id IN (11, 13);
SELECT fails($$SELECT restored()$$);
ALTER TABLE item_high OWNER TO CURRENT_USER;
SELECT restored();
SELECT changed();
SELECT snapback.unprotect('item');
DROP TABLE item CASCADE;
DELETE FROM watched;

-- The same for CHECK constraints of domains, anywhere in the type of a column.
CREATE TABLE kind (name text PRIMARY KEY, cid text NOT NULL REFERENCES community);
CREATE FUNCTION is_kind(text) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT $1 IS NULL OR EXISTS (SELECT FROM app.kind WHERE name = $1) $$;
CREATE DOMAIN kindname AS text CHECK (is_kind(VALUE));
CREATE DOMAIN kindlist AS kindname[];
CREATE TYPE pair AS (kind kindname, "list, of" kindname[], plain text);
CREATE TYPE kindrange AS RANGE (subtype = kindname);
CREATE TABLE thing (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, kind kindname, list kindlist, duo pair, pairs pair[], "between" kindrange);
INSERT INTO kind VALUES ('x', 'a'), ('y "z"', 'a'), ('w', 'b');
INSERT INTO thing VALUES (1, 'a', 'x', '{x,"y \"z\""}', ROW('x', '{{x},{NULL}}', 'p"(,\')::pair, ARRAY[ROW('y "z"', NULL, NULL)::pair, NULL, ROW(NULL, '{}', '')::pair], NULL),
    (2, 'a', NULL, NULL, NULL, NULL, NULL), (3, 'b', 'w', '[2:2]={w}', NULL, '{}', NULL);
SELECT snapback.protect('kind', 'x.one'), snapback.protect('thing', 'x.two'), watch('kind'), watch('thing');
SELECT keep();
CALL snapback.capture_all();
DELETE FROM thing WHERE cid = 'a'; DELETE FROM kind WHERE cid = 'a';
SELECT previewed();
SELECT keep();
SELECT fails($$SELECT restored('{x.two}')$$);
SELECT changed();
SELECT restored();
TABLE thing ORDER BY id;
-- Live rows may violate a constraint of a domain that was added NOT VALID: they can be overwritten, deleted or kept.
UPDATE thing SET kind = NULL, list = NULL, duo = NULL, pairs = NULL;
ALTER DOMAIN kindname DROP CONSTRAINT kindname_check;
CREATE DOMAIN small AS int;
ALTER TABLE thing ADD size small, ADD sizes small[];
UPDATE thing SET kind = 'x', list = '{x}', duo = ROW('x', '{x}', 'p'), pairs = ARRAY[ROW('x', NULL, 'q')::pair], size = 1, sizes = '{1,2}' WHERE cid = 'a';
CALL snapback.capture_all();
SELECT keep();
UPDATE thing SET kind = 'damage', list = '{x,damage}', duo = ROW('damage', '{damage}', 'p'), pairs = ARRAY[ROW('damage', NULL, 'q')::pair], size = 100, sizes = '{1,100}' WHERE id = 1;
INSERT INTO thing SELECT 5, 'a', kind, list, duo, pairs, NULL, size, sizes FROM thing WHERE id = 1;
INSERT INTO thing SELECT 6, 'b', kind, list, duo, pairs, NULL, size, sizes FROM thing WHERE id = 1;
ALTER DOMAIN kindname ADD CHECK (VALUE <> 'damage') NOT VALID;
ALTER DOMAIN small ADD CHECK (VALUE < 100) NOT VALID;
SELECT previewed();
SELECT relation, key, action FROM snapback.diff_rows(NULL, 'x', 'a');
SELECT restored();
DELETE FROM thing WHERE id = 6;
SELECT changed();
-- With options of columns: unchanged values need not satisfy the constraint.
ALTER DOMAIN small DROP CONSTRAINT small_check;
SELECT snapback.unprotect('thing'), snapback.protect('thing', 'x.two', columns => '{size}');
UPDATE thing SET sizes = '{100}', size = 5 WHERE id = 1;
ALTER DOMAIN small ADD CHECK (VALUE < 100) NOT VALID;
CALL snapback.capture_all();
UPDATE thing SET size = 6 WHERE id = 1;
SELECT restored();
SELECT id, size, sizes FROM thing WHERE id = 1;
-- Values of the snapshot must satisfy it if they are written; rows that are equal on both sides are not written.
SELECT snapback.unprotect('thing'), snapback.protect('thing', 'x.two');
CALL snapback.capture_all();
ALTER TABLE thing ADD extra text DEFAULT 'q';
UPDATE thing SET size = 7 WHERE id = 2;
SELECT restored();
SELECT id, size, sizes FROM thing WHERE cid = 'a' ORDER BY id;
DELETE FROM thing WHERE id = 1;
SELECT previewed();
SELECT fails($$SELECT restored()$$);
SELECT count(*) FROM snapback.snapshot_rows((SELECT id FROM snapback.snapshot WHERE community = 'a' ORDER BY captured_at DESC LIMIT 1), 'thing');
ALTER DOMAIN small DROP CONSTRAINT small_check;
SELECT restored();
-- If the input function of a type rejects its own output, the error names the type and not the snapshot.
ALTER TABLE thing DROP extra;
UPDATE thing SET "between" = '[w,x]' WHERE id = 1;
CALL snapback.capture_all();
ALTER DOMAIN kindname DROP CONSTRAINT kindname_check;
UPDATE thing SET "between" = '[a,damage]' WHERE id = 1;
ALTER DOMAIN kindname ADD CHECK (VALUE <> 'damage') NOT VALID;
SELECT previewed();
SELECT fails($$SELECT restored()$$);
-- A caught error in user code has no effect: nothing is reported at the commit.
CREATE FUNCTION finds(text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM kind WHERE name = $1)';
ALTER DOMAIN kindname DROP CONSTRAINT kindname_check;
ALTER DOMAIN kindname ADD CHECK (finds(VALUE)) NOT VALID;
DO $$ BEGIN PERFORM snapback.preview_restore('{x}', NULL, 'a'); COMMIT; PERFORM snapback.preview_restore('{x}', NULL, 'a'); END $$;
SELECT previewed();
SELECT fails($$SELECT restored()$$);
SELECT snapback.unprotect('thing'), snapback.unprotect('kind');
DROP TABLE thing, kind CASCADE;
DELETE FROM watched;

-- Objects that depend on a search_path are reported early, also by health(): constraints, domains, generated columns, indexes; nothing is written.
CREATE TABLE tried (what text);
CREATE FUNCTION is_known(text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT $1 IS NULL OR EXISTS (SELECT FROM community WHERE id = $1)';
CREATE FUNCTION length_of(text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN own_length($1); END';
CREATE FUNCTION own_length(text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT length($1)';
CREATE FUNCTION writes(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO app.tried VALUES ($1); PERFORM nextval('app.tries'); RETURN true; END $$;
CREATE FUNCTION refuses(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'never'; END $$;
CREATE FUNCTION fine(text) RETURNS boolean LANGUAGE sql STABLE SET search_path = app AS 'SELECT EXISTS (SELECT FROM community)';
CREATE SEQUENCE tries;
CREATE DOMAIN knownname AS text CHECK (is_known(VALUE));
CREATE TABLE unqualified (id int PRIMARY KEY, cid text NOT NULL REFERENCES community CONSTRAINT one CHECK (is_known(cid)), "n 1" knownname, ns knownname[],
    long int GENERATED ALWAYS AS (length_of(cid)) STORED, CONSTRAINT two CHECK (writes(cid)), CONSTRAINT three CHECK (refuses(cid)) NO INHERIT, CONSTRAINT four CHECK (fine(cid)),
    CONSTRAINT five CHECK (id > 0));
CREATE INDEX by_length ON unqualified (length_of(cid)) WHERE length_of(cid) > 0;
ALTER TABLE unqualified DROP CONSTRAINT three;
INSERT INTO unqualified (id, cid) VALUES (1, 'a');
ALTER TABLE unqualified ADD CONSTRAINT three CHECK (refuses(cid)) NOT VALID;
SELECT count(*) FROM tried;
SET client_min_messages = notice;
SELECT snapback.protect('unqualified', 'x.one');
SET client_min_messages = warning;
SELECT subject, problem, hint FROM snapback.health() WHERE concern = 'constraint' ORDER BY problem COLLATE "C";
SELECT count(*), (SELECT last_value FROM tries) FROM tried;
ALTER TABLE unqualified DROP CONSTRAINT two, DROP CONSTRAINT three, DROP COLUMN "n 1", DROP COLUMN ns;
CREATE TABLE split (id int, cid text NOT NULL REFERENCES community, n knownname CONSTRAINT known CHECK (is_known(n)), PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE split_one PARTITION OF split FOR VALUES FROM (0) TO (10);
INSERT INTO split VALUES (1, 'a', 'a'), (2, 'a', 'b');
SELECT snapback.protect('split', 'x.three');
CALL snapback.capture_all();
DELETE FROM unqualified;
SELECT fails($$SELECT restored()$$);
-- If a schema belongs to the owner, constraints find names in it, unless others may create objects there or own a function.
DELETE FROM split;
REVOKE CREATE ON SCHEMA app FROM restore_checks_owner;
ALTER FUNCTION own_length OWNER TO restore_checks_owner;
SELECT count(*) FROM snapback.preview_restore('{x.three}', NULL, 'a') p, unnest(p.obstacles);
ALTER FUNCTION own_length OWNER TO CURRENT_USER;
SELECT relation, obstacles, notes FROM snapback.preview_restore('{x.three}', NULL, 'a') p;
-- PostgreSQL checks the constraints of a partition with a rule during the write.
CREATE RULE nothing AS ON UPDATE TO split_one WHERE false DO ALSO NOTHING;
SELECT relation, obstacles, notes FROM snapback.preview_restore('{x.three}', NULL, 'a') p WHERE relation = 'app.split';
DROP RULE nothing ON split_one;
SELECT relation, inserted FROM snapback.restore('{x.three}', NULL, 'a');
SELECT * FROM split ORDER BY id;
-- Violations of a domain and a constraint are found too.
UPDATE split SET n = NULL;
CREATE OR REPLACE FUNCTION is_known(text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT $1 IS NULL OR EXISTS (SELECT FROM community WHERE id = $1 AND id <> ''b'')';
SELECT fails($$SELECT snapback.restore('{x.three}', NULL, 'a')$$);
ALTER TABLE split DROP CONSTRAINT known;
SELECT fails($$SELECT snapback.restore('{x.three}', NULL, 'a')$$);
DELETE FROM split;
SELECT snapback.unprotect('split');
DROP TABLE split;
GRANT CREATE ON SCHEMA app TO restore_checks_owner;
ALTER FUNCTION is_known SET search_path = app; ALTER FUNCTION length_of SET search_path = app;
SELECT count(*) FROM snapback.health() WHERE concern = 'constraint';
SELECT restored();
-- A dropped partition, or one without rows, causes no error.
TRUNCATE unqualified;
ALTER FUNCTION length_of RESET search_path;
SELECT subject, problem FROM snapback.health() WHERE concern = 'constraint' ORDER BY problem COLLATE "C";
DROP TABLE unqualified;
SELECT count(*) FROM snapback.health() WHERE concern = 'constraint';
-- The SQL function of an index is parsed whenever the table is read.
CREATE FUNCTION short(text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT own_length($1)';
CREATE TABLE unreadable (id int PRIMARY KEY, cid text NOT NULL REFERENCES community CHECK (fine(cid)));
CREATE INDEX by_short ON unreadable (short(cid));
\connect -
SET client_min_messages = notice;
SELECT snapback.protect('app.unreadable', 'x.one');
SET client_min_messages = warning;
SELECT subject, problem FROM snapback.health() WHERE concern = 'constraint';
\set ECHO none
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
DROP EXTENSION pg_snapback CASCADE;
DROP ROLE restore_checks_owner;
