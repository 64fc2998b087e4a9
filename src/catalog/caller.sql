-- What a call goes by: the settings, and the community and the account that it acts for.

CREATE FUNCTION snapback_internal.hide_statement() RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_hide_statement';
COMMENT ON FUNCTION snapback_internal.hide_statement() IS
    'Replace the text of the running statement, which may hold a secret, in pg_stat_activity and in the log lines of errors';

CREATE FUNCTION snapback_internal.hours_of(span interval) RETURNS interval
LANGUAGE sql IMMUTABLE
RETURN make_interval(secs => extract(epoch FROM span)::double precision);
COMMENT ON FUNCTION snapback_internal.hours_of(interval) IS
    'The same span without days, which may have 23 or 25 hours: settings are in seconds, whatever unit they are shown in';

CREATE FUNCTION snapback_internal.acting_for(setting text, given text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    configured text := coalesce(current_setting('snapback.' || setting, true), '');
BEGIN
    IF given IS NOT NULL AND configured <> '' AND given <> configured
       AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('this session acts for %s "%s", not for "%s"', setting, configured, given),
            HINT = format('Leave the argument out, or set snapback.%s to the one that is meant.', setting);
    END IF;
    IF coalesce(given, configured) = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('no %s is given', setting),
            HINT = format('Set snapback.%s for the session or the transaction, or pass it as an argument.', setting);
    END IF;
    RETURN coalesce(given, configured);
END $$;
COMMENT ON FUNCTION snapback_internal.acting_for(text, text) IS
    'The community or account that a call is for: the argument, else the setting. 42501 where both are given and differ (superusers may), 22023 where neither is';

CREATE FUNCTION snapback_internal.retention() RETURNS interval
    LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_retention';
COMMENT ON FUNCTION snapback_internal.retention() IS 'Return the setting snapback.retention: how long a snapshot can be restored';
