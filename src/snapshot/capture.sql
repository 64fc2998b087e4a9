-- Taking snapshots: of one community, or of all of them in the night.

CREATE FUNCTION snapback_internal.capture_batch(communities text[], kind text, label text) RETURNS uuid[]
    LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'snapback_capture_batch';
COMMENT ON FUNCTION snapback_internal.capture_batch(text[], text, text) IS
    'Capture these communities under one MVCC snapshot, in one pass over each table; return the snapshots'' ids in the same order. '
    'label: up to 1000 characters (22001), empty for none. Any failure is an error and stores nothing. Internal: call capture() or capture_all().';

CREATE FUNCTION snapback_internal.check_protection() RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM snapback.protected_table) THEN
        RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'no table is protected, so there is nothing to capture',
            HINT = 'Register the tables first with snapback.protect(); snapback.suggest() says how.';
    END IF;
END
$$;
COMMENT ON FUNCTION snapback_internal.check_protection() IS '55000 where no table is protected: a snapshot would be empty, and nobody would know';

CREATE FUNCTION snapback.capture(community text, label text DEFAULT NULL) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    captured uuid;
BEGIN
    PERFORM snapback_internal.hold_extension();
    IF NOT EXISTS (SELECT FROM snapback_internal.directory_entry(capture.community)) THEN
        RAISE EXCEPTION USING ERRCODE = 'SB007', MESSAGE = format('community %s is not in the directory', coalesce(quote_literal(capture.community), 'NULL')),
            HINT = 'It goes by what the directory has in its column community: SELECT * FROM snapback.communities().';
    END IF;
    PERFORM snapback_internal.check_protection();
    captured := (snapback_internal.capture_batch(ARRAY[capture.community], 'manual', coalesce(capture.label, '')))[1];
    PERFORM snapback_internal.note_departures(), snapback_internal.follow_excluded_tables();
    RETURN captured;
END
$$;
COMMENT ON FUNCTION snapback.capture(text, text) IS
    'Capture one community now and return the snapshot''s id. label: up to 1000 characters. Errors: SB007 the community is not in the directory, 22001 the label is too long, 55000 no table is protected; '
    'whatever keeps a protected table from being read whole.';

-- Captures what it can of a set of communities: all at once, or where one of them fails, half by half.
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
        RAISE WARNING 'community % was not captured: %', communities[1], reason;
        RETURN 0;
    END IF;
    RETURN snapback_internal.capture_some(communities[:half]) + snapback_internal.capture_some(communities[half + 1:]);
END
$$;
COMMENT ON FUNCTION snapback_internal.capture_some(text[]) IS
    'Capture these communities; record those that fail in snapback.capture_failure; return how many succeeded. Internal.';

CREATE PROCEDURE snapback.capture_all(batch integer DEFAULT 1000)
    LANGUAGE plpgsql
AS $$
DECLARE
    everyone pg_catalog.text[]; -- looked for before any SET
    captured integer := 0;
    lowest integer := 1;
    highest integer;
BEGIN
    -- A procedure that commits cannot have a SET clause, and what it sets locally ends with each transaction.
    SET LOCAL search_path = pg_catalog, pg_temp;
    PERFORM snapback_internal.hold_extension();
    IF batch IS NULL OR batch < 1 THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'batch must be at least 1 community';
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
        RAISE EXCEPTION USING ERRCODE = 'SB013', MESSAGE = format('none of %s communities was captured', cardinality(everyone)),
            DETAIL = (SELECT format('Community %s: %s', f.community, f.message) FROM snapback.capture_failure f
                      WHERE f.community = ANY (everyone) ORDER BY f.failed_at DESC LIMIT 1),
            HINT = 'SELECT * FROM snapback.health() names each and what to do.';
    END IF;
END
$$;
COMMENT ON PROCEDURE snapback.capture_all(integer) IS
    'Capture every community of the directory, so many at a time, and commit after each batch. A community that fails is '
    'recorded in snapback.capture_failure and costs the others nothing. Communities that have left the directory are noted: '
    'their snapshots belong to nobody from then on. Progress is reported with INFO messages. Errors: SB013, at the end, where every community failed, so that pg_cron counts '
    'the job as failed; 55000 no table is protected; 22023 batch is less than 1.';
