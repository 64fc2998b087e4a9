#!/usr/bin/env python3
"""Interrupted mail: silent and slow mail servers, workers that are terminated or killed at every step, and the server's
shutdown. At least one mail arrives, and all received mails approve the same restore."""
import os
import re
import signal
import threading
import time

from approval_steps import damage, mails_about, waits_for_lock
from live_server import connect, end, equal, eventually, ok, pg_ctl, postmaster, sql
from mail_servers import ScriptedServer
from mail_steps import Outbox

STEPS = ("connect", "EHLO", "MAIL", "RCPT", "DATA", "body", "end")
outbox = Outbox("interruptions")


def until_gone(pid):
    """Wait for a process to end; return the time."""
    began = time.monotonic()
    eventually(lambda: not os.path.exists(f"/proc/{pid}"))
    return time.monotonic() - began


def prompt(times, name):
    """Check that the worker ended within two seconds; on a busy machine some times may be longer."""
    print(f"# {name}: {', '.join(f'{taken:.2f}' for taken in times)} s", flush=True)
    ok(sorted(times)[len(times) // 2] < 2, name, times)


def stalled_at(step):
    """Let a worker connect to a mail server that becomes silent at a step; return server and request."""
    server = ScriptedServer(**{step: None})
    outbox.settings(smtp_url=server.url)
    asked = outbox.request()
    eventually(lambda: step in server.steps)
    return server, asked


def approve_at_once(tokens):
    """Approve with all these secrets concurrently; return the sorted outcomes."""
    barrier = threading.Barrier(len(tokens))
    outcomes = []

    def approve(token):
        barrier.wait()
        outcomes.append(outbox.approve(token)[0])
    threads = [threading.Thread(target=approve, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def test_silence():
    times = []
    for step in STEPS:
        server, asked = stalled_at(step)
        pid, open_transactions = outbox.worker(), outbox.open_transactions()
        os.kill(pid, signal.SIGTERM)
        times.append(until_gone(pid))
        outbox.no_worker()
        equal((open_transactions, outbox.state(asked)[:2]), (0, ("sending", 1)), f"silent at {step}: no transaction is open; a worker that is ended leaves the mail as being sent")
        server.script.clear()
        outbox.sql("SELECT snapback.process_queue()")
        equal(outbox.wait(asked, "sent")[:2], ("sent", 2), f"silent at {step}: the next worker sends it")
        server.close()
    prompt(times, "a worker ends within two seconds, whatever the mail server does")


def test_cancel():
    times = []
    for step in STEPS:
        server, asked = stalled_at(step)
        outbox.sql("SELECT pg_cancel_backend(%s)", outbox.worker())
        began = time.monotonic()
        equal(outbox.first_try(asked), ("delayed", "canceling statement due to user request"), f"silent at {step}: a cancelled try is one that failed")
        times.append(time.monotonic() - began)
        outbox.cancel_all()
        server.close()
    prompt(times, "a try that is cancelled takes leave of nobody: it ends within two seconds")


def test_ended_request():
    server, asked = stalled_at("RCPT")
    os.kill(outbox.worker(), signal.SIGTERM)
    outbox.no_worker()
    outbox.sql("SELECT snapback.cancel_request(%s)", asked)
    server.script.clear()
    outbox.sql("SELECT snapback.process_queue()")
    equal(outbox.wait(asked, "dropped")[:2], ("dropped", 1), "a mail that was being sent when worker and request ended is dropped")
    equal(len(server.mails), 0, "and does not arrive")
    server.close()


def test_timeout():
    outbox.settings(smtp_timeout="2s")
    for step in ("connect", "RCPT", "end"):
        server, asked = stalled_at(step)
        outcome, error = outbox.first_try(asked)
        ok(outcome == "delayed" and re.search("timed out|timeout", error), f"silent at {step}: a try ends with snapback.smtp_timeout", error)
        began, ended = outbox.sql("SELECT min(minted_at), (SELECT min(at) FROM snapback.audit WHERE request = %s AND event = 'mail_delayed') "
                                  "FROM snapback.token WHERE request = %s", asked, asked)[0]
        ok((ended - began).total_seconds() > 1.5, f"silent at {step}: and no sooner", ended - began)
        outbox.cancel_all()
        server.close()
    outbox.settings(smtp_timeout="10min")
    server = ScriptedServer(QUIT=None)
    outbox.settings(smtp_url=server.url)
    asked = outbox.request()
    equal(outbox.wait(asked, "sent")[0], "sent", "a server that is silent at QUIT has taken the mail")
    ok(outbox.no_worker(), "and holds up nobody")
    server.close()


def shut_down(pid):
    """Shut the server down (fast) and start it again; return the time until this process ended."""
    server = postmaster()
    os.kill(server, signal.SIGINT)
    taken = until_gone(pid)
    until_gone(server)
    pg_ctl("start")
    outbox.reconnect()
    return taken


def test_shutdown():
    """A server that reads and replies at one byte per second is neither silent nor finished."""
    times = []
    for step, pace in (("connect", 1), ("RCPT", 1), ("body", 1), ("EHLO", 0)):
        server, asked = stalled_at(step)
        server.pace = pace
        if pace:
            server.script.clear()
            time.sleep(1.5)
        open_transactions = outbox.open_transactions()
        times.append(shut_down(outbox.worker()))
        name = f"shutdown, {'slow' if pace else 'silent'} from {step} on"
        equal((open_transactions, len(server.mails), outbox.state(asked)[:2]), (0, 0, ("sending", 1)), f"{name}: no transaction was open, the mail is left as being sent")
        server.pace = 0
        server.script.clear()
        outbox.sql("SELECT snapback.process_queue()")
        equal(outbox.wait(asked, "sent")[:2], ("sent", 2), f"{name}: it is sent when the server is back")
        server.close()
    prompt(times, "a worker ends within two seconds of a fast shutdown, however slow the mail server")


def arrived(name, server, asked, copies):
    """Check the received mail of a request, and that it approves one restore."""
    eventually(lambda: len(mails_about(outbox.database, server.mails, asked)) >= copies)
    mails = mails_about(outbox.database, server.mails, asked)
    equal((len(mails), len({mail.message["Message-ID"] for mail in server.mails}), len({mail.token() for mail in mails})), (copies, 1, copies),
          f"{name}: {copies} arrived, under one Message-ID, each with a secret of its own")
    equal(approve_at_once([mail.token() for mail in mails] * 2), ["refused"] * (2 * copies - 1) + ["restored"], f"{name}: whatever arrived opens one restore")
    equal(outbox.sql("SELECT count(*) FROM snapback.restores WHERE request = %s AND state = 'restored'", asked), 1, f"{name}: one is on record")


def test_killed():
    for step in STEPS:
        damage(outbox.database)
        server, asked = stalled_at(step)
        outbox.kill_worker()
        equal(outbox.state(asked)[:2], ("sending", 1), f"killed at {step}: the mail is left as being sent")
        server.script.clear()
        outbox.sql("SELECT snapback.process_queue()")
        equal(outbox.wait(asked, "sent")[:2], ("sent", 2), f"killed at {step}: the next worker sends it")
        arrived(f"killed at {step}", server, asked, 2 if step in ("body", "end") else 1)  # data in transit to the server arrives
        server.close()


def test_killed_afterwards():
    """The server has accepted the mail, but the worker is killed before it has recorded that."""
    damage(outbox.database)
    server, asked = stalled_at("end")
    locker = connect(outbox.name)
    sql(locker, "BEGIN")
    sql(locker, "SELECT FROM snapback.mail WHERE request = %s FOR UPDATE", asked)
    server.script.clear()
    eventually(lambda: waits_for_lock(outbox.database, outbox.worker()))
    outbox.kill_worker()
    equal(outbox.state(asked)[:2], ("sending", 1), "killed after the server's 250: nobody knows that it was sent")
    outbox.sql("SELECT snapback.process_queue()")
    equal(outbox.wait(asked, "sent")[:2], ("sent", 2), "killed after the server's 250: it is sent again")
    arrived("killed after the server's 250", server, asked, 2)
    server.close()


def test_killed_then_refused():
    server, asked = stalled_at("DATA")
    outbox.kill_worker()
    server.script = {"RCPT": "550 no such user"}
    outbox.sql("SELECT snapback.process_queue()")
    equal(outbox.wait(asked, "failed")[:2], ("failed", 2), "killed, and then refused with 5xx: that is final")
    outbox.due_now()
    outbox.no_worker()
    equal((server.connections, server.mails, outbox.sql("SELECT state FROM snapback.requests WHERE request = %s", asked)), (2, [], "pending"),
          "it is not tried again; the request waits for its time")
    server.close()
    outbox.cancel_all()


def test_one_worker():
    server, asked = stalled_at("EHLO")
    first = outbox.worker()
    more = [outbox.request(community="43", account="bob") for _ in range(6)]
    polls = []

    def two_workers_and_no_more():
        """Workers that find another one waiting end immediately."""
        polls.append(len(outbox.workers()))
        return len(polls) >= 20 and polls[-20:] == [2] * 20
    ok(eventually(two_workers_and_no_more), "one worker is at work and one waits", polls)
    equal(server.connections, 1, "only one talks to the server")
    server.script.clear()
    os.kill(first, signal.SIGTERM)
    equal(outbox.wait(more[-1], "sent")[0], "sent", "the one that waits takes over")
    equal(outbox.wait(asked, "sent")[0], "sent", "with what the other left")
    outbox.cancel_all()


for test in (test_silence, test_cancel, test_ended_request, test_timeout, test_shutdown, test_killed, test_killed_afterwards, test_killed_then_refused, test_one_worker):
    began = time.monotonic()
    test()
    print(f"# {test.__name__}: {time.monotonic() - began:.0f} s", flush=True)
end()
