"""A temporary server for the Python tests, its databases, and TAP output."""
import faulthandler
import os
import pathlib
import signal
import subprocess
import sys
import time
import traceback

TOP = pathlib.Path(__file__).resolve().parents[2]


def run_beside_server(*settings):
    """Run this script again on a server of its own, unless it already has one."""
    if "SERVER_DIR" in os.environ:
        return
    arguments = [word for setting in settings for word in ("-c", setting)]
    server = str(TOP / "scripts/server")
    os.execv(server, [server, *arguments, sys.executable, *sys.argv])


run_beside_server("max_worker_processes = 40", "max_connections = 250", "log_statement = none", "log_min_duration_statement = -1")
import psycopg2  # noqa: E402  (only if there is a server)
import psycopg2.errors  # noqa: E402

# A timeout is a failure, so it may be long; a hanging script prints its stack before it is killed.
PATIENCE = 120
faulthandler.dump_traceback_later(1500, exit=True)

checks = 0
failures = 0
last = "nothing yet"


def ok(truth, name, note=None):
    """Report one test."""
    global checks, failures, last
    checks += 1
    failures += not truth
    last = name
    print(f"{'ok' if truth else 'not ok'} {checks} - {name}", flush=True)
    if not truth and note is not None:
        print("\n".join(f"#   {line}" for line in str(note).splitlines()), flush=True)


def equal(got, expected, name):
    ok(got == expected, name, f"got {got!r}, expected {expected!r}")


def end():
    """Print the plan and exit."""
    print(f"1..{checks}")
    sys.exit(failures > 0)


def die(kind, error, trace):
    """Report an uncaught exception as a failed test, with its name and the last test before it."""
    said = str(error).strip().splitlines() or [""]
    ok(False, f'died after "{last}": {kind.__name__}: {said[0]}', "".join(traceback.format_exception(kind, error, trace)))
    print(f"1..{checks}", flush=True)
    os._exit(1)  # threads may still wait


sys.excepthook = die


def connect(database, user=None, **settings):
    """Open a connection in autocommit mode as this user with these settings."""
    options = " ".join(f"-c {name.replace('__', '.')}={value}" for name, value in settings.items())
    connection = psycopg2.connect(dbname=database, user=user, options=options)
    connection.autocommit = True
    return connection


def sql(connection, statement, *parameters):
    """Run a statement; return its rows, or its only value."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        rows = cursor.fetchall() if cursor.description else []
    return rows[0][0] if len(rows) == 1 and len(rows[0]) == 1 else rows


def fresh_extension(name, encoding=None, **settings):
    """Create a database with the extension and these settings; return a connection to it."""
    admin = connect("postgres")
    sql(admin, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    sql(admin, f"CREATE DATABASE {name}" + (f" ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'" if encoding else ""))
    for setting, value in settings.items():
        set_for_database(name, setting, value)
    admin.close()
    connection = connect(name)
    sql(connection, "CREATE EXTENSION pg_snapback")
    return connection


def fresh_database(name, **settings):
    """Create a database with the extension, the fixture and these settings; return a connection to it."""
    fresh_extension(name, **settings).close()
    subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", name, "-f", str(TOP / "test/fixture/approval.sql")],
                   check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "PGOPTIONS": "-c client_min_messages=warning"})
    return connect(name)


def large_community(name, rows):
    """Create a database with the extension and a community with this number of rows; return a connection to it."""
    connection = fresh_extension(name)
    subprocess.run(["psql", "-XAtq", "-d", name, "-v", f"rows={rows}", "-f", str(TOP / "test/fixture/large_community.sql")],
                   check=True, stdout=subprocess.DEVNULL)
    return connection


def set_for_database(name, setting, value):
    """Change a setting for new sessions, including workers."""
    admin = connect("postgres")
    with admin.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET {setting.replace('__', '.')} = %s", (str(value),))
    admin.close()


def eventually(condition, seconds=PATIENCE):
    """Wait for a condition; return its result."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            caller = sys._getframe(1)
            print(f"# timed out after {seconds} s: {pathlib.Path(caller.f_code.co_filename).name}, line {caller.f_lineno}", flush=True)
            return result
        time.sleep(0.05)


def write(connection, statement):
    """Write; the guard may require a retry while a restore releases its locks."""
    def done():
        try:
            sql(connection, statement)
        except (psycopg2.errors.SerializationFailure, psycopg2.errors.LockNotAvailable):
            sql(connection, "ROLLBACK")
            return False
        return True
    eventually(done)


def is_dead(connection):
    try:
        sql(connection, "SELECT 1")
        return False
    except psycopg2.Error:
        return True


def kill(connection, pid):
    """Kill a backend or worker; wait until the server has noticed, which ends all sessions before recovery."""
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: is_dead(connection))


def connect_again(database):
    """Connect as soon as the server accepts connections after a restart or crash."""
    def attempt():
        try:
            return connect(database)
        except psycopg2.OperationalError:
            return None
    return eventually(attempt)


def worker_pids(connection, kind):
    return sql(connection, "SELECT coalesce(array_agg(pid), '{}') FROM pg_stat_activity "
                           "WHERE backend_type = %s AND datname = current_database()", f"pg_snapback {kind} worker")


def as_server_user():
    """The prefix of a command that runs as the account of the server."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] if os.getuid() == 0 else []


def pg_ctl(*arguments):
    """Run pg_ctl on the server; return whether it succeeded in time."""
    data = os.environ["SERVER_DIR"] + "/data"
    done = subprocess.run([*as_server_user(), "pg_ctl", "-D", data, "-l", os.environ["SERVER_DIR"] + "/log", "-w", "-t", str(PATIENCE), *arguments],
                          check=False, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return done.returncode == 0


def postmaster():
    """The process ID of the server."""
    return int(pathlib.Path(os.environ["SERVER_DIR"], "data/postmaster.pid").read_text().splitlines()[0])


def server_log():
    return pathlib.Path(os.environ["SERVER_DIR"], "log").read_text(errors="replace")
