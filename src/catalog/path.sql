-- Community paths: they lead from the rows of a table to their community, through a column of the table or a chain of foreign keys.

CREATE FUNCTION snapback_internal.foreign_keys_from(child regclass)
RETURNS TABLE (name text, parent regclass, columns text[], parent_columns text[], mandatory boolean)
LANGUAGE c STABLE STRICT ROWS 3 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_foreign_keys_from';
COMMENT ON FUNCTION snapback_internal.foreign_keys_from(regclass) IS
    'Return the foreign keys of a table, by name, without inherited ones of partitions, NOT ENFORCED ones and temporal ones. mandatory: none of the '
    'columns is nullable';

CREATE VIEW snapback.foreign_key AS
SELECT c.oid::regclass AS child, f.name::name AS name, f.parent, f.columns::name[] AS columns,
       f.parent_columns::name[] AS parent_columns, f.mandatory
FROM pg_catalog.pg_class c CROSS JOIN LATERAL snapback_internal.foreign_keys_from(c.oid) f
WHERE c.relkind IN ('r', 'p');
COMMENT ON VIEW snapback.foreign_key IS 'Every foreign key that a path can use, as snapback_internal.foreign_keys_from() returns them';

CREATE FUNCTION snapback_internal.community_key_column() RETURNS TABLE (relation regclass, column_name name)
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM snapback.directory) THEN
        RETURN QUERY SELECT k.relation, a.attname
                     FROM snapback_internal.community_key() k
                     JOIN pg_attribute a ON a.attrelid = k.relation AND a.attnum = k.attnum;
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.community_key_column() IS 'Return the result of community_key() by column name; no row if no directory is set';

CREATE FUNCTION snapback_internal.key_index(relation regclass) RETURNS oid
LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_key_index';
COMMENT ON FUNCTION snapback_internal.key_index(regclass) IS
    'Return the index whose columns identify a row: the primary key, otherwise the first unique index over plain NOT NULL columns. NULL if the table '
    'has neither';

CREATE FUNCTION snapback_internal.key_columns(relation regclass) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(a.attname ORDER BY k.place)
    FROM pg_index i
    CROSS JOIN unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY k(number, place)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
    WHERE i.indexrelid = snapback_internal.key_index(key_columns.relation)
$$;
COMMENT ON FUNCTION snapback_internal.key_columns(regclass) IS 'Return the columns of key_index(); NULL if the table has no such index';

CREATE FUNCTION snapback_internal.has_column(relation regclass, column_name name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_attribute a
                   WHERE a.attrelid = has_column.relation AND a.attname = has_column.column_name
                     AND a.attnum > 0 AND NOT a.attisdropped)
$$;
COMMENT ON FUNCTION snapback_internal.has_column(regclass, name) IS 'Return whether a relation has a column of this name, ignoring system columns';

CREATE FUNCTION snapback_internal.community_relations(relation_name name)
RETURNS TABLE (community text, schema_name text, relation regclass)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.community, s.schema_name, c.oid::regclass
    FROM snapback_internal.community_schemas() s
    LEFT JOIN pg_namespace n ON n.nspname = s.schema_name
    LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = community_relations.relation_name
    ORDER BY s.community COLLATE "C"
$$;
COMMENT ON FUNCTION snapback_internal.community_relations(name) IS
    'Return the relation of this name in the schema of each community; NULL if the schema has none';

CREATE FUNCTION snapback_internal.resolve_path(relation regclass, community_column name, via name,
                                      OUT path text, OUT state text, OUT problem text, OUT hint text)
LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_resolve_path';
COMMENT ON FUNCTION snapback_internal.resolve_path(regclass, name, name) IS
    'Follow a path from a table to the column of its community; return the path as text, such as department_id -> departments.cid. For a broken path '
    'return the part that exists, the SQLSTATE, the problem and a hint. The table itself need not be protected';

CREATE FUNCTION snapback_internal.path_columns(relation regclass, community_column name, via name) RETURNS name[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN path_columns.via IS NULL THEN ARRAY[path_columns.community_column]
                ELSE (SELECT f.columns::name[] FROM snapback_internal.foreign_keys_from(path_columns.relation) f WHERE f.name = path_columns.via) END;
END $$;
COMMENT ON FUNCTION snapback_internal.path_columns(regclass, name, name) IS 'Return the columns of the table itself at which its path starts';
