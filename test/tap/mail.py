#!/usr/bin/env python3
"""Mail to owners: what it says, over what it travels, when it is tried again, and that nothing of it stays behind."""
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import tempfile
import time

import aiosmtpd.smtp
from live_server import (connect, end, equal, eventually, fresh_database, ok, pg_ctl, psycopg2, server_log,
                         set_for_database, sql, worker_pids)
from mail_servers import Mail, ScriptedServer, aiosmtpd_server, make_certificate

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="snapback-mail."))
FOLDER.chmod(0o755)
DATABASE = "mail"
database = fresh_database(DATABASE, snapback__mail_from="restores@cms.example",
                          snapback__approve_url="https://cms.example/approve?t={token}",
                          snapback__smtp_require_tls="off", snapback__requests_per_hour=1000)


def reconnect():
    """Connect anew after a restart; return whether the server lets us."""
    global database
    try:
        database = connect(DATABASE)
    except psycopg2.OperationalError:
        return False
    return True


def no_worker():
    return eventually(lambda: not worker_pids(database, "mail"))


def settings(**values):
    """Set for the sessions to come; a worker that is still about would go by the old ones."""
    no_worker()
    for name, value in values.items():
        set_for_database(DATABASE, f"snapback.{name}", value)


def request(options="{customization.pages,customization.notices}", community="42", account="ada"):
    """Ask for a restore as a backend does; return the request's id."""
    backend = connect(DATABASE, snapback__community=community, snapback__account=account)
    made = sql(backend, "SELECT request::text FROM snapback.request_restore(%s::text[])", options)
    backend.close()
    return made


def approve(token, **arguments):
    backend = connect(DATABASE)
    extra = "".join(f", {name} => %s" for name in arguments)
    result = sql(backend, f"SELECT status, reason FROM snapback.approve_restore(%s{extra})", token, *arguments.values())[0]
    backend.close()
    return result


def mail_of(asked, kind="approval"):
    rows = sql(database, "SELECT state, attempts, coalesce(last_error, '') FROM snapback.mail WHERE request = %s AND kind = %s", asked, kind)
    return rows[0] if rows else None


def wait_for_mail(asked, *states, kind="approval", seconds=60):
    eventually(lambda: (mail_of(asked, kind) or [""])[0] in states, seconds)
    return mail_of(asked, kind)


def due_now():
    """Let every delayed mail be due, and the queue run find it."""
    sql(database, "UPDATE snapback.mail SET next_try_at = clock_timestamp() WHERE state = 'queued'")
    sql(database, "SELECT snapback.process_queue()")


def cancel_all():
    sql(database, "SELECT snapback.cancel_request(id) FROM snapback.request WHERE state = 'pending'")
    sql(database, "UPDATE snapback.mail SET state = 'failed', next_try_at = NULL, last_error = 'test' WHERE state IN ('queued', 'sending')")
    no_worker()


def test_mail_and_approval():
    controller, port = aiosmtpd_server()
    mails = controller.handler.mails
    settings(smtp_url=f"smtp://127.0.0.1:{port}")
    sql(database, "UPDATE cms.community SET name = %s WHERE id = '42'", ".Blå <Hafen> & \"Söhne\"\r\nBcc: eve@example.org\r\n.")
    asked = request()
    equal(wait_for_mail(asked, "sent"), ("sent", 1, ""), "the mail is sent after the commit")
    mail = mails[0]
    equal((mail.sender, mail.recipients), ("restores@cms.example", ["ada@example.org"]), "from the configured sender to the owner alone")
    equal(sorted(mail.message.keys()), sorted(["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]),
          "it has the headers it should have, and a name can add none")
    equal(mail.message["Auto-Submitted"], "auto-generated", "it says that nobody wrote it by hand")
    equal(mail.message["Subject"], "Approve the restore of .Blå <Hafen> & \"Söhne\"  Bcc: eve@example.org  .", "the subject holds the name in one line")
    ok(re.search(rb"(?<!\r)\n|\r(?!\n)", mail.raw) is None, "no bare CR or LF is in it")
    ok(max(map(len, mail.raw.split(b"\r\n"))) <= 78, "no line is longer than 78 characters")
    text, html = mail.part("plain"), mail.part("html")
    for said in ("Pages (10 rows)", "Notices & <b>News</b> (2 rows)", "account ada", "ignore this mail", 'A restore of ".Blå'):
        ok(said in text, f"the text says: {said}")
    ok("&lt;Hafen&gt; &amp; &quot;Söhne&quot;" in html and "Notices &amp; &lt;b&gt;News&lt;/b&gt;" in html and "<b>" not in html, "names are escaped in HTML")
    token = mail.token()
    ok(token and f'href="https://cms.example/approve?t={token}"' in html and ">Approve Restore</a>" in html, "both forms carry the link")
    no_worker()

    backend = connect(DATABASE)
    before = sql(database, "SELECT array_agg(r::text) FROM snapback.request r")
    described = {str(sql(backend, f"SELECT d::text FROM snapback.describe_request('{token}') d")) for _ in range(1000)}
    equal((len(described), sql(database, "SELECT array_agg(r::text) FROM snapback.request r")), (1, before), "a thousand looks change nothing")
    shown = sql(database, "SELECT query FROM pg_stat_activity WHERE pid = %s", backend.info.backend_pid)
    ok(token not in shown, "pg_stat_activity does not show the secret", shown)
    equal(approve(token, community_name="Blue"), ("refused", "the name is not the community's name"), "a wrong name is refused")
    equal(approve(token)[0], "restored", "then the link approves")
    equal(approve(token), ("refused", "the link is unknown or no longer valid"), "and does so once")
    equal(wait_for_mail(asked, "sent", kind="result"), ("sent", 1, ""), "the owner is told of the result")
    result = mails[1]
    ok("cms.page: 3 inserted, 2 updated, 1 deleted" in result.part("plain"), "with what was changed", result.part("plain"))
    ok(result.message["Message-ID"] != mail.message["Message-ID"], "it is another mail")

    dump = subprocess.run(["pg_dump", DATABASE], check=True, capture_output=True, text=True).stdout
    ok(token not in dump and token not in server_log(), "the secret is neither in a dump nor in the log")
    controller.stop()
    sql(database, "UPDATE cms.community SET name = 'Blue Harbour RP' WHERE id = '42'")


def test_log_of_errors():
    """An approval that is cancelled raises, and the server logs the statement: without the secret."""
    server = ScriptedServer()
    settings(smtp_url=server.url)
    asked = request()
    wait_for_mail(asked, "sent")
    token = server.mails[0].token()
    sql(database, "UPDATE cms.double SET seconds = 30")
    backend = connect(DATABASE, statement_timeout=300)
    try:
        sql(backend, f"SELECT * FROM snapback.approve_restore('{token}')")
        raised = None
    except Exception as error:
        raised = error
    sql(database, "UPDATE cms.double SET seconds = 0")
    ok(raised is not None and "statement timeout" in str(raised), "a cancelled approval raises")
    ok("canceling statement due to statement timeout" in server_log() and token not in server_log(), "the log tells of it without the secret")
    sql(database, "UPDATE cms.double SET behaviour = 'fail'")
    equal(approve(token), ("failed", "a page's address belongs to another community"), "a restore that fails is reported")
    sql(database, "UPDATE cms.double SET behaviour = 'restore'")
    equal(approve(token)[0], "restored", "and may be approved again")
    equal(sql(database, "SELECT array_agg(state ORDER BY requested_at) FROM snapback.restores WHERE request = %s", asked), ["failed", "restored"], "both restores are on record")
    cancel_all()


def test_tls():
    good, good_file = make_certificate(FOLDER, "good", "localhost", 10)
    wrong, wrong_file = make_certificate(FOLDER, "wrong", "elsewhere.example", 10)
    expired, expired_file = make_certificate(FOLDER, "expired", "localhost", -1)
    settings(smtp_require_tls="on")
    plain = ScriptedServer()
    settings(smtp_url=plain.url)
    asked = request()
    eventually(lambda: mail_of(asked)[2])
    equal(mail_of(asked)[0], "queued", "without STARTTLS no mail leaves, but later it may")
    equal((plain.mails, b"MAIL" in plain.seen), ([], False), "not a byte of it did")
    cancel_all()
    stripping = ScriptedServer(EHLO="250-scripted\r\n250 STARTTLS", STARTTLS="502 no")
    settings(smtp_url=stripping.url)
    asked = request()
    eventually(lambda: mail_of(asked)[2])
    ok("STARTTLS" in stripping.steps and mail_of(asked)[0] == "queued" and b"MAIL" not in stripping.seen,
       "STARTTLS refused: the same", (mail_of(asked), stripping.steps))
    cancel_all()
    for name, context, trusted, expected in (("a certificate that nobody vouches for", good, wrong_file, "queued"),
                                             ("a certificate for another host", wrong, wrong_file, "queued"),
                                             ("an expired certificate", expired, expired_file, "queued"),
                                             ("a valid certificate", good, good_file, "sent")):
        controller, port = aiosmtpd_server(tls_context=context, require_starttls=True)
        settings(smtp_url=f"smtp://localhost:{port}", smtp_ca_file=trusted)
        asked = request()
        eventually(lambda: mail_of(asked)[2] or mail_of(asked)[0] == "sent")
        equal(mail_of(asked)[0], expected, f"{name}: {expected}")
        if expected == "sent":
            equal(controller.handler.over_tls, [True], "it went over TLS")
        controller.stop()
        cancel_all()
    controller, port = aiosmtpd_server(implicit_tls=good)
    settings(smtp_url=f"smtps://localhost:{port}", smtp_ca_file=good_file)
    asked = request()
    equal(wait_for_mail(asked, "sent")[0], "sent", "smtps:// works")
    controller.stop()
    cancel_all()


def test_login():
    good, good_file = make_certificate(FOLDER, "login", "localhost", 10)
    password = FOLDER / "password"
    password.write_text("s3cret:with \"quotes\"\n")

    def check(server, session, envelope, mechanism, data):
        welcome = data.login == b"cms" and data.password == b"s3cret:with \"quotes\""
        return aiosmtpd.smtp.AuthResult(success=welcome, handled=welcome)
    controller, port = aiosmtpd_server(tls_context=good, require_starttls=True, auth_required=True, authenticator=check)
    settings(smtp_url=f"smtp://localhost:{port}", smtp_ca_file=good_file, smtp_require_tls="on", smtp_user="cms", smtp_password_file=password)
    password.chmod(0o644)
    if os.getuid() == 0:
        asked = request()
        eventually(lambda: mail_of(asked)[2])
        equal(mail_of(asked)[2], f'the mail server\'s password file "{password}" does not belong to the server\'s user', "another user's password file is refused")
        cancel_all()
        os.chown(password, pwd.getpwnam("postgres").pw_uid, -1)
    for setup, problem in ((lambda: None, "can be read by others than its owner"),
                           (lambda: settings(smtp_password_file=f"{FOLDER}/none"), "cannot be read: No such file or directory"),
                           (lambda: settings(smtp_password_file=FOLDER), "is not a plain file")):
        setup()
        asked = request()
        eventually(lambda: mail_of(asked)[2])
        ok(mail_of(asked)[0] == "queued" and problem in mail_of(asked)[2], f"a password file that {problem}: said so", mail_of(asked))
        cancel_all()
    password.chmod(0o600)
    settings(smtp_password_file=password)
    asked = request()
    equal(wait_for_mail(asked, "sent"), ("sent", 1, ""), "with user and password the server takes the mail")
    password.write_text("wrong")
    asked = request()
    equal(wait_for_mail(asked, "failed")[0], "failed", "a wrong password is final")
    ok("wrong" not in mail_of(asked)[2] and "535" in mail_of(asked)[2], "the error does not hold it", mail_of(asked))
    controller.stop()
    settings(smtp_user="", smtp_require_tls="off")
    cancel_all()


def test_answers():
    for step in ("connect", "MAIL", "RCPT", "DATA", "end"):
        server = ScriptedServer(**{step: "451 later"})
        settings(smtp_url=server.url)
        asked = request()
        eventually(lambda: mail_of(asked)[2])
        equal(mail_of(asked)[:2], ("queued", 1), f"4xx at {step}: it will be tried again")
        server.script.clear()
        due_now()
        equal(wait_for_mail(asked, "sent")[:2], ("sent", 2), f"4xx at {step}: the next try succeeds")
        server.close()
    for step in ("connect", "MAIL", "RCPT", "DATA", "end"):
        server = ScriptedServer(**{step: "554 never"})
        settings(smtp_url=server.url)
        asked = request()
        equal(wait_for_mail(asked, "failed")[:2], ("failed", 1), f"5xx at {step}: it has failed")
        due_now()
        no_worker()
        equal(server.connections, 1, f"5xx at {step}: it is not tried again")
        server.close()
    server = ScriptedServer(RCPT="550 no such user")
    settings(smtp_url=server.url)
    asked = request()
    ok("550" in wait_for_mail(asked, "failed")[2], "the error holds the server's answer", mail_of(asked))
    equal(sql(database, "SELECT state, mail, mail_attempts FROM snapback.requests WHERE request = %s", asked), [("pending", "failed", 1)], "the view shows what became of the mail")
    server.close()
    for step in ("connect", "EHLO", "MAIL", "RCPT", "DATA", "end"):
        server = ScriptedServer(**{step: "drop"})
        settings(smtp_url=server.url)
        asked = request()
        eventually(lambda: mail_of(asked)[2])
        equal(mail_of(asked)[:2], ("queued", 1), f"connection cut at {step}: it will be tried again")
        server.close()
        cancel_all()


def test_retries():
    server = ScriptedServer(end="451 later")
    settings(smtp_url=server.url)
    asked = request()
    eventually(lambda: mail_of(asked)[1] == 2, 20)
    ok(mail_of(asked)[1] == 2, "the worker waits for a try that is due soon")
    eventually(lambda: mail_of(asked)[0] == "queued")
    server.script.clear()
    due_now()
    equal(wait_for_mail(asked, "sent")[:2], ("sent", 3), "and goes on until it succeeds")
    equal(len({mail.message["Message-ID"] for mail in server.mails}), 1, "every try has the same Message-ID")
    tokens = [mail.token() for mail in server.mails]
    equal(len(set(tokens)), 3, "every try has a secret of its own")
    equal(sql(database, "SELECT count(*) FROM snapback.token WHERE request = %s", asked), 3, "the hashes of all are kept, since an earlier try may have arrived")
    equal(approve(tokens[0])[0], "restored", "the first one approves")
    equal([approve(token)[0] for token in tokens], ["refused"] * 3, "after which none does")
    equal(sql(database, "SELECT count(*) FROM snapback.token"), 0, "no hash is left")
    settings(smtp_url="smtp://127.0.0.1:1")
    asked = request()
    eventually(lambda: mail_of(asked)[2])
    equal(mail_of(asked)[:2], ("queued", 1), "a refused connection is tried again")
    sql(database, "SELECT snapback.cancel_request(%s)", asked)
    equal(mail_of(asked)[0], "dropped", "until the request ends")
    settings(request_ttl="3s")
    asked = request()
    equal(wait_for_mail(asked, "failed")[0], "failed", "or until it would come too late")
    time.sleep(3)
    sql(database, "SELECT snapback.process_queue()")
    equal(sql(database, "SELECT state FROM snapback.requests WHERE request = %s", asked), "expired", "the queue run ends what has expired")
    settings(request_ttl="1h", smtp_url="")
    sql(database, "UPDATE cms.community SET name = 'Blue Harbour RP' WHERE id = '42'")
    backend = connect(DATABASE, snapback__community="42", snapback__account="ada")
    sql(backend, "SET snapback.smtp_url = 'smtp://127.0.0.1:1'")
    asked = sql(backend, "SELECT request::text FROM snapback.request_restore('{customization.pages}')")
    eventually(lambda: mail_of(asked)[2])
    equal(mail_of(asked)[2], "snapback.smtp_url is not set", "a setting that the worker lacks is named")
    cancel_all()
    settings(smtp_url=server.url)
    sql(database, "ALTER FUNCTION snapback.request_contents(uuid) RENAME TO request_contents_away")
    asked = request()
    eventually(lambda: mail_of(asked)[2])
    equal(mail_of(asked)[2], "function snapback.request_contents(uuid) does not exist", "an error of the database is recorded too")
    sql(database, "ALTER FUNCTION snapback.request_contents_away(uuid) RENAME TO request_contents")
    due_now()
    equal(wait_for_mail(asked, "sent")[0], "sent", "and the worker lives on")
    cancel_all()


def test_stalled_server():
    for step in ("connect", "EHLO", "MAIL", "RCPT", "DATA", "end"):
        server = ScriptedServer(**{step: None})
        settings(smtp_url=server.url)
        asked = request()
        eventually(lambda: step in server.steps)
        open_transactions = sql(database, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_snapback mail worker' AND xact_start IS NOT NULL")
        (pid,) = worker_pids(database, "mail")
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        gone = no_worker()
        equal((open_transactions, bool(gone), time.monotonic() - began < 2), (0, True, True),
              f"stalled at {step}: no transaction is open, and the worker ends within two seconds")
        equal(mail_of(asked)[:2], ("sending", 1), f"stalled at {step}: the mail is left as being sent")
        server.script.clear()
        sql(database, "SELECT snapback.process_queue()")
        equal(wait_for_mail(asked, "sent")[:2], ("sent", 2), f"stalled at {step}: the next worker sends it")
        server.close()
    server = ScriptedServer(RCPT=None)
    settings(smtp_url=server.url)
    asked = request()
    eventually(lambda: "RCPT" in server.steps)
    sql(database, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_snapback mail worker'")
    eventually(lambda: mail_of(asked)[2])
    equal(mail_of(asked), ("queued", 1, "canceling statement due to user request"), "a cancelled try is one that failed")
    cancel_all()
    settings(smtp_timeout="2s")
    server = ScriptedServer(RCPT=None)
    settings(smtp_url=server.url)
    asked = request()
    began = time.monotonic()
    eventually(lambda: mail_of(asked)[2])
    ok(1 < time.monotonic() - began < 5 and mail_of(asked)[0] == "queued", "a try ends with snapback.smtp_timeout", mail_of(asked))
    cancel_all()
    server = ScriptedServer(QUIT=None)
    settings(smtp_url=server.url, smtp_timeout="30s")
    asked = request()
    began = time.monotonic()
    equal(wait_for_mail(asked, "sent")[0], "sent", "a server that is silent at QUIT has taken the mail")
    no_worker()
    ok(time.monotonic() - began < 3, "and holds up nobody")
    server = ScriptedServer(EHLO=None)
    settings(smtp_url=server.url)
    asked = request()
    eventually(lambda: "EHLO" in server.steps)
    began = time.monotonic()
    pg_ctl("-m", "fast", "restart")
    ok(time.monotonic() - began < 4, "a fast shutdown does not wait for a stalled mail server", time.monotonic() - began)
    reconnect()
    server.script.clear()
    sql(database, "SELECT snapback.process_queue()")
    equal(wait_for_mail(asked, "sent")[:2], ("sent", 2), "after the restart the mail is sent")
    server.script["EHLO"] = None
    server.steps.clear()
    asked = request()
    eventually(lambda: "EHLO" in server.steps)
    os.kill(worker_pids(database, "mail")[0], signal.SIGKILL)
    time.sleep(0.5)
    ok(eventually(reconnect, 30), "after a crash the server recovers")
    server.script.clear()
    sql(database, "SELECT snapback.process_queue()")
    equal(wait_for_mail(asked, "sent")[:2], ("sent", 2), "and the mail is sent")
    cancel_all()


def test_one_worker():
    server = ScriptedServer(EHLO=None)
    settings(smtp_url=server.url, requests_per_hour=1000)
    asked = request()
    eventually(lambda: "EHLO" in server.steps)
    more = [request(community="43", account="bob") for _ in range(6)]
    ok(eventually(lambda: len(worker_pids(database, "mail")) == 2), "one worker is at work and one waits", worker_pids(database, "mail"))
    time.sleep(0.5)
    equal((len(worker_pids(database, "mail")), server.connections), (2, 1), "never more, and only one talks to the server")
    server.script.clear()
    os.kill(min(worker_pids(database, "mail")), signal.SIGTERM)
    equal(wait_for_mail(more[-1], "sent")[0], "sent", "the one that waits takes over")
    equal(wait_for_mail(asked, "sent")[0], "sent", "with what the other left")
    cancel_all()


def test_opensmtpd():
    if os.getuid() != 0 or not os.path.exists("/usr/sbin/smtpd"):
        ok(True, "opensmtpd # SKIP needs root and opensmtpd")
        return
    mailbox = FOLDER / "mailbox"
    mailbox.mkdir()
    mailbox.chmod(0o777)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = FOLDER / "smtpd.conf"
    configuration.write_text(f"""
listen on 127.0.0.1 port {port} hostname mail.example
action deliver mda "/bin/sh -c 'cat > {mailbox}/$(date +%s%N)'" user nobody
match from any for any action deliver
""")
    configuration.chmod(0o600)
    smtpd = subprocess.Popen(["/usr/sbin/smtpd", "-d", "-f", str(configuration)], stdout=subprocess.DEVNULL, stderr=open(FOLDER / "smtpd.log", "w"))
    try:
        settings(smtp_url=f"smtp://127.0.0.1:{port}")
        sql(database, "UPDATE cms.community SET name = %s, email = 'nobody@localhost' WHERE id = '42'", "Zoë's <Bar>\r\n.\r\nQUIT\r\n")
        time.sleep(1)
        asked = request()
        due_now()
        equal(wait_for_mail(asked, "sent", seconds=20)[0], "sent", "opensmtpd takes the mail")
        eventually(lambda: list(mailbox.iterdir()))
        delivered = list(mailbox.iterdir())
        equal(len(delivered), 1, "and delivers one")
        if delivered:
            time.sleep(0.3)
            mail = Mail(delivered[0].read_bytes())
            equal(mail.message["Subject"], "Approve the restore of Zoë's <Bar>  .  QUIT  ", "whole, with its subject")
            ok(mail.token() is not None, "and with its link")
    finally:
        smtpd.terminate()
        smtpd.wait()
    sql(database, "UPDATE cms.community SET name = 'Blue Harbour RP', email = 'ada@example.org' WHERE id = '42'")
    cancel_all()


for test in (test_mail_and_approval, test_log_of_errors, test_tls, test_login, test_answers, test_retries, test_stalled_server,
             test_one_worker, test_opensmtpd):
    began = time.monotonic()
    test()
    print(f"# {test.__name__}: {time.monotonic() - began:.0f} s", flush=True)
end()
