#!/usr/bin/env python3
"""Restores: one for many approvals, in the background, interrupted, and announced."""
import json
import os
import signal
import threading
import time

from live_server import (connect, end, equal, eventually, fresh_database, ok, pg_ctl, psycopg2, server_log, set_for_database, sql, worker_pids)
from mail_servers import ScriptedServer

ROUNDS = int(os.environ.get("ROUNDS", "5"))
DATABASE = "background"
server = ScriptedServer()
database = fresh_database(DATABASE, snapback__mail_from="restores@cms.example", snapback__smtp_url=server.url,
                          snapback__approve_url="https://cms.example/approve?t={token}", snapback__smtp_require_tls="off",
                          snapback__requests_per_hour=1000)


def reconnect():
    """Connect anew after a restart; return whether the server lets us."""
    global database
    try:
        database = connect(DATABASE)
    except psycopg2.OperationalError:
        return False
    return True


def request(community="42", account="ada"):
    """Ask for a restore; return the request and the secret from its mail."""
    before = len(server.mails)
    backend = connect(DATABASE, snapback__community=community, snapback__account=account)
    asked = sql(backend, "SELECT request::text FROM snapback.request_restore('{customization.pages}')")
    backend.close()
    eventually(lambda: len(server.mails) > before and server.mails[-1].token())
    return asked, server.mails[-1].token()


def approve(token, background=True):
    backend = connect(DATABASE)
    status, reason, restore = sql(backend, "SELECT status, reason, restore::text FROM snapback.approve_restore(%s, NULL, %s)", token, background)[0]
    backend.close()
    return status, reason, restore


def state_of(restore):
    return sql(database, "SELECT state FROM snapback.restores WHERE restore = %s", restore)


def request_state(asked):
    return sql(database, "SELECT state FROM snapback.requests WHERE request = %s", asked)


def double(behaviour="restore", seconds=0):
    sql(database, "UPDATE cms.double SET behaviour = %s, seconds = %s", behaviour, seconds)


def damage():
    """Take pages away; the write guard may want a transaction so soon after a restore to be retried."""
    def done():
        try:
            sql(database, "DELETE FROM cms.page WHERE id IN (2, 4, 6)")
        except (psycopg2.errors.SerializationFailure, psycopg2.errors.LockNotAvailable):
            return False
        return True
    eventually(done)


def pages():
    return sql(database, "SELECT count(*) FROM cms.page WHERE community = '42'")


def last_mail(subject, seconds=15):
    """Wait for a mail with this subject to be the last; return its text."""
    eventually(lambda: server.mails[-1].message["Subject"].startswith(subject), seconds)
    return server.mails[-1].part("plain") if server.mails[-1].message["Subject"].startswith(subject) else server.mails[-1].message["Subject"]


def approve_in_parallel(token, connections, barrier, results):
    def one(connection):
        barrier.wait()
        results.append(sql(connection, "SELECT status, coalesce(reason, '') FROM snapback.approve_restore(%s)", token)[0])
    threads = [threading.Thread(target=one, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_single_use():
    connections = [connect(DATABASE) for _ in range(200)]
    outcomes = []
    for _ in range(ROUNDS):
        damage()
        asked, token = request()
        results = []
        approve_in_parallel(token, connections, threading.Barrier(len(connections)), results)
        outcomes.append((sum(status == "restored" for status, _ in results), sum(status == "refused" for status, _ in results),
                         sql(database, "SELECT count(*) FROM snapback.restores WHERE request = %s", asked)))
    equal(set(outcomes), {(1, 199, 1)}, f"of 200 approvals at once one restores, {ROUNDS} times over")
    for connection in connections:
        connection.close()


def test_requests_at_once():
    connections = [connect(DATABASE, snapback__community="43", snapback__account="bob") for _ in range(20)]
    barrier = threading.Barrier(len(connections))
    results = []

    def one(connection):
        barrier.wait()
        try:
            results.append(sql(connection, "SELECT status FROM snapback.request_restore('{customization.pages}')"))
        except psycopg2.Error as error:
            results.append(error.pgcode)
    threads = [threading.Thread(target=one, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ok(set(results) <= {"pending", "55P03"} and "pending" in results, "requests at once are taken one after the other", results)
    equal(sql(database, "SELECT count(*) FROM snapback.requests WHERE community = '43' AND state = 'pending'"), 1, "and one of them is pending")
    sql(database, "SELECT snapback.cancel_request(id) FROM snapback.request WHERE state = 'pending'")
    for connection in connections:
        connection.close()


def test_background():
    listener = connect(DATABASE)
    sql(listener, "LISTEN snapback")
    damage()
    double(seconds=1.5)
    asked, token = request()
    began = time.monotonic()
    status, reason, restore = approve(token)
    equal((status, reason), ("started", None), "an approval in the background returns at once")
    ok(time.monotonic() - began < 1, "without waiting for the restore")
    equal(request_state(asked), "restoring", "the request is restoring meanwhile")
    equal(approve(token)[:2], ("refused", "the restore was approved already and is under way"), "and cannot be approved again")
    eventually(lambda: sql(database, "SELECT restore FROM snapback.restore_progress"))  # it says so just after it is claimed
    equal(sql(database, "SELECT restore::text, community FROM snapback.restore_progress"), [(restore, "42")], "the view shows it at work")
    ok(sql(database, "SELECT doing FROM snapback.restore_progress") != "", "and what it does")
    equal(sql(database, "SELECT restores_interrupted FROM snapback.process_queue()"), 0, "the queue run leaves it alone")
    equal(pages(), 7, "nothing of it is to be seen before its end")
    eventually(lambda: state_of(restore) == "restored")
    equal((state_of(restore), request_state(asked), pages()), ("restored", "restored", 10), "it ends restored")
    ok("cms.page: 3 inserted" in last_mail("Restored: Blue Harbour RP"), "the owner is told", last_mail("Restored"))
    ok(eventually(lambda: not worker_pids(database, "restore")), "the worker is gone")
    listener.poll()
    events = [json.loads(notice.payload) for notice in listener.notifies]
    equal([event["event"] for event in events], ["request_pending", "restore_queued", "request_restoring", "restore_running", "restore_restored", "request_restored"],
          "every change of state is announced")
    ok(all(set(event) == {"event", "community", "request", "restore", "state", "at"} for event in events), "with all that a listener needs", events)
    equal({(event["community"], event["request"], event["restore"] or restore) for event in events}, {("42", asked, restore)}, "about this request and restore")
    ok(token not in json.dumps(events), "the secret is not announced")
    double()


def test_failure():
    damage()
    double("fail")
    asked, token = request()
    restore = approve(token)[2]
    eventually(lambda: state_of(restore) == "failed")
    equal(sql(database, "SELECT state, sqlstate, message FROM snapback.restores WHERE restore = %s", restore),
          [("failed", "SB010", "a page's address belongs to another community")], "a failure is recorded")
    equal((request_state(asked), pages()), ("pending", 7), "nothing has changed, and the request is pending again")
    text = last_mail("Restore failed: Blue Harbour RP")
    ok("Reason: a page's address belongs" in text and "may be used again until" in text, "the owner is told why, and that the link still works", text)
    double(seconds=30)
    restore = approve(token)[2]
    eventually(lambda: state_of(restore) == "running")
    sql(database, "SELECT pg_cancel_backend(pid) FROM snapback.restore_progress")
    eventually(lambda: state_of(restore) == "failed")
    equal(sql(database, "SELECT sqlstate FROM snapback.restores WHERE restore = %s", restore), "57014", "a cancelled restore has failed")
    double()
    restore = approve(token)[2]
    eventually(lambda: state_of(restore) == "restored")
    equal((state_of(restore), pages()), ("restored", 10), "the same link then restores")
    double("fail")
    set_for_database(DATABASE, "snapback.request_ttl", "3s")
    asked, token = request()
    double("fail", 3)
    restore = approve(token)[2]
    eventually(lambda: request_state(asked) == "failed")
    equal(request_state(asked), "failed", "a request that has expired meanwhile ends with the failure")
    ok("request the restore anew" in last_mail("Restore failed"), "which the mail says")
    set_for_database(DATABASE, "snapback.request_ttl", "1h")
    asked, token = request()
    double("fail", 1)
    approve(token)
    eventually(lambda: worker_pids(database, "restore"))
    newer, _ = request()
    eventually(lambda: request_state(asked) == "superseded")
    equal((request_state(asked), request_state(newer)), ("superseded", "pending"), "a newer request stands in the place of one whose restore failed")
    sql(database, "SELECT snapback.cancel_request(%s)", newer)
    double()


def test_interruption():
    for how in ("terminated", "shut down", "killed"):
        damage()
        double(seconds=60)
        asked, token = request()
        restore = approve(token)[2]
        eventually(lambda: state_of(restore) == "running" and sql(database, "SELECT count(*) FROM snapback.restore_progress") == 1)
        (pid,) = worker_pids(database, "restore")
        began = time.monotonic()
        if how == "shut down":
            pg_ctl("-m", "fast", "restart")
            ok(time.monotonic() - began < 5, "a fast shutdown does not wait for a restore", time.monotonic() - began)
        else:
            os.kill(pid, signal.SIGTERM if how == "terminated" else signal.SIGKILL)
            time.sleep(0.5)
        eventually(reconnect, 30)
        eventually(lambda: not worker_pids(database, "restore"))
        equal((state_of(restore), request_state(asked), pages()), ("running", "restoring", 7), f"worker {how}: the restore is undone, but nobody has noted it")
        double()
        equal(sql(database, "SELECT restores_interrupted FROM snapback.process_queue()"), 1, f"worker {how}: the queue run notices")
        equal((state_of(restore), request_state(asked)), ("interrupted", "pending"), f"worker {how}: the restore is marked, the request pending")
        ok("may be used again" in last_mail("Restore interrupted"), f"worker {how}: the owner is told")
        restore = approve(token)[2]
        eventually(lambda: state_of(restore) == "restored")
        equal((state_of(restore), pages()), ("restored", 10), f"worker {how}: the link then restores")


def test_no_slot():
    """A restore that no worker could be started for waits for the queue run."""
    damage()
    asked, token = request()
    double(seconds=0)
    backend = connect(DATABASE)
    sql(backend, "BEGIN")
    status = sql(backend, "SELECT status FROM snapback.approve_restore(%s, NULL, true)", token)
    sql(backend, "ROLLBACK")
    equal((status, request_state(asked), sql(database, "SELECT count(*) FROM snapback.restores WHERE request = %s", asked)), ("started", "pending", 0),
          "an approval that is rolled back leaves nothing")
    sql(backend, "BEGIN")
    sql(backend, "SELECT status FROM snapback.approve_restore(%s, NULL, true)", token)
    try:
        sql(backend, "PREPARE TRANSACTION 'approval'")
        prepared = True
    except psycopg2.Error as error:
        prepared = error.pgcode
    equal((prepared, request_state(asked)), ("0A000", "pending"), "nor can it be prepared")
    restore = sql(database, "SELECT snapback.begin_restore(community, snapshot, options, id, 'queued')::text FROM snapback.request WHERE id = %s", asked)
    sql(database, "UPDATE snapback.request SET state = 'restoring' WHERE id = %s", asked)
    equal(sql(database, "SELECT restores_queued FROM snapback.process_queue()"), 1, "the queue run finds a restore that waits")
    eventually(lambda: state_of(restore) == "restored")
    equal(state_of(restore), "restored", "and starts a worker for it")


def test_locked_request():
    """While an approval is under way, its request can be neither superseded nor cancelled."""
    asked, token = request()
    approving = connect(DATABASE)
    sql(approving, "BEGIN")
    equal(sql(approving, "SELECT status FROM snapback.approve_restore(%s)", token), "restored", "an approval is not committed yet")
    backend = connect(DATABASE, snapback__community="42", snapback__account="ada")
    codes = []
    for statement in ("SELECT snapback.request_restore('{customization.pages}')", f"SELECT snapback.cancel_request('{asked}')"):
        try:
            sql(backend, statement)
            codes.append("no error")
        except psycopg2.Error as error:
            codes.append(error.pgcode)
    equal(codes, ["55P03", "55P03"], "a new request and a cancellation are refused meanwhile")
    sql(database, "SELECT snapback.process_queue()")
    sql(approving, "ROLLBACK")
    equal(sql(backend, "SELECT snapback.cancel_request(%s)", asked), True, "afterwards it can be cancelled")


def test_hostile_defaults():
    """What the database's owner sets for sessions does not reach the workers, which are superusers at work."""
    sql(database, "CREATE SCHEMA evil; CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$;"
                  "CREATE FUNCTION evil.same(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$;"
                  "CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.same)")
    for setting, value in (("default_transaction_isolation", "serializable"), ("default_transaction_read_only", "on"), ("statement_timeout", "1ms")):
        set_for_database(DATABASE, setting, value)
    admin = connect("postgres")
    sql(admin, f"ALTER DATABASE {DATABASE} SET search_path = evil, pg_catalog")
    backend = connect(DATABASE, snapback__community="42", snapback__account="ada", default_transaction_isolation="read\\ committed",
                      default_transaction_read_only="off", statement_timeout="0", search_path="pg_catalog")
    count = len(server.mails)
    asked = sql(backend, "SELECT request::text FROM snapback.request_restore('{customization.pages}')")
    eventually(lambda: len(server.mails) > count)
    token = server.mails[-1].token()
    restore = sql(backend, "SELECT restore::text FROM snapback.approve_restore(%s, NULL, true)", token)
    eventually(lambda: state_of(restore) == "restored")
    equal((state_of(restore), request_state(asked), "ERROR:  evil" in server_log()), ("restored", "restored", False), "mail and restore go their way")
    for setting in ("default_transaction_isolation", "default_transaction_read_only", "statement_timeout", "search_path"):
        sql(admin, f"ALTER DATABASE {DATABASE} RESET {setting}")


for test in (test_single_use, test_requests_at_once, test_background, test_failure, test_interruption, test_no_slot, test_locked_request, test_hostile_defaults):
    began = time.monotonic()
    test()
    print(f"# {test.__name__}: {time.monotonic() - began:.0f} s", flush=True)
end()
