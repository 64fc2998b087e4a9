#!/usr/bin/python3
"""Concurrent captures, restores, sweeps, erasures and writers: the data of a snapshot always exists, every restore results
in a state of its snapshot, and none is the victim of a deadlock.

STORE_STRESS_ROUNDS (400; 10000 for the complete test): number of operations, by eleven sessions together. Needs the
extension installed; starts a server of its own."""
import collections
import os
import random
import threading
import time

from live_server import connect, end, equal, fresh_extension, ok, psycopg2, sql

ROUNDS = int(os.environ.get("STORE_STRESS_ROUNDS", "400"))
COMMUNITIES = ["a", "b", "c", "d"]
ROWS = 300
# Accepted errors: a snapshot may have expired or its community been forgotten; a writer may block, or have read before a restore.
REFUSED = {"SB004", "SB008", "55P03", "40001"}
# A session that shares chunks with a restore may be the victim of a deadlock.
VICTIM = REFUSED | {"40P01"}

SETUP = f"""
CREATE TABLE club (id text PRIMARY KEY);
CREATE VIEW clubs AS SELECT id AS community, id AS name, id AS owner, id || '@example.org' AS owner_email, true AS restores_enabled FROM club;
CREATE TABLE page (id int, club text REFERENCES club, version int NOT NULL, body text, PRIMARY KEY (club, id));
CREATE TABLE note (id int, club text, page int, version int NOT NULL, PRIMARY KEY (club, id), FOREIGN KEY (club, page) REFERENCES page (club, id));
INSERT INTO club SELECT unnest(ARRAY{COMMUNITIES});
INSERT INTO page SELECT n, id, 0, md5(n::text) FROM club, generate_series(1, {ROWS}) n;
INSERT INTO note SELECT n, club, id, 0 FROM page, generate_series(1, 1) n WHERE id = 1;
INSERT INTO note SELECT id, club, id, 0 FROM page WHERE id > 1;
SELECT snapback.set_directory('clubs');
SELECT snapback.add_category('x', '', ''), snapback.add_option('x.all', '', '');
"""

outcomes = collections.Counter()
surprises = []


def write(session, community):
    """Give every row of a community a new version, and omit some: a state has one version throughout."""
    version = random.randrange(1 << 30)
    gone = random.randrange(2, ROWS)
    sql(session, f"BEGIN; SELECT FROM club WHERE id = '{community}' FOR UPDATE;"
                 f"UPDATE page SET version = {version}, body = md5(body) WHERE club = '{community}'; UPDATE note SET version = {version} WHERE club = '{community}';"
                 f"DELETE FROM note WHERE club = '{community}' AND page = {gone}; DELETE FROM page WHERE club = '{community}' AND id = {gone};"
                 f"INSERT INTO page SELECT id, '{community}', {version}, md5(id::text) FROM generate_series({gone + 1}, {gone + 2}) id ON CONFLICT DO NOTHING; COMMIT")


def capture(session, community):
    sql(session, "SELECT snapback.capture(%s)", community)


def capture_all(session, _):
    sql(session, "CALL snapback.capture_all(2)")


def restore(session, community):
    """Restore any snapshot, including those made by restores; and undo some restores."""
    chosen = sql(session, "SELECT id FROM (SELECT id FROM snapback.snapshot WHERE community = %s ORDER BY random() LIMIT 1) s", community)
    if chosen:
        sql(session, "SELECT count(*) FROM snapback.restore('{x}', %s, %s)", chosen, community)
        equal_versions(session, community)


def equal_versions(session, community):
    """An inconsistent state contains more than one version."""
    versions = sql(session, "SELECT count(DISTINCT version) FROM (SELECT version FROM page WHERE club = %s UNION ALL SELECT version FROM note WHERE club = %s) v", community, community)
    if versions != 1:
        surprises.append(f"{versions} versions in {community}")


def sweep(session, community):
    """Let the older half expire: when nothing is running, or not at all."""
    sql(session, "BEGIN; SELECT snapback_internal.lock_store(%s)", random.random() < 0.5)
    sql(session, "UPDATE snapback.snapshot SET captured_at = captured_at - interval '8 days' WHERE community = %s AND captured_at < "
                 "(SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY captured_at) FROM snapback.snapshot WHERE community = %s)", community, community)
    swept = sql(session, "SELECT snapshots FROM snapback.expire()")
    sql(session, "COMMIT" if swept else "ROLLBACK")
    outcomes["sweep of something"] += bool(swept)


def sweep_in_batches(session, _):
    """Expire like pg_cron: chunks are deleted after their snapshots, and captures run in between."""
    sql(session, "SET snapback.retention = '2s'")
    sql(session, "CALL snapback.expire_all('1 s')")


def forget(session, community):
    if random.random() < 0.2:
        sql(session, "SELECT snapback.forget(%s)", community)
    else:
        sql(session, "SELECT snapback.erase_rows(%s, 'note', %s)", community, f'[{{"club": "{community}", "id": 1}}]')


def look(session, _):
    faults = sql(session, "SELECT count(*) FROM snapback.verify()")
    if faults:
        surprises.append(f"{faults} faults")


WORK = [(write, VICTIM), (write, VICTIM), (capture, VICTIM), (capture, VICTIM), (capture_all, VICTIM), (restore, REFUSED), (restore, REFUSED), (restore, REFUSED),
        (sweep, VICTIM), (sweep_in_batches, VICTIM), (forget, VICTIM)]


def work_until_done(work, expected):
    session = connect("stress", snapback__lock_timeout="2s", deadlock_timeout="200ms")
    for _ in range(max(ROUNDS // len(WORK), 1)):
        try:
            work(session, random.choice(COMMUNITIES))
            outcomes[f"{work.__name__} done"] += 1
        except psycopg2.Error as error:
            sql(session, "ROLLBACK")
            outcomes[f"{work.__name__} {error.pgcode}"] += 1
            if error.pgcode not in expected:
                surprises.append(f"{work.__name__}: {error.pgcode} {error}")
    session.close()


def expired(connection, count):
    """Add snapshots that have expired; each takes 20 ms to delete."""
    sql(connection, "INSERT INTO snapback.snapshot (community, captured_at, kind, manifest_sha256) SELECT 'gone ' || n, now() - interval '8 days', 'scheduled', sha256('') FROM generate_series(1, %s) n", count)
    sql(connection, """CREATE OR REPLACE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END $$;
        CREATE OR REPLACE TRIGGER slowly AFTER DELETE ON snapback.snapshot FOR EACH ROW EXECUTE FUNCTION slowly()""")


def sweep_all():
    session = connect("stress")
    sql(session, "CALL snapback.expire_all()")
    session.close()


def restore_during_sweep(connection):
    """Restores start while many snapshots are deleted: the store lock is held for one batch at a time."""
    sql(connection, "CALL snapback.expire_all()")
    sql(connection, "SELECT snapback.capture('a')")
    expired(connection, 150)
    waits = []
    sweeper = threading.Thread(target=sweep_all)
    sweeper.start()
    while sweeper.is_alive():
        began = time.monotonic()
        restore(connection, "a")
        waits.append(time.monotonic() - began)
        time.sleep(0.05)
    sweeper.join()
    equal(sql(connection, "SELECT count(*) FROM snapback.snapshot WHERE community LIKE 'gone %%'"), 0, "expire_all() sweeps what has expired")
    ok(len(waits) > 4, "restores begin meanwhile, and end", waits)
    print(f"# {len(waits)} restores during a sweep of 3 s, the slowest took {max(waits):.2f} s")


def sweep_waits(connection):
    """A running capture is waited for without blocking others."""
    expired(connection, 1)
    capturing = connect("stress")
    sql(capturing, "BEGIN; SELECT snapback.capture('b')")
    sweeper = threading.Thread(target=sweep_all)
    sweeper.start()
    time.sleep(0.5)
    restore(connection, "a")
    equal(sql(connection, "SELECT count(*) FROM snapback.snapshot WHERE community LIKE 'gone %%'"), 1, "expire_all() waits for a capture, and a restore does not wait for it")
    sql(capturing, "COMMIT")
    sweeper.join()
    equal(sql(connection, "SELECT count(*) FROM snapback.snapshot WHERE community LIKE 'gone %%'"), 0, "and continues when the capture has ended")
    capturing.close()


def main():
    connection = fresh_extension("stress")
    sql(connection, SETUP)
    sql(connection, "SELECT snapback.protect('page', 'x.all')")
    sql(connection, "SELECT snapback.protect('note', 'x.all', 'club')")
    sql(connection, "CALL snapback.capture_all()")
    threads = [threading.Thread(target=work_until_done, args=arguments) for arguments in WORK]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    look(connection, None)
    ok(not surprises, f"{ROUNDS} operations, and none went otherwise than it may", "\n".join(sorted(surprises)[:20]))
    equal(sql(connection, "SELECT count(*) FROM snapback_internal.digest_lists(ARRAY(SELECT DISTINCT community FROM snapback.snapshot)) l CROSS JOIN generate_series(0, length(l.digests) / 32 - 1) n "
                          "LEFT JOIN snapback.chunk c ON c.community = l.community AND c.sha256 = substring(l.digests FROM n * 32 + 1 FOR 32) WHERE c.sha256 IS NULL"), 0, "no reference dangles")
    sql(connection, "SELECT snapback.expire()")
    equal(sql(connection, "SELECT count(*) FROM snapback.chunk c WHERE NOT EXISTS (SELECT FROM snapback_internal.digest_lists(ARRAY[c.community]) l WHERE position(c.sha256 IN l.digests) > 0)"), 0, "and no chunk is left that nobody refers to")
    ok(outcomes["sweep of something"] > 0, "something was swept", dict(outcomes))
    for name in ("capture", "capture_all", "restore", "sweep", "sweep_in_batches", "forget", "write"):
        ok(outcomes[f"{name} done"] > 0, f"{name} got its turn", dict(outcomes))
    restore_during_sweep(connection)
    sweep_waits(connection)
    ok(not surprises, "nothing else came of that", "\n".join(surprises))
    for name in sorted(outcomes):
        print(f"# {name}: {outcomes[name]}")
    connection.close()
    end()


main()
