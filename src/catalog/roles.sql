-- What roles that are not superusers may be given: the backend of the application, operators, and whoever dumps the database.

CREATE FUNCTION snapback_internal.backend_functions() RETURNS SETOF regprocedure
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.oid::regprocedure
    FROM pg_proc p
    WHERE p.pronamespace IN ('snapback'::regnamespace, 'snapback_internal'::regnamespace)
      AND p.proname IN ('list_snapshots', 'snapshot_contents', 'preview_restore', 'diff_rows', 'request_restore', 'describe_request',
                        'approve_restore', 'cancel_request', 'is_locked', 'own_restore_activity', 'acting_community')
    ORDER BY p.proname, p.oid
$$;
COMMENT ON FUNCTION snapback_internal.backend_functions() IS 'The functions that a backend may call';

CREATE FUNCTION snapback_internal.rights_for(duty text) RETURNS TABLE (privilege text, object text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'EXECUTE', format('FUNCTION %s', f) FROM snapback_internal.backend_functions() f WHERE duty = 'backend'
    UNION ALL
    SELECT 'SELECT', format('TABLE snapback.%I', v) FROM unnest('{requests,restores,restore_progress}'::text[]) v WHERE duty = 'backend'
    UNION ALL
    SELECT 'EXECUTE', format('FUNCTION %s', p.oid::regprocedure) FROM pg_proc p
    WHERE duty = 'operator' AND p.pronamespace = 'snapback'::regnamespace AND p.proname IN ('capture', 'restore', 'undo_restore')
    UNION ALL
    SELECT 'SELECT', format('%s %s', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass) FROM pg_class c
    WHERE duty = 'dump' AND c.relnamespace = 'snapback'::regnamespace AND c.relkind IN ('r', 'S')
$$;
COMMENT ON FUNCTION snapback_internal.rights_for(text) IS
    'What a role needs, besides USAGE of the schema, to be a backend, an operator, or to dump the database (duty: backend, operator, dump); no right is part of two duties. Internal.';

CREATE FUNCTION snapback_internal.give_rights(role regrole, duty text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given record;
BEGIN
    PERFORM snapback_internal.refuse(CASE WHEN role IS NULL THEN '22004' END, format('name the role for snapback.grant_%s()', duty),
                            format('Such as snapback.grant_%s(''some_role'').', duty));
    EXECUTE format('GRANT USAGE ON SCHEMA snapback TO %s', role);
    FOR given IN SELECT * FROM snapback_internal.rights_for(duty) LOOP
        EXECUTE format('GRANT %s ON %s TO %s', given.privilege, given.object, role);
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback_internal.give_rights(regrole, text) IS 'Grant rights_for() a duty to a role. 22004 where the role is NULL. Internal.';

CREATE FUNCTION snapback_internal.has_own_rights(role regrole) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_proc p, aclexplode(p.proacl) a WHERE p.pronamespace IN ('snapback'::regnamespace, 'snapback_internal'::regnamespace) AND a.grantee = role)
        OR EXISTS (SELECT FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'snapback'::regnamespace AND a.grantee = role)
$$;
COMMENT ON FUNCTION snapback_internal.has_own_rights(regrole) IS 'Whether a function, table, view or sequence of the extension is granted to this very role. Internal.';

CREATE FUNCTION snapback_internal.take_rights(role regrole, duty text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given record;
BEGIN
    PERFORM snapback_internal.refuse(CASE WHEN role IS NULL THEN '22004' END, format('name the role for snapback.revoke_%s()', duty),
                            format('Such as snapback.revoke_%s(''some_role'').', duty));
    FOR given IN SELECT * FROM snapback_internal.rights_for(duty) LOOP
        EXECUTE format('REVOKE %s ON %s FROM %s', given.privilege, given.object, role);
    END LOOP;
    -- Another duty of the role still needs the schema.
    IF NOT snapback_internal.has_own_rights(role) THEN
        EXECUTE format('REVOKE USAGE ON SCHEMA snapback FROM %s', role);
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.take_rights(regrole, text) IS
    'Revoke rights_for() a duty from a role, and USAGE of the schema where the role has no other right. 22004 where the role is NULL. Internal.';

CREATE FUNCTION snapback.grant_backend(role regrole) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT snapback_internal.give_rights(role, 'backend') $$;
COMMENT ON FUNCTION snapback.grant_backend(regrole) IS
    'Lets a role call what the backend of an application needs, and read the views requests, restores and restore_progress, which show it the community that the '
    'setting snapback.community names; nothing else of the extension. 22004 where the role is NULL';

CREATE FUNCTION snapback.revoke_backend(role regrole) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT snapback_internal.take_rights(role, 'backend') $$;
COMMENT ON FUNCTION snapback.revoke_backend(regrole) IS 'Takes back what snapback.grant_backend() gave. 22004 where the role is NULL';

CREATE FUNCTION snapback.grant_operator(role regrole) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT snapback_internal.give_rights(role, 'operator') $$;
COMMENT ON FUNCTION snapback.grant_operator(regrole) IS
    'Lets a role take a snapshot of any community, restore any and undo restores, without approval: capture(), restore() and undo_restore(). To look before, it '
    'needs snapback.grant_backend() as well. 22004 where the role is NULL';

CREATE FUNCTION snapback.revoke_operator(role regrole) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT snapback_internal.take_rights(role, 'operator') $$;
COMMENT ON FUNCTION snapback.revoke_operator(regrole) IS 'Takes back what snapback.grant_operator() gave. 22004 where the role is NULL';

CREATE FUNCTION snapback.grant_dump(role regrole) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT snapback_internal.give_rights(role, 'dump') $$;
COMMENT ON FUNCTION snapback.grant_dump(regrole) IS
    'Lets a role that is no superuser, such as the database''s owner, dump the extension''s tables with the database: it may read them all, so the rows of every community''s '
    'snapshots, owners'' mail addresses, and the hashes of mailed secrets (no secret). 22004 where the role is NULL';

CREATE FUNCTION snapback.revoke_dump(role regrole) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT snapback_internal.take_rights(role, 'dump') $$;
COMMENT ON FUNCTION snapback.revoke_dump(regrole) IS 'Takes back what snapback.grant_dump() gave. 22004 where the role is NULL';
