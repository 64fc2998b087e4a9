-- What a CMS backend may do: ask, look, approve. It may set up nothing and read no table of the extension.

CREATE FUNCTION snapback.backend_functions() RETURNS SETOF regprocedure
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.oid::regprocedure
    FROM pg_proc p
    WHERE p.pronamespace = 'snapback'::regnamespace
      AND p.proname IN ('list_snapshots', 'snapshot_contents', 'preview_restore', 'diff_rows', 'request_restore', 'describe_request',
                        'approve_restore', 'cancel_request', 'is_locked')
    ORDER BY p.proname, p.oid
$$;
COMMENT ON FUNCTION snapback.backend_functions() IS 'The functions that a backend may call';

CREATE FUNCTION snapback.grant_backend(role regrole) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    allowed regprocedure;
BEGIN
    PERFORM snapback.refuse(CASE WHEN role IS NULL THEN '22004' END, 'name the role of the backend', 'Such as snapback.grant_backend(''app_backend'').');
    EXECUTE format('GRANT USAGE ON SCHEMA snapback TO %s', role);
    FOR allowed IN SELECT f FROM snapback.backend_functions() f LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', allowed, role);
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback.grant_backend(regrole) IS
    'Lets a role call what a CMS backend needs, and nothing else of the extension';

CREATE FUNCTION snapback.revoke_backend(role regrole) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    allowed regprocedure;
BEGIN
    PERFORM snapback.refuse(CASE WHEN role IS NULL THEN '22004' END, 'name the role of the backend', 'Such as snapback.revoke_backend(''app_backend'').');
    FOR allowed IN SELECT f FROM snapback.backend_functions() f LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM %s', allowed, role);
    END LOOP;
    EXECUTE format('REVOKE USAGE ON SCHEMA snapback FROM %s', role);
END $$;
COMMENT ON FUNCTION snapback.revoke_backend(regrole) IS 'Takes back what snapback.grant_backend() gave';
