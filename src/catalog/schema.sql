-- The schema of the extension, made here and nowhere else: an existing one may hold planted objects, so it is refused.
CREATE SCHEMA snapback;
COMMENT ON SCHEMA snapback IS 'pg_snapback: snapshots of communities, and restores of chosen parts of one';
REVOKE ALL ON SCHEMA snapback FROM PUBLIC;

CREATE FUNCTION snapback.hold_extension() RETURNS void
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_hold_extension';
COMMENT ON FUNCTION snapback.hold_extension() IS
    'Keep the extension installed until the transaction ends: DROP EXTENSION then waits before it has locked anything else. Internal: whoever needs many of the tables calls it first.';
