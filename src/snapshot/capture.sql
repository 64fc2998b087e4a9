-- Captures snapshots of one community, or of all communities.

CREATE FUNCTION snapback_internal.capture_batch(communities text[], kind text, label text) RETURNS uuid[]
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_capture_batch';
COMMENT ON FUNCTION snapback_internal.capture_batch(text[], text, text) IS
    'Capture these communities under one MVCC snapshot, with one scan of each table; return the IDs of the snapshots in the same order. kind: '
    'scheduled, manual or before_restore. label: up to 1000 characters, or empty for none. Errors: 22001 the label is too long; any error of a '
    'table, in which case nothing is stored';

CREATE FUNCTION snapback_internal.check_protection() RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM snapback.protected_table) THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'no table is protected',
            HINT = 'Protect the tables with snapback.protect() first. snapback.suggest() prints the calls.';
    END IF;
END
$$;
COMMENT ON FUNCTION snapback_internal.check_protection() IS 'Raise 55000 if no table is protected, because all snapshots would be empty';

CREATE FUNCTION snapback.capture(community text, label text DEFAULT NULL) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    captured uuid;
BEGIN
    PERFORM snapback_internal.hold_extension();
    IF NOT EXISTS (SELECT FROM snapback_internal.directory_entry(capture.community)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SB007', MESSAGE = format('community %s is not in the directory', coalesce(quote_literal(capture.community), 'NULL')),
            HINT = 'Specify a value from the column community of the directory: SELECT * FROM snapback.communities().';
    END IF;
    PERFORM snapback_internal.check_protection();
    captured := (snapback_internal.capture_batch(ARRAY[capture.community], 'manual', coalesce(capture.label, '')))[1];
    PERFORM snapback_internal.note_departures(), snapback_internal.follow_excluded_tables();
    RETURN captured;
END
$$;
COMMENT ON FUNCTION snapback.capture(text, text) IS
    'Capture one community and return the ID of the snapshot. label: up to 1000 characters. Errors: SB007 the community is not in the directory; '
    '22001 the label is too long; 55000 no table is protected; any error that prevents reading a protected table';

-- Captures the communities together. If one fails, captures each half separately, recursively.
CREATE FUNCTION snapback_internal.capture_some(communities text[]) RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    half integer := cardinality(communities) / 2;
    state text;
    reason text;
    advice text;
BEGIN
    BEGIN
        RETURN cardinality(snapback_internal.capture_batch(communities, 'scheduled', ''));
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, reason = MESSAGE_TEXT, advice = PG_EXCEPTION_HINT;
    END;
    IF half = 0 THEN
        INSERT INTO snapback.capture_failure (community, sqlstate, message, hint) VALUES (communities[1], state, reason, nullif(advice, ''));
        RAISE WARNING 'could not capture community %: %', communities[1], reason;
        RETURN 0;
    END IF;
    RETURN snapback_internal.capture_some(communities[:half]) + snapback_internal.capture_some(communities[half + 1:]);
END
$$;
COMMENT ON FUNCTION snapback_internal.capture_some(text[]) IS
    'Capture these communities, record failed ones in snapback.capture_failure, and return the number of captured ones';

CREATE PROCEDURE snapback.capture_all(batch integer DEFAULT 1000)
    LANGUAGE plpgsql
AS $$
DECLARE
    everyone pg_catalog.text[]; -- resolved before SET LOCAL search_path
    captured integer := 0;
    lowest integer := 1;
    highest integer;
BEGIN
    -- A procedure that commits cannot have a SET clause, and SET LOCAL ends with each transaction.
    SET LOCAL search_path = pg_catalog, pg_temp;
    PERFORM snapback_internal.hold_extension();
    IF batch IS NULL OR batch < 1 THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'batch must be at least 1';
    END IF;
    PERFORM snapback_internal.check_protection();
    PERFORM snapback_internal.note_departures(), snapback_internal.follow_excluded_tables();
    everyone := ARRAY(SELECT c FROM snapback.communities() AS c ORDER BY c COLLATE "C");
    WHILE lowest <= cardinality(everyone) LOOP
        highest := least(lowest + batch - 1, cardinality(everyone));
        captured := captured + snapback_internal.capture_some(everyone[lowest:highest]);
        PERFORM snapback_internal.note_departures();
        COMMIT;
        SET LOCAL search_path = pg_catalog, pg_temp;
        PERFORM snapback_internal.hold_extension();
        RAISE INFO 'captured % of % communities, % failed', captured, cardinality(everyone), highest - captured;
        lowest := highest + 1;
    END LOOP;
    IF captured = 0 AND cardinality(everyone) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'SB013', MESSAGE = format('could not capture any of %s communities', cardinality(everyone)),
            DETAIL = (SELECT format('Community %s: %s', f.community, f.message) FROM snapback.capture_failure f
                      WHERE f.community = ANY (everyone) ORDER BY f.failed_at DESC LIMIT 1),
            HINT = 'SELECT * FROM snapback.health() shows the failures and their remedies.';
    END IF;
END
$$;
COMMENT ON PROCEDURE snapback.capture_all(integer) IS
    'Capture every community of the directory. batch: the number of communities per transaction. A community that fails does not affect the others; '
    'it is recorded in snapback.capture_failure. The procedure also records communities that have left the directory; their snapshots then belong to '
    'no community. INFO messages report progress. Errors: SB013 every community failed (raised at the end, so that pg_cron marks the job as failed); '
    '55000 no table is protected; 22023 batch is less than 1';
