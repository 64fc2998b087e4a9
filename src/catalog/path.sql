-- Community paths: how a table's rows come to their community, through a column of their own or a chain of foreign keys.

CREATE FUNCTION snapback.foreign_keys_from(child regclass)
RETURNS TABLE (name text, parent regclass, columns text[], parent_columns text[], mandatory boolean)
LANGUAGE c STABLE STRICT ROWS 3 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_foreign_keys_from';
COMMENT ON FUNCTION snapback.foreign_keys_from(regclass) IS
    'The foreign keys of a table, by name; those that partitions inherit left out. mandatory: none of its columns takes NULL';

CREATE VIEW snapback.foreign_key AS
SELECT c.oid::regclass AS child, f.name::name AS name, f.parent, f.columns::name[] AS columns,
       f.parent_columns::name[] AS parent_columns, f.mandatory
FROM pg_catalog.pg_class c CROSS JOIN LATERAL snapback.foreign_keys_from(c.oid) f
WHERE c.relkind IN ('r', 'p');
COMMENT ON VIEW snapback.foreign_key IS 'Every declared foreign key, as snapback.foreign_keys_from()';

CREATE FUNCTION snapback.community_key_column() RETURNS TABLE (relation regclass, column_name name)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM snapback.directory) THEN
        RETURN QUERY SELECT k.relation, a.attname
                     FROM snapback.community_key() k
                     JOIN pg_attribute a ON a.attrelid = k.relation AND a.attnum = k.attnum;
    END IF;
END $$;
COMMENT ON FUNCTION snapback.community_key_column() IS
    'As snapback.community_key(), by name; no row where no directory is set';

CREATE FUNCTION snapback.key_columns(relation regclass) RETURNS name[]
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (SELECT array_agg(a.attname ORDER BY k.place)
            FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY k(number, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number)
    FROM pg_index i
    WHERE i.indrelid = key_columns.relation AND i.indisunique AND i.indimmediate AND i.indisvalid
      AND i.indpred IS NULL AND i.indexprs IS NULL
      AND NOT EXISTS (SELECT FROM pg_attribute a
                      WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
                        AND (NOT a.attnotnull OR a.attgenerated <> ''))
    ORDER BY i.indisprimary DESC, i.indexrelid
    LIMIT 1
$$;
COMMENT ON FUNCTION snapback.key_columns(regclass) IS
    'The columns that name a row: of the primary key, or else of the first unique index over plain columns that are all '
    'NOT NULL. NULL where the table has neither';

CREATE FUNCTION snapback.has_column(relation regclass, column_name name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_attribute a
                   WHERE a.attrelid = has_column.relation AND a.attname = has_column.column_name
                     AND a.attnum > 0 AND NOT a.attisdropped)
$$;
COMMENT ON FUNCTION snapback.has_column(regclass, name) IS 'Whether a relation has a column of this name, system columns aside';

CREATE FUNCTION snapback.community_relations(relation_name name)
RETURNS TABLE (community text, schema_name text, relation regclass)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.community, s.schema_name, c.oid::regclass
    FROM snapback.community_schemas() s
    LEFT JOIN pg_namespace n ON n.nspname = s.schema_name
    LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = community_relations.relation_name
    ORDER BY s.community COLLATE "C"
$$;
COMMENT ON FUNCTION snapback.community_relations(name) IS
    'The relation of this name in each community''s own schema; NULL where there is none';

CREATE FUNCTION snapback.resolve_path(relation regclass, community_column name, via name,
                                      OUT path text, OUT state text, OUT problem text, OUT hint text)
LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_resolve_path';
COMMENT ON FUNCTION snapback.resolve_path(regclass, name, name) IS
    'Follows a path from a table to its community''s column: the path as text, such as department_id -> departments.cid; '
    'or, where it leads nowhere, as far as it goes, and the SQLSTATE, the problem and a hint. The table itself need not be '
    'protected yet';

CREATE FUNCTION snapback.path_candidates(relation regclass, parents regclass[])
RETURNS TABLE (community_column name, via name, mandatory boolean, own boolean, arguments text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH key AS (SELECT k.relation, k.column_name FROM snapback.community_key_column() k),
    own_column AS (
        SELECT f.columns[array_position(f.parent_columns, key.column_name)] AS name
        FROM snapback.foreign_key f JOIN key ON key.relation = f.parent
        WHERE f.child = path_candidates.relation AND key.column_name = ANY (f.parent_columns)
        UNION
        SELECT key.column_name FROM key WHERE key.relation = path_candidates.relation
        UNION
        SELECT t.community_column
        FROM pg_inherits i JOIN snapback.protected_table t ON t.relation = i.inhparent AND t.via IS NULL
        WHERE i.inhrelid = path_candidates.relation)
    SELECT a.attname, NULL::name, a.attnotnull, true, format('community_column := %L', a.attname)
    FROM own_column o JOIN pg_attribute a ON a.attrelid = path_candidates.relation AND a.attname = o.name
    UNION ALL
    SELECT p.column_name, f.name, f.mandatory, false,
           format('via := %L', f.name) || coalesce(', community_column := ' || quote_literal(p.column_name), '')
    FROM snapback.foreign_key f
    LEFT JOIN key p ON p.relation = f.parent AND f.parent <> ALL (path_candidates.parents)
    WHERE f.child = path_candidates.relation AND f.parent <> f.child
      AND (f.parent = ANY (path_candidates.parents) OR p.column_name <> ALL (f.parent_columns))
$$;
COMMENT ON FUNCTION snapback.path_candidates(regclass, regclass[]) IS
    'The first steps that a table''s path may take: its own columns with a foreign key to the directory''s key, or '
    'inherited from a table protected by them; foreign keys to the parents given, which have a path; foreign keys to '
    'another key of the table behind the directory. arguments: how to ask snapback.protect() for that one';

CREATE FUNCTION snapback.best_candidates(relation regclass, parents regclass[])
RETURNS TABLE (community_column name, via name, mandatory boolean, own boolean, arguments text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH candidate AS MATERIALIZED (
        SELECT c.* FROM snapback.path_candidates(best_candidates.relation, best_candidates.parents) c),
    nearest AS (SELECT c.*, count(*) FILTER (WHERE c.mandatory) OVER () AS mandatory_ones
                FROM candidate c WHERE c.own = (SELECT bool_or(a.own) FROM candidate a))
    SELECT n.community_column, n.via, n.mandatory, n.own, n.arguments
    FROM nearest n WHERE n.mandatory OR n.mandatory_ones <> 1
    ORDER BY n.arguments COLLATE "C"
$$;
COMMENT ON FUNCTION snapback.best_candidates(regclass, regclass[]) IS
    'Of a table''s path candidates those to choose from: own columns before foreign keys, and where exactly one takes no '
    'NULL, that one. A single row is the path';
