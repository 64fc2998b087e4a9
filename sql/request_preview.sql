-- What an owner sees before the approval: figures, notes, skipped options; what a request stores; and when a strict one is refused.
-- Everything that would queue mail is rolled back, so that no worker starts.
\set ECHO none
\getenv source PG_ABS_SRCDIR
\set fixture :source '/test/fixture/communities.sql'
\o /dev/null
\i :fixture
SET client_min_messages = notice;
\pset format unaligned
\pset tuples_only on
CREATE TABLE department (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, label text, UNIQUE (cid, label));
CREATE TABLE member (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, department int REFERENCES department, name text);
CREATE TABLE share (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, token text UNIQUE);
CREATE TABLE late (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
INSERT INTO department SELECT i, 'a', 'd' || i FROM generate_series(1, 3) i;
INSERT INTO member SELECT i, 'a', 1 + i % 3, 'm' || i FROM generate_series(1, 9) i;
INSERT INTO share VALUES (1, 'a', 'secret-1'), (2, 'a', 'secret-2'), (3, 'b', 'secret-3');
SELECT snapback.protect('department', 'x.one'), snapback.protect('member', 'x.two'), snapback.protect('share', 'x.three');
SELECT snapback.add_option('x.one', 'Departments', ''), snapback.add_option('x.two', 'Members', ''), snapback.add_option('x.three', 'Shared <links>', '');
SELECT snapback.capture('a'), snapback.capture('b');
-- An option added after the snapshot, and one without a table.
SELECT snapback.add_option('x.late', 'Late', ''), snapback.add_option('x.empty', 'Empty', ''), snapback.add_category('y', 'Y', ''),
       snapback.add_option('y.late', 'Later', ''), snapback.add_category('z', 'Z', '');
SELECT snapback.protect('late', 'x.late'), snapback.protect('late', 'y.late');
SELECT id AS snapshot FROM snapback.snapshot WHERE community = 'a' \gset
SET snapback.smtp_url = 'smtp://localhost:1';
SET snapback.mail_from = 'restores@cms.example';
SET snapback.approve_url = 'https://cms.example/approve?t={token}';
SET snapback.requests_per_hour = 1000;
SET snapback.community = 'a';
SET snapback.account = 'ada';
-- Request a restore as the owner and create its secret; normally the mail worker does.
CREATE FUNCTION asked(categories text[], switches jsonb DEFAULT NULL, strict boolean DEFAULT false, snapshot uuid DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE made record;
BEGIN
    SELECT * INTO made FROM snapback.request_restore(categories, snapshot, switches => switches, strict => strict);
    INSERT INTO snapback.token (sha256, request) VALUES (sha256(convert_to(repeat('a', 42) || 'A', 'UTF8')), made.request);
    RETURN made.status;
END $$;
CREATE FUNCTION token() RETURNS text LANGUAGE sql AS $$ SELECT repeat('a', 42) || 'A' $$;
-- Figures greater than zero.
CREATE FUNCTION figures(object jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_object_agg(key, value) FROM jsonb_each(object) WHERE value NOT IN ('0', '[]', 'null') $$;
CREATE FUNCTION described() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT line FROM snapback.describe_request(token()) d CROSS JOIN LATERAL (
        SELECT 'option ' || figures(e)::text FROM jsonb_array_elements(d.options) e
        UNION ALL SELECT 'table ' || figures(e)::text FROM jsonb_array_elements(d.preview) e
        UNION ALL SELECT 'note ' || n FROM unnest(d.notes) n
        UNION ALL SELECT 'skipped ' || d.skipped_options::text WHERE d.skipped_options <> '[]'
        UNION ALL SELECT 'switches ' || d.switches::text
        UNION ALL SELECT 'strict' WHERE d.strict) AS l (line) $$;
CREATE FUNCTION approved() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(': ', r.status, r.reason) FROM snapback.approve_restore(token()) r $$;
\o
\set ECHO all

-- Nothing has changed yet.
BEGIN;
SELECT asked('{x.one}');
SELECT * FROM described();
ROLLBACK;

-- Members were deleted, with a department outside the options: it is restored, with a note.
DELETE FROM member WHERE department = 2;
DELETE FROM department WHERE id = 2;
UPDATE member SET name = 'changed' WHERE id = 2;
INSERT INTO member VALUES (10, 'a', 1, 'new');
BEGIN;
SELECT asked('{x.two}');
SELECT * FROM described();
SELECT * FROM snapback_internal.request_side_effects((SELECT id FROM snapback.request));
SELECT label, rows, figures FROM snapback_internal.request_contents((SELECT id FROM snapback.request));
SELECT t.relation, t.options, t.figures, t.digest ~ '^[0-9a-f]{64}$' FROM snapback.request r, snapback_internal.preview_tables(r.preview) t;
SELECT bool_or(d.preview::text ~ 'digest') FROM snapback.describe_request(token()) d;
SELECT detail - 'snapshot' FROM snapback.audit;
SELECT * FROM approved();
SELECT label, figures FROM snapback_internal.restored_parts((SELECT id FROM snapback.restore_run));
ROLLBACK;

-- A request stores its switches, and the restore uses them.
BEGIN;
SELECT asked('{x.one,x.two}', '{"actions": ["insert"]}');
SELECT * FROM described();
SELECT detail - 'snapshot' FROM snapback.audit;
SELECT fails($$UPDATE snapback.request SET switches = NULL$$);
SELECT fails($$UPDATE snapback.request SET strict = true$$);
SELECT fails($$UPDATE snapback.request SET preview = '[]'$$);
SELECT fails($$UPDATE snapback.request SET skipped_options = '{x.late}'$$);
SELECT skipped_options, switches, strict FROM snapback.requests;
SELECT * FROM approved();
SELECT switches, inserted, updated, deleted, cascaded, skipped FROM snapback.restores;
SELECT count(*), count(*) FILTER (WHERE name IN ('changed', 'new')) AS kept FROM member;
SELECT label, figures FROM snapback_internal.restored_parts((SELECT id FROM snapback.restore_run));
ROLLBACK;
SELECT fails($$SELECT asked('{x.one}', '{"actions": []}')$$);
SELECT fails($$SELECT asked('{x.one}', '{"colour": "red"}')$$);

-- Obstacles are reported instead, without names of blocking rows.
UPDATE share SET token = 'other-' || id WHERE cid = 'a';
UPDATE share SET token = 'secret-1' WHERE id = 3;
INSERT INTO share VALUES (4, 'b', 'secret-2');
SELECT fails($$SELECT asked('{x.three}')$$);
SELECT count(*) FROM snapback.request;
BEGIN;
SELECT asked('{x.three,x.one}', '{"on_conflict": "skip"}');
SELECT * FROM described();
SELECT * FROM approved();
ROLLBACK;
DELETE FROM share WHERE cid = 'b';

-- A category, or *, selects the options that the snapshot contains.
SELECT relation, options, inserts, obstacles, notes FROM snapback.preview_restore('{*}');
SELECT relation, options FROM snapback.preview_restore('{x}');
SELECT relation, options FROM snapback.preview_restore('{x.one}');
SELECT fails($$SELECT snapback.preview_restore('{x.one,x.late}')$$);
SELECT fails($$SELECT snapback.preview_restore('{*,x.empty}')$$);
SELECT fails($$SELECT snapback.preview_restore('{y}')$$);
SELECT fails($$SELECT snapback.preview_restore('{x,y,z}')$$);
SELECT fails($$SELECT snapback.preview_restore('{nothing}')$$);
SELECT fails($$SELECT asked('{y}')$$);
SELECT option FROM snapback.snapshot_contents(:'snapshot');
BEGIN;
SELECT asked('{*}');
SELECT options, skipped_options FROM snapback.request;
SELECT * FROM described() AS d (line) WHERE line !~ '^table';
SELECT * FROM approved();
SELECT options FROM snapback.restore_run;
ROLLBACK;
BEGIN;
SELECT relation FROM snapback.restore('{*}', NULL, 'a');
ROLLBACK;
-- A snapshot without rows.
BEGIN;
DELETE FROM snapback.coverage WHERE option IN ('x.one', 'x.two', 'x.three');
SELECT fails($$SELECT snapback.preview_restore('{*}')$$);
ROLLBACK;

-- Strict: the restore must match the preview.
BEGIN;
SELECT asked('{x.two}', NULL, true);
SELECT * FROM described() AS d (line) WHERE line ~ '^strict';
SELECT detail - 'snapshot' FROM snapback.audit;
SELECT * FROM approved();
ROLLBACK;
BEGIN;
SELECT asked('{x.two,x.one}', NULL, true);
SAVEPOINT changed;
-- Another row would have to be deleted.
INSERT INTO member VALUES (11, 'a', 1, 'newer');
SELECT status, reason, restore IS NOT NULL, jsonb_array_length(changes) FROM snapback.approve_restore(token());
SELECT state, sqlstate, message, jsonb_array_length(changed) FROM snapback.restore_run;
SELECT state FROM snapback.request;
SELECT * FROM snapback_internal.plan_changes((SELECT id FROM snapback.restore_run));
SELECT event, detail FROM snapback.audit WHERE event IN ('approval_refused', 'restore_failed');
SELECT kind, state FROM snapback.mail;
SELECT can_retry, is_strict, skipped_options, notes FROM snapback_internal.mail_facts((SELECT id FROM snapback.mail));
SELECT count(*) FROM snapback.health() WHERE concern = 'restore';
SELECT count(*) FROM member;
-- It is deleted: the restore succeeds.
DELETE FROM member WHERE id = 11;
SELECT * FROM approved();
SELECT state FROM snapback.restore_run ORDER BY requested_at;
SELECT count(*) FROM member;
ROLLBACK TO changed;
-- The same number of rows, but other rows.
DELETE FROM member WHERE id = 10;
INSERT INTO member VALUES (11, 'a', 1, 'newer');
SELECT figures(t) FROM snapback.approve_restore(token()) r, jsonb_array_elements(r.changes) t;
SELECT * FROM snapback_internal.plan_changes((SELECT id FROM snapback.restore_run));
ROLLBACK TO changed;
-- A change that the restore undoes in the same way does not change the plan; a change elsewhere does not either.
UPDATE member SET name = 'changed again' WHERE id = 2;
UPDATE share SET token = 'elsewhere' WHERE id = 1;
SELECT * FROM approved();
ROLLBACK TO changed;
-- A table that was to be unchanged is now written, and the reverse.
UPDATE department SET label = 'D' WHERE id = 3;
INSERT INTO department VALUES (2, 'a', 'd2');
SELECT * FROM approved();
SELECT * FROM snapback_internal.plan_changes((SELECT id FROM snapback.restore_run));
ROLLBACK TO changed;
-- Without strict, the current plan is executed.
INSERT INTO member VALUES (11, 'a', 1, 'newer');
SELECT asked('{x.two,x.one}');
INSERT INTO member VALUES (12, 'a', 1, 'newest');
SELECT * FROM approved();
SELECT * FROM snapback_internal.plan_changes((SELECT id FROM snapback.restore_run));
ROLLBACK;
SELECT snapback_internal.planned_now('00000000-0000-0000-0000-000000000000', '{x.one}', NULL) IS NULL;
SELECT snapback_internal.shown_preview(NULL) IS NULL, snapback_internal.shown_preview('[]');

-- A backend can read what the owner of its community may read.
CREATE ROLE regress_snapback_backend;
GRANT USAGE ON SCHEMA app TO regress_snapback_backend;
SELECT snapback.grant_backend('regress_snapback_backend');
SELECT id AS others FROM snapback.snapshot WHERE community = 'b' \gset
SET SESSION AUTHORIZATION regress_snapback_backend;
SELECT relation, inserts FROM snapback.preview_restore('{x.two}');
SELECT relation, inserts FROM snapback.preview_restore('{x.two}', community => 'a');
SELECT fails($$SELECT snapback.preview_restore('{x.two}', community => 'b')$$);
SELECT fails(format($$SELECT snapback.preview_restore('{x.two}', %L)$$, :'others'));
SELECT fails($$SELECT snapback.diff_rows(NULL, 'x.two', community => 'b')$$);
SELECT fails(format($$SELECT snapback.diff_rows(%L, 'x.two')$$, :'others'));
SELECT count(*) FROM snapback.list_snapshots('a');
SELECT count(*) FROM snapback.list_snapshots();
SELECT fails($$SELECT snapback.list_snapshots('b')$$);
SELECT count(*) FROM snapback.snapshot_contents(:'snapshot');
SELECT count(*) FROM snapback.snapshot_contents(:'others');
SELECT fails($$SELECT snapback.undo_restore(NULL)$$);
SELECT fails($$SELECT snapback_internal.plan_restore(NULL, NULL, NULL)$$);
-- A backend that specifies community and account in each call.
SET snapback.community = '';
SELECT relation, inserts FROM snapback.preview_restore('{x.three}', community => 'b');
SELECT count(*) FROM snapback.list_snapshots('b');
SELECT count(*) FROM snapback.snapshot_contents(:'others');
SELECT fails($$SELECT snapback.list_snapshots()$$);
SELECT fails($$SELECT snapback.preview_restore('{x.two}')$$);
RESET SESSION AUTHORIZATION;
SELECT snapback.revoke_backend('regress_snapback_backend');
DROP OWNED BY regress_snapback_backend;
DROP ROLE regress_snapback_backend;
SET snapback.community = 'a';

-- An owner undoes a restore by requesting its before_restore snapshot.
SELECT keep() FROM (SELECT watch('department'), watch('member'), watch('share')) w;
SELECT relation, inserted, updated, deleted, parents FROM snapback.restore('{x.two}', NULL, 'a');
SELECT changed();
SELECT s.id AS before_it, s.kind, s.label = 'before restore ' || r.restore AS labelled FROM snapback.list_snapshots('a') s JOIN snapback.restores r ON r.before_snapshot = s.id \gset
SELECT :'kind', :'labelled';
BEGIN;
SELECT asked('{*}', snapshot => :'before_it');
SELECT * FROM described() AS d (line) WHERE line !~ '^table';
SELECT * FROM approved();
SELECT changed();
ROLLBACK;

-- Options that share a table: a row counts for those whose filter it satisfies, in the snapshot or now, and an update for those with a changed column.
CREATE FUNCTION parts(options text[], switches jsonb DEFAULT NULL) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(' ', coalesce(p.option, '-'), p.label || ':', figures(to_jsonb(p.figures))::text)
    FROM (SELECT id FROM snapback.list_snapshots('a') WHERE kind = 'manual' LIMIT 1) s,
         snapback_internal.preview_parts(snapback_internal.planned_tables(s.id, snapback_internal.check_options(options, s.id), switches)) p $$;
CREATE FUNCTION newest_parts() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT p.label || ': ' || figures(to_jsonb(p.figures))
    FROM (SELECT id FROM snapback.restore_run ORDER BY ended_at DESC LIMIT 1) r, snapback_internal.restored_parts(r.id) p $$;
CREATE TABLE "set ting" (cid text REFERENCES community, "k ey" text, "condition 0" text, note text, department int REFERENCES department, PRIMARY KEY (cid, "k ey"));
CREATE TABLE use (id int PRIMARY KEY, cid text, "k ey" text, FOREIGN KEY (cid, "k ey") REFERENCES "set ting" ON DELETE CASCADE);
INSERT INTO "set ting" SELECT 'a', kind || '.' || n, 'v', 'n', 3 FROM unnest('{page,auth}'::text[]) kind, generate_series(1, 5) n;
INSERT INTO "set ting" VALUES ('a', 'else.1', 'v', 'n', NULL), ('b', 'page.1', 'v', 'n', NULL);
INSERT INTO use VALUES (1, 'a', 'auth.5');
SELECT snapback.add_option('x.pages', 'Pages', ''), snapback.add_option('x.auth', 'Auth', ''), snapback.add_option('x.notes', 'Notes', ''), snapback.add_option('x.moved', 'Moved', '');
SELECT snapback.protect('"set ting"', 'x.pages', filter => $$"k ey" LIKE 'page.%' AND "condition 0" = 'v'$$, community_column => 'cid'), snapback.protect('"set ting"', 'x.auth', filter => $$"k ey" ~ '^auth'$$),
       snapback.protect('"set ting"', 'x.notes', columns => '{note}'), snapback.protect('"set ting"', 'x.moved', filter => $$"condition 0" = 'w'$$), snapback.protect('use', 'x.two', community_column => 'cid');
SELECT snapback.capture('a') IS NOT NULL;
SELECT parts('{x.pages,x.auth,x.notes,x.moved}');
SELECT option, rows FROM snapback_internal.contents_of((SELECT id FROM snapback.snapshot ORDER BY captured_at DESC LIMIT 1)) WHERE option IN ('x.pages', 'x.auth', 'x.notes', 'x.moved');
DELETE FROM "set ting" WHERE "k ey" IN ('page.1', 'page.2');
UPDATE "set ting" SET "condition 0" = 'w' WHERE "k ey" = 'page.3' AND cid = 'a';
UPDATE "set ting" SET note = 'm' WHERE "k ey" IN ('page.4', 'else.1') AND cid = 'a';
INSERT INTO "set ting" VALUES ('a', 'page.6', 'v', 'n', NULL), ('a', 'auth.6', 'w', 'n', NULL), ('a', 'else.2', 'v', 'n', NULL);
SELECT parts('{x.pages,x.auth,x.notes,x.moved}');
SELECT parts('{x.auth}');
SELECT parts('{x.notes}');
SELECT parts('{x.auth,x.notes}', '{"rows": {"x.auth": [{"cid": "a", "k ey": "auth.6"}]}}');
SELECT sum(inserts), sum(updates), sum(deletes), sum(unchanged) FROM snapback.preview_restore('{x.pages,x.auth,x.notes,x.moved}');
BEGIN;
SELECT asked('{x.pages,x.auth,x.notes,x.moved}', NULL, true);
SELECT * FROM described() AS d (line) WHERE line !~ '^strict';
SAVEPOINT asked;
-- Changes are reported for their own options only.
UPDATE "set ting" SET note = 'o' WHERE "k ey" = 'auth.6';
DELETE FROM "set ting" WHERE "k ey" = 'auth.1';
SELECT * FROM approved();
SELECT * FROM snapback_internal.plan_changes((SELECT id FROM snapback.restore_run ORDER BY requested_at DESC LIMIT 1));
ROLLBACK TO asked;
SELECT * FROM approved();
SELECT newest_parts();
ROLLBACK;
-- Rows that remain, are cascaded, lose a reference, are skipped, and are restored outside the options.
INSERT INTO use VALUES (2, 'a', 'page.6'), (3, 'a', 'auth.6');
SELECT parts('{x.pages,x.auth}');
SELECT parts('{x.pages,x.auth}', '{"referenced": "cascade"}');
DELETE FROM use; DELETE FROM "set ting" WHERE cid = 'a'; UPDATE member SET department = NULL; DELETE FROM department WHERE id = 3;
SELECT parts('{x.pages,x.two}');
SELECT relation, inserted, parents FROM snapback.restore('{x.pages,x.two}', NULL, 'a');
SELECT newest_parts();
SELECT snapback.unprotect('department');
ALTER TABLE "set ting" ADD UNIQUE (department, "k ey");
UPDATE "set ting" SET department = 1 WHERE "k ey" ~ '4|5$';
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM use; DELETE FROM "set ting" WHERE cid = 'a'; UPDATE member SET department = NULL; DELETE FROM department WHERE id = 3;
INSERT INTO "set ting" VALUES ('b', 'page.4', 'v', 'n', 1), ('b', 'auth.5', 'v', 'n', 1);
SELECT parts('{x.pages,x.auth,x.notes}', '{"on_conflict": "skip"}');
SELECT parts('{x.pages,x.notes}', '{"on_conflict": "skip"}');

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
