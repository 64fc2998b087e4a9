#!/usr/bin/env python3
"""Restores: one for many approvals, in the background, interrupted, and announced."""
import json
import os
import signal
import threading
import time

from approval_steps import (TAKEN, damage, give_address_back, keep_address, let_time_pass, mails_about, no_worker_slot, request, take_address,
                            waits_for_lock)
from live_server import connect, connect_again, end, equal, eventually, fresh_database, kill, ok, pg_ctl, psycopg2, server_log, set_for_database, sql, worker_pids
from mail_servers import ScriptedServer

ROUNDS = int(os.environ.get("ROUNDS", "5"))
DATABASE = "background"
server = ScriptedServer()
database = fresh_database(DATABASE, snapback__mail_from="restores@cms.example", snapback__smtp_url=server.url,
                          snapback__approve_url="https://cms.example/approve?t={token}", snapback__smtp_require_tls="off",
                          snapback__requests_per_hour=1000, snapback__lock_timeout="1h")


sql(database, "CREATE ROLE follower LOGIN; SELECT snapback.grant_backend('follower')")


def request_with_secret():
    """Request a restore; return the request and the secret from its mail."""
    asked = request(DATABASE)
    return asked, eventually(lambda: mails_about(database, server.mails, asked))[0].token()


def approve(token, background=True):
    backend = connect(DATABASE)
    status, reason, restore = sql(backend, "SELECT status, reason, restore::text FROM snapback.approve_restore(%s, NULL, %s)", token, background)[0]
    backend.close()
    return status, reason, restore


def state_of(restore):
    return sql(database, "SELECT state FROM snapback.restores WHERE restore = %s", restore)


def request_state(asked):
    return sql(database, "SELECT state FROM snapback.requests WHERE request = %s", asked)


def pages():
    return sql(database, "SELECT count(*) FROM cms.page WHERE community = '42'")


def told(asked, restore):
    """The mail about the result of a restore: subject and text."""
    mail = eventually(lambda: mails_about(database, server.mails, asked, "result", restore))[0]
    return mail.message["Subject"] + "\n" + mail.part("plain")


def wait_until_it_waits(restore):
    """Wait until a restore waits for another session; return its process."""
    eventually(lambda: any(waits_for_lock(database, pid) for pid in at_work(restore)))
    return at_work(restore)[0]


def at_work(restore):
    return sql(database, "SELECT coalesce(array_agg(pid), '{}') FROM snapback.restore_progress WHERE restore = %s", restore)


def restored(restore):
    return eventually(lambda: state_of(restore) == "restored")


def at_once(connections, work):
    """Call this with each of the connections concurrently; return the results."""
    barrier = threading.Barrier(len(connections))
    results = []

    def one(connection):
        barrier.wait()
        results.append(work(connection))
    threads = [threading.Thread(target=one, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_single_use():
    connections = [connect(DATABASE) for _ in range(200)]
    outcomes = []
    for _ in range(ROUNDS):
        damage(database)
        asked, token = request_with_secret()
        results = at_once(connections, lambda connection: sql(connection, "SELECT status, coalesce(reason, '') FROM snapback.approve_restore(%s)", token)[0])
        outcomes.append((sum(status == "restored" for status, _ in results), sum(status == "refused" for status, _ in results),
                         sql(database, "SELECT count(*) FROM snapback.restores WHERE request = %s", asked)))
    equal(set(outcomes), {(1, 199, 1)}, f"of 200 approvals at once one restores, {ROUNDS} times over")
    for connection in connections:
        connection.close()


def test_requests_at_once():
    def ask(connection):
        try:
            return sql(connection, "SELECT status FROM snapback.request_restore('{customization.pages}')")
        except psycopg2.Error as error:
            return error.pgcode
    connections = [connect(DATABASE, snapback__community="43", snapback__account="bob") for _ in range(20)]
    results = at_once(connections, ask)
    ok(set(results) <= {"pending", "55P03"} and "pending" in results, "requests at once are taken one after the other", results)
    equal(sql(database, "SELECT count(*) FROM snapback.requests WHERE community = '43' AND state = 'pending'"), 1, "and one of them is pending")
    sql(database, "SELECT snapback.cancel_request(id) FROM snapback.request WHERE state = 'pending'")
    for connection in connections:
        connection.close()


def test_background():
    listener = connect(DATABASE)
    sql(listener, "LISTEN snapback")
    damage(database)
    take_address(database)
    asked, token = request_with_secret()
    status, reason, restore = approve(token)
    equal((status, reason), ("started", None), "an approval in the background returns while its restore has to wait")
    wait_until_it_waits(restore)
    equal(request_state(asked), "restoring", "the request is restoring meanwhile")
    equal(approve(token)[:2], ("refused", "the restore was already approved and is in progress"), "and cannot be approved again")
    equal(sql(database, "SELECT restore::text, community, phase, relation, rows_done, rows_total FROM snapback.restore_progress"),
          [(restore, "42", "inserting", "cms.page", 0, 3)], "the view shows it at work, what it does, and how far it is")
    followed(restore, [(restore, "restoring", "running", "inserting", "cms.page", 0, 3)])
    equal(sql(database, "SELECT array_agg(snapback.is_locked(id) ORDER BY id) FROM cms.community"), [True, False, False, False], "its community is locked, others are not")
    equal(sql(database, "SELECT restores_interrupted FROM snapback.process_queue()"), 0, "the queue run leaves it alone")
    equal(pages(), 7, "it is invisible before its end")
    give_address_back(database)
    restored(restore)
    equal((state_of(restore), request_state(asked), pages()), ("restored", "restored", 10), "it ends restored")
    followed(restore, [(restore, "restored", "restored", None, None, None, None)])
    text = told(asked, restore)
    ok(text.startswith("Restored: Blue Harbour RP") and "Pages: 3 inserted" in text, "the owner is told", text)
    ok(eventually(lambda: not worker_pids(database, "restore")), "the worker is gone")
    announced(listener, asked, restore, token)


def followed(restore, expected):
    """Check what a backend sees of its restore, and what one for another community sees."""
    for community, rows in (("42", expected), ("43", []), ("", [])):
        backend = connect(DATABASE, user="follower", snapback__community=community)
        equal(sql(backend, "SELECT restore::text, q.state, r.state, phase, relation, rows_done, rows_total FROM snapback.restores r JOIN snapback.requests q USING (request)"
                           " LEFT JOIN snapback.restore_progress USING (restore) WHERE restore = %s", restore), rows, f"a backend that acts for community '{community}' sees how far it is, if it is its own")
        equal(sql(backend, "SELECT count(*) FROM snapback.restore_progress"), sum(row[3] is not None for row in rows), "and no other at work")
        backend.close()


def announced(listener, asked, restore, token):
    def heard():
        listener.poll()
        return len(listener.notifies) >= 6
    eventually(heard)
    events = [json.loads(notice.payload) for notice in listener.notifies]
    equal([event["event"] for event in events], ["request_pending", "restore_queued", "request_restoring", "restore_running", "restore_restored", "request_restored"],
          "every change of state is announced")
    ok(all(set(event) == {"event", "community", "request", "restore", "state", "at"} for event in events), "with all that a listener needs", events)
    equal({(event["community"], event["request"], event["restore"] or restore) for event in events}, {("42", asked, restore)}, "about this request and restore")
    ok(token not in json.dumps(events), "the secret is not announced")


def test_failure():
    damage(database)
    asked, token = request_with_secret()
    take_address(database)
    keep_address(database)
    restore = approve(token)[2]
    eventually(lambda: state_of(restore) == "failed")
    equal(sql(database, "SELECT state, sqlstate, message FROM snapback.restores WHERE restore = %s", restore),
          [("failed", "23505", TAKEN)], "a restore that meets a page with the same address fails, and says so")
    equal((request_state(asked), pages()), ("pending", 7), "nothing has changed, and the request is pending again")
    text = told(asked, restore)
    ok(text.startswith("Restore failed: Blue Harbour RP") and "Reason: 1 row of cms.page" in text and "approval link again until" in text,
       "the owner is told why, and that the link still works", text)
    give_address_back(database)
    take_address(database)
    restore = approve(token)[2]
    sql(database, "SELECT pg_cancel_backend(%s)", wait_until_it_waits(restore))
    eventually(lambda: state_of(restore) == "failed")
    equal(sql(database, "SELECT sqlstate FROM snapback.restores WHERE restore = %s", restore), "57014", "a cancelled restore has failed")
    give_address_back(database)
    restore = approve(token)[2]
    restored(restore)
    equal((state_of(restore), pages()), ("restored", 10), "the same link then restores")


def test_end_of_failed_request():
    """After a failed restore in the background the request is pending again, unless it has expired or there is a newer one."""
    damage(database)
    take_address(database)
    asked, token = request_with_secret()
    restore = approve(token)[2]
    wait_until_it_waits(restore)
    let_time_pass(database, asked, "2 hours")
    keep_address(database)
    eventually(lambda: request_state(asked) != "restoring")
    equal((state_of(restore), request_state(asked)), ("failed", "failed"), "a request that has expired meanwhile ends with the failure")
    ok("request a new restore" in told(asked, restore), "which the mail says")
    give_address_back(database)
    take_address(database)
    asked, token = request_with_secret()
    wait_until_it_waits(approve(token)[2])
    newer, _ = request_with_secret()
    keep_address(database)
    eventually(lambda: request_state(asked) != "restoring")
    equal((request_state(asked), request_state(newer)), ("superseded", "pending"), "a newer request stands in the place of one whose restore failed")
    sql(database, "SELECT snapback.cancel_request(%s)", newer)
    give_address_back(database)


def test_interruption():
    for how in ("terminated", "shut down", "killed"):
        damage(database)
        take_address(database)
        asked, token = request_with_secret()
        restore = approve(token)[2]
        interrupt(wait_until_it_waits(restore), how)
        eventually(lambda: not worker_pids(database, "restore"))
        equal((state_of(restore), request_state(asked), pages()), ("running", "restoring", 7), f"worker {how}: the restore is undone, but nobody has noted it")
        give_address_back(database)
        equal(sql(database, "SELECT restores_interrupted FROM snapback.process_queue()"), 1, f"worker {how}: the queue run notices")
        equal((state_of(restore), request_state(asked)), ("interrupted", "pending"), f"worker {how}: the restore is marked, the request pending")
        text = told(asked, restore)
        ok(text.startswith("Restore interrupted") and "approval link again" in text, f"worker {how}: the owner is told", text)
        restore = approve(token)[2]
        restored(restore)
        equal((state_of(restore), pages()), ("restored", 10), f"worker {how}: the link then restores")


def interrupt(pid, how):
    global database
    if how == "terminated":
        os.kill(pid, signal.SIGTERM)
    elif how == "shut down":
        ok(pg_ctl("-m", "fast", "restart"), "a fast shutdown does not wait for a restore")
        database = connect_again(DATABASE)
    else:
        kill(database, pid)
        database = connect_again(DATABASE)


def test_undone_approval():
    """An approval in the background takes effect at its commit, and cannot be prepared."""
    damage(database)
    asked, token = request_with_secret()
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
    equal((prepared, request_state(asked)), ("0A000", "pending"), "it cannot be prepared either")
    backend.close()


def test_expired_snapshot():
    """A snapshot that has expired when the worker starts is not restored."""
    damage(database)
    asked, token = request_with_secret()
    backend = connect(DATABASE)
    sql(backend, "BEGIN")
    status, restore = sql(backend, "SELECT status, restore::text FROM snapback.approve_restore(%s, NULL, true)", token)[0]
    set_for_database(DATABASE, "snapback.retention", "1s")
    sql(backend, "COMMIT")
    eventually(lambda: state_of(restore) not in ("queued", "running"))
    equal((status, state_of(restore), sql(database, "SELECT sqlstate FROM snapback.restores WHERE restore = %s", restore), pages()), ("started", "failed", "SB004", 7),
          "a snapshot that expires between approval and restore is not restored")
    set_for_database(DATABASE, "snapback.retention", "7d")
    restore = approve(token)[2]
    restored(restore)
    equal((state_of(restore), pages()), ("restored", 10), "one that has not is")
    backend.close()


def test_no_slot():
    """If no worker can be started, process_queue() does it later: for restores and mails."""
    damage(database)
    asked, token = request_with_secret()
    eventually(lambda: not worker_pids(database, "mail"))
    with no_worker_slot(DATABASE):
        status, reason, restore = approve(token)
        equal((status, reason), ("started", None), "no worker slot: an approval in the background is taken all the same")
        other = request(DATABASE, community="43", account="bob")
        equal(sql(database, "SELECT r::text FROM snapback.process_queue() r"), "(0,0,1,1)", "no worker slot: the queue run finds restore and mail")
        equal((state_of(restore), sql(database, "SELECT state, attempts FROM snapback.mail WHERE request = %s", other)), ("queued", [("queued", 0)]),
              "no worker slot: both wait")
    equal((worker_pids(database, "restore"), worker_pids(database, "mail")), ([], []), "with slots to spare, nothing starts by itself")
    equal(sql(database, "SELECT r::text FROM snapback.process_queue() r"), "(0,0,1,1)", "the next queue run starts workers")
    restored(restore)
    equal((state_of(restore), request_state(asked), pages()), ("restored", "restored", 10), "the restore is carried out")
    equal(sql(database, "SELECT count(*) FROM snapback.restores WHERE request = %s", asked), 1, "once")
    eventually(lambda: mails_about(database, server.mails, other))
    eventually(lambda: sql(database, "SELECT state FROM snapback.mail WHERE request = %s", other) == "sent")
    equal((len(mails_about(database, server.mails, other)), sql(database, "SELECT state, attempts FROM snapback.mail WHERE request = %s", other)), (1, [("sent", 1)]),
          "the mail is sent, once")
    told(asked, restore)
    sql(database, "SELECT snapback.cancel_request(%s)", other)


def test_locked_request():
    """While an approval runs, its request can be neither superseded nor cancelled."""
    asked, token = request_with_secret()
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
    """Settings of sessions of the database or the role do not apply to the workers, which run as superusers."""
    sql(database, "CREATE SCHEMA evil; CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$;"
                  "CREATE FUNCTION evil.same(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$;"
                  "CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.same)")
    hostile = {"default_transaction_isolation": "serializable", "default_transaction_read_only": "on", "default_transaction_deferrable": "on",
               "statement_timeout": "1ms", "lock_timeout": "1ms", "exit_on_error": "on", "session_replication_role": "replica", "row_security": "on",
               "client_encoding": "latin1", "DateStyle": "SQL, DMY", "quote_all_identifiers": "on", "role": "powerless", "plpgsql.extra_errors": "all"}
    admin = connect("postgres")
    sql(admin, "CREATE ROLE powerless")
    if sql(admin, "SELECT count(*) FROM pg_settings WHERE name = 'transaction_timeout'"):
        hostile["transaction_timeout"] = "100ms"
    for setting, value in hostile.items():
        set_for_database(DATABASE, setting, value)
    # A setting of the role takes precedence over that of the database.
    sql(admin, f"ALTER DATABASE {DATABASE} SET search_path = evil, pg_catalog; ALTER ROLE postgres SET role = powerless; "
               f"ALTER ROLE postgres IN DATABASE {DATABASE} SET statement_timeout = '2ms'; ALTER DATABASE {DATABASE} SET snapback.lock_timeout = '59min'")
    backend = connect(DATABASE, snapback__community="42", snapback__account="ada", role="none", default_transaction_isolation="read\\ committed",
                      default_transaction_read_only="off", default_transaction_deferrable="off", statement_timeout="0", lock_timeout="0", exit_on_error="off", search_path="pg_catalog",
                      client_encoding="utf8", session_replication_role="origin", **({"transaction_timeout": "0"} if "transaction_timeout" in hostile else {}))
    equal(sql(backend, "SELECT array_agg(concern || ' ' || subject || ': ' || problem ORDER BY problem, subject) FROM snapback.health() WHERE concern = 'settings'"),
          [f"settings database {DATABASE}: default_transaction_read_only = on prevents the scheduled jobs from working",
           f"settings database {DATABASE}: role = powerless prevents the scheduled jobs from working",
           "settings role postgres: role = powerless prevents the scheduled jobs from working"], "health() says that scheduled jobs do not work so")
    asked = sql(backend, "SELECT request::text FROM snapback.request_restore('{customization.pages}')")
    token = eventually(lambda: mails_about(database, server.mails, asked))[0].token()
    restore = sql(backend, "SELECT restore::text FROM snapback.approve_restore(%s, NULL, true)", token)
    restored(restore)
    equal((state_of(restore), request_state(asked), "ERROR:  evil" in server_log()), ("restored", "restored", False), "mail and restore go their way")
    equal(sql(backend, "SELECT snapback_internal.run_in_database(current_database(), $$SELECT concat_ws(' ', current_user, current_setting('statement_timeout'), "
                       "current_setting('search_path'), current_setting('DateStyle'), current_setting('client_encoding'), current_setting('snapback.lock_timeout'))$$)"),
          "postgres 0 pg_catalog, pg_temp ISO, MDY UTF8 59min", "a worker has the server's settings, and the extension's own of the database")
    backend.close()
    for setting in (*hostile, "search_path", "snapback.lock_timeout"):
        sql(admin, f"ALTER DATABASE {DATABASE} RESET {setting}")
    sql(admin, f"ALTER ROLE postgres RESET role; ALTER ROLE postgres IN DATABASE {DATABASE} RESET statement_timeout; DROP ROLE powerless")


for test in (test_single_use, test_requests_at_once, test_background, test_failure, test_end_of_failed_request, test_interruption, test_undone_approval, test_expired_snapshot, test_no_slot,
             test_locked_request, test_hostile_defaults):
    began = time.monotonic()
    test()
    print(f"# {test.__name__}: {time.monotonic() - began:.0f} s", flush=True)
end()
