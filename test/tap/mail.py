#!/usr/bin/env python3
"""Mail to owners: its contents, its transport, retries, and no secret is left anywhere."""
import os
import pathlib
import pwd
import tempfile
import threading
import time

import aiosmtpd.smtp
from approval_steps import TAKEN, damage, give_address_back, idle_writer, keep_address, let_time_pass, mails_about, take_address, waits_for_lock
from live_server import connect, end, equal, eventually, ok, psycopg2, server_log, sql
from mail_servers import ScriptedServer, aiosmtpd_server, make_certificate
from mail_steps import Outbox

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="snapback-mail."))
FOLDER.chmod(0o755)
outbox = Outbox("mail")


def test_mail_and_approval():
    controller, port = aiosmtpd_server()
    mails = controller.handler.mails
    outbox.settings(smtp_url=f"smtp://127.0.0.1:{port}")
    outbox.set_community(name=".Blå <Hafen> & \"Söhne\"\r\nBcc: eve@example.org\r\n.")
    asked = outbox.request()
    equal(outbox.wait(asked, "sent"), ("sent", 1, ""), "the mail is sent after the commit")
    mail = mails[0]
    equal((mail.sender, mail.recipients), ("restores@cms.example", ["ada@example.org"]), "from the configured sender to the owner alone")
    equal(sorted(mail.message.keys()), sorted(["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]),
          "it has the headers it should have, and a name can add none")
    equal(mail.message["Auto-Submitted"], "auto-generated", "it says that nobody wrote it by hand")
    equal(mail.message["Subject"], "Approve the restore of Blue Harbour RP (now called .Blå <Hafen> & \"Söhne\"  Bcc: eve@example.org  .)", "the subject holds the names in one line")
    ok(not mail.has_bare_line_ends(), "no bare CR or LF is in it")
    ok(max(map(len, mail.raw.split(b"\r\n"))) <= 78, "no line is longer than 78 characters")
    text, html = mail.part("plain"), mail.part("html")
    for said in ("Pages (10 rows)", "Notices & <b>News</b> (2 rows)", "account ada", "ignore this mail", 'A restore of "Blue Harbour RP (now called .Blå'):
        ok(said in text, f"the text says: {said}")
    ok("&lt;Hafen&gt; &amp; &quot;Söhne&quot;" in html and "Notices &amp; &lt;b&gt;News&lt;/b&gt;" in html and "<b>" not in html, "names are escaped in HTML")
    token = mail.token()
    ok(token and f'href="https://cms.example/approve?t={token}"' in html and ">Approve Restore</a>" in html, "both forms carry the link")
    outbox.no_worker()

    backend = connect(outbox.name)
    before = outbox.sql("SELECT array_agg(r::text) FROM snapback.request r")
    described = {str(sql(backend, f"SELECT d::text FROM snapback.describe_request('{token}') d")) for _ in range(1000)}
    equal((len(described), outbox.sql("SELECT array_agg(r::text) FROM snapback.request r")), (1, before), "a thousand looks change nothing")
    shown = outbox.sql("SELECT query FROM pg_stat_activity WHERE pid = %s", backend.info.backend_pid)
    ok(token not in shown, "pg_stat_activity does not show the secret", shown)
    equal(outbox.approve(token, community_name="Blue"), ("refused", "the name is not the community's name"), "a wrong name is refused")
    equal(outbox.approve(token)[0], "restored", "then the link approves")
    equal(outbox.approve(token), ("refused", "the link is unknown or no longer valid"), "and does so once")
    equal(outbox.wait(asked, "sent", kind="result"), ("sent", 1, ""), "the owner gets the result")
    result = mails[1]
    ok("Pages: 3 inserted, 2 updated, 1 deleted" in result.part("plain"), "with what was changed", result.part("plain"))
    ok(result.message["Message-ID"] != mail.message["Message-ID"], "it is another mail")
    controller.stop()
    outbox.set_community(name="Blue Harbour RP")


def test_cancelled_approval():
    """An approval that is canceled raises an error, and the server logs the statement without the secret."""
    server = ScriptedServer()
    outbox.settings(smtp_url=server.url)
    asked = outbox.request()
    token = eventually(lambda: mails_about(outbox.database, server.mails, asked))[0].token()
    outbox.sql("CREATE ROLE page LOGIN; SELECT snapback.grant_backend('page')")
    backend, follower = connect(outbox.name, user="page"), connect(outbox.name, user="page")
    raised = []

    def approve():
        try:
            sql(backend, f"SELECT * FROM snapback.approve_restore('{token}')")
        except psycopg2.Error as error:
            raised.append(error.pgcode)
    with idle_writer(outbox.name):
        approving = threading.Thread(target=approve)
        approving.start()
        eventually(lambda: waits_for_lock(outbox.database, backend.info.backend_pid))
        equal(outbox.sql("SELECT phase, community FROM snapback.restore_progress"), [("waiting for the community's writers", "42")], "a restore waits for an idle writer, and says so")
        for community, at_work in (("42", 1), ("43", 0)):
            sql(follower, f"SET snapback.community = '{community}'")
            equal(sql(follower, "SELECT count(*) FROM snapback.restore_progress"), at_work, f"a session of the same role that acts for {community} sees {at_work} at work")
        outbox.sql("SELECT pg_cancel_backend(%s)", backend.info.backend_pid)
        approving.join()
    equal(raised, ["57014"], "a cancelled approval raises")
    ok("canceling statement due to user request" in server_log() and token not in server_log(), "the log contains it without the secret")
    damage(outbox.database)
    take_address(outbox.database)
    keep_address(outbox.database)
    equal(outbox.approve(token), ("failed", TAKEN), "a restore that fails is reported")
    give_address_back(outbox.database)
    equal(outbox.approve(token)[0], "restored", "and may be approved again")
    equal(outbox.sql("SELECT array_agg(state ORDER BY requested_at) FROM snapback.restores WHERE request = %s", asked), ["failed", "restored"], "both restores are on record")
    outbox.cancel_all()


def test_tls():
    good, good_file = make_certificate(FOLDER, "good", "localhost", 10)
    wrong, wrong_file = make_certificate(FOLDER, "wrong", "elsewhere.example", 10)
    expired, expired_file = make_certificate(FOLDER, "expired", "localhost", -1)
    outbox.settings(smtp_require_tls="on")
    plain = ScriptedServer()
    outbox.settings(smtp_url=plain.url)
    asked = outbox.request()
    equal(outbox.first_try(asked)[0], "delayed", "without STARTTLS no mail leaves, but later it may")
    equal((plain.mails, b"MAIL" in plain.seen), ([], False), "not a byte of it did")
    outbox.cancel_all()
    stripping = ScriptedServer(EHLO="250-scripted\r\n250 STARTTLS", STARTTLS="502 no")
    outbox.settings(smtp_url=stripping.url)
    asked = outbox.request()
    ok(outbox.first_try(asked)[0] == "delayed" and "STARTTLS" in stripping.steps and b"MAIL" not in stripping.seen,
       "STARTTLS refused: the same", (outbox.tries(asked), stripping.steps))
    outbox.cancel_all()
    for name, context, trusted, expected in (("a certificate that nobody vouches for", good, wrong_file, "delayed"),
                                             ("a certificate for another host", wrong, wrong_file, "delayed"),
                                             ("an expired certificate", expired, expired_file, "delayed"),
                                             ("a valid certificate", good, good_file, "sent")):
        controller, port = aiosmtpd_server(tls_context=context, require_starttls=True)
        outbox.settings(smtp_url=f"smtp://localhost:{port}", smtp_ca_file=trusted)
        asked = outbox.request()
        equal(outbox.first_try(asked)[0], expected, f"{name}: {expected}")
        if expected == "sent":
            equal(controller.handler.over_tls, [True], "it went over TLS")
        controller.stop()
        outbox.cancel_all()
    controller, port = aiosmtpd_server(implicit_tls=good)
    outbox.settings(smtp_url=f"smtps://localhost:{port}", smtp_ca_file=good_file)
    asked = outbox.request()
    equal(outbox.wait(asked, "sent")[0], "sent", "smtps:// works")
    controller.stop()
    outbox.cancel_all()


def test_login():
    good, good_file = make_certificate(FOLDER, "login", "localhost", 10)
    password = FOLDER / "password"
    password.write_text("s3cret:with \"quotes\"\n")

    def check(server, session, envelope, mechanism, data):
        welcome = data.login == b"cms" and data.password == b"s3cret:with \"quotes\""
        return aiosmtpd.smtp.AuthResult(success=welcome, handled=welcome)
    controller, port = aiosmtpd_server(tls_context=good, require_starttls=True, auth_required=True, authenticator=check)
    outbox.settings(smtp_url=f"smtp://localhost:{port}", smtp_ca_file=good_file, smtp_require_tls="on", smtp_user="cms", smtp_password_file=password)
    password.chmod(0o644)
    if os.getuid() == 0:
        asked = outbox.request()
        equal(outbox.first_try(asked)[1], f'the mail server\'s password file "{password}" does not belong to the server\'s user', "another user's password file is refused")
        outbox.cancel_all()
        os.chown(password, pwd.getpwnam("postgres").pw_uid, -1)
    for setup, problem in ((lambda: None, "can be read by users other than its owner"),
                           (lambda: outbox.settings(smtp_password_file=f"{FOLDER}/none"), "cannot be read: No such file or directory"),
                           (lambda: outbox.settings(smtp_password_file=FOLDER), "is not a regular file")):
        setup()
        asked = outbox.request()
        outcome, error = outbox.first_try(asked)
        ok(outcome == "delayed" and problem in error, f"a password file that {problem}: said so", error)
        outbox.cancel_all()
    password.chmod(0o600)
    outbox.settings(smtp_password_file=password)
    asked = outbox.request()
    equal(outbox.wait(asked, "sent"), ("sent", 1, ""), "with user and password the server takes the mail")
    password.write_text("wrong")
    asked = outbox.request()
    equal(outbox.wait(asked, "failed")[0], "failed", "a wrong password is final")
    ok("wrong" not in outbox.state(asked)[2] and "535" in outbox.state(asked)[2], "the error does not hold it", outbox.state(asked))
    controller.stop()
    outbox.settings(smtp_user="", smtp_require_tls="off")
    outbox.cancel_all()


def test_answers():
    for step in ("connect", "MAIL", "RCPT", "DATA", "end"):
        server = ScriptedServer(**{step: "451 later"})
        outbox.settings(smtp_url=server.url)
        asked = outbox.request()
        equal(outbox.first_try(asked)[0], "delayed", f"4xx at {step}: it will be tried again")
        server.script.clear()
        outbox.due_now()
        outbox.wait(asked, "sent")
        tries = [outcome for outcome, _, _ in outbox.tries(asked)]
        equal((set(tries[:-1]), tries[-1]), ({"delayed"}, "sent"), f"4xx at {step}: a later try succeeds")
        server.close()
    for step in ("connect", "MAIL", "RCPT", "DATA", "end"):
        server = ScriptedServer(**{step: "554 never"})
        outbox.settings(smtp_url=server.url)
        asked = outbox.request()
        equal(outbox.wait(asked, "failed")[:2], ("failed", 1), f"5xx at {step}: it has failed")
        outbox.due_now()
        outbox.no_worker()
        equal(server.connections, 1, f"5xx at {step}: it is not tried again")
        server.close()
    server = ScriptedServer(RCPT="550 no such user")
    outbox.settings(smtp_url=server.url)
    asked = outbox.request()
    ok("550" in outbox.wait(asked, "failed")[2], "the error contains the reply of the server", outbox.state(asked))
    equal(outbox.sql("SELECT state, mail, mail_attempts FROM snapback.requests WHERE request = %s", asked), [("pending", "failed", 1)], "the view shows what became of the mail")
    server.close()
    for step in ("connect", "EHLO", "MAIL", "RCPT", "DATA", "end"):
        server = ScriptedServer(**{step: "drop"})
        outbox.settings(smtp_url=server.url)
        asked = outbox.request()
        equal(outbox.first_try(asked)[0], "delayed", f"connection cut at {step}: it will be tried again")
        server.close()
        outbox.cancel_all()


def test_retries():
    server = ScriptedServer(end="451 later")
    outbox.settings(smtp_url=server.url)
    asked = outbox.request()
    ok(eventually(lambda: len(outbox.tries(asked)) >= 2), "the worker waits for a try that is due soon")
    server.script.clear()
    outbox.due_now()
    state, tries, error = outbox.wait(asked, "sent")
    equal((state, error), ("sent", ""), "and continues until it succeeds")
    equal((len({mail.message["Message-ID"] for mail in server.mails}), len(server.mails)), (1, tries), "every try has the same Message-ID")
    tokens = [mail.token() for mail in server.mails]
    equal(len(set(tokens)), tries, "every try has a secret of its own")
    equal(outbox.sql("SELECT count(*) FROM snapback.token WHERE request = %s", asked), tries, "the hashes of all are kept, since an earlier try may have arrived")
    equal(outbox.approve(tokens[0])[0], "restored", "the first one approves")
    equal({outbox.approve(token)[0] for token in tokens}, {"refused"}, "after which none does")
    equal(outbox.sql("SELECT count(*) FROM snapback.token"), 0, "no hash is left")
    outbox.cancel_all()


def test_end_of_tries():
    outbox.settings(smtp_url="smtp://127.0.0.1:1")
    asked = outbox.request()
    equal(outbox.first_try(asked)[0], "delayed", "a refused connection is tried again")
    outbox.sql("SELECT snapback.cancel_request(%s)", asked)
    outbox.sql("SELECT snapback.process_queue()")
    equal(outbox.wait(asked, "dropped")[0], "dropped", "until the request ends")
    # After many tries the next one is due in about a quarter of an hour.
    outbox.settings(request_ttl="10min")
    asked = outbox.request()
    outbox.first_try(asked)
    outbox.sql("UPDATE snapback.mail SET attempts = 20 WHERE request = %s", asked)
    outbox.due_now()
    equal(outbox.wait(asked, "failed")[0], "failed", "or until it would come too late")
    let_time_pass(outbox.database, asked, "10 min")
    outbox.sql("SELECT snapback.process_queue()")
    equal(outbox.sql("SELECT state FROM snapback.requests WHERE request = %s", asked), "expired", "the queue run ends what has expired")
    outbox.settings(request_ttl="1h")


def test_faults():
    outbox.settings(smtp_url="")
    backend = connect(outbox.name, snapback__community="42", snapback__account="ada")
    sql(backend, "SET snapback.smtp_url = 'smtp://127.0.0.1:1'")
    asked = sql(backend, "SELECT request::text FROM snapback.request_restore('{customization.pages}')")
    equal(outbox.first_try(asked)[1], "snapback.smtp_url is not set", "a setting that the worker lacks is named")
    outbox.cancel_all()
    server = ScriptedServer()
    outbox.settings(smtp_url=server.url)
    outbox.sql("ALTER FUNCTION snapback_internal.request_contents(uuid) RENAME TO request_contents_away")
    asked = outbox.request()
    equal(outbox.first_try(asked)[1], "function snapback_internal.request_contents(uuid) does not exist", "an error of the database is recorded too")
    outbox.sql("ALTER FUNCTION snapback_internal.request_contents_away(uuid) RENAME TO request_contents")
    outbox.due_now()
    equal(outbox.wait(asked, "sent")[0], "sent", "and the worker lives on")
    outbox.cancel_all()


for test in (test_mail_and_approval, test_cancelled_approval, test_tls, test_login, test_answers, test_retries, test_end_of_tries, test_faults):
    began = time.monotonic()
    test()
    print(f"# {test.__name__}: {time.monotonic() - began:.0f} s", flush=True)
end()
