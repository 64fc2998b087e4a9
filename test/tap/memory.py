#!/usr/bin/python3
"""Capturing and restoring one large table takes bounded memory, independent of its size.

MEMORY_TABLE_MB: its size (200; 1024 for the complete test, about five minutes). Needs the extension installed;
starts a server of its own."""
import os
import time

from live_server import connect, end, ok, sql, write
from memory_peak import Peak

TABLE_MB = int(os.environ.get("MEMORY_TABLE_MB", "200"))
LIMIT_MB = 256  # more than a session that has captured little
ROW_BYTES = 1000

SETUP = f"""
CREATE EXTENSION pg_snapback;
CREATE TABLE club (id text PRIMARY KEY);
CREATE VIEW clubs AS SELECT id AS community, id AS name, id AS owner, id || '@example.org' AS owner_email, true AS restores_enabled FROM club;
CREATE TABLE entry (id bigint PRIMARY KEY, club text NOT NULL REFERENCES club, body text NOT NULL);
INSERT INTO club VALUES ('large'), ('small');
INSERT INTO entry VALUES (0, 'small', 'one row');
INSERT INTO entry SELECT (n * 7919::bigint) % 15485863, 'large',
    (SELECT string_agg(md5(n::text || k), '') FROM generate_series(1, {ROW_BYTES // 32}) k)
FROM generate_series(1, {TABLE_MB * 1024 * 1024 // ROW_BYTES}) n;
SELECT snapback.set_directory('clubs');
SELECT snapback.add_category('all', 'All', 'everything'), snapback.add_option('all.entries', 'Entries', 'the entries');
SELECT snapback.protect('entry', 'all.entries', community_column => 'club');
"""


def watched(session, name, statement, *parameters):
    """Run a statement in a session; check its memory."""
    pid = sql(session, "SELECT pg_backend_pid()")
    started = time.monotonic()
    with Peak(pid) as peak:
        result = sql(session, statement, *parameters)
    over = peak.mb - baseline
    ok(over < LIMIT_MB, f"{name} takes less than {LIMIT_MB} MB", f"{over:.0f} MB over the {baseline:.0f} MB of before")
    print(f"# {name}: {over:.0f} MB over {baseline:.0f} MB, {time.monotonic() - started:.1f} s", flush=True)
    return result


def new_session():
    """Open a session and initialize its memory; record that."""
    global baseline
    session = connect("memory")
    sql(session, "SELECT snapback.capture('small')")
    pid = sql(session, "SELECT pg_backend_pid()")
    peak = Peak(pid)
    peak.sample()
    baseline = peak.mb
    return session


def state(session):
    return sql(session, "SELECT count(*), sum(hashtextextended(e::text, 0)) FROM entry e")


baseline = 0
sql(connect("postgres"), "CREATE DATABASE memory")
admin = connect("memory")
sql(admin, SETUP)
whole = state(admin)
print(f"# the table has {sql(admin, 'SELECT pg_table_size(%s::regclass)', 'entry') / 1048576:.0f} MB", flush=True)

snapshot = watched(new_session(), "capture", "SELECT snapback.capture('large')")

write(admin, "UPDATE entry SET body = body || '' WHERE club = 'large' AND hashint8(id) % 10 = 0")
watched(new_session(), "capture of changes, 10 %", "SELECT snapback.capture('large')")
DAMAGES = {
    "1 % changed": "UPDATE entry SET body = body || '.' WHERE club = 'large' AND hashint8(id) % 100 = 0",
    "everything changed": "UPDATE entry SET body = 'x' || body WHERE club = 'large'",
    "everything gone": "DELETE FROM entry WHERE club = 'large'",
}
for damage, statement in DAMAGES.items():
    write(admin, statement)
    watched(new_session(), f"restore, {damage}", "SELECT count(*) FROM snapback.restore('{*}', %s, 'large')", snapshot)
    ok(state(admin) == whole, f"the table is whole again: {damage}")
end()
