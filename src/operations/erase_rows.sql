-- Erase single rows from every snapshot of a community.

CREATE FUNCTION snapback.erase_rows(community text, relation regclass, keys jsonb) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    erased bigint;
BEGIN
    IF num_nonnulls(erase_rows.community, erase_rows.relation, erase_rows.keys) < 3 THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'name the community, its table, and the keys of the rows to erase';
    END IF;
    IF jsonb_typeof(keys) <> 'array' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'keys must be a jsonb array',
            HINT = 'For example [{"id": 7}].';
    END IF;
    PERFORM snapback_internal.lock_store(true);
    erased := snapback_internal.erase(erase_rows.community, snapback_internal.protected_table_id(relation), keys::text);
    PERFORM snapback_internal.sweep(ARRAY[erase_rows.community]);
    -- What a strict request was refused for may name values that were in the way.
    UPDATE snapback.restore_run r SET changed = NULL WHERE r.community = erase_rows.community AND r.changed IS NOT NULL;
    RETURN erased;
END
$$;
COMMENT ON FUNCTION snapback.erase_rows(text, regclass, jsonb) IS
    'Erase single rows from every snapshot of a community, so that no restore brings them back: [{"key column": value}, …]. Waits for captures and restores to end. '
    'Returns how many rows went, counted in each snapshot; rows that a snapshot does not hold are passed over. The keys that restores have noted of them go too, and the plans that strict requests were refused for. '
    'The live rows are not touched, nor the switches of requests that named rows by key. '
    'Errors: 25001 above READ COMMITTED, 42704 not a protected table, 22023 no keys of it, SB009 its key has changed since a snapshot, XX001 damaged';
