-- Creates the schemas of the extension. Installation fails if one exists already, because it may contain planted objects.
CREATE SCHEMA snapback;
COMMENT ON SCHEMA snapback IS 'pg_snapback: snapshots of communities, and restores of selected parts of one community';
CREATE SCHEMA snapback_internal;
COMMENT ON SCHEMA snapback_internal IS 'pg_snapback: functions that only the extension calls. No role has USAGE on this schema';
REVOKE ALL ON SCHEMA snapback, snapback_internal FROM PUBLIC;

CREATE FUNCTION snapback_internal.hold_extension() RETURNS void
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_hold_extension';
COMMENT ON FUNCTION snapback_internal.hold_extension() IS
    'Lock the extension until the transaction ends, so that DROP EXTENSION waits before it locks other objects. Functions that lock many tables of '
    'the extension call this first';
