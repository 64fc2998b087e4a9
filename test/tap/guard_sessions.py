#!/usr/bin/env python3
"""Sessions that write to a community soon after its restore. A transaction that was not running at its commit is
never refused, with any clock, and even if the session had not loaded the library before. If it had, neither is one that had
read nothing. Also the effect of full shared memory."""
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
    """The outcome of the last of these statements: its SQLSTATE, or done."""
    try:
        for statement in statements:
            sql(connection, statement)
        return "done"
    except psycopg2.Error as error:
        return error.pgcode


def by_newcomers(seconds, **settings):
    """The outcome of the first writes of new sessions for some time: single, in a transaction, prepared."""
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
    """Call a function of integers by libpq's PQfn, which psycopg2 does not provide."""
    libpq = ctypes.CDLL("libpq.so.5")
    libpq.PQfn.restype = ctypes.c_void_p
    libpq.PQresultStatus.argtypes = libpq.PQclear.argtypes = [ctypes.c_void_p]
    arguments = (FastPathArgument * len(integers))(*[FastPathArgument(4, 1, integer) for integer in integers])
    result, length = (ctypes.c_int * 64)(), ctypes.c_int()
    answer = libpq.PQfn(ctypes.c_void_p(connection.pgconn_ptr), function, result, ctypes.byref(length), 0, arguments, len(integers))
    equal(libpq.PQresultStatus(answer), 1, "a function is called by the fast path")
    libpq.PQclear(answer)


# Actions of a transaction before a restore. In every session it is refused afterwards:
READING = [
    "SELECT n FROM item", "EXECUTE saved", "EXPLAIN ANALYZE SELECT n FROM item", "SELECT reads()", "SELECT reads_by_sql()",
    "SELECT rolls_back()", "DO 'BEGIN PERFORM reads(); END'", "DO 'DECLARE sum bigint; BEGIN sum := reads(); END'",
    "DO 'DECLARE r record; BEGIN FOR r IN SELECT * FROM item LOOP END LOOP; END'", "DO 'BEGIN PERFORM rolls_back(); END'", "CALL calls()",
    "SELECT n FROM item_view", "SELECT n FROM only_part", "SELECT n FROM whole", "SELECT count(*) FROM community, item",
    "CREATE TEMP TABLE copy ON COMMIT DROP AS TABLE item", "CREATE TEMP TABLE copy AS TABLE item; DROP TABLE copy",
    "COPY item TO '/dev/null'", "COPY (SELECT n FROM item) TO '/dev/null'", "SELECT n FROM item WHERE id = 2 FOR UPDATE",
    "SELECT n FROM item WHERE id = 6 FOR KEY SHARE", "SELECT query_to_xml('SELECT n FROM item', false, false, '')", "ANALYZE VERBOSE item",
    "DECLARE c CURSOR FOR SELECT n FROM item; FETCH c", "DECLARE c CURSOR FOR SELECT n FROM item; FETCH c; CLOSE c",
    "SAVEPOINT s; SELECT n FROM item; ROLLBACK TO s", "SAVEPOINT s; SELECT n FROM item; ROLLBACK TO s; RELEASE s",
    "SAVEPOINT s; SELECT n FROM item; RELEASE s", "SAVEPOINT s; SELECT n FROM item", "SAVEPOINT s; COPY item TO '/dev/null'; ROLLBACK TO s; RELEASE s",
    "UPDATE item SET n = 5 WHERE id = 1 AND n > 100", "CREATE TEMP TABLE scratch (id int); UPDATE item SET n = 5 WHERE id = 1 AND n > 100",
    "DELETE FROM item WHERE n > 100", "MERGE INTO item i USING (VALUES (1)) v (id) ON i.id = v.id WHEN MATCHED AND n > 100 THEN DELETE",
    "INSERT INTO item VALUES (1, '2', 0) ON CONFLICT DO NOTHING", "SELECT n FROM elsewhere", "DO 'BEGIN PERFORM n FROM elsewhere; END'",
    "DO 'DECLARE answer text; BEGIN answer := dblink_get_connections(); END'", "FETCH held",
    "DO 'DECLARE c refcursor := ''held''; r record; BEGIN FETCH c INTO r; END'"]
# It is also refused after a failed read that was rolled back: an error may show data of a row.
FAILING = ["CREATE UNIQUE INDEX unique_n ON item ((n / 100))", "ALTER TABLE item ADD CHECK (n < 0)", "COPY item FROM PROGRAM 'echo 1,2,0' (FORMAT csv)"]
# In every session it is admitted:
SILENT = [
    "", "SET LOCAL work_mem = '1MB'", "SHOW work_mem", "LISTEN news", "LOCK TABLE community IN SHARE MODE",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "PREPARE other AS SELECT 1; DEALLOCATE other", "DISCARD PLANS", "TRUNCATE log", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TEMP TABLE scratch (id int PRIMARY KEY, word text) ON COMMIT DROP", "CREATE TYPE mood AS ENUM ('good'); GRANT SELECT ON community TO pg_monitor",
    "CREATE TABLE scratch (id serial, word text); ALTER TABLE scratch ADD x int DEFAULT 0; CREATE INDEX ON scratch (x)",
    "SET LOCAL work_mem = '1MB'; CREATE SCHEMA other; DROP SCHEMA other; DO 'BEGIN END'", "CALL idles(1)", "SELECT idles()", "SELECT now()",
    "DO 'DECLARE n int := 1; BEGIN n := n + 1; RAISE DEBUG ''%'', n; END'", "SELECT set_config('app.account', 'ada', true)",
    "DO 'BEGIN PERFORM set_config(''app.account'', ''ada'', true); END'",
    "SELECT relname FROM pg_class LIMIT 1", "SELECT count(*) FROM generate_series(1, 2)", "SELECT unnest(ARRAY[1, 2])", "SAVEPOINT s",
    "SAVEPOINT s; SET LOCAL work_mem = '1MB'; SAVEPOINT t"]
# It is admitted if the library was loaded before the transaction began; locks show less:
SILENT_IF_LOADED = [
    "SAVEPOINT s; ROLLBACK TO s", "SAVEPOINT s; RELEASE s", "CREATE TEMP VIEW v AS SELECT n FROM item", "CREATE TEMP TABLE t (LIKE item)", "COPY news FROM '/dev/null'",
    "SELECT catches()", "PREPARE other AS SELECT n FROM item", "COMMENT ON TABLE news IS 'x'"]
WRITES = [
    "UPDATE item SET n = n + 1 WHERE id = 1", "INSERT INTO item VALUES (3, '1', 0)", "DELETE FROM item WHERE id = 1", "UPDATE item_view SET n = 1 WHERE id = 1",
    "INSERT INTO whole VALUES (1, '1', 0)", "UPDATE whole SET n = 1 WHERE id = 11", "UPDATE part SET n = 1 WHERE id = 1",
    "COPY item FROM PROGRAM 'echo 3,1,0' (FORMAT csv)", "DO 'BEGIN UPDATE item SET n = 1 WHERE id = 1; END'", "SELECT writes()", "TRUNCATE part"]
# Writes that read other rows, or those of the same table:
READING_WRITES = [
    "INSERT INTO item SELECT 4, id, 0 FROM community WHERE id = '1'", "INSERT INTO item SELECT id + 100, community, n FROM item WHERE community = '1'",
    "UPDATE item SET n = 1 FROM community c WHERE c.id = community AND item.id = 1", "DELETE FROM item USING community c WHERE c.id = community AND item.id = 1",
    "WITH c AS (SELECT id FROM community WHERE id = '1') INSERT INTO whole SELECT 12, id, 0 FROM c", "INSERT INTO item SELECT 4, '1', n FROM only_part RIGHT JOIN (SELECT) o ON true"]
# If the statement has functions or uses the extended protocol, or another statement writes, its locks show less:
READING_BY_OTHERS = ["INSERT INTO item SELECT 4, '1', reads()", "SELECT writes() FROM community WHERE id = '1'", "EXECUTE change_from",
                     "WITH c AS (SELECT id FROM community) SELECT writes() FROM c WHERE id = '1'"]


def set_up_reads():
    sql(database, """
        CREATE EXTENSION dblink;
        CREATE VIEW item_view AS SELECT id, n FROM item;
        CREATE TABLE log (id int);
        CREATE TABLE news (id int);
        CREATE TABLE whole (id int PRIMARY KEY, community text NOT NULL REFERENCES community, n int) PARTITION BY RANGE (id);
        CREATE TABLE only_part PARTITION OF whole FOR VALUES FROM (0) TO (100);
        CREATE TABLE part (id int PRIMARY KEY, item int REFERENCES item, n int);
        INSERT INTO item VALUES (5, '1', 0), (6, '2', 0);
        INSERT INTO whole VALUES (11, '1', 0);
        INSERT INTO part VALUES (1, 5, 0);
        SELECT snapback.protect('whole', 'c.a'), snapback.protect('part', 'c.a'), snapback.capture('1');
        CREATE FUNCTION reads() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN sum(n) FROM item; END';
        CREATE FUNCTION reads_by_sql() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(n) FROM item';
        CREATE FUNCTION rolls_back() RETURNS void LANGUAGE plpgsql AS
            'BEGIN PERFORM n FROM item; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END';
        CREATE FUNCTION catches() RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END';
        CREATE FUNCTION writes() RETURNS void LANGUAGE plpgsql AS 'BEGIN UPDATE item SET n = n + 1 WHERE id = 1; END';
        CREATE FUNCTION idles() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
        CREATE PROCEDURE idles(INOUT n int) LANGUAGE plpgsql AS 'BEGIN n := n + idles(); END';
        CREATE PROCEDURE calls() LANGUAGE plpgsql AS 'DECLARE sum bigint; BEGIN sum := reads(); END'""")
    sql(database, f"CREATE VIEW elsewhere AS SELECT n FROM dblink('dbname={DATABASE}', 'SELECT n FROM item') r (n int)")


def begin_session(before, settings):
    """Begin a transaction in a new session with an action that may have read."""
    session = connect(DATABASE, lock_timeout=20000, **settings)
    sql(session, "PREPARE saved AS SELECT n FROM item; PREPARE change_from AS " + READING_WRITES[0] + "; PREPARE change AS " + WRITE)
    if "held" in before:
        sql(session, "BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT n FROM item; COMMIT")
    sql(session, "BEGIN")
    if before in FAILING:
        sql(session, "SAVEPOINT s")
        equal(outcome(session, before)[:2], "23", f"this fails: {before}")
        before = "ROLLBACK TO s; RELEASE s"
    sql(session, before or "SHOW work_mem")
    return session


def after_restore(cases, **settings):
    """The outcome of writes after a restore, each in a separate session with an earlier action: their SQLSTATEs."""
    sessions = {(before, write): begin_session(before, settings) for before, write in cases}
    restore()
    fared = {}
    for case, session in sessions.items():
        fared[case] = outcome(session, case[1])
        session.close()
    return fared


def test_first_reads():
    """Actions of a transaction before a restore: only those that may have read count."""
    set_up_reads()
    for kind, settings, more in (("has loaded", {"session_preload_libraries": "pg_snapback"}, SILENT_IF_LOADED), ("has not loaded", {}, [])):
        fared = after_restore([(before, "EXECUTE change") for before in FAILING + READING + SILENT + SILENT_IF_LOADED], **settings)
        equal({before: code for (before, write), code in fared.items() if code != ("done" if before in SILENT + more else "40001")}, {},
              f"in a session that {kind} the library, whatever may read before a restore is refused afterwards, and nothing else")
        fared = after_restore([(before, write) for write in WRITES for before in ("", "SELECT n FROM item")], **settings)
        equal({case: code for case, code in fared.items() if code != ("40001" if case[0] else "done")}, {}, f"a first write is admitted where the session {kind} the library")
        fared = after_restore([(before, write) for write in READING_WRITES for before in ("", "SELECT FROM community, item, only_part")], **settings)
        equal({case: code for case, code in fared.items() if code != ("40001" if case[0] else "done")}, {}, f"what the first write itself reads is no earlier read where the session {kind} the library")
        fared = after_restore([("", write) for write in READING_BY_OTHERS], **settings)
        equal(set(fared.values()), {"done" if more else "40001"}, f"what its functions read counts only where nobody has noted when: the session {kind} the library")
    session = connect(DATABASE, session_preload_libraries="pg_snapback")
    for function, argument in (("reads()", []), ("pg_table_size(regclass)", [sql(database, "SELECT 'item'::regclass::oid")])):
        sql(session, "BEGIN")
        call_by_fast_path(session, sql(database, f"SELECT '{function}'::regprocedure::oid"), *argument)
        restore()
        equal(outcome(session, WRITE), "40001", f"calling {function} so is reading")
        sql(session, "ROLLBACK")
    session.close()


def beside_restore(statement, gate, **settings):
    """The outcome of a statement that waits at the gate until a restore has committed."""
    restorer = connect(DATABASE)
    sql(restorer, "BEGIN; " + gate)
    session = connect(DATABASE, **settings)
    fared = []
    waiter = threading.Thread(target=lambda: fared.append(outcome(session, statement)))
    waiter.start()
    while not sql(database, "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s", session.info.backend_pid):
        time.sleep(0.01)
    restore(restorer)
    sql(restorer, "COMMIT")
    waiter.join()
    session.close()
    restorer.close()
    return fared[0]


def test_statements_that_wait():
    """Transactions with one statement that were running when a restore committed."""
    by_table, by_number = "LOCK TABLE item", "SELECT pg_advisory_xact_lock(42)"
    takes_turns = "PERFORM pg_advisory_xact_lock(42); UPDATE item SET n = x + 1 WHERE id = 1; END $$"
    for kind, settings in (("has loaded", {"session_preload_libraries": "pg_snapback"}), ("has not loaded", {})):
        fared = beside_restore(WRITE, by_table, **settings)
        ok(fared in ("done", "55P03"), f"a statement that waited for its table has read nothing, where the session {kind} the library", fared)
        equal([beside_restore("DO $$ DECLARE x int := 1; BEGIN " + first + takes_turns, by_number, **settings)
               for first in ("SELECT n INTO x FROM item WHERE id = 1; ", "SELECT n INTO x FROM item WHERE id = 1; COMMIT; ", "COMMIT; ")], ["40001"] * 3,
              f"a block that reads, or is in its second transaction, is refused where the session {kind} the library")


def test_decoded_changes():
    restart("-o", "-c wal_level=logical")
    sql(database, "SELECT pg_create_logical_replication_slot('s', 'test_decoding')")
    decoding = "SELECT data FROM pg_logical_slot_peek_changes('s', NULL, NULL)"
    fared = after_restore([(decoding, WRITE), (f"DO $$ BEGIN PERFORM ({decoding} LIMIT 1); END $$", WRITE)], session_preload_libraries="pg_snapback")
    sql(database, "SELECT pg_drop_replication_slot('s')")
    equal(list(fared.values()), ["40001", "40001"], "who decodes changes reads rows")


def test_preloaded_beside_restores():
    """New sessions with the library preloaded, and restores that write none of their rows. A statement may get 40001 only if
    it has a snapshot and requests the lock after the restore's commit; the message says so."""
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
    """More messages than a session can process: it then discards its cache, and must not treat that as a restore."""
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
    """Take locks until the lock table is full; their memory serves other locks afterwards, and nothing else."""
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


for test in (test_newcomers, test_who_was_running, test_first_reads, test_statements_that_wait, test_decoded_changes, test_preloaded_beside_restores, test_foreign_ddl, test_short_memory):
    test()
end()
