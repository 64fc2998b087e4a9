-- Views of requests and restores. A role that may read the tables sees everything. Members of pg_monitor see all communities, but no columns that
-- name a person or quote a row. Other roles see the community of the setting snapback.community, and no earlier community with the same key.

CREATE VIEW snapback.requests WITH (security_barrier) AS
SELECT r.id AS request, r.community, r.snapshot, r.options, CASE WHEN who.is_reader OR own THEN r.requested_by END AS requested_by,
       CASE WHEN who.is_reader THEN r.owner_email END AS owner_email, r.requested_at, r.expires_at,
       CASE WHEN r.state = 'pending' AND r.expires_at <= clock_timestamp() THEN 'expired' ELSE r.state END AS state, r.ended_at,
       m.state AS mail, m.attempts AS mail_attempts, m.sent_at AS mailed_at, CASE WHEN who.is_reader THEN m.last_error END AS mail_error,
       r.skipped_options, CASE WHEN who.is_reader OR own THEN r.switches END AS switches, r.strict
FROM (SELECT has_table_privilege('snapback.request'::regclass, 'SELECT') AS is_reader, pg_has_role('pg_monitor', 'USAGE') AS is_monitor OFFSET 0) who
LEFT JOIN LATERAL snapback_internal.acting_community(CASE WHEN NOT who.is_reader THEN nullif(current_setting('snapback.community', true), '') END) a ON true
CROSS JOIN snapback.request r
CROSS JOIN LATERAL (SELECT r.community IS NOT DISTINCT FROM a.community AND (r.identity IS NULL OR r.identity IS NOT DISTINCT FROM a.identity)
                       AND (a.missed_at IS NULL OR r.requested_at > a.missed_at)) o (own)
LEFT JOIN snapback.mail m ON m.request = r.id AND m.kind = 'approval'
WHERE who.is_reader OR who.is_monitor OR own;
COMMENT ON VIEW snapback.requests IS
    'Requests to restore, with their current state and the state of the mail with their link. A role that may read snapback.request sees all of them. '
    'Members of pg_monitor see those of all communities, other roles those of the community of the setting snapback.community. For these roles '
    'owner_email and mail_error are NULL; for members of pg_monitor, requested_by and switches of other communities are NULL too';

CREATE VIEW snapback.restores WITH (security_barrier) AS
SELECT r.id AS restore, r.community, r.snapshot, r.options, r.request, r.state, r.before_snapshot, r.requested_at, r.started_at, r.ended_at,
       r.sqlstate, CASE WHEN who.is_reader OR own THEN r.message END AS message, t.*, CASE WHEN who.is_reader OR own THEN r.switches END AS switches
FROM (SELECT has_table_privilege('snapback.restore_run'::regclass, 'SELECT') AS is_reader, pg_has_role('pg_monitor', 'USAGE') AS is_monitor OFFSET 0) who
LEFT JOIN LATERAL snapback_internal.acting_community(CASE WHEN NOT who.is_reader THEN nullif(current_setting('snapback.community', true), '') END) a ON true
CROSS JOIN snapback.restore_run r
CROSS JOIN LATERAL (SELECT r.community IS NOT DISTINCT FROM a.community AND (r.identity IS NULL OR r.identity IS NOT DISTINCT FROM a.identity)
                       AND (a.missed_at IS NULL OR r.requested_at > a.missed_at)) o (own)
CROSS JOIN LATERAL (SELECT count(*) AS tables, coalesce(sum(f.inserts), 0)::bigint AS inserted, coalesce(sum(f.updates), 0)::bigint AS updated,
                           coalesce(sum(f.deletes), 0)::bigint AS deleted, coalesce(sum(f.kept), 0)::bigint AS kept, coalesce(sum(f.parents), 0)::bigint AS parents,
                           coalesce(sum(f.nulled), 0)::bigint AS nulled, coalesce(sum(f.cascaded), 0)::bigint AS cascaded, coalesce(sum(f.skipped), 0)::bigint AS skipped
                    FROM snapback.restore_table t CROSS JOIN LATERAL (SELECT (t.figures).*) f WHERE t.restore = r.id) t
WHERE who.is_reader OR who.is_monitor OR own;
COMMENT ON VIEW snapback.restores IS
    'Restores with their outcome and the number of rows that each changed, summed over all tables. A role that may read snapback.restore_run sees all of '
    'them. Members of pg_monitor see those of all communities, other roles those of the community of the setting snapback.community. For members of '
    'pg_monitor, message and switches of other communities are NULL';

CREATE VIEW snapback.restore_activity AS
SELECT found[1]::uuid AS restore, replace(found[2], '""', '"') AS community, s.pid, s.xact_start AS started_at, found[3] AS activity
FROM pg_catalog.pg_stat_activity s
CROSS JOIN LATERAL regexp_match(s.query, '^snapback: restore ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?: of "((?:[^"]|"")*)")?: (.*)$') found
WHERE s.state = 'active' AND s.datname = current_database() AND found IS NOT NULL;
COMMENT ON VIEW snapback.restore_activity IS
    'Restores in progress in this database, as far as the caller may see them in pg_stat_activity. community is NULL if its name is too long to be shown '
    'there. Internal.';

CREATE FUNCTION snapback_internal.own_restore_activity() RETURNS SETOF snapback.restore_activity
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.restore, coalesce(a.community, r.community), a.pid, a.started_at, a.activity
    FROM snapback.restore_activity a LEFT JOIN snapback.restore_run r ON r.id = a.restore
    WHERE coalesce(a.community, r.community) = nullif(current_setting('snapback.community', true), '')
$$;
COMMENT ON FUNCTION snapback_internal.own_restore_activity() IS
    'Return the restores in progress for the community of the setting snapback.community. Internal: read the view snapback.restore_progress';

CREATE VIEW snapback.restore_progress WITH (security_barrier) AS
SELECT a.restore, coalesce(a.community, r.community) AS community, r.request, a.pid, a.started_at, split_part(a.activity, ':', 1) AS phase,
       rows[3] AS relation, rows[1]::bigint AS rows_done, rows[2]::bigint AS rows_total
FROM (SELECT * FROM snapback.restore_activity WHERE pg_has_role('pg_monitor', 'USAGE')
      UNION ALL
      SELECT * FROM snapback_internal.own_restore_activity() WHERE NOT pg_has_role('pg_monitor', 'USAGE')) a
CROSS JOIN LATERAL regexp_match(a.activity, '^[^:]*: (?:([0-9]+) of )?([0-9]+) rows of (.*)$') rows
LEFT JOIN snapback.restore_run r ON r.id = a.restore;
COMMENT ON VIEW snapback.restore_progress IS
    'Restores in progress in this database. phase: waiting for the community''s writers, comparing, deleting, updating, inserting or checking. relation: '
    'the table that the phase processes. rows_total: number of its rows to process; rows_done: number of those processed, NULL if they are not counted. '
    'request is NULL while a restore runs in the approving transaction, which others cannot see. Superusers and members of pg_monitor see all restores, '
    'other roles those of the community of the setting snapback.community';
