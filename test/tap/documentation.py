#!/usr/bin/python3
"""The examples in the documentation do what the documentation says: runs the SQL of every document, in order, in a database
of its own, and compares what psql prints with what stands there.

In a document:

    <!-- examples: database shop -->   has the document run, in a database of this name
    ```sql                             an example; where ```text follows, psql prints just that; where not, no error
    ```sql session=writer              the same, in another session; each name has one connection
    ```sql skip=why                    not run
    <!--sql session=writer             run, but not shown to the reader, up to -->

What differs from run to run (identifiers, times, process numbers) need not agree. With --rewrite, or REWRITE=1, outputs that
do not agree are put right in the documents instead.
"""
import contextlib
import dataclasses
import difflib
import os
import re
import subprocess
import sys
import threading
import typing

from live_server import PATIENCE, TOP, end, fresh_extension, ok

REWRITE = "--rewrite" in sys.argv or os.environ.get("REWRITE") == "1"
MARKER = re.compile(r"^<!-- examples: database (\w+) -->$", re.M)
CHANGING = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
                      r"|\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d)?"
                      r"|(?<=\bprocess )\d+|(?<=\bOID )\d+")
SENTINEL = "--- the end of an example ---"


@dataclasses.dataclass
class Example:
    """SQL in a document, and the lines of output that follow it; None where no output is shown."""
    heading: str
    line: int
    sql: typing.List[str]
    session: str
    output: typing.Optional[typing.List[str]] = None
    output_line: int = 0

    def name(self):
        shown = next((line for line in self.sql if line.strip() and not line.startswith("--")), "")
        return f"{self.heading}: {shown.strip()[:60]}"


class Psql:
    """One session, which lasts from example to example."""

    def __init__(self, database):
        self.process = subprocess.Popen(
            ["psql", "-X", "-q", "-d", database, "-v", "SHOW_CONTEXT=never", "-P", "pager=off"], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, lines):
        """Have psql run lines; return what it prints. It is killed where that takes too long."""
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
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


def session_of(info):
    return dict(word.split("=", 1) for word in info.split() if "=" in word).get("session", "")


def block_at(lines, start, closing):
    """The lines of a block that opens on line `start`, and the number of the line that closes it."""
    stop = next(i for i in range(start + 1, len(lines)) if lines[i].strip() == closing)
    indent = len(lines[start]) - len(lines[start].lstrip())
    return [line[indent:] for line in lines[start + 1:stop]], stop


def examples_in(text):
    """The examples of a document, in order."""
    lines = text.splitlines()
    examples = []
    heading = "beginning"
    follows = False
    i = 0
    while i < len(lines):
        line = lines[i].strip()
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if re.match(r"<!--sql\b", line):
            opened, (sql, i) = i, block_at(lines, i, "-->")
            examples.append(Example(heading, opened + 1, sql, session_of(line)))
        elif line.startswith("```"):
            opened, (block, i) = i, block_at(lines, i, "```")
            if re.match(r"```sql\b", line) and "skip=" not in line:
                examples.append(Example(heading, opened + 1, block, session_of(line)))
                follows = True
            elif line == "```text" and follows:
                examples[-1].output, examples[-1].output_line = block, opened + 1
                follows = False
            else:
                follows = False
        elif line:
            follows = False
        i += 1
    return examples


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


def run_document(path):
    """Run a document's examples and report each; return those whose output is another, with it."""
    text = path.read_text()
    database = MARKER.search(text).group(1)
    fresh_extension(database).close()
    sessions = {}
    changed = []
    for example in examples_in(text):
        if example.session not in sessions:
            sessions[example.session] = Psql(database)
        printed = sessions[example.session].run(example.sql)
        check(path.relative_to(TOP), example, printed)
        if example.output is not None and not agree(example.output, printed):
            changed.append((example, printed))
    for session in sessions.values():
        session.close()
    return changed


def rewrite(path, changed):
    """Put the outputs of a document right, from its end to its beginning, so that line numbers hold."""
    lines = path.read_text().splitlines()
    for example, printed in reversed(changed):
        fence = lines[example.output_line - 1]
        indent = fence[:len(fence) - len(fence.lstrip())]
        stop = example.output_line + len(example.output)
        lines[example.output_line:stop] = [(indent + line).rstrip() for line in printed]
    path.write_text("\n".join(lines) + "\n")


def documents():
    return [path for path in sorted([*TOP.glob("*.md"), *TOP.glob("docs/*.md")]) if "```sql" in path.read_text()]


for document in documents():
    ok(MARKER.search(document.read_text()), f"{document.relative_to(TOP)} names a database for its examples")
    if MARKER.search(document.read_text()):
        differing = run_document(document)
        if REWRITE:
            rewrite(document, differing)
end()
