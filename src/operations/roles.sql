-- Privileges for roles that are not superusers: the backend of the application, operators, and roles that dump the database.

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
COMMENT ON FUNCTION snapback_internal.backend_functions() IS 'Return the functions that a backend role can call';

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
    'Return the privileges that a role needs besides USAGE on the schema for a duty: backend, operator or dump. Every privilege belongs to only one '
    'duty';

CREATE FUNCTION snapback_internal.give_rights(role regrole, duty text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given record;
BEGIN
    PERFORM snapback_internal.refuse(CASE WHEN role IS NULL THEN '22004' END, format('role for snapback.grant_%s() must not be null', duty),
                            format('For example: SELECT snapback.grant_%s(''some_role'').', duty));
    EXECUTE format('GRANT USAGE ON SCHEMA snapback TO %s', role);
    FOR given IN SELECT * FROM snapback_internal.rights_for(duty) LOOP
        EXECUTE format('GRANT %s ON %s TO %s', given.privilege, given.object, role);
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback_internal.give_rights(regrole, text) IS
    'Grant the privileges of a duty to a role: see rights_for(). Errors: 22004 the role is NULL';

CREATE FUNCTION snapback_internal.has_own_rights(role regrole) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_proc p, aclexplode(p.proacl) a WHERE p.pronamespace IN ('snapback'::regnamespace, 'snapback_internal'::regnamespace) AND a.grantee = role)
        OR EXISTS (SELECT FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'snapback'::regnamespace AND a.grantee = role)
$$;
COMMENT ON FUNCTION snapback_internal.has_own_rights(regrole) IS
    'Return whether this role itself has a privilege on a function, table, view or sequence of the extension';

CREATE FUNCTION snapback_internal.take_rights(role regrole, duty text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given record;
BEGIN
    PERFORM snapback_internal.refuse(CASE WHEN role IS NULL THEN '22004' END, format('role for snapback.revoke_%s() must not be null', duty),
                            format('For example: SELECT snapback.revoke_%s(''some_role'').', duty));
    FOR given IN SELECT * FROM snapback_internal.rights_for(duty) LOOP
        EXECUTE format('REVOKE %s ON %s FROM %s', given.privilege, given.object, role);
    END LOOP;
    -- Another duty of the role may still need the schema.
    IF NOT snapback_internal.has_own_rights(role) THEN
        EXECUTE format('REVOKE USAGE ON SCHEMA snapback FROM %s', role);
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.take_rights(regrole, text) IS
    'Revoke the privileges of a duty from a role, and USAGE on the schema if the role has no other privilege: see rights_for(). Errors: 22004 the '
    'role is NULL';

CREATE FUNCTION snapback.grant_backend(role regrole) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT snapback_internal.give_rights(role, 'backend') $$;
COMMENT ON FUNCTION snapback.grant_backend(regrole) IS
    'Grant a role the functions that the backend of an application needs, and SELECT on the views requests, restores and restore_progress, which '
    'show the community of the setting snapback.community. Errors: 22004 the role is NULL';

CREATE FUNCTION snapback.revoke_backend(role regrole) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT snapback_internal.take_rights(role, 'backend') $$;
COMMENT ON FUNCTION snapback.revoke_backend(regrole) IS 'Revoke the privileges that snapback.grant_backend() granted. Errors: 22004 the role is NULL';

CREATE FUNCTION snapback.grant_operator(role regrole) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT snapback_internal.give_rights(role, 'operator') $$;
COMMENT ON FUNCTION snapback.grant_operator(regrole) IS
    'Grant a role the functions capture(), restore() and undo_restore(), which work on any community without approval. For previews the role also '
    'needs snapback.grant_backend(). Errors: 22004 the role is NULL';

CREATE FUNCTION snapback.revoke_operator(role regrole) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT snapback_internal.take_rights(role, 'operator') $$;
COMMENT ON FUNCTION snapback.revoke_operator(regrole) IS
    'Revoke the privileges that snapback.grant_operator() granted. Errors: 22004 the role is NULL';

CREATE FUNCTION snapback.grant_dump(role regrole) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT snapback_internal.give_rights(role, 'dump') $$;
COMMENT ON FUNCTION snapback.grant_dump(regrole) IS
    'Grant SELECT on all tables of the extension to a role that is not a superuser, such as the owner of the database, so that it can dump the '
    'database. The role can read the rows of all snapshots, the mail addresses of owners, and the hashes of mailed secrets, but no secret. Errors: '
    '22004 the role is NULL';

CREATE FUNCTION snapback.revoke_dump(role regrole) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT snapback_internal.take_rights(role, 'dump') $$;
COMMENT ON FUNCTION snapback.revoke_dump(regrole) IS 'Revoke the privileges that snapback.grant_dump() granted. Errors: 22004 the role is NULL';
