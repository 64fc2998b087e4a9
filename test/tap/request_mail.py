#!/usr/bin/env python3
"""What owners read before they approve, what a strict request refuses in the background, and undo by mail."""
import json

from live_server import connect, end, equal, eventually, fresh_extension, ok, sql
from mail_servers import ScriptedServer

DATABASE = "request_mail"
server = ScriptedServer()
MAIL = {"snapback__mail_from": "restores@cms.example", "snapback__smtp_url": server.url, "snapback__approve_url": "https://cms.example/approve?t={token}",
        "snapback__smtp_require_tls": "off", "snapback__requests_per_hour": 1000}
database = fresh_extension(DATABASE, **MAIL)
sql(database, """
    CREATE SCHEMA cms;
    CREATE TABLE cms.community (id text PRIMARY KEY, name text);
    INSERT INTO cms.community VALUES ('42', 'Blue Harbour RP');
    CREATE VIEW cms.directory AS SELECT id AS community, name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled FROM cms.community;
    CREATE TABLE cms.department (id integer PRIMARY KEY, community text REFERENCES cms.community, label text);
    CREATE TABLE cms.member (id integer PRIMARY KEY, community text REFERENCES cms.community, department integer REFERENCES cms.department, name text);
    CREATE TABLE cms.doc (id integer PRIMARY KEY, community text REFERENCES cms.community);
    INSERT INTO cms.department SELECT i, '42', 'd' || i FROM generate_series(1, 3) i;
    INSERT INTO cms.member SELECT i, '42', 1 + i % 3, 'm' || i FROM generate_series(1, 9) i;
    SELECT snapback.set_directory('cms.directory'), snapback.add_category('staff', 'Staff', ''),
           snapback.add_option('staff.departments', 'Departments', ''), snapback.add_option('staff.members', 'Members & <b>Friends</b>', '');
    SELECT snapback.protect('cms.department', 'staff.departments'), snapback.protect('cms.member', 'staff.members');
    SELECT snapback.capture('42');
    SELECT snapback.add_option('staff.docs', 'Docs', '');
    SELECT snapback.protect('cms.doc', 'staff.docs');
    DELETE FROM cms.member WHERE department = 2;
    DELETE FROM cms.department WHERE id = 2;
    UPDATE cms.member SET name = 'changed' WHERE id = 2;
    INSERT INTO cms.member VALUES (10, '42', 1, 'new')""")


def state():
    return sql(database, "SELECT array_agg(t::text ORDER BY t::text) FROM (SELECT * FROM cms.member UNION ALL SELECT id, community, NULL, label FROM cms.department) t")


def mail_of(asked, kind, number=1):
    """Wait for the mail of this kind about this request; return it."""
    def arrived():
        ids = sql(database, "SELECT coalesce(array_agg(id::text ORDER BY queued_at), '{}') FROM snapback.mail WHERE request = %s AND kind = %s", asked, kind)
        found = [mail for mail in server.mails if any(identity in mail.message["Message-ID"] for identity in ids[number - 1:])]
        return found[0] if found else None
    return eventually(arrived)


def request(*arguments):
    backend = connect(DATABASE, snapback__community="42", snapback__account="ada")
    asked = sql(backend, "SELECT request::text FROM snapback.request_restore(%s::text[], %s, switches => %s, strict => %s)", *arguments)
    backend.close()
    return asked


def approve_in_background(token):
    backend = connect(DATABASE)
    status, restore = sql(backend, "SELECT status, restore::text FROM snapback.approve_restore(%s, NULL, true)", token)[0]
    backend.close()
    equal(status, "started", "the approval starts a restore in the background")
    eventually(lambda: sql(database, "SELECT state FROM snapback.restores WHERE restore = %s", restore) not in ("queued", "running"))
    return restore


def paragraphs(mail):
    """The text of a mail, its lines ended by \\n."""
    return mail.part("plain").replace("\r\n", "\n")


def test_figures_and_notes():
    asked = request("{staff.members}", None, None, False)
    text = paragraphs(mail_of(asked, "approval"))
    ok("- Members & <b>Friends</b> (9 rows): 3 to bring back, 1 to change, 1 to remove\n" in text, "the mail says what would be done to each option", text)
    ok("The restore also writes rows of other parts, because rows refer to each other:\n\n- Departments: 1 to bring back\n" in text, "and to what else is touched, by its label", text)
    ok("Please note:\n\n- 1 row outside the selection" in text, "with the notes", text)
    ok("not restored" not in text and "anything else" not in text, "and nothing that is not so", text)
    html = mail_of(asked, "approval").part("html")
    ok("<li>Members &amp; &lt;b&gt;Friends&lt;/b&gt; (9 rows): 3 to bring back, 1 to change, 1 to remove</li>" in html, "in HTML as well, escaped", html)
    asked = request("{*}", None, '{"actions": ["insert"]}', True)
    text = paragraphs(mail_of(asked, "approval"))
    ok("- Members & <b>Friends</b> (9 rows): 3 to bring back\n" in text and "- Departments (3 rows): 1 to bring back\n" in text, "the figures go by the switches", text)
    ok("Selected, but not restored:\n\n- Docs: " in text, "what the snapshot does not hold is named", text)
    ok("If the restore would do anything else when you approve it, nothing is restored" in text, "a strict request says so", text)


def test_strict_in_background():
    asked = request("{staff}", None, None, True)
    token = mail_of(asked, "approval").token()
    before = state()
    sql(database, "UPDATE cms.department SET label = 'renamed' WHERE id = 3; INSERT INTO cms.member VALUES (11, '42', 1, 'newer')")
    restore = approve_in_background(token)
    equal(sql(database, "SELECT state, sqlstate FROM snapback.restores WHERE restore = %s", restore), [("failed", "SB011")], "a plan that has changed is refused")
    equal(sql(database, "SELECT state FROM snapback.requests WHERE request = %s", asked), "pending", "the request lives on")
    text = paragraphs(mail_of(asked, "result"))
    ok("Nothing was changed." in text and "Reason: the plan of the restore has changed since the request\n" in text, "the owner is told", text)
    ok("Changes since the request:\n\n- Departments: previously 1 to bring back; now 1 to bring back, 1 to change\n"
       "- Members & <b>Friends</b>: previously 3 to bring back, 1 to change, 1 to remove; now 3 to bring back, 1 to change, 2 to remove\n" in text, "what has changed", text)
    ok("To try again, request a new restore.\n" in text and "approval link again" not in text, "and what to do", text)
    sql(database, "UPDATE cms.department SET label = 'd3' WHERE id = 3; DELETE FROM cms.member WHERE id = 11")
    equal(state(), before, "as it was shown, it is done after all:")
    restore = approve_in_background(token)
    equal(sql(database, "SELECT state FROM snapback.restores WHERE restore = %s", restore), "restored", "the same link restores")
    text = paragraphs(mail_of(asked, "result", 2))
    ok("- Departments: 1 inserted\n- Members & <b>Friends</b>: 3 inserted, 1 updated, 1 deleted\n" in text, "the owner is told by labels what was done", text)
    return restore, before


def test_way_back(restore, before):
    after = state()
    snapshot = sql(database, "SELECT before_snapshot::text FROM snapback.restores WHERE restore = %s", restore)
    asked = request("{*}", snapshot, None, True)
    text = paragraphs(mail_of(asked, "approval"))
    ok("- Departments (2 rows): 1 to remove\n" in text, "the mail says what going back would do", text)
    back = approve_in_background(mail_of(asked, "approval").token())
    equal(state(), before, "an approved request takes the restore back")
    sql(database, "SELECT count(*) FROM snapback.undo_restore(%s)", back)
    equal(state(), after, "and a DBA takes that back")


def test_encoding(encoding, byte, shown):
    """Names with non-ASCII characters, or with invalid bytes in this encoding, do not prevent a restore."""
    name = f"odd_{encoding.lower()}"
    odd = fresh_extension(name, encoding, **MAIL)
    sql(odd, "SET client_encoding = sql_ascii")
    sql(odd, f"""
        CREATE TABLE club (id text PRIMARY KEY, name text);
        INSERT INTO club VALUES (E'c{byte}', E'Club {byte}');
        CREATE VIEW directory AS SELECT id AS community, name, E'ada{byte}' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled FROM club;
        SELECT snapback.set_directory('directory'), snapback.add_category('c', E'C{byte}', E'{byte}'), snapback.add_option('c.a', E'A{byte}', E'{byte}');
        SELECT snapback.add_option('c.b', E'B{byte}', '');
        CREATE FUNCTION each(statement text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format(statement, E't{byte}', E'c{byte}'); END $$;
        SELECT each('CREATE TABLE %1$I (id int PRIMARY KEY, club text REFERENCES club, parent int CONSTRAINT %1$I REFERENCES %1$I, UNIQUE (id, club))');
        SELECT each('SELECT snapback.protect(%1$L, ''c.a'')'), each('INSERT INTO %1$I VALUES (1, %2$L), (2, %2$L)');
        SELECT snapback.capture(id) FROM club""")
    sql(odd, "SELECT each('DELETE FROM %1$I WHERE id = 1')")
    listener = connect(name, client_encoding="utf8")
    sql(listener, "LISTEN snapback")
    sql(odd, f"SET snapback.community = E'c{byte}'; SET snapback.account = E'ada{byte}'")
    asked = sql(odd, "SELECT request::text FROM snapback.request_restore('{c}')")

    def mail(kind):
        ids = eventually(lambda: sql(odd, "SELECT string_agg(id::text, '') FROM snapback.mail WHERE request = %s AND kind = %s", asked, kind))
        return eventually(lambda: [mail for mail in server.mails if mail.message["Message-ID"].strip("<>").split("@")[0] in ids])[0]
    approval = mail("approval")
    text = paragraphs(approval)
    ok(approval.message["Subject"].endswith(f" Club {shown}") and f'"Club {shown}" was requested by account ada{shown}.' in text and f"- A{shown} (2 rows): 1 to bring back\n" in text,
       f"{encoding}: the mail shows the names", (approval.message["Subject"], text))
    described = sql(odd, "SELECT encode(convert_to(d::text, 'sql_ascii'), 'escape') FROM snapback.describe_request(%s) d", approval.token())
    ok("pending" in str(described), f"{encoding}: the request can be looked at", described)
    restore = sql(odd, "SELECT restore::text FROM snapback.approve_restore(%s, NULL, true)", approval.token())
    eventually(lambda: sql(odd, "SELECT state FROM snapback.restores WHERE restore = %s", restore) not in ("queued", "running"))
    equal(sql(odd, "SELECT state FROM snapback.restores WHERE restore = %s", restore), "restored", f"{encoding}: approved, it is restored")
    ok(f"- A{shown}: 1 inserted\n" in paragraphs(mail("result")), f"{encoding}: the owner is told", paragraphs(mail("result")))
    sql(listener, "SELECT 1")
    listener.poll()
    events = [json.loads(notice.payload) for notice in listener.notifies]
    equal([(event["event"], event.get("community")) for event in events][-1:], [("request_restored", None if "\ufffd" in shown else f"c{shown}")],
          f"{encoding}: a listener is told, of the community where its name is text")
    equal(sql(odd, "SELECT count(*) FROM snapback.health() WHERE concern NOT IN ('unprotected', 'outside', 'option')"), 0, f"{encoding}: all is well")
    listener.close()
    odd.close()


def test_damaged_name():
    sql(database, "UPDATE cms.community SET name = 'nobody'")
    asked = request("{staff.members}", None, None, False)
    mail = mail_of(asked, "approval")
    equal(mail.message["Subject"], "Approve the restore of Blue Harbour RP (now called nobody)", "the subject has the name of the snapshot's time, and that of now")
    equal(sql(database, "SELECT name, current_name FROM snapback.describe_request(%s)", mail.token()), [("Blue Harbour RP", "nobody")], "so has the approval page")
    approve_in_background(mail.token())
    equal(mail_of(asked, "result").message["Subject"], "Restored: Blue Harbour RP (now called nobody)", "and the mail about the result")


test_encoding("SQL_ASCII", "\\xe9", "\ufffd")
test_encoding("LATIN1", "\\xe9", "é")
test_encoding("WIN1252", "\\x81", "\ufffd")
test_figures_and_notes()
test_way_back(*test_strict_in_background())
test_damaged_name()
end()
