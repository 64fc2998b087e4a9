-- Deletes old records of requests and restores.

CREATE FUNCTION snapback_internal.prune_record() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept   interval := (SELECT s.audit_retention FROM snapback_internal.approval_settings() s);
    oldest timestamptz := clock_timestamp() - kept;
BEGIN
    IF kept = interval '0' THEN
        RETURN;
    END IF;
    DELETE FROM snapback.audit a WHERE a.at < oldest;
    -- Keep a restore while it can be undone, and while a snapshot counts it.
    DELETE FROM snapback.restore_run r
    WHERE r.ended_at < oldest
      AND NOT EXISTS (SELECT FROM snapback.snapshot s WHERE s.id IN (r.snapshot, r.before_snapshot))
      AND NOT EXISTS (SELECT FROM snapback.mail m WHERE m.restore = r.id AND m.state IN ('queued', 'sending'));
    DELETE FROM snapback.request r
    WHERE r.ended_at < oldest
      AND NOT EXISTS (SELECT FROM snapback.restore_run u WHERE u.request = r.id)
      AND NOT EXISTS (SELECT FROM snapback.mail m WHERE m.request = r.id AND m.state IN ('queued', 'sending'));
END $$;
COMMENT ON FUNCTION snapback_internal.prune_record() IS
    'Delete records older than snapback.audit_retention: the audit, restores without their snapshots, and ended requests with their mail. Keep mail that '
    'is not sent yet. Do nothing if the setting is 0';
