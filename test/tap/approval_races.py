#!/usr/bin/env python3
"""Approvals and concurrent events: rolled back approvals, forget(), a drop of the extension or the database, and a
standby server. The second session gets a clear error, and none waits for long."""
import os
import shutil
import subprocess
import threading
import time

from approval_steps import damage, give_address_back, idle_writer, mails_about, request, take_address, waits_for_lock
from live_server import as_server_user, connect, end, equal, eventually, fresh_database, ok, psycopg2, server_log, sql, worker_pids
from mail_servers import ScriptedServer

ROUNDS = int(os.environ.get("ROUNDS", "3"))
DATABASE = "races"
server = ScriptedServer()
SETTINGS = {"snapback__mail_from": "restores@cms.example", "snapback__approve_url": "https://cms.example/approve?t={token}",
            "snapback__smtp_require_tls": "off", "snapback__smtp_timeout": "10min", "snapback__requests_per_hour": 1000, "snapback__lock_timeout": "1h"}
database = fresh_database(DATABASE, snapback__smtp_url=server.url, **SETTINGS)
QUEUE = """SELECT snapback_internal.record_restore(c, (SELECT id FROM snapback.snapshot s WHERE s.community = c AND s.kind = 'manual'),
                                         '{customization.pages}', NULL, NULL, 'queued') FROM unnest(%s) c"""
APPROVE = "SELECT status, coalesce(reason, '') FROM snapback.approve_restore(%s, NULL, %s)"


def request_with_secret():
    """Request a restore; return the request and the secret from its mail."""
    asked = request(DATABASE)
    return asked, eventually(lambda: mails_about(database, server.mails, asked))[0].token()


def attempt(connection, statement, *parameters):
    """Run a statement; return its result, or the SQLSTATE of its error."""
    try:
        return sql(connection, statement, *parameters)
    except psycopg2.Error as error:
        return error.pgcode


class Begun:
    """A running statement in a separate session."""

    def __init__(self, statement, *parameters, name=DATABASE, **settings):
        self.connection = connect(name, **settings)
        self.pid = self.connection.info.backend_pid
        self.began = time.monotonic()
        self.thread = threading.Thread(target=self.run, args=(statement, *parameters))
        self.thread.start()

    def run(self, *arguments):
        self.result = attempt(self.connection, *arguments)
        self.took = time.monotonic() - self.began

    def waits(self):
        return eventually(lambda: waits_for_lock(database, self.pid))

    def end(self):
        self.thread.join()
        self.connection.close()
        return self.result


def kept_of(community):
    """The stored data of a community: snapshots, requests, restores, audit records."""
    return sql(database, "SELECT (SELECT count(*) FROM snapback.snapshot WHERE community = %s), (SELECT count(*) FROM snapback.request WHERE community = %s),"
                         "(SELECT count(*) FROM snapback.restore_run WHERE community = %s), (SELECT count(*) FROM snapback.audit WHERE community = %s)",
               *[community] * 4)[0]


def errors_logged():
    return [line for line in server_log().splitlines() if " ERROR: " in line or " FATAL: " in line]


# ---- other approvals

def test_undone():
    """If an approval is rolled back, the one that waits for it continues."""
    asked, token = request_with_secret()
    first = connect(DATABASE)
    sql(first, "BEGIN")
    said = sql(first, APPROVE, token, False)
    second = Begun(APPROVE, token, False)
    second.waits()
    sql(first, "ROLLBACK")
    equal((said[0][0], second.end()[0][0]), ("restored", "restored"), "an approval that waits for another which is undone restores")
    equal(sql(database, "SELECT state FROM snapback.restores WHERE request = %s", asked), "restored", "once")
    equal(sql(database, "SELECT array_agg(event ORDER BY at) FROM snapback.audit WHERE request = %s AND event NOT LIKE 'mail%%'", asked),
          ["request_pending", "request_approved", "restore_running", "restore_restored", "request_restored"], "and of the other one nothing is on record")
    first.close()


def test_many_at_once():
    """Two secrets of one request; half of the sessions wait for the restore."""
    connections = [connect(DATABASE) for _ in range(100)]
    outcomes = set()
    for _ in range(ROUNDS):
        damage(database)
        asked, token = request_with_secret()
        other = "b" * 43
        sql(database, "INSERT INTO snapback.token (sha256, request) VALUES (snapback_internal.token_hash(%s), %s)", other, asked)
        barrier = threading.Barrier(len(connections))
        said = []

        def approve(i, connection):
            barrier.wait()
            said.append(sql(connection, APPROVE, (token, other)[i % 2], i % 4 < 2)[0][0])
        threads = [threading.Thread(target=approve, args=item) for item in enumerate(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        eventually(lambda: sql(database, "SELECT state FROM snapback.requests WHERE request = %s", asked) == "restored")
        outcomes.add((len(said) - said.count("refused"), said.count("refused"), sql(database, "SELECT count(*) FROM snapback.restores WHERE request = %s", asked),
                      sql(database, "SELECT count(*) FROM snapback.audit WHERE request = %s AND event = 'request_approved'", asked),
                      sql(database, "SELECT count(*) FROM cms.page WHERE community = '42'")))
    equal(outcomes, {(1, 99, 1, 1, 10)}, f"of 100 approvals at once with two secrets, here and in the background, one restores, {ROUNDS} times over")
    for connection in connections:
        connection.close()


# ---- forget() of a community

def test_forgotten_meanwhile():
    """forget() waits for a running restore, without a deadlock."""
    for background in (False, True):
        damage(database)
        _, token = request_with_secret()
        with idle_writer(DATABASE):
            approval = Begun(APPROVE, token, background)
            if background:
                approval.thread.join()
                eventually(lambda: [pid for pid in worker_pids(database, "restore") if waits_for_lock(database, pid)])
            else:
                approval.waits()
            erasing = Begun("SELECT snapshots > 0 FROM snapback.forget('42')")
            erasing.waits()
            captured = attempt(database, "SELECT snapback.capture('43') IS NOT NULL")
            time.sleep(1.2)  # time in which a deadlock would be detected
        equal((approval.end()[0][0], erasing.end()), ("started" if background else "restored", True), f"a restore {'in the background ' * background}and forget() both succeed")
        equal(captured, True, "and other communities are captured while forget() waits for the restore")
        equal((kept_of("42"), sql(database, "SELECT count(*) FROM cms.page WHERE community = '42'")), ((0, 0, 0, 0), 10), "the community is restored, and nothing is kept of it")
        sql(database, "SELECT snapback.capture('42')")


def test_forgotten_first():
    """While a community is being forgotten, requests and approvals wait. Then there is nothing to restore, or forget() was rolled back."""
    for ending in ("ROLLBACK", "COMMIT"):
        damage(database)
        _, token = request_with_secret()
        erasing = connect(DATABASE)
        sql(erasing, "BEGIN; SELECT snapback.forget('42')")
        approval = Begun(APPROVE, token, False)
        approval.waits()
        asking = Begun("SELECT status FROM snapback.request_restore('{customization.pages}')", snapback__community="42", snapback__account="ada")
        equal(asking.end(), "55P03", "while a community is being erased, nothing is to be asked for")
        sql(erasing, ending)
        if ending == "COMMIT":
            equal(approval.end(), [("refused", "the link is unknown or no longer valid")], "and afterwards nothing is to be approved")
            equal(kept_of("42"), (0, 0, 0, 0), "nothing is kept of it")
        else:
            equal(approval.end()[0][0], "restored", "where it is not erased after all, the approval restores")
        erasing.close()
    sql(database, "INSERT INTO cms.page SELECT i, '42', 'page ' || i, 'page-' || i FROM unnest('{2,4,6}'::int[]) i; SELECT snapback.capture('42')")


# ---- removal of objects that workers use

def stalled_worker(name, step):
    """Create a database whose mail worker waits: for a mail server that is silent at this step, or for its next try. Return the name of the server."""
    stalled = ScriptedServer(**({step: None} if step else {"RCPT": "450 later"}))
    fresh_database(name, snapback__smtp_url=stalled.url, **SETTINGS).close()
    asked = request(name)
    connection = connect(name)
    if step:
        eventually(lambda: step in stalled.steps)
    else:
        eventually(lambda: sql(connection, "SELECT state FROM snapback.mail WHERE request = %s AND attempts > 0", asked) == "queued")
    return stalled, asked, connection


def timed(connection, statement):
    began = time.monotonic()
    return attempt(connection, statement), time.monotonic() - began


def test_dropped_extension():
    for step in (None, "connect", "end"):
        stalled, _, connection = stalled_worker("dropped", step)
        before = len(errors_logged())
        outcome, took = timed(connection, "DROP EXTENSION pg_snapback CASCADE")
        ok(outcome == [] and took < 2, f"the extension is dropped at once while the mail worker waits ({step or 'for its next try'})", (outcome, took))
        stalled.script.clear()
        ok(eventually(lambda: not worker_pids(connection, "mail")), "and the worker ends")
        equal(errors_logged()[before:], [], "with nothing to say about it")
        sql(connection, "CREATE EXTENSION pg_snapback")
        connection.close()
        stalled.close()


def test_copied_between_restores():
    """A worker with two restores exits between them, and another one runs the second."""
    connection, gate, admin = fresh_database("handed"), connect("handed"), connect("postgres")
    damage(connection)
    sql(gate, "BEGIN; LOCK TABLE cms.page IN SHARE MODE")
    queued = len(sql(connection, QUEUE, ["42", "43"]))
    sql(connection, "SELECT snapback_internal.start_worker('restore')")
    eventually(lambda: [pid for pid in worker_pids(connection, "restore") if waits_for_lock(connection, pid)])
    connection.close()
    copying = Begun("CREATE DATABASE copy TEMPLATE handed", name="postgres")
    eventually(lambda: sql(admin, "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.objid AND d.datname = 'handed'"
                                  " WHERE l.locktype = 'object' AND l.mode = 'ShareLock' AND l.granted"))
    gate.close()
    equal(copying.end(), [], "a database is copied although a second restore is queued there")
    done = "SELECT count(*) FROM snapback.restores WHERE state = 'restored'"
    connection, copy = connect("handed"), connect("copy")
    equal((queued, sql(copy, done)), (2, 1), "between the first and the second")
    ok(eventually(lambda: sql(connection, done) == 2), "which the worker's successor does")
    connection.close()
    copy.close()
    sql(admin, "DROP DATABASE copy")
    admin.close()


def test_dropping_extension_beside_restore():
    """At every step of the restore, DROP EXTENSION holds no lock that it may need."""
    gate = connect(DATABASE)
    for table in ("restore_run", "request", "snapshot", "chunk", "restore_table"):
        damage(database)
        sql(database, QUEUE, ["42"])
        sql(gate, f"BEGIN; LOCK TABLE snapback.{table} IN ACCESS EXCLUSIVE MODE")
        sql(database, "SELECT snapback_internal.start_worker('restore')")
        ok(eventually(lambda: [pid for pid in worker_pids(database, "restore") if waits_for_lock(database, pid)]), f"a restore waits for {table}")
        dropping = Begun("BEGIN; DROP EXTENSION pg_snapback CASCADE; ROLLBACK")
        dropping.waits()
        sql(gate, "ROLLBACK")
        equal(dropping.end(), [], "DROP EXTENSION waits for the restore")
        ok(eventually(lambda: not worker_pids(database, "restore")), "the worker ends")
        equal(sql(database, "SELECT count(*) FROM cms.page WHERE community = '42'"), 10, "and the restore is done")
    gate.close()


def test_dropped_extension_during_restore():
    damage(database)
    take_address(database)
    _, token = request_with_secret()
    equal(sql(database, APPROVE, token, True)[0][0], "started", "a restore is at work in the background")
    eventually(lambda: [pid for pid in worker_pids(database, "restore") if waits_for_lock(database, pid)])
    before = len(errors_logged())
    dropping = Begun("DROP EXTENSION pg_snapback CASCADE")
    dropping.waits()
    give_address_back(database)
    equal((dropping.end(), sql(database, "SELECT count(*) FROM cms.page WHERE community = '42'")), ([], 10), "DROP EXTENSION waits for it, and the restore is done")
    ok(eventually(lambda: not worker_pids(database, "restore")), "the worker ends")
    equal(errors_logged()[before:], [], "with nothing to say about it")


def test_dropped_database():
    admin = connect("postgres")
    for step in (None, "connect", "end"):
        stalled, _, connection = stalled_worker("dropped", step)
        connection.close()
        outcome, took = timed(admin, "DROP DATABASE dropped")
        print(f"# dropped within {took:.1f} s", flush=True)
        ok(outcome == [] and took < 4, f"a database is dropped while its mail worker waits ({step or 'for its next try'})", (outcome, took))
        stalled.close()


def test_copied_database():
    """Copying the database requires exclusive access for a moment; the mail is sent nevertheless."""
    admin = connect("postgres")
    stalled, asked, connection = stalled_worker("copied", "RCPT")
    connection.close()
    outcome, took = timed(admin, "CREATE DATABASE copy TEMPLATE copied")
    ok(outcome == [] and took < 5, "a database is copied while its mail worker waits", (outcome, took))
    stalled.script.clear()
    connection = connect("copied")
    equal(eventually(lambda: sql(connection, "SELECT state FROM snapback.mail WHERE request = %s", asked) == "sent"), True, "the worker's successor sends the mail")
    connection.close()
    stalled.close()
    sql(admin, "DROP DATABASE copy")


# ---- a standby server

def test_standby():
    damage(database)
    asked, token = request_with_secret()
    eventually(lambda: not worker_pids(database, "mail"))
    folder = os.environ["SERVER_DIR"] + "/standby"
    run = {"cwd": "/", "check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    subprocess.run([*as_server_user(), "pg_basebackup", "-h", os.environ["PGHOST"], "-U", "postgres", "-D", folder, "-R", "-c", "fast"], **run)
    start = ["pg_ctl", "-D", folder, "-l", folder + ".log", "-w", "-o", "-p 5433 -c max_connections=250 -c max_worker_processes=40"]
    subprocess.run([*as_server_user(), *start, "start"], **run)
    try:
        os.environ["PGPORT"] = "5433"
        standby = connect(DATABASE, snapback__community="42", snapback__account="ada")
        os.environ["PGPORT"] = "5432"
        caught_up = sql(database, "SELECT pg_current_wal_lsn()::text")
        eventually(lambda: sql(standby, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", caught_up))
        equal(sql(standby, "SELECT state, name FROM snapback.describe_request(%s)", token), [("pending", "Blue Harbour RP")], "a standby server shows a request")
        for background in (False, True):
            equal(sql(standby, APPROVE, token, background), [("refused", "a restore cannot be approved in a read-only transaction or on a standby server")],
                  f"it does not approve it{' in the background' * background}")
        equal([attempt(standby, statement) for statement in ("SELECT snapback.request_restore('{customization.pages}')", f"SELECT snapback.cancel_request('{asked}')",
                                                             "SELECT snapback.forget('42')", "SELECT snapback.process_queue()")], ["25006"] * 4, "and nothing else that writes")
        standby.close()
    finally:
        subprocess.run([*as_server_user(), "pg_ctl", "-D", folder, "-m", "immediate", "-w", "stop"], **{**run, "check": False})
        shutil.rmtree(folder, ignore_errors=True)
    equal(sql(database, APPROVE, token, False)[0][0], "restored", "the primary then approves it")


for test in (test_undone, test_many_at_once, test_forgotten_meanwhile, test_forgotten_first, test_standby, test_dropped_extension, test_dropped_database,
             test_copied_database, test_copied_between_restores, test_dropping_extension_beside_restore, test_dropped_extension_during_restore):
    began = time.monotonic()
    test()
    print(f"# {test.__name__}: {time.monotonic() - began:.0f} s", flush=True)
equal([line for line in errors_logged() if "deadlock" in line], [], "nobody was a deadlock's victim")
end()
