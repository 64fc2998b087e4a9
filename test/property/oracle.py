"""Computes the result of a restore in plain Python from the documentation.

It gets the rows of the snapshot, all rows before the restore, and the request; it shares no code with the extension.
"""
from dataclasses import dataclass, field

from generator import covers
from model import FILTERS, clashes, community_of, full_name, violations

COMMUNITY = "a"


@dataclass
class Choice:
    """The part of one relation to restore."""
    whole: list = field(default_factory=list)   # conditions for whole rows
    parts: list = field(default_factory=list)   # (columns, condition)
    named: set = None                           # only these keys
    children: set = field(default_factory=set)  # additionally these keys, whole rows

    def empty(self):
        return not self.whole and not self.parts

    def covers_whole(self, key, row):
        return key in self.children or (self.named is None or key in self.named) and any(c(row) for c in self.whole)

    def columns(self, table, key, versions):
        """The columns that are restored in a row on both sides."""
        if any(self.covers_whole(key, row) for row in versions):
            return set(table.names())
        return {name for columns, condition, by_reference in self.parts if by_reference or self.named is None or key in self.named
                for name in columns if any(condition(row) for row in versions)}


@dataclass
class Writes:
    """The changes to one relation."""
    insert: dict = field(default_factory=dict)
    update: dict = field(default_factory=dict)
    remove: set = field(default_factory=set)
    added: set = field(default_factory=set)
    chosen_inserts: int = 0
    nulled: int = 0
    cleared: int = 0

    def written(self):
        return {**self.insert, **self.update}


class Oracle:
    def __init__(self, case, snapshot, before):
        self.schema, self.switches = case.schema, case.switches or {}
        self.case = case
        self.before = before
        self.then = {r: rows for r, rows in snapshot.items() if self.is_kept(r)}
        self.now = {r: {k: row for k, row in rows.items() if community_of(self.schema, before, r, row) == COMMUNITY} for r, rows in before.items() if self.is_kept(r)}
        self.refusals = []
        self.writes = {r: Writes() for r in self.then}
        self.choose()
        self.work_out_changes()
        self.close()
        self.after = self.apply()
        self.look_for_refusals()

    def is_kept(self, relation):
        """Whether the snapshots of the community contain this relation."""
        return self.schema.table(relation[0]).coverage and relation[1] in ("app", f"s_{COMMUNITY}")

    def table(self, relation):
        return self.schema.table(relation[0])

    def keys(self):
        """Every foreign key as (child, key, parent) whose child or parent is in the snapshot."""
        for child, table in self.schema.relations():
            for key in table.foreign_keys:
                parent = self.schema.parent(child, key)
                if child in self.then or parent in self.then:
                    yield child, key, parent

    # ---- selection ------------------------------------------------------------------------------------------------

    def choose(self):
        wanted = {full_name(r) if self.table(r).path != "schema" else r[0]: r for r in self.then}
        named = {wanted[name]: {self.table(wanted[name]).key_of(element) for element in elements} for name, elements in self.switches.get("rows", {}).items()}
        limited = {c.option for r in named for c in self.table(r).coverage if covers(self.case.categories, c.option)}
        self.choices = {r: Choice() for r in self.then}
        for relation, choice in self.choices.items():
            for cover in self.table(relation).coverage:
                if not covers(self.case.categories, cover.option) or (cover.option in limited and relation not in named):
                    continue
                condition = FILTERS[cover.filter][1] if cover.filter is not None else lambda row: True
                if cover.columns:
                    choice.parts.append((cover.columns, condition, False))
                else:
                    choice.whole.append(condition)
            choice.named = named.get(relation)
        if self.switches.get("children"):
            self.choose_children()

    def versions(self, relation, key):
        return [rows[relation][key] for rows in (self.then, self.now) if key in rows[relation]]

    def referring(self, child, key, parent, chosen):
        """Keys of the rows that refer to a row with these keys, in the snapshot or now."""
        values = {self.table(parent).values(key.parent_columns, row) for name in chosen for row in self.versions(parent, name)} - {None}
        return {name for rows in (self.then, self.now) for name, row in rows[child].items() if self.table(child).values(key.columns, row) in values}

    def choose_children(self):
        chosen = {r: set(c.named) for r, c in self.choices.items() if c.named is not None}
        as_a_whole = {r for r, c in self.choices.items() if c.named is None and not c.empty()}
        more = True
        while more:
            more = False
            for child, key, parent in self.keys():
                if key.clears() or child not in self.then or not chosen.get(parent) or child in as_a_whole:
                    continue
                found = self.referring(child, key, parent, chosen[parent])
                more = more or not found <= chosen.get(child, set())
                chosen.setdefault(child, set()).update(found)
                self.choices[child].children |= found
        for child, key, parent in self.keys():
            if key.clears() and child in self.then and chosen.get(parent):
                names = self.referring(child, key, parent, chosen[parent])
                values = {self.table(parent).values(key.parent_columns, row) for name in chosen[parent] for row in self.versions(parent, name)} - {None}
                table = self.table(child)
                if names:
                    self.choices[child].parts.append((key.columns, lambda row, t=table, k=key, v=values: t.values(k.columns, row) in v, True))

    # ---- changes --------------------------------------------------------------------------------------------------

    def work_out_changes(self):
        actions = self.switches.get("actions", ["insert", "update", "delete"])
        for relation, choice in self.choices.items():
            then, now, writes, table = self.then[relation], self.now[relation], self.writes[relation], self.table(relation)
            if "insert" in actions:
                writes.insert = {k: dict(row) for k, row in then.items() if k not in now and choice.covers_whole(k, row)}
            if "delete" in actions:
                writes.added = {k for k, row in now.items() if k not in then and choice.covers_whole(k, row)}
                writes.remove = set(writes.added)
            if "update" in actions:
                for key in then.keys() & now.keys():
                    columns = choice.columns(table, key, [then[key], now[key]])
                    row = {c: (then if c in columns else now)[key][c] for c in table.names()}
                    if row != now[key]:
                        writes.update[key] = row
            writes.chosen_inserts = len(writes.insert)

    # ---- foreign keys ---------------------------------------------------------------------------------------------

    def cascades(self):
        return self.switches.get("referenced") == "cascade"

    def close(self):
        more = True
        while more:
            more = False
            self.settle_removals()
            for child, key, parent in self.keys():
                if child in self.then:
                    more = self.mend_orphans(child, key, parent) or more
        for relation, writes in self.writes.items():
            writes.update = {k: row for k, row in writes.update.items() if row != self.before[relation][k]}
        if self.cascades():
            self.clear_references()

    def stays(self, relation, key):
        """Whether a row is neither deleted nor changed."""
        return relation not in self.writes or key not in self.writes[relation].update and key not in self.writes[relation].remove

    def settle_removals(self):
        """Find the largest set of rows that can be deleted."""
        free = {r: set(w.added) for r, w in self.writes.items()}
        barred = {r: set() for r in self.writes}
        while True:
            for relation, writes in self.writes.items():
                writes.remove = free[relation] - barred[relation]
            if self.cascades():
                self.cascade(barred)
            held = self.held()
            if not held:
                return
            for relation, key in held:
                barred[relation].add(key)

    def gone_values(self, key, parent):
        """The values that no row has after the deletes: another row may take them over."""
        above, writes = self.table(parent), self.writes[parent]
        return ({above.values(key.parent_columns, self.now[parent][k]) for k in writes.remove}
                - {above.values(key.parent_columns, row) for row in writes.written().values()} - {None})

    def cascade(self, barred):
        more = True
        while more:
            more = False
            for child, key, parent in self.keys():
                if key.action != "CASCADE" or child not in self.then or parent not in self.then:
                    continue
                gone = self.gone_values(key, parent)
                for name, row in self.now[child].items():
                    if (self.table(child).values(key.columns, row) in gone and self.stays(child, name) and name not in barred[child]
                            and self.then[child].get(name) != row and not self.would_return(child, name)):
                        self.writes[child].remove.add(name)
                        more = True

    def would_return(self, relation, name):
        """Whether a row, if deleted, would be missing and be restored."""
        row = self.then[relation].get(name)
        return row is not None and "insert" in self.switches.get("actions", ["insert"]) and self.choices[relation].covers_whole(name, row)

    def held(self):
        """Rows to delete that remaining rows refer to."""
        held = set()
        for child, key, parent in self.keys():
            if parent not in self.then or not self.writes[parent].remove:
                continue
            table, above = self.table(child), self.table(parent)
            gone = self.gone_values(key, parent)
            values = {above.values(key.parent_columns, self.now[parent][k]): k for k in self.writes[parent].remove}
            values = {value: k for value, k in values.items() if value in gone}
            for name, row in self.before[child].items():
                value = table.values(key.columns, row)
                if value in values and self.stays(child, name) and not self.lets_go(child, key, name):
                    held.add((parent, values[value]))
            if child in self.then:
                for row in self.writes[child].written().values():
                    value = table.values(key.columns, row)
                    if value in values:
                        held.add((parent, values[value]))
        return held

    def lets_go(self, child, key, name):
        """Whether a reference may be set to NULL with its row: never one on the path to the community."""
        table = self.table(child)
        return (self.cascades() and child in self.then and name in self.now[child] and self.then[child].get(name) != self.now[child][name]
                and key.action == "SET NULL" and key.name != table.path
                and not any(table.column(c).not_null or c in table.key or c == "cid" for c in key.nulled()) and not (key.match_full and len(key.nulled()) < len(key.columns)))

    def mend_orphans(self, child, key, parent):
        """Restore the rows that written rows refer to, or set the reference to NULL; return whether there were any."""
        table, above = self.table(child), self.table(parent)
        writes = self.writes[child]
        if not writes.written():
            return False
        there = {above.values(key.parent_columns, row) for k, row in self.before[parent].items() if self.stays(parent, k) and (key.name != table.path or k in self.now[parent])}
        if parent in self.then:
            there |= {above.values(key.parent_columns, row) for row in self.writes[parent].written().values()}
        orphans = {}
        for name, row in writes.written().items():
            value = table.values(key.columns, row)
            if value is not None and value not in there:
                orphans[name] = value
        if not orphans:
            return False
        if self.switches.get("missing_parents") == "error":
            self.refuse("23503", child, key, list(orphans))
            return False
        returning = {}
        if parent in self.then:
            returning = {k: row for k, row in self.then[parent].items() if above.values(key.parent_columns, row) in set(orphans.values())
                         and k not in self.now[parent] and k not in self.writes[parent].insert}
            self.writes[parent].insert.update({k: dict(row) for k, row in returning.items()})
        if returning:
            return True
        nullable = [c for c in key.columns if self.may_be_nulled(table, key, c)]
        if not nullable:
            self.refuse("23503", child, key, list(orphans))
            return False
        for name in orphans:
            for store in (writes.insert, writes.update):
                if name in store:
                    store[name].update({c: None for c in nullable})
        writes.nulled += len(orphans)
        return True

    def may_be_nulled(self, table, key, column):
        if key.computed or key.name == table.path or (key.match_full and any(table.column(c).not_null or c in table.key for c in key.columns)):
            return False
        return not table.column(column).not_null and column not in table.key

    def clear_references(self):
        for child, key, parent in self.keys():
            if parent not in self.then or child not in self.then or not self.writes[parent].remove:
                continue
            gone = self.gone_values(key, parent)
            for name, row in self.now[child].items():
                row = self.writes[child].update.get(name, row)
                if name in self.writes[child].remove or not self.lets_go(child, key, name) or self.table(child).values(key.columns, row) not in gone:
                    continue
                if name not in self.writes[child].update:
                    self.writes[child].cleared += 1
                self.writes[child].update[name] = {**row, **{c: None for c in key.nulled()}}

    # ---- the outcome ----------------------------------------------------------------------------------------------

    def refuse(self, state, relation, key, rows):
        self.refusals.append((state, relation, key.name, rows))

    def apply(self):
        """All rows after the restore, if there is no obstacle."""
        after = {r: dict(rows) for r, rows in self.before.items()}
        for relation, writes in self.writes.items():
            for key in writes.remove:
                del after[relation][key]
            for key, row in writes.insert.items():
                if key in after[relation]:  # a row of another community has it, and possibly others
                    self.refusals.append(("23505", relation, "key", [key]))
                    rows = {**writes.written(), ("there",): after[relation][key]}
                    self.refusals += [("23P01", relation, u.name, [key]) for u in self.table(relation).uniques
                                      if u.kind == "overlap" and any(clashes(self.table(relation), u, rows))]
            after[relation].update(writes.written())
        return after

    def look_for_refusals(self):
        self.refusals += violations(self.schema, self.after)
        for relation, writes in self.writes.items():
            for key, row in writes.written().items():
                if community_of(self.schema, self.after, relation, row) != COMMUNITY:
                    self.refusals.append(("path", relation, "path", [key]))

    def figures(self):
        """The expected figures of preview and restore, by relation."""
        figures = {}
        for relation, w in self.writes.items():
            kept = len(w.added - w.remove)
            figures[relation] = {"inserts": len(w.insert), "updates": len(w.update), "deletes": len(w.remove), "kept": kept, "parents": len(w.insert) - w.chosen_inserts,
                                 "nulled": w.nulled, "cascaded": len(w.remove - w.added) + w.cleared, "skipped": 0}
        return figures
