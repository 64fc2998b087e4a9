-- Snapshots: captures, contents, and expiration.
\set owner pgtap_snapshot_owner
\ir ../fixture/odd_names.sql
SELECT plan(90);

-- ---- captures

SELECT throws_ok($$ SELECT snapback.capture('99') $$, 'SB007', 'community ''99'' is not in the directory', 'an unknown community cannot be captured');
SELECT throws_ok($$ SELECT snapback.capture(NULL) $$, 'SB007', 'community NULL is not in the directory', 'nor none');
SELECT throws_ok($$ CALL snapback.capture_all(0) $$, '22023', 'batch must be at least 1', 'batches hold a community at least');
SELECT throws_ok($$ CALL snapback.capture_all(NULL) $$, '22023', 'batch must be at least 1', 'and not none');
SELECT snapback.capture('1', 'the "first"') AS one, snapback.capture('3') AS empty \gset
SELECT results_eq(format($$ SELECT community, kind, label, status, rows, restores FROM snapback.snapshots WHERE id = %L $$, :'one'),
                  $$ VALUES ('1', 'manual', 'the "first"', 'complete', 35::bigint, 0::bigint) $$, 'a capture makes a snapshot of all rows of a community');
SELECT results_eq(format($$ SELECT rows, size, status FROM snapback.snapshots WHERE id = %L $$, :'empty'), $$ VALUES (0::bigint, 0::bigint, 'complete') $$, 'an empty community has an empty one');
SELECT is((SELECT expires_at - captured_at FROM snapback.snapshots WHERE id = :'one'), interval '7 days', 'which can be restored for seven days');
SELECT results_eq(format($$ SELECT option, label, tables, rows FROM snapback.snapshot_contents(%L) $$, :'one'),
                  $$ VALUES ('odd.weird', 'Weird', 1::bigint, 10::bigint), ('odd.children', 'Children', 1, 20), ('even.plain', 'Plain', 1, 5), ('even.colors', 'Colors', 1, 5) $$, 'it holds each option');
SELECT results_eq(format($$ SELECT option, rows, bytes FROM snapback.snapshot_contents(%L) $$, :'empty'),
                  $$ VALUES ('odd.weird', 0::bigint, 0::bigint), ('odd.children', 0, 0), ('even.plain', 0, 0), ('even.colors', 0, 0) $$, 'so does the empty one, with no rows');
SELECT is(snapback_internal.snapshot_options(:'empty'), '{odd.weird,odd.children,even.plain,even.colors}', 'all of them can be restored from it');
SELECT bag_eq(format($$ SELECT r FROM snapback.snapshot_rows(%L, '"Odd Schema"."Weird ""Table"""') r $$, :'one'),
              $$ SELECT to_jsonb(w) FROM "Odd Schema"."Weird ""Table""" w WHERE "Tenant Key" = 1 $$, 'the rows in it are those of the table, NULLs and odd names and all');
SELECT results_eq(format($$ SELECT (r->>'id')::bigint FROM snapback.snapshot_rows(%L, '"Odd Schema"."Child''s"') r $$, :'one'),
                  $$ SELECT c.id FROM "Odd Schema"."Child's" c JOIN "Odd Schema"."Weird ""Table""" w ON w."Id'" = c.parent WHERE w."Tenant Key" = 1 ORDER BY c.id $$, 'in key order');
SELECT is_empty(format($$ SELECT snapback.snapshot_rows(%L, '"Odd Schema".plain') $$, :'empty'), 'of the empty one there are none');
SELECT throws_ok(format($$ SELECT snapback.snapshot_rows(%L, '"Odd Schema"."Tenants"') $$, :'one'), '42704', '"Odd Schema"."Tenants" is not protected', 'a table that is not protected has no rows in it');
SELECT throws_ok($$ SELECT snapback.snapshot_rows('00000000-0000-0000-0000-000000000000', '"Odd Schema".plain') $$, 'SB008', NULL, 'an unknown snapshot has no rows');
SELECT is_empty($$ SELECT * FROM snapback.snapshot_contents('00000000-0000-0000-0000-000000000000') $$, 'of which there are no contents');
SELECT is_empty($$ SELECT * FROM snapback.list_snapshots('99') $$, 'an unknown community has no snapshot');
SELECT throws_ok($$ SELECT * FROM snapback.list_snapshots(NULL) $$, '22023', 'no community is given', 'none is no community');

-- ---- equal data is stored once

SELECT snapback.capture('1') AS again \gset
SELECT is((SELECT count(*) FROM snapback.chunk), 3::bigint, 'a second capture of the same rows adds no chunk');
SELECT is((SELECT count(DISTINCT (table_id, shape, rows, bytes, chunks)) FROM snapback.base_table WHERE base IN (:'one', :'again')), 3::bigint, 'its manifest is the same');
SELECT is((SELECT count(DISTINCT manifest_sha256) FROM snapback.snapshot WHERE id IN (:'one', :'again')), 2::bigint, 'but sealed for itself');
UPDATE "Odd Schema".plain SET color = 'blue' WHERE cid = 1;
SELECT snapback.capture('1') AS changed \gset
SELECT is((SELECT count(*) FROM snapback.chunk), 4::bigint, 'where rows of one table have changed, there is one more');
SELECT is((SELECT array_agg(id ORDER BY captured_at DESC) FROM snapback.list_snapshots('1')), (SELECT array_agg(l.id) FROM snapback.list_snapshots('1') l), 'the list begins with the newest');
SELECT snapback.capture('2') AS two \gset
SELECT is((SELECT count(*) FROM snapback.chunk WHERE community = '2'), 3::bigint, 'nothing is shared among communities');

-- ---- several captures in one transaction: all or nothing

BEGIN;
SAVEPOINT before_capture;
SELECT snapback.capture('1') AS undone \gset
ROLLBACK TO before_capture;
COMMIT;
SELECT is_empty(format('SELECT FROM snapback.snapshot WHERE id = %L', :'undone'), 'a capture that is rolled back leaves nothing');
SELECT throws_ok($$ SELECT snapback_internal.capture_batch('{1,99}', 'never', '') $$, '23514', NULL, 'a kind that there is not is refused');
SELECT is((SELECT count(*) FROM snapback.snapshot), 5::bigint, 'and nothing of it is kept');

-- ---- constraints of the store

SELECT throws_ok($$ INSERT INTO snapback.snapshot (community, captured_at, kind, manifest_sha256) VALUES ('1', now(), 'odd', sha256('')) $$, '23514', NULL, 'a snapshot is of a known kind');
SELECT throws_ok($$ INSERT INTO snapback.snapshot (community, captured_at, kind, manifest_sha256) VALUES ('1', now(), 'manual', '\x00') $$, '23514', NULL, 'is sealed by a SHA-256');
SELECT throws_ok($$ INSERT INTO snapback.snapshot (captured_at, kind, manifest_sha256) VALUES (now(), 'manual', sha256('')) $$, '23502', NULL, 'and has a community');
SELECT throws_ok(format($$ INSERT INTO snapback.base_table SELECT %L, 99, sha256('?'), 0, 0, '', '' $$, :'one'), '23503', NULL, 'a table in it has a shape');
SELECT throws_ok(format($$ UPDATE snapback.base_table SET chunks = chunks || '\x00' WHERE base = %L $$, :'one'), '23514', NULL, 'and whole digests');
SELECT throws_ok(format($$ UPDATE snapback.base_table SET rows = -1 WHERE base = %L $$, :'one'), '23514', NULL, 'and not less than no row');
SELECT throws_ok(format($$ UPDATE snapback.base_table SET bytes = -1 WHERE base = %L $$, :'one'), '23514', NULL, 'nor less than no byte');
SELECT throws_ok($$ INSERT INTO snapback.chunk VALUES ('1', '\x00', '') $$, '23514', NULL, 'chunks go by their SHA-256');
SELECT throws_ok($$ INSERT INTO snapback.shape VALUES ('\x00', '') $$, '23514', NULL, 'and so do shapes');
SELECT throws_ok($$ DELETE FROM snapback.shape $$, '23503', NULL, 'a shape in use stays');

-- ---- damage is detected

SELECT is_empty('SELECT * FROM snapback.verify()', 'all is well');
SELECT is_empty(format('SELECT * FROM snapback.verify(%L)', :'one'), 'with each of them');
SELECT throws_ok($$ SELECT * FROM snapback.verify('00000000-0000-0000-0000-000000000000') $$, 'SB008', NULL, 'one that there is not cannot be verified');

-- Undo a statement; report the results of verify() meanwhile, and whether a restore or snapshot_rows() succeeds.
CREATE FUNCTION pg_temp.damaged_by(statement text, snapshot uuid, relation regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    faults text[];
    looked text;
    restored text;
BEGIN
    BEGIN
        EXECUTE statement;
        faults := ARRAY(SELECT concat_ws(': ', v.relation, v.fault) FROM snapback.verify(damaged_by.snapshot) v);
        BEGIN
            PERFORM snapback.snapshot_rows(damaged_by.snapshot, damaged_by.relation);
            looked := 'it was read';
        EXCEPTION WHEN OTHERS THEN
            looked := SQLSTATE;
        END;
        BEGIN
            PERFORM snapback.restore('{*}', damaged_by.snapshot, '1');
            restored := 'it was restored';
        EXCEPTION WHEN OTHERS THEN
            restored := SQLSTATE;
        END;
        RAISE EXCEPTION 'undo';
    EXCEPTION WHEN raise_exception THEN
        NULL;
    END;
    RETURN NEXT ok(cardinality(faults) > 0, 'verify finds: ' || statement);
    RETURN NEXT is(looked, 'XX001', 'and its rows are not shown');
    RETURN NEXT ok(restored IN ('XX001', 'SB005', 'SB008'), 'nor restored: ' || restored);
END $$;
SELECT pg_temp.damaged_by(format(statement, :'one'), :'one', '"Odd Schema"."Weird ""Table"""') FROM unnest(ARRAY[
    'UPDATE snapback.chunk SET data = set_byte(data, length(data) - 1, get_byte(data, length(data) - 1) # 1)',
    'UPDATE snapback.chunk SET data = substr(data, 1, length(data) - 1)',
    'UPDATE snapback.chunk SET data = ''''',
    'DELETE FROM snapback.chunk',
    'UPDATE snapback.chunk c SET data = (SELECT d.data FROM snapback.chunk d WHERE d.community = ''2'' LIMIT 1)',
    'UPDATE snapback.base_table SET rows = rows + 1 WHERE base = %L',
    'UPDATE snapback.base_table SET chunks = chunks || chunks WHERE base = %L',
    'UPDATE snapback.base_table SET chunks = '''' WHERE base = %L',
    'DELETE FROM snapback.base_table WHERE base = %L AND table_id = (SELECT min(table_id) FROM snapback.base_table)',
    'UPDATE snapback.shape SET definition = replace(definition, ''select'', ''delete'')',
    'UPDATE snapback.snapshot SET community = ''2'' WHERE id = %L']) statement;
SELECT is_empty('SELECT * FROM snapback.verify()', 'all is well again');

-- ---- expiration of snapshots

SELECT results_eq('SELECT * FROM snapback.expire()', 'VALUES (0::bigint, 0::bigint)', 'nothing is too old');
UPDATE snapback.snapshot SET captured_at = captured_at - interval '7 days' WHERE id IN (:'one', :'again');
SELECT is((SELECT array_agg(DISTINCT status) FROM snapback.snapshots WHERE id IN (:'one', :'again')), '{expired}', 'what is older than the retention shows as expired');
SELECT throws_ok(format($$ SELECT snapback.restore('{*}', %L, '1') $$, :'one'), 'SB004', format('snapshot %s has expired', :'one'), 'and cannot be restored, though nobody has swept');
SELECT results_eq('SELECT * FROM snapback.expire()', 'VALUES (2::bigint, 0::bigint)', 'expire() deletes both, and no chunk: a later snapshot is based on them');
SELECT is((SELECT count(*) FROM snapback.chunk WHERE community = '1'), 4::bigint, 'its base and its delta stay');
SELECT is_empty('SELECT * FROM snapback.verify()', 'and what is left is whole');
SET snapback.retention = '1h';
UPDATE snapback.snapshot SET captured_at = captured_at - interval '2 hours' WHERE id = :'changed';
SELECT is((SELECT status FROM snapback.snapshots WHERE id = :'changed'), 'expired', 'a shorter retention counts at once');
RESET snapback.retention;
SELECT is((SELECT status FROM snapback.snapshots WHERE id = :'changed'), 'complete', 'and so does a longer one');

SELECT throws_ok($$ SELECT snapback.erase_rows('1', '"Odd Schema".plain', NULL) $$, '22004', NULL, 'erase_rows() needs keys');
SELECT throws_ok($$ SELECT snapback.erase_rows('1', '"Odd Schema".plain', '{}') $$, '22023', 'keys must be a jsonb array', 'in an array');
SELECT throws_ok($$ SELECT snapback.forget(NULL) $$, '22004', 'community must not be null', 'forget() needs a community');
SELECT results_eq($$ SELECT * FROM snapback.forget('99') $$, 'VALUES (0::bigint, 0::bigint)', 'of an unknown one there is nothing to forget');
INSERT INTO snapback.capture_failure (community, sqlstate, message) VALUES ('1', 'XX000', 'x'), ('2', 'XX000', 'x');
SELECT results_eq($$ SELECT * FROM snapback.forget('1') $$, 'VALUES (1::bigint, 4::bigint)', 'forget() takes all snapshots and chunks of a community');
SELECT is_empty($$ SELECT community FROM snapback.snapshot WHERE community = '1' UNION ALL SELECT community FROM snapback.chunk WHERE community = '1'
                   UNION ALL SELECT community FROM snapback.capture_failure WHERE community = '1' UNION ALL SELECT community FROM snapback.audit WHERE community = '1' $$, 'nothing is left of it');
SELECT is((SELECT count(*) FROM snapback.snapshots WHERE community = '2'), 1::bigint, 'others keep theirs');
SELECT is((SELECT count(*) FROM snapback.capture_failure), 1::bigint, 'and what is on record of them');

SELECT * FROM finish();
