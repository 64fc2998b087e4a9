-- Tables that belong to communities but are deliberately not protected.

CREATE FUNCTION snapback_internal.end_exclusion(relation regclass) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    WITH ended AS (DELETE FROM snapback.excluded_table e
                   WHERE e.relation = end_exclusion.relation
                      OR e.id IN (SELECT x.id FROM snapback_internal.excluded_relations() x WHERE x.relation = end_exclusion.relation) RETURNING 1)
    SELECT EXISTS (SELECT FROM ended)
$$;
COMMENT ON FUNCTION snapback_internal.end_exclusion(regclass) IS 'Remove the exclusion of a relation; return whether it was excluded';

CREATE FUNCTION snapback.exclude(relation regclass, reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    class pg_class;
BEGIN
    SELECT * INTO class FROM pg_class c WHERE c.oid = exclude.relation;
    PERFORM snapback_internal.refuse('42P01', format('relation %s does not exist', coalesce(exclude.relation::text, 'NULL')), 'Name a table.') WHERE class.oid IS NULL;
    PERFORM snapback_internal.refuse('22023', format('no reason is given for excluding %s', exclude.relation),
                            'The view snapback.protection shows the reason, for example ''a cache that the application refills''.')
    WHERE coalesce(btrim(exclude.reason), '') = '';
    PERFORM snapback_internal.refuse(r.state, r.problem, 'Name a permanent table of your application. A partitioned table is excluded as a whole.')
    FROM snapback_internal.kind_refusal(class) r
    WHERE r.state = '42809' OR class.relpersistence = 't';
    LOCK TABLE snapback.protected_table IN SHARE ROW EXCLUSIVE MODE;
    PERFORM snapback_internal.lock_relation(exclude.relation);
    PERFORM snapback_internal.refuse('55000', format('%s is protected', exclude.relation), 'Call snapback.unprotect() first.')
    WHERE (snapback_internal.protected_as(exclude.relation)).id IS NOT NULL;
    PERFORM snapback_internal.follow_excluded_tables(), snapback_internal.end_exclusion(exclude.relation);
    IF snapback_internal.is_in_community_schema(exclude.relation) THEN
        INSERT INTO snapback.excluded_table (relation_name, reason) VALUES (class.relname, exclude.reason);
    ELSE
        INSERT INTO snapback.excluded_table (relation, schema_name, table_name, reason)
        VALUES (exclude.relation, (SELECT n.nspname FROM pg_namespace n WHERE n.oid = class.relnamespace), class.relname, exclude.reason);
    END IF;
END $$;
COMMENT ON FUNCTION snapback.exclude(regclass, text) IS
    'Exclude a table that belongs to communities, and record the reason. The view snapback.protection shows it as excluded; health() and suggest() '
    'ignore it. Another call for the same table changes the reason. The exclusion continues if the table is renamed, or dropped and recreated. For a '
    'table in the schema of a community it applies to all tables of that name in such schemas. snapback.unexclude() and snapback.protect() end it. '
    'Errors: 42P01 no such table, 42809 or 0A000 not a permanent table of the application, 22023 no reason, 55000 the table is protected';

CREATE FUNCTION snapback.unexclude(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM snapback_internal.refuse('42704', format('%s is not excluded', coalesce(unexclude.relation::text, 'NULL')),
                            'The view snapback.protection lists the excluded tables.')
    WHERE NOT snapback_internal.end_exclusion(unexclude.relation);
END $$;
COMMENT ON FUNCTION snapback.unexclude(regclass) IS 'Remove the exclusion that snapback.exclude() recorded. Errors: 42704 the table is not excluded';
