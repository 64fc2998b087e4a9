-- The directory: a view of the DBA's that lists the communities. It is read as its owner, never with the extension's rights.

CREATE FUNCTION snapback_internal.directory_entry(key text)
RETURNS TABLE (community text, name text, owner text, owner_email text, restores_enabled boolean, schema_name text, identity text)
LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_directory_entry';
COMMENT ON FUNCTION snapback_internal.directory_entry(text) IS
    'What the directory says of one community; no row where it lists none of that name. restores_enabled is false where '
    'the directory has NULL, schema_name and identity NULL where it has no such column; an identity that is NULL there is ''''. 55000 where no directory is set, or the '
    'community stands there twice';

CREATE FUNCTION snapback_internal.directory_entries()
RETURNS TABLE (community text, name text, owner text, owner_email text, restores_enabled boolean, schema_name text, identity text)
LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_directory_entries';
COMMENT ON FUNCTION snapback_internal.directory_entries() IS
    'The whole directory, in byte order of the communities. 55000 where none is set, where a community stands there twice, '
    'or where a row has no community';

CREATE FUNCTION snapback_internal.directory_keys() RETURNS TABLE (community text, identity text)
LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_directory_keys';
COMMENT ON FUNCTION snapback_internal.directory_keys() IS
    'What tells the communities of the directory apart: key and identity (null: it has no such column). A row without a community is skipped; of a '
    'community that is listed twice one row is returned. 55000 where no directory is set. Internal.';

CREATE FUNCTION snapback.communities() RETURNS SETOF text
LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_communities';
COMMENT ON FUNCTION snapback.communities() IS
    'Every community of the directory, each once, in byte order. A row without a community is passed over with a warning. '
    '55000 where no directory is set';

CREATE FUNCTION snapback_internal.community_key() RETURNS TABLE (relation regclass, attnum integer)
LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_community_key';
COMMENT ON FUNCTION snapback_internal.community_key() IS
    'The table column that the directory''s communities come from, cast or as it is, and to which foreign keys may refer; '
    'no row where the directory computes them. 55000 where no directory is set';

CREATE FUNCTION snapback_internal.community_schemas() RETURNS TABLE (community text, schema_name text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Most directories have no such column; then there is nothing to read.
    IF EXISTS (SELECT FROM snapback.directory d
               JOIN pg_attribute a ON a.attrelid = d.relation AND a.attname = 'schema_name' AND NOT a.attisdropped) THEN
        RETURN QUERY SELECT e.community, e.schema_name FROM snapback_internal.directory_entries() e WHERE e.schema_name IS NOT NULL;
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.community_schemas() IS
    'The communities that have a schema of their own, and its name. No row where no directory is set';

CREATE FUNCTION snapback_internal.check_directory_columns(directory regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    needed record;
    found  text;
BEGIN
    FOR needed IN
        SELECT * FROM (VALUES ('community',        NULL::regtype[],               true),
                              ('name',             NULL,                          true),
                              ('owner',            NULL,                          true),
                              ('owner_email',      NULL,                          true),
                              ('restores_enabled', '{boolean}',                   true),
                              ('schema_name',      '{name,text,"character varying"}', false),
                              ('identity',         NULL,                          false)) v(column_name, types, required)
    LOOP
        SELECT CASE WHEN needed.types IS NULL
                      OR coalesce(nullif(t.typbasetype, 0), t.oid)::regtype = ANY (needed.types)
                    THEN '' ELSE format_type(a.atttypid, NULL) END
        INTO found
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = directory AND a.attname = needed.column_name AND a.attnum > 0 AND NOT a.attisdropped;
        IF found IS NULL AND needed.required THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_column',
                MESSAGE = format('the directory %s has no column "%s"', directory, needed.column_name),
                HINT = 'A directory has the columns community, name, owner, owner_email and restores_enabled, '
                       'and may have schema_name (the community''s own schema) and identity (what changes when a key is used again).';
        ELSIF found <> '' THEN
            RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
                MESSAGE = format('column "%s" of the directory %s is of type %s', needed.column_name, directory, found),
                HINT = format('It must be %s.', array_to_string(needed.types, ' or '));
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback_internal.check_directory_columns(regclass) IS
    'Refuses a directory that lacks a column (42703) or has one of the wrong type (42804), naming it';

CREATE FUNCTION snapback_internal.warn_of_disowned_snapshots() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    SELECT count(DISTINCT d.community) AS communities, min(d.community COLLATE "C") AS first INTO found
    FROM snapback_internal.disowned_snapshots() d WHERE d.noticed_at IS NULL;
    IF found.communities > 0 THEN
        RAISE WARNING USING MESSAGE = format('this directory does not list %s of the communities that have snapshots, or gives them another identity', found.communities),
            DETAIL = format('The first of them is "%s".', found.first),
            HINT = 'Their snapshots cannot be restored. If this is the wrong directory, set the right one, and call snapback.adopt_snapshots() for each community '
                   'that health() names.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.warn_of_disowned_snapshots() IS
    'A WARNING where snapshots belong to no community of the directory and that has not been noticed before. Internal.';

CREATE FUNCTION snapback.set_directory(directory regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    class pg_class;
BEGIN
    SELECT * INTO class FROM pg_class c WHERE c.oid = directory;
    IF class.oid IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table', MESSAGE = 'the directory does not exist',
            HINT = 'Name a view or a table that has one row per community.';
    END IF;
    IF class.relkind NOT IN ('v', 'm', 'r', 'p') OR class.relpersistence <> 'p' THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
            MESSAGE = format('%s cannot be the directory of communities', directory),
            HINT = 'Name a view or a table that is permanent.';
    END IF;
    PERFORM snapback_internal.check_directory_columns(directory);
    IF EXISTS (SELECT FROM snapback.protected_table WHERE relation_name IS NOT NULL)
       AND NOT EXISTS (SELECT FROM pg_attribute a
                       WHERE a.attrelid = directory AND a.attname = 'schema_name' AND NOT a.attisdropped) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the directory %s has no column "schema_name", by which tables are protected', directory),
            DETAIL = (SELECT format('Protected in every community''s schema: %s.', string_agg(quote_ident(t.relation_name), ', ' ORDER BY t.id))
                      FROM snapback.protected_table t WHERE t.relation_name IS NOT NULL),
            HINT = 'Add that column, or call snapback.unprotect() for those tables first.';
    END IF;
    INSERT INTO snapback.directory (relation) VALUES (directory)
    ON CONFLICT (single) DO UPDATE SET relation = EXCLUDED.relation;
    -- Read it once, so that what is wrong with its rows is said now and not at night.
    PERFORM FROM snapback_internal.directory_entries();
    PERFORM snapback_internal.warn_of_disowned_snapshots();
END $$;
COMMENT ON FUNCTION snapback.set_directory(regclass) IS
    'Names the view or table with one row per community, in place of any named before. Its columns: community (any type), '
    'name, owner, owner_email (any type that reads as text), restores_enabled boolean, and optionally schema_name and identity '
    '(any type: what changes when another community gets the same key, such as its creation time). It is '
    'read as its owner. A WARNING says which communities with snapshots it does not list. 42703 or 42804 where a column is missing or of the wrong type, 42809 where it is no view or table, '
    '55000 where a community stands there twice or a row has none';
