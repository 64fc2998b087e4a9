-- Which view or table is the directory of communities.

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
                HINT = 'A directory has the columns community, name, owner, owner_email and restores_enabled. '
                       'The columns schema_name (the schema of the community) and identity (a value that changes when a key is reused) are optional.';
        ELSIF found <> '' THEN
            RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
                MESSAGE = format('column "%s" of the directory %s is of type %s', needed.column_name, directory, found),
                HINT = format('It must be %s.', array_to_string(needed.types, ' or '));
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback_internal.check_directory_columns(regclass) IS
    'Check the columns of a directory. Errors: 42703 a column is missing, 42804 a column has the wrong type';

CREATE FUNCTION snapback_internal.warn_of_disowned_snapshots() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found record;
BEGIN
    SELECT count(DISTINCT d.community) AS communities, min(d.community COLLATE "C") AS first INTO found
    FROM snapback_internal.disowned_snapshots() d WHERE d.noticed_at IS NULL;
    IF found.communities > 0 THEN
        RAISE WARNING USING MESSAGE = format('this directory does not list %s of the communities that have snapshots, or lists them with another identity', found.communities),
            DETAIL = format('The first such community is "%s".', found.first),
            HINT = 'Their snapshots cannot be restored. If this is the wrong directory, set the correct one and call snapback.adopt_snapshots() for each community '
                   'that snapback.health() reports.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.warn_of_disowned_snapshots() IS
    'Raise a WARNING if snapshots belong to no community of the directory and no departure has been recorded for them';

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
            MESSAGE = format('the directory %s has no column "schema_name", which protected tables require', directory),
            DETAIL = (SELECT format('Tables protected in the schema of each community: %s.', string_agg(quote_ident(t.relation_name), ', ' ORDER BY t.id))
                      FROM snapback.protected_table t WHERE t.relation_name IS NOT NULL),
            HINT = 'Add that column, or call snapback.unprotect() for those tables first.';
    END IF;
    INSERT INTO snapback.directory (relation) VALUES (directory)
    ON CONFLICT (single) DO UPDATE SET relation = EXCLUDED.relation;
    -- Read the directory once, so that errors in its rows appear now and not during the next capture.
    PERFORM FROM snapback_internal.directory_entries();
    PERFORM snapback_internal.warn_of_disowned_snapshots();
END $$;
COMMENT ON FUNCTION snapback.set_directory(regclass) IS
    'Set the directory: a view or table with one row per community, read as its owner. It replaces the previous directory. Columns: community (any '
    'type); name, owner, owner_email (any type that casts to text); restores_enabled boolean; optionally schema_name, and identity (any type: a '
    'value that changes when another community gets the same key, such as its creation time). A WARNING reports communities with snapshots that the '
    'directory does not list. Errors: 42P01 no such relation, 42703 a column is missing, 42804 a column has the wrong type, 42809 not a permanent '
    'view or table, 55000 a community is listed twice, a row has no community, or schema_name is missing while tables are protected by name';
