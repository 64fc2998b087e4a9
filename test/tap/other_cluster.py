#!/usr/bin/python3
"""Snapshots on a standby server, which is then promoted, and in a cluster upgraded by pg_upgrade: they are equal there
and can be restored. Needs the extension installed; starts servers of its own."""
import os
import pathlib
import subprocess

import psycopg2
from live_server import as_server_user, connect, end, equal, eventually, ok, pg_ctl, postmaster, sql
from moved_database import check_arrival, check_use, facts, set_up

FOLDER = pathlib.Path(os.environ["SERVER_DIR"])
BIN = pathlib.Path(subprocess.run([os.environ.get("PG_CONFIG", "pg_config"), "--bindir"], check=True, capture_output=True, text=True).stdout.strip())
PORTS = {"standby": 5433, "upgraded": 5434}


def run(name, program, *arguments):
    """Run a program of the server as the account of the server; its log is ignored."""
    with open(FOLDER / "said", "w", encoding="utf-8") as said:
        done = subprocess.run([*as_server_user(), BIN / program, *arguments], check=False, cwd=FOLDER, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
    ok(done.returncode == 0, f"{name}: {program} succeeds", (FOLDER / "said").read_text())


def control(name, *arguments):
    run(name, "pg_ctl", "-D", FOLDER / name, "-w", "-t", "120", *arguments)


def start(name):
    """Start the server with this name; return a connection to the moved database."""
    with open(FOLDER / name / "postgresql.conf", "a", encoding="utf-8") as settings:
        settings.write(f"port = {PORTS[name]}\n")
    control(name, "-l", FOLDER / f"{name}.log", "start")
    connection = psycopg2.connect(dbname="dumped", port=PORTS[name])
    connection.autocommit = True
    return connection


def refused(connection, statement):
    try:
        sql(connection, statement)
        return None
    except psycopg2.Error as error:
        return error.pgcode


def check_standby(primary, before, token):
    """A standby allows reads only; after its promotion it allows everything."""
    run("standby", "pg_basebackup", "-D", FOLDER / "standby", "-R", "-X", "stream", "-c", "fast")
    standby = start("standby")
    equal(sql(standby, "SELECT pg_is_in_recovery()"), True, "standby: it is one")
    target = sql(primary, "SELECT pg_current_wal_lsn()")
    eventually(lambda: sql(standby, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", target))
    check_arrival(before, standby, "standby")
    equal((sql(standby, "SELECT count(*) FROM snapback.describe_request(%s)", token), sql(standby, "SELECT status, reason FROM snapback.approve_restore(%s)", token)),
          (1, [("refused", "a restore cannot be approved in a read-only transaction or on a standby server")]), "standby: a link is shown and not taken")
    equal([refused(standby, statement) for statement in ("SELECT snapback.capture('a')", "SELECT snapback.restore('{*}', NULL, 'a')", "SELECT snapback.expire()", "CALL snapback.capture_all()")],
          ["25006"] * 4, "standby: nothing is captured, restored or swept")
    sql(primary, "SELECT snapback.capture('a')")
    target = sql(primary, "SELECT pg_current_wal_lsn()")
    eventually(lambda: sql(standby, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", target))
    before = facts(primary)
    check_arrival(before, standby, "standby, after another capture")
    pg_ctl("-m", "immediate", "stop")
    control("standby", "promote")
    eventually(lambda: not sql(standby, "SELECT pg_is_in_recovery()"))
    check_arrival(before, standby, "promoted")
    equal(sql(standby, "SELECT status, reason FROM snapback.approve_restore(%s)", token), [("restored", None)], "promoted: the link is taken")
    check_use(standby, "promoted")
    standby.close()
    control("standby", "-m", "fast", "stop")
    pg_ctl("start")


def check_upgrade(before):
    """Upgrade the old cluster to a new one."""
    pg_ctl("-m", "fast", "stop")
    run("upgraded", "initdb", "-D", FOLDER / "upgraded", "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "--encoding=UTF8", "--no-sync")
    with open(FOLDER / "upgraded/postgresql.conf", "a", encoding="utf-8") as settings:
        settings.write((FOLDER / "data/postgresql.conf").read_text().split("# Add settings for extensions here")[-1])
    run("upgraded", "pg_upgrade", "-b", BIN, "-B", BIN, "-d", FOLDER / "data", "-D", FOLDER / "upgraded", "-U", "postgres", "-s", FOLDER)
    upgraded = start("upgraded")
    check_arrival(before, upgraded, "upgraded")
    check_use(upgraded, "upgraded")
    upgraded.close()
    control("upgraded", "-m", "fast", "stop")


def main():
    primary = set_up(dropped_table=False)
    sql(primary, "SET snapback.smtp_url = 'smtp://127.0.0.1:1'; SET snapback.mail_from = 'restores@cms.example'; SET snapback.approve_url = 'https://cms.example/{token}'")
    asked = sql(primary, "SELECT request FROM snapback.request_restore('{*}', NULL, 'a', 'x')")
    sql(primary, "INSERT INTO snapback.token (sha256, request) VALUES (snapback_internal.token_hash('the-secret-from-the-link-is-43-letters-long'), %s)", asked)
    check_standby(primary, facts(primary), "the-secret-from-the-link-is-43-letters-long")
    primary = connect("dumped")
    before = facts(primary)
    primary.close()
    check_upgrade(before)
    ok(pg_ctl("start") and postmaster(), "the old cluster is still there")
    end()


main()
