-- What every table under an option holds, table by table and community by community: two fingerprints are equal where
-- the rows are. Tables that reach their community through a parent are taken whole (community is null).
CREATE OR REPLACE FUNCTION cms.fingerprint(OUT relation text, OUT community text, OUT hash text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own_column boolean;
BEGIN
    FOR relation, own_column IN
        SELECT p.relation::text, p.community_column IS NOT NULL AND p.via IS NULL FROM snapback.protected_table p ORDER BY p.id
    LOOP
        FOR community, hash IN EXECUTE format(
            'SELECT %s, md5(string_agg(t::text, E''\n'' ORDER BY t::text COLLATE "C")) FROM %s t GROUP BY 1',
            CASE WHEN own_column THEN 't.cid::text' ELSE 'NULL::text' END, relation)
        LOOP
            RETURN NEXT;
        END LOOP;
    END LOOP;
END $$;
