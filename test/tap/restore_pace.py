#!/usr/bin/python3
"""What a restore does so that others need not wait for it: it syncs its WAL as it goes, rests each millisecond, and lets
who wakes go first.

The server's system calls are counted by a library that is preloaded into it. Where a sync fails, the server must come down
as it does when Postgres's own fails. Needs the extension installed and a C compiler; starts a server of its own."""
import ctypes
import os
import pathlib
import platform
import subprocess
import threading
import time

from live_server import (TOP, connect, connect_again, end, equal, eventually, is_dead, large_community, ok, pg_ctl, psycopg2, server_log, sql,
                         write)

ROWS = 20000
DATABASE = "pace"
CALLS = pathlib.Path(os.environ["SERVER_DIR"], "calls")
WAL_KB_PER_SYNC = 256  # at most, on average: it syncs each 8 kB, unless the last sync took too long to be followed by the next
SYNCING = 0.1  # of its time at least, where the disk is too slow for that: it takes half of it at most
TABLES = ["forum.member", "forum.topic", "forum.post", "forum.reaction"]
LOSS = "DELETE FROM forum.member WHERE community = 1; DELETE FROM forum.topic WHERE community = 1"
RESTORE = "SELECT sum(inserted + updated + deleted) FROM snapback.restore('{*}', '%s', '1')"
SCHED_GETATTR = {"x86_64": 315}.get(platform.machine(), 275)
LONG_SLICE = 100_000_000  # nanoseconds
COMPUTE = "SELECT count(md5(n::text)) FROM generate_series(1, 300000) n"


def start_counting():
    """Start the server anew, on a disk that is waited for, with its calls counted."""
    CALLS.mkdir(mode=0o777)
    CALLS.chmod(0o777)
    library = CALLS / "paced_calls.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, TOP / "test/preload/paced_calls.c", "-ldl"], check=True)
    os.environ.update(LD_PRELOAD=str(library), PACED_CALLS=str(CALLS))
    restarted = pg_ctl("restart", "-o", "-c fsync=on")
    del os.environ["LD_PRELOAD"]
    return restarted


def counted(pid, call):
    """How often this process has made that call."""
    path = CALLS / f"{pid}.{call}"
    return path.stat().st_size if path.exists() else 0


def slice_of(pid):
    """The slice of processor time that a process asks for, in nanoseconds; 0 where the kernel knows of none."""
    attributes = (ctypes.c_uint64 * 6)()  # struct sched_attr: the fourth is sched_runtime
    assert ctypes.CDLL(None).syscall(SCHED_GETATTR, pid, attributes, ctypes.sizeof(attributes), 0) == 0
    return attributes[3]


def rows():
    return [sql(witness, f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} t") for table in TABLES]


def wal_kb():
    return sql(witness, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') / 1024")


class Session:
    """A session, and what it has called."""

    def __init__(self, **settings):
        self.connection = connect(DATABASE, **settings)
        self.pid = sql(self.connection, "SELECT pg_backend_pid()")

    def calls(self, statement):
        """Run a statement; return how often it synced and rested, how many kB of WAL it wrote and how many seconds it took."""
        syncs, rests, wal, began = counted(self.pid, "fdatasync"), counted(self.pid, "nanosleep"), wal_kb(), time.monotonic()
        sql(self.connection, statement)
        return counted(self.pid, "fdatasync") - syncs, counted(self.pid, "nanosleep") - rests, wal_kb() - wal, time.monotonic() - began

    def slices(self, statement):
        """Run a statement; return the slices that it asked for, as often as one can look."""
        seen = set()
        work = threading.Thread(target=sql, args=(self.connection, statement))
        work.start()
        while work.is_alive():
            seen.add(slice_of(self.pid))
            time.sleep(0.001)
        return seen


def check_pace():
    """A restore syncs and rests; a statement after it, or after one that was cut short, does not."""
    session = Session()
    usual = slice_of(session.pid)
    write(witness, LOSS)
    syncs, rests, wal, seconds = session.calls(RESTORE % snapshot)
    syncing = counted(session.pid, "synced") / 1000 / seconds
    print(f"# {syncs} syncs of {wal:.0f} kB of WAL, {syncing:.2f} of the time, {rests} rests in {seconds:.2f} s", flush=True)
    equal(rows(), wanted, "the restore puts every row back")
    ok(syncs > wal / WAL_KB_PER_SYNC or syncing > SYNCING, "it syncs its WAL as it goes", f"{syncs} syncs of {wal} kB, {syncing} of the time")
    ok(rests > seconds * 1000 / 10, "it rests again and again", f"{rests} rests in {seconds} s")
    equal(session.calls(COMPUTE)[1], 0, "what comes after it in the session rests no more")
    write(witness, LOSS)
    sql(session.connection, "SET statement_timeout = 200")
    try:
        session.calls(RESTORE % snapshot)
        ok(False, "a restore that takes too long is cancelled")
    except psycopg2.errors.QueryCanceled:
        ok(True, "a restore that takes too long is cancelled")
    sql(session.connection, "SET statement_timeout = 0")
    equal(session.calls(COMPUTE)[1], 0, "nor does what comes after one that was cancelled")
    equal(slice_of(session.pid), usual, "which leaves no long slices behind either")


def check_slices():
    """A restore asks for long slices of processor time, what comes after it in the session does not."""
    session = Session()
    usual = slice_of(session.pid)
    if usual == 0:
        ok(True, "a restore asks for long slices # SKIP this kernel has none: Linux before 6.12")
        return
    write(witness, LOSS)
    equal(session.slices(RESTORE % snapshot) - {usual}, {LONG_SLICE}, "a restore asks for long slices")
    equal(session.slices(COMPUTE), {usual}, "what comes after it does not")
    equal(rows(), wanted, "and every row is back")


def check_unpaced():
    """With wal_flush_after = 0 it leaves its WAL to others, but for the commit and a segment that ends."""
    syncs, rests, _, _ = Session(snapback__wal_flush_after=0).calls(RESTORE % snapshot)
    ok(syncs < 5, "with snapback.wal_flush_after = 0 it does not sync as it goes", f"{syncs} syncs")
    ok(rests > 0, "and rests nevertheless")
    equal(rows(), wanted, "and puts every row back")


def check_broken_disk():
    """Where a sync fails, nobody may believe what is on disk: the server comes down, recovers, and the restore can be had anew."""
    global witness
    write(witness, LOSS)
    lost = rows()
    session = Session()
    # The first sync is Postgres's own, as it writes the WAL out; the second is the restore's.
    (CALLS / f"{session.pid}.intact").write_text("." * (counted(session.pid, "fdatasync") + 1))
    try:
        sql(session.connection, RESTORE % snapshot)
        ok(False, "a restore whose sync fails ends")
    except psycopg2.OperationalError:
        ok(True, "a restore whose sync fails ends")
    ok(eventually(lambda: is_dead(witness)), "with it the server comes down")
    witness = connect_again(DATABASE)
    said = [line for line in server_log().splitlines() if "PANIC" in line]
    ok(len(said) == 1 and "could not fdatasync file \"pg_wal/" in said[0], "which says what failed", "\n".join(said))
    equal(rows(), lost, "and recovers: nothing of the restore is there")
    sql(connect(DATABASE), RESTORE % snapshot)
    equal(rows(), wanted, "it can be had again")


ok(start_counting(), "a server that waits for its disk is up")
witness = large_community(DATABASE, ROWS)
wanted = rows()
snapshot = sql(witness, "SELECT snapback.capture('1')")
check_pace()
check_unpaced()
check_slices()
check_broken_disk()
end()
