"""Real mail servers, each a private instance on loopback that delivers everything into one mailbox.

Both need root. The packages conflict, so scripts/install-packages unpacks Postfix into build/postfix."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

from live_server import TOP, eventually
from mail_servers import Mail

NOBODY = 65534


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        return connection.recv(100).startswith(b"220")
    return False


class Mailbox:
    """The process of a server, and the folder that it delivers to."""

    def __init__(self, folder):
        self.folder = folder
        self.folder.mkdir(mode=0o755)
        self.port = free_port()
        self.url = f"smtp://127.0.0.1:{self.port}"
        self.mailbox = folder / "mailbox"
        self.mailbox.mkdir()
        os.chown(self.mailbox, NOBODY, NOBODY)

    def start(self, *command, **environment):
        # The server's children form its process group, which ends with it.
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(self.folder / "errors").open("w"),
                                        start_new_session=True, env={**os.environ, **environment})
        eventually(lambda: answers(self.port))

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()

    def delivered(self):
        """The received mails, oldest first."""
        files = sorted((file for file in self.mailbox.rglob(self.pattern) if file.is_file()), key=lambda file: file.stat().st_mtime_ns)
        return [DeliveredMail(file.read_bytes()) for file in files]


class DeliveredMail(Mail):
    """A mail as the server wrote it into the mailbox, with its line endings."""

    def __init__(self, raw):
        super().__init__(raw)
        # The trace headers name a recipient only if there is one.
        self.recipients = re.findall(r"\bfor <([^>]*)>", self.message["Received"] or "")
        self.sender = (self.message["Return-Path"] or "").strip("<>")

    def has_bare_line_ends(self):
        return b"\r" in self.raw


class OpenSmtpd(Mailbox):
    name = "opensmtpd"
    pattern = "mail.*"

    @staticmethod
    def missing():
        return None if os.path.exists("/usr/sbin/smtpd") else "opensmtpd"

    def __init__(self, folder):
        super().__init__(folder)
        deliver = folder / "deliver"
        deliver.write_text(f'#!/bin/sh\nnew=$(mktemp {self.mailbox}/new.XXXXXXXX) && cat >"$new" && mv "$new" "{self.mailbox}/mail.${{new##*.}}"\n')
        deliver.chmod(0o755)
        configuration = folder / "smtpd.conf"
        configuration.write_text(f"""
table everybody {{ "@" = "nobody" }}
listen on 127.0.0.1 port {self.port} hostname mail.example
action deliver mda "{deliver}" virtual <everybody>
match from any for any action deliver
""")
        configuration.chmod(0o600)
        self.start("/usr/sbin/smtpd", "-d", "-f", str(configuration))


class Postfix(Mailbox):
    name = "postfix"
    pattern = "new/*"
    root = TOP / "build/postfix"
    owner, group = "uucp", "games"  # accounts of every Debian system that run nothing else

    @classmethod
    def missing(cls):
        return None if (cls.root / "usr/lib/postfix/sbin/master").exists() else "build/postfix (scripts/install-packages)"

    def __init__(self, folder, certificate=None):
        """With a certificate, the server requires STARTTLS."""
        super().__init__(folder)
        for name, owner in (("config", None), ("queue", None), ("data", self.owner)):
            (folder / name).mkdir(mode=0o755)
            shutil.chown(folder / name, owner or "root")
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace", "maildrop", "public"):
            (folder / "queue" / name).mkdir(mode=0o700)
            shutil.chown(folder / "queue" / name, self.owner, self.group if name in ("maildrop", "public") else None)
        (folder / "queue/maildrop").chmod(0o730)
        (folder / "queue/public").chmod(0o710)
        (folder / "queue/pid").mkdir(mode=0o755)
        self.configure(certificate)
        self.start(str(self.root / "usr/lib/postfix/sbin/master"), "-c", str(folder / "config"), "-d", LD_LIBRARY_PATH=str(self.root / "usr/lib/postfix"))

    def configure(self, certificate):
        main = f"""
compatibility_level = 3.6
queue_directory = {self.folder}/queue
data_directory = {self.folder}/data
command_directory = {self.root}/usr/sbin
daemon_directory = {self.root}/usr/lib/postfix/sbin
shlib_directory = {self.root}/usr/lib/postfix
meta_directory = {self.root}/etc/postfix
import_environment = MAIL_CONFIG MAIL_LOGTAG POSTLOG_SERVICE POSTLOG_HOSTNAME LD_LIBRARY_PATH TZ LANG=C
mail_owner = {self.owner}
setgid_group = {self.group}
maillog_file = {self.folder}/log
maillog_file_prefixes = {self.folder}
myhostname = mail.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = example.org, localhost
virtual_mailbox_base = {self.mailbox}
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{NOBODY}
virtual_gid_maps = static:{NOBODY}
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_forbid_bare_newline = yes
smtputf8_enable = no
"""
        if certificate:
            main += f"smtpd_tls_security_level = encrypt\nsmtpd_tls_cert_file = {certificate}.pem\nsmtpd_tls_key_file = {certificate}.key\n"
        services = [f"127.0.0.1:{self.port} inet n - n - - smtpd", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr", "tlsmgr unix - - n 1000? 1 tlsmgr",
                    "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce",
                    "virtual unix - n n - - virtual", "error unix - - n - - error", "retry unix - - n - - error", "anvil unix - - n - 1 anvil",
                    "postlog unix-dgram n - n - 1 postlogd"]
        (self.folder / "config/main.cf").write_text(main)
        (self.folder / "config/master.cf").write_text("\n".join(services) + "\n")


def usable(server):
    """The reason why a server cannot run here, or None."""
    return "root" if os.getuid() != 0 else server.missing()
