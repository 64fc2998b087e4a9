-- Which path leads a table's rows to their community: the one that is given, or the only one there is.

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
        PERFORM snapback_internal.refuse('55000', format('no directory of communities is set, so no path from %s can be found', relation),
                                'Call snapback.set_directory() first, or name community_column.');
    END IF;
    SELECT array_agg(b.arguments || coalesce(' (' || b.meaning || ')', '')), bool_or(NOT b.own AND NOT b.mandatory), (array_agg(b.community_column))[1],
           (array_agg(b.via))[1]
    INTO found_ones, nullable, community_column, via
    FROM snapback_internal.best_steps(ARRAY(SELECT s FROM snapback_internal.path_steps(ARRAY[relation], '{}') s), parents) b;
    IF cardinality(found_ones) > 1 THEN
        PERFORM snapback_internal.refuse('SB021', format('more than one path leads from %s to a community', relation),
                                'Name one of: ' || array_to_string(found_ones, '; ') || '.');
    END IF;
    IF found_ones IS NULL OR nullable THEN
        SELECT string_agg(f.parent::text, ', ' ORDER BY f.name) INTO unprotected_parents
        FROM snapback.foreign_key f
        WHERE f.child = relation AND f.parent <> f.child AND f.parent <> ALL (parents) AND (f.mandatory OR found_ones IS NULL)
          AND f.parent IN (SELECT u.relation FROM snapback_internal.community_tables() u);
    END IF;
    IF found_ones IS NULL OR unprotected_parents IS NOT NULL THEN
        SELECT format(', such as community_column := %L', min(n.column_name COLLATE "C")) INTO named
        FROM snapback_internal.named_columns() n WHERE n.relation = find_path.relation HAVING count(*) > 0;
        PERFORM snapback_internal.refuse('SB020', format('no path leads from %s to a community', relation),
            coalesce('Protect ' || unprotected_parents || ' first, or name', 'Name') ||
            ' with community_column or via what leads to one' || coalesce(named, '') || '.');
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.find_path(regclass) IS
    'The one path from a table to its community: an own column that refers to the directory''s key, or else a foreign key '
    'to a protected table. SB021, naming them, where there are several; SB020 where there is none, or only one that '
    'takes NULL while a better one leads to a table not protected yet; 55000 where no directory is set';

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
        -- The column may be left out beside a foreign key; the foreign key may not, as the column alone says another path.
        IF explicit AND (via IS DISTINCT FROM present.via
                         OR coalesce(community_column, present.community_column) IS DISTINCT FROM present.community_column) THEN
            PERFORM snapback_internal.refuse('SB023', format('%s is protected already, by another path: %s', relation,
                CASE WHEN present.relation IS NULL THEN 'a schema for each community'
                     ELSE (snapback_internal.resolve_path(relation, present.community_column, present.via)).path END),
                'Leave community_column and via out, or call snapback.unprotect() first.');
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
    'The path that a table is to be protected by: the one asked for, the one it has, or the one that can be found. SB023 '
    'where it has another than is asked for; errors as those of snapback_internal.find_path()';
