#!/usr/bin/python3
"""A backend behind PgBouncer in transaction mode: the setting of the community ends with the transaction,
as documented, and plain SET leaks it to the next client. Needs PgBouncer and the extension installed; starts a server of its own."""
import os
import pathlib
import subprocess

import psycopg2
from live_server import as_server_user, connect, end, equal, eventually, fresh_extension, ok, sql

FOLDER = pathlib.Path(os.environ["SERVER_DIR"])
TOKEN = "the-secret-from-the-link-is-43-letters-long"

SETUP = """
CREATE TABLE club (id text PRIMARY KEY, owner text);
CREATE VIEW clubs AS SELECT id AS community, id AS name, owner, id || '@example.org' AS owner_email, true AS restores_enabled FROM club;
CREATE TABLE page (id int PRIMARY KEY, club text NOT NULL REFERENCES club, body text);
INSERT INTO club VALUES ('42', '7'), ('43', '8');
INSERT INTO page VALUES (1, '42', 'one'), (2, '43', 'two');
SELECT snapback.set_directory('clubs');
SELECT snapback.add_category('x', '', ''), snapback.add_option('x.all', '', '');
CREATE ROLE app_backend LOGIN;
GRANT SELECT, UPDATE ON page TO app_backend;
SELECT snapback.grant_backend('app_backend');
ALTER DATABASE pooled SET snapback.smtp_url = 'smtp://127.0.0.1:1';
ALTER DATABASE pooled SET snapback.mail_from = 'restores@cms.example';
ALTER DATABASE pooled SET snapback.approve_url = 'https://cms.example/{token}';
"""

# One connection to the server for all clients. PgBouncer does not run as root.
POOLER = f"""
[databases]
pooled = host={FOLDER} port=5432 dbname=pooled user=app_backend
[pgbouncer]
pool_mode = transaction
default_pool_size = 1
auth_type = any
listen_port = 6432
unix_socket_dir = {FOLDER}
logfile = {FOLDER}/pgbouncer.log
ignore_startup_parameters = options
"""


def start_pooler():
    file = FOLDER / "pgbouncer.ini"
    file.write_text(POOLER)
    return subprocess.Popen([*as_server_user(), "/usr/sbin/pgbouncer", "-q", file], cwd="/", stdin=subprocess.DEVNULL)


def client():
    connection = psycopg2.connect(host=str(FOLDER), port=6432, dbname="pooled", user="anybody")
    connection.autocommit = True
    return connection


def pooled():
    """Connect to the pooler as soon as it runs."""
    def attempt():
        try:
            return client()
        except psycopg2.OperationalError:
            return None
    return eventually(attempt, 20)


def refused(connection, statement):
    try:
        sql(connection, statement)
        return None
    except psycopg2.Error as error:
        return error.pgcode


def acts_for_nobody(other, after):
    """Check that a client without settings acts for nobody, on a connection that another one has used."""
    equal((sql(other, "SELECT coalesce(current_setting('snapback.community', true), ''), coalesce(current_setting('snapback.account', true), '')"),
           refused(other, "SELECT * FROM snapback.list_snapshots()"), refused(other, "SELECT snapback.request_restore('{x}')")),
          ([("", "")], "22023", "22023"), f"the next client acts for nobody after {after}")


def act_as_documented(one, other, direct):
    """Set the community of the transaction, or specify it in each call."""
    equal(sql(one, "SELECT pg_backend_pid()"), sql(other, "SELECT pg_backend_pid()"), "both clients have one connection to the server")
    sql(one, "BEGIN")
    sql(one, "SET LOCAL snapback.community = '42'")
    sql(one, "SET LOCAL snapback.account = '7'")
    equal(sql(one, "SELECT count(*) FROM snapback.list_snapshots()"), 1, "SET LOCAL: the client sees its community's snapshots")
    equal(refused(one, "SELECT snapback.list_snapshots('43')"), "42501", "SET LOCAL: and no other's")
    sql(one, "ROLLBACK")
    acts_for_nobody(other, "ROLLBACK")
    sql(one, "BEGIN")
    sql(one, "SELECT set_config('snapback.community', %s, true), set_config('snapback.account', %s, true)", "42", "7")
    asked = sql(one, "SELECT request FROM snapback.request_restore('{x}')")
    sql(one, "COMMIT")
    acts_for_nobody(other, "COMMIT")
    sql(one, "SELECT set_config('snapback.community', '42', true)")
    acts_for_nobody(other, "set_config() outside a transaction block")
    equal(sql(one, "SELECT count(*) FROM snapback.list_snapshots('42')"), 1, "arguments: the client sees its community's snapshots")
    acts_for_nobody(other, "calls with arguments")
    sql(direct, "INSERT INTO snapback.token (sha256, request) VALUES (snapback_internal.token_hash(%s), %s)", TOKEN, asked)
    sql(direct, "UPDATE page SET body = 'changed'")
    equal(sql(one, "SELECT status FROM snapback.approve_restore(%s)", TOKEN), "restored", "a link is approved through the pooler")
    sql(other, "UPDATE page SET body = body || '!'")
    equal(sql(direct, "SELECT string_agg(body, ' ' ORDER BY id) FROM page"), "one! changed!", "and the next client writes to what was restored")


def act_otherwise(one, other):
    """Show why plain SET must not be used."""
    sql(one, "SET snapback.community = '42'")
    equal(sql(other, "SELECT s.community FROM snapback.list_snapshots() l, LATERAL (SELECT current_setting('snapback.community') AS community) s LIMIT 1"), "42",
          "after plain SET, the next client acts for another's community")
    sql(one, "RESET snapback.community")
    acts_for_nobody(other, "RESET")


def main():
    direct = fresh_extension("pooled")
    sql(direct, SETUP)
    sql(direct, "SELECT snapback.protect('page', 'x.all')")
    sql(direct, "CALL snapback.capture_all()")
    listener = connect("pooled")
    sql(listener, "LISTEN snapback")
    pooler = start_pooler()
    try:
        one, other = pooled(), client()
        act_as_documented(one, other, direct)
        act_otherwise(one, other)
        one.close()
        other.close()
    finally:
        pooler.terminate()
        pooler.wait()
    listener.poll()
    ok(any('"request_pending"' in notice.payload.replace(" ", "") for notice in listener.notifies), "a connection of its own hears what is done through the pooler",
       [notice.payload for notice in listener.notifies])
    ok(any("SET LOCAL" in (text or "") for (text,) in sql(direct, "SELECT extra_desc FROM pg_settings WHERE name IN ('snapback.community', 'snapback.account')")),
       "the settings' descriptions say how to set them")
    listener.close()
    direct.close()
    end()


main()
