-- The storage of snapshots. It contains no OIDs: tables are identified by their number in protected_table, types by name.

CREATE TABLE snapback.shape (
    sha256     bytea PRIMARY KEY CHECK (length(sha256) = 32),
    definition text  NOT NULL
);
COMMENT ON TABLE snapback.shape IS 'Table descriptions: columns, types, storage forms and key of a captured table, as described in docs/format.md';

CREATE TABLE snapback.table_set (
    id     uuid  PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    sha256 bytea NOT NULL CHECK (length(sha256) = 32)
);
CREATE INDEX ON snapback.table_set (sha256);
COMMENT ON TABLE snapback.table_set IS
    'Sets of tables that snapshots contain. Snapshots with the same tables and the same shapes share one set. sha256: the hash of its members, as '
    'described in docs/format.md. Concurrent transactions may store the same set twice, because they do not wait for each other';

CREATE TABLE snapback.table_set_member (
    table_set uuid    NOT NULL REFERENCES snapback.table_set ON DELETE CASCADE,
    table_id  integer NOT NULL,
    shape     bytea   NOT NULL REFERENCES snapback.shape,
    PRIMARY KEY (table_set, table_id)
);
CREATE INDEX ON snapback.table_set_member (shape);
COMMENT ON TABLE snapback.table_set_member IS 'The tables of a set, and their shapes';

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
    'One row per complete snapshot. The transaction that stores the chunks also inserts this row, so an incomplete snapshot is never visible. '
    'table_set: the tables of the snapshot, including those without rows; NULL if it contains only those of snapback.snapshot_table. identity: the '
    'identity in the directory at the capture, '''' for NULL; NULL if the directory had no such column. community_name: the name in the directory at '
    'the capture, for display; NULL if there was none or it could not be read';

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
    'The non-empty tables of a snapshot: number of rows, bytes before compression, and the SHA-256 of each chunk in order, 32 bytes each';

CREATE VIEW snapback.manifest AS
SELECT m.snapshot, m.table_id, m.shape, m.rows, m.bytes, m.chunks FROM snapback.snapshot_table m
UNION ALL
SELECT s.id, t.table_id, t.shape, 0::bigint, 0::bigint, ''::bytea
FROM snapback.snapshot s JOIN snapback.table_set_member t ON t.table_set = s.table_set
WHERE NOT EXISTS (SELECT FROM snapback.snapshot_table m WHERE m.snapshot = s.id AND m.table_id = t.table_id);
COMMENT ON VIEW snapback.manifest IS 'Every table of a snapshot: those with rows, and the empty ones of its table set';

CREATE TABLE snapback.chunk (
    community text   NOT NULL,
    sha256    bytea  NOT NULL CHECK (length(sha256) = 32),
    data      bytea  NOT NULL,
    PRIMARY KEY (community, sha256)
);
ALTER TABLE snapback.chunk ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE snapback.chunk IS
    'Compressed runs of rows, addressed by the SHA-256 of their uncompressed bytes. The snapshots of one community share chunks';

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
COMMENT ON TABLE snapback.capture_failure IS
    'Captures that failed in capture_all() while it continued with other communities: the error that capture() would raise, and its hint';
