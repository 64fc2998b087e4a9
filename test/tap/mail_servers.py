"""Mail servers for tests: one that follows a script exactly, and real ones."""
import contextlib
import datetime
import email
import email.policy
import logging
import re
import socket
import ssl
import threading
import time

import aiosmtpd.controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

logging.disable()  # the servers' reports of refused connections


class Mail:
    """A received mail: its bytes and their meaning."""

    def __init__(self, raw, sender=None, recipients=None):
        self.raw = raw
        self.sender = sender
        self.recipients = recipients
        self.message = email.message_from_bytes(raw, policy=email.policy.default)

    def part(self, kind):
        return self.message.get_body((kind,)).get_content()

    def has_bare_line_ends(self):
        return re.search(rb"(?<!\r)\n|\r(?!\n)", self.raw) is not None

    def token(self):
        found = re.search(r"https://cms\.example/approve\?t=([A-Za-z0-9_-]{43})\r?\n", self.part("plain"))
        return found and found.group(1)


class ScriptedServer:
    """Speaks SMTP by a script: for each step (connect, EHLO, MAIL, RCPT, DATA, body, end, QUIT) another reply than
    usual, "drop" to close the connection, None to be silent as long as the script requires. `pace`: seconds for each byte
    that it reads or writes. Stores every received byte."""

    usual = {"connect": "220 scripted ESMTP", "EHLO": "250 scripted", "HELO": "250 scripted", "MAIL": "250 ok", "RCPT": "250 ok",
             "DATA": "354 go on", "end": "250 taken", "QUIT": "221 bye"}

    def __init__(self, **script):
        self.script = script
        self.pace = 0
        self.seen = b""
        self.steps = []
        self.mails = []
        self.connections = 0
        self.closed = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"smtp://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def reach(self, step):
        """Reach a step, and stay there while the script requires silence."""
        self.steps.append(step)
        while self.script.get(step, "") is None:
            if self.closed:
                raise OSError
            time.sleep(0.01)

    def answer(self, connection, step):
        self.reach(step)
        answer = self.script.get(step, self.usual.get(step, "502 what"))
        if answer == "drop":
            raise OSError
        for byte in answer.encode() + b"\r\n":
            time.sleep(self.pace)
            connection.sendall(bytes([byte]))
        return answer

    def lines(self, connection):
        line = b""
        while byte := connection.recv(1):
            time.sleep(self.pace)
            self.seen += byte
            line += byte
            if byte == b"\n":
                yield line
                line = b""

    def converse(self, connection):
        with contextlib.suppress(OSError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.answer(connection, "connect")
            lines = self.lines(connection)
            for line in lines:
                step = line.split()[0].decode(errors="replace").upper()
                answer = self.answer(connection, step)
                if step == "QUIT":
                    return
                if answer.startswith("354"):
                    self.mails.append(Mail(self.body(lines)))
                    self.answer(connection, "end")

    def body(self, lines):
        """Read a message to its end; an incomplete one is discarded."""
        content = b""
        for line in lines:
            if not content:
                self.reach("body")
            if line == b".\r\n":
                return content
            content += line[1:] if line.startswith(b"..") else line
        raise OSError

    def close(self):
        self.closed = True
        self.listener.close()


class Collector:
    """The handler of aiosmtpd: stores each received mail."""

    def __init__(self):
        self.mails = []
        self.over_tls = []

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(Mail(envelope.original_content, envelope.mail_from, envelope.rcpt_tos))
        self.over_tls.append(session.ssl is not None)
        return "250 taken"


def aiosmtpd_server(implicit_tls=None, **options):
    """Start aiosmtpd; return its controller, whose handler stores the mails, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = aiosmtpd.controller.Controller(Collector(), hostname="127.0.0.1", port=port, ssl_context=implicit_tls, ready_timeout=120, **options)
    controller.start()
    return controller, port


def make_certificate(folder, name, host, days):
    """Create a self-signed certificate that expires in this number of days; return a TLS context, and the file to trust it by."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.utcnow()
    certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=30)).not_valid_after(now + datetime.timedelta(days=days))
                   .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
                   .sign(key, hashes.SHA256()))
    key_file, certificate_file = folder / f"{name}.key", folder / f"{name}.pem"
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate_file, key_file)
    return context, str(certificate_file)
