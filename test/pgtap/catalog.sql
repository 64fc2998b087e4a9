-- The API: every function with its signature, rules for every object, and errors of registration.
\set owner pgtap_catalog_owner
\ir ../fixture/odd_names.sql

-- The functions of docs/architecture.md for users: arguments, result, volatility, and whether they run with their owner's privileges.
CREATE TEMP TABLE contract (name text, arguments text, result text, volatility text, definer boolean);
INSERT INTO contract VALUES
    ('set_directory', 'directory regclass', 'void', 'volatile', false),
    ('add_category', 'category text, label text, description text', 'void', 'volatile', false),
    ('add_option', 'option text, label text, description text', 'void', 'volatile', false),
    ('remove_category', 'category text', 'void', 'volatile', false),
    ('remove_option', 'option text', 'void', 'volatile', false),
    ('protect', 'relation regclass, option text, community_column name DEFAULT NULL::name, via name DEFAULT NULL::name, columns name[] DEFAULT NULL::name[], filter text DEFAULT NULL::text',
        'void', 'volatile', false),
    ('unprotect', 'relation regclass, option text DEFAULT NULL::text', 'void', 'volatile', false),
    ('suggest', 'option text DEFAULT NULL::text', 'SETOF text', 'stable', false),
    ('install_guards', '', 'SETOF text', 'volatile', false),
    ('schedule', 'capture_at text DEFAULT ''0 3 * * *''::text', 'TABLE(job text, at text, command text)', 'volatile', false),
    ('unschedule', '', 'integer', 'volatile', false),
    ('process_queue', 'OUT requests_expired bigint, OUT restores_interrupted bigint, OUT restores_queued bigint, OUT mail_due bigint', 'record', 'volatile', true),
    ('grant_backend', 'role regrole', 'void', 'volatile', false),
    ('revoke_backend', 'role regrole', 'void', 'volatile', false),
    ('capture', 'community text, label text DEFAULT NULL::text', 'uuid', 'volatile', true),
    ('list_snapshots', 'community text DEFAULT NULL::text',
        'TABLE(id uuid, captured_at timestamp with time zone, expires_at timestamp with time zone, kind text, label text, status text, rows bigint, size bigint, restores bigint)', 'stable', true),
    ('snapshot_contents', 'snapshot uuid', 'TABLE(option text, label text, tables bigint, rows bigint, bytes bigint)', 'volatile', true),
    ('snapshot_rows', 'snapshot uuid, relation regclass', 'SETOF jsonb', 'volatile', false),
    ('verify', 'snapshot uuid DEFAULT NULL::uuid', 'TABLE(faulty uuid, relation text, fault text)', 'volatile', false),
    ('expire', 'OUT snapshots bigint, OUT chunks bigint', 'record', 'volatile', false),
    ('forget', 'community text, OUT snapshots bigint, OUT chunks bigint', 'record', 'volatile', false),
    ('adopt_snapshots', 'community text, since timestamp with time zone DEFAULT NULL::timestamp with time zone', 'bigint', 'volatile', false),
    ('exclude', 'relation regclass, reason text', 'void', 'volatile', false),
    ('unexclude', 'relation regclass', 'void', 'volatile', false),
    ('health', '', 'TABLE(concern text, subject text, problem text, hint text)', 'volatile', false),
    ('request_restore', 'categories text[], snapshot uuid DEFAULT NULL::uuid, community text DEFAULT NULL::text, requested_by text DEFAULT NULL::text', NULL, 'volatile', true),
    ('describe_request', 'token text', NULL, 'volatile', true),
    ('approve_restore', 'token text, community_name text DEFAULT NULL::text, background boolean DEFAULT false', 'TABLE(status text, reason text, restore uuid, changes jsonb)', 'volatile', true),
    ('cancel_request', 'request uuid', 'boolean', 'volatile', true),
    ('preview_restore', 'categories text[], snapshot uuid DEFAULT NULL::uuid, community text DEFAULT NULL::text', NULL, 'volatile', true),
    ('restore', 'categories text[], snapshot uuid, community text', NULL, 'volatile', true),
    ('is_locked', 'community text', 'boolean', 'volatile', true);

-- A trigger function and an event trigger function: PostgreSQL calls them, so nobody else needs EXECUTE.
CREATE TEMP TABLE definers AS SELECT name FROM contract WHERE definer
    UNION ALL VALUES ('diff_rows'), ('undo_restore'), ('health_shown_to'), ('own_restore_activity'), ('disowned_snapshots'), ('acting_community'), ('protection_of_tables'), ('guard_new_partition'), ('note_renamed_columns');

SELECT plan(32 * 4 + 70);

-- ---- signatures

-- Functions may get additional arguments with defaults; existing ones do not change.
CREATE VIEW pg_temp.functions AS
SELECT p.oid, p.proname::text AS name, p.oid::regprocedure::text AS signature, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result,
       p.prokind, p.prosecdef, p.proconfig, p.prosqlbody, p.proowner, p.proacl, p.prorettype, l.lanname, p.pronargs, p.pronargdefaults
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace IN ('snapback'::regnamespace, 'snapback_internal'::regnamespace);

SELECT is((SELECT count(*) FROM pg_temp.functions f WHERE f.name = c.name), 1::bigint, format('snapback.%s is there, once', c.name)) FROM contract c;
SELECT ok((SELECT f.arguments = c.arguments OR starts_with(f.arguments, c.arguments || ', ') AND f.arguments ~ ('^.{' || length(c.arguments) || '}(, [^,]+ DEFAULT [^,]+)+$')
           FROM pg_temp.functions f WHERE f.name = c.name),
          format('snapback.%s(%s) can be called so', c.name, c.arguments)) FROM contract c;
SELECT is((SELECT f.result FROM pg_temp.functions f WHERE f.name = c.name), coalesce(c.result, (SELECT f.result FROM pg_temp.functions f WHERE f.name = c.name)),
          format('snapback.%s returns what it should', c.name)) FROM contract c;
SELECT volatility_is('snapback', c.name, string_to_array(coalesce((SELECT string_agg(format_type(t, NULL), '|' ORDER BY n) FROM pg_proc p, unnest(p.proargtypes) WITH ORDINALITY u(t, n)
                                                                  WHERE p.pronamespace = 'snapback'::regnamespace AND p.proname = c.name), ''), '|')::name[], c.volatility,
                     format('snapback.%s is %s', c.name, c.volatility)) FROM contract c;

-- Functions that return tables may get additional columns; these exist with these types.
CREATE FUNCTION pg_temp.returns(function text, columns text) RETURNS text LANGUAGE sql AS $$
    SELECT is(ARRAY(SELECT c FROM unnest(string_to_array(columns, ', ')) c WHERE position(c IN f.result) = 0), '{}', format('snapback.%s returns %s', function, columns))
    FROM pg_temp.functions f WHERE f.name = function
$$;
SELECT pg_temp.returns('request_restore', 'request uuid, status text, expires_at timestamp with time zone');
SELECT pg_temp.returns('describe_request', 'request uuid, community text, name text, requested_by text, requested_at timestamp with time zone, expires_at timestamp with time zone, '
                       'snapshot uuid, captured_at timestamp with time zone, options jsonb, state text, name_required boolean');
SELECT pg_temp.returns('preview_restore', 'relation text, options text[], inserts bigint, updates bigint, deletes bigint, unchanged bigint, obstacles text[], notes text[]');
SELECT pg_temp.returns('restore', 'relation text, inserted bigint, updated bigint, deleted bigint, kept bigint, parents bigint, nulled bigint');
SELECT is((SELECT array_agg(prokind ORDER BY name) FROM pg_temp.functions WHERE name = 'capture_all'), '{p}', 'snapback.capture_all is a procedure');
SELECT columns_are('snapback', 'protection', '{relation,options,path,key_columns,guard,status,problem,note,relid}'::name[]);
SELECT columns_are('snapback', 'snapshots', '{id,community,captured_at,expires_at,kind,label,status,rows,size,restores}'::name[]);
SELECT is(ARRAY(SELECT c FROM unnest('{request,community,snapshot,options,requested_by,owner_email,requested_at,expires_at,state,ended_at,mail,mail_attempts,mailed_at,mail_error}'::name[]) c
                WHERE c NOT IN (SELECT attname FROM pg_attribute WHERE attrelid = 'snapback.requests'::regclass)), '{}', 'view requests has its columns');
SELECT is(ARRAY(SELECT c FROM unnest('{restore,community,snapshot,options,request,state,before_snapshot,requested_at,started_at,ended_at,sqlstate,message,tables,inserted,updated,deleted}'::name[]) c
                WHERE c NOT IN (SELECT attname FROM pg_attribute WHERE attrelid = 'snapback.restores'::regclass)), '{}', 'view restores has its columns');
SELECT columns_are('snapback', 'restore_progress', '{restore,community,request,pid,started_at,phase,relation,rows_done,rows_total}'::name[]);

-- ---- rules for every object

SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'snapback'::regnamespace AND c.relkind IN ('r', 'p')
                   AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) $$,
                'every table of the extension has a primary key: a publication for all tables refuses UPDATE and DELETE on others');
SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'snapback'::regnamespace AND c.relpersistence <> 'p' $$, 'and is permanent');
SELECT is_empty($$ SELECT signature FROM pg_temp.functions f WHERE coalesce(obj_description(f.oid, 'pg_proc'), '') = '' $$, 'every function has a comment');
SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'snapback'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p')
                   AND coalesce(obj_description(c.oid, 'pg_class'), '') = '' $$, 'every table and view has a comment');
SELECT isnt(obj_description('snapback'::regnamespace, 'pg_namespace'), NULL, 'the schema has one too');
SELECT is_empty($$ SELECT f.signature FROM pg_temp.functions f WHERE f.prosecdef AND NOT coalesce(f.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false) $$,
                'whatever runs with its owner''s rights has a locked search path');
SELECT is_empty($$ SELECT f.signature FROM pg_temp.functions f WHERE f.prokind = 'f' AND f.prosqlbody IS NULL
                   AND NOT (f.lanname = 'c' AND f.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype))
                   AND NOT coalesce(f.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false) $$,
                'and so has every function whose names are not bound when it is made');
SELECT set_eq('SELECT name FROM pg_temp.functions WHERE prosecdef', 'SELECT name FROM definers', 'these functions run with their owner''s rights, and no other');
SELECT set_eq($$ SELECT f.signature, a.grantee::regrole::text, a.privilege_type, a.is_grantable
                 FROM pg_temp.functions f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a WHERE a.grantee <> f.proowner $$,
              $$ SELECT f, 'pg_monitor' AS grantee, 'EXECUTE' AS privilege, false AS grantable
                 FROM unnest(ARRAY['snapback.health()', 'snapback_internal.health_shown_to(name)', 'snapback_internal.own_restore_activity()', 'snapback_internal.protection_of_tables()',
                              'snapback_internal.retention()', 'snapback_internal.disowned_snapshots()', 'snapback_internal.acting_community(text)']) f $$,
              'no function is granted to anybody, but to pg_monitor what it watches with');
SELECT set_eq($$ SELECT c.oid::regclass::text, a.grantee::regrole::text, a.privilege_type, a.is_grantable
                 FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'snapback'::regnamespace AND a.grantee <> c.relowner $$,
              $$ SELECT format('snapback.%s', v), 'pg_monitor' AS grantee, 'SELECT' AS privilege, false AS grantable FROM unnest('{protection,requests,restore_progress,restores,snapshots}'::text[]) v $$,
              'no table or sequence either, and to pg_monitor the views');
SELECT is_empty($$ SELECT attrelid::regclass, attname FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'snapback'::regnamespace) $$, 'no column by itself');
SELECT results_eq($$ SELECT a.grantee::regrole::text, a.privilege_type, a.is_grantable FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'snapback' AND a.grantee <> n.nspowner $$,
                  $$ VALUES ('pg_monitor', 'USAGE', false) $$, 'and of the schema its use');
SELECT is_empty($$ SELECT a.grantee FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'snapback_internal' AND a.grantee <> n.nspowner $$, 'of the internal one nobody has it');
SELECT is_empty($$ SELECT f.signature FROM pg_temp.functions f WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e') $$,
                'every function belongs to the extension');

-- ---- dumped data

CREATE VIEW pg_temp.dumped AS
SELECT c.oid::regclass AS relation, e.extcondition[array_position(e.extconfig, c.oid)] AS condition
FROM pg_class c CROSS JOIN pg_extension e WHERE e.extname = 'pg_snapback' AND c.relnamespace = 'snapback'::regnamespace AND c.relkind IN ('r', 'S');
SELECT is_empty('SELECT relation FROM pg_temp.dumped WHERE condition IS NULL', 'every table and sequence is marked for dumps');
SELECT set_eq('SELECT relation::text FROM pg_temp.dumped WHERE condition = ''WHERE false''', ARRAY['snapback.restore_epoch', 'snapback.removed_key', 'snapback.known_columns', 'snapback.known_labels'],
              'but for what names this cluster''s transactions and OIDs, all are dumped');
SELECT lives_ok((SELECT string_agg(format('SELECT FROM %s %s', relation, condition), '; ') FROM pg_temp.dumped), 'the conditions of dumps are valid SQL');
SELECT is_empty($$ SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_temp.dumped d ON d.relation = a.attrelid
                   WHERE a.atttypid IN ('oid'::regtype, 'xid'::regtype, 'xid8'::regtype) AND a.attnum > 0 AND d.condition <> 'WHERE false' $$,
                'nothing that is dumped holds a number that means nothing elsewhere');

-- ---- tables of the registration

SELECT has_pk('snapback', t, format('snapback.%s has a primary key', t)) FROM unnest('{directory,category,option,protected_table,coverage}'::name[]) t;
SELECT throws_ok($$ INSERT INTO snapback.directory VALUES ('pg_class', false) $$, '23514', NULL, 'a second directory cannot be entered');
SELECT throws_ok($$ INSERT INTO snapback.category VALUES ('Big', '', '') $$, '23514', NULL, 'nor a category with an odd name');
SELECT throws_ok($$ INSERT INTO snapback.option (option, label, description) VALUES ('odd', '', '') $$, '23514', NULL, 'nor an option without a category');
SELECT throws_ok($$ INSERT INTO snapback.option (option, label, description) VALUES ('none.x', '', '') $$, '23503', NULL, 'nor one of a category that there is not');
SELECT throws_ok($$ DELETE FROM snapback.category WHERE category = 'odd' $$, '23503', NULL, 'a category with options stays');
SELECT throws_ok($$ INSERT INTO snapback.protected_table (relation, relation_name) VALUES ('pg_class', 'x') $$, '23514', NULL, 'a protected table goes by OID or by name, not both');
SELECT throws_ok($$ INSERT INTO snapback.coverage (table_id, option, columns) SELECT id, 'odd.weird', '{}' FROM snapback.protected_table $$, '23514', NULL, 'coverage of no column is none');

-- ---- registration and its errors

SELECT results_eq($$ SELECT concat_ws(' | ', relation, options, path, key_columns, guard, status, problem) COLLATE "default" FROM snapback.protection ORDER BY relation::text $$,
    ARRAY['"Odd Schema"."Child''s" | {odd.children} | parent -> "Odd Schema"."Weird ""Table"""."Tenant Key" | {id} | enabled | protected',
          '"Odd Schema"."Weird ""Table""" | {odd.weird} | "Tenant Key" | {Id''} | enabled | protected',
          '"Odd Schema".plain | {even.plain,even.colors} | cid | {id} | enabled | protected'], 'the view shows odd names as they are');
SELECT is_empty('SELECT snapback.suggest()', 'nothing is left to suggest');

CREATE TABLE "Odd Schema"."Left ""Out""" (id int PRIMARY KEY, tenant int NOT NULL REFERENCES "Odd Schema"."Tenants");
CREATE TABLE "Odd Schema".keyless (tenant int NOT NULL REFERENCES "Odd Schema"."Tenants");
SELECT results_eq('SELECT snapback.suggest()', ARRAY['-- replace <option>, or print the calls for one option: SELECT snapback.suggest(''odd.weird'')',
    '-- "Odd Schema".keyless cannot be protected: "Odd Schema".keyless has no key that identifies its rows',
    'SELECT snapback.protect(''"Odd Schema"."Left ""Out"""'', ''<option>'', community_column := ''tenant'');'], 'what nobody protects is seen, with the call that does');
SELECT throws_ok($$ SELECT snapback.protect('"Odd Schema".keyless', 'odd.weird') $$, 'SB022', '"Odd Schema".keyless has no key that identifies its rows', 'a table without a key is refused');
SELECT throws_ok($$ SELECT snapback.protect('"Odd Schema"."Left ""Out"""', 'odd.none') $$, 'SB001', NULL, 'an option that there is not is refused');
SELECT throws_ok($$ SELECT snapback.protect(NULL, 'odd.weird') $$, '42P01', 'relation NULL does not exist', 'so is no table');
SELECT throws_ok($$ SELECT snapback.protect('pg_catalog.pg_class', 'odd.weird') $$, '42809', 'pg_class is a system table', 'and one of the system');
SELECT throws_ok($$ SELECT snapback.protect('snapback.chunk', 'odd.weird') $$, '42809', 'snapback.chunk is a table of pg_snapback', 'and one of ours');
SELECT throws_ok($$ SELECT snapback.protect('"Odd Schema"."The ""Directory"""', 'odd.weird') $$, '42809', '"Odd Schema"."The ""Directory""" is a view', 'and a view');
SELECT throws_ok($$ SELECT snapback.protect('"Odd Schema".plain', 'odd.weird', columns => '{id}') $$, '42P10', 'column "id" is part of the key of "Odd Schema".plain', 'a column of the key cannot be restored alone');
SELECT throws_ok($$ SELECT snapback.protect('"Odd Schema".plain', 'odd.weird', columns => '{no such}') $$, '42703', '"Odd Schema".plain has no column "no such"', 'nor one that there is not');
SELECT throws_ok($$ SELECT snapback.protect('"Odd Schema".plain', 'odd.weird', filter => 'rank') $$, '42804', NULL, 'a filter is a condition');
SELECT throws_ok($$ SELECT snapback.protect('"Odd Schema".plain', 'odd.weird', filter => 'random() < 0.5') $$, '0A000', NULL, 'and does not change its mind');
SELECT throws_ok($$ SELECT snapback.protect('"Odd Schema".plain', 'odd.weird', filter => 'true) OR (SELECT true') $$, NULL, NULL, 'a filter is one complete expression');
SELECT throws_ok($$ SELECT snapback.unprotect('"Odd Schema"."Weird ""Table"""') $$, '2BP01', 'cannot unprotect "Odd Schema"."Weird ""Table""" because the paths of other tables lead through it',
                 'a table that others'' paths lead through stays');
SELECT throws_ok($$ SELECT snapback.unprotect('"Odd Schema"."Left ""Out"""') $$, '42704', '"Odd Schema"."Left ""Out""" is not protected', 'what is not protected cannot be taken out');
SELECT throws_ok($$ SELECT snapback.remove_option('odd.weird') $$, '2BP01', 'cannot remove option "odd.weird" because it covers tables', 'an option with tables stays');
SELECT throws_ok($$ SELECT snapback.remove_category('none') $$, '42704', 'category "none" does not exist', 'a category that there is not cannot be removed');
SELECT throws_ok($$ SELECT snapback.add_category('Odd Name', '', '') $$, '22023', 'invalid category name "Odd Name"', 'names of categories are plain');
SELECT throws_ok($$ SELECT snapback.add_option('odd.Weird', '', '') $$, '22023', 'invalid option name "odd.Weird"', 'and those of options');
SELECT throws_ok($$ SELECT snapback.add_option('none.x', '', '') $$, '42704', 'category "none" of option "none.x" does not exist', 'an option needs its category');
SELECT throws_ok($$ SELECT snapback.set_directory('"Odd Schema".plain') $$, '42703', 'the directory "Odd Schema".plain has no column "community"', 'a directory has its columns');
SELECT lives_ok($$ SELECT snapback.protect('"Odd Schema"."Left ""Out"""', 'odd.weird') $$, 'a table may join an option');
SELECT lives_ok($$ SELECT snapback.unprotect('"Odd Schema"."Left ""Out"""') $$, 'and leave it');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = '"Odd Schema"."Left ""Out"""'::regclass AND tgfoid = 'snapback_internal.write_guard'::regproc), 0::bigint, 'its guard leaves with it');

-- ---- categories and options with their names

SELECT is(snapback_internal.expand_options('{*}'), '{odd.weird,odd.children,even.plain,even.colors}', '* is all, in the order of registration');
SELECT is(snapback_internal.expand_options('{even,odd.weird,even.plain}'), '{odd.weird,even.plain,even.colors}', 'whatever is named several times is meant once');
SELECT throws_ok($$ SELECT snapback_internal.expand_options('{odd,NULL,x}') $$, 'SB001', 'option or category does not exist: "NULL", "x"', 'what there is not is named');
SELECT throws_ok($$ SELECT snapback_internal.expand_options('{}') $$, 'SB001', 'no option is specified', 'nothing is nothing');
SELECT throws_ok($$ SELECT snapback_internal.expand_options(NULL) $$, 'SB001', 'no option is specified', 'and so is NULL');

SELECT * FROM finish();
