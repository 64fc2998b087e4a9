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

CREATE TABLE snapback.base (
    id         uuid        PRIMARY KEY,
    sha256     bytea       NOT NULL CHECK (length(sha256) = 32),
    table_set  uuid        NOT NULL REFERENCES snapback.table_set,
    checked_at timestamptz NOT NULL
);
CREATE INDEX ON snapback.base (table_set);
COMMENT ON TABLE snapback.base IS
    'Full reads of the tables of a community. A snapshot is based on one, and has deltas for what has changed since. id: that of the snapshot which was '
    'read in full, which may have expired. sha256: the hash of the tables, as described in docs/format.md. table_set: the tables, including those '
    'without rows. checked_at: the last capture that compared the base and its deltas with a full read';

CREATE TABLE snapback.base_table (
    base     uuid    NOT NULL REFERENCES snapback.base ON DELETE CASCADE,
    table_id integer NOT NULL,
    shape    bytea   NOT NULL REFERENCES snapback.shape,
    rows     bigint  NOT NULL CHECK (rows >= 0),
    bytes    bigint  NOT NULL CHECK (bytes >= 0),
    chunks   bytea   NOT NULL CHECK (length(chunks) % 32 = 0),
    bounds   bytea   NOT NULL,
    PRIMARY KEY (base, table_id)
);
CREATE INDEX ON snapback.base_table (shape);
COMMENT ON TABLE snapback.base_table IS
    'The non-empty tables of a base: number of rows, bytes before compression, the SHA-256 of each chunk in order, 32 bytes each, and where the chunks '
    'after the first begin, as described in docs/format.md';

CREATE TABLE snapback.basis (
    id           uuid      PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    taken        text      NOT NULL,
    table_ids    integer[] NOT NULL,
    fingerprints text[]    NOT NULL
);
COMMENT ON TABLE snapback.basis IS
    'What a capture has read, so that a later one can find the changes since. taken: the MVCC snapshot, as pg_snapshot prints it. fingerprints: per '
    'table, what must still be the same. Invalid in another cluster, which the fingerprints tell';

CREATE TABLE snapback.snapshot (
    id              uuid        PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    community       text        NOT NULL,
    identity        text,
    captured_at     timestamptz NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('scheduled', 'manual', 'before_restore')),
    label           text,
    manifest_sha256 bytea       NOT NULL CHECK (length(manifest_sha256) = 32),
    table_set       uuid        REFERENCES snapback.table_set,
    community_name  text,
    base            uuid        REFERENCES snapback.base,
    deltas          bytea       NOT NULL DEFAULT '' CHECK (length(deltas) % 32 = 0),
    delta_bytes     bigint      NOT NULL DEFAULT 0 CHECK (delta_bytes >= 0),
    basis           uuid        REFERENCES snapback.basis
);
CREATE INDEX ON snapback.snapshot (community, captured_at);
CREATE INDEX ON snapback.snapshot (table_set) WHERE table_set IS NOT NULL;
CREATE INDEX ON snapback.snapshot (base);
CREATE INDEX ON snapback.snapshot (basis);
COMMENT ON TABLE snapback.snapshot IS
    'One row per complete snapshot. The transaction that stores the chunks also inserts this row, so an incomplete snapshot is never visible. '
    'base, deltas: the full read that it is based on, and the SHA-256 of each delta since, oldest first, 32 bytes each; delta_bytes: their size before '
    'compression. basis: what a later capture needs to find the changes since this snapshot; NULL if they cannot be found. A snapshot of format version 1 '
    'has no base: its tables are in snapback.snapshot_table; table_set: all its tables, including those without rows. identity: the '
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
    'The non-empty tables of a snapshot of format version 1: number of rows, bytes before compression, and the SHA-256 of each chunk in order, 32 bytes each';

CREATE VIEW snapback.manifest AS
SELECT s.id AS snapshot, t.table_id, t.shape, t.rows, t.bytes, t.chunks, t.bounds
FROM snapback.snapshot s JOIN snapback.base_table t ON t.base = s.base
UNION ALL
SELECT t.snapshot, t.table_id, t.shape, t.rows, t.bytes, t.chunks, ''::bytea FROM snapback.snapshot_table t
UNION ALL
SELECT s.id, m.table_id, m.shape, 0::bigint, 0::bigint, ''::bytea, ''::bytea
FROM snapback.snapshot s LEFT JOIN snapback.base b ON b.id = s.base
JOIN snapback.table_set_member m ON m.table_set = coalesce(b.table_set, s.table_set)
WHERE NOT EXISTS (SELECT FROM snapback.base_table t WHERE t.base = s.base AND t.table_id = m.table_id)
  AND NOT EXISTS (SELECT FROM snapback.snapshot_table t WHERE t.snapshot = s.id AND t.table_id = m.table_id);
COMMENT ON VIEW snapback.manifest IS
    'Every table of a snapshot, as it was read in full: those with rows, and the empty ones of its table set. Deltas contain the changes since';

CREATE TABLE snapback.chunk (
    community text   NOT NULL,
    sha256    bytea  NOT NULL CHECK (length(sha256) = 32),
    data      bytea  NOT NULL,
    PRIMARY KEY (community, sha256)
);
ALTER TABLE snapback.chunk ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE snapback.chunk IS
    'Compressed runs of rows, and deltas, addressed by the SHA-256 of their uncompressed bytes. The snapshots of one community share them';

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

CREATE TABLE snapback.capture_difference (
    community   text        NOT NULL,
    relation    text        NOT NULL,
    rows        bigint      NOT NULL,
    captured_at timestamptz NOT NULL,
    id          uuid        PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid()
);
COMMENT ON TABLE snapback.capture_difference IS
    'Checks that found a full read of a table to differ from the base and the deltas of a community. rows: on one side only; a row that differs counts '
    'twice. The snapshot of this time was then read in full; earlier ones, back to the check before, may be wrong';
