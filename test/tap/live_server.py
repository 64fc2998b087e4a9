"""A throwaway server for the Python tests, databases in it, and TAP output."""
import os
import pathlib
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]


def run_beside_server(*settings):
    """Run this script again with a server of its own, unless that has happened already."""
    if "SERVER_DIR" in os.environ:
        return
    arguments = [word for setting in settings for word in ("-c", setting)]
    server = str(TOP / "scripts/server")
    os.execv(server, [server, *arguments, sys.executable, sys.argv[0]])


run_beside_server("max_worker_processes = 40", "max_connections = 250", "log_statement = none", "log_min_duration_statement = -1")
import psycopg2  # noqa: E402  (only where a server is at hand)

checks = 0
failures = 0


def ok(truth, name, note=None):
    """Report one test."""
    global checks, failures
    checks += 1
    failures += not truth
    print(f"{'ok' if truth else 'not ok'} {checks} - {name}", flush=True)
    if not truth and note is not None:
        print("\n".join(f"#   {line}" for line in str(note).splitlines()), flush=True)


def equal(got, expected, name):
    ok(got == expected, name, f"got {got!r}, expected {expected!r}")


def end():
    """Print the plan and exit."""
    print(f"1..{checks}")
    sys.exit(failures > 0)


def connect(database, **settings):
    """Open a connection in autocommit mode, with these settings."""
    options = " ".join(f"-c {name.replace('__', '.')}={value}" for name, value in settings.items())
    connection = psycopg2.connect(dbname=database, options=options)
    connection.autocommit = True
    return connection


def sql(connection, statement, *parameters):
    """Run a statement; return its rows, or its one value."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        rows = cursor.fetchall() if cursor.description else []
    return rows[0][0] if len(rows) == 1 and len(rows[0]) == 1 else rows


def fresh_extension(name, **settings):
    """Make a database with the extension and these settings; return a connection to it."""
    admin = connect("postgres")
    sql(admin, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    sql(admin, f"CREATE DATABASE {name}")
    for setting, value in settings.items():
        set_for_database(name, setting, value)
    admin.close()
    connection = connect(name)
    sql(connection, "CREATE EXTENSION pg_snapback")
    return connection


def fresh_database(name, **settings):
    """Make a database with the extension, the fixture and these settings; return a connection to it."""
    fresh_extension(name, **settings).close()
    subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", name, "-f", str(TOP / "test/fixture/approval.sql")],
                   check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "PGOPTIONS": "-c client_min_messages=warning"})
    return connect(name)


def set_for_database(name, setting, value):
    """Set an option for the sessions to come; workers are sessions too."""
    admin = connect("postgres")
    with admin.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET {setting.replace('__', '.')} = %s", (str(value),))
    admin.close()


def eventually(condition, seconds=60):
    """Wait for a condition; return what it came to."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result or time.monotonic() > deadline:
            return result
        time.sleep(0.05)


def workers(connection, kind):
    """The running workers of one kind: pid, and whether a transaction is open."""
    return sql(connection, "SELECT array_agg((pid, xact_start IS NOT NULL)::text) FROM pg_stat_activity "
                           "WHERE backend_type = %s AND datname = current_database()", f"pg_snapback {kind} worker") or []


def worker_pids(connection, kind):
    return sql(connection, "SELECT coalesce(array_agg(pid), '{}') FROM pg_stat_activity "
                           "WHERE backend_type = %s AND datname = current_database()", f"pg_snapback {kind} worker")


def pg_ctl(*arguments):
    """Run pg_ctl on the server, as the account that runs it."""
    data = os.environ["SERVER_DIR"] + "/data"
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] if os.getuid() == 0 else []
    subprocess.run([*as_user, "pg_ctl", "-D", data, "-l", os.environ["SERVER_DIR"] + "/log", "-w", *arguments], check=True,
                   cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def server_log():
    return pathlib.Path(os.environ["SERVER_DIR"], "log").read_text(errors="replace")
