-- The directory: a view of the DBA that lists the communities. Queries read it as its owner, never as the extension's owner.

CREATE FUNCTION snapback_internal.directory_entry(key text)
RETURNS TABLE (community text, name text, owner text, owner_email text, restores_enabled boolean, schema_name text, identity text)
LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_directory_entry';
COMMENT ON FUNCTION snapback_internal.directory_entry(text) IS
    'Return the directory entry of one community; no row if the directory does not list it. restores_enabled is false if it is NULL in the '
    'directory. schema_name and identity are NULL if the directory has no such column; a NULL identity in the directory becomes ''''. Errors: 55000 '
    'no directory is set, or it lists the community twice';

CREATE FUNCTION snapback_internal.directory_entries()
RETURNS TABLE (community text, name text, owner text, owner_email text, restores_enabled boolean, schema_name text, identity text)
LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_directory_entries';
COMMENT ON FUNCTION snapback_internal.directory_entries() IS
    'Return all entries of the directory, in byte order of the communities. Errors: 55000 no directory is set, a community is listed twice, or a row '
    'has no community';

CREATE FUNCTION snapback_internal.directory_keys() RETURNS TABLE (community text, identity text)
LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_directory_keys';
COMMENT ON FUNCTION snapback_internal.directory_keys() IS
    'Return key and identity of the communities in the directory; identity is NULL if the directory has no such column. Rows without a community are '
    'skipped; a community that is listed twice yields one row. Errors: 55000 no directory is set';

CREATE FUNCTION snapback.communities() RETURNS SETOF text
LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_communities';
COMMENT ON FUNCTION snapback.communities() IS
    'Return every community of the directory once, in byte order. A row without a community is skipped with a WARNING. Errors: 55000 no directory is '
    'set';

CREATE FUNCTION snapback_internal.community_key() RETURNS TABLE (relation regclass, attnum integer)
LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_community_key';
COMMENT ON FUNCTION snapback_internal.community_key() IS
    'Return the table column from which the directory takes its communities, with or without a cast, and which foreign keys can reference; no row if '
    'the directory computes the communities. Errors: 55000 no directory is set';

CREATE FUNCTION snapback_internal.community_schemas() RETURNS TABLE (community text, schema_name text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Most directories have no column schema_name.
    IF EXISTS (SELECT FROM snapback.directory d
               JOIN pg_attribute a ON a.attrelid = d.relation AND a.attname = 'schema_name' AND NOT a.attisdropped) THEN
        RETURN QUERY SELECT e.community, e.schema_name FROM snapback_internal.directory_entries() e WHERE e.schema_name IS NOT NULL;
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.community_schemas() IS
    'Return the communities that have their own schema, and its name; no row if no directory is set';
