-- The write guard: triggers that reject writes to a community during its restore.

CREATE TABLE snapback.restore_epoch (
    community   text        PRIMARY KEY,
    xid         xid8        NOT NULL,
    restored_at timestamptz NOT NULL
);
COMMENT ON TABLE snapback.restore_epoch IS
    'The last restore of each community: its transaction, and the time just before its commit (for information only). Invalid in another cluster, so pg_dump omits it';

CREATE FUNCTION snapback.is_locked(community text) RETURNS boolean
    LANGUAGE c VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_is_locked';
COMMENT ON FUNCTION snapback.is_locked(text) IS
    'Whether the community is being restored, so that writes to it are rejected; never waits and takes no lock';

CREATE FUNCTION snapback_internal.write_guard() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'snapback_write_guard';
COMMENT ON FUNCTION snapback_internal.write_guard() IS
    'The trigger on protected tables: raises 55P03 for a write to a community that is being restored, and 40001 for a write by a transaction or statement that may have read data from before the restore';

CREATE FUNCTION snapback_internal.forget_guarded_paths() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'snapback_forget_guarded_paths';
COMMENT ON FUNCTION snapback_internal.forget_guarded_paths() IS
    'Internal, a trigger: invalidates the path from rows to communities that each session caches';
CREATE TRIGGER forget_guarded_paths AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON snapback.protected_table
    FOR EACH STATEMENT EXECUTE FUNCTION snapback_internal.forget_guarded_paths();
ALTER TABLE snapback.protected_table ENABLE ALWAYS TRIGGER forget_guarded_paths;
CREATE TRIGGER forget_guarded_paths AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON snapback.directory
    FOR EACH STATEMENT EXECUTE FUNCTION snapback_internal.forget_guarded_paths();
ALTER TABLE snapback.directory ENABLE ALWAYS TRIGGER forget_guarded_paths;

CREATE FUNCTION snapback_internal.guard_state(relation regclass) RETURNS text
    LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_guard_state';
COMMENT ON FUNCTION snapback_internal.guard_state(regclass) IS
    'State of the write guard on a table, its partitions and children. enabled: every write is guarded; overtaken: a BEFORE trigger '
    'whose name sorts after the guard''s may change rows after the check, rename it; disabled: a guard exists but is not ENABLE ALWAYS; missing: a guard does not exist or differs from the one that install_guard() creates';

CREATE FUNCTION snapback_internal.guard_members(relation regclass) RETURNS TABLE (member regclass, depth integer)
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE tree (member, depth) AS (
        SELECT relation::oid, 0
        UNION
        SELECT i.inhrelid, t.depth + 1 FROM tree t JOIN pg_inherits i ON i.inhparent = t.member
    )
    SELECT member::regclass, max(depth) FROM tree GROUP BY member
$$;
COMMENT ON FUNCTION snapback_internal.guard_members(regclass) IS
    'Internal: a table with all its partitions and children at any depth; the table itself has depth 0';

CREATE FUNCTION snapback_internal.install_guard(relation regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted record;
BEGIN
    -- Parents first: a partition inherits the row trigger of its parent, and rejects a second trigger of that name.
    FOR wanted IN
        SELECT m.member, g.*
          FROM snapback_internal.guard_members(install_guard.relation) m,
               (VALUES ('~snapback_write_guard', 31, 'INSERT OR UPDATE OR DELETE', 'ROW'),
                       ('~snapback_truncate_guard', 34, 'TRUNCATE', 'STATEMENT')) g (name, type, events, level)
         ORDER BY m.depth, m.member, g.type
    LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = wanted.member AND t.tgname = wanted.name
                                 AND t.tgtype = wanted.type AND t.tgfoid = 'snapback_internal.write_guard()'::regprocedure
                                 AND t.tgattr::text = '' AND t.tgqual IS NULL);
        IF EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = wanted.member AND t.tgname = wanted.name) THEN
            EXECUTE format('DROP TRIGGER %I ON %s', wanted.name, wanted.member);
        END IF;
        EXECUTE format('CREATE TRIGGER %I BEFORE %s ON %s FOR EACH %s EXECUTE FUNCTION snapback_internal.write_guard()',
                       wanted.name, wanted.events, wanted.member, wanted.level);
        -- DROP EXTENSION then drops the trigger instead of failing.
        EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION pg_snapback', wanted.name, wanted.member);
    END LOOP;
    -- ENABLE ALWAYS: replication and session_replication_role must not bypass the guard.
    FOR wanted IN
        SELECT m.member, t.tgname AS name
          FROM snapback_internal.guard_members(install_guard.relation) m JOIN pg_trigger t ON t.tgrelid = m.member
         WHERE t.tgfoid = 'snapback_internal.write_guard()'::regprocedure AND t.tgenabled <> 'A'
         ORDER BY m.depth DESC, m.member, t.tgname
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', wanted.member, wanted.name);
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback_internal.install_guard(regclass) IS
    'Internal: creates or repairs the write guard on a table, its partitions and children. Requires ownership of the tables. Does nothing if guard_state() is enabled';

CREATE FUNCTION snapback_internal.remove_guard(relation regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    guard record;
BEGIN
    FOR guard IN
        SELECT m.member, t.tgname
          FROM snapback_internal.guard_members(remove_guard.relation) m JOIN pg_trigger t ON t.tgrelid = m.member
         WHERE t.tgfoid = 'snapback_internal.write_guard()'::regprocedure AND t.tgparentid = 0
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', guard.tgname, guard.member);
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback_internal.remove_guard(regclass) IS
    'Internal: drops the write guard of a table, its partitions and children, if it exists';

CREATE FUNCTION snapback_internal.guard_new_partition() RETURNS event_trigger
    LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_guard_new_partition';
COMMENT ON FUNCTION snapback_internal.guard_new_partition() IS
    'Internal, an event trigger: creates the write guard on a table that becomes a partition or child of a protected table';
CREATE EVENT TRIGGER snapback_guard_new_partition ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE')
    EXECUTE FUNCTION snapback_internal.guard_new_partition();
