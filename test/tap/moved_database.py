"""A database with snapshots that is moved, and the data that must be equal afterwards."""
from live_server import equal, fresh_extension, ok, sql

STATE = ("SELECT md5(string_agg(h, '|' ORDER BY h)) FROM (SELECT md5(p::text) AS h FROM app.page p "
         "UNION ALL SELECT md5(n::text) FROM app.\"Note's\" n UNION ALL SELECT md5(s::text) FROM app.sky s) x")
STORED = ("SELECT md5(string_agg(h, '|' ORDER BY h)) FROM (SELECT md5(c::text) AS h FROM snapback.chunk c "
          "UNION ALL SELECT md5(m::text) FROM snapback.base_table m UNION ALL SELECT md5(t::text) FROM snapback.table_set_member t UNION ALL SELECT md5(s::text) FROM snapback.shape s) x")
SNAPSHOTS = "SELECT md5(string_agg(s::text, '|' ORDER BY id)) FROM snapback.snapshots s"


def set_up(dropped_table):
    """Create it, with a table that was dropped after the capture or without."""
    connection = fresh_extension("dumped")
    sql(connection, "CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('good', 'bad'); CREATE TABLE app.community (id text PRIMARY KEY); INSERT INTO app.community VALUES ('a'), ('b');"
                    "CREATE VIEW app.directory AS SELECT id AS community, id AS name, 'x' AS owner, 'x@example.org' AS owner_email, true AS restores_enabled FROM app.community;"
                    # A dropped column changes the numbers of later columns when the table is recreated.
                    "CREATE TABLE app.page (gone int, id int PRIMARY KEY, cid text NOT NULL REFERENCES app.community, mood app.mood, list int4range[], made timestamptz DEFAULT now());"
                    "ALTER TABLE app.page DROP gone;"
                    "CREATE TABLE app.\"Note's\" (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, page int NOT NULL REFERENCES app.page ON DELETE CASCADE, body text);"
                    "INSERT INTO app.page SELECT n, CASE n % 4 WHEN 0 THEN 'b' ELSE 'a' END, 'bad', ARRAY['[1,2)', NULL]::int4range[] FROM generate_series(1, 3000) n;"
                    "INSERT INTO app.\"Note's\" (page, body) SELECT 1 + n % 3000, repeat(md5(n::text), 5) FROM generate_series(1, 9000) n")
    sql(connection, "SELECT snapback.set_directory('app.directory'), snapback.add_category('x', '', ''), snapback.add_option('x.pages', '', ''), snapback.add_option('x.notes', '', '')")
    sql(connection, "SELECT snapback.protect('app.page', 'x.pages')")
    sql(connection, "SELECT snapback.protect('app.\"Note''s\"', 'x.notes', filter => 'id > 0')")
    sql(connection, "CREATE TYPE app.weather AS ENUM ('fair', 'foul'); CREATE TABLE app.sky (id int PRIMARY KEY, cid text REFERENCES app.community, w app.weather); INSERT INTO app.sky VALUES (1, 'a', 'fair'); SELECT snapback.protect('app.sky', 'x.pages')")
    if dropped_table:
        # Only its OID remains, which may be that of another table elsewhere.
        sql(connection, "CREATE TABLE app.gone (id int PRIMARY KEY, cid text REFERENCES app.community); SELECT snapback.protect('app.gone', 'x.pages')")
    # An excluded table, and a missing community whose key now belongs to another one.
    sql(connection, "CREATE TABLE app.\"Log's\" (cid text REFERENCES app.community); SELECT snapback.exclude('app.\"Log''s\"', 'it has no key')")
    sql(connection, "INSERT INTO app.community VALUES ('c'); CREATE VIEW app.dated AS SELECT d.*, 'first'::text AS identity FROM app.directory d; SELECT snapback.set_directory('app.dated')")
    sql(connection, "CALL snapback.capture_all()")
    sql(connection, "DELETE FROM app.community WHERE id = 'c'; SELECT snapback_internal.note_departures(); INSERT INTO app.community VALUES ('c')")
    sql(connection, "DROP TABLE IF EXISTS app.gone")
    # Renamed columns remain known with the moved snapshots.
    sql(connection, "ALTER TABLE app.page RENAME mood TO temper; ALTER TABLE app.page RENAME made TO t; ALTER TABLE app.page RENAME t TO since; ALTER TABLE app.page RENAME list TO spans;"
                    "ALTER TYPE app.weather RENAME VALUE 'fair' TO 't'; ALTER TYPE app.weather RENAME VALUE 'foul' TO 'fair'; ALTER TYPE app.weather RENAME VALUE 't' TO 'foul'")
    return connection


def facts(connection):
    """The data to arrive: the application's rows, the snapshots, the store, and the registration of tables."""
    return (sql(connection, STATE), sql(connection, SNAPSHOTS), sql(connection, STORED),
            sql(connection, "SELECT array_agg(concat_ws(' ', relation, guard, status, note) ORDER BY relation::text) FROM snapback.protection WHERE status <> 'relation gone'"))


def check_arrival(before, connection, name):
    """Check that nothing was lost or changed."""
    for what, was, is_now in zip(("the application's rows are", "the snapshots are", "their bytes are", "the tables are protected"), before, facts(connection)):
        equal(is_now, was, f"{name}: {what} as they were")
    equal(sql(connection, "SELECT count(*) FROM snapback.verify()"), 0, f"{name}: no snapshot is damaged")
    equal(sql(connection, "SELECT array_agg(DISTINCT concat_ws(' ', community, identity, status) ORDER BY concat_ws(' ', community, identity, status)) FROM snapback.snapshots JOIN snapback.snapshot USING (id, community)"),
          ["a first complete", "b first complete", "c first disowned"], f"{name}: they are those of the same communities")
    equal(sql(connection, "SELECT relation::text || ': ' || note FROM snapback.protection WHERE status = 'excluded'"), "app.\"Log's\": it has no key", f"{name}: a table is left out as before")


def check_use(new, name):
    """Check that snapshots can be restored, captured and forgotten."""
    before = sql(new, STATE)
    equal(sql(new, "SELECT sum(inserts + updates + deletes) FROM snapback.preview_restore('{*}', NULL, 'a')"), 0, f"{name}: there is nothing to restore")
    equal(sql(new, "SELECT sum(inserts + updates + deletes) FROM snapback.preview_restore('{*}', NULL, 'b')"), 0, f"{name}: nor for the other community")
    sql(new, "DELETE FROM app.page WHERE cid = 'a' AND id % 2 = 0; UPDATE app.sky SET w = 'fair'; UPDATE app.page SET temper = 'good', spans = NULL WHERE cid = 'a'; INSERT INTO app.page VALUES (9999, 'a')")
    sql(new, "SELECT count(*) FROM snapback.restore('{*}', NULL, 'a')")
    equal(sql(new, STATE), before, f"{name}: what was damaged there is restored there")
    equal(sql(new, "SELECT count(DISTINCT chunks) FROM snapback.base_table WHERE chunks <> '' AND rows > 1 AND base IN (snapback.capture('a'), (SELECT id FROM snapback.snapshot WHERE community = 'a' AND kind = 'scheduled'))"), 2,
          f"{name}: a new capture makes the same chunks")
    ok(sql(new, "SELECT sum(snapshots) > 0 FROM snapback.forget('b')"), f"{name}: a community can be forgotten there")
