"""A schema as data: its SQL, and the constraints of its rows in plain Python.

Rows are dictionaries of column name → text (None for NULL), as a cast to text prints the values. A state is
{relation: {key: row}}; a relation is (table name, schema), a key the tuple of its normalized values.
"""
from dataclasses import dataclass, field
from decimal import Decimal

COMMUNITIES = ("a", "b", "c")
SHARED = "app"


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(value):
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def normal(kind, value):
    """A value that is equal in Python if it is equal for the type."""
    if value is None:
        return None
    if kind == "numeric":
        return Decimal(value)
    return value.lower() if kind in ("citext", "text COLLATE caseless") else value


@dataclass
class Column:
    name: str
    kind: str
    role: str  # key, community, reference, pos, label, code, taken, span, data
    not_null: bool = False
    extra: str = ""  # identity, default


@dataclass
class ForeignKey:
    name: str
    columns: list
    parent: str
    parent_columns: list
    action: str = "NO ACTION"  # ON DELETE
    set_columns: list = None  # of SET NULL, if not all
    update: str = "NO ACTION"
    deferrable: str = ""
    match_full: bool = False
    computed: bool = False  # in the database it consists of generated columns with the values of these

    def names(self):
        """The columns of the key in the database."""
        return [f"{c} again" for c in self.columns] if self.computed else self.columns

    def clears(self):
        return self.action in ("SET NULL", "SET DEFAULT")

    def nulled(self):
        return self.set_columns or self.columns


@dataclass
class Unique:
    """A unique constraint. kind: plain, nulls (not distinct), lower (expression, partial), twice (generated), overlap."""
    name: str
    kind: str
    columns: list
    deferrable: str = ""


@dataclass
class Coverage:
    option: str
    columns: list = None
    filter: int = None  # into FILTERS


@dataclass
class Table:
    name: str
    columns: list
    key: list
    path: str  # own, schema, the name of a foreign key; None: no community
    primary: bool = True
    partitioned: str = ""
    foreign_keys: list = field(default_factory=list)
    uniques: list = field(default_factory=list)
    coverage: list = field(default_factory=list)  # none: not protected

    def column(self, name):
        return next(c for c in self.columns if c.name == name)

    def has(self, name):
        return any(c.name == name for c in self.columns)

    def names(self):
        return [c.name for c in self.columns]

    def foreign_key(self, name):
        return next((k for k in self.foreign_keys if k.name == name), None)

    def key_of(self, row):
        return tuple(normal(self.column(name).kind, row[name]) for name in self.key)

    def values(self, columns, row):
        """The normalized values of these columns; None if one is NULL."""
        values = tuple(normal(self.column(name).kind, row[name]) for name in columns)
        return None if None in values else values


# Filters in SQL and in Python; None means unknown.
FILTERS = [
    ("pos > 4", lambda r: None if r["pos"] is None else int(r["pos"]) > 4),
    ("pos <= 4", lambda r: None if r["pos"] is None else int(r["pos"]) <= 4),
    ("pos % 2 = 0", lambda r: None if r["pos"] is None else int(r["pos"]) % 2 == 0),
    ("pos IS NULL OR pos < 7", lambda r: r["pos"] is None or int(r["pos"]) < 7),
    ("label IS NULL", lambda r: r["label"] is None),
    ("lower(label) IN ('a', 'b')", lambda r: None if r["label"] is None else r["label"].lower() in ("a", "b")),
    ("false", lambda r: False),
]


@dataclass
class Schema:
    tables: list

    def table(self, name):
        return next((t for t in self.tables if t.name == name), None)

    def relations(self):
        """Every relation, with its table."""
        for table in self.tables:
            for schema in [f"s_{c}" for c in COMMUNITIES] if table.path == "schema" else [SHARED]:
                yield (table.name, schema), table

    def relation(self, table, community):
        """The relation that contains a community's rows of a table."""
        return (table.name, f"s_{community}" if table.path == "schema" else SHARED)

    def parent(self, relation, key):
        """The relation that a foreign key of this one refers to."""
        parent = self.table(key.parent)
        return (parent.name, relation[1] if parent.path == "schema" else SHARED)

    def references(self):
        """Every foreign key, with the child's table."""
        for table in self.tables:
            for key in table.foreign_keys:
                yield table, key

    def options(self):
        return sorted({c.option for t in self.tables for c in t.coverage})


# ---- SQL ----------------------------------------------------------------------------------------------------------

def full_name(relation):
    return quoted(relation[1]) + "." + quoted(relation[0])


def create_table(relation, table):
    """The statements that create a relation, without its foreign keys."""
    lines = [f"{quoted(c.name)} {c.kind} {'NOT NULL' if c.not_null or c.name in table.key else ''} {c.extra}".rstrip() for c in table.columns]
    if any(u.kind == "twice" for u in table.uniques):
        lines.append("twice int GENERATED ALWAYS AS (pos * 2) STORED")
    lines += [f"{quoted(name)} {table.column(c).kind} GENERATED ALWAYS AS ({quoted(c)}) STORED" for k in table.foreign_keys if k.computed for c, name in zip(k.columns, k.names())]
    # Without a primary key, the first unique index over NOT NULL columns identifies the rows.
    lines.append(f"{'PRIMARY KEY' if table.primary else 'UNIQUE'} ({', '.join(map(quoted, table.key))})")
    lines += [line for line in (constraint(u) for u in table.uniques) if line]
    statements = [f"CREATE TABLE {full_name(relation)} ({', '.join(lines)}) {table.partitioned}".rstrip()]
    if table.partitioned:
        statements += [f"CREATE TABLE {quoted(relation[1])}.{quoted(relation[0] + ' p' + str(i))} PARTITION OF {full_name(relation)} "
                       f"FOR VALUES WITH (MODULUS 2, REMAINDER {i})" for i in range(2)]
    statements += [f"CREATE UNIQUE INDEX {quoted(u.name)} ON {full_name(relation)} ({', '.join([*map(quoted, u.columns[:-1]), 'lower(' + quoted(u.columns[-1]) + ')'])}) "
                   "WHERE pos > 3" for u in table.uniques if u.kind == "lower"]
    return statements


def constraint(unique):
    columns = ", ".join(map(quoted, unique.columns))
    body = {"plain": f"UNIQUE ({columns})", "nulls": f"UNIQUE NULLS NOT DISTINCT ({columns})", "twice": "UNIQUE (twice)",
            "overlap": f"EXCLUDE USING gist ({columns} WITH &&)", "lower": None}[unique.kind]
    return body and f"CONSTRAINT {quoted(unique.name)} {body} {unique.deferrable}".rstrip()


def create_foreign_key(relation, key, parent):
    columns = ", ".join(map(quoted, key.names()))
    action = key.action + (f" ({', '.join(map(quoted, key.set_columns))})" if key.set_columns else "")
    return (f"ALTER TABLE {full_name(relation)} ADD CONSTRAINT {quoted(key.name)} FOREIGN KEY ({columns}) REFERENCES {full_name(parent)} "
            f"({', '.join(map(quoted, key.parent_columns))}) {'MATCH FULL' if key.match_full else ''} ON DELETE {action} ON UPDATE {key.update} {key.deferrable}").rstrip()


def create_schema(schema):
    """The statements that create the whole schema."""
    statements = [f"CREATE SCHEMA {s}" for s in sorted({r[1] for r, _ in schema.relations()} | {SHARED})]
    statements += ["CREATE TABLE app.community (id text PRIMARY KEY, home name)",
                   "INSERT INTO app.community VALUES " + ", ".join(f"('{c}', 's_{c}')" for c in COMMUNITIES),
                   "CREATE VIEW app.directory AS SELECT id AS community, id AS name, 'x' AS owner, 'x@example.org' AS owner_email, true AS restores_enabled"
                   f"{', home AS schema_name' if any(t.path == 'schema' for t in schema.tables) else ''} FROM app.community"]
    for relation, table in schema.relations():
        statements += create_table(relation, table)
        if table.path == "own":
            statements.append(f"ALTER TABLE {full_name(relation)} ADD FOREIGN KEY (cid) REFERENCES app.community")
    for relation, table in schema.relations():
        statements += [create_foreign_key(relation, key, schema.parent(relation, key)) for key in table.foreign_keys]
    return statements


def protect(schema):
    """The calls that register the schema, parents of paths first."""
    statements = ["SELECT snapback.set_directory('app.directory')"]
    statements += [f"SELECT snapback.add_category({literal(c)}, '', '')" for c in sorted({o.split(".")[0] for o in schema.options()})]
    statements += [f"SELECT snapback.add_option({literal(o)}, '', '')" for o in schema.options()]
    done = []

    def add(table):
        if table in done or not table.coverage:
            return
        done.append(table)
        key = table.foreign_key(table.path)
        if key:
            add(schema.table(key.parent))
        how = f", via => {literal(key.name)}" if key else ", community_column => 'cid'" if table.path == "own" else ""
        for cover in table.coverage:
            columns = f", columns => ARRAY[{', '.join(map(literal, cover.columns))}]" if cover.columns else ""
            chosen = f", filter => {literal(FILTERS[cover.filter][0])}" if cover.filter is not None else ""
            statements.append(f"SELECT snapback.protect({literal(full_name(schema.relation(table, 'a')))}, {literal(cover.option)}{how}{columns}{chosen})")
    for table in schema.tables:
        add(table)
    return statements


def insert(relation, table, rows):
    names = ", ".join(map(quoted, table.names()))
    values = ", ".join("(" + ", ".join(literal(row[name]) for name in table.names()) + ")" for row in rows)
    return f"INSERT INTO {full_name(relation)} ({names}) OVERRIDING SYSTEM VALUE VALUES {values}"


# ---- constraints ----------------------------------------------------------------------------------------------------

def community_of(schema, state, relation, row):
    """The community of a row, or None."""
    table = schema.table(relation[0])
    if table.path == "own":
        return row["cid"]
    if table.path == "schema":
        return relation[1][2:]
    key = table.foreign_key(table.path)
    if not key:
        return None
    parent = schema.table(key.parent)
    values = table.values(key.columns, row)
    if values is None:
        return None
    above = schema.parent(relation, key)
    if key.parent_columns == parent.key:
        found = state[above].get(values)
    else:
        found = next((p for p in state[above].values() if parent.values(key.parent_columns, p) == values), None)
    return found and community_of(schema, state, above, found)


def only_of(schema, state, community, wanted=True):
    """The rows of one community, or all others."""
    return {relation: {k: row for k, row in rows.items() if (community_of(schema, state, relation, row) == community) == wanted}
            for relation, rows in state.items()}


def span(text):
    low, high = text.strip("[)").split(",")
    return int(low), int(high)


def shared_value(table, unique, row):
    """The value that must be unique; None if the row is exempt."""
    if unique.kind == "nulls":
        return tuple(normal(table.column(name).kind, row[name]) for name in unique.columns)
    if unique.kind == "lower":
        values = table.values(unique.columns, row)
        return values and row["pos"] is not None and int(row["pos"]) > 3 and (*values[:-1], values[-1].lower()) or None
    return table.values(unique.columns, row)


def clashes(table, unique, rows):
    """Pairs of keys of rows that violate it."""
    if unique.kind == "overlap":
        spans = sorted((span(row[unique.columns[0]]), key) for key, row in rows.items() if row[unique.columns[0]] not in (None, "empty"))
        for i, ((_, high), key) in enumerate(spans):
            for (low, _), other in spans[i + 1:]:
                if low >= high:
                    break
                yield key, other
        return
    seen = {}
    for key, row in rows.items():
        value = shared_value(table, unique, row)
        if value is None:
            continue
        if value in seen:
            yield seen[value], key
        seen[value] = key


def dangling(schema, state, relation, table, key):
    """Keys of rows whose reference has no row or is partly NULL."""
    parent = schema.table(key.parent)
    there = {parent.values(key.parent_columns, row) for row in state[schema.parent(relation, key)].values()}
    for name, row in state[relation].items():
        nulls = sum(row[c] is None for c in key.columns)
        if nulls == 0 and table.values(key.columns, row) not in there:
            yield name
        elif key.match_full and 0 < nulls < len(key.columns):
            yield name


def violations(schema, state):
    """The violations: (SQLSTATE, relation, constraint, keys)."""
    for relation, table in schema.relations():
        for column in table.columns:
            if column.not_null:
                for name, row in state[relation].items():
                    if row[column.name] is None:
                        yield "23502", relation, column.name, [name]
        for unique in table.uniques:
            for pair in clashes(table, unique, state[relation]):
                yield "23P01" if unique.kind == "overlap" else "23505", relation, unique.name, list(pair)
        for key in table.foreign_keys:
            for name in dangling(schema, state, relation, table, key):
                yield "23503", relation, key.name, [name]
