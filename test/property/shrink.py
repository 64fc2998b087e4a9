"""Reduce a failing case and print it as SQL."""
import copy
import json

from generator import Case, covers
from model import COMMUNITIES, create_schema, full_name, insert, literal, protect, violations
from trial import COMMUNITY, TYPES


def shrink(case, fails, tries=400):
    """Return the smallest failing case that is found with this number of tries."""
    left = [tries]

    def still(candidate):
        if candidate is None or left[0] <= 0 or not any(covers(candidate.categories, o) for o in candidate.schema.options()) or list(violations(candidate.schema, candidate.rows)):
            return False
        left[0] -= 1
        return fails(candidate)

    more = True
    while more and left[0] > 0:
        more = False
        for smaller in (fewer_damages, fewer_terms, fewer_tables, fewer_parts, fewer_rows):
            found = smaller(case, still)
            if found is not None:
                case, more = found, True
    return case


def fewer(items, still, build):
    """Remove halves, then quarters, down to single items; return the rest, or None if nothing can be removed."""
    items, size, any_gone = list(items), max(1, len(items) // 2), False
    while size and items:
        start = 0
        while start < len(items):
            candidate = items[:start] + items[start + size:]
            if still(build(candidate)):
                items, any_gone = candidate, True
            else:
                start += size
        size //= 2
    return items if any_gone else None


def with_damage(case, damage):
    return Case(case.schema, case.rows, damage, case.categories, case.switches)


def fewer_damages(case, still):
    transactions = fewer(case.damage, still, lambda d: with_damage(case, d))
    case = with_damage(case, transactions) if transactions is not None else case
    found = transactions is not None
    for i, statements in enumerate(case.damage):
        build = lambda s: with_damage(case, case.damage[:i] + [s] + case.damage[i + 1:])  # noqa: E731
        shorter = fewer(statements, still, build) if len(statements) > 1 else None
        if shorter is not None:
            case, found = build(shorter), True
    return case if found else None


def fewer_terms(case, still):
    found = None
    for name in list(case.switches or {}):
        switches = {k: v for k, v in (case.switches or {}).items() if k != name and not (name == "rows" and k == "children")} or None
        candidate = Case(case.schema, case.rows, case.damage, case.categories, switches)
        if still(candidate):
            case = found = candidate
    for name, keys in list(((case.switches or {}).get("rows") or {}).items()):
        build = lambda k: k and Case(case.schema, case.rows, case.damage, case.categories, {**case.switches, "rows": {**case.switches["rows"], name: k}}) or None  # noqa: E731
        shorter = fewer(keys, still, build)
        if shorter is not None:
            case = found = build(shorter)
    if len(case.categories) > 1:
        build = lambda c: c and Case(case.schema, case.rows, case.damage, c, case.switches) or None  # noqa: E731
        shorter = fewer(case.categories, still, build)
        if shorter is not None:
            case = found = build(shorter)
    return found


def edited(case, edit):
    """A copy of the case with a change; None if it makes no sense."""
    candidate = copy.deepcopy(case)
    return candidate if edit(candidate) is not False else None


def drop_table(case, name):
    schema = case.schema
    if any(t.path == k.name and k.parent == name and t.name != name for t, k in schema.references()):
        return False
    schema.tables = [t for t in schema.tables if t.name != name]
    for table in schema.tables:
        table.foreign_keys = [k for k in table.foreign_keys if k.parent != name]
    case.rows = {r: rows for r, rows in case.rows.items() if r[0] != name}
    if case.switches and "rows" in case.switches:
        left = {k: v for k, v in case.switches["rows"].items() if k not in (name, full_name((name, "app")))}
        if not left:
            return False
        case.switches["rows"] = left
    return schema.tables != []


def drop_column(case, name, column):
    table = case.schema.table(name)
    used = {c for k in table.foreign_keys for c in k.columns} | {c for u in table.uniques for c in u.columns} | {c for t, k in case.schema.references() if k.parent == name for c in k.parent_columns}
    if column in used or column in table.key or column in ("pos", "label", "cid"):
        return False
    table.columns = [c for c in table.columns if c.name != column]
    for cover in table.coverage:
        if cover.columns:
            cover.columns = [c for c in cover.columns if c != column]
    table.coverage = [c for c in table.coverage if c.columns != []]
    for relation, rows in case.rows.items():
        if relation[0] == name:
            for row in rows.values():
                row.pop(column, None)
    return True


def fewer_tables(case, still):
    found = None
    for name in [t.name for t in case.schema.tables]:
        candidate = edited(case, lambda c: drop_table(c, name))
        if still(candidate):
            case = found = candidate
    return found


def remove(items, item):
    items[:] = [i for i in items if i != item]


def fewer_parts(case, still):
    """Without some foreign keys, constraints, options, columns, and special properties."""
    found = None

    def attempt(edit):
        nonlocal case, found
        candidate = edited(case, edit)
        if still(candidate):
            case = found = candidate

    for table in copy.deepcopy(case.schema.tables):
        name = table.name
        for key in table.foreign_keys:
            if key.name != table.path:
                attempt(lambda c: remove(c.schema.table(name).foreign_keys, key))
        for unique in table.uniques:
            if not any(k.parent == name and k.parent_columns == unique.columns for _, k in case.schema.references()):
                attempt(lambda c: remove(c.schema.table(name).uniques, unique))
        for cover in table.coverage:
            if len(case.schema.table(name).coverage) > 1:
                attempt(lambda c: remove(c.schema.table(name).coverage, cover))
            for plain in ("filter", "columns"):
                if getattr(cover, plain) is not None:
                    attempt(lambda c: [setattr(o, plain, None) for o in c.schema.table(name).coverage if o.option == cover.option] and None)
        for key in table.foreign_keys:
            for plain in (("match_full", False), ("deferrable", ""), ("update", "NO ACTION"), ("set_columns", None), ("computed", False)):
                if getattr(key, plain[0]) != plain[1]:
                    attempt(lambda c: setattr(c.schema.table(name).foreign_key(key.name), *plain) if c.schema.table(name).foreign_key(key.name) else False)
        if table.partitioned:
            attempt(lambda c: setattr(c.schema.table(name), "partitioned", ""))
        if not table.primary:
            attempt(lambda c: setattr(c.schema.table(name), "primary", True))
        for column in table.columns:
            attempt(lambda c: drop_column(c, name, column.name))
            if column.extra:
                attempt(lambda c: c.schema.table(name).has(column.name) and setattr(c.schema.table(name).column(column.name), "extra", "") or None)
    return found


def fewer_rows(case, still):
    everything = [(relation, key) for relation, rows in case.rows.items() for key in rows]

    def build(kept):
        chosen = set(kept)
        return Case(case.schema, {r: {k: row for k, row in rows.items() if (r, k) in chosen} for r, rows in case.rows.items()}, case.damage, case.categories, case.switches)
    kept = fewer(everything, still, build)
    return build(kept) if kept is not None else None


def script(case):
    """The case as a psql script."""
    switches = literal(json.dumps(case.switches)) if case.switches else "NULL"
    call = f"(ARRAY[{', '.join(map(literal, case.categories))}], (SELECT id FROM snapback.snapshot WHERE community = {literal(COMMUNITY)} AND kind = 'manual'), {literal(COMMUNITY)}, {switches})"
    lines = ["CREATE EXTENSION pg_snapback", *TYPES.strip().split(";"), *create_schema(case.schema), "SET session_replication_role = replica",
             *[insert(r, t, case.rows[r].values()) for r, t in case.schema.relations() if case.rows[r]], "RESET session_replication_role", *protect(case.schema),
             *[f"SELECT snapback.capture('{c}')" for c in COMMUNITIES]]
    for statements in case.damage:
        lines += ["BEGIN", *statements, "COMMIT"] if len(statements) > 1 else statements
    lines += [f"SELECT * FROM snapback.preview_restore{call}", f"SELECT * FROM snapback.restore{call}"]
    lines += [f"TABLE {full_name(r)}" for r, t in case.schema.relations()]
    return "\n".join(line.strip() + ";" for line in lines if line.strip())
