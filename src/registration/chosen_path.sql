-- Selects the path from a table to its community: the specified path, or the only one that exists.

CREATE FUNCTION snapback_internal.find_path(relation regclass, OUT community_column name, OUT via name)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parents    regclass[] := ARRAY(SELECT t.relation FROM snapback.protected_table t WHERE t.relation IS NOT NULL);
    found_ones text[];
    nullable   boolean;
    unprotected_parents text;
    named      text;
BEGIN
    IF NOT EXISTS (SELECT FROM snapback.directory) THEN
        PERFORM snapback_internal.refuse('55000', format('cannot find a path from %s to a community because no directory is set', relation),
                                'Call snapback.set_directory() first, or specify community_column.');
    END IF;
    SELECT array_agg(b.arguments || coalesce(' (' || b.meaning || ')', '')), bool_or(NOT b.own AND NOT b.mandatory), (array_agg(b.community_column))[1],
           (array_agg(b.via))[1]
    INTO found_ones, nullable, community_column, via
    FROM snapback_internal.best_steps(ARRAY(SELECT s FROM snapback_internal.path_steps(ARRAY[relation], '{}') s), parents) b;
    IF cardinality(found_ones) > 1 THEN
        PERFORM snapback_internal.refuse('SB021', format('more than one path leads from %s to a community', relation),
                                'Specify one of: ' || array_to_string(found_ones, '; ') || '.');
    END IF;
    IF found_ones IS NULL OR nullable THEN
        SELECT string_agg(f.parent::text, ', ' ORDER BY f.name) INTO unprotected_parents
        FROM snapback.foreign_key f
        WHERE f.child = relation AND f.parent <> f.child AND f.parent <> ALL (parents) AND (f.mandatory OR found_ones IS NULL)
          AND f.parent IN (SELECT u.relation FROM snapback_internal.community_tables() u);
    END IF;
    IF found_ones IS NULL OR unprotected_parents IS NOT NULL THEN
        SELECT format(', for example community_column := %L', min(n.column_name COLLATE "C")) INTO named
        FROM snapback_internal.named_columns() n WHERE n.relation = find_path.relation HAVING count(*) > 0;
        PERFORM snapback_internal.refuse('SB020', format('no path leads from %s to a community', relation),
            coalesce('Protect ' || unprotected_parents || ' first, or specify', 'Specify') ||
            ' community_column or via' || coalesce(named, '') || '.');
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.find_path(regclass) IS
    'Return the path from a table to its community: a column of the table that references the key of the directory, otherwise a foreign key to a '
    'protected table. Errors: SB021 several paths, listed in the hint; SB020 no path, or only a nullable one while a better one leads to an '
    'unprotected table; 55000 no directory is set';

CREATE FUNCTION snapback_internal.choose_path(relation regclass, present snapback.protected_table, community_column name, via name)
RETURNS snapback.protected_table
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    explicit boolean := num_nonnulls(community_column, via) > 0;
    broken   boolean := present.relation IS NOT NULL
                        AND (snapback_internal.resolve_path(present.relation, present.community_column, present.via)).state IS NOT NULL;
    chosen   snapback.protected_table := present;
BEGIN
    IF present.id IS NOT NULL AND NOT broken THEN
        -- The caller may omit the column next to a foreign key, but not the foreign key: the column alone means another path.
        IF explicit AND (via IS DISTINCT FROM present.via
                         OR coalesce(community_column, present.community_column) IS DISTINCT FROM present.community_column) THEN
            PERFORM snapback_internal.refuse('SB023', format('%s is already protected by another path: %s', relation,
                CASE WHEN present.relation IS NULL THEN 'one schema per community'
                     ELSE (snapback_internal.resolve_path(relation, present.community_column, present.via)).path END),
                'Omit community_column and via, or call snapback.unprotect() first.');
        END IF;
        present.registered_column := coalesce(community_column, present.registered_column);
        RETURN present;
    END IF;
    chosen.relation := relation;
    IF explicit THEN
        chosen.community_column := community_column;
        chosen.via := via;
    ELSIF snapback_internal.is_in_community_schema(relation) THEN
        chosen.relation := NULL;
        SELECT c.relname INTO chosen.relation_name FROM pg_class c WHERE c.oid = relation;
    ELSE
        SELECT p.community_column, p.via INTO chosen.community_column, chosen.via FROM snapback_internal.find_path(relation) p;
    END IF;
    chosen.registered_column := chosen.community_column;
    RETURN chosen;
END $$;
COMMENT ON FUNCTION snapback_internal.choose_path(regclass, snapback.protected_table, name, name) IS
    'Return the registration of a table with the path that protect() uses: the specified path, the present one, or the one that find_path() finds. '
    'Errors: SB023 the table already has another path; those of find_path()';
