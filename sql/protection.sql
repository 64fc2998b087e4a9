-- Which tables can be protected, by which path, and how the views show it.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS pg_snapback CASCADE;
CREATE EXTENSION pg_snapback;
\pset format unaligned
\pset tuples_only on

CREATE SCHEMA app;
CREATE SCHEMA "Other Place";
SET search_path = app;

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
CREATE FUNCTION refused(arguments text) RETURNS text LANGUAGE sql AS $$ SELECT fails('SELECT snapback.protect(' || arguments || ')') $$;
CREATE VIEW shown AS SELECT relation, options, path, key_columns, guard, status, problem FROM snapback.protection ORDER BY relation::text COLLATE "C";

CREATE TABLE communities (id uuid PRIMARY KEY, slug text NOT NULL UNIQUE, name text, home_page bigint);
CREATE TABLE pages (id bigint PRIMARY KEY, cid uuid NOT NULL REFERENCES communities, body text, words int GENERATED ALWAYS AS (length(body)) STORED);
ALTER TABLE communities ADD FOREIGN KEY (home_page) REFERENCES pages;
CREATE VIEW directory AS SELECT id::text AS community, name, ''::text AS owner, ''::text AS owner_email, true AS restores_enabled FROM communities;
SELECT snapback.add_category('a', '', ''), snapback.add_option('a.pages', '', ''), snapback.add_option('a.other', '', '');


-- Before a directory is set
SELECT refused($$ 'pages', 'a.pages' $$);
SELECT * FROM shown;
SELECT snapback.suggest();
SELECT snapback.protect('pages', 'a.pages', 'cid');
SELECT * FROM shown;
SELECT snapback.unprotect('pages');
SELECT snapback.set_directory('directory');


-- Relations that cannot be protected
CREATE VIEW a_view AS TABLE pages;
CREATE MATERIALIZED VIEW a_matview AS TABLE pages;
CREATE SEQUENCE a_sequence;
CREATE TYPE a_type AS (id int);
CREATE UNLOGGED TABLE an_unlogged (id int PRIMARY KEY, cid uuid NOT NULL REFERENCES communities);
CREATE TEMP TABLE a_temporary (id int PRIMARY KEY, cid uuid);
CREATE FOREIGN DATA WRAPPER app_nowhere;
CREATE SERVER app_nowhere FOREIGN DATA WRAPPER app_nowhere;
CREATE FOREIGN TABLE a_foreign (id int, cid uuid) SERVER app_nowhere;
CREATE TABLE log (id int, cid uuid NOT NULL REFERENCES communities, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE log_2024 PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (id);
CREATE TABLE log_2024_1 PARTITION OF log_2024 FOR VALUES IN (1);
CREATE TABLE log_u (id int, cid uuid, at date) PARTITION BY RANGE (at);
CREATE UNLOGGED TABLE log_u_2024 PARTITION OF log_u FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE log_f (id int, cid uuid, at date) PARTITION BY RANGE (at);
CREATE FOREIGN TABLE log_f_2024 PARTITION OF log_f FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') SERVER app_nowhere;
SELECT refused(format('%L, ''a.pages'', ''cid''', r))
FROM unnest('{a_view,a_matview,a_sequence,pages_pkey,an_unlogged,pg_temp.a_temporary,a_foreign,log_2024,log_2024_1,log_u,log_f,pg_class,information_schema.sql_features,snapback.option}'::text[]) r;
SELECT refused(r || ', ''a.pages''') FROM unnest(ARRAY['NULL', '99999999::oid::regclass', '''app.a_type''']) r;
SELECT refused($$ 'pages', $$ || o) FROM unnest(ARRAY[$$ 'a.missing' $$, $$ 'a' $$, 'NULL']) o;

SELECT fails('SELECT snapback_internal.lock_relation(99999999::oid::regclass)');
SELECT fails('SELECT snapback_internal.check_filter(99999999::oid::regclass, ''true'')');

-- Keys
CREATE TABLE keyless (id int, cid uuid NOT NULL REFERENCES communities);
SELECT refused($$ 'keyless', 'a.other' $$);
CREATE UNIQUE INDEX ON keyless (id);
SELECT refused($$ 'keyless', 'a.other' $$);
ALTER TABLE keyless ALTER id SET NOT NULL;
DROP INDEX keyless_id_idx;
CREATE UNIQUE INDEX ON keyless (id) WHERE id > 0;
CREATE UNIQUE INDEX ON keyless ((id + 1));
ALTER TABLE keyless ADD UNIQUE (id) DEFERRABLE;
CREATE INDEX ON keyless (id);
SELECT refused($$ 'keyless', 'a.other' $$);
CREATE UNIQUE INDEX ON keyless (id, cid) INCLUDE (cid);
SELECT snapback_internal.key_columns('keyless');
SELECT snapback.protect('keyless', 'a.other');
SELECT snapback.unprotect('keyless');
DROP TABLE keyless;

-- Large objects
CREATE DOMAIN lo AS oid;
CREATE DOMAIN inner_lo AS lo;
CREATE TABLE big (id int PRIMARY KEY, cid uuid NOT NULL REFERENCES communities, data oid);
SELECT refused($$ 'big', 'a.other' $$);
ALTER TABLE big ALTER data TYPE inner_lo;
SELECT refused($$ 'big', 'a.other' $$);
ALTER TABLE big ALTER data TYPE lo[] USING NULL;
SELECT refused($$ 'big', 'a.other' $$);
DROP TABLE big;


-- Paths: a column of its own
SELECT snapback.protect('pages', 'a.pages');
SELECT * FROM shown WHERE to_regclass(relation) = 'pages'::regclass;
SELECT refused($$ 'pages', 'a.other', 'Cid' $$);
SELECT refused($$ 'pages', 'a.other', 'ctid' $$);
SELECT refused($$ 'pages', 'a.other', 'body' $$);
SELECT refused($$ 'pages', 'a.other', via := 'pages_cid_fkey' $$);
SELECT snapback.protect('pages', 'a.other', 'cid', columns := '{body}');
SELECT options FROM shown WHERE to_regclass(relation) = 'pages'::regclass;
CREATE TABLE pair (id int PRIMARY KEY, from_cid uuid REFERENCES communities, to_cid uuid REFERENCES communities);
SELECT refused($$ 'pair', 'a.other' $$);
ALTER TABLE pair ALTER to_cid SET NOT NULL;
SELECT snapback.protect('pair', 'a.other');
SELECT path FROM shown WHERE to_regclass(relation) = 'pair'::regclass;
SET client_min_messages = notice;
CREATE TABLE maybe (id int PRIMARY KEY, cid uuid REFERENCES communities);
SELECT snapback.protect('maybe', 'a.other');
SET client_min_messages = warning;
CREATE TABLE loose (id int PRIMARY KEY, cid uuid NOT NULL);
SELECT refused($$ 'loose', 'a.other' $$);
SELECT refused($$ 'loose', 'a.other', $$ || c) FROM unnest(ARRAY[$$ 'Cid' $$, $$ 'ctid' $$, $$ via := 'cid' $$, $$ 'cid', 'nothing' $$]) c;
SELECT snapback.protect('loose', 'a.other', 'cid');
CREATE TABLE settings (cid uuid PRIMARY KEY REFERENCES communities, colour text);
SELECT snapback.protect('settings', 'a.other');
SELECT snapback.protect('communities', 'a.other');
SELECT path FROM shown WHERE to_regclass(relation) = 'communities'::regclass;
SELECT snapback.unprotect('communities');

-- Paths: chains of foreign keys
CREATE TABLE sections (id int, page bigint NOT NULL CONSTRAINT "To the Page" REFERENCES pages, up int, PRIMARY KEY (id, page),
                       CONSTRAINT upwards FOREIGN KEY (up, page) REFERENCES sections);
CREATE TABLE notes (id int PRIMARY KEY, section int NOT NULL, page bigint NOT NULL, author int,
                    CONSTRAINT in_section FOREIGN KEY (section, page) REFERENCES sections);
SELECT refused($$ 'notes', 'a.other' $$);
SELECT refused($$ 'notes', 'a.other', via := 'in_section' $$);
SELECT snapback.protect('sections', 'a.other');
SELECT snapback.protect('notes', 'a.other');
SELECT relation, path FROM shown WHERE to_regclass(relation) IN ('notes'::regclass, 'sections');
SELECT refused($$ 'notes', 'a.pages', 'page' $$);
SELECT refused($$ 'notes', 'a.pages', 'page', 'in_section' $$);
SELECT refused($$ 'notes', 'a.pages', via := 'nothing' $$);
SELECT snapback.protect('notes', 'a.pages', via := 'in_section');
SELECT refused($$ 'loose', 'a.pages', via := 'in_section' $$);
SELECT fails('SELECT snapback.unprotect(''pages'')');
SELECT fails('SELECT snapback.unprotect(''sections'')');
SELECT snapback.unprotect('pages', 'a.other');
SELECT snapback.unprotect('notes'), snapback.unprotect('sections');
SELECT refused($$ 'sections', 'a.other', via := 'upwards' $$);
SELECT refused($$ 'sections', 'a.other', via := 'To the page' $$);
SELECT snapback.protect('sections', 'a.other', via := 'To the Page', community_column := 'cid');
SELECT refused($$ 'sections', 'a.pages', via := 'To the Page', community_column := 'id' $$);
SELECT snapback.protect('sections', 'a.pages', via := 'To the Page');
SELECT refused($$ 'notes', 'a.other', via := 'in_section', community_column := 'cid' $$);
SELECT snapback.protect('notes', 'a.other');
SELECT relation, path, options FROM shown WHERE to_regclass(relation) IN ('notes'::regclass, 'sections');

-- Two foreign keys: to the same community, nullable, or to a table that is not protected yet
CREATE TABLE people (id int PRIMARY KEY, cid uuid NOT NULL REFERENCES communities);
CREATE TABLE visits (person int NOT NULL CONSTRAINT by REFERENCES people, page bigint NOT NULL CONSTRAINT of REFERENCES pages, PRIMARY KEY (person, page));
CREATE TABLE likes (id int PRIMARY KEY, person int CONSTRAINT by REFERENCES people, page bigint NOT NULL CONSTRAINT of REFERENCES pages);
CREATE TABLE thanks (id int PRIMARY KEY, person int CONSTRAINT by REFERENCES people, likes int NOT NULL CONSTRAINT for_what REFERENCES likes);
SELECT snapback.protect('people', 'a.other');
SELECT refused($$ 'visits', 'a.other' $$);
SELECT refused($$ 'thanks', 'a.other' $$);
SELECT snapback.suggest();
SELECT snapback.protect('visits', 'a.other', via := 'of'), snapback.protect('likes', 'a.other'), snapback.protect('thanks', 'a.other');
SELECT relation, path FROM shown WHERE to_regclass(relation) IN ('visits'::regclass, 'likes', 'thanks');
SET client_min_messages = notice;
CREATE TABLE hints (id int PRIMARY KEY, person int CONSTRAINT by REFERENCES people);
SELECT snapback.protect('hints', 'a.other');
SET client_min_messages = warning;

-- Nullable columns: rows leave their community there, anywhere on the path
CREATE TABLE drafts (id int PRIMARY KEY, cid uuid REFERENCES communities, slug text, CONSTRAINT has_community CHECK (cid IS NOT NULL) NOT VALID);
CREATE TABLE "Draft""s lines" (id int PRIMARY KEY, "Draft" int CONSTRAINT of REFERENCES drafts);
CREATE TABLE draft_notes (id int PRIMARY KEY, line int NOT NULL CONSTRAINT on_line REFERENCES "Draft""s lines");
CREATE TABLE mirrors (id int PRIMARY KEY, page bigint NOT NULL CONSTRAINT of REFERENCES pages, cid uuid);
CREATE UNIQUE INDEX ON drafts (id, cid);
ALTER TABLE mirrors ADD draft int NOT NULL, ADD CONSTRAINT shared FOREIGN KEY (draft, cid) REFERENCES drafts (id, cid);
CREATE VIEW noted AS SELECT relation, path, status, note FROM snapback.protection WHERE note IS NOT NULL ORDER BY relation::text COLLATE "C";
SET client_min_messages = notice;
SELECT snapback.protect('drafts', 'a.other');
SELECT snapback.protect('"Draft""s lines"', 'a.other');
SELECT snapback.protect('draft_notes', 'a.other');
SELECT snapback.protect('mirrors', 'a.other', via := 'shared', community_column := 'cid');
SELECT snapback.protect('mirrors', 'a.pages');
SET client_min_messages = warning;
SELECT * FROM noted WHERE relation::text ~* 'draft|mirror';
ALTER TABLE drafts VALIDATE CONSTRAINT has_community;
ALTER TABLE "Draft""s lines" ALTER "Draft" SET NOT NULL;
SELECT * FROM noted WHERE relation::text ~* 'draft|mirror';
ALTER TABLE mirrors ALTER cid SET NOT NULL;
SELECT * FROM noted WHERE relation::text ~* 'draft|mirror';
SELECT relation FROM noted;
-- health() reports such rows if the statistics show them
SELECT concern, subject, problem FROM snapback.health() WHERE concern = 'outside' ORDER BY 2;
INSERT INTO hints VALUES (1), (2);
INSERT INTO maybe VALUES (1);
SELECT concern, subject, problem FROM snapback.health() WHERE concern = 'outside' ORDER BY 2;
ANALYZE hints, maybe, drafts;
SELECT * FROM snapback.health() WHERE concern = 'outside' ORDER BY 2;
DELETE FROM hints;
ANALYZE hints, maybe;
SELECT concern, subject, problem FROM snapback.health() WHERE concern = 'outside' ORDER BY 2;
DELETE FROM maybe;
ANALYZE maybe;
SELECT snapback.unprotect('draft_notes'), snapback.unprotect('"Draft""s lines"'), snapback.unprotect('mirrors'), snapback.unprotect('drafts');
DROP TABLE mirrors, draft_notes, "Draft""s lines", drafts;

-- Columns without a foreign key whose name and type suggest a community: cid as in most tables, communityId after the table
CREATE TABLE "communityId_only" (id int PRIMARY KEY, "communityId" uuid NOT NULL);
CREATE TABLE beside (id int PRIMARY KEY, person int NOT NULL CONSTRAINT by REFERENCES people, cid uuid NOT NULL);
CREATE TABLE perhaps (id int PRIMARY KEY, "Cid" uuid, person int CONSTRAINT by REFERENCES people);
CREATE TABLE rather_not (id int PRIMARY KEY, cid uuid, person int NOT NULL CONSTRAINT by REFERENCES people);
CREATE TABLE undecided (id int PRIMARY KEY, cid uuid NOT NULL, community_id uuid NOT NULL);
CREATE TABLE parts (id int, cid uuid, PRIMARY KEY (id, cid)) PARTITION BY LIST (cid);
CREATE TABLE parts_default PARTITION OF parts DEFAULT;
CREATE TABLE of_parts (id int PRIMARY KEY, part int NOT NULL, its_cid uuid NOT NULL, CONSTRAINT of_part FOREIGN KEY (part, its_cid) REFERENCES parts);
-- and columns that do not: another type, generated, a foreign key to something else, temporary, of an extension, the directory, another name
CREATE TABLE not_a_number (id int PRIMARY KEY, cid int);
CREATE TABLE not_generated (id int PRIMARY KEY, text_of text, cid uuid GENERATED ALWAYS AS (NULL::uuid) STORED);
CREATE TABLE other_keys (cid uuid PRIMARY KEY);
CREATE TABLE not_its (id int PRIMARY KEY, community_id uuid REFERENCES other_keys);
CREATE TEMP TABLE not_lasting (id int PRIMARY KEY, cid uuid);
CREATE TABLE not_so_called (id int PRIMARY KEY, owner uuid);
SELECT count(DISTINCT snapback_internal.plain_name(n)) AS one FROM unnest('{communityId,community_id,"Community Id",COMMUNITY-ID}'::text[]) n;
CREATE VIEW not_a_table AS SELECT id, cid FROM beside;
ALTER EXTENSION pg_snapback ADD TABLE other_keys;
SELECT relation, status, problem FROM snapback.protection WHERE relation::text ~ '"communityId_only"|beside|perhaps|rather|undecided|parts|not_|other_keys' ORDER BY relation::text COLLATE "C";
SELECT s FROM snapback.suggest() s WHERE s ~ 'communityId_only|beside|perhaps|rather|undecided|parts|not_|other_keys';
-- health() agrees with suggest(): tables with one call, with alternative calls, or with none, and the hint for each
CREATE TABLE keyless (cid uuid NOT NULL REFERENCES communities);
CREATE TABLE drawers (id int PRIMARY KEY) INHERITS (undecided);
CREATE TABLE pathless (id int PRIMARY KEY) INHERITS (visits);
SELECT subject, problem, hint FROM snapback.health() WHERE concern = 'unprotected' AND subject ~ 'beside|undecided|keyless|drawers|pathless';
SELECT s FROM snapback.suggest('a.other') s WHERE s ~ 'beside|keyless|drawers|pathless';
SELECT fails('SELECT snapback.suggest(''a.none'')');
DROP TABLE drawers, keyless, pathless;
SELECT refused(format('%L, ''a.other''', r)) FROM unnest('{beside,rather_not,perhaps,undecided}'::text[]) r;
SELECT snapback.unprotect(r) FROM unnest('{beside,rather_not,perhaps}'::regclass[]) r;
SELECT format('%s: %s', relation, fails(replace(s, '<option>', 'a.other'))) FROM snapback.suggest() s CROSS JOIN LATERAL substring(s FROM 'app\.[a-z_"]+') relation WHERE s ~ '^SELECT' AND s ~ 'communityId_only|beside|perhaps|rather|parts';
SELECT snapback.unprotect(relid) FROM snapback.protection WHERE relid IN ('"communityId_only"'::regclass, 'beside', 'perhaps', 'rather_not') AND options <> '{}';
SELECT snapback.unprotect('of_parts'), snapback.unprotect('parts');
ALTER EXTENSION pg_snapback DROP TABLE other_keys;
DROP VIEW not_a_table;
DROP TABLE "communityId_only", beside, perhaps, rather_not, undecided, parts, of_parts, not_a_number, not_generated, not_its, other_keys, not_lasting, not_so_called;
SELECT s, snapback_internal.singular(s) FROM unnest('{companies,Tenants,boxes,classes,class,Team,addresses,statuses,spaces,sites}'::text[]) s;

-- A foreign key to another key of the table behind the directory
CREATE TABLE domains (name text PRIMARY KEY, slug text NOT NULL REFERENCES communities (slug));
SELECT snapback.protect('domains', 'a.other');
SELECT path FROM shown WHERE to_regclass(relation) = 'domains'::regclass;

-- A cycle
CREATE TABLE hen (id int PRIMARY KEY, egg int NOT NULL, cid uuid);
CREATE TABLE egg (id int PRIMARY KEY, hen int NOT NULL CONSTRAINT of_hen REFERENCES hen);
ALTER TABLE hen ADD CONSTRAINT of_egg FOREIGN KEY (egg) REFERENCES egg;
SELECT refused($$ 'hen', 'a.other', via := 'of_egg' $$);
SELECT snapback.protect('hen', 'a.other', 'cid'), snapback.protect('egg', 'a.other', via := 'of_hen');
ALTER TABLE hen DROP cid;
SELECT relation, status, problem FROM shown WHERE to_regclass(relation) IN ('hen'::regclass, 'egg');
SELECT refused($$ 'hen', 'a.other' $$);
SELECT refused($$ 'hen', 'a.other', via := 'of_egg' $$);
SELECT snapback.unprotect('egg'), snapback.unprotect('hen');
DROP TABLE hen, egg CASCADE;

-- Partitioned tables and inheritance: each child table has its own registration
SELECT snapback.protect('log', 'a.other');
-- a foreign key to a partition continues by the path of the partitioned table
CREATE TABLE log_note (id int PRIMARY KEY, log int NOT NULL, at date NOT NULL, CONSTRAINT to_part FOREIGN KEY (log, at) REFERENCES log_2024_1);
SELECT snapback.protect('log_note', 'a.other', via := 'to_part');
SELECT path, status FROM shown WHERE to_regclass(relation) = 'log_note'::regclass;
INSERT INTO communities VALUES ('00000000-0000-0000-0000-00000000000c', 'c');
INSERT INTO log VALUES (1, '00000000-0000-0000-0000-00000000000c', '2024-05-06');
INSERT INTO log_note VALUES (7, 1, '2024-05-06');
SELECT snapback.capture('00000000-0000-0000-0000-00000000000c') AS captured \gset
SELECT snapback.snapshot_rows(:'captured', 'log_note');
SELECT snapback.forget('00000000-0000-0000-0000-00000000000c'), snapback.unprotect('log_note');
DROP TABLE log_note;
DELETE FROM log;
DELETE FROM communities;
CREATE TABLE base (id int PRIMARY KEY, cid uuid NOT NULL REFERENCES communities);
CREATE TABLE derived (more text, PRIMARY KEY (id)) INHERITS (base);
SELECT snapback.protect('base', 'a.other');
SELECT relation, status, path FROM shown WHERE to_regclass(relation) IN ('log'::regclass, 'log_2024', 'base', 'derived');
SELECT snapback.protect('derived', 'a.other');
SELECT relation, status, path FROM shown WHERE to_regclass(relation) IN ('base'::regclass, 'derived');
SELECT snapback.unprotect('base');
SELECT relation, status, guard FROM shown WHERE to_regclass(relation) IN ('base'::regclass, 'derived');


-- Columns
SELECT refused($$ 'pages', 'a.pages', columns := $$ || c)
FROM unnest(ARRAY[$$ '{}' $$, $$ '{missing}' $$, $$ '{Body}' $$, $$ '{body,words}' $$, $$ '{id}' $$, $$ '{cid}' $$, $$ '{ctid}' $$, $$ '{NULL}' $$]) c;
SELECT refused($$ 'notes', 'a.other', columns := '{page}' $$);
SELECT columns FROM snapback.coverage WHERE table_id = (SELECT id FROM snapback.protected_table WHERE relation = 'pages'::regclass);
SELECT snapback.protect('settings', 'a.pages', columns := '{colour,colour}');
SELECT columns FROM snapback.coverage WHERE option = 'a.pages' AND table_id = (SELECT id FROM snapback.protected_table WHERE relation = 'settings'::regclass);


-- Filters
CREATE FUNCTION any_time(timestamptz DEFAULT clock_timestamp()) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END';
CREATE FUNCTION forbidden() RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION two() RETURNS SETOF boolean LANGUAGE sql IMMUTABLE AS 'VALUES (true), (false)';
SELECT f, refused(format('%L, %L, filter := %L', 'pages', 'a.pages', f)) FROM unnest(ARRAY[
    '', '   ', 'true) OR (true', 'true; DROP TABLE pages', '(true', 'true)', 'true --', 'true /*', E'true -- \n', '/* */', '''',
    'body', 'id', 'missing', 'pages.body = ''x''', 'app.pages.body = ''x''', 'pages IS NOT NULL', '*', 'pages.*',
    'true FROM pg_class', 'true WHERE true', 'true AS yes', 'true yes', 'DISTINCT true', 'true, true', 'true ORDER BY 1', 'true LIMIT 1',
    'true GROUP BY 1', 'true HAVING true', 'true FOR UPDATE', 'true UNION SELECT false', 'SELECT true', 'true WINDOW w AS ()',
    'EXISTS (SELECT FROM app.communities)', 'id = (SELECT 1)', 'id IN (SELECT 1)', 'id = ANY (ARRAY(SELECT 1))',
    'count(*) > 1', 'row_number() OVER () = 1', 'app.two()', 'app.two() OR true', 'random() > 0.5', 'app.any_time()', 'random() > 0.5 OR true',
    'nextval(''app.a_sequence'') > 1', '$1', 'ctid IS NULL', 'tableoid = 0', 'xmin IS NULL', 'words > 1', '1 / 0 = 1', 'unknown_function()', 'any_time(now())', 'id = ''x''', 'body::nosuchtype = ''x''']) f;
SELECT snapback.protect('pages', 'a.pages', filter := f) FROM unnest(ARRAY['body = ''it''''s'' AND id > 1', 'body ~ ''-- no comment''', E'true -- comment\n AND id > 1', 'NULL', 'true']) f;
SELECT filter FROM snapback.coverage WHERE option = 'a.pages' AND table_id = (SELECT id FROM snapback.protected_table WHERE relation = 'pages'::regclass);


-- Other owners: missing privileges, and code that must not run with the extension's privileges
CREATE ROLE regress_mallory;
GRANT USAGE ON SCHEMA app TO regress_mallory;
GRANT USAGE, CREATE ON SCHEMA "Other Place" TO regress_mallory;
REVOKE EXECUTE ON FUNCTION forbidden() FROM PUBLIC;
GRANT REFERENCES ON communities TO regress_mallory;
SET ROLE regress_mallory;
CREATE TABLE "Other Place"."Weird ""Table""" ("Id's" int PRIMARY KEY, "Com""munity" uuid NOT NULL CONSTRAINT "F K" REFERENCES app.communities, "Co,l{}" text);
CREATE FUNCTION "Other Place".spy(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RAISE WARNING 'spy is %', current_user;
    BEGIN
        PERFORM set_config('role', 'none', false);
    EXCEPTION WHEN others THEN
        RAISE WARNING '%', SQLERRM;
    END;
    BEGIN
        PERFORM FROM snapback.protected_table;
    EXCEPTION WHEN others THEN
        RAISE WARNING '%', SQLERRM;
    END;
    RETURN true;
END $$;
RESET ROLE;
SELECT refused($$ '"Other Place"."Weird ""Table"""', 'a.other', filter := 'app.forbidden()' $$);
SELECT snapback.protect('"Other Place"."Weird ""Table"""', 'a.other', columns := ARRAY['Co,l{}'], filter := '"Other Place".spy(''now'')');
SELECT current_user = session_user, current_setting('search_path');
SELECT * FROM shown WHERE relation::text ~ 'Weird';
SELECT snapback.unprotect('"Other Place"."Weird ""Table"""');
SELECT snapback.suggest();
CREATE TABLE "Other Place"."new
DROP TABLE x" (id int PRIMARY KEY, a int NOT NULL REFERENCES people, b bigint NOT NULL REFERENCES pages);
CREATE TABLE "Other Place"."no key" (id int, a int NOT NULL REFERENCES people);
CREATE TABLE "Other Place".pages (id int PRIMARY KEY, cid uuid NOT NULL REFERENCES communities);
CREATE TABLE "Other Place".lines (id int PRIMARY KEY, page int NOT NULL REFERENCES "Other Place".pages);
CREATE TABLE "Other Place".nowhere (id int PRIMARY KEY) INHERITS (people);
SELECT snapback.suggest();
DROP TABLE "Other Place"."new
DROP TABLE x", "Other Place"."no key", "Other Place".lines, "Other Place".pages, "Other Place".nowhere;

-- Row security that applies to the owner
ALTER TABLE "Other Place"."Weird ""Table""" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT refused($$ '"Other Place"."Weird ""Table"""', 'a.other' $$);
ALTER ROLE regress_mallory BYPASSRLS;
SELECT snapback.protect('"Other Place"."Weird ""Table"""', 'a.other');
ALTER ROLE regress_mallory NOBYPASSRLS;
SELECT status, problem FROM shown WHERE relation::text ~ 'Weird';
SELECT snapback.unprotect('"Other Place"."Weird ""Table"""');


-- Changes to protected tables
SELECT status, count(*) FROM snapback.protection GROUP BY 1 ORDER BY 1;
SELECT snapback.protect('pages', 'a.other', columns := '{body}');
ALTER TABLE pages DROP words CASCADE;
ALTER TABLE pages RENAME body TO "text";
SELECT status, columns FROM shown, snapback.coverage WHERE to_regclass(relation) = 'pages'::regclass AND table_id = snapback_internal.protected_table_id(relation) AND option = 'a.other';
ALTER TABLE pages DROP "text";
SELECT status, problem FROM shown WHERE to_regclass(relation) = 'pages'::regclass;
ALTER TABLE pages ADD "text" text;
SELECT snapback.protect('pages', 'a.pages', filter := 'text <> ''''');
ALTER TABLE pages ALTER "text" TYPE int USING 1;
SELECT status, problem FROM shown WHERE to_regclass(relation) = 'pages'::regclass;
SELECT snapback.protect('pages', 'a.pages');
ALTER TABLE pages RENAME cid TO tenant;
SELECT relation, status, path FROM shown WHERE to_regclass(relation) IN ('pages'::regclass, 'visits');
ALTER EVENT TRIGGER snapback_note_renamed_columns DISABLE;
ALTER TABLE pages RENAME tenant TO community;
ALTER EVENT TRIGGER snapback_note_renamed_columns ENABLE;
SELECT relation, status, problem FROM shown WHERE to_regclass(relation) IN ('pages'::regclass, 'visits');
SELECT snapback.protect('pages', 'a.pages');
SELECT relation, status, path FROM shown WHERE to_regclass(relation) IN ('pages'::regclass, 'visits');
ALTER TABLE visits RENAME CONSTRAINT of TO of_page;
SELECT status, problem FROM shown WHERE to_regclass(relation) = 'visits'::regclass;
SELECT snapback.protect('visits', 'a.other', via := 'of_page');
ALTER TABLE people DROP CONSTRAINT people_pkey CASCADE;
SELECT relation, status, problem FROM shown WHERE to_regclass(relation) IN ('people'::regclass, 'hints');
SELECT snapback.unprotect('hints'), snapback.unprotect('people');
SELECT snapback_internal.remove_guard('loose');
SELECT status, guard, problem FROM shown WHERE to_regclass(relation) = 'loose'::regclass;
SELECT snapback.install_guards();
SELECT status, guard FROM shown WHERE to_regclass(relation) = 'loose'::regclass;
ALTER TABLE loose DISABLE TRIGGER USER;
SELECT status, guard FROM shown WHERE to_regclass(relation) = 'loose'::regclass;
SELECT snapback.install_guards();
SELECT status, guard FROM shown WHERE to_regclass(relation) = 'loose'::regclass;
ALTER TABLE loose SET UNLOGGED;
SELECT status, problem FROM shown WHERE to_regclass(relation) = 'loose'::regclass;
DROP TABLE loose;
SELECT status, regexp_replace(problem, '\d+', 'OID') FROM shown WHERE status = 'relation gone';
SELECT snapback.unprotect(relid) FROM snapback.protection WHERE status = 'relation gone';
SELECT fails('SELECT snapback.unprotect(''loose'')');
SELECT fails('SELECT snapback.unprotect(''maybe'', ''a.pages'')');
SELECT fails('SELECT snapback.unprotect(NULL)');
SELECT fails('SELECT snapback.unprotect(NULL, ''a.pages'')');
SELECT snapback.unprotect('maybe', 'a.other');
SELECT snapback_internal.guard_state('maybe'), status FROM shown WHERE to_regclass(relation) = 'maybe'::regclass;


-- Every kind of community key
CREATE DOMAIN slug AS text CHECK (VALUE <> '');
CREATE FUNCTION path_for(type text, cast_to text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE tenant (key %s PRIMARY KEY); CREATE TABLE item (id int PRIMARY KEY, belongs_to %1$s NOT NULL REFERENCES tenant);
        CREATE VIEW tenants AS SELECT key::%s AS community, '''' AS name, '''' AS owner, '''' AS owner_email, true AS restores_enabled FROM tenant', type, cast_to);
    PERFORM snapback.set_directory('tenants');
    PERFORM snapback.protect('item', 'a.other');
    RAISE EXCEPTION 'path %', (SELECT path FROM shown WHERE to_regclass(relation) = 'item'::regclass);
EXCEPTION WHEN raise_exception THEN
    RETURN SQLERRM;
END $$;
SELECT t, path_for(t, 'text'), path_for(t, t) FROM unnest('{uuid,int,bigint,text,varchar(20),slug,numeric,date}'::text[]) t;


-- One schema per community
CREATE SCHEMA "Tenant A";
CREATE SCHEMA tenant_b;
CREATE SCHEMA tenant_c;
CREATE TABLE list (community text PRIMARY KEY, name text, owner text, owner_email text, restores_enabled boolean, schema_name name);
INSERT INTO list VALUES ('a', '', '', '', true, 'Tenant A'), ('b', '', '', '', true, 'tenant_b'), ('c', '', '', '', true, NULL);
SELECT snapback.set_directory('list');
CREATE TABLE "Tenant A"."Page" (id int PRIMARY KEY, body text);
CREATE TABLE "Tenant A".keyless (id int);
CREATE TABLE tenant_b."Page" (id int, body text);
SELECT relation, status FROM shown WHERE relation::text ~ '^("Tenant|tenant_)';
SELECT refused($$ '"Tenant A"."Page"', 'a.pages' $$);
ALTER TABLE tenant_b."Page" ADD PRIMARY KEY (id);
SELECT refused($$ '"Tenant A"."Page"', 'a.pages', columns := '{body,text}' $$);
SELECT s FROM snapback.suggest() s WHERE s ~ 'Tenant|tenant_';
SELECT snapback.protect('"Tenant A"."Page"', 'a.pages');
SELECT snapback.protect('tenant_b."Page"', 'a.other', columns := '{body}', filter := 'id > 1');
SELECT refused($$ '"Tenant A"."Page"', 'a.pages', 'id' $$);
UPDATE list SET schema_name = 'tenant_c' WHERE community = 'c';
SELECT relation, options, path, status, problem FROM shown WHERE relation IS NULL OR relation::text ~ '^("Tenant|tenant_)';
CREATE TABLE tenant_c."Page" (id int PRIMARY KEY);
SELECT relation, guard, status, problem FROM shown WHERE relation::text ~ '^tenant_c';
ALTER TABLE tenant_c."Page" ADD body text;
SELECT relation, guard, status, problem FROM shown WHERE relation::text ~ '^tenant_c';
SELECT snapback.install_guards();
SELECT relation, guard, status, problem FROM shown WHERE relation::text ~ '^tenant_c';
UPDATE list SET schema_name = 'tenant_b' WHERE community = 'c';
CREATE TABLE tenant_b.another (id int PRIMARY KEY);
SELECT refused($$ 'tenant_b.another', 'a.pages' $$);
UPDATE list SET schema_name = 'tenant_c' WHERE community = 'c';
SELECT fails('SELECT snapback.set_directory(''directory'')');
SELECT snapback.unprotect('tenant_b."Page"');
SELECT snapback_internal.guard_state('"Tenant A"."Page"');
SELECT snapback.set_directory('directory');


SET client_min_messages = warning;
DROP SCHEMA app, "Other Place", "Tenant A", tenant_b, tenant_c CASCADE;
DROP FOREIGN DATA WRAPPER app_nowhere CASCADE;
DROP ROLE regress_mallory;
DROP EXTENSION pg_snapback CASCADE;
CREATE EXTENSION pg_snapback;
