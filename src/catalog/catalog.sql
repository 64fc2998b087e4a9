-- What a DBA registers: the directory of communities, what an owner may tick, and the tables behind each tick.

CREATE TABLE snapback.directory (
    relation regclass NOT NULL,
    single   boolean  PRIMARY KEY DEFAULT true CHECK (single)
);
COMMENT ON TABLE snapback.directory IS 'The view that lists the communities; one row, written by snapback.set_directory()';

CREATE TABLE snapback.category (
    category    text    PRIMARY KEY CHECK (category ~ '^[a-z][a-z0-9_]*$'),
    label       text    NOT NULL,
    description text    NOT NULL,
    position    integer NOT NULL GENERATED ALWAYS AS IDENTITY
);
COMMENT ON TABLE snapback.category IS 'Groups of options, as the restore dialog shows them';

CREATE TABLE snapback.option (
    option      text    PRIMARY KEY CHECK (option ~ '^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$'),
    category    text    NOT NULL GENERATED ALWAYS AS (split_part(option, '.', 1)) STORED REFERENCES snapback.category,
    label       text    NOT NULL,
    description text    NOT NULL,
    position    integer NOT NULL GENERATED ALWAYS AS IDENTITY
);
COMMENT ON TABLE snapback.option IS 'What an owner can tick: a named set of tables, rows or columns';

CREATE TABLE snapback.protected_table (
    id               integer  PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    relation         regclass UNIQUE,
    relation_name    name     UNIQUE,
    community_column name,
    via              name,
    registered_column name,
    registered_name  text,
    registered_at    timestamptz   NOT NULL DEFAULT clock_timestamp(),
    replaced_during  tstzmultirange NOT NULL DEFAULT '{}',
    CHECK (num_nonnulls(relation, relation_name) = 1),
    CHECK (num_nonnulls(relation_name, community_column, via) = 1 OR (via IS NOT NULL AND relation_name IS NULL))
);
COMMENT ON TABLE snapback.protected_table IS
    'Tables whose rows belong to communities, and the path from a row to its community: community_column alone, '
    'the table''s own column; via, a foreign key of this table to a parent (whose own path goes on from there, or whose '
    'community_column is named here); relation_name, a table of that name in each community''s own schema. registered_column, registered_name: what community_column and the relation were '
    'called when this relation was registered. replaced_during: when the snapshots were captured that hold a relation whose '
    'place this one has taken, after this one had its name';

CREATE TABLE snapback.coverage (
    table_id integer NOT NULL REFERENCES snapback.protected_table ON DELETE CASCADE,
    option   text    NOT NULL REFERENCES snapback.option,
    columns  name[]  CHECK (cardinality(columns) > 0),
    filter   text    CHECK (filter <> ''),
    registered_columns name[] CHECK (cardinality(registered_columns) = cardinality(columns)),
    PRIMARY KEY (table_id, option)
);
COMMENT ON TABLE snapback.coverage IS
    'Which part of a protected table an option restores: all of it, some columns of its rows, or the rows that a filter keeps. '
    'registered_columns: what the columns were called when they were registered, in the same order';
