#!/usr/bin/python3
"""Dump the database and load it into a new one: snapshots are listed, whole, and can be restored there."""
import os
import subprocess

from live_server import connect, end, equal, ok, sql
from moved_database import check_arrival, check_use, facts, set_up


def move(name, form, *load):
    """Dump the database in this form and load it under this name."""
    file = os.environ["SERVER_DIR"] + f"/{name}.dump"
    subprocess.run(["pg_dump", "-d", "dumped", "-F", form, "-f", file], check=True)
    admin = connect("postgres")
    sql(admin, f"CREATE DATABASE {name}")
    done = subprocess.run([*load, "-d", name, *(["-f", file] if form == "p" else [file])], capture_output=True, text=True, check=False)
    ok(done.returncode == 0, f"{name}: the dump loads without an error", done.stderr)
    return connect(name)


def main():
    old = set_up(dropped_table=True)
    before = facts(old)
    for name, *how in (("plain", "p", "psql", "-Xq", "-v", "ON_ERROR_STOP=1"), ("custom", "c", "pg_restore", "--exit-on-error"),
                       # Several workers load an extension's tables in no particular order.
                       ("parallel", "c", "env", "PGOPTIONS=-c session_replication_role=replica", "pg_restore", "--exit-on-error", "-j", "2")):
        new = move(name, *how)
        check_arrival(before, new, name)
        equal(sql(new, "SELECT count(*) FROM snapback.protected_table"), 3, f"{name}: what is gone is not protected")
        check_use(new, name)
    end()


main()
