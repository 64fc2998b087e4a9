#!/usr/bin/python3
"""A snapshot can be restored for exactly seven days, with a clock that the test sets: a second before and after, over
changes of daylight saving time, leap days, and with the clock set back, without expire(). A mailed link expires as exactly.

Needs the extension installed and libfaketime; starts a server of its own."""
import datetime
import glob
import os
import pathlib
import subprocess

from live_server import as_server_user, connect, connect_again, end, equal, fresh_extension, ok, pg_ctl, psycopg2, sql

LIBRARY = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
CLOCK = pathlib.Path(os.environ["SERVER_DIR"], "clock")
SECOND = datetime.timedelta(seconds=1)
WEEK = datetime.timedelta(days=7)
NOON = datetime.time(12)

SETUP = """
CREATE TABLE club (id text PRIMARY KEY);
CREATE VIEW clubs AS SELECT id AS community, id AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled FROM club;
CREATE TABLE page (id int PRIMARY KEY, club text NOT NULL REFERENCES club, body text);
INSERT INTO club VALUES ('a');
INSERT INTO page SELECT n, 'a', 'page ' || n FROM generate_series(1, 10) n;
SELECT snapback.set_directory('clubs');
SELECT snapback.add_category('x', '', ''), snapback.add_option('x.all', '', '');
"""
# The time of the capture, and the time zone of the server.
DAYS = [("2026-03-25", "Europe/Berlin", "an hour is left out"), ("2026-10-21", "Europe/Berlin", "an hour comes twice"), ("2026-11-01", "UTC", "nothing happens"),
        ("2028-02-25", "America/New_York", "there is a leap day"), ("2026-12-28", "Asia/Kathmandu", "a year ends"), ("2026-10-01", "Australia/Lord_Howe", "half an hour is left out")]

early_or_late = []


def set_clock(moment):
    """Set the server's clock to this time (UTC) and stop it."""
    passing = CLOCK.with_suffix(".next")
    passing.write_text(f"{moment:%Y-%m-%d %H:%M:%S}\n")
    passing.chmod(0o644)
    passing.rename(CLOCK)


def start_under_clock():
    """Restart the server with the clock that the test sets."""
    pg_ctl("-m", "fast", "stop")
    # Set by env, because the library must not be loaded under another account first.
    clock = [f"LD_PRELOAD={LIBRARY[0]}", f"FAKETIME_TIMESTAMP_FILE={CLOCK}", "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "TZ=UTC"]
    subprocess.run([*as_server_user(), "env", *clock, "pg_ctl", "-D", CLOCK.parent / "data", "-l", CLOCK.parent / "log", "-w", "start"], check=True, cwd="/",
                   stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    return connect_again("seven_days")


def outcome(connection, statement, *parameters):
    """Run a statement and roll it back; return its error, or nothing."""
    sql(connection, "BEGIN")
    try:
        sql(connection, statement, *parameters)
        return None
    except psycopg2.Error as error:
        return error.pgcode
    finally:
        sql(connection, "ROLLBACK")


def expect(connection, name, open_, snapshot, token):
    """Check all functions that use a snapshot: whether they succeed."""
    refused = None if open_ else "SB004"
    sql(connection, "BEGIN")
    approval = sql(connection, "SELECT status FROM snapback.approve_restore(%s)", token) if token else None
    sql(connection, "ROLLBACK")
    seen = (sql(connection, "SELECT status FROM snapback.snapshots WHERE id = %s", snapshot),
            outcome(connection, "SELECT count(*) FROM snapback.restore('{x}', %s, 'a')", snapshot),
            outcome(connection, "SELECT count(*) FROM snapback.preview_restore('{x}', %s, 'a')", snapshot),
            outcome(connection, "SELECT snapback.request_restore('{x}', %s, 'a', 'ada')", snapshot),
            approval)
    wanted = ("complete" if open_ else "expired", refused, refused, refused, approval and ("restored" if open_ else "refused"))
    equal(seen, wanted, name)
    early_or_late.extend([name] if seen != wanted else [])


def mint(connection):
    """Request a restore; return a valid secret."""
    asked = sql(connection, "SELECT request FROM snapback.request_restore('{x}', NULL, 'a', 'ada')")
    return sql(connection, "INSERT INTO snapback.token (sha256, request) VALUES (snapback_internal.token_hash(%s), %s) RETURNING %s", f"{asked}-secret", asked, f"{asked}-secret")


def play_week(day, zone, what):
    captured = datetime.datetime.combine(datetime.date.fromisoformat(day), NOON)
    set_clock(captured)
    connection = connect("seven_days", timezone=zone)
    snapshot = sql(connection, "SELECT snapback.capture('a')")
    equal(sql(connection, "SELECT captured_at = %s::timestamptz, expires_at = captured_at + interval '168 hours' FROM snapback.snapshots WHERE id = %s", f"{captured} UTC", snapshot)[0],
          (True, True), f"{day}, {zone} ({what}): it is captured now, and for 168 hours")
    sql(connection, "UPDATE page SET body = 'damaged'")
    for after, open_ in ((SECOND, True), (WEEK - datetime.timedelta(hours=2), True), (WEEK - SECOND, True)):
        set_clock(captured + after)
        expect(connection, f"{day}, {zone}: after {after}", open_, snapshot, None)
    token = mint(connection)
    expect(connection, f"{day}, {zone}: and by mail", True, snapshot, token)
    for after in (WEEK, WEEK + SECOND, WEEK + datetime.timedelta(hours=1, minutes=-1), WEEK * 60):
        set_clock(captured + after)
        expect(connection, f"{day}, {zone}: after {after}, nobody having swept", False, snapshot, token if after < WEEK + datetime.timedelta(hours=1) else None)
    for after in (WEEK - SECOND, -datetime.timedelta(hours=1)):
        set_clock(captured + after)
        expect(connection, f"{day}, {zone}: with the clock set back to {after}", True, snapshot, None)
        equal(sql(connection, "SELECT snapshots FROM snapback.expire()"), 0, f"{day}, {zone}: and it is not swept")
    set_clock(captured + WEEK)
    equal(sql(connection, "SELECT snapshots FROM snapback.expire()"), 1, f"{day}, {zone}: after a week it is")
    set_clock(captured + SECOND)
    equal(outcome(connection, "SELECT count(*) FROM snapback.restore('{x}', %s, 'a')", snapshot), "SB008", f"{day}, {zone}: and no clock brings it back")
    connection.close()


def play_link(moment, zone, what, hours):
    """A link is valid for this number of hours."""
    asked = datetime.datetime.fromisoformat(moment)
    set_clock(asked)
    connection = connect("seven_days", timezone=zone, snapback__request_ttl=f"{hours}h")
    sql(connection, "SELECT snapback.capture('a')")
    token = mint(connection)
    for after, expected in ((datetime.timedelta(hours=hours) - SECOND, "restored"), (datetime.timedelta(hours=hours), "refused"), (datetime.timedelta(hours=hours) + SECOND, "refused")):
        set_clock(asked + after)
        sql(connection, "BEGIN")
        outcome_now = sql(connection, "SELECT status FROM snapback.approve_restore(%s)", token)
        sql(connection, "ROLLBACK")
        equal(outcome_now, expected, f"{moment}, {zone} ({what}): a link for {hours} hours after {after}: {expected}")
        early_or_late.extend([moment] if outcome_now != expected else [])
    sql(connection, "SELECT snapback.forget('a')")
    connection.close()


def main():
    ok(len(LIBRARY) == 1, "libfaketime is installed")
    if not LIBRARY:
        end()
    connection = fresh_extension("seven_days", snapback__smtp_url="smtp://127.0.0.1:1", snapback__mail_from="restores@cms.example",
                                 snapback__approve_url="https://cms.example/{token}", snapback__requests_per_hour="1000")
    sql(connection, SETUP)
    sql(connection, "SELECT snapback.protect('page', 'x.all')")
    set_clock(datetime.datetime(2026, 1, 1))
    start_under_clock()
    for day in DAYS:
        play_week(*day)
    for moment in (("2026-03-29 00:30", "Europe/Berlin", "an hour is left out", 1), ("2026-10-25 00:30", "Europe/Berlin", "an hour comes twice", 1), ("2026-12-31 23:30", "UTC", "a year ends", 1),
                   ("2026-03-28 12:00", "Europe/Berlin", "an hour is left out", 24), ("2026-10-24 12:00", "Europe/Berlin", "an hour comes twice", 24)):
        play_link(*moment)
    equal(early_or_late, [], "nothing was restored late, nothing refused early")
    ok(pg_ctl("-m", "fast", "stop"), "the server ends")
    end()


main()
