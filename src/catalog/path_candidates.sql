-- Candidate paths of a table: snapback.protect() chooses from them if no path is specified, and snapback.suggest() prints
-- them.

CREATE FUNCTION snapback_internal.plain_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT translate(lower(name), '_- ', ''); -- inlined into a query over all columns
END;
COMMENT ON FUNCTION snapback_internal.plain_name(text) IS
    'Return a name without case, underscores, hyphens and spaces: tenantId, tenant_id and "Tenant Id" become the same name';

CREATE FUNCTION snapback_internal.singular(name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN name ~* 'ies$' THEN regexp_replace(name, 'ies$', 'y', 'i')
                WHEN name ~* '(s|x|ch|sh)es$' THEN regexp_replace(name, 'es$', '', 'i')
                WHEN name ~* '[^s]s$' THEN regexp_replace(name, 's$', '', 'i')
                ELSE name END
$$;
COMMENT ON FUNCTION snapback_internal.singular(text) IS 'Return the singular of an English table name: communities becomes community';

CREATE FUNCTION snapback_internal.base_type(type oid) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE under AS (
        SELECT t.oid, t.typbasetype FROM pg_type t WHERE t.oid = base_type.type
        UNION ALL
        SELECT t.oid, t.typbasetype FROM under u JOIN pg_type t ON t.oid = u.typbasetype)
    SELECT u.oid FROM under u WHERE u.typbasetype = 0
$$;
COMMENT ON FUNCTION snapback_internal.base_type(oid) IS 'Return the base type of a domain; any other type unchanged';

CREATE FUNCTION snapback_internal.community_column_names() RETURNS TABLE (plain_name text, type oid)
LANGUAGE sql STABLE ROWS 2 SET search_path = pg_catalog, pg_temp
AS $$
    WITH key AS MATERIALIZED (SELECT k.relation, k.column_name FROM snapback_internal.community_key_column() k),
    used AS (
        SELECT f.child AS relation, f.columns[array_position(f.parent_columns, key.column_name)] AS name
        FROM snapback.foreign_key f JOIN key ON key.relation = f.parent
        WHERE f.child <> f.parent AND key.column_name = ANY (f.parent_columns)
        UNION
        SELECT t.relation, t.community_column FROM snapback.protected_table t
        WHERE t.via IS NULL AND t.relation NOT IN (SELECT key.relation FROM key)),
    usual AS (
        SELECT snapback_internal.plain_name(u.name) AS plain_name, snapback_internal.base_type(a.atttypid) AS type
        FROM used u JOIN pg_attribute a ON a.attrelid = u.relation AND a.attname = u.name
        GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2 LIMIT 1)
    SELECT n.plain_name, n.type
    FROM (SELECT u.plain_name, u.type FROM usual u
          UNION
          SELECT snapback_internal.plain_name(snapback_internal.singular(c.relname) || key.column_name), snapback_internal.base_type(a.atttypid)
          FROM key
          JOIN pg_class c ON c.oid = key.relation
          JOIN pg_attribute a ON a.attrelid = key.relation AND a.attname = key.column_name) n
    WHERE n.plain_name <> 'id'
$$;
COMMENT ON FUNCTION snapback_internal.community_column_names() IS
    'Return the usual names of community columns in this database, without case and separators, and their types. They come from the columns that '
    'reference the key of the directory or are protected directly, and from the table behind the directory (tenants.id: tenant_id, tenantId)';

CREATE FUNCTION snapback_internal.named_columns() RETURNS TABLE (relation regclass, column_name name)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH called_so AS MATERIALIZED (
        SELECT a.attrelid, a.attname, a.atttypid, n.type
        FROM snapback_internal.community_column_names() n JOIN pg_attribute a ON snapback_internal.plain_name(a.attname) = n.plain_name
        WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')
    SELECT c.oid::regclass, a.attname
    FROM called_so a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition AND c.oid >= 16384
      AND c.relnamespace NOT IN ('snapback'::regnamespace, 'information_schema'::regnamespace)
      AND c.oid NOT IN (SELECT k.relation FROM snapback_internal.community_key_column() k)
      AND c.oid NOT IN (SELECT d.relation FROM snapback.directory d)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      AND snapback_internal.base_type(a.atttypid) = a.type
      AND NOT EXISTS (SELECT FROM snapback_internal.foreign_keys_from(c.oid) f WHERE f.columns = ARRAY[a.attname::text])
$$;
COMMENT ON FUNCTION snapback_internal.named_columns() IS
    'Return the columns that have the name and the type of a community column but no foreign key of their own';

CREATE TYPE snapback.path_step AS (
    relation         regclass, -- the table whose path starts here
    community_column name,     -- a column of the table; with via, a column of the unprotected parent
    via              name,
    parent           regclass, -- the table that via references
    mandatory        boolean,  -- no column of the step is nullable
    own              boolean,  -- preferred to all foreign keys
    meaning          text      -- a remark for the reader
);
COMMENT ON TYPE snapback.path_step IS 'The first step of a possible path of a table: see path_steps()';

CREATE FUNCTION snapback_internal.path_steps(relations regclass[], named jsonb) RETURNS SETOF snapback.path_step
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH key AS MATERIALIZED (SELECT k.relation, k.column_name FROM snapback_internal.community_key_column() k),
    foreign_key AS MATERIALIZED (
        SELECT f.* FROM unnest(relations) r CROSS JOIN LATERAL (SELECT r AS child, k.* FROM snapback_internal.foreign_keys_from(r) k) f),
    own_column AS (
        SELECT f.child AS relation, f.columns[array_position(f.parent_columns, key.column_name::text)]::name AS name
        FROM foreign_key f JOIN key ON key.relation = f.parent
        WHERE key.column_name = ANY (f.parent_columns)
        UNION
        SELECT key.relation, key.column_name FROM key WHERE key.relation = ANY (relations)
        UNION
        SELECT i.inhrelid, t.community_column
        FROM pg_inherits i JOIN snapback.protected_table t ON t.relation = i.inhparent AND t.via IS NULL
        WHERE i.inhrelid = ANY (relations)),
    named_column AS (
        SELECT r AS relation, n.name::name AS name
        FROM unnest(relations) r CROSS JOIN LATERAL jsonb_array_elements_text(named -> r::oid::text) n(name)
        EXCEPT
        SELECT o.relation, o.name FROM own_column o)
    SELECT o.relation, o.name, NULL::name, NULL::regclass, NOT snapback_internal.takes_null(o.relation, o.name), true, NULL
    FROM own_column o
    UNION ALL
    SELECT n.relation, n.name, NULL, NULL, m.mandatory, m.mandatory, 'guessed from the column name, without a foreign key'
    FROM named_column n
    CROSS JOIN LATERAL (SELECT NOT snapback_internal.takes_null(n.relation, n.name) AS mandatory OFFSET 0) m
    UNION ALL
    SELECT f.child, p.column_name, f.name, f.parent, f.mandatory, false, format('%s -> %s', array_to_string(f.columns, ', '), f.parent)
    FROM foreign_key f
    LEFT JOIN key p ON p.relation = f.parent AND p.column_name <> ALL (f.parent_columns)
    WHERE f.parent <> f.child
$$;
COMMENT ON FUNCTION snapback_internal.path_steps(regclass[], jsonb) IS
    'Return the possible first steps of the paths of these tables, whether or not the parents are protected: columns that reference the key of the '
    'directory, or that a protected parent table passes on by inheritance; the columns in named, a jsonb object of column names by table OID; '
    'foreign keys';

CREATE FUNCTION snapback_internal.best_steps(steps snapback.path_step[], parents regclass[])
RETURNS TABLE (relation regclass, community_column name, via name, mandatory boolean, own boolean, arguments text, meaning text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH candidate AS (
        SELECT s.relation, s.community_column, NULL::name AS via, s.mandatory, s.own, s.meaning FROM unnest(steps) s WHERE s.via IS NULL
        UNION ALL
        SELECT s.relation, CASE WHEN s.parent <> ALL (parents) THEN s.community_column END, s.via, s.mandatory, s.own, s.meaning
        FROM unnest(steps) s
        WHERE s.via IS NOT NULL AND (s.parent = ANY (parents) OR s.community_column IS NOT NULL)),
    nearest AS (SELECT c.*, count(*) FILTER (WHERE c.mandatory) OVER whose AS mandatory_ones, bool_or(c.via IS NULL) OVER whose AS has_column
                FROM (SELECT c.*, bool_or(c.own) OVER (PARTITION BY c.relation) AS has_own FROM candidate c) c
                WHERE c.own = c.has_own
                WINDOW whose AS (PARTITION BY c.relation))
    SELECT n.relation, n.community_column, n.via, n.mandatory, n.own,
           concat_ws(', ', 'via := ' || quote_literal(n.via), 'community_column := ' || quote_literal(n.community_column)), n.meaning
    FROM nearest n
    WHERE (n.mandatory OR n.mandatory_ones <> 1) AND (n.mandatory_ones > 0 OR n.via IS NULL OR NOT n.has_column)
    ORDER BY n.relation::text COLLATE "C", 6
$$;
COMMENT ON FUNCTION snapback_internal.best_steps(snapback.path_step[], regclass[]) IS
    'Return the path steps of each table to choose from, given the protected tables. Columns of the table precede foreign keys to parents that have '
    'a path, or to another key of the table behind the directory. If exactly one step is not nullable, only that one remains; if all are nullable, a '
    'column precedes foreign keys. A single row is the path of the table. arguments: the arguments of snapback.protect() for this step';
