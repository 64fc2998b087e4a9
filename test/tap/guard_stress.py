#!/usr/bin/python3
"""Writers of every kind and restores for some time: no write may depend on data read before a restore, no restore
may be the victim of a deadlock. Each row contains the generation of its community's last restore. A writer writes the
generation that it read, and a CHECK rejects an outdated one.

GUARD_STRESS_SECONDS: duration (10). Needs the extension installed; starts a server of its own."""
import collections
import os
import random
import sys
import threading
import time

import psycopg2

HERE = os.path.abspath(__file__)
SECONDS = float(os.environ.get("GUARD_STRESS_SECONDS", "10"))
COMMUNITIES = 40
# Accepted errors of a writer: refused during or after a restore, or in conflict with another writer.
EXPECTED_OF_WRITERS = {"55P03", "40001", "40P01"}

SETUP = f"""
CREATE EXTENSION pg_snapback;
CREATE EXTENSION snapback_test;
CREATE TABLE item (community int PRIMARY KEY, gen int NOT NULL, seen int NOT NULL, n int NOT NULL DEFAULT 0,
                   CONSTRAINT stale_item CHECK (seen = gen));
CREATE TABLE part (id int PRIMARY KEY, item int NOT NULL CONSTRAINT of_item REFERENCES item, gen int NOT NULL,
                   seen int NOT NULL, CONSTRAINT stale_part CHECK (seen = gen));
INSERT INTO item SELECT i, 0, 0 FROM generate_series(1, {COMMUNITIES}) i;
INSERT INTO part SELECT i, i, 0, 0 FROM generate_series(1, {COMMUNITIES}) i;
INSERT INTO snapback.protected_table (relation, community_column, via)
    VALUES ('item', 'community', NULL), ('part', NULL, 'of_item');
SELECT snapback_internal.install_guard(relation) FROM snapback.protected_table;
"""

stop = threading.Event()
outcomes = collections.Counter()
surprises = []


def pause(longest):
    time.sleep(random.random() ** 3 * longest)


def count(who, error):
    state = error.pgcode if error else "done"
    outcomes[f"{who} {state}"] += 1
    return state


def write_row(cursor, table):
    """Read the generation of a row, wait, and write it back."""
    community = random.randint(1, COMMUNITIES)
    key = "community" if table == "item" else "id"
    cursor.execute(f"SELECT gen FROM {table} WHERE {key} = %s", (community,))
    seen = cursor.fetchone()[0]
    pause(0.02)
    cursor.execute(f"UPDATE {table} SET seen = %s WHERE {key} = %s", (seen, community))


def write_all(cursor, _):
    """Write to more communities than are locked individually."""
    cursor.execute("SELECT community, gen FROM item ORDER BY community")
    seen = dict(cursor.fetchall())
    pause(0.01)
    cursor.execute("UPDATE item SET seen = (%s::int[])[community]", ([seen[i + 1] for i in range(COMMUNITIES)],))


def lock_then_write(cursor, _):
    """Lock one row without the guard, then write another one, to cause deadlocks."""
    first, second = random.sample(range(1, 4), 2)
    cursor.execute("SELECT gen FROM item WHERE community = %s FOR UPDATE", (first,))
    pause(0.02)
    cursor.execute("UPDATE item SET n = n + 1 WHERE community = %s", (second,))


def write_until_stopped(who, level, work, table, fresh):
    connection = None
    while not stop.is_set():
        error = None
        try:
            if connection is None or fresh:
                if connection is not None:
                    connection.close()
                connection = psycopg2.connect("")
                connection.set_session(isolation_level=level)
            with connection, connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '50ms'")
                work(cursor, table)
        except psycopg2.Error as failure:
            error = failure
        if count(who, error) not in EXPECTED_OF_WRITERS | {"done"}:
            surprises.append(f"{who}: {error.pgcode} {error}")


def restore(cursor, communities):
    for community in communities:
        cursor.execute("SELECT snapback_test.lock_for_restore(%s)", (str(community),))
    for community in communities:
        cursor.execute("UPDATE item SET gen = gen + 1, seen = gen + 1 WHERE community = %s", (community,))
        cursor.execute("UPDATE part SET gen = gen + 1, seen = gen + 1 WHERE id = %s", (community,))
        pause(0.01)
        cursor.execute("SELECT snapback_test.advance_restore_epoch(%s)", (str(community),))
    pause(0.05)


def restore_until_stopped(who, lowest, highest):
    connection = psycopg2.connect("")
    while not stop.is_set():
        error = None
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("SET LOCAL snapback.lock_timeout = '2s'")
                restore(cursor, [random.randint(lowest, highest)])
                if random.random() < 0.2:
                    connection.rollback()
        except psycopg2.Error as failure:
            error = failure
        if count(who, error) not in {"55P03", "done"}:
            surprises.append(f"{who}: {error.pgcode} {error}")
        pause(0.03)


WORKERS = [(write_until_stopped, (f"{level} {table}{' fresh' if fresh else ''}", level, write_row, table, fresh))
           for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
           for table in ("item", "part") for fresh in (False, True)]
WORKERS += [(write_until_stopped, ("bulk", "READ COMMITTED", write_all, None, False)),
            (write_until_stopped, ("locker", "READ COMMITTED", lock_then_write, None, False)),
            (restore_until_stopped, ("restore", 1, COMMUNITIES // 2)),
            (restore_until_stopped, ("restore", COMMUNITIES // 2 + 1, COMMUNITIES)),
            (restore_until_stopped, ("restore", 1, 3))]


def run():
    setup = psycopg2.connect("")
    setup.autocommit = True
    setup.cursor().execute(SETUP)
    threads = [threading.Thread(target=work, args=arguments) for work, arguments in WORKERS]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS)
    patience = time.monotonic() + 300
    while not everybody_had_a_turn() and time.monotonic() < patience:
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()


def total(who, state):
    return sum(number for name, number in list(outcomes.items()) if name.startswith(who) and name.endswith(state))


def everybody_had_a_turn():
    return all(total(arguments[0], "done") > 0 for _, arguments in WORKERS)


def report():
    stale = [surprise for surprise in surprises if "23514" in surprise]
    killed = [surprise for surprise in surprises if surprise.startswith("restore")]
    others = [surprise for surprise in surprises if surprise not in stale and surprise not in killed]
    checks = [
        (not stale, "no write rested on what was read before a restore", stale),
        (not killed, "no restore failed but by giving up its wait", killed),
        (not others, "writers were refused in no other way", others),
        (total("restore", "done") > 0, "restores went through", []),
        (everybody_had_a_turn(), "every kind of writer got its turn", []),
    ]
    print(f"1..{len(checks)}")
    for number, (passed, name, faults) in enumerate(checks, 1):
        print(f"{'ok' if passed else 'not ok'} {number} - {name}")
        for fault in faults[:5]:
            print("# " + " ".join(fault.split()))
    for name in sorted(outcomes):
        print(f"# {name}: {outcomes[name]}")
    return 0 if all(passed for passed, _, _ in checks) else 1


if "SERVER_DIR" not in os.environ:
    server = os.path.join(os.path.dirname(HERE), "..", "..", "scripts", "server")
    os.execv(server, [server, sys.executable, HERE])
run()
sys.exit(report())
