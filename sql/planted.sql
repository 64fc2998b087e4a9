-- Users who can create objects plant them where the statements of a superuser might find them first. The extension is installed and works,
-- and none of these objects is ever used.
SET client_min_messages = warning;
\set VERBOSITY terse
DROP EXTENSION pg_snapback CASCADE;
CREATE ROLE snapback_mallory;
-- The extension creates its schema itself, or fails.
CREATE SCHEMA snapback AUTHORIZATION snapback_mallory;
CREATE FUNCTION snapback.capture(text, text) RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()';
CREATE EXTENSION pg_snapback;
CREATE EXTENSION IF NOT EXISTS pg_snapback;
DROP SCHEMA snapback CASCADE;

CREATE TABLE community (id text PRIMARY KEY);
INSERT INTO community VALUES ('a'), ('b');
CREATE VIEW directory AS SELECT id AS community, id AS name, 'ada'::text AS owner, 'ada@example.org'::text AS owner_email, true AS restores_enabled FROM community;
CREATE TABLE page (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, body text);
CREATE TABLE note (id int PRIMARY KEY, page int NOT NULL REFERENCES page ON DELETE CASCADE, body text);
INSERT INTO page SELECT n, CASE WHEN n < 5 THEN 'a' ELSE 'b' END, 'page ' || n FROM generate_series(1, 8) n;
INSERT INTO note SELECT n, n, 'note ' || n FROM generate_series(1, 8) n;

-- A copy of every function, operator, relation and type of pg_catalog that can be planted. Calls are counted, even if rolled back.
CREATE SCHEMA planted;
CREATE SEQUENCE planted.ran;
CREATE FUNCTION planted.run() RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM nextval('planted.ran'); RETURN true; END $$;
CREATE PROCEDURE planted.plant(statement text, INOUT planted int) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    planted := planted + 1;
EXCEPTION WHEN OTHERS THEN NULL;
END $$;
DO $$
DECLARE
    o       record;
    planted int := 0;
BEGIN
    FOR o IN SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result FROM pg_proc p
             WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND NOT 'internal'::regtype = ANY (p.proargtypes) LOOP
        CALL planted.plant(format('CREATE FUNCTION planted.%I(%s) RETURNS %s LANGUAGE plpgsql AS ''BEGIN PERFORM planted.run(); RETURN%s; END''',
            o.proname, o.arguments, o.result, CASE WHEN o.result = 'void' OR o.result LIKE 'SETOF %' OR o.result LIKE 'TABLE%' THEN '' ELSE ' NULL' END), planted);
    END LOOP;
    ASSERT planted > 2000, 'functions: ' || planted;
    planted := 0;
    FOR o IN SELECT p.oprname, p.oprleft::regtype, p.oprright::regtype, f.proname FROM pg_operator p JOIN pg_proc f ON f.oid = p.oprcode
             WHERE p.oprnamespace = 'pg_catalog'::regnamespace LOOP
        CALL planted.plant(format('CREATE OPERATOR planted.%s (%s RIGHTARG = %s, FUNCTION = planted.%I)', o.oprname, 'LEFTARG = ' || nullif(o.oprleft::text, '-') || ',', o.oprright, o.proname), planted);
    END LOOP;
    ASSERT planted > 700, 'operators: ' || planted;
    planted := 0;
    FOR o IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v') LOOP
        CALL planted.plant(format('CREATE VIEW planted.%1$I AS SELECT * FROM pg_catalog.%1$I WHERE planted.run()', o.relname), planted);
        CALL planted.plant(format('CREATE TEMP VIEW %1$I AS SELECT * FROM pg_catalog.%1$I WHERE planted.run()', o.relname), planted);
    END LOOP;
    ASSERT planted > 200, 'relations: ' || planted;
    planted := 0;
    FOR o IN SELECT t.typname FROM pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype = 'b' AND t.typcategory <> 'A' LOOP
        CALL planted.plant(format('CREATE DOMAIN planted.%1$I AS pg_catalog.%1$I CHECK (planted.run())', o.typname), planted);
        CALL planted.plant(format('CREATE DOMAIN pg_temp.%1$I AS pg_catalog.%1$I CHECK (planted.run())', o.typname), planted);
    END LOOP;
    ASSERT planted > 100, 'types: ' || planted;
END $$;
CREATE VIEW found AS SELECT is_called AS ran FROM planted.ran;
GRANT USAGE ON SCHEMA planted TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA planted TO PUBLIC;

-- An unqualified call does use them.
SET search_path = pg_temp, planted, pg_catalog, public;
BEGIN; SELECT 'x' = upper('x') FROM pg_class LIMIT 1; ROLLBACK;
SELECT ran FROM public.found;
ALTER SEQUENCE planted.ran RESTART;
SELECT ran FROM public.found;

CREATE EXTENSION pg_snapback;
SELECT ran FROM public.found;
SELECT snapback.set_directory('directory'), snapback.add_category('x', 'X', ''), snapback.add_option('x.all', 'All', '');
SELECT snapback.suggest();
SELECT snapback.protect('page', 'x.all');
SELECT snapback.protect('note', 'x.all');
SELECT relation, options, path, key_columns, guard, status FROM snapback.protection;
DO $$ BEGIN PERFORM snapback.capture('a'); END $$;
SELECT ran FROM public.found;
CALL snapback.capture_all();
UPDATE page SET body = 'damaged';
INSERT INTO page VALUES (9, 'a', 'new');
DELETE FROM note;
SELECT ran FROM public.found;
SELECT relation, inserts, updates, deletes, obstacles FROM snapback.preview_restore('{x}', NULL, 'a');
SELECT relation, inserted, updated, deleted FROM snapback.restore('{x}', NULL, 'a');
SELECT relation, inserted, updated, deleted FROM snapback.undo_restore((SELECT restore FROM snapback.restores));
SELECT action, key, old, new FROM snapback.diff_rows(NULL, 'x.all', 'b');
SET snapback.smtp_url = 'smtp://127.0.0.1:1';
SET snapback.mail_from = 'restores@cms.example';
SET snapback.approve_url = 'https://cms.example/{token}';
BEGIN;
SELECT status FROM snapback.request_restore('{x}', NULL, 'a', 'ada');
INSERT INTO snapback.token (sha256, request) SELECT snapback_internal.token_hash('the-secret-from-the-link-is-43-letters-long'), id FROM snapback.request;
SELECT name, state FROM snapback.describe_request('the-secret-from-the-link-is-43-letters-long');
SELECT status, reason FROM snapback.approve_restore('the-secret-from-the-link-is-43-letters-long');
ROLLBACK;
SELECT * FROM snapback.verify();
SELECT * FROM snapback.health();
SELECT snapback.erase_rows('a', 'note', '[{"id": 1}]');
SELECT snapshots FROM snapback.forget('a');
SELECT snapshots FROM snapback.expire();
CALL snapback.expire_all();
SELECT ran FROM public.found;
RESET search_path;

DROP EXTENSION pg_snapback;
DROP SCHEMA planted CASCADE;
DROP TABLE note, page, community CASCADE;
DROP ROLE snapback_mallory;
CREATE EXTENSION pg_snapback;
\c
