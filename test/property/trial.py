"""One round on the server: build, capture, damage, predict, restore, compare, and undo."""
import json

from generator import covers
from model import COMMUNITIES, SHARED, community_of, create_schema, full_name, insert, normal, only_of, protect, quoted, violations
from oracle import COMMUNITY, Oracle

FIGURES = {"inserts": "inserted", "updates": "updated", "deletes": "deleted", "kept": "kept", "parents": "parents", "nulled": "nulled", "cascaded": "cascaded", "skipped": "skipped"}
WIPE = """
DO $$ DECLARE s text; BEGIN
    FOR s IN SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname = 'app' OR nspname LIKE 's\\_%' LOOP EXECUTE 'DROP SCHEMA ' || s || ' CASCADE'; END LOOP;
END $$;
TRUNCATE snapback.restore_run, snapback.restore_row, snapback.restore_table, snapback.snapshot, snapback.base, snapback.basis, snapback.chunk, snapback.capture_failure,
    snapback.coverage, snapback.protected_table, snapback.directory, snapback.audit, snapback.option, snapback.category CASCADE
"""
TYPES = """CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('good', 'bad', 'so so'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN short AS varchar(5);
CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"""
CAPTURES = {"of changes": 0, "in full": 0}


class Trial:
    """A schema on the server for any number of rounds."""

    def __init__(self, connection, schema, rows):
        self.connection, self.schema = connection, schema
        self.run(WIPE)
        self.run(";\n".join(create_schema(schema)))
        self.load(rows)
        self.run(";\n".join(protect(schema)))
        self.base = self.fetch()
        self.snapshot = {c: self.run("SELECT snapback.capture(%s)", c)[0][0] for c in COMMUNITIES}[COMMUNITY]
        self.names = dict(self.run("SELECT format('%%I.%%I', n.nspname, c.relname), ARRAY[c.relname, n.nspname]::text[] FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                                   "WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (%s)", [SHARED, *[f"s_{c}" for c in COMMUNITIES]]))
        self.names = {text: tuple(relation) for text, relation in self.names.items()}

    def run(self, statement, *parameters):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def load(self, rows):
        """Replace the rows of every table by these."""
        statements = [f"DELETE FROM {full_name(r)}" for r, _ in self.schema.relations()]
        statements += [insert(r, t, rows[r].values()) for r, t in self.schema.relations() if rows[r]]
        self.run("BEGIN; SET LOCAL session_replication_role = replica; " + "; ".join(statements) + "; COMMIT")

    def fetch(self):
        """All rows: {relation: {key: row}}."""
        state = {}
        for relation, table in self.schema.relations():
            columns = ", ".join(f"{quoted(c)}::text" for c in table.names())
            rows = [dict(zip(table.names(), values)) for values, in self.run(f"SELECT ARRAY[{columns}] FROM {full_name(relation)}")]
            state[relation] = {table.key_of(row): row for row in rows}
            if len(state[relation]) != len(rows):
                raise AssertionError(f"{relation} has a key twice")
        return state

    def fetch_json(self):
        """The community's rows as jsonb without generated columns: {relation: {key: row}}."""
        state = {}
        for relation, table in self.schema.relations():
            rows = [numbers_as_text(text) for text, in self.run(f"SELECT to_jsonb(t)::text FROM {full_name(relation)} t")]
            state[relation] = {json_key(table, row): {c: row[c] for c in table.names()} for row in rows}
        return state

    def sequences(self):
        """The sequences of columns: (relation, column, last value, increment)."""
        found = []
        for relation, table in self.schema.relations():
            for column in table.columns:
                if column.extra or column.kind == "serial":
                    name, = self.run("SELECT pg_get_serial_sequence(%s, %s)", full_name(relation), column.name)[0]
                    found.append((relation, column.name, *self.run(f"SELECT CASE WHEN is_called THEN last_value ELSE last_value - seqincrement END, seqincrement "
                                                                   f"FROM {name}, pg_sequence WHERE seqrelid = %s::regclass", name)[0]))
        return found

    def harm(self, damage):
        """Run the transactions that PostgreSQL accepts."""
        for statements in damage:
            try:
                self.run("BEGIN; " + "; ".join(statements) + "; COMMIT")
            except Exception:  # noqa: BLE001  (any error is accepted)
                self.run("ROLLBACK")


def numbers_as_text(text):
    return json.loads(text, parse_float=str, parse_int=str)


def json_key(table, row):
    return tuple(normal(table.column(c).kind, str(row[c])) for c in table.key)


class Problem(Exception):
    """An unexpected result: in short, and in full."""

    def __init__(self, what, detail=""):
        super().__init__(what)
        self.what, self.detail = what, detail


def require(truth, what, detail=""):
    if not truth:
        raise Problem(what, detail() if callable(detail) else detail)


def unlike(got, expected):
    """Describe the differences between two states."""
    lines = []
    for relation in expected:
        for key in {**got[relation], **expected[relation]}:
            if got[relation].get(key) != expected[relation].get(key):
                lines.append(f"{relation} {key}: got {got[relation].get(key)}, expected {expected[relation].get(key)}")
    return "\n".join(lines[:20])


class Round:
    """One case of damage, and one restore of it."""

    def __init__(self, trial, case):
        self.trial, self.case, self.schema = trial, case, case.schema
        self.options = [o for o in case.schema.options() if covers(case.categories, o)]

    def play(self):
        """Run it; raise Problem if the result is wrong."""
        trial = self.trial
        trial.load(self.case.rows)
        trial.harm(self.case.damage)
        self.compare_captures("after the damage")
        before, before_json, sequences = trial.fetch(), trial.fetch_json(), trial.sequences()
        require(not list(violations(self.schema, before)), "the damage left what Postgres should not have let pass", lambda: list(violations(self.schema, before)))
        self.forget_unknown_rows(before)
        self.oracle = Oracle(self.case, only_of(self.schema, trial.base, COMMUNITY), before)
        preview = self.preview(self.case.switches)
        differences = self.differences(trial.snapshot, self.case.switches)
        run, report = self.restore(trial.snapshot, self.case.switches)
        after = trial.fetch()
        self.compare_captures("after the restore")
        self.compare_others(before, after)
        if run is None:
            require(after == before, "a refused restore changed rows", lambda: unlike(after, before))
            self.judge_refusal(report, preview)
            return f"refused {report.pgcode}"
        self.judge_figures(preview, report, before, after)
        self.judge_outcome(preview, report, before, after)
        self.judge_differences(differences, before_json, preview)
        self.judge_sequences(sequences)
        self.take_back(run, before, after)
        return "skipped" if any(f["skipped"] for f in preview.values()) else "restored" if after != before else "nothing to do"

    def forget_unknown_rows(self, before):
        """Remove keys from the request that neither the snapshot nor the table has, because the damage that adds them was rejected."""
        switches = dict(self.case.switches or {})
        states = [only_of(self.schema, s, COMMUNITY) for s in (self.trial.base, before)]
        rows = {}
        for relation, table in self.schema.relations():
            name = relation[0] if table.path == "schema" else full_name(relation)
            known = [e for e in switches.get("rows", {}).get(name, []) if any(table.key_of(e) in s[relation] for s in states)]
            if known and relation[1] in (SHARED, f"s_{COMMUNITY}"):
                rows[name] = known
        if "rows" in switches:
            switches["rows"] = rows
            if not rows:
                switches.pop("rows")
                switches.pop("children", None)
        self.case.switches = switches or None

    # ---- calls ----------------------------------------------------------------------------------------------------

    def preview(self, switches):
        rows = self.trial.run("SELECT relation, inserts, updates, deletes, kept, parents, nulled, cascaded, skipped, unchanged, obstacles FROM snapback.preview_restore(%s, %s, %s, %s)",
                              self.case.categories, self.trial.snapshot, COMMUNITY, switches and json.dumps(switches))
        return {self.trial.names[r[0]]: dict(zip([*FIGURES, "unchanged", "obstacles"], r[1:])) for r in rows}

    def differences(self, snapshot, switches):
        if len(self.case.categories) == 1:
            return self.trial.run("SELECT relation, key::text, action, old::text, new::text FROM snapback.diff_rows(%s, %s, %s, %s)", snapshot, self.case.categories[0], COMMUNITY, switches and json.dumps(switches))
        return self.trial.run("SELECT relation, key::text, action, old::text, new::text FROM snapback_internal.plan_rows(%s, %s, %s)", snapshot, self.options, switches and json.dumps(switches))

    def restore(self, snapshot, switches):
        """Return the before_restore snapshot of the restore and its report, or None and the error."""
        try:
            rows = self.trial.run("SELECT * FROM snapback.restore(%s, %s, %s, %s)", self.case.categories, snapshot, COMMUNITY, switches and json.dumps(switches))
        except Exception as error:  # noqa: BLE001  (the caller checks the SQLSTATE)
            if getattr(error, "pgcode", None) is None:
                raise
            return None, error
        before, = self.trial.run("SELECT before_snapshot FROM snapback.restores ORDER BY ended_at DESC LIMIT 1")[0]
        return before, {self.trial.names[r[0]]: dict(zip(FIGURES, r[1:])) for r in rows}

    # ---- captures -------------------------------------------------------------------------------------------------

    def compare_captures(self, when):
        """A capture of the changes since the previous one contains what a full capture contains, byte by byte."""
        tables = [(i, name) for i, name in self.trial.run("SELECT id, coalesce(relation::regclass::text, relation_name) FROM snapback.protected_table ORDER BY id")]
        for community in COMMUNITIES:
            changes = self.trial.run("SELECT snapback.capture(%s, %s)", community, "changes")[0][0]
            full = self.trial.run("BEGIN; SET LOCAL snapback.delta_limit = 0; SELECT snapback.capture(%s, %s)", community, "full")[0][0]
            got, expected = ([self.trial.run("SELECT coalesce(array_agg(r::text), '{}') FROM snapback_internal.stored_rows(%s, %s) r", snapshot, table)[0][0] for table, _ in tables]
                             for snapshot in (changes, full))
            self.trial.run("ROLLBACK")
            CAPTURES["of changes" if self.trial.run("SELECT base <> id FROM snapback.snapshot WHERE id = %s", changes)[0][0] else "in full"] += 1
            faults = self.trial.run("SELECT * FROM snapback.verify(%s)", changes)
            require(not faults, f"the capture of changes {when} is damaged", faults)
            for (_, name), here, there in zip(tables, got, expected):
                require(here == there, f"the capture of changes {when} differs from a full one",
                        lambda: f"{community}, {name}: too many {sorted(set(here) - set(there))}, too few {sorted(set(there) - set(here))}, in order {sorted(here) == here}")

    # ---- checks ---------------------------------------------------------------------------------------------------

    def compare_others(self, before, after):
        others = [only_of(self.schema, state, COMMUNITY, False) for state in (before, after)]
        require(others[0] == others[1], "rows of others changed", lambda: unlike(others[1], others[0]))

    def judge_refusal(self, error, preview):
        expected = {r[0] for r in self.oracle.refusals}
        skips = (self.case.switches or {}).get("on_conflict") == "skip"
        require(expected, f"refused for no reason: {error.pgcode}", error)
        if skips:
            expected = {e for e in expected if e not in ("23505", "23P01")}
            require(expected, f"refused instead of skipping conflicts: {error.pgcode}", error)
        require(error.pgcode in expected or "path" in expected, f"refused for another reason: {error.pgcode} instead of {sorted(expected)}", lambda: f"{error}\n{self.oracle.refusals}")
        require(any(p["obstacles"] for p in preview.values()), f"the preview names no obstacle, the restore does: {error.pgcode}", error)

    def judge_figures(self, preview, report, before, after):
        """The figures of the preview equal those of the restore, and the changes."""
        require(not any(p["obstacles"] for p in preview.values()), "the preview names an obstacle where the restore finds none", preview)
        require({r: {f: p[f] for f in FIGURES} for r, p in preview.items()} == report, "the restore reports other figures than the preview", lambda: f"{preview}\n{report}")
        for relation, figures in {r: report.get(r, dict.fromkeys(FIGURES, 0)) for r in before}.items():
            then, now = before[relation], after[relation]
            real = (len(now.keys() - then.keys()), sum(now[k] != then[k] for k in now.keys() & then.keys()), len(then.keys() - now.keys()))
            require((figures["inserts"], figures["updates"], figures["deletes"]) == real, "the figures are not what changed", lambda: f"{relation}: {figures}, really {real}")
            if relation in preview:
                here = sum(community_of(self.schema, before, relation, row) == COMMUNITY for row in then.values())
                require(preview[relation]["unchanged"] == here - real[1] - real[2], "the preview miscounts the unchanged rows", preview[relation])

    def judge_outcome(self, preview, report, before, after):
        broken = list(violations(self.schema, after))
        require(not broken, f"the restore broke a constraint: {broken and broken[0][0]}", broken)
        refusals = self.oracle.refusals
        if (self.case.switches or {}).get("on_conflict") == "skip" and refusals:
            self.judge_skipping(report, before, after)
            return
        require(not refusals, f"restored where it should refuse: {refusals and refusals[0][0]}", lambda: f"{refusals}\n{report}")
        require(after == self.oracle.after, "the state after the restore is another", lambda: unlike(after, self.oracle.after))
        expected = self.oracle.figures()
        none = dict.fromkeys(FIGURES, 0)
        for relation in expected:
            require(report.get(relation, none) == expected[relation], "the figures are others", lambda: f"{relation}: {report.get(relation)}, expected {expected[relation]}")

    def judge_skipping(self, report, before, after):
        """The restore may choose which of two rows it skips; every row is as before, as expected, or has a reference set to NULL."""
        require(any(f["skipped"] for f in report.values()), "nothing was skipped where something had to be", lambda: f"{self.oracle.refusals}\n{report}")
        for relation, table in self.schema.relations():
            writes = self.oracle.writes.get(relation)
            for key in before[relation].keys() | after[relation].keys():
                got, then = after[relation].get(key), before[relation].get(key)
                if got == then:
                    continue
                require(writes is not None, "a table that is not protected changed", lambda: f"{relation} {key}")
                expected = self.oracle.after[relation].get(key)
                references = {c for k in table.foreign_keys for c in k.columns}
                like = got == expected or got and expected and all(got[c] == expected[c] or c in references and got[c] is None for c in got)
                require(like, "a row is neither as before nor as it should be", lambda: f"{relation} {key}: got {got}, before {then}, expected {expected}")
        self.require_clean_rows(after)

    def require_clean_rows(self, after):
        """Rows without conflicts, whose references have none either, are restored."""
        everything = {r: {**{("before", k): row for k, row in self.oracle.before[r].items()}, **{("after", k): row for k, row in self.oracle.after[r].items()}} for r in after}
        suspects = set()
        for _, relation, _, keys in violations(self.schema, everything):
            if len(keys) == 2 and keys[0][1] != keys[1][1]:
                suspects |= {(relation, k[1]) for k in keys}
        suspects |= {(r[1], k) for r in self.oracle.refusals for k in r[3]}
        more = True
        while more:
            more = False
            for child, key, parent in self.oracle.keys():
                table, above = self.schema.table(child[0]), self.schema.table(parent[0])
                values = {above.values(key.parent_columns, everything[parent][side, k]) for r, k in suspects if r == parent for side in ("before", "after") if (side, k) in everything[parent]}
                linked = {k for (_, k), row in everything[child].items() if table.values(key.columns, row) in values - {None}}
                found = {(child, k) for k in linked} - suspects
                # And the rows that they refer to, which may be kept or be restored for others only.
                named = {table.values(key.columns, everything[child][side, k]) for r, k in suspects if r == child for side in ("before", "after") if (side, k) in everything[child]}
                found |= {(parent, k) for (_, k), row in everything[parent].items() if above.values(key.parent_columns, row) in named - {None}} - suspects
                more = more or bool(found)
                suspects |= found
        for relation, writes in self.oracle.writes.items():
            for key in writes.written().keys() | writes.remove:
                if (relation, key) not in suspects:
                    require(after[relation].get(key) == self.oracle.after[relation].get(key), "a row was skipped that clashes with none", lambda: f"{relation} {key}: {after[relation].get(key)}")

    def judge_differences(self, differences, before, preview):
        """Applying diff_rows() manually results in the same state."""
        state = {r: dict(rows) for r, rows in before.items()}
        counts = {}
        for name, key, action, old, new in differences:
            relation = self.trial.names[name]
            table = self.schema.table(relation[0])
            key, old, new = json_key(table, numbers_as_text(key)), old and numbers_as_text(old), new and numbers_as_text(new)
            counts[relation, action] = counts.get((relation, action), 0) + 1
            here = state[relation].get(key)
            good = {"insert": here is None and old is None and new is not None, "delete": here is not None and here == old and new is None, "keep": here is not None and here == old,
                    "update": here is not None and old is not None and new is not None and old.keys() == new.keys() and all(here[c] == v for c, v in old.items()), "skip": new is not None}[action]
            require(good, f"diff_rows tells a false {action}", lambda: f"{name} {key}: old {old}, new {new}, is {here}")
            if action == "insert":
                state[relation][key] = new
            elif action == "delete":
                del state[relation][key]
            elif action == "update":
                state[relation][key] = {**here, **new}
        after = self.trial.fetch_json()
        # The key of an updated row may have another spelling: rows are compared, not keys.
        require(state == after, "diff_rows carried out by hand makes another state", lambda: unlike(state, after))
        names = {"inserts": "insert", "updates": "update", "deletes": "delete", "kept": "keep", "skipped": "skip"}
        for relation, figures in preview.items():
            for figure, action in names.items():
                require(counts.get((relation, action), 0) == figures[figure], f"diff_rows shows another number of {figure} than the preview", lambda: f"{relation}: {counts}, {figures}")

    def judge_sequences(self, before):
        """No sequence was set back, and none generates a written value."""
        for (relation, column, was, step), (_, _, last, _) in zip(before, self.trial.sequences()):
            require((last - was) * step >= 0, "a sequence was lowered", lambda: f"{relation} {column}: {was}, {last}")
            for row in self.oracle.writes[relation].written().values() if relation in self.oracle.writes and not self.oracle.refusals else []:
                value = int(row[column])
                require((last - value) * step >= 0 or value * step < 0, "a sequence will give out a value that came back", lambda: f"{relation} {column}: {last}, {value}")

    def take_back(self, run, before, after):
        """The restore can be undone, and so can the undo."""
        switches = {k: v for k, v in (self.case.switches or {}).items() if k in ("rows", "children")} or None
        undone, report = self.restore(run, switches)
        require(undone is not None, f"the restore cannot be taken back: {getattr(report, 'pgcode', '')}", report)
        now = self.trial.fetch()
        require(now == before, "taking the restore back does not make the state before", lambda: unlike(now, before))
        again, report = self.restore(undone, switches)
        require(again is not None, f"the taking back cannot be taken back: {getattr(report, 'pgcode', '')}", report)
        now = self.trial.fetch()
        require(now == after, "taking back the taking back does not make the state after", lambda: unlike(now, after))
