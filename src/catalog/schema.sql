-- The schemas of the extension, created here and nowhere else: an existing one may hold planted objects, so it is refused.
CREATE SCHEMA snapback;
COMMENT ON SCHEMA snapback IS 'pg_snapback: snapshots of communities, and restores of chosen parts of one';
CREATE SCHEMA snapback_internal;
COMMENT ON SCHEMA snapback_internal IS 'pg_snapback: functions that only the extension calls. Nobody has USAGE of this schema';
REVOKE ALL ON SCHEMA snapback, snapback_internal FROM PUBLIC;

CREATE FUNCTION snapback_internal.hold_extension() RETURNS void
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_hold_extension';
COMMENT ON FUNCTION snapback_internal.hold_extension() IS
    'Keep the extension installed until the transaction ends: DROP EXTENSION then waits before it has locked anything else. Internal: whoever needs many of the tables calls it first.';
