#!/usr/bin/env python3
"""Mail through real mail servers: with any names and addresses, it goes to one recipient, is one mail, and
arrives complete."""
import contextlib
import pathlib
import tempfile
import time

from approval_steps import damage, mails_about
from live_server import connect, end, equal, eventually, ok, psycopg2, sql
from mail_servers import ScriptedServer, aiosmtpd_server, make_certificate
from mail_steps import Outbox
from real_mail_servers import OpenSmtpd, Postfix, usable

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="snapback-relays."))
FOLDER.chmod(0o755)
outbox = Outbox("relays")

HOSTILE_NAMES = {
    "an end of mail and a QUIT": "Zoë's <Bar>\r\n.\r\nQUIT\r\n",
    "a header": "x\r\nBcc: eve@example.org\r\nX-Evil: 1",
    "another mail": "\r\n.\r\nMAIL FROM:<eve@example.org>\r\nRCPT TO:<eve@example.org>\r\nDATA\r\nSubject: evil\r\n\r\nevil\r\n.\r\n",
    "bare line ends of every kind": "a\rb\nc\vd\fe\x85f\u2028g\u2029h\n.\ni\r.\rj",
    "encoded words": "=?utf-8?q?x=0D=0ABcc:_eve@example.org?=",
    "marks of direction and control characters": "\u202eevil\u202c\u2066x\u2069\x1b[31m\x7f\x01",
    "the token's place": "{token}",
    "a dot": ".",
    "a boundary": "--=_snapback--\r\n",
    "much": "ü\U0001f600" * 3000,
}

# Invalid and unusual addresses of a directory.
REFUSED = ["", " ", "ada", "ada@", "@example.org", "ada@example.org\r\nRCPT TO:<eve@example.org>", "ada@example.org\nBcc: eve@example.org", "ada@example.org\r",
           "ada@example.org,eve@example.org", "ada@example.org eve@example.org", "<ada@example.org>", "ada@example.org> NOTIFY=SUCCESS", "ada@example.org>\r\nDATA",
           '"ada eve"@example.org', '"a"@example.org', "ada@[127.0.0.1]", "ada@exa_mple.org", "ada@@example.org", "@a,@b:ada@example.org", "adä@example.org", "ada@exämple.org",
           "ada@example.org\u2028", "ada\t@example.org", "a" * 65 + "@example.org", "ada@" + "a" * 64 + ".org"]
ODD = ["o'brien+restore=x@example.org", "!#$%&'*+-/=?^_`{|}~@example.org", "-oQ/tmp@example.org", "|cat@example.org", "a" * 64 + "@example.org", "root@localhost", "ADA@EXAMPLE.ORG"]


class Aiosmtpd:
    name = "aiosmtpd"

    @staticmethod
    def missing():
        return None

    def __init__(self, _):
        self.controller, port = aiosmtpd_server()
        self.url = f"smtp://127.0.0.1:{port}"

    def delivered(self):
        return list(self.controller.handler.mails)

    def stop(self):
        self.controller.stop()


@contextlib.contextmanager
def running(server, *arguments):
    started = server(FOLDER / f"{server.name}{len(list(FOLDER.iterdir()))}", *arguments)
    outbox.settings(smtp_url=started.url)
    try:
        yield started
    finally:
        started.stop()


def unlike_one_mail(mail, recipient):
    """The problems of a mail that should be one mail to one recipient."""
    faults = []
    if mail.recipients != [recipient] or str(mail.message["To"]) != recipient:
        faults.append(f"recipients: {mail.recipients}, To: {mail.message['To']}")
    if mail.sender != "restores@cms.example":
        faults.append(f"sender: {mail.sender}")
    ours = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    if [key for key in mail.message.keys() if key not in ("Return-Path", "Delivered-To", "X-Original-To", "Received")] != ours:
        faults.append(f"headers: {mail.message.keys()}")
    if mail.has_bare_line_ends():
        faults.append("bare CR or LF")
    if [part.get_content_type() for part in mail.message.walk()] != ["multipart/alternative", "text/plain", "text/html"] or not mail.token():
        faults.append("not whole: " + mail.raw.decode(errors="replace"))
    if mail.token() and mail.token() in mail.message["Subject"]:
        faults.append("the secret is in the subject")
    return faults


def test_names(server):
    """Community, account and option have the same hostile name."""
    for what, name in HOSTILE_NAMES.items():
        outbox.set_community(name=name, owner=name)
        outbox.sql("UPDATE snapback.option SET label = %s WHERE option = 'customization.pages'", name)
        asked = outbox.sql("SELECT request::text FROM snapback.request_restore('{customization.pages}', NULL, '42', %s)", name)
        outbox.wait(asked, "sent", "failed")
        mails = eventually(lambda: mails_about(outbox.database, server.delivered(), asked))
        equal((outbox.state(asked), len(mails), unlike_one_mail(mails[0], "ada@example.org")), (("sent", 1, ""), 1, []), f"{server.name}: a name that holds {what} makes one mail to the owner")
    outbox.set_community(name="Blue Harbour RP", owner="ada")
    outbox.sql("UPDATE snapback.option SET label = 'Pages' WHERE option = 'customization.pages'")


def test_addresses(server):
    for address in ODD:
        outbox.set_community(email=address)
        asked = outbox.request()
        state = outbox.wait(asked, "sent", "failed")
        if state[0] == "sent":
            eventually(lambda: mails_about(outbox.database, server.delivered(), asked))
        mails = mails_about(outbox.database, server.delivered(), asked)
        print(f"# {server.name}: {address}: {state}")
        equal((len(mails), [fault for mail in mails for fault in unlike_one_mail(mail, address)]), (int(state[0] == "sent"), []),
              f"{server.name}: {address}: to that address alone, or refused")
    ok(outbox.sql("SELECT count(*) FROM snapback.mail WHERE state = 'sent'") > 0, f"{server.name} takes some of them")
    outbox.set_community(email="ada@example.org")
    equal({address for mail in server.delivered() for address in mail.recipients} - {"ada@example.org", *ODD}, set(), f"{server.name}: nobody else got anything")


def test_approval(server):
    damage(outbox.database)
    asked = outbox.request()
    (mail,) = eventually(lambda: mails_about(outbox.database, server.delivered(), asked))
    equal(mail.message["Subject"], "Approve the restore of Blue Harbour RP", f"{server.name}: the mail arrives")
    equal(outbox.approve(mail.token())[0], "restored", f"{server.name}: its link approves")
    (result,) = eventually(lambda: mails_about(outbox.database, server.delivered(), asked, "result"))
    ok("3 inserted" in result.part("plain") and result.recipients == ["ada@example.org"], f"{server.name}: and the result arrives", result.raw.decode())


def test_server(server):
    if usable(server):
        ok(True, f"{server.name} # SKIP needs {usable(server)}")
        return
    with running(server) as started:
        test_approval(started)
        test_names(started)
        test_addresses(started)
        outbox.settle()


def test_postfix_tls():
    if usable(Postfix):
        ok(True, f"postfix with TLS # SKIP needs {usable(Postfix)}")
        return
    _, trusted = make_certificate(FOLDER, "postfix", "localhost", 10)
    with running(Postfix, FOLDER / "postfix") as server:
        outbox.settings(smtp_url=f"smtp://localhost:{server.port}", smtp_require_tls="on", smtp_ca_file=trusted)
        test_approval(server)
        outbox.settings(smtp_ca_file=FOLDER / "none.pem")
        asked = outbox.request()
        equal((outbox.first_try(asked)[0], len(mails_about(outbox.database, server.delivered(), asked))), ("delayed", 0), "postfix with TLS: without trust in it, it gets no mail")
        outbox.cancel_all()
        outbox.settings(smtp_require_tls="off", smtp_ca_file="")


def test_refused_addresses():
    """Neither the request nor the worker, if an address changes later, accepts anything but one address."""
    server = ScriptedServer()
    outbox.settings(smtp_url=server.url)
    backend = connect(outbox.name, snapback__community="42", snapback__account="ada")
    refused = []
    for address in REFUSED:
        outbox.set_community(email=address)
        try:
            sql(backend, "SELECT snapback.request_restore('{customization.pages}')")
        except psycopg2.Error as error:
            refused.append(address if error.pgcode == "55000" else error.pgcode)
    equal(refused, REFUSED, "what is no address is refused when the restore is requested")
    outbox.set_community(email="ada@example.org")
    for address in REFUSED:
        # The mail is sent after the commit to the current address of the request.
        sql(backend, "BEGIN")
        asked = sql(backend, "SELECT request::text FROM snapback.request_restore('{customization.pages}')")
        sql(backend, "SET LOCAL session_replication_role = replica")
        sql(backend, "UPDATE snapback.request SET owner_email = %s WHERE id = %s", address, asked)
        sql(backend, "COMMIT")
        outcome = outbox.first_try(asked)
        if outcome != ("delayed", "mail address of the owner is not valid"):
            ok(False, f"{address!r} is refused when the mail is written", outcome)
        outbox.cancel_all()
    equal((server.connections, server.seen), (0, b""), "and when the mail is written: the mail server is not even called")
    server.close()


for test, *arguments in ((test_server, Aiosmtpd), (test_server, OpenSmtpd), (test_server, Postfix), (test_postfix_tls,), (test_refused_addresses,)):
    began = time.monotonic()
    test(*arguments)
    print(f"# {test.__name__}: {time.monotonic() - began:.0f} s", flush=True)
end()
