#!/usr/bin/env python3
"""Sessions that write to a community soon after its restore: who was not running when it committed is never refused, whatever
the clock says, and whether or not the session has loaded the library before; nor, where it has, who had read nothing; and what
happens where shared memory is short."""
import collections
import ctypes
import threading
import time

from live_server import connect, connect_again, end, equal, fresh_extension, ok, pg_ctl, psycopg2, sql

DATABASE = "guard_sessions"
database = fresh_extension(DATABASE)
sql(database, """
    CREATE TABLE community (id text PRIMARY KEY);
    INSERT INTO community VALUES ('1'), ('2');
    CREATE VIEW directory AS SELECT id AS community, id AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled FROM community;
    CREATE TABLE item (id int PRIMARY KEY, community text NOT NULL REFERENCES community, n int);
    INSERT INTO item VALUES (1, '1', 0), (2, '2', 0);
    SELECT snapback.set_directory('directory'), snapback.add_category('c', 'C', ''), snapback.add_option('c.a', 'A', '');
    SELECT snapback.protect('item', 'c.a'), snapback.capture('1')""")
WRITE = "UPDATE item SET n = n + 1 WHERE id = 1"


def restore(connection=None):
    connection = connection or database
    sql(connection, "UPDATE item SET n = 7 WHERE id = 1")
    sql(connection, "SELECT relation FROM snapback.restore('{*}', NULL, '1')")


def outcome(connection, *statements):
    """How the last of these statements fares: its SQLSTATE, or done."""
    try:
        for statement in statements:
            sql(connection, statement)
        return "done"
    except psycopg2.Error as error:
        return error.pgcode


def by_newcomers(seconds, **settings):
    """How the first writes of new sessions fare, for so long: alone, in a transaction, prepared."""
    outcomes = set()
    count = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for statements in ([WRITE], ["BEGIN", WRITE, "COMMIT"], ["PREPARE w AS " + WRITE, "EXECUTE w"],
                           ["BEGIN", "SELECT n FROM item", WRITE, "COMMIT"]):
            newcomer = connect(DATABASE, **settings)
            outcomes.add(outcome(newcomer, *statements))
            newcomer.close()
            count += 1
    return outcomes, count


def test_newcomers():
    restore()
    outcomes, count = by_newcomers(2.2)
    equal(outcomes, {"done"}, "of the new sessions that write in the two seconds after a restore, none is refused")
    ok(count >= 20, "and there were many", count)
    restore()
    equal(by_newcomers(0.3, session_preload_libraries="pg_snapback")[0], {"done"}, "nor where the library is preloaded")
    restore()
    sql(database, "UPDATE snapback.restore_epoch SET restored_at = now() + interval '1 hour'")
    equal(by_newcomers(0.3)[0], {"done"}, "nor after the clock has been set back")


def test_who_was_running():
    reader, writer, idle = connect(DATABASE), connect(DATABASE), connect(DATABASE)
    sql(reader, "BEGIN; SELECT n FROM item")
    sql(writer, "BEGIN; SELECT n FROM item; SAVEPOINT s; SELECT n FROM item; ROLLBACK TO s; UPDATE item SET n = 1 WHERE id = 2")
    restore()
    sql(database, "UPDATE snapback.restore_epoch SET restored_at = now() - interval '1 hour'")
    equal([outcome(session, WRITE) for session in (reader, writer)], ["40001", "40001"],
          "who was running when the restore committed is refused, even if the clock was set forward")
    equal([outcome(session, "ROLLBACK", "BEGIN", WRITE, "COMMIT") for session in (reader, writer)], ["done", "done"], "and admitted in the next transaction")
    equal(outcome(idle, WRITE), "done", "a session that was idle is admitted at once")
    for session in (reader, writer, idle):
        session.close()


class FastPathArgument(ctypes.Structure):
    _fields_ = [("length", ctypes.c_int), ("is_integer", ctypes.c_int), ("integer", ctypes.c_int64)]


def call_by_fast_path(connection, function, *integers):
    """Call a function of integers by libpq's PQfn, which psycopg2 does not offer."""
    libpq = ctypes.CDLL("libpq.so.5")
    libpq.PQfn.restype = ctypes.c_void_p
    libpq.PQresultStatus.argtypes = libpq.PQclear.argtypes = [ctypes.c_void_p]
    arguments = (FastPathArgument * len(integers))(*[FastPathArgument(4, 1, integer) for integer in integers])
    result, length = (ctypes.c_int * 64)(), ctypes.c_int()
    answer = libpq.PQfn(ctypes.c_void_p(connection.pgconn_ptr), function, result, ctypes.byref(length), 0, arguments, len(integers))
    equal(libpq.PQresultStatus(answer), 1, "a function is called by the fast path")
    libpq.PQclear(answer)


def test_first_reads():
    """What a transaction did before a restore, in a session that has loaded the library: only what reads counts."""
    sql(database, """
        CREATE FUNCTION reads() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN sum(n) FROM item; END';
        CREATE FUNCTION reads_by_sql() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(n) FROM item';
        CREATE FUNCTION rolls_back() RETURNS void LANGUAGE plpgsql AS
            'BEGIN PERFORM n FROM item; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END';
        CREATE PROCEDURE calls() LANGUAGE plpgsql AS 'DECLARE sum bigint; BEGIN sum := reads(); END'""")
    session = connect(DATABASE, session_preload_libraries="pg_snapback")
    sql(session, "PREPARE saved AS SELECT n FROM item; PREPARE change AS " + WRITE)
    reading = ["SELECT n FROM item", "EXECUTE saved", "EXPLAIN ANALYZE SELECT n FROM item", "SELECT reads()", "SELECT reads_by_sql()",
               "SELECT rolls_back()", "DO 'BEGIN PERFORM reads(); END'", "CALL calls()", "CREATE TEMP TABLE copy ON COMMIT DROP AS TABLE item",
               "COPY item TO '/dev/null'", "COPY (SELECT n FROM item) TO '/dev/null'", "SELECT n FROM item WHERE id = 2 FOR UPDATE",
               "SELECT query_to_xml('SELECT n FROM item', false, false, '')", "SAVEPOINT s; SELECT n FROM item; ROLLBACK TO s"]
    silent = ["", "SET LOCAL work_mem = '1MB'", "SHOW work_mem", "SAVEPOINT s", "LISTEN news", "LOCK TABLE community IN SHARE MODE",
              "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "PREPARE other AS SELECT 1; DEALLOCATE other", "DISCARD PLANS"]
    outcomes = {}
    for before in reading + silent:
        sql(session, "BEGIN; " + before)
        restore()
        outcomes[before] = outcome(session, "EXECUTE change")
        sql(session, "ROLLBACK")
    equal(sorted(before for before in reading if outcomes[before] != "40001"), [], "whatever reads before a restore is refused afterwards")
    equal(sorted(before for before in silent if outcomes[before] != "done"), [], "who had read nothing is admitted")
    for function, argument in (("reads()", []), ("pg_table_size(regclass)", [sql(database, "SELECT 'item'::regclass::oid")])):
        sql(session, "BEGIN")
        call_by_fast_path(session, sql(database, f"SELECT '{function}'::regprocedure::oid"), *argument)
        restore()
        equal(outcome(session, WRITE), "40001", f"calling {function} so is reading")
        sql(session, "ROLLBACK")
    session.close()


def test_preloaded_beside_restores():
    """New sessions with the library preloaded, beside restores that write none of their rows. A statement may get 40001 only if it
    has a snapshot and then takes until after the restore's commit to ask for the lock: that is told by the message."""
    outcomes = collections.Counter()
    ended = threading.Event()
    sql(database, "INSERT INTO item SELECT i, '1', 0 FROM generate_series(11, 14) i; SELECT snapback.capture('1')")

    def write(row):
        while not ended.is_set():
            newcomer = connect(DATABASE, session_preload_libraries="pg_snapback")
            try:
                sql(newcomer, "BEGIN")
                sql(newcomer, "UPDATE item SET n = n WHERE id = %s", row)
                sql(newcomer, "COMMIT")
                outcomes["done"] += 1
            except psycopg2.Error as error:
                outcomes["too old" if error.pgcode == "40001" and "statement's snapshot" in str(error) else error.pgcode] += 1
            newcomer.close()

    writers = [threading.Thread(target=write, args=(row,)) for row in range(11, 15)]
    for writer in writers:
        writer.start()
    restorer = connect(DATABASE, snapback__lock_timeout=10000)
    restores = 0
    while restores < 25:
        time.sleep(0.05)
        if outcome(restorer, "UPDATE item SET n = 7 WHERE id = 1", "SELECT relation FROM snapback.restore('{*}', NULL, '1')") == "done":
            restores += 1
    ended.set()
    for writer in writers:
        writer.join()
    restorer.close()
    print(f"# {restores} restores, {dict(outcomes)}")
    equal(set(outcomes) - {"done", "55P03", "too old"}, set(), "beside restores, new sessions that read nothing before are not refused for having begun")
    ok(outcomes["done"] >= 25, "and many wrote", outcomes)


def test_foreign_ddl():
    """More messages than a session can lag behind: it then forgets all it knows, and must not take that for a restore."""
    restore()
    writer = connect(DATABASE)
    sql(writer, WRITE)
    sql(writer, "BEGIN; SELECT n FROM item")
    other = connect("postgres")
    sql(other, "DO $$ BEGIN FOR i IN 1 .. 400 LOOP EXECUTE 'CREATE TEMP TABLE t (a int, b text, c text)'; DROP TABLE t; END LOOP; END $$")
    other.close()
    equal(outcome(writer, WRITE, "COMMIT"), "done", "changes of tables elsewhere, of which a session misses the messages, are no restore")
    writer.close()


def restart(*settings):
    global database
    database.close()
    ok(pg_ctl("-m", "fast", "restart", *settings), "the server restarts")
    database = connect_again(DATABASE)


def use_up_shared_memory():
    """Take locks until there is no room for more; what they took serves other locks afterwards, and nothing else."""
    greedy = connect("postgres")
    code = outcome(greedy, "SELECT count(pg_advisory_lock(i)) FROM generate_series(1, 10000000) i")
    sql(greedy, "SELECT pg_advisory_unlock_all()")
    greedy.close()
    equal(code, "53200", "shared memory is used up")


def test_short_memory():
    restart()
    use_up_shared_memory()
    equal(outcome(database, WRITE), "done", "without room to list sessions, writers are admitted: no restore has begun since the start")
    try:
        restore()
        got = "done"
    except psycopg2.Error as error:
        got = (error.pgcode, error.diag.message_primary, error.diag.message_hint)
    equal(got, ("53200", "not enough shared memory for the list of running transactions",
                "Add pg_snapback to shared_preload_libraries and restart the server."), "a restore is refused, with what to do")
    restart("-o", "-c shared_preload_libraries=pg_snapback")
    use_up_shared_memory()
    reader = connect(DATABASE)
    sql(reader, "BEGIN; SELECT n FROM item")
    restore()
    equal([outcome(reader, WRITE), outcome(database, WRITE)], ["40001", "done"], "where the server preloads the library, the room is reserved")
    reader.close()


for test in (test_newcomers, test_who_was_running, test_first_reads, test_preloaded_beside_restores, test_foreign_ddl, test_short_memory):
    test()
end()
