-- Nothing that is pending in the caller's transaction runs with the extension's privileges: deferred triggers of the caller and
-- of tables that the caller has written to, open cursors, prepared statements, temporary objects, ON COMMIT actions.
\getenv folder PG_ABS_SRCDIR
\set VERBOSITY terse
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS pg_snapback CASCADE;
CREATE EXTENSION pg_snapback;
\set ECHO none
\o /dev/null
\i :folder/test/fixture/approval.sql
\o
\pset format unaligned
\pset tuples_only on
\set ECHO all
CREATE ROLE snapback_mallory;
CREATE ROLE snapback_trent;
GRANT USAGE ON SCHEMA cms TO snapback_mallory, snapback_trent;
GRANT SELECT, INSERT, UPDATE, DELETE ON cms.page TO snapback_mallory;
SELECT snapback.grant_backend('snapback_mallory'), snapback.grant_operator('snapback_mallory');
GRANT pg_monitor TO snapback_mallory;
SET snapback.smtp_url = 'smtp://127.0.0.1:1';
SET snapback.mail_from = 'restores@cms.example';
SET snapback.approve_url = 'https://cms.example/{token}';
CREATE SCHEMA mallory AUTHORIZATION snapback_mallory;
CREATE SCHEMA trent AUTHORIZATION snapback_trent;
GRANT USAGE ON SCHEMA mallory, trent TO PUBLIC;

-- A function that records the role that runs it, and tries to gain privileges.
CREATE TABLE mallory.seen (place text, ran_as text);
GRANT INSERT, SELECT ON mallory.seen TO PUBLIC;
CREATE FUNCTION mallory.note(place text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO mallory.seen VALUES (place, current_user);
    BEGIN ALTER ROLE snapback_mallory SUPERUSER; EXCEPTION WHEN OTHERS THEN NULL; END;
    RETURN true;
END $$;
CREATE FUNCTION mallory.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM mallory.note(TG_NAME); RETURN NULL; END $$;
CREATE TABLE mallory.own (i int);
ALTER TABLE mallory.own OWNER TO snapback_mallory;
CREATE CONSTRAINT TRIGGER of_the_caller AFTER INSERT ON mallory.own DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.fire();
CREATE TABLE trent.page (i int);
ALTER TABLE trent.page OWNER TO snapback_trent;
GRANT INSERT ON trent.page TO snapback_mallory;
CREATE CONSTRAINT TRIGGER of_a_stranger AFTER INSERT ON trent.page DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.fire();

-- ---- ---- a backend with all of these pending requests and approves

CREATE FUNCTION mallory.prepare_attack() RETURNS void LANGUAGE plpgsql AS $$
DECLARE o record;
BEGIN
    INSERT INTO mallory.own VALUES (1);
    INSERT INTO trent.page VALUES (1);
    -- Objects that unqualified names could find.
    FOR o IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'snapback'::regnamespace AND c.relkind IN ('r', 'v') LOOP
        EXECUTE format('CREATE TEMP VIEW %I AS SELECT * FROM pg_catalog.pg_class WHERE mallory.note(%L)', o.relname, 'temporary ' || o.relname);
    END LOOP;
    EXECUTE 'CREATE TEMP VIEW pg_class AS SELECT * FROM pg_catalog.pg_class WHERE mallory.note(''temporary pg_class'')';
    EXECUTE 'CREATE TEMP VIEW wanted_1 AS SELECT * FROM pg_catalog.pg_class WHERE mallory.note(''temporary wanted'')';
    EXECUTE 'CREATE TEMP VIEW keys_outside AS SELECT * FROM pg_catalog.pg_class WHERE mallory.note(''temporary keys'')';
    EXECUTE 'CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (mallory.note(''temporary domain''))';
    EXECUTE 'CREATE DOMAIN pg_temp.jsonb AS pg_catalog.jsonb CHECK (mallory.note(''temporary domain''))';
    EXECUTE 'CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS ''SELECT CASE WHEN mallory.note(''''temporary function'''') THEN pg_catalog.now() END''';
    EXECUTE 'CREATE TEMP TABLE emptied (i int CHECK (mallory.note(''on commit''))) ON COMMIT DELETE ROWS';
END $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mallory TO PUBLIC;
SET SESSION AUTHORIZATION snapback_mallory;
BEGIN;
SELECT mallory.prepare_attack();
PREPARE restore AS SELECT mallory.note('prepared');
DECLARE snapshots CURSOR FOR SELECT mallory.note('cursor');
DECLARE held CURSOR WITH HOLD FOR SELECT mallory.note('held cursor');
SELECT set_config('snapback.community', '42', true), set_config('snapback.account', 'ada', true);
SELECT count(*) FROM snapback.list_snapshots('42');
SELECT count(*) > 0 FROM snapback.list_snapshots('42') s, snapback.snapshot_contents(s.id);
SELECT relation, inserts FROM snapback.preview_restore('{customization.pages}');
SELECT count(*) FROM snapback.diff_rows(NULL, 'customization.pages');
SELECT status FROM snapback.request_restore('{customization.pages}');
RESET SESSION AUTHORIZATION;
INSERT INTO snapback.token (sha256, request) SELECT snapback_internal.token_hash('the-secret-from-the-link-is-43-letters-long'), id FROM snapback.request;
SET SESSION AUTHORIZATION snapback_mallory;
SELECT state FROM snapback.describe_request('the-secret-from-the-link-is-43-letters-long');
SELECT status, reason FROM snapback.approve_restore('the-secret-from-the-link-is-43-letters-long');
SELECT snapback.is_locked('42');
-- Functions for operators and monitoring.
SELECT snapback.capture('42') IS NOT NULL;
SELECT count(*) FROM snapback.restore('{customization.pages}', NULL, '42');
SELECT count(*) FROM snapback.health() WHERE concern <> 'capture';
SELECT (SELECT count(*) > 0 FROM snapback.protection), (SELECT count(*) > 0 FROM snapback.snapshots), (SELECT count(*) FROM snapback.requests),
       (SELECT count(*) > 0 FROM snapback.restores), (SELECT count(*) FROM snapback.restore_progress);
-- Everything that was pending still is: nothing has fired.
SELECT * FROM mallory.seen;
COMMIT;
SELECT place, ran_as FROM mallory.seen ORDER BY 1;
RESET SESSION AUTHORIZATION;
SELECT rolsuper FROM pg_roles WHERE rolname = 'snapback_mallory';
SELECT count(*) FROM cms.page WHERE id IN (2, 4, 6);
DISCARD ALL;
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
TRUNCATE mallory.seen;

-- ---- ---- SET CONSTRAINTS sets all constraints with a name in a schema; a restore sets only those that fire while it writes

SELECT count(snapback.capture(id)) FROM cms.community;
ALTER TABLE cms.page OWNER TO snapback_trent;
GRANT SELECT, REFERENCES ON cms.community TO snapback_trent;
CREATE CONSTRAINT TRIGGER same_name AFTER INSERT OR DELETE ON cms.page DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.fire();
ALTER TABLE cms.page ENABLE ALWAYS TRIGGER same_name;
CREATE TABLE cms.other (i int);
ALTER TABLE cms.other OWNER TO snapback_mallory;
CREATE CONSTRAINT TRIGGER same_name AFTER INSERT ON cms.other DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.fire();
CREATE CONSTRAINT TRIGGER another AFTER INSERT ON cms.other DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.fire();
CREATE FUNCTION mallory.failure(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'it does not fail';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', SQLSTATE || ': ' || message, detail, hint);
END $$;
-- Pending for the table itself, and for another table with a constraint of that name.
BEGIN;
DELETE FROM cms.page WHERE id = 2;
SELECT mallory.failure($$SELECT snapback.restore('{customization.pages}', NULL, '42')$$);
ROLLBACK;
DELETE FROM cms.page WHERE id = 4;
TRUNCATE mallory.seen;
BEGIN;
INSERT INTO cms.other VALUES (1);
SELECT mallory.failure($$SELECT snapback.restore('{customization.pages}', NULL, '42')$$);
SELECT * FROM mallory.seen;
-- What the hint suggests.
SET CONSTRAINTS ALL IMMEDIATE;
SELECT place, ran_as FROM mallory.seen ORDER BY 1;
TRUNCATE mallory.seen;
SELECT inserted FROM snapback.restore('{customization.pages}', NULL, '42');
SELECT place, ran_as FROM mallory.seen ORDER BY 1;
ROLLBACK;
-- Nothing is pending: the trigger fires immediately as the owner of the table. Other constraints keep their mode for later writes of the caller.
TRUNCATE mallory.seen;
BEGIN;
SELECT inserted FROM snapback.restore('{customization.pages}', NULL, '42');
SELECT place, ran_as FROM mallory.seen ORDER BY 1;
TRUNCATE mallory.seen;
INSERT INTO cms.other VALUES (2);
SELECT place FROM mallory.seen ORDER BY 1;
ROLLBACK;

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA cms, mallory, trent CASCADE;
DROP ROLE snapback_mallory, snapback_trent;
CREATE EXTENSION pg_snapback;
