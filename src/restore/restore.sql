-- Restores, their states, and their changes of each table.

CREATE TABLE snapback.restore_run (
    id              uuid        PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    community       text        NOT NULL,
    identity        text,
    snapshot        uuid        NOT NULL,
    options         text[]      NOT NULL CHECK (cardinality(options) > 0),
    switches        jsonb,
    request         uuid,
    state           text        NOT NULL DEFAULT 'queued'
                                CHECK (state IN ('queued', 'running', 'restored', 'failed', 'interrupted')),
    before_snapshot uuid,
    requested_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at      timestamptz,
    ended_at        timestamptz,
    sqlstate        text,
    message         text,
    changed         jsonb,
    CHECK ((state = 'restored') = (before_snapshot IS NOT NULL)),
    CHECK ((state IN ('restored', 'failed', 'interrupted')) = (ended_at IS NOT NULL)),
    CHECK ((state IN ('failed', 'interrupted')) = (message IS NOT NULL))
);
CREATE INDEX ON snapback.restore_run (community, requested_at);
COMMENT ON TABLE snapback.restore_run IS
    'One row per restore, started by an approved request or by a DBA (request is NULL). identity: of the community, as in snapback.snapshot; changed: the '
    'plan at the time when a strict request was refused (SB011)';

CREATE TABLE snapback.restore_table (
    restore  uuid    NOT NULL REFERENCES snapback.restore_run ON DELETE CASCADE,
    relation text    NOT NULL,
    figures  snapback.plan_figures NOT NULL,
    parts    snapback.plan_part[]  NOT NULL DEFAULT '{}',
    PRIMARY KEY (restore, relation)
);
COMMENT ON TABLE snapback.restore_table IS
    'What a restore changed, one row per table. parts: the same for each chosen option that covers the table, and for what no chosen option covers';

CREATE TABLE snapback.restore_row (
    number   bigint  PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    restore  uuid    NOT NULL REFERENCES snapback.restore_run ON DELETE CASCADE,
    table_id integer NOT NULL,
    key      jsonb   NOT NULL
);
-- Without the key: as jsonb it may exceed the maximum size of an index row.
CREATE INDEX ON snapback.restore_row (restore, table_id);
COMMENT ON TABLE snapback.restore_row IS
    'Rows outside the chosen options that a restore inserted, deleted or set to NULL, by key (column: value as text). A restore of the before_restore '
    'snapshot restores them too';
CREATE INDEX ON snapback.restore_run (before_snapshot);

CREATE FUNCTION snapback_internal.execute_restore(restore uuid) RETURNS void
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_execute_restore';
COMMENT ON FUNCTION snapback_internal.execute_restore(uuid) IS
    'Execute the restore in this row of snapback.restore_run: lock the community, take a before_restore snapshot, plan, write, check. It runs in the '
    'calling transaction; an error undoes everything. Internal: call restore() or approve_restore().';

CREATE FUNCTION snapback_internal.check_restore_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (('queued', 'running'),
            ('running', 'restored'), ('running', 'failed'), ('running', 'interrupted')) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('restore %s is %s and cannot become %s', OLD.id, OLD.state, NEW.state);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION snapback_internal.check_restore_change() IS 'Trigger function: refuse invalid changes of a restore''s state';

CREATE FUNCTION snapback_internal.follow_restore_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM snapback_internal.announce('restore_' || NEW.state, NEW.community, NEW.request, NEW.id, NEW.state,
        CASE WHEN NEW.message IS NOT NULL THEN jsonb_build_object('sqlstate', NEW.sqlstate, 'message', NEW.message) END);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION snapback_internal.follow_restore_change() IS 'Trigger function: announce the new state of a restore';

CREATE FUNCTION snapback_internal.restored_tables(restore uuid)
RETURNS TABLE (relation text, inserted bigint, updated bigint, deleted bigint, kept bigint, parents bigint, nulled bigint,
               cascaded bigint, skipped bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.relation, f.inserts, f.updates, f.deletes, f.kept, f.parents, f.nulled, f.cascaded, f.skipped
    FROM snapback.restore_table t CROSS JOIN LATERAL (SELECT (t.figures).*) f WHERE t.restore = restored_tables.restore ORDER BY t.relation COLLATE "C";
END;
COMMENT ON FUNCTION snapback_internal.restored_tables(uuid) IS 'Return the row counts of snapback.restore_table, one row per table, with the columns of restore()';

CREATE FUNCTION snapback_internal.record_restore(community text, snapshot uuid, options text[], switches jsonb, request uuid, state text) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    restore uuid;
BEGIN
    INSERT INTO snapback.restore_run AS r (community, identity, snapshot, options, switches, request, state, started_at)
    VALUES (community, (SELECT e.identity FROM snapback_internal.directory_entry(record_restore.community) e), snapshot, options, switches, request, state, CASE WHEN state = 'running' THEN clock_timestamp() END)
    RETURNING r.id INTO restore;
    PERFORM snapback_internal.announce('restore_' || state, community, request, restore, state,
        jsonb_build_object('snapshot', snapshot, 'options', options, 'switches', switches));
    RETURN restore;
END $$;
COMMENT ON FUNCTION snapback_internal.record_restore(text, uuid, text[], jsonb, uuid, text) IS
    'Record a restore that a worker is to run, or that runs in this transaction; return its id';
