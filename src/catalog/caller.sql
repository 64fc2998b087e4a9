-- What a call goes by: the settings, and the community and the account that it acts for.

CREATE FUNCTION snapback_internal.hide_statement() RETURNS void
LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'snapback_hide_statement';
COMMENT ON FUNCTION snapback_internal.hide_statement() IS
    'Replace the text of the running statement, which may hold a secret, in pg_stat_activity and in the log lines of errors';

CREATE FUNCTION snapback_internal.hours_of(span interval) RETURNS interval
LANGUAGE sql IMMUTABLE
RETURN make_interval(secs => extract(epoch FROM span)::double precision);
COMMENT ON FUNCTION snapback_internal.hours_of(interval) IS
    'Return an interval in hours instead of days, because a day can have 23 or 25 hours; settings are in seconds, independent of the unit in which they '
    'are shown';

CREATE FUNCTION snapback_internal.acting_for(setting text, given text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    configured text := coalesce(current_setting('snapback.' || setting, true), '');
BEGIN
    IF given IS NOT NULL AND configured <> '' AND given <> configured
       AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = session_user) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('this session acts for %s "%s", not for "%s"', setting, configured, given),
            HINT = format('Omit the argument, or set snapback.%s to the same value.', setting);
    END IF;
    IF coalesce(given, configured) = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('no %s is given', setting),
            HINT = format('Set snapback.%s for the session or the transaction, or pass it as an argument.', setting);
    END IF;
    RETURN coalesce(given, configured);
END $$;
COMMENT ON FUNCTION snapback_internal.acting_for(text, text) IS
    'Return the community or account of a call: the argument, or by default the setting. Errors: 42501 both are given and differ (except for superusers), '
    '22023 neither is given';

CREATE FUNCTION snapback_internal.retention() RETURNS interval
    LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_retention';
COMMENT ON FUNCTION snapback_internal.retention() IS 'Return the setting snapback.retention: how long a snapshot can be restored';
