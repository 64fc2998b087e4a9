-- Nullable columns on paths: a row with NULL in such a column belongs to no community.

CREATE FUNCTION snapback_internal.takes_null(relation regclass, column_name name) RETURNS boolean
LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_takes_null';
COMMENT ON FUNCTION snapback_internal.takes_null(regclass, name) IS
    'Return whether a column is nullable: it has neither NOT NULL nor a valid CHECK constraint that consists of IS NOT NULL. NULL if there is no '
    'such column';

CREATE FUNCTION snapback_internal.nullable_steps(relation regclass, community_column name, via name)
RETURNS TABLE (step integer, relation regclass, column_name text)
LANGUAGE c STABLE ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_nullable_steps';
COMMENT ON FUNCTION snapback_internal.nullable_steps(regclass, name, name) IS
    'Return the nullable columns on the path of a table, step by step, starting with the columns of the table itself. A column that the foreign key '
    'of the previous step references does not count';

CREATE FUNCTION snapback_internal.null_note(relation regclass, community_column name, via name) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('rows where %s is NULL belong to no community and are not captured',
                  string_agg(CASE n.step WHEN 1 THEN '' ELSE n.relation || '.' END || quote_ident(n.column_name), ' or '
                             ORDER BY n.step, n.column_name COLLATE "C"))
    FROM snapback_internal.nullable_steps(null_note.relation, null_note.community_column, null_note.via) n
    HAVING count(*) > 0
$$;
COMMENT ON FUNCTION snapback_internal.null_note(regclass, name, name) IS
    'Return a note about the nullable columns on the path of a table; NULL if there are none';

CREATE FUNCTION snapback_internal.rows_outside() RETURNS TABLE (relation regclass, column_name name, estimate bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.relation, c.column_name, ceil(s.stanullfrac * size.tuples)::bigint
    FROM snapback.protected_table t
    CROSS JOIN LATERAL unnest(snapback_internal.path_columns(t.relation, t.community_column, t.via)) c(column_name)
    JOIN pg_attribute a ON a.attrelid = t.relation AND a.attname = c.column_name
    JOIN pg_class r ON r.oid = t.relation
    JOIN pg_statistic s ON s.starelid = t.relation AND s.staattnum = a.attnum AND s.stainherit = (r.relkind = 'p')
    CROSS JOIN LATERAL (SELECT sum(greatest(p.reltuples, 0)) AS tuples
                        FROM (SELECT t.relation AS relid UNION SELECT i.relid FROM pg_partition_tree(t.relation) i) i
                        JOIN pg_class p ON p.oid = i.relid AND p.relkind = 'r') size
    WHERE s.stanullfrac * size.tuples > 0 AND snapback_internal.takes_null(t.relation, c.column_name)
$$;
COMMENT ON FUNCTION snapback_internal.rows_outside() IS
    'Return the columns of protected tables whose NULLs leave rows without a community, and the estimated number of such rows. The estimate uses the '
    'statistics of the last ANALYZE';
