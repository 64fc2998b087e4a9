#!/usr/bin/python3
"""Dump the database and load it into a new one: snapshots are listed, whole, and can be restored there."""
import os
import subprocess

from live_server import connect, end, equal, ok, psycopg2, sql
from moved_database import check_arrival, check_use, facts, set_up


def move(name, form, *load, source="dumped"):
    """Dump the database in this form and load it under this name."""
    file = os.environ["SERVER_DIR"] + f"/{name}.dump"
    subprocess.run(["pg_dump", "-d", source, "-F", form, "-f", file], check=True)
    admin = connect("postgres")
    sql(admin, f"CREATE DATABASE {name}")
    done = subprocess.run([*load, "-d", name, *(["-f", file] if form == "p" else [file])], capture_output=True, text=True, check=False)
    ok(done.returncode == 0, f"{name}: the dump loads without an error", done.stderr)
    return connect(name)


def check_other_encoding():
    """What was captured in another encoding is not taken for what it is not."""
    admin = connect("postgres")
    sql(admin, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    latin = connect("latin")
    sql(latin, "CREATE EXTENSION pg_snapback; CREATE TABLE club (id text PRIMARY KEY); CREATE TABLE page (id int PRIMARY KEY, club text NOT NULL REFERENCES club, body text);"
               "INSERT INTO club VALUES ('a'); INSERT INTO page VALUES (1, 'a', 'gr\u00fc\u00df');"
               "CREATE VIEW clubs AS SELECT id AS community, id AS name, 'x' AS owner, 'x@example.org' AS owner_email, true AS restores_enabled FROM club;"
               "SELECT snapback.set_directory('clubs'), snapback.add_category('x', '', ''), snapback.add_option('x.all', '', '')")
    sql(latin, "SELECT snapback.protect('page', 'x.all')")
    sql(latin, "SELECT snapback.capture('a')")
    latin.close()
    unicode = move("unicode", "p", "psql", "-Xq", "-v", "ON_ERROR_STOP=1", source="latin")
    sql(unicode, "UPDATE page SET body = 'damaged'")
    try:
        sql(unicode, "SELECT snapback.restore('{x}', NULL, 'a')")
        refused = None
    except psycopg2.Error as error:
        refused = error.pgcode, str(error).splitlines()[0]
    equal(refused, ("0A000", "the snapshot was taken in a database of encoding LATIN1"), "unicode: a snapshot of another encoding is refused")
    equal(sql(unicode, "SELECT body FROM page"), "damaged", "unicode: and nothing is changed")


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
    check_other_encoding()
    end()


main()
