-- Captures and restores run code with the privileges of its owner only; row security never omits rows silently.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all
CREATE ROLE snapback_mallory;
CREATE ROLE snapback_trent;
GRANT USAGE, CREATE ON SCHEMA app TO snapback_mallory, snapback_trent;
GRANT REFERENCES ON community TO snapback_mallory, snapback_trent;
-- A function that records the role that runs it, and whether it can change the role or read other objects.
CREATE TABLE seen (place text, ran_as text, escaped text, by_trigger text);
CREATE TABLE treasure (t text);
CREATE TABLE armed (yes boolean);
GRANT INSERT ON seen TO PUBLIC;
-- A trigger of another owner, which nobody can bypass by running while a restore disables triggers.
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.by_trigger := 'witnessed'; RETURN NEW; END $$;
CREATE TRIGGER witness BEFORE INSERT ON seen FOR EACH ROW EXECUTE FUNCTION witness();
GRANT SELECT ON armed TO PUBLIC;
-- A generated column refers to a table of another owner.
CREATE TABLE peg (id int PRIMARY KEY);
INSERT INTO peg SELECT generate_series(1, 20);
ALTER TABLE peg OWNER TO snapback_trent;
GRANT REFERENCES ON peg TO snapback_mallory;
CREATE SCHEMA mallory AUTHORIZATION snapback_mallory;
SET ROLE snapback_mallory;
CREATE FUNCTION mallory.note(place text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE escaped text := '';
BEGIN
    -- The statements of the test itself are not checked.
    IF NOT EXISTS (SELECT FROM app.armed) THEN
        RETURN true;
    END IF;
    BEGIN EXECUTE 'RESET ROLE'; escaped := escaped || 'reset role '; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'SET ROLE postgres'; escaped := escaped || 'set role '; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'SET SESSION AUTHORIZATION DEFAULT'; escaped := escaped || 'session authorization '; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'INSERT INTO app.treasure VALUES (''mine'')'; escaped := escaped || 'treasure '; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'SET session_replication_role = origin'; escaped := escaped || 'replication role '; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'SET snapback.retention = ''1s'''; escaped := escaped || 'retention '; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'DELETE FROM snapback.snapshot'; escaped := escaped || 'snapshots '; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'ALTER ROLE snapback_mallory SUPERUSER'; escaped := escaped || 'superuser '; EXCEPTION WHEN OTHERS THEN NULL; END;
    BEGIN EXECUTE 'CREATE TEMP TABLE chunk (i int)'; escaped := escaped || 'temporary table '; EXCEPTION WHEN OTHERS THEN NULL; END;
    -- A changed path must not remain after this code.
    PERFORM set_config('search_path', 'mallory', false), set_config('snapback.community', 'b', false), set_config('row_security', 'on', false);
    INSERT INTO app.seen VALUES (place, current_user, escaped);
    RETURN true;
END $$;
CREATE FUNCTION mallory.number(n int, place text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM mallory.note(place); RETURN n; END $$;
CREATE FUNCTION mallory.trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.note(TG_NAME); RETURN coalesce(NEW, OLD); END $$;
-- Objects that would be found first with an unrestricted search path.
CREATE FUNCTION mallory.count() RETURNS bigint LANGUAGE sql AS $$ SELECT mallory.note('shadowed count')::int::bigint $$;
CREATE FUNCTION mallory.equal(int, int) RETURNS boolean LANGUAGE sql AS $$ SELECT mallory.note('shadowed =') AND true $$;
CREATE OPERATOR mallory.= (LEFTARG = int, RIGHTARG = int, FUNCTION = mallory.equal);
CREATE DOMAIN mallory.checked AS int CHECK (mallory.note('domain'));
CREATE TABLE app.trap (id int PRIMARY KEY, cid text NOT NULL REFERENCES app.community, n int, d mallory.checked, low int DEFAULT mallory.number(1, 'default'),
    g int GENERATED ALWAYS AS (mallory.number(id, 'generated')) STORED REFERENCES app.peg, CHECK (mallory.note('check') OR n > 0));
CREATE INDEX ON app.trap (mallory.number(n, 'index expression')) WHERE mallory.number(n, 'index predicate') > 0;
CREATE UNIQUE INDEX ON app.trap ((mallory.number(id, 'unique expression')));
ALTER TABLE app.trap ADD EXCLUDE ((mallory.number(id, 'exclusion')) WITH OPERATOR(pg_catalog.=)) DEFERRABLE;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON app.trap FOR EACH ROW EXECUTE FUNCTION mallory.trigger();
CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON app.trap FOR EACH ROW EXECUTE FUNCTION mallory.trigger();
CREATE TRIGGER always_row BEFORE INSERT OR UPDATE OR DELETE ON app.trap FOR EACH ROW EXECUTE FUNCTION mallory.trigger();
CREATE TRIGGER always_statement AFTER INSERT OR UPDATE OR DELETE ON app.trap FOR EACH STATEMENT EXECUTE FUNCTION mallory.trigger();
CREATE TRIGGER replica_row BEFORE INSERT OR UPDATE OR DELETE ON app.trap FOR EACH ROW EXECUTE FUNCTION mallory.trigger();
CREATE CONSTRAINT TRIGGER always_deferred AFTER INSERT OR UPDATE OR DELETE ON app.trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.trigger();
ALTER TABLE app.trap ENABLE ALWAYS TRIGGER always_row, ENABLE ALWAYS TRIGGER always_statement, ENABLE REPLICA TRIGGER replica_row, ENABLE ALWAYS TRIGGER always_deferred;
CREATE POLICY sly ON app.trap USING (mallory.note('policy'));
ALTER TABLE app.trap ENABLE ROW LEVEL SECURITY;
CREATE RULE shout AS ON DELETE TO app.trap DO ALSO SELECT mallory.note('rule');
INSERT INTO app.trap (id, cid, n, d) SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, n, n FROM generate_series(1, 8) n;
RESET ROLE;
SELECT snapback.protect('trap', 'x.one', filter => 'mallory.number(id, ''filter'') > 0');
SELECT watch('trap'), keep();
INSERT INTO armed VALUES (true);
SELECT snapback.capture('a') IS NOT NULL, snapback.capture('b') IS NOT NULL;
SELECT DISTINCT place, ran_as, escaped, by_trigger FROM seen ORDER BY 1;
TRUNCATE armed;
DELETE FROM trap WHERE id = 1;
UPDATE trap SET n = 20 WHERE id = 2;
INSERT INTO trap (id, cid, n, d) VALUES (9, 'a', 1, 1);
TRUNCATE seen;
INSERT INTO armed VALUES (true);
BEGIN;
SELECT restored();
SELECT current_setting('search_path'), current_setting('snapback.community', true), session_user, current_user, current_setting('session_replication_role');
COMMIT;
TRUNCATE armed;
SELECT changed();
SELECT DISTINCT place, ran_as, escaped, by_trigger FROM seen ORDER BY 1;
UPDATE trap SET d = d + 1 WHERE id = 3;
TRUNCATE seen;
INSERT INTO armed VALUES (true);
SELECT count(*) FROM snapback.list_snapshots('a') s, snapback.snapshot_rows(s.id, 'trap') WHERE s.kind = 'manual';
SELECT c.rows FROM snapback.list_snapshots('a') s, snapback.snapshot_contents(s.id) c WHERE s.kind = 'manual';
SELECT inserts, updates, deletes FROM snapback.preview_restore('{x.one}', NULL, 'a');
SELECT DISTINCT place, ran_as, escaped, by_trigger FROM seen ORDER BY 1;
TRUNCATE armed;
TABLE treasure;
SELECT rolsuper FROM pg_roles WHERE rolname = 'snapback_mallory';

-- Statements of rules are not in functions: a rule that would fire prevents the restore of its table.
DELETE FROM trap WHERE id = 1;
SET ROLE snapback_mallory;
CREATE RULE "Shout" AS ON INSERT TO trap DO ALSO INSERT INTO app.seen VALUES ('rule', current_user, '');
ALTER TABLE trap ENABLE ALWAYS RULE "Shout";
RESET ROLE;
SELECT obstacles FROM snapback.preview_restore('{x.one}', NULL, 'a');
SELECT fails($$SELECT restored()$$);
ALTER TABLE trap ENABLE RULE "Shout";
SELECT restored();
SELECT changed();
SELECT snapback.unprotect('trap'); DELETE FROM watched; DELETE FROM snapback.snapshot; DROP TABLE trap;

-- Row security that applies to the owner makes the capture fail; otherwise it omits nothing.
CREATE TABLE forced (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, v int);
INSERT INTO forced SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, n FROM generate_series(1, 8) n;
ALTER TABLE forced OWNER TO snapback_trent;
ALTER TABLE forced ENABLE ROW LEVEL SECURITY;
CREATE POLICY half ON forced USING (id % 2 = 0);
SELECT snapback.protect('forced', 'x.one');
ALTER TABLE forced FORCE ROW LEVEL SECURITY;
SELECT fails($$SELECT snapback.capture('a')$$);
SELECT count(*) FROM snapback.snapshot;
ALTER TABLE forced NO FORCE ROW LEVEL SECURITY;
SELECT watch('forced'), keep();
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM forced WHERE id IN (1, 2);
SELECT restored();
SELECT changed();
SELECT snapback.unprotect('forced'); DELETE FROM watched; DELETE FROM snapback.snapshot;

-- Tables of several owners: each is read and written as its owner.
CREATE TABLE house (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, v int);
CREATE TABLE room (id int PRIMARY KEY, house int NOT NULL REFERENCES house ON DELETE CASCADE, v int);
CREATE TABLE lamp (id int PRIMARY KEY, room int NOT NULL REFERENCES room ON DELETE CASCADE);
INSERT INTO house SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, n FROM generate_series(1, 8) n;
INSERT INTO room SELECT n, n, n FROM generate_series(1, 8) n;
INSERT INTO lamp SELECT n, n FROM generate_series(1, 8) n;
ALTER TABLE house OWNER TO snapback_mallory;
ALTER TABLE room OWNER TO snapback_trent;
SELECT snapback.protect('house', 'x.one'), snapback.protect('room', 'x.two');
SELECT fails($$SELECT snapback.capture('a')$$);
GRANT SELECT ON house TO snapback_trent;
ALTER TABLE house ENABLE ROW LEVEL SECURITY;
SELECT fails($$SELECT snapback.capture('a')$$);
ALTER TABLE house DISABLE ROW LEVEL SECURITY;
SELECT watch('house'), watch('room', '(SELECT h.cid FROM app.house h WHERE h.id = t.house)'), keep();
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM house WHERE id = 1;
UPDATE room SET v = 9 WHERE id = 2;
INSERT INTO house VALUES (9, 'a', 9); INSERT INTO room VALUES (9, 9, 9), (10, 2, 10); INSERT INTO lamp VALUES (10, 10);
SELECT restored('{x.two}');
SELECT restored();
SELECT changed();
DELETE FROM lamp WHERE id = 10;
SELECT restored();
SELECT changed();

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA app, mallory CASCADE;
DROP ROLE snapback_mallory, snapback_trent;
CREATE EXTENSION pg_snapback;
