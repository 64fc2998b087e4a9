-- Erases single rows from every snapshot of a community.

CREATE FUNCTION snapback.erase_rows(community text, relation regclass, keys jsonb) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    erased bigint;
BEGIN
    IF num_nonnulls(erase_rows.community, erase_rows.relation, erase_rows.keys) < 3 THEN
        RAISE EXCEPTION USING ERRCODE = '22004', MESSAGE = 'community, relation and keys must not be null';
    END IF;
    IF jsonb_typeof(keys) <> 'array' THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'keys must be a jsonb array',
            HINT = 'For example [{"id": 7}].';
    END IF;
    PERFORM snapback_internal.lock_store(true);
    erased := snapback_internal.erase(erase_rows.community, snapback_internal.protected_table_id(relation), keys::text);
    PERFORM snapback_internal.sweep(ARRAY[erase_rows.community]);
    DELETE FROM snapback.basis b WHERE NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.basis = b.id);
    PERFORM snapback_internal.erase_removed_keys(erase_rows.community);
    -- The plan of a refused strict request may contain values of these rows.
    UPDATE snapback.restore_run r SET changed = NULL WHERE r.community = erase_rows.community AND r.changed IS NOT NULL;
    RETURN erased;
END
$$;
COMMENT ON FUNCTION snapback.erase_rows(text, regclass, jsonb) IS
    'Erase single rows from every snapshot of a community, so that no restore can restore them. keys: [{"key column": value}, …]. Waits for captures and '
    'restores to end. Returns the number of erased rows, counted in each snapshot; rows that a snapshot does not contain are ignored. Also deletes these '
    'keys from the records of restores, and the stored plans of refused strict requests. Does not change live rows, or the switches of requests that name '
    'rows by key. Errors: 25001 above READ COMMITTED, 42704 not a protected table, 22023 invalid keys, SB009 the key has changed since a snapshot, XX001 '
    'a snapshot is damaged';
