#!/usr/bin/python3
"""One value of more than a hundred megabytes: a cancel takes effect soon in every phase, and a preview does not copy it repeatedly.

LARGE_VALUE_MB: its size (128). Needs the extension installed; starts a server of its own."""
import os
import pathlib
import threading
import time

from live_server import connect, end, equal, eventually, fresh_extension, ok, psycopg2, sql

VALUE_MB = int(os.environ.get("LARGE_VALUE_MB", "128"))
# Processor time, because the machine may be busy, for a capture of 2.2 s: a slower machine gets proportionally more
# time. A single step of the server, such as the copy of a row into a temporary file, takes longest.
LIMIT_SECONDS = 1
CAPTURE_SECONDS = 2.2
LIMIT_COPIES = 2.2  # of the value, in temporary files: before and after
TICKS = os.sysconf("SC_CLK_TCK")

# Text that repeats only after 4 MB: it is created quickly, and neither the server's compression nor zstd finds the repetitions.
SETUP = f"""
CREATE TABLE club (id text PRIMARY KEY);
CREATE VIEW clubs AS SELECT id AS community, id AS name, id AS owner, id || '@example.org' AS owner_email, true AS restores_enabled FROM club;
CREATE TABLE entry (id bigint PRIMARY KEY, club text NOT NULL REFERENCES club, body text NOT NULL);
ALTER TABLE entry ALTER body SET STORAGE EXTERNAL;
INSERT INTO club VALUES ('large');
INSERT INTO entry SELECT 1, 'large', repeat((SELECT string_agg(md5(n::text), '') FROM generate_series(1, 131072) n), {VALUE_MB // 4});
SELECT snapback.set_directory('clubs');
SELECT snapback.add_category('all', 'All', 'everything'), snapback.add_option('all.entries', 'Entries', 'the entries');
SELECT snapback.protect('entry', 'all.entries', community_column => 'club');
"""


def processor_time(pid):
    """The processor time of a process in seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Statement(threading.Thread):
    """A statement in a separate session."""

    def __init__(self, statement):
        super().__init__(daemon=True)
        self.statement = statement
        self.session = connect("large_value")
        self.pid = self.session.info.backend_pid
        self.began = processor_time(self.pid)
        self.error = self.result = None

    def run(self):
        try:
            self.result = sql(self.session, self.statement)
        except psycopg2.Error as error:
            self.error = error.pgcode

    def taken(self):
        return processor_time(self.pid) - self.began


def cancel(name, statement, moments):
    """Cancel a statement after each of these times, as multiples of a capture's; check how long it continues."""
    for i, moment in enumerate(moments):
        run = Statement(statement)
        run.start()
        while run.is_alive() and run.taken() < moment * capture_time:
            time.sleep(0.005)
        before = run.taken()
        sql(admin, "SELECT pg_cancel_backend(%s)", run.pid)
        run.join()
        took = run.taken() - before
        if i == 0:
            equal(run.error, "57014", f"{name}: it is cancelled")
        ok(took < LIMIT_SECONDS * max(1, capture_time / CAPTURE_SECONDS), f"{name}, after {moment} times a capture: a cancel is heard within {LIMIT_SECONDS} s", f"{took:.2f} s")
        print(f"# {name}: {took:.2f} s after {before:.2f} s, {run.error or 'at its end'}", flush=True)
        run.session.close()


def run_whole(statement):
    """Complete a statement; return its result and its processor time."""
    run = Statement(statement)
    run.start()
    run.join()
    taken = run.taken()
    run.session.close()
    return run.result, taken


def spilled_mb():
    """The temporary files so far of ended sessions."""
    return float(sql(admin, "SELECT temp_bytes / 1048576.0 FROM pg_stat_database WHERE datname = current_database()"))


admin = fresh_extension("large_value")
sql(admin, SETUP)
snapshot, capture_time = run_whole("SELECT snapback.capture('large')")
print(f"# capture: {capture_time:.2f} s", flush=True)
sql(admin, "UPDATE entry SET body = 'x' || body")
preview = f"SELECT updates FROM snapback.preview_restore('{{*}}', '{snapshot}', 'large')"

spilled = spilled_mb()
updates, preview_time = run_whole(preview)
equal(updates, 1, "the preview finds the changed value")
eventually(lambda: spilled_mb() > spilled)
copies = (spilled_mb() - spilled) / VALUE_MB
ok(copies < LIMIT_COPIES, f"and puts it into temporary files less than {LIMIT_COPIES} times", f"{copies:.2f} times")
print(f"# preview: {preview_time:.2f} s, {preview_time / capture_time:.2f} times a capture; {copies:.2f} copies in temporary files", flush=True)

cancel("capture()", "SELECT snapback.capture('large')", (0.3, 0.6))
cancel("snapshot_rows()", f"SELECT length(r::text) FROM snapback.snapshot_rows('{snapshot}', 'entry') r", (0.1, 0.25))
cancel("preview_restore()", preview, (0.5,))
cancel("diff_rows()", f"SELECT length(new::text) FROM snapback.diff_rows('{snapshot}', 'all', 'large')", (0.5, 1, 1.4))
cancel("restore()", f"SELECT updated FROM snapback.restore('{{*}}', '{snapshot}', 'large')", (0.5, 1))
equal(sql(admin, "SELECT left(body, 4), snapback.is_locked('large'), (SELECT count(*) FROM pg_ls_tmpdir()) FROM entry"), [("xc4c", False, 0)],
      "nothing has been written, nothing is locked or left over")
end()
