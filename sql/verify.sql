-- verify() and restores detect damage to every byte of stored data, and change nothing.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all
CREATE TABLE page (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, body text);
CREATE TABLE note (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, body text);
INSERT INTO page SELECT n, CASE WHEN n < 900 THEN 'a' ELSE 'b' END, (SELECT string_agg(md5((n * m)::text), '') FROM generate_series(1, 16) m) FROM generate_series(1, 1000) n;
INSERT INTO note SELECT n, CASE WHEN n < 4 THEN 'a' ELSE 'b' END, 'note ' || n FROM generate_series(1, 6) n;
SELECT snapback.protect('page', 'x.one'), snapback.protect('note', 'x.two'), watch('page'), watch('note');
CALL snapback.capture_all();
SELECT id AS snapshot FROM snapback.snapshot WHERE community = 'a' \gset
SELECT * FROM snapback.verify();
SELECT fails($$SELECT * FROM snapback.verify('00000000-0000-0000-0000-00000000000f')$$);
CREATE TABLE original AS SELECT * FROM state();
-- The damaged data must be needed: every row of community a has changed.
UPDATE page SET body = 'changed' WHERE cid = 'a';
UPDATE note SET body = 'changed' WHERE cid = 'a';
SELECT keep();
SELECT count(*) > 3 AS several FROM snapback.chunk WHERE community = 'a';

-- Cause damage by this statement, then report whether verify and restore detect it; undo the damage.
CREATE TYPE finding AS (verify text, restore text, changed bigint, whole boolean);
CREATE FUNCTION damage(statement text) RETURNS finding LANGUAGE plpgsql AS $$
DECLARE found finding;
BEGIN
    BEGIN
        EXECUTE statement;
        BEGIN
            SELECT coalesce(string_agg(DISTINCT regexp_replace(coalesce(v.relation || ': ', '') || v.fault, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}', '<id>', 'g'), '; '), 'sound')
            INTO found.verify FROM snapback.verify() v;
        EXCEPTION WHEN others THEN found.verify := 'ERROR ' || SQLSTATE;
        END;
        BEGIN
            PERFORM app.restored();
            found.restore := 'restored';
        EXCEPTION WHEN others THEN found.restore := SQLSTATE;
        END;
        SELECT count(*) INTO found.changed FROM app.changed();
        found.whole := NOT EXISTS (TABLE app.original EXCEPT SELECT * FROM app.state());
        RAISE EXCEPTION USING ERRCODE = 'ZZZZZ';
    EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN NULL;
    END;
    RETURN found;
END $$;
SELECT damage('SELECT 1');

-- Every bit of a small chunk, including those that zstd ignores.
SELECT (f).verify LIKE 'app.note: a chunk does not have the checksum%' AS found, (f).restore, (f).changed, (f).whole, count(*) > 250 AS most
FROM (SELECT length(data) AS size, sha256 FROM snapback.chunk c WHERE community = 'a' AND length(data) < 200) c,
     generate_series(0, c.size * 8 - 1) n, damage(format('UPDATE snapback.chunk SET data = set_bit(data, %s, 1 - get_bit(data, %s)) WHERE sha256 = %L', n, n, c.sha256)) f
GROUP BY 1, 2, 3, 4 ORDER BY 1 DESC;
-- Some bytes of the large ones.
SELECT (f).verify <> 'sound' AS found, (f).restore, (f).changed
FROM (SELECT length(data) AS size, sha256 FROM snapback.chunk c WHERE community = 'a' AND length(data) > 200) c,
     generate_series(0, c.size - 1, 4999) n, damage(format('UPDATE snapback.chunk SET data = set_byte(data, %s, get_byte(data, %s) # %s) WHERE sha256 = %L', n, n, 1 << n % 8, c.sha256)) f
GROUP BY 1, 2, 3;
-- A chunk that is truncated, extended, emptied, deleted; two exchanged ones.
SELECT damage($$UPDATE snapback.chunk SET data = substr(data, 1, length(data) - 1) WHERE community = 'a' AND length(data) < 200$$);
SELECT damage($$UPDATE snapback.chunk SET data = data || '\x00' WHERE community = 'a' AND length(data) < 200$$);
SELECT damage($$UPDATE snapback.chunk SET data = '' WHERE community = 'a' AND length(data) < 200$$);
SELECT damage($$DELETE FROM snapback.chunk WHERE community = 'a' AND length(data) < 200$$);
SELECT damage($$UPDATE snapback.chunk c SET data = (SELECT o.data FROM snapback.chunk o WHERE o.community = 'b' ORDER BY length(o.data) LIMIT 1) WHERE community = 'a' AND length(data) < 200$$);
-- Every byte of the manifest: its chunks, their number and order, rows, bytes, shape, community, time, kind and its own hash.
SELECT (f).verify, (f).restore, (f).changed, count(*) % 32
FROM (SELECT table_id, length(chunks) AS size FROM snapback.base_table WHERE base = :'snapshot') c,
     generate_series(0, c.size - 1) n, damage(format('UPDATE snapback.base_table SET chunks = set_byte(chunks, %s, get_byte(chunks, %s) # %s) WHERE table_id = %s AND base = %L', n, n, 1 << n % 8, table_id, :'snapshot')) f
GROUP BY 1, 2, 3;
SELECT damage(format(s, :'snapshot')) FROM unnest(ARRAY[
    'UPDATE snapback.base_table SET chunks = substr(chunks, 33) WHERE base = %L AND length(chunks) > 64',
    'UPDATE snapback.base_table SET chunks = substr(chunks, 33) || substr(chunks, 1, 32) WHERE base = %L AND length(chunks) > 64',
    'UPDATE snapback.base_table SET chunks = chunks || substr(chunks, 1, 32) WHERE base = %L AND length(chunks) > 64',
    'UPDATE snapback.base_table SET chunks = '''' WHERE base = %L',
    'UPDATE snapback.base_table SET rows = rows + 1 WHERE base = %L',
    'UPDATE snapback.base_table SET bytes = bytes - 1 WHERE base = %L',
    'UPDATE snapback.base_table SET table_id = table_id + 100 WHERE base = %L AND table_id = (SELECT max(id) FROM snapback.protected_table)',
    'UPDATE snapback.base_table SET shape = (SELECT min(sha256::text)::bytea FROM snapback.shape) WHERE base = %L',
    'UPDATE snapback.snapshot SET captured_at = captured_at - interval ''1 microsecond'' WHERE id = %L',
    'UPDATE snapback.snapshot SET kind = ''manual'' WHERE id = %L',
    'UPDATE snapback.snapshot SET label = ''night'' WHERE id = %L',
    'UPDATE snapback.snapshot SET manifest_sha256 = set_byte(manifest_sha256, 31, get_byte(manifest_sha256, 31) # 1) WHERE id = %L']) s;
-- Rows of one community cannot be stored for another one.
SELECT damage(format('UPDATE snapback.snapshot SET community = ''a'', captured_at = captured_at + interval ''1 second'' WHERE id = %L', id)) FROM snapback.snapshot WHERE community = 'b';
-- Every byte of the table descriptions.
SELECT (f).verify LIKE '%: table description <id> is damaged' OR (f).verify LIKE '%table description%' AS found, (f).restore, (f).changed
FROM (SELECT sha256, definition FROM snapback.shape) c, generate_series(1, length(definition)) n,
     damage(format('UPDATE snapback.shape SET definition = overlay(definition PLACING chr(ascii(substr(definition, %s, 1)) # 1) FROM %s) WHERE sha256 = %L', n, n, c.sha256)) f
WHERE n % 3 = 0
GROUP BY 1, 2, 3;

-- Damage to a chunk of one community does not affect another one.
UPDATE snapback.chunk SET data = '\x00' WHERE community = 'b';
SELECT restored();
-- Missing data that is not needed is not reported.
SELECT restored(NULL, 'b');
SELECT count(DISTINCT faulty) FROM snapback.verify();
SELECT count(*) FROM snapback.verify(:'snapshot');
UPDATE page SET body = 'changed' WHERE cid = 'b';
SELECT fails($$SELECT restored(NULL, 'b')$$);

DROP EXTENSION pg_snapback CASCADE;
DROP SCHEMA app CASCADE;
CREATE EXTENSION pg_snapback;
