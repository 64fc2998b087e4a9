-- An ordinary day, for benchmarks: about 1 % of the rows change; a third of them is updated, a third deleted, a third new.
--   psql -f examples/cms/churn.sql                          every community
--   psql -v community=<uuid> -f examples/cms/churn.sql      one of them
--   psql -v day=2 ...                                       another day changes other rows
-- Tables whose rows an application hardly ever deletes are updated only. Rows are picked evenly, which is the worst case for
-- any store that cuts rows into runs.
\set ON_ERROR_STOP on
\if :{?day}
\else
    \set day 1
\endif
\if :{?community}
    \set every_community false
\else
    \set every_community true
    \set community 00000000-0000-0000-0000-000000000000
\endif

BEGIN;

CREATE TEMP TABLE chosen ON COMMIT DROP AS
SELECT id AS cid FROM cms.communities WHERE :every_community OR id = :'community';
ANALYZE chosen;

-- From 0 to 999, by which rows are picked: below 10 is one percent.
CREATE OR REPLACE FUNCTION pg_temp.lot(id bigint) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN ((hashint8extended(id, :day) & 2147483647) % 1000)::int;
CREATE OR REPLACE FUNCTION pg_temp.lot(id uuid) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN ((uuid_hash_extended(id, :day) & 2147483647) % 1000)::int;


-- Customization and structure: updated only -------------------------------------------------------------------------------

UPDATE cms.community_settings SET subtitle = subtitle || '.', shift_types = '[]'
WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(cid) < 10;
UPDATE cms.pages SET title = title || ' ' || :day WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 10;
UPDATE cms.nav_items SET label = label || ' ' || :day WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 10;
UPDATE cms.profile_fields SET label = label || ' ' || :day
WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(hashtextextended(cid || field_key, 0)) < 10;
UPDATE cms.notices SET body = body || ' Edited.' WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 10;
UPDATE cms.departments SET label_two = 'Day ' || :day WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 10;
UPDATE cms.ranks r SET power = power + 1 FROM cms.departments d
WHERE d.id = r.department_id AND d.cid IN (SELECT cid FROM chosen) AND pg_temp.lot(r.id) < 10;
UPDATE cms.rank_permissions p SET state = CASE state WHEN 'allow' THEN 'deny' ELSE 'allow' END::cms.permission_state
FROM cms.ranks r, cms.departments d
WHERE r.id = p.rank_id AND d.id = r.department_id AND d.cid IN (SELECT cid FROM chosen)
  AND pg_temp.lot(uuid_hash_extended(p.rank_id, 0) # hashtextextended(p.perm_key, 0)) < 10;
UPDATE cms.form_templates SET settings = settings || jsonb_build_object('cooldown_hours', :day)
WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 10;
UPDATE cms.stages SET label = label || ' ' || :day WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 10;
UPDATE cms.webhooks SET channel_id = channel_id + :day WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 10;


-- Accounts ----------------------------------------------------------------------------------------------------------------

UPDATE cms.accounts
SET clock = clock || jsonb_build_object('minutes', :day), profile_values = profile_values || jsonb_build_object('hours', :day)
WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 7;

-- New members are users of other communities; one per three hundred accounts.
INSERT INTO cms.accounts (cid, user_id, com_name, status, identifiers)
SELECT DISTINCT ON (n.cid, u.id) n.cid, u.id, u.name, 'active', ARRAY['discord:' || abs(uuid_hash_extended(u.id, 0))]
FROM (SELECT a.cid, row_number() OVER (ORDER BY a.id) AS k FROM cms.accounts a
      WHERE a.cid IN (SELECT cid FROM chosen) AND pg_temp.lot(a.id) BETWEEN 7 AND 9) n
JOIN (SELECT id, name, row_number() OVER (ORDER BY pg_temp.lot(id), id) AS k FROM cms.users) u ON u.k = n.k
WHERE NOT EXISTS (SELECT FROM cms.accounts x WHERE x.cid = n.cid AND x.user_id = u.id);

DELETE FROM cms.account_ranks r USING cms.accounts a
WHERE a.id = r.account_id AND a.cid IN (SELECT cid FROM chosen) AND pg_temp.lot(r.account_id) BETWEEN 100 AND 104;
UPDATE cms.account_ranks r SET expires_at = now() FROM cms.accounts a
WHERE a.id = r.account_id AND a.cid IN (SELECT cid FROM chosen) AND pg_temp.lot(r.account_id) BETWEEN 105 AND 109;


-- Submissions and forum ---------------------------------------------------------------------------------------------------

DELETE FROM cms.form_submissions WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 3;
UPDATE cms.form_submissions
SET comments = comments || jsonb_build_array(jsonb_build_object('at', now(), 'text', 'Seen on day ' || :day))
WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) BETWEEN 3 AND 6;
INSERT INTO cms.form_submissions (cid, template_id, submitter_id, context_id, stage_id, stage_group_id, structure)
SELECT cid, template_id, submitter_id, context_id, stage_id, stage_group_id,
       jsonb_set(structure, '{0,value}', to_jsonb(md5(id::text || :day)))
FROM cms.form_submissions WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) BETWEEN 7 AND 9;

CREATE TEMP TABLE topic ON COMMIT DROP AS
SELECT t.id, t.category_id, t.author_id FROM cms.forum_topics t JOIN cms.forum_categories c ON c.id = t.category_id
WHERE c.cid IN (SELECT cid FROM chosen);
CREATE INDEX ON topic (id);
ANALYZE topic;

UPDATE cms.forum_topics t SET title = t.title || ' (solved)', locked = true FROM topic
WHERE topic.id = t.id AND pg_temp.lot(t.id) < 7;
INSERT INTO cms.forum_topics (category_id, author_id, title)
SELECT category_id, author_id, 'Follow-up of topic ' || id FROM topic WHERE pg_temp.lot(id) BETWEEN 7 AND 9;

DELETE FROM cms.forum_replies r USING topic WHERE topic.id = r.topic_id AND pg_temp.lot(r.id) < 3;
UPDATE cms.forum_replies r SET body = body || ' (edited)' FROM topic
WHERE topic.id = r.topic_id AND pg_temp.lot(r.id) BETWEEN 3 AND 6;
INSERT INTO cms.forum_replies (topic_id, reply_to, author_id, body)
SELECT r.topic_id, r.id, r.author_id, 'Quoting: ' || r.body FROM cms.forum_replies r JOIN topic ON topic.id = r.topic_id
WHERE pg_temp.lot(r.id) BETWEEN 7 AND 9;


-- Gallery, events, rosters, docs ------------------------------------------------------------------------------------------

DELETE FROM cms.gallery_posts p USING cms.gallery_categories c
WHERE c.id = p.category_id AND c.cid IN (SELECT cid FROM chosen) AND pg_temp.lot(p.id) < 3;
UPDATE cms.gallery_posts p SET caption = 'Picture of day ' || :day FROM cms.gallery_categories c
WHERE c.id = p.category_id AND c.cid IN (SELECT cid FROM chosen) AND pg_temp.lot(p.id) BETWEEN 3 AND 6;
INSERT INTO cms.assets (cid, kind, data)
SELECT cid, kind, data || uuid_send(gen_random_uuid())
FROM cms.assets WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) BETWEEN 7 AND 9;
INSERT INTO cms.gallery_posts (category_id, author_id, asset_id, caption)
SELECT p.category_id, p.author_id, p.asset_id, 'Again'
FROM cms.gallery_posts p JOIN cms.gallery_categories c ON c.id = p.category_id
WHERE c.cid IN (SELECT cid FROM chosen) AND pg_temp.lot(p.id) BETWEEN 7 AND 9;

UPDATE cms.events SET ends_at = ends_at + interval '30 minutes' WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 7;
INSERT INTO cms.events (cid, category_id, title, starts_at, ends_at)
SELECT cid, category_id, title, starts_at + interval '7 days', ends_at + interval '7 days'
FROM cms.events WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) BETWEEN 7 AND 9;
DELETE FROM cms.event_rsvps r USING cms.events e
WHERE e.id = r.event_id AND e.cid IN (SELECT cid FROM chosen)
  AND pg_temp.lot(uuid_hash_extended(r.event_id, 0) # uuid_hash_extended(r.account_id, 1)) < 5;
UPDATE cms.event_rsvps r SET going = NOT coalesce(going, false) FROM cms.events e
WHERE e.id = r.event_id AND e.cid IN (SELECT cid FROM chosen)
  AND pg_temp.lot(uuid_hash_extended(r.event_id, 0) # uuid_hash_extended(r.account_id, 1)) BETWEEN 5 AND 9;

CREATE TEMP TABLE roster_row ON COMMIT DROP AS
SELECT w.id, w.roster_id FROM cms.roster_rows w JOIN cms.rosters r ON r.id = w.roster_id
WHERE r.cid IN (SELECT cid FROM chosen);
CREATE INDEX ON roster_row (id);
ANALYZE roster_row;

UPDATE cms.roster_data d SET value = to_jsonb('day ' || :day) FROM roster_row w
WHERE w.id = d.row_id AND pg_temp.lot(d.row_id) BETWEEN 500 AND 519 AND d.column_key IN ('callsign', 'notes');
DELETE FROM cms.roster_rows w USING roster_row r WHERE r.id = w.id AND pg_temp.lot(w.id) < 3;
UPDATE cms.roster_rows w SET sort_power = sort_power + 1 FROM roster_row r
WHERE r.id = w.id AND pg_temp.lot(w.id) BETWEEN 3 AND 6;
WITH added AS (
    INSERT INTO cms.roster_rows (roster_id, sort_power)
    SELECT roster_id, :day FROM roster_row WHERE pg_temp.lot(id) BETWEEN 7 AND 9 RETURNING id
)
INSERT INTO cms.roster_data (row_id, column_key, value) SELECT added.id, 'callsign', to_jsonb('new ' || :day) FROM added;

UPDATE cms.docs SET name = name || ', day ' || :day WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 7;
INSERT INTO cms.docs (cid, kind, name, blob_key)
SELECT cid, 'document', 'Copy of ' || name, blob_key
FROM cms.docs WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) BETWEEN 7 AND 9;


-- In no option ------------------------------------------------------------------------------------------------------------

INSERT INTO cms.activity_log (cid, account_id, type, content)
SELECT cid, id, 3, jsonb_build_object('day', :day)
FROM cms.accounts WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 100;
UPDATE cms.disciplinary_records SET points = points + 1 WHERE cid IN (SELECT cid FROM chosen) AND pg_temp.lot(id) < 10;

COMMIT;
