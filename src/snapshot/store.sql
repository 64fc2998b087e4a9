-- Where snapshots are kept. Nothing here names an OID: tables go by their number in the catalog, types by name.

CREATE TABLE snapback.shape (
    sha256     bytea PRIMARY KEY CHECK (length(sha256) = 32),
    definition text  NOT NULL
);
COMMENT ON TABLE snapback.shape IS 'What a captured table''s rows look like: columns, types, storage forms and key, as described in docs/format.md';

CREATE TABLE snapback.table_set (
    id     uuid  PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    sha256 bytea NOT NULL CHECK (length(sha256) = 32)
);
CREATE INDEX ON snapback.table_set (sha256);
COMMENT ON TABLE snapback.table_set IS
    'Sets of tables that snapshots hold, each stored once for the many snapshots that hold the same tables with the same shapes; '
    'sha256 is that of its members, as described in docs/format.md. Sessions that do not see each other''s may store a set twice: none waits for another';

CREATE TABLE snapback.table_set_member (
    table_set uuid    NOT NULL REFERENCES snapback.table_set ON DELETE CASCADE,
    table_id  integer NOT NULL,
    shape     bytea   NOT NULL REFERENCES snapback.shape,
    PRIMARY KEY (table_set, table_id)
);
CREATE INDEX ON snapback.table_set_member (shape);
COMMENT ON TABLE snapback.table_set_member IS 'The tables of a set, and what their rows look like';

CREATE TABLE snapback.snapshot (
    id              uuid        PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    community       text        NOT NULL,
    identity        text,
    captured_at     timestamptz NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('scheduled', 'manual', 'before_restore')),
    label           text,
    manifest_sha256 bytea       NOT NULL CHECK (length(manifest_sha256) = 32),
    table_set       uuid        REFERENCES snapback.table_set,
    community_name  text
);
CREATE INDEX ON snapback.snapshot (community, captured_at);
CREATE INDEX ON snapback.snapshot (table_set);
COMMENT ON TABLE snapback.snapshot IS
    'One row per complete snapshot; it is written by the transaction that wrote the snapshot''s chunks, so an incomplete one is never seen. '
    'table_set: the tables that it holds, those without rows included; null where it holds those of snapback.snapshot_table alone; '
    'identity: what the directory''s column of that name was then, its NULL as ''''; null where it had no such column; '
    'community_name: what the directory called the community then, for people to read; null where it had no name, or none that could be read';

CREATE TABLE snapback.snapshot_table (
    snapshot uuid    NOT NULL REFERENCES snapback.snapshot ON DELETE CASCADE,
    table_id integer NOT NULL,
    shape    bytea   NOT NULL REFERENCES snapback.shape,
    rows     bigint  NOT NULL CHECK (rows >= 0),
    bytes    bigint  NOT NULL CHECK (bytes >= 0),
    chunks   bytea   NOT NULL CHECK (length(chunks) % 32 = 0),
    PRIMARY KEY (snapshot, table_id)
);
CREATE INDEX ON snapback.snapshot_table (shape);
COMMENT ON TABLE snapback.snapshot_table IS
    'Per table of a snapshot that has rows in it: their number, their bytes before compression, and the SHA-256 of each chunk in order, 32 bytes each';

CREATE VIEW snapback.manifest AS
SELECT m.snapshot, m.table_id, m.shape, m.rows, m.bytes, m.chunks FROM snapback.snapshot_table m
UNION ALL
SELECT s.id, t.table_id, t.shape, 0::bigint, 0::bigint, ''::bytea
FROM snapback.snapshot s JOIN snapback.table_set_member t ON t.table_set = s.table_set
WHERE NOT EXISTS (SELECT FROM snapback.snapshot_table m WHERE m.snapshot = s.id AND m.table_id = t.table_id);
COMMENT ON VIEW snapback.manifest IS
    'Every table that a snapshot holds: those with rows in it, and the others of its table set, without any';

CREATE TABLE snapback.chunk (
    community text   NOT NULL,
    sha256    bytea  NOT NULL CHECK (length(sha256) = 32),
    data      bytea  NOT NULL,
    PRIMARY KEY (community, sha256)
);
ALTER TABLE snapback.chunk ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE snapback.chunk IS 'Runs of rows, compressed, addressed by the SHA-256 of their uncompressed bytes; shared by the snapshots of one community';

CREATE TABLE snapback.unswept (
    community text PRIMARY KEY
);
COMMENT ON TABLE snapback.unswept IS
    'Communities that may have chunks which no snapshot refers to: snapshots of theirs were deleted, and expire_all() has not swept all their chunks since';

CREATE TABLE snapback.capture_failure (
    community text        NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sqlstate  text        NOT NULL,
    message   text        NOT NULL,
    hint      text,
    id        uuid        PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid()
);
COMMENT ON TABLE snapback.capture_failure IS 'Captures that failed while capture_all() went on with the others: the error of each as capture() would raise it, and its hint';
