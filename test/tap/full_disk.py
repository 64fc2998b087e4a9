#!/usr/bin/python3
"""The disk becomes full during a capture or a restore: nothing incomplete is listed or written. Afterwards
everything works again.

The session has a maximum file size, which has the same effect as a full disk: tables and temporary files cannot grow.
FILL_POINTS (4; 50 for the complete test): number of sizes, for captures and for restores.
Needs the extension installed; starts a server of its own."""
import os
import subprocess

from live_server import as_server_user, connect, end, equal, fresh_extension, ok, psycopg2, sql, write

FILL_POINTS = int(os.environ.get("FILL_POINTS", "4"))
ROWS = 24000  # of one kilobyte that cannot be compressed
MB = 1024 * 1024
SMALLEST_MB, LARGEST_MB = 16.2, 22  # from a segment of WAL, which is allocated completely, to just below the size of the rows

SETUP = f"""
CREATE TABLE club (id text PRIMARY KEY);
CREATE VIEW clubs AS SELECT id AS community, id AS name, id AS owner, id || '@example.org' AS owner_email, true AS restores_enabled FROM club;
CREATE TABLE entry (id int PRIMARY KEY, club text NOT NULL REFERENCES club, body bytea NOT NULL);
ALTER TABLE entry ALTER body SET STORAGE PLAIN;
INSERT INTO club VALUES ('a'), ('b');
INSERT INTO entry SELECT n, CASE n % 100 WHEN 0 THEN 'b' ELSE 'a' END, (SELECT string_agg(sha512((n || ' ' || k)::bytea), '') FROM generate_series(1, 15) k)
FROM generate_series(1, {ROWS}) n;
SELECT snapback.set_directory('clubs');
SELECT snapback.add_category('x', '', ''), snapback.add_option('x.all', '', '');
"""
STATE = "SELECT md5(string_agg(md5(e::text), '' ORDER BY id)) FROM entry e"


def on_full_disk(statement, megabytes):
    """Run a statement in a session with this maximum file size; return its error, if any."""
    session = connect("full_disk")
    subprocess.run([*as_server_user(), "prlimit", f"--pid={sql(session, 'SELECT pg_backend_pid()')}", f"--fsize={int(megabytes * MB)}:"], check=True, cwd="/")
    try:
        sql(session, statement)
        return None
    except psycopg2.Error as error:
        return error
    finally:
        session.close()


def points():
    return [SMALLEST_MB + (LARGEST_MB - SMALLEST_MB) * i / max(FILL_POINTS, 1) for i in range(FILL_POINTS)]


def make_room(connection, keep=None):
    sql(connection, "DELETE FROM snapback.snapshot WHERE id IS DISTINCT FROM %s", keep)
    sql(connection, "SELECT snapback.expire(), snapback_internal.sweep('{a}')")
    sql(connection, "VACUUM FULL snapback.chunk")


def fill_while_capturing(connection):
    failed = 0
    for megabytes in points():
        error = on_full_disk("SELECT snapback.capture('a')", megabytes)
        failed += "could not extend" in str(error) or "could not write" in str(error)
        listed = sql(connection, "SELECT count(*) FROM snapback.snapshots")
        whole = sql(connection, "SELECT count(*) FROM snapback.snapshots WHERE rows <> %s", ROWS - ROWS // 100) + sql(connection, "SELECT count(*) FROM snapback.verify()")
        if listed != (error is None) or whole != 0:
            ok(False, f"full at {megabytes:.1f} MB: {listed} snapshots are listed, {whole} faults", error)
        sql(connection, "SELECT snapback.capture('a')")
        equal((sql(connection, "SELECT rows FROM snapback.snapshots ORDER BY captured_at DESC LIMIT 1"), sql(connection, "SELECT count(*) FROM snapback.verify()")),
              (ROWS - ROWS // 100, 0), f"full at {megabytes:.1f} MB: the next capture is whole")
        make_room(connection)
    ok(failed == FILL_POINTS, f"every capture met the full disk ({failed} of {FILL_POINTS})")


def fill_while_restoring(connection):
    snapshot = sql(connection, "SELECT snapback.capture('a')")
    intact = sql(connection, STATE)
    write(connection, "UPDATE entry SET body = sha512(body) WHERE club = 'a' AND id % 2 = 0; DELETE FROM entry WHERE club = 'a' AND id % 3 = 0;"
                      f"INSERT INTO entry SELECT {ROWS} + n, 'a', body FROM entry, generate_series(1, 1) n WHERE id = 1")
    damaged = sql(connection, STATE)
    restore = f"SELECT snapback.restore('{{x}}', '{snapshot}', 'a')"
    failed = 0
    for megabytes in points():
        make_room(connection, snapshot)
        error = on_full_disk(restore, megabytes)
        failed += "could not extend" in str(error) or "could not write" in str(error)
        equal((sql(connection, STATE), sql(connection, "SELECT count(*) FROM snapback.snapshots")), (damaged, 1), f"full at {megabytes:.1f} MB: a restore has changed nothing")
        if error is None:
            sql(connection, "SELECT snapback.undo_restore(restore) FROM snapback.restores ORDER BY requested_at DESC LIMIT 1")
    ok(failed == FILL_POINTS, f"every restore met the full disk ({failed} of {FILL_POINTS})")
    sql(connection, restore)
    equal(sql(connection, STATE), intact, "with room again, it restores")
    equal(sql(connection, "SELECT count(*) FROM snapback.verify()"), 0, "and nothing is wrong with any snapshot")


def main():
    connection = fresh_extension("full_disk")
    sql(connection, SETUP)
    sql(connection, "SELECT snapback.protect('entry', 'x.all')")
    fill_while_capturing(connection)
    fill_while_restoring(connection)
    connection.close()
    end()


main()
