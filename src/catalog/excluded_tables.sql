-- Tables that are left out of snapshots on purpose.

CREATE TABLE snapback.excluded_table (
    id            integer  PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    relation      regclass UNIQUE,
    schema_name   name,
    table_name    name,
    relation_name name     UNIQUE,
    reason        text     NOT NULL CHECK (reason <> ''),
    CHECK (num_nonnulls(relation, relation_name) = 1),
    CHECK (num_nonnulls(relation, schema_name, table_name) IN (0, 3))
);
COMMENT ON TABLE snapback.excluded_table IS
    'Tables that snapback.exclude() excludes, and why. schema_name, table_name: the name of the table at the last check, which identifies the table '
    'again after it was dropped and recreated. relation_name: a table of this name in the schema of each community';

CREATE FUNCTION snapback_internal.follow_excluded_tables() RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE snapback.excluded_table e SET relation = c.oid, schema_name = n.nspname, table_name = c.relname
    FROM snapback_internal.excluded_relations() x JOIN pg_class c ON c.oid = x.relation JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE x.id = e.id AND e.relation IS NOT NULL AND (e.relation, e.schema_name, e.table_name) IS DISTINCT FROM (c.oid::regclass, n.nspname, c.relname)
$$;
COMMENT ON FUNCTION snapback_internal.follow_excluded_tables() IS
    'Update the recorded names of excluded tables, and the relations that replaced dropped ones';

CREATE FUNCTION snapback_internal.excluded_relations() RETURNS TABLE (id integer, relation regclass, reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e.id, c.oid::regclass, e.reason
    FROM snapback.excluded_table e
    LEFT JOIN pg_class present ON present.oid = e.relation
    JOIN pg_class c ON c.oid = coalesce(present.oid, to_regclass(format('%I.%I', e.schema_name, e.table_name)))
    WHERE e.relation IS NOT NULL AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT e.id, r.relation, e.reason
    FROM snapback.excluded_table e CROSS JOIN LATERAL snapback_internal.community_relations(e.relation_name) r
    WHERE e.relation_name IS NOT NULL AND r.relation IS NOT NULL
$$;
COMMENT ON FUNCTION snapback_internal.excluded_relations() IS
    'Return the excluded relations, including those that have taken the name of a dropped excluded table';
