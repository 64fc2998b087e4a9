-- Maps protected tables to relations and back.

CREATE FUNCTION snapback_internal.relations_of(table_id integer) RETURNS TABLE (relation regclass)
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.relation FROM snapback.protected_table t WHERE t.id = relations_of.table_id AND t.relation IS NOT NULL
    UNION ALL
    SELECT r.relation
    FROM snapback.protected_table t CROSS JOIN LATERAL snapback_internal.community_relations(t.relation_name) r
    WHERE t.id = relations_of.table_id AND t.relation_name IS NOT NULL AND r.relation IS NOT NULL
$$;
COMMENT ON FUNCTION snapback_internal.relations_of(integer) IS
    'Return the relations of a protected table: one relation, or one in the schema of each community';

CREATE FUNCTION snapback_internal.protected_as(relation regclass) RETURNS snapback.protected_table
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t FROM snapback.protected_table t WHERE t.relation = protected_as.relation
    UNION ALL
    SELECT t FROM snapback.protected_table t
    JOIN pg_class c ON c.relname = t.relation_name AND c.oid = protected_as.relation
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN (SELECT s.schema_name FROM snapback_internal.community_schemas() s)
    LIMIT 1
$$;
COMMENT ON FUNCTION snapback_internal.protected_as(regclass) IS 'Return the protected table to which a relation belongs; NULL if it is not protected';

CREATE FUNCTION snapback_internal.is_in_community_schema(relation regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owners text[];
BEGIN
    SELECT array_agg(s.community) INTO owners
    FROM snapback_internal.community_schemas() s
    JOIN pg_namespace n ON n.nspname = s.schema_name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.oid = relation;
    IF cardinality(owners) > 1 THEN
        PERFORM snapback_internal.refuse('55000', format('the schema of %s belongs to more than one community', relation),
                                format('The directory assigns it to: %s.', array_to_string(owners, ', ')));
    END IF;
    RETURN owners IS NOT NULL;
END $$;
COMMENT ON FUNCTION snapback_internal.is_in_community_schema(regclass) IS
    'Return whether a relation is in the schema of a community. Errors: 55000 the directory assigns that schema to several communities';

CREATE FUNCTION snapback_internal.tables_led_through(relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(t.relation::text, ', ' ORDER BY t.id)
    FROM snapback.protected_table t
    JOIN snapback.foreign_key f ON f.child = t.relation AND f.name = t.via
    WHERE f.parent = tables_led_through.relation AND f.parent <> f.child AND t.community_column IS NULL
$$;
COMMENT ON FUNCTION snapback_internal.tables_led_through(regclass) IS
    'Return the other protected tables whose paths lead through a table, as a list for messages; NULL if there are none';
