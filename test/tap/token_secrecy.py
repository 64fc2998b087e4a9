#!/usr/bin/env python3
"""Mailed secrets are nowhere else: not in a dump, the log, the statistics views, the audit, or any file of the
server, for requests in every state."""
import math
import os
import pathlib
import re
import subprocess

from approval_steps import damage, keep_address, give_address_back, mails_about, take_address
from live_server import connect, end, equal, eventually, ok, pg_ctl, server_log, sql
from mail_servers import ScriptedServer
from mail_steps import Outbox

REQUESTS = 24
outbox = Outbox("secrets")
tokens = []


def watch_statements():
    """Let the server record statements."""
    outbox.sql("ALTER SYSTEM SET shared_preload_libraries = pg_cron, pg_stat_statements")
    outbox.sql("ALTER SYSTEM SET track_activity_query_size = '16kB'")
    ok(pg_ctl("-m", "fast", "restart"), "the server remembers statements")
    outbox.reconnect()
    outbox.sql("CREATE EXTENSION pg_stat_statements")


def mailed(asked):
    return eventually(lambda: mails_about(outbox.database, server.mails, asked))[-1].token()


def use(number, token):
    """Use a secret in every way: describe it, with and without parameters, with errors, and approve."""
    backend = connect(outbox.name)
    sql(backend, "SELECT * FROM snapback.describe_request(%s)" if number % 2 else f"SELECT * FROM snapback.describe_request('{token}')", *([token] if number % 2 else []))
    seen = outbox.sql("SELECT coalesce(string_agg(query, ' '), '') FROM pg_stat_activity WHERE pid = %s", backend.info.backend_pid)
    outbox.approve(token[:-1])
    outbox.approve(token, community_name="Nobody's")
    if number % 4 == 0:
        outbox.approve(token, background=number % 8 == 0)
    sql(backend, "DO $$ BEGIN PERFORM snapback.approve_restore('none'); RAISE EXCEPTION 'undone'; EXCEPTION WHEN raise_exception THEN NULL; END $$")
    backend.close()
    return token in seen


def found_in(text):
    """The number of secrets that a text contains, as text or as printed bytes."""
    return sum(token in text or token.encode().hex() in text for token in tokens)


def every_view():
    """All rows of the statistics views and of the extension's relations."""
    views = outbox.sql("SELECT array_agg(c.oid::regclass::text) FROM pg_class c WHERE c.relkind IN ('v', 'r') AND (c.relnamespace = 'snapback'::regnamespace OR c.relname LIKE 'pg\\_stat%') "
                       "AND c.relname <> 'pg_statistic'")
    return {view: str(outbox.sql(f"SELECT coalesce(string_agg(v::text, ' '), '') FROM {view} v")) for view in views}


def every_file():
    """Files of the server that contain a secret."""
    data = pathlib.Path(os.environ["SERVER_DIR"], "data")
    needles = re.compile(b"|".join(form for token in tokens for form in (token.encode(), token.encode().hex().encode())))
    return [str(file.relative_to(data)) for file in data.rglob("*") if file.is_file() and needles.search(file.read_bytes())]


server = ScriptedServer()
outbox.settings(smtp_url=server.url)
watch_statements()
shown = 0
for number in range(REQUESTS):
    damage(outbox.database)
    if number % 3 == 0:
        server.script = {"end": "451 later"}
    asked = outbox.request()
    if number % 3 == 0:
        outbox.first_try(asked)
        server.script.clear()
        outbox.due_now()
    outbox.wait(asked, "sent")
    tokens.append(mailed(asked))
    if number % 5 == 4:
        take_address(outbox.database)
        keep_address(outbox.database)
    shown += use(number, tokens[-1])
    give_address_back(outbox.database)
    eventually(lambda: outbox.sql("SELECT count(*) FROM snapback.restore_run WHERE state IN ('queued', 'running')") == 0)
tokens.extend(mail.token() for mail in server.mails if mail.token() and mail.token() not in tokens)
print(f"# {len(tokens)} secrets in {len(server.mails)} mails", flush=True)
ok(len(tokens) > REQUESTS, "requests have secrets, some several")
equal(({len(token) for token in tokens}, all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens), 43 * math.log2(64) >= 256), ({43}, True, True), "each of 256 bits")
equal(outbox.sql("SELECT count(*) FROM snapback.token WHERE sha256 IN (SELECT sha256(convert_to(t, 'UTF8')) FROM unnest(%s::text[]) t)", tokens) > 0, True, "hashes of those that are open are kept")
equal(shown, 0, "pg_stat_activity shows none")
equal({view: found_in(text) for view, text in every_view().items() if found_in(text)}, {}, "no view or table holds one")
dump = subprocess.run(["pg_dumpall"], check=True, capture_output=True, text=True).stdout
equal(("COPY snapback.token " in dump, found_in(dump)), (True, 0), "no dump does")
outbox.sql("CHECKPOINT")
pg_ctl("-m", "fast", "stop")
equal(found_in(server_log()), 0, "the log does not")
equal(every_file(), [], "no file of the server's does")
# The search finds what it looks for.
tokens.append("request_pending")
ok(found_in(dump) and every_file(), "what is there is found")
pg_ctl("start")
end()
