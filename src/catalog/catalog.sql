-- The catalog that a DBA fills: the directory of communities, categories and options, and the protected tables.

CREATE TABLE snapback.directory (
    relation regclass NOT NULL,
    single   boolean  PRIMARY KEY DEFAULT true CHECK (single)
);
COMMENT ON TABLE snapback.directory IS 'The view that lists the communities. Contains one row, written by snapback.set_directory()';

CREATE TABLE snapback.category (
    category    text    PRIMARY KEY CHECK (category ~ '^[a-z][a-z0-9_]*$'),
    label       text    NOT NULL,
    description text    NOT NULL,
    position    integer NOT NULL GENERATED ALWAYS AS IDENTITY
);
COMMENT ON TABLE snapback.category IS 'Groups of options, in the order of the restore dialog';

CREATE TABLE snapback.option (
    option      text    PRIMARY KEY CHECK (option ~ '^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$'),
    category    text    NOT NULL GENERATED ALWAYS AS (split_part(option, '.', 1)) STORED REFERENCES snapback.category,
    label       text    NOT NULL,
    description text    NOT NULL,
    position    integer NOT NULL GENERATED ALWAYS AS IDENTITY
);
COMMENT ON TABLE snapback.option IS 'What an owner can choose to restore: a named set of tables, rows or columns';

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
    'Protected tables and their paths, which lead from a row to its community. community_column alone: a column of the table itself. via: a foreign '
    'key of the table; the path continues with that of the parent, or ends in the parent''s column community_column. relation_name: each community '
    'has a table of this name in its own schema. registered_column, registered_name: the names of community_column and of the relation at '
    'registration. replaced_during: capture times of the snapshots that contain a table which this relation replaced, while this relation already '
    'had the name of that table';

CREATE TABLE snapback.coverage (
    table_id integer NOT NULL REFERENCES snapback.protected_table ON DELETE CASCADE,
    option   text    NOT NULL REFERENCES snapback.option,
    columns  name[]  CHECK (cardinality(columns) > 0),
    filter   text    CHECK (filter <> ''),
    registered_columns name[] CHECK (cardinality(registered_columns) = cardinality(columns)),
    PRIMARY KEY (table_id, option)
);
COMMENT ON TABLE snapback.coverage IS
    'The part of a protected table that an option restores: the whole table, some columns, or the rows that satisfy a filter. registered_columns: '
    'the names of these columns at registration, in the same order';
