#!/usr/bin/python3
"""Run the examples in the documentation, and compare the output of psql with the page.

Every *.md file in the top folder and below docs/ with a block of SQL is run, page by page, each in its own database. Only
visible examples are run: a page with examples must not contain HTML comments.

    ```sh                  if its first line begins with `createdb NAME`: run by bash in the top folder. It creates the page's
    createdb guild         database, which must not exist before; the other lines can load files, as in
    psql -f examples/guild/load.sql guild

    ```sql                 run by psql in the page's database, in the order of the page. Without shown output, no error may
                           occur.
    ```text                directly after a block of SQL: the output of psql for that block
    ```sql                 if the first line is a comment such as these: run in another session. A session starts at its first
    -- session: writer     example and lasts until the end of the page; `as role` selects the role.
    -- session: backend, as role club_backend

Blocks of other kinds (``` without a word, ```sh without createdb) are not run. psql runs like for a reader: `PSQLRC=examples/psqlrc
psql guild` in the top folder. That file suppresses command tags, row counts and CONTEXT, and shows NULL as NULL.
After each page its database and roles are dropped, and its processes are ended. The ports of scripts/mailbox on a page
must be free.

Values that differ between runs (identifiers, times, process IDs) need not match. With --rewrite, or REWRITE=1, different
outputs are replaced in the pages; with names of pages, only those are run: documentation.py docs/approval.md
"""
import contextlib
import dataclasses
import difflib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import typing

from live_server import PATIENCE, TOP, connect, end, ok, sql

REWRITE = "--rewrite" in sys.argv or os.environ.get("REWRITE") == "1"
NAMED_PAGES = [name for name in sys.argv[1:] if not name.startswith("-")]
CREATES = re.compile(r"createdb (\w+)$")
SESSION = re.compile(r"-- session: (\w+)(?:, as role (\w+))?$")
PSQL_SETTINGS = {**os.environ, "PSQLRC": str(TOP / "examples/psqlrc")}
CHANGING = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
                      r"|\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d)?"
                      r"|(?<=\bprocess )\d+|(?<=\bOID )\d+")
MAILBOX_PORT = re.compile(r"\bscripts/mailbox (\d+)")
SENTINEL = "--- the end of an example ---"


@dataclasses.dataclass
class Example:
    """SQL on a page with its output lines; None if no output is shown."""
    heading: str
    line: int
    sql: typing.List[str]
    output: typing.Optional[typing.List[str]] = None
    output_line: int = 0

    def session(self):
        """The session that runs it, and the role that connects; empty and None if the page names none."""
        named = SESSION.match(self.sql[0]) if self.sql else None
        return (named.group(1), named.group(2)) if named else ("", None)

    def name(self):
        shown = next((line for line in self.sql if line.strip() and not line.startswith("--")), "")
        return f"{self.heading}: {shown.strip()[:60]}"


class Psql:
    """A database session that lasts from example to example, in its own operating system session, to find processes that it starts."""

    def __init__(self, database, role):
        self.process = subprocess.Popen(
            ["psql", "-d", database, *(["-U", role] if role else [])], text=True, bufsize=1, cwd=TOP, env=PSQL_SETTINGS,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def run(self, lines):
        """Run lines in psql; return the output. psql is killed after a timeout."""
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        try:
            self.process.stdin.write("\n".join([*lines, f"\\echo {SENTINEL}", ""]))
            self.process.stdin.flush()
            printed = []
            for line in self.process.stdout:
                if line.rstrip("\n") == SENTINEL:
                    return [line.rstrip() for line in printed]
                printed.append(line)
            return [*(line.rstrip() for line in printed), "psql ended"]
        except BrokenPipeError:
            return ["psql ended"]
        finally:
            watchdog.cancel()

    def close(self):
        """End psql and the background processes of its examples."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        for pid in (int(entry.name) for entry in pathlib.Path("/proc").glob("[0-9]*")):
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(pid) == self.process.pid:
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()


def block_at(lines, start, closing):
    """Return the lines of a block that opens at line `start`, and the number of its last line."""
    stop = next(i for i in range(start + 1, len(lines)) if lines[i].strip() == closing)
    indent = len(lines[start]) - len(lines[start].lstrip())
    return [line[indent:] for line in lines[start + 1:stop]], stop


def blocks_in(text):
    """The fenced blocks of a page in order: heading, line number, info string, lines, and whether it follows another block directly."""
    lines = text.splitlines()
    heading = "beginning"
    follows = False
    i = 0
    while i < len(lines):
        line = lines[i].strip()
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if line.startswith("```"):
            opened, (block, i) = i, block_at(lines, i, "```")
            yield heading, opened + 1, line[3:], block, follows
            follows = True
        elif line:
            follows = False
        i += 1


def examples_in(text):
    """The examples of a page, in order."""
    examples = []
    before = None
    for heading, line, kind, block, follows in blocks_in(text):
        if kind == "sql":
            examples.append(Example(heading, line, block))
        elif kind == "text" and follows and before == "sql":
            examples[-1].output, examples[-1].output_line = block, line
        before = kind
    return examples


def preparation_in(text):
    """The commands that create the page's database, and its name."""
    for _, _, kind, block, _ in blocks_in(text):
        if kind == "sh" and block and CREATES.match(block[0]):
            return block, CREATES.match(block[0]).group(1)
    return None, None


def agree(expected, printed):
    return [CHANGING.sub("...", line.rstrip()) for line in expected] == [CHANGING.sub("...", line) for line in printed]


def check(document, example, printed):
    """Report one example as a test, with the differences."""
    name = f"{document}, {example.name()}"
    while printed and not printed[-1]:
        printed.pop()
    if example.output is None:
        errors = [line for line in printed if line.startswith(("ERROR:", "FATAL:", "psql ended"))]
        ok(not errors, name, "\n".join([f"line {example.line}", *printed]))
    else:
        ok(agree(example.output, printed), name,
           "\n".join(difflib.unified_diff(example.output, printed, f"{document}, line {example.output_line}", "psql", "", "", 2, "")))


@contextlib.contextmanager
def nothing_left(database):
    """Drop the database and the roles that were created."""
    admin = connect("postgres")
    roles = {role for role, in sql(admin, "SELECT rolname FROM pg_roles")}
    try:
        yield
    finally:
        sql(admin, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        for role, in sql(admin, "SELECT rolname FROM pg_roles"):
            if role not in roles:
                sql(admin, f'DROP ROLE "{role}"')
        admin.close()


def prepare(document, commands):
    """Run the commands that create a page's database; report and return whether they succeed."""
    done = subprocess.run(["bash", "-e", "-c", "\n".join(commands)], cwd=TOP, env=PSQL_SETTINGS, text=True, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    succeeded = done.returncode == 0 and "ERROR:" not in done.stdout
    ok(succeeded, f"{document}: {commands[0]}", done.stdout)
    return succeeded


def is_free(port):
    """Whether a server can listen on this port of the loopback interface."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


def ports_are_free(document, text):
    """Report and return whether the ports of the page's mailboxes are free."""
    free = True
    for port in sorted({int(port) for port in MAILBOX_PORT.findall(text)}):
        found = is_free(port)
        ok(found, f"{document}: port {port} is free", f"Another process listens on it. `ss -ltnp 'sport = {port}'` shows which one: end it, and run this again.")
        free &= found
    return free


def run_document(path):
    """Run a page's examples and report each; return those with another output, with that output."""
    document = path.relative_to(TOP)
    text = path.read_text()
    commands, database = preparation_in(text)
    ok("<!--" not in text, f"{document} hides nothing in comments")
    ok(database, f"{document} shows how to create the database for its examples")
    if not database or not ports_are_free(document, text):
        return []
    sessions = {}
    changed = []
    with nothing_left(database), contextlib.ExitStack() as opened:
        for example in examples_in(text) if prepare(document, commands) else []:
            name, role = example.session()
            if name not in sessions:
                sessions[name] = Psql(database, role)
                opened.callback(sessions[name].close)
            printed = sessions[name].run(example.sql)
            check(document, example, printed)
            if example.output is not None and not agree(example.output, printed):
                changed.append((example, printed))
    return changed


def rewrite(path, changed):
    """Replace outputs on a page from the end to the beginning, so that line numbers remain valid."""
    lines = path.read_text().splitlines()
    for example, printed in reversed(changed):
        fence = lines[example.output_line - 1]
        indent = fence[:len(fence) - len(fence.lstrip())]
        stop = example.output_line + len(example.output)
        lines[example.output_line:stop] = [(indent + line).rstrip() for line in printed]
    path.write_text("\n".join(lines) + "\n")


def documents():
    """The pages to run: the specified ones, or all with examples."""
    pages = [path for path in sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md")]) if examples_in(path.read_text())]
    return [path for path in pages if not NAMED_PAGES or str(path.relative_to(TOP)) in NAMED_PAGES]


signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # closes all open sessions
for page in documents():
    differing = run_document(page)
    if REWRITE:
        rewrite(page, differing)
end()
