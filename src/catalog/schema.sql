-- The schema of the extension, made here and nowhere else: an existing one may hold planted objects, so it is refused.
CREATE SCHEMA snapback;
COMMENT ON SCHEMA snapback IS 'pg_snapback: snapshots of communities, and restores of chosen parts of one';
REVOKE ALL ON SCHEMA snapback FROM PUBLIC;
