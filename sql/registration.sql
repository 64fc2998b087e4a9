-- The directory, and the options that an owner can choose.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS pg_snapback CASCADE;
CREATE EXTENSION pg_snapback;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only on

CREATE SCHEMA reg;
SET search_path = reg;

-- Return the outcome of a statement: SQLSTATE, message, detail, hint.
CREATE FUNCTION fails(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'it does not fail';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN format(E'%s: %s\n  %s\n  %s', SQLSTATE, message, detail, hint);
END $$;


-- No directory is set
SELECT fails('SELECT snapback.communities()');
SELECT fails('SELECT snapback_internal.directory_entry(''1'')');
SELECT fails('SELECT snapback_internal.directory_entries()');
SELECT fails('SELECT snapback_internal.community_key()');
SELECT count(*) FROM snapback_internal.community_schemas();
SELECT count(*) FROM snapback_internal.community_key_column();

-- Relations that cannot be a directory
CREATE SEQUENCE seq;
CREATE TEMP VIEW passing AS SELECT 1 AS community;
CREATE UNLOGGED TABLE volatile_list (community int);
SELECT fails('SELECT snapback.set_directory(NULL)');
SELECT fails('SELECT snapback.set_directory(99999999::oid::regclass)');
SELECT fails('SELECT snapback.set_directory(''seq'')');
SELECT fails('SELECT snapback.set_directory(''passing'')');
SELECT fails('SELECT snapback.set_directory(''volatile_list'')');

-- Columns: each must exist and have a suitable type
CREATE TABLE whole (community int, name text, owner text, owner_email text, restores_enabled boolean);
CREATE FUNCTION fails_without(missing name) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %1$I AS TABLE whole; ALTER TABLE %1$I DROP COLUMN %2$I', 'without_' || missing, missing);
    RETURN fails(format('SELECT snapback.set_directory(%L)', 'without_' || missing));
END $$;
SELECT fails_without(c) FROM unnest('{community,name,owner,owner_email,restores_enabled}'::name[]) c;
CREATE VIEW wrong_switch AS SELECT 1 AS community, 'n' AS name, 'o' AS owner, 'e' AS owner_email, 'yes'::text AS restores_enabled;
SELECT fails('SELECT snapback.set_directory(''wrong_switch'')');
CREATE VIEW wrong_schema AS SELECT w.*, 1 AS schema_name FROM whole w;
SELECT fails('SELECT snapback.set_directory(''wrong_schema'')');
SELECT count(*) FROM snapback.directory;

-- Rows: each community once, and none without a key
INSERT INTO whole VALUES (10, 'Ten', 'o10', 'ten@example.org', true), (9, 'Nine', 'o9', 'nine@example.org', NULL), (9, 'Again', '', '', true);
SELECT fails('SELECT snapback.set_directory(''whole'')');
DELETE FROM whole WHERE name = 'Again';
INSERT INTO whole VALUES (NULL, 'Nobody', '', '', true);
SELECT fails('SELECT snapback.set_directory(''whole'')');
DELETE FROM whole WHERE community IS NULL;

-- A table
SELECT snapback.set_directory('whole');
SELECT * FROM snapback_internal.directory_entries();
SELECT * FROM snapback_internal.directory_entry('9');
SELECT * FROM snapback_internal.directory_entry('09');
SELECT * FROM snapback_internal.directory_entry(NULL);
SELECT snapback.communities();
SELECT * FROM snapback_internal.community_key();

-- Later problems have limited effects
INSERT INTO whole VALUES (9, 'Again', '', '', true), (NULL, 'Nobody', '', '', true);
SELECT snapback.communities();
SELECT name FROM snapback_internal.directory_entry('10');
SELECT fails('SELECT snapback_internal.directory_entry(''9'')');
DELETE FROM whole WHERE name IN ('Again', 'Nobody');

-- A replacement through views, joins, WITH, subqueries, GROUP BY, casts and domains
CREATE DOMAIN switch AS boolean;
CREATE DOMAIN tenant AS uuid;
CREATE TABLE "Weird ""Tenants""" ("Key" tenant PRIMARY KEY, "Owner's" varchar(20), plan switch, home name);
INSERT INTO "Weird ""Tenants""" VALUES ('00000000-0000-0000-0000-00000000000a', 'x', true, 'home_a'), ('00000000-0000-0000-0000-00000000000b', 'y', false, NULL);
CREATE VIEW inner_view AS
    WITH t AS (SELECT * FROM "Weird ""Tenants""")
    SELECT s."Key", s."Owner's" AS owner, s.plan, t.home FROM (SELECT * FROM t) s JOIN t USING ("Key");
CREATE VIEW "The ""Directory""" AS
    SELECT "Key"::uuid::varchar COLLATE "C" AS community, NULL::text AS name, owner, NULL::text AS owner_email, plan AS restores_enabled, home AS schema_name
    FROM inner_view GROUP BY "Key", owner, plan, home;
SELECT snapback.set_directory('"The ""Directory"""');
SELECT * FROM snapback_internal.directory_entries();
SELECT k.relation, a.attname FROM snapback_internal.community_key() k JOIN pg_attribute a ON a.attrelid = k.relation AND a.attnum = k.attnum;
SELECT * FROM snapback_internal.community_schemas();
SELECT count(*) FROM snapback.directory;

-- The source of the key, for every kind of key, and computed keys
CREATE FUNCTION key_of(expression text, from_item text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP VIEW IF EXISTS probe; CREATE VIEW probe AS SELECT %s AS community, '''' AS name, '''' AS owner, '''' AS owner_email, true AS restores_enabled FROM %s', expression, from_item);
    PERFORM snapback.set_directory('probe');
    RETURN coalesce((SELECT format('%s %s', k.relation, k.attnum) FROM snapback_internal.community_key() k), 'computed');
END $$;
CREATE DOMAIN slug AS text CHECK (VALUE <> '');
CREATE TABLE keys (i int, b bigint, u uuid, t text, v varchar(5), c char(3), s slug, n numeric, d date);
INSERT INTO keys VALUES (1, 1, '00000000-0000-0000-0000-000000000001', 't', 'v', 'c', 's', 1.50, '2024-02-03');
SELECT k, key_of(k, 'keys'), (SELECT snapback.communities()) FROM unnest('{i,b,u,t,v,c,s,n,d,i::text,b::int,u::text,v::text,s::text,n::text,d::text}'::text[]) k;
SELECT key_of('''c'' || i', 'keys');
SELECT key_of('lower(t)', 'keys');
SELECT key_of('coalesce(t, s)', 'keys');
SELECT key_of('1', 'keys');
SELECT key_of('i', '(SELECT i FROM keys UNION ALL SELECT 2 WHERE false) u');
SELECT key_of('i', '(VALUES (1)) v(i)');
SELECT key_of('i', 'keys a FULL JOIN keys b USING (i)');
SELECT key_of('i', 'keys a LEFT JOIN keys b USING (i)');
SELECT key_of('r.i', '(WITH RECURSIVE r AS (SELECT i FROM keys UNION SELECT i + 1 FROM r WHERE i < 1) SELECT * FROM r) r');
SELECT key_of('(SELECT k.i)', 'keys k');
SELECT key_of('l.i', 'keys k, LATERAL (SELECT k.i) l');
SELECT key_of('g', 'generate_series(1, 2) g');
SELECT snapback.set_directory('"The ""Directory"""');
CREATE MATERIALIZED VIEW kept AS TABLE "The ""Directory""";
SELECT snapback.set_directory('kept');
SELECT * FROM snapback_internal.community_key();

-- Dropped and recreated
DROP MATERIALIZED VIEW kept;
SELECT fails('SELECT snapback.communities()');
SELECT snapback.set_directory('whole');


-- A directory that needs more than its owner's privileges
CREATE ROLE regress_mallory;
CREATE SCHEMA mallory AUTHORIZATION regress_mallory;
GRANT USAGE ON SCHEMA reg TO regress_mallory;
SET ROLE regress_mallory;
SET search_path = mallory;
CREATE TABLE seen (what text, outcome text);
CREATE FUNCTION try(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    INSERT INTO mallory.seen VALUES (statement, 'done');
EXCEPTION WHEN others THEN
    -- The wording of one server error differs between versions.
    INSERT INTO mallory.seen VALUES (statement, CASE WHEN statement LIKE 'ALTER ROLE %' THEN SQLSTATE ELSE SQLERRM END);
END $$;
CREATE TABLE later (x int);
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'fired as %', current_user;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit();
CREATE FUNCTION attack() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO mallory.seen VALUES ('I am', current_user), ('row_security', current_setting('row_security')),
                                    ('search_path', current_setting('search_path'));
    PERFORM mallory.try('RESET ROLE');
    PERFORM mallory.try('SET ROLE NONE');
    PERFORM mallory.try('RESET SESSION AUTHORIZATION');
    PERFORM mallory.try('ALTER ROLE regress_mallory SUPERUSER');
    PERFORM mallory.try('SELECT FROM snapback.option');
    PERFORM mallory.try('SELECT FROM reg.whole');
    PERFORM mallory.try('CREATE TEMP TABLE option (option text)');
    PERFORM mallory.try('INSERT INTO mallory.later VALUES (1)');
    PERFORM mallory.try('DECLARE held CURSOR WITH HOLD FOR SELECT mallory.try(''SELECT 1'')');
    PERFORM mallory.try('SET search_path = mallory');
    PERFORM mallory.try('SET row_security = on');
    RETURN '1';
END $$;
CREATE VIEW evil AS SELECT attack() AS community, 'n'::text AS name, 'o'::text AS owner, 'e'::text AS owner_email, true AS restores_enabled;
RESET ROLE;
SET search_path = reg;
SELECT snapback.set_directory('mallory.evil');
SELECT DISTINCT what, outcome FROM mallory.seen ORDER BY 1, 2;
TRUNCATE mallory.seen;
SELECT snapback.communities();
SELECT community FROM snapback_internal.directory_entry('1');
SELECT DISTINCT outcome FROM mallory.seen WHERE what = 'I am';
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_mallory';
-- the state is unchanged afterwards, also after a failure
SHOW search_path;
SHOW row_security;
SELECT current_user = session_user;
CREATE OR REPLACE FUNCTION mallory.attack() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
SELECT fails('SELECT snapback.communities()');
SHOW search_path;
SHOW row_security;
SELECT current_user = session_user;
-- If the owner of a view lacks privileges on its table, the extension does not provide them
CREATE VIEW denied AS TABLE whole;
ALTER VIEW denied OWNER TO regress_mallory;
SELECT fails('SELECT snapback.set_directory(''denied'')');
-- Row security does not shorten the list
CREATE TABLE mallory.listed AS TABLE whole;
ALTER TABLE mallory.listed OWNER TO regress_mallory;
ALTER TABLE mallory.listed ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT fails('SELECT snapback.set_directory(''mallory.listed'')');
ALTER TABLE mallory.listed NO FORCE ROW LEVEL SECURITY;
SELECT snapback.set_directory('mallory.listed');
SELECT snapback.communities();
SELECT snapback.set_directory('whole');


-- Categories and options
SELECT fails('SELECT snapback_internal.expand_options(''{*}'')');
SELECT snapback.add_category('zoo', 'Zoo', 'animals'), snapback.add_category('art', 'Art', 'pictures');
SELECT snapback.add_option('zoo.tiger', 'Tigers', ''), snapback.add_option('art.oil', 'Oil', ''), snapback.add_option('zoo.ape', 'Apes', '');
SELECT snapback.add_category('zoo', 'The Zoo', 'all animals'), snapback.add_option('zoo.tiger', 'Big Cats', 'striped');
SELECT category, label, description FROM snapback.category ORDER BY position;
SELECT option, category, label, description FROM snapback.option ORDER BY position;
SELECT fails(format('SELECT snapback.add_category(%L, '''', '''')', c)) FROM unnest(ARRAY['Zoo', '', '1a', 'a.b', 'a b', '*', E'a\n', NULL]) c;
SELECT fails(format('SELECT snapback.add_option(%L, '''', '''')', o)) FROM unnest(ARRAY['zoo', 'zoo.', '.ape', 'zoo.a.b', 'zoo.Ape', E'zoo.a\n', NULL, 'circus.ape']) o;
SELECT fails('SELECT snapback.add_option(''zoo.bear'', NULL, '''')');

SELECT snapback_internal.expand_options('{*}');
SELECT snapback_internal.expand_options('{art,zoo.ape,zoo,art.oil,zoo.ape}');
SELECT snapback_internal.expand_options('{zoo.ape}');
SELECT snapback_internal.expand_options('{{zoo.ape},{art}}');
SELECT fails(format('SELECT snapback_internal.expand_options(%L)', o))
FROM unnest(ARRAY[NULL, '{}', '{NULL}', '{zoo.ape,circus}', '{ZOO}', '{"zoo.ape "}', '{""}', '{zoo.*,circus,NULL}']) o;
SELECT snapback.add_category('bare', 'Bare', 'nothing in it');
SELECT fails('SELECT snapback_internal.expand_options(''{bare}'')');
SELECT snapback_internal.expand_options('{bare,art}');

SELECT snapback.remove_option('art.oil'), snapback.remove_category('art'), snapback.remove_category('bare');
SELECT fails('SELECT snapback.remove_option(''art.oil'')');
SELECT fails('SELECT snapback.remove_category(''art'')');
CREATE TABLE cage (id int PRIMARY KEY, cid int NOT NULL);
SET client_min_messages = warning;
SELECT snapback.protect('cage', 'zoo.ape', 'cid');
SELECT fails('SELECT snapback.remove_option(''zoo.ape'')');
SELECT fails('SELECT snapback.remove_category(''zoo'')');
SELECT snapback.remove_option('zoo.tiger');
SELECT snapback.unprotect('cage');
SELECT snapback.remove_category('zoo');
SELECT count(*) FROM snapback.option;


-- Functions that a backend may call, and nobody else
CREATE ROLE "regress Back""end";
CREATE FUNCTION allowed(whom regrole) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT p.proname FROM pg_proc p
    WHERE p.pronamespace IN ('snapback'::regnamespace, 'snapback_internal'::regnamespace) AND has_schema_privilege(whom, 'snapback', 'USAGE')
      AND has_function_privilege(whom, p.oid, 'EXECUTE')
      AND EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = whom) ORDER BY 1 $$;
GRANT USAGE ON SCHEMA reg TO "regress Back""end";
SELECT snapback.grant_backend('"regress Back""end"');
SELECT proname FROM pg_proc WHERE oid IN (SELECT snapback_internal.backend_functions()) EXCEPT SELECT allowed('"regress Back""end"');
SELECT allowed('"regress Back""end"') EXCEPT SELECT proname FROM pg_proc WHERE oid IN (SELECT snapback_internal.backend_functions());
SET ROLE "regress Back""end";
SELECT left(reg.fails('SELECT snapback.set_directory(''reg.whole'')'), 5);
SELECT left(reg.fails('SELECT snapback.protect(''reg.cage'', ''a.b'')'), 5);
SELECT left(reg.fails('SELECT FROM snapback.directory'), 5);
RESET ROLE;
SELECT snapback.revoke_backend('"regress Back""end"');
SELECT allowed('"regress Back""end"');
SELECT has_schema_privilege('"regress Back""end"'::regrole, 'snapback', 'USAGE');
SELECT fails('SELECT snapback.grant_backend(''regress_nobody'')');

SET client_min_messages = warning;
DROP SCHEMA reg, mallory CASCADE;
DROP ROLE regress_mallory, "regress Back""end";
DROP EXTENSION pg_snapback CASCADE;
CREATE EXTENSION pg_snapback;
