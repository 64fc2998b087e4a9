-- Restores: their writes, their reports, their errors, and their states.
\set owner pgtap_restore_owner
\ir ../fixture/odd_names.sql
SELECT plan(96);

-- All data of the application by community: rows outside a restore's community never change.
CREATE FUNCTION public.rows_of(tenant int) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT 'w ' || w::text FROM "Odd Schema"."Weird ""Table""" w WHERE "Tenant Key" = tenant
    UNION ALL SELECT 'c ' || c::text FROM "Odd Schema"."Child's" c JOIN "Odd Schema"."Weird ""Table""" w ON w."Id'" = c.parent WHERE w."Tenant Key" = tenant
    UNION ALL SELECT 'p ' || p::text FROM "Odd Schema".plain p WHERE cid = tenant
$$;
CREATE TABLE public.then AS SELECT t, r FROM generate_series(1, 4) t, public.rows_of(t) r;
CREATE FUNCTION pg_temp.as_it_was(tenant int, name text) RETURNS text LANGUAGE sql AS $$
    SELECT bag_eq(format('SELECT public.rows_of(%s)', tenant), format('SELECT r FROM public.then WHERE t = %s', tenant), name)
$$;
SELECT snapback.capture('1') AS one, snapback.capture('2') AS two, snapback.capture('3') AS empty \gset

-- ---- the damage: rows with NULLs deleted, changed to and from NULL, and added

DELETE FROM "Odd Schema"."Weird ""Table""" WHERE "Id'" IN (0, 4, 10); -- and six children by cascade
UPDATE "Odd Schema"."Weird ""Table""" SET "select" = NULL, "array" = '{}', doc = 'null', "a b" = NULL WHERE "Id'" = 2;
UPDATE "Odd Schema"."Weird ""Table""" SET doc = NULL, "ünïcödé" = 'NaN' WHERE "Id'" = 6;
UPDATE "Odd Schema"."Child's" SET note = NULL WHERE parent = 8;
INSERT INTO "Odd Schema"."Weird ""Table""" VALUES (100, 1);
INSERT INTO "Odd Schema"."Child's" (parent) VALUES (100), (8);
UPDATE "Odd Schema".plain SET color = 'blue', rank = -1 WHERE cid = 1;
CREATE TABLE public.damaged AS SELECT r FROM public.rows_of(1) r;

SELECT results_eq($$ SELECT relation, ARRAY(SELECT unnest(options) ORDER BY 1), inserts, updates, deletes, unchanged, obstacles FROM snapback.preview_restore('{*}', NULL, '1') ORDER BY relation $$,
    $$ VALUES ('"Odd Schema"."Child''s"', '{odd.children}'::text[], 6::bigint, 2::bigint, 2::bigint, 12::bigint, '{}'::text[]),
              ('"Odd Schema"."Weird ""Table"""', '{odd.weird}', 3, 2, 1, 5, '{}'),
              ('"Odd Schema".plain', '{even.colors,even.plain}', 0, 5, 0, 0, '{}') $$, 'the preview counts rows');
SELECT bag_eq('SELECT public.rows_of(1)', 'SELECT r FROM public.damaged', 'and changes nothing');
SELECT results_eq($$ SELECT relation, inserted, updated, deleted, kept, parents, nulled FROM snapback.restore('{*}', NULL, '1') ORDER BY relation $$,
    $$ VALUES ('"Odd Schema"."Child''s"', 6::bigint, 2::bigint, 2::bigint, 0::bigint, 0::bigint, 0::bigint), ('"Odd Schema"."Weird ""Table"""', 3, 2, 1, 0, 0, 0), ('"Odd Schema".plain', 0, 5, 0, 0, 0, 0) $$,
    'a restore does what the preview said');
SELECT pg_temp.as_it_was(1, 'everything is as it was, NULLs and all');
SELECT pg_temp.as_it_was(2, 'and another community as it is');
SELECT results_eq($$ SELECT sum(inserts + updates + deletes), sum(unchanged) FROM snapback.preview_restore('{*}', NULL, '1') $$, $$ VALUES (0::numeric, 35::numeric) $$, 'nothing is left to restore');
SELECT results_eq($$ SELECT state, community, options, request, tables, inserted, updated, deleted FROM snapback.restores $$,
    $$ VALUES ('restored', '1', '{odd.weird,odd.children,even.plain,even.colors}'::text[], NULL::uuid, 3::bigint, 9::bigint, 9::bigint, 3::bigint) $$, 'it is on record');
SELECT results_eq('SELECT relation, figures FROM snapback.restore_table ORDER BY relation',
    $$ VALUES ('"Odd Schema"."Child''s"', '(6,2,2,12,0,0,0,0,0)'::snapback.plan_figures), ('"Odd Schema"."Weird ""Table"""', '(3,2,1,5,0,0,0,0,0)'), ('"Odd Schema".plain', '(0,5,0,0,0,0,0,0,0)') $$,
    'with the figures of the preview, table by table');
SELECT is(snapback_internal.total_figures(array_agg(t.figures)), '(9,9,3,17,0,0,0,0,0)', 'which can be added up') FROM snapback.restore_table t;
SELECT is(snapback_internal.total_figures(ARRAY['(1,2,3,4,5,6,7,8,9)', NULL, '(10,20,30,40,50,60,70,80,90)']::snapback.plan_figures[]), '(11,22,33,44,55,66,77,88,99)', 'each to its own');
SELECT is(snapback_internal.total_figures(f), '(0,0,0,0,0,0,0,0,0)', 'and are zero if there are none') FROM (VALUES (NULL::snapback.plan_figures[]), ('{}')) v (f);
SELECT is((SELECT restores FROM snapback.snapshots WHERE id = :'one'), 1::bigint, 'the snapshot tells that it was used');
SELECT is((SELECT nextval(pg_get_serial_sequence('"Odd Schema"."Child''s"', 'id')) > 42), true, 'sequences do not give numbers out again');

-- ---- and undo

SELECT before_snapshot AS before FROM snapback.restores \gset
SELECT results_eq(format('SELECT kind, label, rows FROM snapback.snapshots WHERE id = %L', :'before'),
                  format($$ SELECT 'before_restore', 'before restore ' || restore, 29::bigint FROM snapback.restores $$), 'what was there before is kept');
SELECT is((SELECT id FROM snapback_internal.check_snapshot('1', NULL)), :'one', 'but is not what one means by the newest snapshot');
SELECT lives_ok(format($$ SELECT snapback.restore('{*}', %L, '1') $$, :'before'), 'so a restore can be undone');
SELECT bag_eq('SELECT public.rows_of(1)', 'SELECT r FROM public.damaged', 'to the last byte');

-- ---- selected options

SELECT results_eq(format($$ SELECT relation, updated FROM snapback.restore('{even.colors}', %L, '1') $$, :'one'), $$ VALUES ('"Odd Schema".plain', 5::bigint) $$, 'an option of one column');
SELECT results_eq('SELECT DISTINCT color, rank FROM "Odd Schema".plain WHERE cid = 1', 'VALUES (NULL::text, -1)', 'restores that column, and no other');
SELECT lives_ok(format($$ SELECT snapback.restore('{odd}', %L, '1') $$, :'one'), 'a category');
SELECT is((SELECT count(*) FROM (SELECT public.rows_of(1) EXCEPT SELECT r FROM public.then WHERE t = 1) x), 5::bigint, 'restores its options, and no other');
INSERT INTO "Odd Schema".plain VALUES (200, 1, 'new');
SELECT results_eq(format($$ SELECT inserted, updated, deleted FROM snapback.restore('{even.colors}', %L, '1') $$, :'one'), 'VALUES (0::bigint, 0::bigint, 0::bigint)', 'an option of columns removes no row');
SELECT lives_ok(format($$ SELECT snapback.restore('{*}', %L, '1') $$, :'one'), 'all of it');
SELECT pg_temp.as_it_was(1, 'is all of it');

-- ---- no rows before, after, or to change

SELECT results_eq($$ SELECT relation, inserted, updated, deleted FROM snapback.restore('{*}', NULL, '3') ORDER BY relation $$,
    $$ VALUES ('"Odd Schema"."Child''s"', 0::bigint, 0::bigint, 0::bigint), ('"Odd Schema"."Weird ""Table"""', 0, 0, 0), ('"Odd Schema".plain', 0, 0, 0) $$, 'an empty community is restored to nothing');
INSERT INTO "Odd Schema"."Weird ""Table""" VALUES (300, 3);
INSERT INTO "Odd Schema".plain VALUES (300, 3);
SELECT results_eq($$ SELECT sum(inserted), sum(deleted) FROM snapback.restore('{*}', NULL, '3') $$, 'VALUES (0::numeric, 2::numeric)', 'rows that it got since go');
SELECT is_empty('SELECT public.rows_of(3)', 'and none is left');
DELETE FROM "Odd Schema"."Weird ""Table""" WHERE "Tenant Key" = 1;
DELETE FROM "Odd Schema".plain WHERE cid = 1;
SELECT is_empty('SELECT public.rows_of(1)', 'a community that has lost everything');
SELECT results_eq(format($$ SELECT sum(inserted), sum(updated), sum(deleted) FROM snapback.restore('{*}', %L, '1') $$, :'one'), 'VALUES (35::numeric, 0::numeric, 0::numeric)', 'gets everything back');
SELECT pg_temp.as_it_was(1, 'as it was');
SELECT pg_temp.as_it_was(2, 'and the other has what it had');

-- ---- any error undoes everything

CREATE FUNCTION pg_temp.refused(statement text, state text, message text, name text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    runs bigint := (SELECT count(*) FROM snapback.restore_run);
    was  text[] := ARRAY(SELECT t || r FROM generate_series(1, 4) t, public.rows_of(t) r ORDER BY 1);
BEGIN
    RETURN NEXT throws_ok(statement, state, message, name);
    RETURN NEXT ok(was = ARRAY(SELECT t || r FROM generate_series(1, 4) t, public.rows_of(t) r ORDER BY 1) AND runs = (SELECT count(*) FROM snapback.restore_run), 'and nothing has changed');
END $$;
SELECT pg_temp.refused(format($$ SELECT snapback.restore('{odd.none}', %L, '1') $$, :'one'), 'SB001', 'option or category does not exist: "odd.none"', 'an unknown option');
SELECT pg_temp.refused(format($$ SELECT snapback.restore('{}', %L, '1') $$, :'one'), 'SB001', 'no option is specified', 'no option');
SELECT pg_temp.refused(format($$ SELECT snapback.restore(NULL, %L, '1') $$, :'one'), 'SB001', 'no option is specified', 'NULL for options');
SELECT pg_temp.refused(format($$ SELECT snapback.restore('{*}', %L, '99') $$, :'one'), 'SB007', 'community "99" does not exist', 'an unknown community');
SELECT pg_temp.refused(format($$ SELECT snapback.restore('{*}', %L, NULL) $$, :'one'), 'SB007', NULL, 'NULL for a community');
SELECT pg_temp.refused(format($$ SELECT snapback.restore('{*}', %L, '2') $$, :'one'), 'SB008', format('community "2" has no snapshot %s', :'one'), 'another community''s snapshot');
SELECT pg_temp.refused($$ SELECT snapback.restore('{*}', '00000000-0000-0000-0000-000000000000', '1') $$, 'SB008', 'community "1" has no snapshot 00000000-0000-0000-0000-000000000000', 'a snapshot that there is not');
SELECT pg_temp.refused($$ SELECT snapback.restore('{*}', NULL, '4') $$, 'SB008', 'community "4" has no snapshot', 'a community that has none');
SELECT pg_temp.refused(format($$ SELECT snapback.restore('{*}', %L, '1', '[]') $$, :'one'), '22023', 'switches must be a jsonb object, not []', 'switches that are none');
SELECT pg_temp.refused(format($$ SELECT snapback.restore('{*}', %L, '1', '{"force": true}') $$, :'one'), '22023', 'switch "force" does not exist', 'a switch that there is not');
SELECT pg_temp.refused($$ SELECT snapback_internal.execute_restore('00000000-0000-0000-0000-000000000000') $$, '42704', 'restore 00000000-0000-0000-0000-000000000000 does not exist or has ended', 'a restore that nobody entered');
SELECT pg_temp.refused(format($$ SELECT snapback_internal.execute_restore(%L) $$, (SELECT restore FROM snapback.restores LIMIT 1)), '42704', NULL, 'a restore that is done');
SELECT pg_temp.refused($$ SELECT * FROM snapback.preview_restore('{*}', NULL, '4') $$, 'SB008', NULL, 'the preview says the same');
SELECT pg_temp.refused($$ SELECT * FROM snapback.diff_rows(NULL, 'odd.none', '1') $$, 'SB001', NULL, 'row by row too');

DELETE FROM "Odd Schema".plain WHERE id = 2;
INSERT INTO "Odd Schema".plain VALUES (1000, 2, 'label 2');
TRUNCATE public.then;
INSERT INTO public.then SELECT t, r FROM generate_series(1, 4) t, public.rows_of(t) r;
SELECT pg_temp.refused(format($$ SELECT snapback.restore('{even.plain}', %L, '1') $$, :'one'), '23505', NULL, 'a value that another community holds now');
SELECT is((SELECT cardinality(obstacles) FROM snapback.preview_restore('{even.plain}', :'one', '1')), 1, 'which the preview names');
DELETE FROM "Odd Schema".plain WHERE id = 1000;
INSERT INTO "Odd Schema".plain VALUES (2, 2, 'taken key');
SELECT pg_temp.refused(format($$ SELECT snapback.restore('{even.plain}', %L, '1') $$, :'one'), '23505', NULL, 'a key that another community holds now');
DELETE FROM "Odd Schema".plain WHERE id = 2;
ALTER TABLE "Odd Schema".plain ADD CONSTRAINT small CHECK (id <> 2);
SELECT pg_temp.refused(format($$ SELECT snapback.restore('{even.plain}', %L, '1') $$, :'one'), 'SB010', NULL, 'a row that the table takes no more');
ALTER TABLE "Odd Schema".plain DROP CONSTRAINT small;
REVOKE ALL ON "Odd Schema".plain FROM :owner;
SELECT pg_temp.refused(format($$ SELECT snapback.restore('{even.plain}', %L, '1') $$, :'one'), '42501', NULL, 'a table that its owner may not touch');
GRANT ALL ON "Odd Schema".plain TO :owner;
SELECT lives_ok(format($$ SELECT snapback.restore('{even.plain}', %L, '1') $$, :'one'), 'without obstacles it succeeds');

-- ---- states of a row of snapback.restore_run

CREATE FUNCTION pg_temp.entered(state text) RETURNS uuid LANGUAGE sql AS $$
    INSERT INTO snapback.restore_run (community, snapshot, options, state, before_snapshot, ended_at, message)
    VALUES ('1', gen_random_uuid(), '{odd.weird}', state, CASE WHEN state = 'restored' THEN gen_random_uuid() END,
            CASE WHEN state IN ('restored', 'failed', 'interrupted') THEN now() END, CASE WHEN state IN ('failed', 'interrupted') THEN 'x' END) RETURNING id
$$;
CREATE FUNCTION pg_temp.moved(before text, after text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    run       uuid := pg_temp.entered(before);
    statement text := format($u$ UPDATE snapback.restore_run SET state = %L, before_snapshot = %s, ended_at = %s, message = %s WHERE id = %L $u$, after,
        CASE WHEN after = 'restored' THEN 'gen_random_uuid()' ELSE 'NULL' END, CASE WHEN after IN ('restored', 'failed', 'interrupted') THEN 'now()' ELSE 'NULL' END,
        CASE WHEN after IN ('failed', 'interrupted') THEN '''x''' ELSE 'NULL' END, run);
BEGIN
    IF (before, after) IN (('queued', 'running'), ('running', 'restored'), ('running', 'failed'), ('running', 'interrupted')) THEN
        RETURN lives_ok(statement, format('a restore that is %s may become %s', before, after));
    END IF;
    RETURN throws_ok(statement, '55000', format('restore %s is %s and cannot become %s', run, before, after), format('a restore that is %s does not become %s', before, after));
END $$;
SELECT pg_temp.moved(b, a) FROM unnest('{queued,running,restored,failed,interrupted}'::text[]) b, unnest('{queued,running,restored,failed,interrupted}'::text[]) a WHERE a <> b;
SELECT throws_ok($$ SELECT pg_temp.entered('done') $$, '23514', NULL, 'a state that there is not');
SELECT throws_ok(format('UPDATE snapback.restore_run SET before_snapshot = NULL WHERE id = %L', pg_temp.entered('restored')), '23514', NULL, 'no restore is done without a way back');
SELECT throws_ok(format('UPDATE snapback.restore_run SET message = NULL WHERE id = %L', pg_temp.entered('failed')), '23514', NULL, 'none fails without a reason');
SELECT throws_ok(format('UPDATE snapback.restore_run SET ended_at = NULL WHERE id = %L', pg_temp.entered('interrupted')), '23514', NULL, 'none ends at no time');
SELECT throws_ok(format('UPDATE snapback.restore_run SET ended_at = now() WHERE id = %L', pg_temp.entered('running')), '23514', NULL, 'and what runs has not ended');
SELECT throws_ok($$ INSERT INTO snapback.restore_run (community, snapshot, options) VALUES ('1', gen_random_uuid(), '{}') $$, '23514', NULL, 'a restore is of something');

SELECT * FROM finish();
