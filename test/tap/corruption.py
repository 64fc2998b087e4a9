#!/usr/bin/python3
"""Flip each stored bit or byte of a snapshot: verify() detects it, no restore succeeds, and no row changes.

CORRUPTION_STEP: distance of flipped bytes (97; 1 for the complete test). CORRUPTION_PART, for example 2/5: run the second
fifth of the test. Needs the extension installed; starts a server of its own."""
import collections
import os
import pathlib

from live_server import connect, end, equal, fresh_extension, ok, pg_ctl, psycopg2, sql

STEP = int(os.environ.get("CORRUPTION_STEP", "97"))
PAGE = 8192
PART, PARTS = map(int, os.environ.get("CORRUPTION_PART", "1/1").split("/"))
# Damaged; or not available: expired because its time changed, of a missing table, without the option.
REFUSED = {"XX001", "SB004", "SB005", "0A000"}

SETUP = """
CREATE TABLE club (id text PRIMARY KEY);
CREATE VIEW clubs AS SELECT id AS community, id AS name, id AS owner, id || '@example.org' AS owner_email, true AS restores_enabled FROM club;
CREATE TABLE page (id int PRIMARY KEY, club text NOT NULL REFERENCES club, body text);
CREATE TABLE note (id uuid PRIMARY KEY, club text NOT NULL REFERENCES club, at timestamptz, amount numeric, tags text[], extra jsonb);
CREATE TABLE word (word text, club text NOT NULL REFERENCES club, PRIMARY KEY (club, word));
CREATE TABLE blank (id int PRIMARY KEY, club text NOT NULL REFERENCES club);
INSERT INTO club VALUES ('a'), ('b');
INSERT INTO page SELECT n, CASE n % 10 WHEN 0 THEN 'b' ELSE 'a' END, (SELECT string_agg(md5((n * m)::text), '') FROM generate_series(1, 16) m) FROM generate_series(1, 500) n;
INSERT INTO note SELECT md5(n::text)::uuid, 'a', '2026-01-01'::timestamptz + n * interval '1 hour', n / 7.0, ARRAY['x', NULL, n::text], jsonb_build_object('n', n) FROM generate_series(1, 100) n;
INSERT INTO word SELECT md5(n::text), 'a' FROM generate_series(1, 100) n;
SELECT snapback.set_directory('clubs');
SELECT snapback.add_category('x', '', ''), snapback.add_option('x.all', '', '');

CREATE FUNCTION state() RETURNS text LANGUAGE sql AS $$
    SELECT md5(concat((SELECT string_agg(p::text, ' ' ORDER BY id) FROM page p), (SELECT string_agg(n::text, ' ' ORDER BY id) FROM note n), (SELECT string_agg(w::text, ' ' ORDER BY word) FROM word w)))
$$;
CREATE TABLE damage (kind text, at int, statement text);
CREATE TYPE finding AS (verify text, restore text, changed boolean);

-- Cause this damage, report its effect, and undo it. A damaged key references nothing.
CREATE FUNCTION played(statement text, snapshot uuid, intact text) RETURNS finding LANGUAGE plpgsql AS $$
DECLARE
    found finding;
BEGIN
    BEGIN
        EXECUTE statement;
        BEGIN
            found.verify := CASE WHEN EXISTS (SELECT FROM snapback.verify(snapshot)) THEN 'found' ELSE 'sound' END;
        EXCEPTION WHEN OTHERS THEN found.verify := SQLSTATE;
        END;
        BEGIN
            PERFORM snapback.restore('{x}', snapshot, 'a');
            found.restore := 'restored';
        EXCEPTION WHEN OTHERS THEN found.restore := SQLSTATE;
        END;
        found.changed := state() <> intact;
        RAISE EXCEPTION USING ERRCODE = 'ZZZZZ';
    EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN NULL;
    END;
    RETURN found;
END $$;
"""

# Each byte of bytea and text values, and each bit of numbers.
DAMAGE = """
INSERT INTO damage SELECT 'chunk', n, format('UPDATE snapback.chunk SET data = set_byte(data, %1$s, get_byte(data, %1$s) # %2$s) WHERE community = ''a'' AND sha256 = %3$L',
    n, 1 + n * 7 %% 255, c.sha256) FROM snapback.chunk c, generate_series(0, length(c.data) - 1) n WHERE c.community = 'a';
INSERT INTO damage SELECT 'digest of a chunk', n, format('UPDATE snapback.chunk SET sha256 = set_byte(sha256, %1$s, get_byte(sha256, %1$s) # %2$s) WHERE community = ''a'' AND sha256 = %3$L',
    n, 1 + n * 7 %% 255, c.sha256) FROM snapback.chunk c, generate_series(0, 31) n WHERE c.community = 'a';
INSERT INTO damage SELECT 'list of chunks', n, format('UPDATE snapback.base_table SET chunks = set_byte(chunks, %1$s, get_byte(chunks, %1$s) # %2$s) WHERE base = %3$L AND table_id = %4$s',
    n, 1 + n * 7 %% 255, m.base, m.table_id) FROM snapback.base_table m, generate_series(0, length(m.chunks) - 1) n WHERE m.base = %(base)s;
INSERT INTO damage SELECT 'digest of a description', n, format('UPDATE snapback.base_table SET shape = set_byte(shape, %1$s, get_byte(shape, %1$s) # %2$s) WHERE base = %3$L AND table_id = %4$s',
    n, 1 + n * 7 %% 255, m.base, m.table_id) FROM snapback.base_table m, generate_series(0, 31) n WHERE m.base = %(base)s;
INSERT INTO damage SELECT 'number of ' || c, n, format('UPDATE snapback.base_table SET %1$I = %1$I # %2$s WHERE base = %3$L AND table_id = %4$s', c, 1::bigint << n, m.base, m.table_id)
    FROM snapback.base_table m, unnest('{rows,bytes}'::text[]) c, generate_series(0, 62) n WHERE m.base = %(base)s;
INSERT INTO damage SELECT 'table', n, format('UPDATE snapback.base_table SET table_id = table_id # %1$s WHERE base = %2$L AND table_id = %3$s', 1 << n, m.base, m.table_id)
    FROM snapback.base_table m, generate_series(0, 30) n WHERE m.base = %(base)s AND NOT EXISTS (SELECT FROM snapback.base_table o WHERE o.base = m.base AND o.table_id = m.table_id # (1 << n));
INSERT INTO damage SELECT 'table of the set', n, format('UPDATE snapback.table_set_member SET table_id = table_id # %1$s WHERE table_id = %2$s', 1 << n, m.table_id)
    FROM snapback.table_set_member m, generate_series(0, 30) n WHERE NOT EXISTS (SELECT FROM snapback.table_set_member o WHERE o.table_id = m.table_id # (1 << n));
INSERT INTO damage SELECT 'description of the set', n, format('UPDATE snapback.table_set_member SET shape = set_byte(shape, %1$s, get_byte(shape, %1$s) # %2$s) WHERE table_id = %3$s',
    n, 1 + n * 7 %% 255, m.table_id) FROM snapback.table_set_member m, generate_series(0, 31) n;
INSERT INTO damage SELECT 'set', n, format('UPDATE snapback.base SET table_set = gen_random_uuid() WHERE id = %L', %(base)s) FROM generate_series(0, 0) n;
INSERT INTO damage SELECT 'base', n, format('UPDATE snapback.snapshot SET base = (SELECT b.id FROM snapback.base b WHERE b.id <> %L LIMIT 1) WHERE id = %L', %(base)s, %(snapshot)s) FROM generate_series(0, 0) n;
INSERT INTO damage SELECT 'digest of the base', n, format('UPDATE snapback.base SET sha256 = set_byte(sha256, %1$s, get_byte(sha256, %1$s) # %2$s) WHERE id = %3$L',
    n, 1 + n * 7 %% 255, %(base)s) FROM generate_series(0, 31) n;
INSERT INTO damage SELECT 'bounds', n, format('UPDATE snapback.base_table SET bounds = set_byte(bounds, %1$s, get_byte(bounds, %1$s) # %2$s) WHERE base = %3$L AND table_id = %4$s',
    n, 1 + n * 7 %% 255, m.base, m.table_id) FROM snapback.base_table m, generate_series(0, length(m.bounds) - 1) n WHERE m.base = %(base)s;
INSERT INTO damage SELECT 'list of deltas', n, format('UPDATE snapback.snapshot SET deltas = set_byte(deltas, %1$s, get_byte(deltas, %1$s) # %2$s) WHERE id = %3$L',
    n, 1 + n * 7 %% 255, s.id) FROM snapback.snapshot s, generate_series(0, length(s.deltas) - 1) n WHERE s.id = %(snapshot)s;
INSERT INTO damage SELECT 'missing delta', n, format('UPDATE snapback.snapshot SET deltas = %1$s WHERE id = %2$L', list, %(snapshot)s)
    FROM unnest(ARRAY[$x$''$x$, 'substr(deltas, 33)', 'deltas || deltas', 'substr(deltas, 33, 32) || substr(deltas, 1, 32)']) WITH ORDINALITY l (list, n);
INSERT INTO damage SELECT 'member of the set', m.table_id, format('DELETE FROM snapback.table_set_member WHERE table_id = %1$s', m.table_id) FROM snapback.table_set_member m;
INSERT INTO damage SELECT 'digest of the manifest', n, format('UPDATE snapback.snapshot SET manifest_sha256 = set_byte(manifest_sha256, %1$s, get_byte(manifest_sha256, %1$s) # %2$s) WHERE id = %3$L',
    n, 1 + n * 7 %% 255, %(snapshot)s) FROM generate_series(0, 31) n;
INSERT INTO damage SELECT 'time', n, format('UPDATE snapback.snapshot SET captured_at = captured_at - interval ''1 microsecond'' * %1$s WHERE id = %2$L', 1::bigint << n, %(snapshot)s) FROM generate_series(0, 38) n;
INSERT INTO damage SELECT 'label', n, format('UPDATE snapback.snapshot SET label = overlay(label PLACING chr(ascii(substr(label, %1$s, 1)) # 1) FROM %1$s) WHERE id = %2$L', n, %(snapshot)s)
    FROM snapback.snapshot s, generate_series(1, length(s.label)) n WHERE s.id = %(snapshot)s;
INSERT INTO damage SELECT 'kind', n, format('UPDATE snapback.snapshot SET kind = %1$L WHERE id = %2$L', kind, %(snapshot)s) FROM unnest('{scheduled,before_restore}'::text[]) WITH ORDINALITY k (kind, n);
INSERT INTO damage SELECT 'description', n, format('UPDATE snapback.shape SET definition = overlay(definition PLACING chr(ascii(substr(definition, %1$s, 1)) # %2$s) FROM %1$s) WHERE sha256 = %3$L',
    n, CASE ascii(substr(s.definition, n, 1)) WHEN 1 THEN 2 ELSE 1 END, s.sha256) FROM snapback.shape s, generate_series(1, length(s.definition)) n;
"""


def play(connection, kind, snapshot, intact):
    """Cause the selected damage of a kind; return the number of each result. Rolled back rows must be vacuumed, or they slow down the next steps."""
    findings = collections.Counter()
    statements = sql(connection, "SELECT array_agg(statement ORDER BY statement, at) FROM damage WHERE kind = %s", kind)[::STEP][PART - 1::PARTS]
    for first in range(0, len(statements), 100):
        findings.update(sql(connection, "SELECT f.verify, f.restore, f.changed FROM unnest(%s::text[]) d, LATERAL played(d, %s, %s) f UNION ALL SELECT NULL, NULL, NULL",
                            statements[first:first + 100], snapshot, intact)[:-1])
        sql(connection, "VACUUM snapback.chunk, snapback.snapshot, snapback.base, snapback.base_table, snapback.table_set_member, snapback.shape")
    return findings


def damage_files(connection, snapshot, intact):
    """Damage pages of the file that contains the chunks, like a faulty disk."""
    equal((sql(connection, "SELECT count(*) FROM snapback.verify()"), sql(connection, "SELECT state()") == intact), (0, True), "nothing of all this is left")
    sql(connection, "SELECT snapback.forget('b')") # each page then contains data of the snapshot
    sql(connection, "VACUUM FULL snapback.chunk")
    sql(connection, "CHECKPOINT")
    path = sql(connection, "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE oid = 'snapback.chunk'::regclass")
    file = pathlib.Path(os.environ["SERVER_DIR"], "data", path)
    whole = file.read_bytes()
    connection.close()
    found = []
    for page in (0, len(whole) // 2 // PAGE * PAGE, len(whole) - PAGE):
        pg_ctl("-m", "fast", "stop")
        file.write_bytes(whole[:page] + b"\xff" * 24 + whole[page + 24:])
        pg_ctl("start")
        connection = connect("corruption")
        faults = sql(connection, "SELECT count(*) FROM snapback.verify(%s)", snapshot)
        try:
            sql(connection, "SELECT snapback.restore('{x}', %s, 'a')", snapshot)
            refused = None
        except psycopg2.Error as error:
            refused = error.pgcode
        found.append((faults > 0, refused, sql(connection, "SELECT state()") == intact))
        connection.close()
    pg_ctl("-m", "fast", "stop")
    file.write_bytes(whole)
    pg_ctl("start")
    equal(set(found), {(True, "XX001", True)}, "pages that the disk damaged are found, and nothing is restored")
    connection = connect("corruption")
    equal((sql(connection, "SELECT count(*) FROM snapback.verify()"), sql(connection, "SELECT state()") == intact), (0, True), "nothing of that is left either")


def main():
    connection = fresh_extension("corruption")
    sql(connection, SETUP)
    for table in ("page", "note", "word", "blank"):
        sql(connection, "SELECT snapback.protect(%s, 'x.all', 'club')", table)
    sql(connection, "SET snapback.delta_limit = 1000")
    base = sql(connection, "SELECT snapback.capture('a')")
    sql(connection, "UPDATE page SET body = upper(body) WHERE id % 3 = 0; DELETE FROM note WHERE amount > 10; INSERT INTO word SELECT md5((-n)::text), 'a' FROM generate_series(1, 50) n")
    sql(connection, "SELECT snapback.capture('a')")
    sql(connection, "UPDATE page SET body = lower(body) WHERE id % 6 = 0; DELETE FROM page WHERE id % 7 = 0; INSERT INTO blank VALUES (1, 'a'), (2, 'b')")
    snapshot = sql(connection, "SELECT snapback.capture('a', 'the one')")
    sql(connection, "SELECT snapback.capture('b')")
    equal(sql(connection, "SELECT base, length(deltas) FROM snapback.snapshot WHERE id = %s", snapshot), [(base, 64)], "the snapshot has a base and two deltas")
    # All stored data is needed: every row has changed.
    sql(connection, "UPDATE page SET body = 'changed'; UPDATE note SET amount = -1; UPDATE word SET word = word || '.'")
    intact = sql(connection, "SELECT state()")
    sql(connection, DAMAGE.replace("%(snapshot)s", f"'{snapshot}'").replace("%(base)s", f"'{base}'").replace("%%", "%"))
    sql(connection, "SET session_replication_role = replica")
    equal(sql(connection, "SELECT played('SELECT 1', %s, %s)::text", snapshot, intact), "(sound,restored,t)", "what is not damaged is restored")
    for kind in [name for (name,) in sql(connection, "SELECT kind FROM damage GROUP BY kind ORDER BY count(*) DESC, kind")]:
        findings = play(connection, kind, snapshot, intact)
        ok(all(verify == "found" and restore in REFUSED and not changed for verify, restore, changed in findings), f"{kind}: each is found, and nothing is restored", findings)
        print(f"# {kind}: {dict(findings)}", flush=True)
    sql(connection, "RESET session_replication_role")
    damage_files(connection, snapshot, intact)
    end()


main()
