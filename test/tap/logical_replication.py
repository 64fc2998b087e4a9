#!/usr/bin/python3
"""The extension works with a publication FOR ALL TABLES, and a subscriber's apply worker is refused while a restore holds
the community, and continues afterwards. Needs the extension installed; starts a server of its own."""
from live_server import connect, connect_again, end, equal, eventually, fresh_extension, ok, pg_ctl, psycopg2, sql

SETUP = """
CREATE TABLE club (id text PRIMARY KEY);
CREATE VIEW clubs AS SELECT id AS community, id AS name, id AS owner, id || '@example.org' AS owner_email, true AS restores_enabled FROM club;
CREATE TABLE page (id int PRIMARY KEY, club text NOT NULL REFERENCES club, body text);
INSERT INTO club VALUES ('a'), ('b');
INSERT INTO page VALUES (1, 'a', 'one'), (2, 'a', 'two'), (3, 'b', 'three');
SELECT snapback.set_directory('clubs');
SELECT snapback.add_category('x', '', ''), snapback.add_option('x.all', '', '');
SET snapback.smtp_url = 'smtp://127.0.0.1:1'; SET snapback.mail_from = 'restores@cms.example'; SET snapback.approve_url = 'https://cms.example/{token}';
"""
TOKEN = "the-secret-from-the-link-is-43-letters-long"


def set_up(name):
    connection = fresh_extension(name)
    sql(connection, SETUP)
    sql(connection, "SELECT snapback.protect('page', 'x.all')")
    return connection


def pages(connection):
    return sql(connection, "SELECT string_agg(body, ' ' ORDER BY id) FROM page")


def use_published(source):
    """Write to all tables of the extension: a publication prevents UPDATE and DELETE on tables without a primary key."""
    sql(source, "CREATE PUBLICATION everything FOR ALL TABLES")
    sql(source, "SELECT snapback.capture('a', 'first'), snapback.capture('b')")
    sql(source, "INSERT INTO snapback.capture_failure (community, failed_at, sqlstate, message) VALUES ('a', now() - interval '8 days', 'XX000', 'x'), ('b', now(), 'XX000', 'x')")
    sql(source, "UPDATE page SET body = 'changed' WHERE club = 'a'")
    asked = sql(source, "SELECT request FROM snapback.request_restore('{x}', NULL, 'a', 'a')")
    sql(source, "INSERT INTO snapback.token (sha256, request) VALUES (snapback_internal.token_hash(%s), %s)", TOKEN, asked)
    equal(sql(source, "SELECT status FROM snapback.approve_restore(%s)", TOKEN), "restored", "published: an approved request is restored")
    equal(pages(source), "one two three", "published: as it was")
    sql(source, "SELECT count(*) FROM snapback.undo_restore((SELECT restore FROM snapback.restores))")
    equal(pages(source), "changed changed three", "published: and undone")
    sql(source, "SELECT count(*) FROM snapback.restore('{x}', (SELECT id FROM snapback.snapshot WHERE label = 'first'), 'a')")
    equal(pages(source), "one two three", "published: a DBA restores")
    equal(sql(source, "SELECT snapback.erase_rows('a', 'page', '[{\"id\": 2}]') > 0"), True, "published: rows are erased")
    sql(source, "SELECT snapback.process_queue()")
    sql(source, "UPDATE snapback.snapshot SET captured_at = captured_at - interval '8 days' WHERE label = 'first'; UPDATE snapback.audit SET at = at - interval '1 year'")
    equal(sql(source, "SELECT snapshots FROM snapback.expire()"), 1, "published: snapshots expire")
    equal(sql(source, "SELECT (SELECT count(*) FROM snapback.capture_failure), (SELECT count(*) FROM snapback.audit)"), [(1, 0)], "published: and so does the record")
    sql(source, "UPDATE snapback.snapshot SET captured_at = captured_at - interval '8 days' WHERE community = 'b'")
    sql(source, "CALL snapback.expire_all()")
    equal(sql(source, "SELECT snapshots > 0 FROM snapback.forget('a')"), True, "published: a community is forgotten")
    equal(sql(source, "SELECT count(*) FROM snapback.snapshot"), 0, "published: nothing is left")
    sql(source, "SELECT snapback.unprotect('page')")
    sql(source, "SELECT snapback.protect('page', 'x.all')")


def refuse_without_identity(source):
    """A published table without a replica identity accepts no UPDATE or DELETE: preview and restore report it."""
    sql(source, "CREATE TABLE entry (n int NOT NULL, club text NOT NULL REFERENCES club, body text, UNIQUE (club, n)) PARTITION BY LIST (club)")
    sql(source, "CREATE TABLE entry_of_all PARTITION OF entry DEFAULT")
    sql(source, "INSERT INTO entry VALUES (1, 'a', 'one'); SELECT snapback.add_option('x.entry', '', '')")
    sql(source, "SELECT snapback.protect('entry', 'x.entry')")
    sql(source, "SELECT snapback.capture('a')")
    sql(source, "INSERT INTO entry VALUES (2, 'a', 'two')")
    obstacles = "SELECT array_to_string(obstacles, ';') FROM snapback.preview_restore('{x.entry}', NULL, 'a') WHERE obstacles <> '{}'"
    refusal = 'public.entry cannot be restored: publication everything publishes DELETE of public.entry_of_all, which has no replica identity'
    equal(sql(source, obstacles), refusal, "no identity: the preview names the publication and the partition")
    try:
        sql(source, "SELECT snapback.restore('{x.entry}', NULL, 'a')")
        refused = None
    except psycopg2.Error as error:
        refused = (error.pgcode, error.diag.message_primary, error.diag.message_hint)
    equal(refused, ("SB010", refusal, "Give it a primary key, or call ALTER TABLE public.entry_of_all REPLICA IDENTITY FULL."), "no identity: and so does the restore")
    sql(source, "ALTER PUBLICATION everything SET (publish = 'insert, update')")
    equal(sql(source, obstacles), [], "no identity: what is not published is not refused")
    sql(source, "BEGIN; SET session_replication_role = replica; DROP PUBLICATION everything; UPDATE entry SET body = 'changed'; DELETE FROM entry WHERE n = 2;"
                "CREATE PUBLICATION everything FOR TABLES IN SCHEMA public; COMMIT")
    equal(sql(source, obstacles), refusal.replace("DELETE", "UPDATE"), "no identity: nor an UPDATE, of a schema's tables")
    for statement, refuses in (("DROP PUBLICATION everything; CREATE PUBLICATION everything FOR TABLE entry", True), ("ALTER TABLE entry_of_all REPLICA IDENTITY FULL", False),
                               ("ALTER TABLE entry_of_all REPLICA IDENTITY USING INDEX entry_of_all_club_n_key", False), ("ALTER TABLE entry_of_all REPLICA IDENTITY NOTHING", True),
                               ("ALTER TABLE entry_of_all REPLICA IDENTITY DEFAULT, ADD PRIMARY KEY (club, n)", False)):
        sql(source, statement)
        equal(sql(source, obstacles) != [], refuses, f"no identity: {'refused' if refuses else 'not refused'} after {statement}")
    sql(source, "SELECT count(*) FROM snapback.restore('{x.entry}', NULL, 'a')")
    equal(sql(source, "SELECT string_agg(body, ' ') FROM entry"), "one", "no identity: and with one it is restored")


def apply_beside_restore(source, target):
    """Replicate into guarded tables while a restore holds the community."""
    host = sql(source, "SELECT current_setting('unix_socket_directories')")
    sql(source, "CREATE PUBLICATION pages FOR TABLE page")
    # A subscription to a database of the same server would wait for its own transaction if it created the slot.
    sql(source, "SELECT pg_create_logical_replication_slot('pages', 'pgoutput')")
    sql(target, f"CREATE SUBSCRIPTION pages CONNECTION 'host={host} user=postgres dbname=source' PUBLICATION pages WITH (create_slot = false, copy_data = false)")
    sql(target, "SELECT snapback.capture('a')")
    sql(source, "UPDATE page SET body = '3' WHERE id = 3")
    ok(eventually(lambda: pages(target) == "one two 3"), "subscriber: changes arrive in guarded tables")
    sql(target, "DELETE FROM page WHERE id = 2; UPDATE page SET body = 'damaged' WHERE id = 1")
    restoring = connect("target")
    sql(restoring, "BEGIN; SELECT count(*) FROM snapback.restore('{x}', NULL, 'a')")
    errors = "SELECT apply_error_count FROM pg_stat_subscription_stats WHERE subname = 'pages'"
    before = sql(target, errors)
    sql(source, "INSERT INTO page VALUES (4, 'a', '4')")
    ok(eventually(lambda: sql(target, errors) > before), "subscriber: the apply worker is refused while the community is restored")
    sql(source, "UPDATE page SET body = '1' WHERE id = 1")
    equal(pages(target), "damaged 3", "subscriber: and writes nothing")
    sql(restoring, "COMMIT")
    ok(eventually(lambda: pages(target) == "1 two 3 4"), "subscriber: it continues after the restore with the restored rows", pages(target))
    sql(source, "UPDATE page SET body = 'b' WHERE id = 3")
    ok(eventually(lambda: pages(target) == "1 two b 4"), "subscriber: and with what comes later")
    # The writes of a restore are replicated like others.
    sql(source, "SELECT snapback.capture('a')")
    since = sql(target, "SELECT snapback_internal.next_transaction()::text")
    sql(source, "DELETE FROM page WHERE club = 'a'")
    ok(eventually(lambda: pages(target) == "b"), "subscriber: damage arrives")
    removed = "SELECT string_agg(k ->> 'id', ' ' ORDER BY k ->> 'id') FROM snapback.protected_table t, snapback_internal.removed_keys(t.id, 'a', %s::text::xid8) k"
    equal(sql(target, removed, since), "1 2 4", "subscriber: and which rows it removed is noted")
    sql(source, "SELECT count(*) FROM snapback.restore('{x}', NULL, 'a')")
    ok(eventually(lambda: pages(target) == "1 two b 4"), "subscriber: and so does its restore")
    restoring.close()
    sql(target, "DROP SUBSCRIPTION pages")


def main():
    connection = connect("postgres")
    for setting in ("wal_level = logical", "wal_retrieve_retry_interval = '100ms'"):
        sql(connection, f"ALTER SYSTEM SET {setting}")
    connection.close()
    pg_ctl("-m", "fast", "restart")
    connect_again("postgres").close()
    source, target = set_up("source"), set_up("target")
    use_published(source)
    apply_beside_restore(source, target)
    refuse_without_identity(source)
    source.close()
    target.close()
    end()


main()
