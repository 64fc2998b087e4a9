#!/usr/bin/python3
"""A large community is restored after total loss: in bounded memory, with visible progress, and interrupted at any point without effect.

BIG_RESTORE_ROWS: number of its rows (100,000; 1,000,000 for the complete test, about ten minutes). Needs the
extension installed; starts a server of its own."""
import os
import threading
import time

from live_server import connect, connect_again, end, equal, eventually, kill, large_community, ok, pg_ctl, psycopg2, sql, write
from memory_peak import Peak

ROWS = int(os.environ.get("BIG_RESTORE_ROWS", "100000"))
LIMIT_MB = 256  # more than a session that has captured little
LIMIT_COPIES = 1.2  # of the size of the rows, in temporary files
LIMIT_SECONDS = 2  # for a restore to react to a cancel, on a busy machine
DATABASE = "big"
TABLES = {"forum.member": ROWS // 10, "forum.topic": ROWS // 10, "forum.post": ROWS // 2, "forum.reaction": ROWS // 10 * 3}
STEPS = ["waiting for the community's writers", "comparing", "deleting", "updating", "inserting", "checking"]
RESTORE = "SELECT sum(inserted + updated + deleted) FROM snapback.restore('{*}', '%s', '1')"
LOSS = """
DELETE FROM forum.reaction r USING forum.post p, forum.topic t WHERE p.id = r.post AND t.id = p.topic AND t.community = 1;
DELETE FROM forum.post p USING forum.topic t WHERE t.id = p.topic AND t.community = 1;
DELETE FROM forum.topic WHERE community = 1;
DELETE FROM forum.member WHERE community = 1"""


def state():
    """Hash every table over all communities, and the records of restores and snapshots."""
    tables = [sql(witness, f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} t") for table in TABLES]
    return tables, sql(witness, "SELECT (SELECT count(*) FROM snapback.restore_run), (SELECT count(*) FROM snapback.snapshot),"
                                "(SELECT count(*) FROM snapback.chunk), (SELECT count(*) FROM snapback.restore_epoch)")


def rows_of(state_then):
    return state_then[0]


def progress(pid):
    """The progress of the restore in this process: phase, table, rows done, total rows; empty if none is running."""
    with witness.cursor() as cursor:
        cursor.execute("SELECT phase, relation, rows_done, rows_total FROM snapback.restore_progress WHERE pid = %s", (pid,))
        return cursor.fetchone()


class Restore(threading.Thread):
    """A restore, or another statement, in a separate session."""

    def __init__(self, statement, **settings):
        super().__init__(daemon=True)
        self.statement = statement
        self.session = connect(DATABASE, **settings)
        sql(self.session, "SELECT count(*) FROM snapback.preview_restore('{*}', NULL, '2')")  # initial memory of a session
        self.pid = self.session.info.backend_pid
        self.error = self.result = self.ended = None

    def run(self):
        try:
            self.result = sql(self.session, self.statement)
        except psycopg2.Error as error:
            self.error = error.pgcode or "the connection is lost"
        self.ended = time.monotonic()

    def wait_for(self, step, table):
        """Wait for this phase with some rows of this table done; return whether it was reached."""
        while self.is_alive():
            seen = progress(self.pid)
            if seen and seen[0] == step and (table is None or (seen[1] == table and seen[2] != 0)):
                return True
            time.sleep(0.001)
        return False


def cancel(restore):
    sql(witness, "SELECT pg_cancel_backend(%s)", restore.pid)


def crash(restore):
    kill(witness, restore.pid)


def stop(_):
    ok(pg_ctl("stop", "-m", "immediate") and pg_ctl("start"), "the server is stopped at once and started again")


def interrupt(how, statement, step, table=None):
    """End a restore in a phase; check that it has no effect and ends soon."""
    global witness
    before = state()
    restore = Restore(statement)
    restore.start()
    came = restore.wait_for(step, table)
    began = time.monotonic()
    how(restore)
    restore.join()
    took = restore.ended - began
    name = f"{how.__name__} while {step}" + (f" {table}" if table else "")
    ok(came and restore.result is None, f"{name}: it was under way and does not come to its end", (came, restore.result, restore.error))
    if how is cancel:
        equal(restore.error, "57014", f"{name}: it says so")
        ok(took < LIMIT_SECONDS, f"{name}: it ends within {LIMIT_SECONDS} s", f"{took:.3f} s")
    print(f"# {name}: over after {took:.3f} s", flush=True)
    restore.session.close()
    witness = connect_again(DATABASE)
    equal(state(), before, f"{name}: everything is as before")
    equal(sql(witness, "SELECT (SELECT count(*) FROM snapback.restore_progress), snapback.is_locked('1'), (SELECT count(*) FROM pg_ls_tmpdir())"),
          [(0, False, 0)], f"{name}: nothing is at work, locked or left over")


def cancel_after(seconds):
    """Cancel a restore after some time, in any phase; it may already be complete."""
    restore = Restore(restore_all)
    restore.start()
    time.sleep(seconds)
    where = progress(restore.pid)
    began = time.monotonic()
    cancel(restore)
    restore.join()
    took = max(restore.ended - began, 0)
    ok(took < LIMIT_SECONDS, f"a restore that is cancelled anywhere ends within {LIMIT_SECONDS} s", f"{took:.3f} s, at {where}")
    print(f"# cancelled after {seconds:.1f} s, at {where}: over after {took:.3f} s", flush=True)
    equal(rows_of(state()), lost if restore.error else whole, "and has been done wholly or not at all")
    if not restore.error:
        lose_everything()


def run_out_of_time(statement, milliseconds):
    """Let a statement timeout end a restore."""
    before = state()
    restore = Restore(statement, statement_timeout=f"{milliseconds}ms")
    restore.start()
    restore.join()
    equal((restore.error, state()), ("57014", before), f"a statement timeout after {milliseconds} ms ends it; everything is as before")


def restore_whole(name, statement, wanted, step):
    """Complete a restore; check its result, its memory, and its observed progress."""
    restore = Restore(statement)
    baseline = Peak(restore.pid)
    baseline.sample()
    seen = []
    began = time.monotonic()
    with Peak(restore.pid) as peak:
        restore.start()
        while restore.is_alive():
            seen.append(progress(restore.pid))
            time.sleep(0.003)
    equal((restore.error, restore.result, rows_of(state())), (None, ROWS, wanted), f"{name}: every row is as it should be")
    over = peak.mb - baseline.mb
    ok(over < LIMIT_MB, f"{name}: it takes less than {LIMIT_MB} MB", f"{over:.0f} MB over the {baseline.mb:.0f} MB of before")
    print(f"# {name}: {restore.ended - began:.1f} s, {over:.0f} MB over {baseline.mb:.0f} MB, seen {len(seen)} times", flush=True)
    check_progress(name, [moment for moment in seen if moment], step)
    restore.session.close()
    return restore.ended - began


def check_progress(name, seen, step):
    """Check the progress of a restore whose rows were all written in one phase."""
    steps = [STEPS.index(moment[0]) for moment in seen]
    ok(steps == sorted(steps) and {"comparing", step, "checking"} <= {STEPS[i] for i in steps}, f"{name}: the steps are seen in their order", seen)
    for table, rows in TABLES.items():
        counts = [done for phase, relation, done, total in seen if (phase, relation, total) == (step, table, rows)]
        print(f"# {name}: {step} {table}: {len(set(counts))} different counts of {rows}", flush=True)
        ok(counts and counts == sorted(counts) and counts[-1] <= rows, f"{name}: the rows of {table} are seen to be counted", counts)
        if table == "forum.post":
            ok(len(set(counts)) > 4, f"{name}: the largest table is seen to move", counts)


def lose_everything(then=""):
    write(witness, LOSS + then)
    sql(witness, "VACUUM ANALYZE")  # like autovacuum; the statistics are then wrong after the restore


def spilled_bytes():
    """The temporary files so far of sessions of this database that have ended or are idle."""
    return sql(witness, "SELECT temp_bytes FROM pg_stat_database WHERE datname = current_database()")


def mislead_planner():
    """Make the planner assume nearly empty tables: VACUUM estimates from the pages that it reads, and these have lost
    their rows. It may read a page or two with rows of other communities."""
    sql(witness, f"UPDATE pg_class SET reltuples = 4 FROM pg_index i WHERE i.indrelid = ANY ('{{{','.join(TABLES)}}}'::regclass[])"
                 " AND pg_class.oid IN (i.indrelid, i.indexrelid)")


def test_waiting(how):
    """The same while it waits for a writer of the community."""
    writer = connect(DATABASE)
    writer.autocommit = False
    sql(writer, "INSERT INTO forum.member VALUES (-1, 1, 'somebody', now(), NULL, '{}')")
    interrupt(how, restore_all, STEPS[0])
    writer.close()


witness = large_community(DATABASE, ROWS)
whole = rows_of(state())
snapshot = sql(witness, "SELECT snapback.capture('1')")
sql(witness, "SELECT snapback.capture('2')")
restore_all = RESTORE % snapshot
lose_everything()
lost = rows_of(state())
equal(lost[0][0][0], 50 * 40, "the community has lost everything, the others nothing")

test_waiting(cancel)
for how in (cancel, crash, stop):
    interrupt(how, restore_all, "comparing")
    interrupt(how, restore_all, "inserting", "forum.post")
    interrupt(how, restore_all, "checking")
mislead_planner()
spilled = spilled_bytes()
seconds = restore_whole("restore after total loss", restore_all, whole, "inserting")
eventually(lambda: spilled_bytes() > spilled)
copies = float((spilled_bytes() - spilled) / sql(witness, f"SELECT sum(bytes) FROM snapback.snapshot_contents('{snapshot}')"))
ok(copies < LIMIT_COPIES, "the rows are put into temporary files once, and little beside them", f"{copies:.2f} times their bytes")
print(f"# {copies:.2f} times the rows' bytes in temporary files", flush=True)
ok(seconds < 10 + ROWS / 5000, "in a time that goes by the rows, although the tables were analyzed while they were lost", f"{seconds:.1f} s")

write(witness, f"UPDATE forum.post SET body = 'x' || body WHERE id <= {ROWS // 2}; UPDATE forum.reaction SET kind = 'x' WHERE post <= {ROWS // 2}")
interrupt(cancel, restore_all, "updating", "forum.post")
began = time.monotonic()
sql(witness, "SELECT count(*) FROM snapback.restore('{*}', %s, '1')", snapshot)
took = time.monotonic() - began
print(f"# restore of changed rows: {took:.1f} s", flush=True)
equal(rows_of(state()), whole, "and the restore after it brings everything back")
ok(took < 5 * seconds + 5, "in a time that goes by the rows, whatever the planner takes the tables for", f"{took:.1f} s, {seconds:.1f} s after total loss")

undo = f"SELECT sum(deleted) FROM snapback.undo_restore('{sql(witness, 'SELECT restore FROM snapback.restores ORDER BY requested_at LIMIT 1')}')"
interrupt(cancel, undo, "deleting", "forum.post")
restore_whole("taking it back", undo, lost, "deleting")
run_out_of_time(restore_all, int(seconds * 1000 / 4))
for fraction in (0.2, 0.4, 0.6, 0.8):
    cancel_after(seconds * fraction)

# Other rows have replaced them: nothing may refer to the deleted rows, with an index or without. A constraint must be checked
# that triggers check normally.
sql(witness, "DROP INDEX forum.reaction_member_idx; ALTER TABLE forum.post ADD UNIQUE (id, posted) DEFERRABLE")
lose_everything(f"; INSERT INTO forum.member (community, name, joined, settings) SELECT 1, 'Stranger ' || n, now(), '{{}}' FROM generate_series(1, {ROWS // 4}) n")
mislead_planner()
began = time.monotonic()
sql(witness, restore_all)
took = time.monotonic() - began
print(f"# restore in place of {ROWS // 4} others: {took:.1f} s", flush=True)
ok(took < 3 * seconds + 5, "a restore that deletes other rows takes not much longer", f"{took:.1f} s, {seconds:.1f} s after total loss")
equal(rows_of(state()), whole, "and everything is as before")
end()
