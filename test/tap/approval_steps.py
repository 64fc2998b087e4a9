"""Steps of the approval tests with the fixture's communities: requests, approvals, and events that block them."""
import contextlib
import threading

from live_server import connect, eventually, psycopg2, sql, write

TAKEN = "1 row of cms.page cannot be restored: other rows hold their value of page_address_key now"


def take_address(connection):
    """Let community 43 take the address of a deleted page of 42 in a prepared transaction: a restore waits until it
    is committed or rolled back, even after a crash or shutdown."""
    sql(connection, "BEGIN; INSERT INTO cms.page VALUES (1000, '43', 'taken', 'page-2'); PREPARE TRANSACTION 'address'")


def keep_address(connection):
    sql(connection, "COMMIT PREPARED 'address'")


def give_address_back(connection):
    """Undo take_address(), committed or not."""
    if sql(connection, "SELECT count(*) FROM pg_prepared_xacts WHERE gid = 'address'"):
        sql(connection, "ROLLBACK PREPARED 'address'")
    sql(connection, "DELETE FROM cms.page WHERE id = 1000")


@contextlib.contextmanager
def idle_writer(database):
    """A session of community 42 with an open writing transaction; restores wait for it."""
    writer = connect(database)
    write(writer, "BEGIN; UPDATE cms.page SET title = title WHERE id = 12")
    try:
        yield
    finally:
        writer.close()


def damage(connection):
    """Delete three pages of community 42."""
    write(connection, "DELETE FROM cms.page WHERE id IN (2, 4, 6)")


def let_time_pass(connection, asked, interval):
    """Make a request older."""
    sql(connection, "BEGIN; SET LOCAL session_replication_role = replica;"
                    "UPDATE snapback.request SET requested_at = requested_at - %s::interval, expires_at = expires_at - %s::interval WHERE id = %s; COMMIT",
        interval, interval, asked)


def request(database, options="{customization.pages}", community="42", account="ada"):
    """Request a restore like a backend; return the ID of the request."""
    backend = connect(database, snapback__community=community, snapback__account=account)
    asked = sql(backend, "SELECT request::text FROM snapback.request_restore(%s::text[])", options)
    backend.close()
    return asked


def mails_about(connection, mails, asked, kind="approval", restore=None):
    """The received mails of this kind about this request (and restore); a mail may arrive twice."""
    wanted = sql(connection, "SELECT coalesce(array_agg(id::text), '{}') FROM snapback.mail WHERE request = %s AND kind = %s "
                             "AND (%s::uuid IS NULL OR restore = %s::uuid)", asked, kind, restore, restore)
    return [mail for mail in list(mails) if mail.message["Message-ID"].strip("<>").split("@")[0] in wanted]


def waits_for_lock(connection, pid):
    """Whether a backend or worker waits for another transaction or lock."""
    return sql(connection, "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'", pid) == 1


@contextlib.contextmanager
def no_worker_slot(database):
    """Occupy every slot for background workers with workers of the extension that wait for a lock."""
    gate = connect("postgres")
    sql(gate, "SELECT pg_advisory_lock(1)")
    refused = threading.Event()
    callers = []

    def call(connection):
        try:
            sql(connection, "SELECT snapback_internal.run_in_database('postgres', 'SELECT pg_advisory_lock_shared(1)')")
        except psycopg2.Error as error:
            assert error.pgcode == "53400", error
            refused.set()

    def waiting():
        return sql(gate, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_snapback statement' AND wait_event = 'advisory'")

    while not refused.is_set():
        callers.append(threading.Thread(target=call, args=(connect(database),)))
        callers[-1].start()
        eventually(lambda: refused.is_set() or waiting() == len(callers))
    try:
        yield
    finally:
        sql(gate, "SELECT pg_advisory_unlock(1)")
        for caller in callers:
            caller.join()
        # The server frees a slot after it has noticed the end of the worker.
        eventually(lambda: sql(gate, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_snapback statement'") == 0)
