-- Where snapshots are kept. Nothing here names an OID: tables go by their number in the catalog, types by name.

CREATE TABLE snapback.snapshot (
    id              uuid        PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    community       text        NOT NULL,
    captured_at     timestamptz NOT NULL,
    kind            text        NOT NULL CHECK (kind IN ('scheduled', 'manual', 'before_restore')),
    label           text,
    manifest_sha256 bytea       NOT NULL CHECK (length(manifest_sha256) = 32)
);
CREATE INDEX ON snapback.snapshot (community, captured_at);
COMMENT ON TABLE snapback.snapshot IS
    'One row per complete snapshot; it is written by the transaction that wrote the snapshot''s chunks, so an incomplete one is never seen';

CREATE TABLE snapback.shape (
    sha256     bytea PRIMARY KEY CHECK (length(sha256) = 32),
    definition text  NOT NULL
);
COMMENT ON TABLE snapback.shape IS 'What a captured table''s rows look like: columns, types, storage forms and key, as described in docs/format.md';

CREATE TABLE snapback.snapshot_table (
    snapshot uuid    NOT NULL REFERENCES snapback.snapshot ON DELETE CASCADE,
    table_id integer NOT NULL,
    shape    bytea   NOT NULL REFERENCES snapback.shape,
    rows     bigint  NOT NULL CHECK (rows >= 0),
    bytes    bigint  NOT NULL CHECK (bytes >= 0),
    chunks   bytea   NOT NULL CHECK (length(chunks) % 32 = 0),
    PRIMARY KEY (snapshot, table_id)
);
COMMENT ON TABLE snapback.snapshot_table IS
    'The manifest: per protected table the number of rows, their bytes before compression, and the SHA-256 of each chunk in order, 32 bytes each';

CREATE TABLE snapback.chunk (
    community text   NOT NULL,
    sha256    bytea  NOT NULL CHECK (length(sha256) = 32),
    data      bytea  NOT NULL,
    PRIMARY KEY (community, sha256)
);
ALTER TABLE snapback.chunk ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE snapback.chunk IS 'Runs of rows, compressed, addressed by the SHA-256 of their uncompressed bytes; shared by the snapshots of one community';

CREATE TABLE snapback.capture_failure (
    community text        NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sqlstate  text        NOT NULL,
    message   text        NOT NULL
);
COMMENT ON TABLE snapback.capture_failure IS 'Captures that failed while capture_all() went on with the others';
