#!/usr/bin/python3
"""Dump the database and load it into a new one: snapshots are listed, whole, and can be restored there."""
import os
import subprocess

from live_server import connect, end, equal, fresh_extension, ok, sql

STATE = ("SELECT md5(string_agg(h, '|' ORDER BY h)) FROM (SELECT md5(p::text) AS h FROM app.page p "
         "UNION ALL SELECT md5(n::text) FROM app.\"Note's\" n UNION ALL SELECT md5(s::text) FROM app.sky s) x")
SNAPSHOTS = "SELECT md5(string_agg(s::text, '|' ORDER BY id)) FROM snapback.snapshots s"


def set_up():
    connection = fresh_extension("dumped")
    sql(connection, "CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('good', 'bad'); CREATE TABLE app.community (id text PRIMARY KEY); INSERT INTO app.community VALUES ('a'), ('b');"
                    "CREATE VIEW app.directory AS SELECT id AS community, id AS name, 'x' AS owner, 'x@example.org' AS owner_email, true AS restores_enabled FROM app.community;"
                    # A dropped column moves the numbers of those behind it when the table is made anew.
                    "CREATE TABLE app.page (gone int, id int PRIMARY KEY, cid text NOT NULL REFERENCES app.community, mood app.mood, list int4range[], made timestamptz DEFAULT now());"
                    "ALTER TABLE app.page DROP gone;"
                    "CREATE TABLE app.\"Note's\" (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, page int NOT NULL REFERENCES app.page ON DELETE CASCADE, body text);"
                    "INSERT INTO app.page SELECT n, CASE n % 4 WHEN 0 THEN 'b' ELSE 'a' END, 'bad', ARRAY['[1,2)', NULL]::int4range[] FROM generate_series(1, 3000) n;"
                    "INSERT INTO app.\"Note's\" (page, body) SELECT 1 + n % 3000, repeat(md5(n::text), 5) FROM generate_series(1, 9000) n")
    sql(connection, "SELECT snapback.set_directory('app.directory'), snapback.add_category('x', '', ''), snapback.add_option('x.pages', '', ''), snapback.add_option('x.notes', '', '')")
    sql(connection, "SELECT snapback.protect('app.page', 'x.pages')")
    sql(connection, "SELECT snapback.protect('app.\"Note''s\"', 'x.notes', filter => 'id > 0')")
    sql(connection, "CREATE TYPE app.weather AS ENUM ('fair', 'foul'); CREATE TABLE app.sky (id int PRIMARY KEY, cid text REFERENCES app.community, w app.weather); INSERT INTO app.sky VALUES (1, 'a', 'fair'); SELECT snapback.protect('app.sky', 'x.pages')")
    # Of a table that was dropped, only an OID is left, which may be another table's elsewhere.
    sql(connection, "CREATE TABLE app.gone (id int PRIMARY KEY, cid text REFERENCES app.community); SELECT snapback.protect('app.gone', 'x.pages')")
    sql(connection, "CALL snapback.capture_all()")
    sql(connection, "DROP TABLE app.gone")
    # Columns that were renamed since are known by that wherever the snapshots go.
    sql(connection, "ALTER TABLE app.page RENAME mood TO temper; ALTER TABLE app.page RENAME made TO t; ALTER TABLE app.page RENAME list TO made; ALTER TABLE app.page RENAME t TO list;"
                    "ALTER TYPE app.weather RENAME VALUE 'fair' TO 't'; ALTER TYPE app.weather RENAME VALUE 'foul' TO 'fair'; ALTER TYPE app.weather RENAME VALUE 't' TO 'foul'")
    return connection


def move(name, form, *load):
    """Dump the database in this form and load it under this name."""
    file = os.environ["SERVER_DIR"] + f"/{name}.dump"
    subprocess.run(["pg_dump", "-d", "dumped", "-F", form, "-f", file], check=True)
    admin = connect("postgres")
    sql(admin, f"CREATE DATABASE {name}")
    done = subprocess.run([*load, "-d", name, *(["-f", file] if form == "p" else [file])], capture_output=True, text=True, check=False)
    ok(done.returncode == 0, f"{name}: the dump loads without an error", done.stderr)
    return connect(name)


def check(old, new, name):
    equal(sql(new, STATE), sql(old, STATE), f"{name}: the application's rows are the same")
    equal(sql(new, SNAPSHOTS), sql(old, SNAPSHOTS), f"{name}: the snapshots are the same")
    equal(sql(new, "SELECT count(*) FROM snapback.verify()"), 0, f"{name}: and whole")
    equal(sql(new, "SELECT array_agg(relation::text || ' ' || guard || ' ' || status ORDER BY relation::text) FROM snapback.protection WHERE status <> 'relation gone'"),
          sql(old, "SELECT array_agg(relation::text || ' ' || guard || ' ' || status ORDER BY relation::text) FROM snapback.protection WHERE status <> 'relation gone'"), f"{name}: the tables are protected as they were")
    equal(sql(new, "SELECT count(*) FROM snapback.protected_table"), 3, f"{name}: what is gone is not protected")
    before = sql(new, STATE)
    equal(sql(new, "SELECT sum(inserts + updates + deletes) FROM snapback.preview_restore('{*}', NULL, 'a')"), 0, f"{name}: there is nothing to restore")
    equal(sql(new, "SELECT sum(inserts + updates + deletes) FROM snapback.preview_restore('{*}', NULL, 'b')"), 0, f"{name}: nor for the other community")
    sql(new, "DELETE FROM app.page WHERE cid = 'a' AND id % 2 = 0; UPDATE app.sky SET w = 'fair'; UPDATE app.page SET temper = 'good', made = NULL WHERE cid = 'a'; INSERT INTO app.page VALUES (9999, 'a')")
    sql(new, "SELECT count(*) FROM snapback.restore('{*}', NULL, 'a')")
    equal(sql(new, STATE), before, f"{name}: what was damaged there is restored there")
    equal(sql(new, "SELECT count(DISTINCT chunks) FROM snapback.snapshot_table WHERE chunks <> '' AND rows > 1 AND snapshot IN (snapback.capture('a'), (SELECT id FROM snapback.snapshot WHERE community = 'a' AND kind = 'scheduled'))"), 2,
          f"{name}: a new capture makes the same chunks")
    ok(sql(new, "SELECT sum(snapshots) > 0 FROM snapback.forget('b')"), f"{name}: a community can be forgotten there")


def main():
    old = set_up()
    for name, *how in (("plain", "p", "psql", "-Xq", "-v", "ON_ERROR_STOP=1"), ("custom", "c", "pg_restore", "--exit-on-error"),
                       # Several workers load an extension's tables in no particular order.
                       ("parallel", "c", "env", "PGOPTIONS=-c session_replication_role=replica", "pg_restore", "--exit-on-error", "-j", "2")):
        check(old, move(name, *how), name)
    end()


main()
