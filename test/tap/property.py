#!/usr/bin/python3
"""Random schemas, rows, damage and switches: the result of a restore equals that of an oracle in plain Python.

ROUNDS (default 20) and SEED (printed) select the cases, ROUND a single one. A failing case is reduced and printed as SQL.
The modules are in test/property/.
"""
import os
import pathlib
import random
import re
import sys
import time
import traceback

from live_server import end, fresh_extension, ok

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "property"))
from generator import Generator  # noqa: E402
from shrink import script, shrink  # noqa: E402
from trial import CAPTURES, TYPES, Problem, Round, Trial  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "20"))
SEED = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
ONLY = int(os.environ["ROUND"]) if "ROUND" in os.environ else None
PER_SCHEMA = 4  # rounds on one schema


def prepare(name):
    connection = fresh_extension(name)
    with connection.cursor() as cursor:
        cursor.execute("SET client_min_messages = error; SET synchronous_commit = off; SET snapback.delta_limit = 1000; " + TYPES)
    return connection


def outcome_of(trial, case):
    """The result of a round, and its problem, if any."""
    try:
        return Round(trial, case).play(), None
    except Problem as problem:
        return None, problem
    except Exception as error:  # noqa: BLE001  (a defect of the test, or an unexpected error)
        first = re.sub(r"[0-9a-f-]{36}|\d+|\"[^ ]*|app[^ ]*", "…", f"{error}".split("\n")[0])
        return None, Problem(f"{type(error).__name__} {getattr(error, 'pgcode', '')}: {first}", f"{error}\n{traceback.format_exc()}")


def explain(connection, case, problem):
    """Reduce the case and print it."""
    def fails(candidate):
        try:
            return (outcome_of(Trial(connection, candidate.schema, candidate.rows), candidate)[1] or Problem(None)).what == problem.what
        except Exception:  # noqa: BLE001  (not a valid case)
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
            return False
    small = shrink(case, fails, int(os.environ.get("SHRINK", "400")))
    found = outcome_of(Trial(connection, small.schema, small.rows), small)[1] or problem
    print("\n".join("#   " + line for line in f"{found.what}\n{found.detail}\n{script(small)}".splitlines()), flush=True)


def main():
    print(f"# SEED={SEED} ROUNDS={ROUNDS}", flush=True)
    connection = prepare(f"property_{os.getpid()}" if "SERVER_SHARED" in os.environ else "property")
    outcomes, trial, started = {}, None, time.monotonic()
    for number in range(ROUNDS):
        if ONLY is not None and number // PER_SCHEMA != ONLY // PER_SCHEMA:
            continue
        if number % PER_SCHEMA == 0 or trial is None:
            generator = Generator(random.Random(f"{SEED} {number // PER_SCHEMA}"))
            schema = generator.schema()
            rows = generator.rows(schema)
            trial = Trial(connection, schema, rows)
        generator.random.seed(f"{SEED} {number}")
        case = generator.case(schema, rows)
        if ONLY is not None and number != ONLY:
            continue
        outcome, problem = outcome_of(trial, case)
        outcomes[outcome or problem.what] = outcomes.get(outcome or problem.what, 0) + 1
        ok(problem is None, f"round {number} (SEED={SEED}): {outcome or problem.what}")
        if problem is not None:
            explain(connection, case, problem)
            trial = Trial(connection, schema, rows)
    seconds = time.monotonic() - started
    print(f"# {dict(sorted(outcomes.items()))}; {sum(outcomes.values()) / seconds:.1f} rounds a second")
    print(f"# captures {CAPTURES}")
    ok(4 * CAPTURES["of changes"] > CAPTURES["in full"] or ROUNDS < 20, "captures of changes are among them", CAPTURES)
    connection.close()
    end()


main()
