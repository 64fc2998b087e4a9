"""The database of the fixture and steps of the mail tests: settings, requests, and the state of mails."""
import approval_steps
from live_server import connect, connect_again, eventually, fresh_database, kill, sql, worker_pids


class Outbox:
    def __init__(self, name, **settings):
        self.name = name
        self.database = fresh_database(name)
        self.settings(mail_from="restores@cms.example", approve_url="https://cms.example/approve?t={token}", smtp_require_tls="off",
                      smtp_timeout="10min", requests_per_hour=1000, lock_timeout="1h", **settings)

    def sql(self, statement, *parameters):
        return sql(self.database, statement, *parameters)

    def reconnect(self):
        self.database = connect_again(self.name)

    def settings(self, **values):
        """Change settings of the server, and wait until it has read them, so that workers that start later use them.
        Mail with the old settings is sent first."""
        self.settle()
        admin = connect(self.name)
        sql(admin, "LOAD 'pg_snapback'")
        for name, value in values.items():
            sql(admin, f"ALTER SYSTEM SET snapback.{name} = %s", str(value))
        sql(admin, "SELECT pg_reload_conf()")
        admin.close()
        eventually(lambda: self.seen_by_newcomer(values) == [str(value) for value in values.values()])

    def seen_by_newcomer(self, names):
        newcomer = connect(self.name)
        seen = [sql(newcomer, "SELECT current_setting(%s, true)", f"snapback.{name}") for name in names]
        newcomer.close()
        return seen

    def set_community(self, **values):
        """Change the entry of community 42 in the directory."""
        for column, value in values.items():
            self.sql(f"UPDATE cms.community SET {column} = %s WHERE id = '42'", value)

    # ---- requests and approvals

    def request(self, options="{customization.pages,customization.notices}", **whose):
        return approval_steps.request(self.name, options, **whose)

    def approve(self, token, **arguments):
        backend = connect(self.name)
        extra = "".join(f", {name} => %s" for name in arguments)
        result = sql(backend, f"SELECT status, reason FROM snapback.approve_restore(%s{extra})", token, *arguments.values())[0]
        backend.close()
        return result

    # ---- the state of a request's mail

    def state(self, asked, kind="approval"):
        """State, number of tries and last error of a mail, or None if there is none."""
        rows = self.sql("SELECT state, attempts, coalesce(last_error, '') FROM snapback.mail WHERE request = %s AND kind = %s", asked, kind)
        return rows[0] if rows else None

    def wait(self, asked, *states, kind="approval"):
        """Wait until the mail of a request is in one of these final states; return state()."""
        eventually(lambda: (self.state(asked, kind) or [""])[0] in states)
        return self.state(asked, kind)

    def tries(self, asked, kind="approval"):
        """The results of the tries to send a request's mail, in order (sent, delayed, failed, dropped), with the errors."""
        return self.sql("SELECT substr(event, 6), coalesce(detail->>'error', ''), '' FROM snapback.audit "
                        "WHERE request = %s AND event LIKE 'mail\\_%%' AND detail->>'kind' = %s ORDER BY at", asked, kind)

    def first_try(self, asked):
        """Wait for the end of the first try; return its result and the error. Later tries do not matter."""
        eventually(lambda: self.tries(asked))
        return self.tries(asked)[0][:2]

    def due_now(self):
        """Make every delayed mail due, and process the queue."""
        self.sql("UPDATE snapback.mail SET next_try_at = clock_timestamp() WHERE state = 'queued'")
        self.sql("SELECT snapback.process_queue()")

    def cancel_all(self):
        self.sql("SELECT snapback.cancel_request(id) FROM snapback.request WHERE state = 'pending'")
        self.sql("UPDATE snapback.mail SET state = 'failed', next_try_at = NULL, last_error = 'test' WHERE state IN ('queued', 'sending')")
        self.settle()

    # ---- workers

    def no_worker(self):
        return eventually(lambda: not self.workers())

    def settle(self):
        """Wait until no mail is left to send, and no worker is running."""
        return eventually(lambda: not self.sql("SELECT count(*) FROM snapback.mail WHERE state IN ('queued', 'sending')") and not self.workers())

    def workers(self):
        return worker_pids(self.database, "mail")

    def worker(self):
        """Wait for the only worker; return its process."""
        eventually(lambda: len(self.workers()) == 1)
        return self.workers()[0]

    def open_transactions(self):
        """The number of mail workers in a transaction."""
        return self.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_snapback mail worker' AND xact_start IS NOT NULL")

    def kill_worker(self):
        """Kill the only worker, and thereby the server's sessions; return when the server accepts connections."""
        kill(self.database, self.worker())
        self.reconnect()
