-- The planner settings of a session do not slow down the extension's queries, and are unchanged afterwards.
CREATE EXTENSION IF NOT EXISTS pgtap;
SET client_min_messages = warning;
CREATE SCHEMA app;
CREATE TABLE app.community (id text PRIMARY KEY);
INSERT INTO app.community VALUES ('a'), ('b');
CREATE VIEW app.directory AS SELECT id AS community, id AS name, 'x' AS owner, 'x@example.org' AS owner_email, true AS restores_enabled FROM app.community;
CREATE TABLE app.parent (id int PRIMARY KEY, cid text NOT NULL REFERENCES app.community, body text);
CREATE TABLE app.child (id int PRIMARY KEY, parent int NOT NULL REFERENCES app.parent, body text);
INSERT INTO app.parent SELECT n, CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END, 'x' FROM generate_series(1, 4000) n;
INSERT INTO app.child SELECT n, 1 + n % 4000, 'x' FROM generate_series(1, 8000) n;
CREATE INDEX ON app.child (parent);
ANALYZE app.parent, app.child;
DO $$ BEGIN
    PERFORM snapback.set_directory('app.directory');
    PERFORM snapback.add_category('x', '', ''), snapback.add_option('x.all', '', '');
    PERFORM snapback.protect('app.parent', 'x.all'), snapback.protect('app.child', 'x.all');
END $$;

CREATE FUNCTION app.processor_ms() RETURNS numeric LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(split_part(pg_read_file('/proc/self/schedstat', 0, 100, true), ' ', 1)::numeric / 1e6, extract(epoch FROM clock_timestamp()) * 1000)
$$;
-- The time of a capture, a preview, a restore of damage, health() and expire(): the better of two runs. Each is a separate
-- transaction, because foreign keys check the rows that a transaction has written again. The calling statement is
-- planned and compiled with the settings of the session; a function that does nothing measures that time.
CREATE TABLE app.cost (settings text, what text, ms numeric);
CREATE FUNCTION app.measure(its_settings text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    task   record;
    before numeric;
BEGIN
    FOR task IN SELECT * FROM (VALUES
        (0, 'nothing', 'SELECT snapback.is_locked(''a'')'),
        (1, 'capture', 'SELECT snapback.capture(''a'')'),
        (2, 'preview', 'SELECT snapback.preview_restore(''{*}'', NULL, ''a'')'),
        (3, 'restore', 'SELECT snapback.restore(''{*}'', NULL, ''a'')'),
        (4, 'health', 'SELECT snapback.health()'),
        (5, 'expire', 'SELECT snapback.expire()')) t(place, what, statement) ORDER BY place
    LOOP
        IF task.what = 'preview' THEN
            UPDATE app.child SET body = body || 'y' WHERE id % 3 = 0;
            DELETE FROM app.child WHERE id % 7 = 0;
        END IF;
        before := app.processor_ms();
        EXECUTE task.statement;
        INSERT INTO app.cost VALUES (its_settings, task.what, app.processor_ms() - before);
    END LOOP;
END $$;
SELECT app.measure('usual') AS _ \gset
SELECT app.measure('usual') AS _ \gset

\c
SELECT format('SET %I = %L', name, CASE WHEN vartype = 'bool' THEN 'off' ELSE value END)
FROM pg_settings JOIN (VALUES ('enable_*', NULL), ('jit_above_cost', '0'), ('jit_optimize_above_cost', '0'), ('jit_inline_above_cost', '0'),
    ('force_parallel_mode', 'on'), ('debug_parallel_query', 'on'), ('max_parallel_workers_per_gather', '4'), ('min_parallel_table_scan_size', '0'),
    ('parallel_setup_cost', '0'), ('plan_cache_mode', 'force_custom_plan'), ('work_mem', '64kB'), ('geqo_threshold', '2'), ('from_collapse_limit', '1'),
    ('join_collapse_limit', '1'), ('constraint_exclusion', 'off')) s(pattern, value) ON name = pattern OR pattern = 'enable_*' AND name LIKE 'enable\_%'
ORDER BY name \gexec
SET jit = on;
SET client_min_messages = warning;
CREATE TEMP TABLE before AS SELECT name, setting FROM pg_settings;
SELECT app.measure('hostile') AS _ \gset
SELECT app.measure('hostile') AS _ \gset
DO $$ BEGIN PERFORM snapback.restore('{no.such}', NULL, 'a'); EXCEPTION WHEN OTHERS THEN NULL; END $$;
CALL snapback.capture_all();
CALL snapback.expire_all();
CREATE TABLE app.changed AS SELECT name FROM pg_settings s JOIN before b USING (name) WHERE s.setting IS DISTINCT FROM b.setting;

\c
SELECT plan(7);
SELECT cmp_ok(max(net) FILTER (WHERE settings = 'hostile'), '<', 2 * max(net) FILTER (WHERE settings = 'usual') + 20, what || ' takes no more than twice the usual')
FROM (SELECT settings, what, min(ms) - min(min(ms)) FILTER (WHERE what = 'nothing') OVER (PARTITION BY settings) AS net FROM app.cost GROUP BY settings, what) c
WHERE what <> 'nothing' GROUP BY what ORDER BY what COLLATE "C";
SELECT is_empty('SELECT * FROM app.changed', 'every setting is as it was, after success and error, in procedures too');
SELECT is_empty($$ SELECT f FROM snapback_internal.backend_functions() f JOIN pg_proc p ON p.oid = f
    WHERE p.proname NOT IN ('is_locked', 'acting_community') AND NOT p.proconfig @> '{enable_nestloop=on,jit=off}' $$, 'whatever a backend calls has the settings, but for what reads no table, or is called for each row of a view');
SELECT * FROM finish();
