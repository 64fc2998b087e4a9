-- The paths that offer themselves to a table: what snapback.protect() finds when no path is named, and what
-- snapback.suggest() prints.

CREATE FUNCTION snapback.plain_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT replace(lower(name), '_', '') $$;
COMMENT ON FUNCTION snapback.plain_name(text) IS 'A name without case and underscores: tenantId and tenant_id are one';

CREATE FUNCTION snapback.singular(name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN name ~* 'ies$' THEN regexp_replace(name, 'ies$', 'y', 'i')
                WHEN name ~* '(s|x|ch|sh)es$' THEN regexp_replace(name, 'es$', '', 'i')
                WHEN name ~* '[^s]s$' THEN regexp_replace(name, 's$', '', 'i')
                ELSE name END
$$;
COMMENT ON FUNCTION snapback.singular(text) IS 'What one of the rows of a table is called: communities, community';

CREATE FUNCTION snapback.base_type(type oid) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE under AS (
        SELECT t.oid, t.typbasetype FROM pg_type t WHERE t.oid = base_type.type
        UNION ALL
        SELECT t.oid, t.typbasetype FROM under u JOIN pg_type t ON t.oid = u.typbasetype)
    SELECT u.oid FROM under u WHERE u.typbasetype = 0
$$;
COMMENT ON FUNCTION snapback.base_type(oid) IS 'The type under a domain; any other as it is';

CREATE FUNCTION snapback.community_column_names() RETURNS TABLE (plain_name text, type oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH key AS MATERIALIZED (SELECT k.relation, k.column_name FROM snapback.community_key_column() k),
    used AS (
        SELECT f.child AS relation, f.columns[array_position(f.parent_columns, key.column_name)] AS name
        FROM snapback.foreign_key f JOIN key ON key.relation = f.parent
        WHERE f.child <> f.parent AND key.column_name = ANY (f.parent_columns)
        UNION
        SELECT t.relation, t.community_column FROM snapback.protected_table t
        WHERE t.via IS NULL AND t.relation NOT IN (SELECT key.relation FROM key)),
    usual AS (
        SELECT snapback.plain_name(u.name) AS plain_name, snapback.base_type(a.atttypid) AS type
        FROM used u JOIN pg_attribute a ON a.attrelid = u.relation AND a.attname = u.name
        GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2 LIMIT 1)
    SELECT n.plain_name, n.type
    FROM (SELECT u.plain_name, u.type FROM usual u
          UNION
          SELECT snapback.plain_name(snapback.singular(c.relname) || key.column_name), snapback.base_type(a.atttypid)
          FROM key
          JOIN pg_class c ON c.oid = key.relation
          JOIN pg_attribute a ON a.attrelid = key.relation AND a.attname = key.column_name) n
    WHERE n.plain_name <> 'id'
$$;
COMMENT ON FUNCTION snapback.community_column_names() IS
    'What a column that holds a community is called in this database, and of which type it is: as most of those that refer '
    'to the directory''s key or are protected by it, or after the table behind the directory (tenants.id: tenant_id, tenantId)';

CREATE FUNCTION snapback.named_columns() RETURNS TABLE (relation regclass, column_name name)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.oid::regclass, a.attname
    FROM snapback.community_column_names() n
    JOIN pg_attribute a ON snapback.plain_name(a.attname) = n.plain_name
    JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition AND c.oid >= 16384
      AND c.relnamespace NOT IN ('snapback'::regnamespace, 'information_schema'::regnamespace)
      AND c.oid NOT IN (SELECT k.relation FROM snapback.community_key_column() k)
      AND c.oid NOT IN (SELECT d.relation FROM snapback.directory d)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND snapback.base_type(a.atttypid) = n.type
      AND NOT EXISTS (SELECT FROM snapback.foreign_keys_from(c.oid) f WHERE f.columns = ARRAY[a.attname::text])
$$;
COMMENT ON FUNCTION snapback.named_columns() IS
    'Columns that are called like one that holds a community and have its type, though no foreign key of theirs alone says so';

CREATE FUNCTION snapback.path_candidates(relation regclass, parents regclass[], named name[])
RETURNS TABLE (community_column name, via name, mandatory boolean, own boolean, arguments text, meaning text)
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
    SELECT o.name, NULL::name, NOT snapback.takes_null(path_candidates.relation, o.name), true,
           format('community_column := %L', o.name), NULL
    FROM own_column o
    UNION ALL
    SELECT n.name, NULL, m.mandatory, m.mandatory, format('community_column := %L', n.name),
           'a guess by its name: no foreign key says so'
    FROM unnest(path_candidates.named) n(name)
    CROSS JOIN LATERAL (SELECT NOT snapback.takes_null(path_candidates.relation, n.name) AS mandatory) m
    WHERE n.name NOT IN (SELECT o.name FROM own_column o)
    UNION ALL
    SELECT p.column_name, f.name, f.mandatory, false,
           format('via := %L', f.name) || coalesce(', community_column := ' || quote_literal(p.column_name), ''),
           format('%s -> %s', array_to_string(f.columns, ', '), f.parent)
    FROM snapback.foreign_key f
    LEFT JOIN key p ON p.relation = f.parent AND f.parent <> ALL (path_candidates.parents)
    WHERE f.child = path_candidates.relation AND f.parent <> f.child
      AND (f.parent = ANY (path_candidates.parents) OR p.column_name <> ALL (f.parent_columns))
$$;
COMMENT ON FUNCTION snapback.path_candidates(regclass, regclass[], name[]) IS
    'The first steps that a table''s path may take: its own columns with a foreign key to the directory''s key, or '
    'inherited from a table protected by them; those named, which look like one; foreign keys to the parents given, which '
    'have a path; foreign keys to another key of the table behind the directory. own: better than any foreign key. arguments: how to ask snapback.protect() for that one; meaning: what a reader should know of it';

CREATE FUNCTION snapback.best_candidates(relation regclass, parents regclass[], named name[])
RETURNS TABLE (community_column name, via name, mandatory boolean, own boolean, arguments text, meaning text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH candidate AS MATERIALIZED (
        SELECT c.* FROM snapback.path_candidates(best_candidates.relation, best_candidates.parents, best_candidates.named) c),
    nearest AS (SELECT c.*, count(*) FILTER (WHERE c.mandatory) OVER () AS mandatory_ones,
                       bool_or(c.via IS NULL) OVER () AS has_column
                FROM candidate c WHERE c.own = (SELECT bool_or(a.own) FROM candidate a))
    SELECT n.community_column, n.via, n.mandatory, n.own, n.arguments, n.meaning
    FROM nearest n
    WHERE (n.mandatory OR n.mandatory_ones <> 1) AND (n.mandatory_ones > 0 OR n.via IS NULL OR NOT n.has_column)
    ORDER BY n.arguments COLLATE "C"
$$;
COMMENT ON FUNCTION snapback.best_candidates(regclass, regclass[], name[]) IS
    'Of a table''s path candidates those to choose from: own columns before foreign keys, and where exactly one takes no '
    'NULL, that one; where all take NULL, a column before foreign keys. A single row is the path';
