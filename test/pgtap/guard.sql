-- The write guard: its triggers, the writers that it refuses, and the errors of a restore without it.
\set owner pgtap_guard_owner
\ir ../fixture/odd_names.sql
CREATE EXTENSION dblink;
CREATE EXTENSION snapback_test;
SELECT plan(116);

CREATE TEMP TABLE guarded AS SELECT relation FROM unnest('{"\"Odd Schema\".\"Weird \"\"Table\"\"\"","\"Odd Schema\".\"Child''s\"","\"Odd Schema\".plain"}'::regclass[]) relation;

-- ---- the triggers

SELECT trigger_is('Odd Schema', c.relname, t, 'snapback_internal', 'write_guard') FROM guarded g JOIN pg_class c ON c.oid = g.relation, unnest('{~snapback_write_guard,~snapback_truncate_guard}'::name[]) t;
SELECT is_empty('SELECT FROM pg_trigger WHERE tgrelid IN (SELECT relation FROM guarded) AND NOT tgisinternal AND tgenabled <> ''A''', 'all of them fire always, replication or not');
SELECT is_empty($$ SELECT FROM pg_trigger t WHERE t.tgrelid IN (SELECT relation FROM guarded) AND NOT tgisinternal
                   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.deptype = 'x') $$, 'and go with the extension');
SELECT is((SELECT array_agg(evtenabled ORDER BY evtname) FROM pg_event_trigger WHERE evtname LIKE 'snapback%'), '{O,O}', 'event triggers watch for new partitions and renamed columns');
SELECT is((SELECT array_agg(snapback_internal.guard_state(relation)) FROM guarded), '{enabled,enabled,enabled}', 'guard_state() says so');
SELECT is(snapback_internal.guard_state('"Odd Schema"."Tenants"'), 'missing', 'a table that is not protected has none');
SELECT is(snapback_internal.guard_state(NULL), NULL, 'and no table has no state');

-- ---- invalid guards, the errors of a restore, and the repair by install_guard()

SELECT snapback.capture('1') AS one \gset
CREATE FUNCTION public.harmless() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN coalesce(NEW, OLD); END';
CREATE FUNCTION pg_temp.tampered(statement text, state text, status text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN NEXT is(snapback_internal.guard_state('"Odd Schema".plain'), state, statement);
    RETURN NEXT is((SELECT p.status FROM snapback.protection p WHERE relid = '"Odd Schema".plain'::regclass), status, 'the view tells');
    RETURN NEXT is((SELECT string_agg(h.concern, ',') FROM snapback.health() h WHERE h.subject = '"Odd Schema".plain'), 'guard', 'and so does health()');
    RETURN NEXT throws_ok($t$ SELECT snapback.restore('{even.plain}', NULL, '1') $t$, '55000', '"Odd Schema".plain is not guarded: other sessions could write to it during the restore', 'a restore is refused');
    PERFORM snapback_internal.install_guard('"Odd Schema".plain');
    RETURN NEXT is(snapback_internal.guard_state('"Odd Schema".plain'), 'enabled', 'install_guard() mends it');
END $$;
SELECT pg_temp.tampered('ALTER TABLE "Odd Schema".plain DISABLE TRIGGER "~snapback_write_guard"', 'disabled', 'guard disabled');
SELECT pg_temp.tampered('ALTER TABLE "Odd Schema".plain ENABLE TRIGGER "~snapback_write_guard"', 'disabled', 'guard disabled');
SELECT pg_temp.tampered('ALTER TABLE "Odd Schema".plain ENABLE REPLICA TRIGGER "~snapback_truncate_guard"', 'disabled', 'guard disabled');
SELECT pg_temp.tampered('ALTER TABLE "Odd Schema".plain DISABLE TRIGGER ALL', 'disabled', 'guard disabled');
SELECT pg_temp.tampered('DROP TRIGGER "~snapback_write_guard" ON "Odd Schema".plain', 'missing', 'guard missing');
SELECT pg_temp.tampered('DROP TRIGGER "~snapback_truncate_guard" ON "Odd Schema".plain', 'missing', 'guard missing');
SELECT pg_temp.tampered('CREATE OR REPLACE TRIGGER "~snapback_write_guard" BEFORE INSERT OR UPDATE OR DELETE ON "Odd Schema".plain FOR EACH ROW EXECUTE FUNCTION public.harmless()',
                        'missing', 'guard missing');
SELECT pg_temp.tampered('CREATE OR REPLACE TRIGGER "~snapback_write_guard" BEFORE INSERT OR UPDATE ON "Odd Schema".plain FOR EACH ROW EXECUTE FUNCTION snapback_internal.write_guard()', 'missing', 'guard missing');
SELECT pg_temp.tampered('CREATE OR REPLACE TRIGGER "~snapback_write_guard" BEFORE INSERT OR DELETE OR UPDATE OF label ON "Odd Schema".plain FOR EACH ROW EXECUTE FUNCTION snapback_internal.write_guard()',
                        'missing', 'guard missing');
SELECT pg_temp.tampered('DROP TRIGGER "~snapback_write_guard" ON "Odd Schema".plain; CREATE TRIGGER "~snapback_write_guard" BEFORE INSERT OR UPDATE ON "Odd Schema".plain FOR EACH ROW WHEN (NEW.rank > 0)
                         EXECUTE FUNCTION snapback_internal.write_guard()', 'missing', 'guard missing');
SELECT is_empty('SELECT snapback.install_guards()', 'install_guards() finds nothing more to mend');

-- ---- invalid calls

SELECT throws_ok('SELECT snapback_internal.write_guard()', '39P01', 'snapback_internal.write_guard() is a trigger function', 'the guard is no function to call');
CREATE TABLE public.misused (id int);
CREATE TRIGGER late AFTER INSERT ON public.misused FOR EACH ROW EXECUTE FUNCTION snapback_internal.write_guard();
SELECT throws_ok('INSERT INTO public.misused VALUES (1)', '39P01', 'snapback_internal.write_guard() must be fired BEFORE, for each row or for TRUNCATE', 'nor one for after the fact');
DROP TRIGGER late ON public.misused;
CREATE TRIGGER once BEFORE INSERT ON public.misused FOR EACH STATEMENT EXECUTE FUNCTION snapback_internal.write_guard();
SELECT throws_ok('INSERT INTO public.misused VALUES (1)', '39P01', NULL, 'nor one for whole statements');

-- ---- partitions and children, also added ones

CREATE TABLE "Odd Schema"."Log" (id int, tenant int NOT NULL REFERENCES "Odd Schema"."Tenants", at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE "Odd Schema"."Log 2023" PARTITION OF "Odd Schema"."Log" FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
SELECT snapback.add_option('even.log', '', ''), snapback.protect('"Odd Schema"."Log"', 'even.log', 'tenant') \gset
CREATE TABLE "Odd Schema"."Log 2024" PARTITION OF "Odd Schema"."Log" FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY RANGE (id);
CREATE TABLE "Odd Schema"."Log 2024 low" PARTITION OF "Odd Schema"."Log 2024" FOR VALUES FROM (0) TO (100);
CREATE TABLE "Odd Schema"."Log 2025" (LIKE "Odd Schema"."Log" INCLUDING ALL);
ALTER TABLE "Odd Schema"."Log" ATTACH PARTITION "Odd Schema"."Log 2025" FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
SELECT results_eq($$ SELECT member::text, depth FROM snapback_internal.guard_members('"Odd Schema"."Log"') ORDER BY member::text $$,
    $$ VALUES ('"Odd Schema"."Log 2023"', 1), ('"Odd Schema"."Log 2024 low"', 2), ('"Odd Schema"."Log 2024"', 1), ('"Odd Schema"."Log 2025"', 1), ('"Odd Schema"."Log"', 0) $$, 'a table has its partitions for members');
SELECT is(snapback_internal.guard_state(member), 'enabled', format('%s is guarded', member)) FROM snapback_internal.guard_members('"Odd Schema"."Log"');
ALTER TABLE "Odd Schema"."Log 2024 low" DISABLE TRIGGER "~snapback_truncate_guard";
SELECT is(snapback_internal.guard_state('"Odd Schema"."Log"'), 'disabled', 'a partition that is not is a gap in all of it');
SELECT is(ARRAY(SELECT snapback.install_guards()), '{"\"Odd Schema\".\"Log\""}'::text[], 'install_guards() mends what it finds');
SELECT is(snapback_internal.guard_state('"Odd Schema"."Log"'), 'enabled', 'and all is guarded again');

-- ---- refused writes while a restore holds a community, in another session

SELECT dblink_connect('other', format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), session_user)) AS _ \gset
SELECT dblink_exec('other', 'SET snapback.lock_timeout = ''1ms''') AS _ \gset
CREATE FUNCTION pg_temp.elsewhere(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN dblink_exec('other', statement);
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
SELECT is(snapback.is_locked('1'), false, 'nobody has the community');
BEGIN;
SELECT lives_ok($$ SELECT snapback_test.lock_for_restore('1') $$, 'a restore takes it');
SELECT is(snapback.is_locked('1'), true, 'is_locked() shows it');
SELECT is(snapback.is_locked('2'), false, 'of no other');
SELECT is(snapback.is_locked('01'), false, 'not even of one that looks alike');
SELECT is((SELECT l FROM dblink('other', $$ SELECT snapback.is_locked('1') $$) t (l boolean)), true, 'and others see it too');
SELECT is(pg_temp.elsewhere(statement), '55P03: community "1" is being restored', statement) FROM unnest(ARRAY[
    'INSERT INTO "Odd Schema".plain VALUES (100, 1)',
    'UPDATE "Odd Schema".plain SET rank = 0 WHERE id = 2',
    'UPDATE "Odd Schema".plain SET cid = 2 WHERE id = 2',
    'UPDATE "Odd Schema".plain SET cid = 1 WHERE id = 1',
    'DELETE FROM "Odd Schema".plain WHERE id = 2',
    'MERGE INTO "Odd Schema".plain p USING (VALUES (2)) v(id) ON p.id = v.id WHEN MATCHED THEN DELETE',
    'INSERT INTO "Odd Schema".plain VALUES (2, 1) ON CONFLICT (id) DO UPDATE SET rank = 0',
    'UPDATE "Odd Schema"."Weird ""Table""" SET "select" = NULL WHERE "Id''" = 2',
    'INSERT INTO "Odd Schema"."Child''s" (parent) VALUES (2)',
    'DELETE FROM "Odd Schema"."Child''s" WHERE parent = 2',
    'DELETE FROM "Odd Schema"."Log 2024"; INSERT INTO "Odd Schema"."Log 2024 low" VALUES (1, 1, ''2024-02-03'')',
    'SET session_replication_role = replica; DELETE FROM "Odd Schema".plain WHERE id = 2']) statement;
SELECT is(pg_temp.elsewhere('TRUNCATE "Odd Schema"."Child''s"'), '55P03: a community is being restored', 'TRUNCATE');
SELECT is(pg_temp.elsewhere('UPDATE "Odd Schema".plain SET rank = 1 WHERE cid = 2'), 'UPDATE 5', 'another community is written to');
SELECT is((SELECT n FROM dblink('other', 'SELECT count(*) FROM "Odd Schema".plain WHERE cid = 1') t (n bigint)), 5::bigint, 'and readers read');
SELECT is(pg_temp.elsewhere($$ DO 'BEGIN PERFORM snapback_test.lock_for_restore(''1''); END' $$), '55P03: could not lock community "1" for its restore within 1 ms', 'a second restore of it gives up');
SELECT lives_ok('UPDATE "Odd Schema".plain SET rank = 7 WHERE cid = 1', 'the restore itself writes');
SELECT lives_ok($$ SELECT snapback_test.lock_for_restore('2') $$, 'and may take another community');
COMMIT;
SELECT is(snapback.is_locked('1'), false, 'when it ends, nobody has the community');

-- ---- blockers of a restore, and transactions with older reads

BEGIN;
SELECT dblink_exec('other', 'BEGIN; UPDATE "Odd Schema".plain SET rank = 0 WHERE id = 2') AS _ \gset
SET LOCAL snapback.lock_timeout = '1ms';
SELECT throws_ok($$ SELECT snapback_test.lock_for_restore('1') $$, '55P03', 'could not lock community "1" for its restore within 1 ms', 'a writer that does not end keeps a restore away');
SELECT lives_ok($$ SELECT snapback_test.lock_for_restore('2') $$, 'but not from other communities');
SELECT dblink_exec('other', 'ROLLBACK') AS _ \gset
SELECT lives_ok($$ SELECT snapback_test.lock_for_restore('1') $$, 'until it ends');
COMMIT;
SELECT dblink_exec('other', 'BEGIN ISOLATION LEVEL REPEATABLE READ') AS _ \gset
SELECT n FROM dblink('other', 'SELECT rank FROM "Odd Schema".plain WHERE id = 2') t (n int) \gset
SELECT lives_ok($$ SELECT snapback.restore('{even.plain}', NULL, '1') $$, 'meanwhile a restore');
SELECT is(left(pg_temp.elsewhere('UPDATE "Odd Schema".plain SET rank = rank + 1 WHERE id = 4'), 5), '40001', 'who read before it writes back nothing');
SELECT dblink_exec('other', 'ROLLBACK') AS _ \gset
SELECT is((SELECT count(*) FROM snapback.restore_epoch WHERE community = '1'), 1::bigint, 'the last restore of a community is on record');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT throws_ok($$ SELECT snapback_test.lock_for_restore('1') $$, '25001', 'a restore cannot run above READ COMMITTED', 'a restore sees what is there, not what was');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT throws_ok($$ SELECT snapback.restore('{even.plain}', NULL, '1') $$, '25001', 'a restore cannot run above READ COMMITTED', 'for every caller');
COMMIT;
SELECT is(snapback_test.lock_for_restore(NULL)::text, NULL, 'no community is not locked');
SELECT dblink_disconnect('other') AS _ \gset

-- ---- without the guard

SELECT lives_ok('SELECT snapback_internal.remove_guard(''"Odd Schema"."Log"'')', 'the guard can be taken off');
SELECT is(snapback_internal.guard_state(member), 'missing', format('of %s too', member)) FROM snapback_internal.guard_members('"Odd Schema"."Log"');
SELECT lives_ok('SELECT snapback_internal.remove_guard(''"Odd Schema"."Log"'')', 'and again');

SELECT * FROM finish();
