-- The write guard: the triggers that keep writers away from a community while it is being restored.

CREATE TABLE snapback.restore_epoch (
    community   text        PRIMARY KEY,
    xid         xid8        NOT NULL,
    restored_at timestamptz NOT NULL
);
COMMENT ON TABLE snapback.restore_epoch IS
    'The last restore of each community: its transaction, and when it was about to commit (for people only). Means nothing in another cluster, so it is never dumped';

CREATE FUNCTION snapback.advance_restore_epoch(community text) RETURNS void
    LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_advance_restore_epoch';
COMMENT ON FUNCTION snapback.advance_restore_epoch(text) IS
    'Internal building block of the restore: notes that this transaction restores the community, so that nobody writes back what they read before. '
    'The transaction can no longer be prepared (0A000). Raises 53200 where the server''s shared memory has no room for a list of its sessions';

CREATE FUNCTION snapback.lock_for_restore(community text) RETURNS void
    LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_lock_for_restore';
COMMENT ON FUNCTION snapback.lock_for_restore(text) IS
    'Internal building block of the restore: keeps all writers from the community until the transaction ends. Waits up to snapback.lock_timeout, then raises 55P03 and names who is in the way; raises 25001 above READ COMMITTED';

CREATE FUNCTION snapback.is_locked(community text) RETURNS boolean
    LANGUAGE c VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_is_locked';
COMMENT ON FUNCTION snapback.is_locked(text) IS
    'Whether a restore has the community at this moment, so that writes to it are refused; never waits, locks nothing';

CREATE FUNCTION snapback.write_guard() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'snapback_write_guard';
COMMENT ON FUNCTION snapback.write_guard() IS
    'The trigger on protected tables: raises 55P03 for writes to a community that is being restored, and 40001 for writes by a transaction or statement that may have read before its restore';

CREATE FUNCTION snapback.forget_guarded_paths() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'snapback_forget_guarded_paths';
COMMENT ON FUNCTION snapback.forget_guarded_paths() IS
    'Internal, a trigger: has every session work out anew which community a written row belongs to';
CREATE TRIGGER forget_guarded_paths AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON snapback.protected_table
    FOR EACH STATEMENT EXECUTE FUNCTION snapback.forget_guarded_paths();
ALTER TABLE snapback.protected_table ENABLE ALWAYS TRIGGER forget_guarded_paths;
CREATE TRIGGER forget_guarded_paths AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON snapback.directory
    FOR EACH STATEMENT EXECUTE FUNCTION snapback.forget_guarded_paths();
ALTER TABLE snapback.directory ENABLE ALWAYS TRIGGER forget_guarded_paths;

CREATE FUNCTION snapback.guard_state(relation regclass) RETURNS text
    LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_guard_state';
COMMENT ON FUNCTION snapback.guard_state(regclass) IS
    'enabled: every write to the table, its partitions and children is guarded; overtaken: a BEFORE trigger whose name sorts '
    'after the guard''s may change rows behind it, and is to be renamed; disabled: a guard is there but does not always fire; missing: a guard is not there, or is not as install_guard() makes it';

CREATE FUNCTION snapback.guard_members(relation regclass) RETURNS TABLE (member regclass, depth integer)
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE tree (member, depth) AS (
        SELECT relation::oid, 0
        UNION
        SELECT i.inhrelid, t.depth + 1 FROM tree t JOIN pg_inherits i ON i.inhparent = t.member
    )
    SELECT member::regclass, max(depth) FROM tree GROUP BY member
$$;
COMMENT ON FUNCTION snapback.guard_members(regclass) IS
    'Internal: a table with all its partitions and children, at any depth; the table itself has depth 0';

CREATE FUNCTION snapback.install_guard(relation regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted record;
BEGIN
    -- Parents first: a partition gets its parent's row trigger by itself, and would not take one of the same name twice.
    FOR wanted IN
        SELECT m.member, g.*
          FROM snapback.guard_members(install_guard.relation) m,
               (VALUES ('~snapback_write_guard', 31, 'INSERT OR UPDATE OR DELETE', 'ROW'),
                       ('~snapback_truncate_guard', 34, 'TRUNCATE', 'STATEMENT')) g (name, type, events, level)
         ORDER BY m.depth, m.member, g.type
    LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = wanted.member AND t.tgname = wanted.name
                                 AND t.tgtype = wanted.type AND t.tgfoid = 'snapback.write_guard()'::regprocedure
                                 AND t.tgattr::text = '' AND t.tgqual IS NULL);
        IF EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = wanted.member AND t.tgname = wanted.name) THEN
            EXECUTE format('DROP TRIGGER %I ON %s', wanted.name, wanted.member);
        END IF;
        EXECUTE format('CREATE TRIGGER %I BEFORE %s ON %s FOR EACH %s EXECUTE FUNCTION snapback.write_guard()',
                       wanted.name, wanted.events, wanted.member, wanted.level);
        -- So that DROP EXTENSION takes the trigger along instead of being refused.
        EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION pg_snapback', wanted.name, wanted.member);
    END LOOP;
    -- Always: replication and session_replication_role must not get round the guard.
    FOR wanted IN
        SELECT m.member, t.tgname AS name
          FROM snapback.guard_members(install_guard.relation) m JOIN pg_trigger t ON t.tgrelid = m.member
         WHERE t.tgfoid = 'snapback.write_guard()'::regprocedure AND t.tgenabled <> 'A'
         ORDER BY m.depth DESC, m.member, t.tgname
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', wanted.member, wanted.name);
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback.install_guard(regclass) IS
    'Puts the write guard on a table, its partitions and children, or mends it; needs the right to make triggers there. Does nothing where guard_state() is enabled';

CREATE FUNCTION snapback.remove_guard(relation regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    guard record;
BEGIN
    FOR guard IN
        SELECT m.member, t.tgname
          FROM snapback.guard_members(remove_guard.relation) m JOIN pg_trigger t ON t.tgrelid = m.member
         WHERE t.tgfoid = 'snapback.write_guard()'::regprocedure AND t.tgparentid = 0
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', guard.tgname, guard.member);
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback.remove_guard(regclass) IS
    'Takes the write guard off a table, its partitions and children; a table without one is left as it is';

CREATE FUNCTION snapback.guard_new_partition() RETURNS event_trigger
    LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_guard_new_partition';
COMMENT ON FUNCTION snapback.guard_new_partition() IS
    'Internal, an event trigger: puts the write guard on a table that becomes a partition or child of a protected one';
CREATE EVENT TRIGGER snapback_guard_new_partition ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE')
    EXECUTE FUNCTION snapback.guard_new_partition();
