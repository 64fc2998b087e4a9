-- The processor time of a preview and a restore without changes, by the number of tables, columns, enum labels and options, in separate
-- sessions; and the time for each table that differs does not grow with the number of tables.
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
SELECT format('CREATE TYPE app.large AS ENUM (%s)', string_agg(quote_literal('label ' || n), ', ')) FROM generate_series(1, 3000) n \gexec
CREATE TABLE app.labelled (id int PRIMARY KEY, cid text NOT NULL REFERENCES app.community, a app.large, b app.large, c app.large[]);
INSERT INTO app.labelled SELECT n, CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END, 'label 1', 'label 2', '{label 3}' FROM generate_series(1, 10) n;
CREATE TABLE app.shared (id int PRIMARY KEY, cid text NOT NULL REFERENCES app.community, kind int, body text);
INSERT INTO app.shared SELECT n, 'a', n, 'x' FROM generate_series(1, 300) n;
INSERT INTO app.wide SELECT n, CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 10) n;
DO $$
DECLARE
    tables int := (SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relname ~ '^t\d+$');
BEGIN
    PERFORM snapback.set_directory('app.directory');
    PERFORM snapback.add_category('x', '', ''), snapback.add_option('x.many', '', ''), snapback.add_option('x.wide', '', ''),
            snapback.add_option('x.labelled', '', ''), snapback.add_option('x.few', '', ''), snapback.add_option('x.more', '', '');
    FOR i IN 1..tables LOOP
        EXECUTE format('INSERT INTO app.t%s SELECT n, CASE n %% 2 WHEN 0 THEN ''a'' ELSE ''b'' END, n, n, ''open'', ''x'' FROM generate_series(1, 10) n', i);
        PERFORM snapback.protect(format('app.t%s', i)::regclass, 'x.many');
    END LOOP;
    PERFORM snapback.protect('app.wide', 'x.wide'), snapback.protect('app.labelled', 'x.labelled');
    PERFORM snapback.add_category('shares', '', '');
    FOR i IN 1..300 LOOP
        PERFORM snapback.add_option('shares.o' || i, '', ''), snapback.protect('app.shared', 'shares.o' || i, filter := 'kind = ' || i);
    END LOOP;
    -- Tables that are only read need no guard.
    FOR i IN 1..300 LOOP
        EXECUTE format('CREATE TABLE app.seen%s (id int PRIMARY KEY, cid text NOT NULL, body text)', i);
        EXECUTE format('INSERT INTO app.seen%s VALUES (1, ''a'', ''x'')', i);
        INSERT INTO snapback.protected_table (relation, community_column, registered_column) VALUES (format('app.seen%s', i)::regclass, 'cid', 'cid');
        INSERT INTO snapback.coverage (table_id, option) SELECT max(t.id), o FROM snapback.protected_table t, unnest(ARRAY['x.more', CASE WHEN i <= 20 THEN 'x.few' END]) o
        WHERE o IS NOT NULL GROUP BY o;
    END LOOP;
    PERFORM snapback.capture('a');
    FOR i IN 1..300 LOOP
        EXECUTE format('UPDATE app.seen%s SET body = ''y''', i);
    END LOOP;
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

-- The limits are for a processor that takes 50 ms for this; a slower or busy one gets proportionally more time.
SELECT round(greatest(1, max(app.cost('SELECT count(md5(n::text)) FROM generate_series(1, 100000) n')) / 50), 2) AS slower FROM generate_series(1, 5) \gset
\c
SELECT app.cost($$SELECT snapback.preview_restore('{x.many}', NULL, 'a')$$) AS preview_first, app.cost($$SELECT snapback.preview_restore('{x.many}', NULL, 'a')$$) AS preview_next \gset
-- The first call of a session, the best of three: other work on the machine only adds to it.
\c
SELECT app.cost($$SELECT snapback.restore('{x.many}', NULL, 'a')$$) AS restore_first \gset
\c
SELECT least(:restore_first, app.cost($$SELECT snapback.restore('{x.many}', NULL, 'a')$$)) AS restore_first \gset
\c
SELECT least(:restore_first, app.cost($$SELECT snapback.restore('{x.many}', NULL, 'a')$$)) AS restore_first \gset
SELECT app.cost($$SELECT snapback.restore('{x.many}', NULL, 'a')$$) AS restore_next \gset
\c
SELECT app.cost($$SELECT snapback.preview_restore('{x.wide}', NULL, 'a')$$) AS preview_wide \gset
SELECT app.cost($$SELECT snapback.restore('{x.wide}', NULL, 'a')$$) AS restore_wide \gset
\c
SELECT app.cost($$SELECT snapback.preview_restore('{x.labelled}', NULL, 'a')$$) AS preview_labelled \gset
\c
SELECT app.cost($$SELECT snapback.preview_restore('{x.few}', NULL, 'a')$$) AS _, app.cost($$SELECT snapback.preview_restore('{x.more}', NULL, 'a')$$) AS more \gset
SELECT app.cost($$SELECT snapback.preview_restore('{x.few}', NULL, 'a')$$) AS few \gset
\c
SELECT app.cost($$SELECT snapback.preview_restore('{shares}', NULL, 'a')$$) AS shares_same \gset
UPDATE app.shared SET body = 'y';
SELECT app.cost($$SELECT snapback.preview_restore('{shares}', NULL, 'a')$$) AS shares_differ \gset

SELECT plan(10);
SELECT cmp_ok(:preview_first / :tables / :slower, '<', 5.0, 'the first preview of a session costs less than 5 ms a table');
SELECT cmp_ok(:preview_next / :tables / :slower, '<', 5.0, 'so does the next');
SELECT cmp_ok(:restore_first / :tables / :slower, '<', 10.0, 'the first restore costs less than 10 ms a table');
SELECT cmp_ok(:restore_next / :tables / :slower, '<', 10.0, 'so does the next');
SELECT cmp_ok(:preview_wide / :slower, '<', 1000.0, 'a preview of a table of 1,600 columns costs less than a second');
SELECT cmp_ok(:restore_wide / :slower, '<', 1000.0, 'so does a restore');
SELECT cmp_ok(:preview_labelled / :slower, '<', 500.0, 'a preview of a table with an enum of 3,000 labels costs less than half a second');
SELECT cmp_ok(:more / 300, '<', 1.5 * :few / 20, 'a table that differs costs the same among 300 as among 20');
SELECT cmp_ok(:shares_same / :slower, '<', 500.0, 'a preview of a table under 300 options costs less than half a second where nothing differs');
SELECT cmp_ok(:shares_differ / :slower, '<', 1500.0, 'and less than 1.5 s where rows of each differ');
\echo # :slower :preview_first :preview_next :restore_first :restore_next :preview_wide :restore_wide :preview_labelled :more :few :shares_same :shares_differ
SELECT * FROM finish();
