#!/usr/bin/python3
"""Dump the database and load it into a new one: snapshots are complete there and can be restored."""
import os
import re
import subprocess

from live_server import connect, end, equal, ok, psycopg2, sql
from moved_database import STATE, check_arrival, check_use, facts, set_up


def move(name, form, *load, source="dumped"):
    """Dump the database in this format and load it under this name."""
    file = os.environ["SERVER_DIR"] + f"/{name}.dump"
    subprocess.run(["pg_dump", "-d", source, "-F", form, "-f", file], check=True)
    admin = connect("postgres")
    sql(admin, f"CREATE DATABASE {name}")
    done = subprocess.run([*load, "-d", name, *(["-f", file] if form == "p" else [file])], capture_output=True, text=True, check=False)
    ok(done.returncode == 0, f"{name}: the dump loads without an error", done.stderr)
    return connect(name)


def check_other_encoding():
    """Data captured in another encoding is not misread."""
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
    equal(refused, ("0A000", "the snapshot was captured in a database with encoding LATIN1"), "unicode: a snapshot of another encoding is refused")
    equal(sql(unicode, "SELECT body FROM page"), "damaged", "unicode: and nothing is changed")


OURS = re.compile(r" (pg_)?snapback |~snapback_")


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


def dump_as_owner(name, *options):
    """Dump the database as its owner, who is not a superuser; return the file, or the error."""
    file = os.environ["SERVER_DIR"] + f"/{name}.dump"
    done = run("pg_dump", "-U", "landlord", "-d", "dumped", "-F", "c", "-f", file, *options)
    return file if done.returncode == 0 else done.stderr


def load(role, name, file, ours=None):
    """Load a dump as this role: completely, only the extension's entries, or only the others."""
    if ours is None:
        return run("pg_restore", "-U", role, "--exit-on-error", "-d", name, file)
    entries = [line for line in run("pg_restore", "-l", file).stdout.splitlines() if bool(OURS.search(line)) == ours]
    return run("pg_restore", "-U", role, "--exit-on-error", "-L", "/dev/stdin", "-d", name, file, input="\n".join(entries))


def make_landlord(database):
    """Change the owner of the database and the application's objects to a role that is not a superuser."""
    sql(database, "CREATE ROLE landlord LOGIN; ALTER DATABASE dumped OWNER TO landlord; ALTER SCHEMA app OWNER TO landlord;"
                  "DO $$ DECLARE o text; BEGIN FOR o IN SELECT format('%s app.%I', CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, relname) FROM pg_class"
                  " WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'v') UNION ALL SELECT format('TYPE app.%I', typname) FROM pg_type WHERE typnamespace = 'app'::regnamespace AND typtype = 'e'"
                  " LOOP EXECUTE 'ALTER ' || o || ' OWNER TO landlord'; END LOOP; END $$")


def check_owner(old, before):
    """The owner of a database, who is not a superuser, dumps it, and loads it with a superuser's help."""
    make_landlord(old)
    admin = connect("postgres")
    ok("permission denied for schema snapback" in dump_as_owner("refused"), "owner: without rights to the extension a whole dump is refused")
    sql(old, "SELECT snapback.grant_backend('landlord')")
    ok("permission denied for" in dump_as_owner("refused"), "owner: the privileges of a backend do not suffice")
    sql(old, "SELECT snapback.revoke_backend('landlord')")
    for name, option in (("without", ("-N", "snapback")), ("one_schema", ("-n", "app"))):
        file = dump_as_owner(name, *option)
        sql(admin, f"CREATE DATABASE {name} OWNER landlord")
        ok(load("landlord", name, file).returncode != 0, f"{name}: the dump names the extension, or its function, and so cannot be loaded as it is")
        sql(admin, f"DROP DATABASE {name}")
        sql(admin, f"CREATE DATABASE {name} OWNER landlord")
        done = load("landlord", name, file, ours=False)
        ok(done.returncode == 0, f"{name}: its owner loads all but the extension's entries", done.stderr)
        equal(sql(connect(name), STATE), before[0], f"{name}: the application's rows are as they were")
    sql(admin, "CREATE DATABASE prepared OWNER landlord")
    sql(connect("prepared"), "CREATE EXTENSION pg_snapback")
    done = load("postgres", "prepared", os.environ["SERVER_DIR"] + "/one_schema.dump")
    ok(done.returncode == 0, "prepared: where the extension is, a superuser loads the dump of one schema as it is", done.stderr)

    sql(old, "SELECT snapback.grant_dump('landlord')")
    file = dump_as_owner("whole")
    sql(admin, "CREATE DATABASE whole OWNER landlord")
    for role, ours in (("landlord", False), ("postgres", True)):
        done = load(role, "whole", file, ours)
        ok(done.returncode == 0, f"whole: {role} loads {'the extension, its tables and the triggers' if ours else 'what is the application`s'}", done.stderr)
    new = connect("whole")
    check_arrival(before, new, "whole")
    check_use(new, "whole")
    equal(sql(new, "SELECT array_agg(DISTINCT tableowner) FROM pg_tables WHERE schemaname = 'app'"), ["landlord"], "whole: the tables belong to the owner")
    sql(old, "SELECT snapback.revoke_dump('landlord'); GRANT pg_read_all_data TO landlord")
    ok(os.path.exists(dump_as_owner("reader")), "owner: a member of pg_read_all_data dumps all of it too")


def main():
    old = set_up(dropped_table=True)
    before = facts(old)
    for name, *how in (("plain", "p", "psql", "-Xq", "-v", "ON_ERROR_STOP=1"), ("custom", "c", "pg_restore", "--exit-on-error"),
                       # Several jobs load the tables of an extension in any order.
                       ("parallel", "c", "env", "PGOPTIONS=-c session_replication_role=replica", "pg_restore", "--exit-on-error", "-j", "2")):
        new = move(name, *how)
        check_arrival(before, new, name)
        equal(sql(new, "SELECT count(*) FROM snapback.protected_table"), 3, f"{name}: what is gone is not protected")
        check_use(new, name)
    check_owner(old, before)
    check_other_encoding()
    end()


main()
