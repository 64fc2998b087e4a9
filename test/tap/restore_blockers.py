#!/usr/bin/env python3
"""A restore that times out names its blockers: besides the community's writers, for which its first step waits,
sessions with any other lock that it needs."""
import re

from approval_steps import damage, give_address_back, take_address
from live_server import connect, end, equal, eventually, fresh_database, ok, psycopg2, sql, write

DATABASE = "blockers"
database = fresh_database(DATABASE, snapback__lock_timeout="400ms")
RESTORE = "SELECT count(*) FROM snapback.restore('{customization.pages}', NULL, '42')"


def refusal():
    """The error of a restore that times out: SQLSTATE, message, detail, hint."""
    restorer = connect(DATABASE)
    try:
        sql(restorer, RESTORE)
        return ("", "it did not give up", "", "")
    except psycopg2.Error as error:
        return error.pgcode, error.diag.message_primary, error.diag.message_detail or "", error.diag.message_hint or ""
    finally:
        restorer.close()


def check(blocker, where, name):
    """A restore times out, and names this session or prepared transaction and the locked object."""
    code, message, detail, hint = refusal()
    equal((code, message), ("55P03", 'the restore of community "42" waited more than 400 ms for a lock'), f"{name}: a restore gives up")
    ok(re.fullmatch(rf"Possible blockers: {blocker} \([^()]*\b{where}\b[^()]*\)\.", detail) and "pg_terminate_backend" in hint,
       f"{name}: and names the blockers", (detail, hint))


def session(statement):
    """A session in a transaction that has executed this."""
    connection = connect(DATABASE)
    sql(connection, "BEGIN")
    write(connection, statement)
    eventually(lambda: sql(database, "SELECT clock_timestamp() - xact_start > interval '500 ms' FROM pg_stat_activity WHERE pid = %s", connection.info.backend_pid))
    return connection, f"process {connection.info.backend_pid}"


def released(connection):
    sql(connection, "ROLLBACK")
    connection.close()


damage(database)
for statement, where, name in (
        ("ALTER TABLE cms.page ALTER title SET STATISTICS 100; LOCK TABLE cms.page", "cms.page", "ALTER TABLE"),
        ("SELECT FROM cms.page WHERE id = 8 FOR UPDATE", "cms.page", "a locked row"),
        ("SELECT snapback.forget('43')", "the snapshot store", "forget()"),
        ("INSERT INTO cms.page VALUES (1000, '43', 'taken', 'page-2')", "cms.page", "another community's unique value"),
        ("LOCK TABLE snapback.chunk IN EXCLUSIVE MODE", "snapback.chunk", "a table of the store")):
    holder, who = session(statement)
    check(who, where, name)
    released(holder)

take_address(database)
eventually(lambda: sql(database, "SELECT clock_timestamp() - prepared > interval '500 ms' FROM pg_prepared_xacts"))
check("prepared transaction 'address'", "cms.page", "a prepared transaction")
give_address_back(database)

# A restore stores the current rows: if a capture is storing the same bytes, it waits for that.
capturing, who = session("SELECT snapback.capture('42')")
check(who, "snapback.chunk", "a capture of the same rows that is not committed")
released(capturing)

ok(sql(database, RESTORE) > 0, "without blockers it restores")
end()
