#!/usr/bin/python3
"""Kill or cancel the backend during captures and restores: there is never a partial snapshot or restore.

ROUNDS: number of rounds for each (default 10; 500 for the complete test). CRASH_BY: cancel, kill (default: cancel,kill).
"""
import os
import random
import threading
import time

from live_server import connect, connect_again, end, equal, fresh_extension, kill, ok, sql, write

ROUNDS = int(os.environ.get("ROUNDS", "10"))
STATE = ("SELECT md5(string_agg(h, '|' ORDER BY h)) FROM (SELECT md5(p::text) AS h FROM app.page p WHERE cid = 'a' "
         "UNION ALL SELECT md5(n::text) FROM app.note n JOIN app.page p ON p.id = n.page WHERE p.cid = 'a') x")


def set_up():
    connection = fresh_extension("crash")
    sql(connection, "CREATE SCHEMA app; CREATE TABLE app.community (id text PRIMARY KEY); INSERT INTO app.community VALUES ('a'), ('b');"
                    "CREATE VIEW app.directory AS SELECT id AS community, id AS name, 'x' AS owner, 'x@example.org' AS owner_email, true AS restores_enabled FROM app.community;"
                    "CREATE TABLE app.page (id int PRIMARY KEY, cid text NOT NULL REFERENCES app.community, body text, pos int UNIQUE);"
                    "CREATE TABLE app.note (id int PRIMARY KEY, page int NOT NULL REFERENCES app.page ON DELETE CASCADE, body text);"
                    "INSERT INTO app.page SELECT n, CASE n % 4 WHEN 0 THEN 'b' ELSE 'a' END, md5(n::text), n FROM generate_series(1, 8000) n;"
                    "INSERT INTO app.note SELECT n, 1 + n % 8000, md5(n::text) FROM generate_series(1, 16000) n")
    sql(connection, "SELECT snapback.set_directory('app.directory'), snapback.add_category('x', '', ''), snapback.add_option('x.all', '', '')")
    sql(connection, "SELECT snapback.protect('app.page', 'x.all')")
    sql(connection, "SELECT snapback.protect('app.note', 'x.all')")
    return connection


def interrupted(witness, statement, delay, how):
    """Run a statement in a separate session and end it after some time; return whether it was complete.

    After a backend is killed, the server ends all sessions before recovery: the end of the witness shows that it began.
    """
    session = connect("crash")
    pid = sql(session, "SELECT pg_backend_pid()")
    done = []

    def run():
        try:
            sql(session, statement)
            done.append(True)
        except Exception:  # noqa: BLE001  (a dead session may raise any error)
            pass

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(delay)
    if how == "cancel":
        session.cancel()
    elif thread.is_alive():
        kill(witness, pid)
    thread.join()
    try:
        session.close()
    except Exception:  # noqa: BLE001
        pass
    return bool(done)


def duration(connection, statement):
    begun = time.monotonic()
    sql(connection, statement)
    return time.monotonic() - begun


def crash_captures(connection, how):
    """Interrupt captures at random moments; listed snapshots are complete."""
    whole = duration(connection, "SELECT snapback.capture('a')")
    rows = sql(connection, "SELECT rows FROM snapback.snapshots WHERE community = 'a'")
    ended = 0
    for _ in range(ROUNDS):
        write(connection, "UPDATE app.page SET body = md5(body)")
        before = sql(connection, "SELECT count(*) FROM snapback.snapshot")
        completed = interrupted(connection, "SELECT snapback.capture('a')", random.uniform(0, whole * 1.4), how)
        connection = connect_again("crash")
        after = sql(connection, "SELECT count(*) FROM snapback.snapshot")
        if after != before + completed and not (how == "kill" and after == before + 1):
            ok(False, f"{how}: a capture that ended is listed, another is not", (before, completed, after))
        ended += completed
    equal(sql(connection, "SELECT count(*) FROM snapback.snapshots WHERE rows <> %s", rows), 0, f"{how}: every snapshot that is listed has all its rows")
    equal(sql(connection, "SELECT count(*) FROM snapback.verify()"), 0, f"{how}: and nothing is wrong with any ({ended} of {ROUNDS} captures came to their end)")
    ok(sql(connection, "SELECT snapback.capture('a')"), f"{how}: the next capture succeeds")
    sql(connection, "DELETE FROM snapback.snapshot")
    return connection


def crash_restores(connection, how):
    """Interrupt restores at random moments; the community is unchanged or restored."""
    sql(connection, "SELECT snapback.capture('a')")
    snapshot = sql(connection, "SELECT id FROM snapback.snapshot WHERE kind = 'manual'")
    target = sql(connection, STATE)
    restore = f"SELECT count(*) FROM snapback.restore('{{*}}', '{snapshot}', 'a')"
    damage = ("DELETE FROM app.page WHERE cid = 'a' AND id % 5 = 0; UPDATE app.page SET pos = -pos, body = 'damaged' WHERE cid = 'a' AND id % 3 = 0;"
              "INSERT INTO app.page SELECT n, 'a', 'new', n FROM generate_series(10001, 10500) n")
    write(connection, damage)
    whole = duration(connection, restore)
    equal(sql(connection, STATE), target, f"{how}: a restore that is left alone restores")
    restored = torn = told = 0
    for _ in range(ROUNDS):
        write(connection, damage)
        damaged = sql(connection, STATE)
        runs = sql(connection, "SELECT count(*) FROM snapback.restore_run")
        completed = interrupted(connection, restore, random.uniform(0, whole * 1.4), how)
        connection = connect_again("crash")
        state = sql(connection, STATE)
        torn += state not in (damaged, target) or (completed and state != target)
        told += (state == target) == (sql(connection, "SELECT count(*) FROM snapback.restore_run WHERE state = 'restored'") == runs + 1)
        restored += state == target
        if state != target:
            sql(connection, restore)
    equal(torn, 0, f"{how}: restores are done wholly or not at all ({restored} of {ROUNDS} were done)")
    equal(told, ROUNDS, f"{how}: and recorded just where they were done")
    equal(sql(connection, STATE), target, f"{how}: the next restore succeeds")
    equal(sql(connection, "SELECT snapback.is_locked('a')"), False, f"{how}: nothing stays locked")
    sql(connection, "DELETE FROM snapback.snapshot")
    return connection


def main():
    connection = set_up()
    for how in os.environ.get("CRASH_BY", "cancel,kill").split(","):
        connection = crash_captures(connection, how)
        connection = crash_restores(connection, how)
    end()


main()
