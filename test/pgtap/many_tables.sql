-- What a preview and a restore cost by the number of tables and columns, where there is nothing to do: processor time, in sessions of their own.
CREATE EXTENSION IF NOT EXISTS pgtap;
SET client_min_messages = warning;
CREATE SCHEMA app;
CREATE TABLE app.community (id text PRIMARY KEY);
INSERT INTO app.community VALUES ('a'), ('b');
CREATE VIEW app.directory AS SELECT id AS community, id AS name, 'x' AS owner, 'x@example.org' AS owner_email, true AS restores_enabled FROM app.community;
CREATE TYPE app.state AS ENUM ('open', 'closed');
-- It adds many operator classes for the same types.
SELECT 'CREATE EXTENSION ' || name FROM pg_available_extensions WHERE name = 'btree_gist' \gexec

\set tables 60
SELECT format('CREATE TABLE app.t%s (id int PRIMARY KEY, cid text NOT NULL REFERENCES app.community, a int REFERENCES app.t%s, b int REFERENCES app.t%s, '
              'state app.state, label text, UNIQUE (cid, label, id))', n, greatest(1, n - 1), greatest(1, n / 2))
FROM generate_series(1, :tables) n \gexec
SELECT 'CREATE TABLE app.wide (id int PRIMARY KEY, cid text NOT NULL REFERENCES app.community, ' || string_agg(format('c%s int', n), ', ') || ')'
FROM generate_series(1, 1598) n \gexec
INSERT INTO app.wide SELECT n, CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 10) n;
DO $$
DECLARE
    tables int := (SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relname ~ '^t\d+$');
BEGIN
    PERFORM snapback.set_directory('app.directory');
    PERFORM snapback.add_category('x', '', ''), snapback.add_option('x.many', '', ''), snapback.add_option('x.wide', '', '');
    FOR i IN 1..tables LOOP
        EXECUTE format('INSERT INTO app.t%s SELECT n, CASE n %% 2 WHEN 0 THEN ''a'' ELSE ''b'' END, n, n, ''open'', ''x'' FROM generate_series(1, 10) n', i);
        PERFORM snapback.protect(format('app.t%s', i)::regclass, 'x.many');
    END LOOP;
    PERFORM snapback.protect('app.wide', 'x.wide');
    PERFORM snapback.capture('a');
END $$;

CREATE FUNCTION app.processor_ms() RETURNS numeric LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(split_part(pg_read_file('/proc/self/schedstat', 0, 100, true), ' ', 1)::numeric / 1e6, extract(epoch FROM clock_timestamp()) * 1000)
$$;
CREATE FUNCTION app.cost(statement text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    before numeric := app.processor_ms();
BEGIN
    EXECUTE statement;
    RETURN app.processor_ms() - before;
END $$;

\c
SELECT app.cost($$SELECT snapback.preview_restore('{x.many}', NULL, 'a')$$) AS preview_first, app.cost($$SELECT snapback.preview_restore('{x.many}', NULL, 'a')$$) AS preview_next \gset
\c
SELECT app.cost($$SELECT snapback.restore('{x.many}', NULL, 'a')$$) AS restore_first \gset
SELECT app.cost($$SELECT snapback.restore('{x.many}', NULL, 'a')$$) AS restore_next \gset
\c
SELECT app.cost($$SELECT snapback.preview_restore('{x.wide}', NULL, 'a')$$) AS preview_wide \gset
SELECT app.cost($$SELECT snapback.restore('{x.wide}', NULL, 'a')$$) AS restore_wide \gset

SELECT plan(6);
SELECT cmp_ok(:preview_first / :tables, '<', 5.0, 'the first preview of a session costs less than 5 ms a table');
SELECT cmp_ok(:preview_next / :tables, '<', 5.0, 'so does the next');
SELECT cmp_ok(:restore_first / :tables, '<', 10.0, 'the first restore costs less than 10 ms a table');
SELECT cmp_ok(:restore_next / :tables, '<', 10.0, 'so does the next');
SELECT cmp_ok(:preview_wide, '<', 1000.0, 'a preview of a table of 1,600 columns costs less than a second');
SELECT cmp_ok(:restore_wide, '<', 1000.0, 'so does a restore');
SELECT * FROM finish();
