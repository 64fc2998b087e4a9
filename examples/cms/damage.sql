-- What one member of staff can do to a community in an evening: psql -v community=<uuid> -f examples/cms/damage.sql
-- Plain statements with triggers and foreign keys on, as the application would send them, in one transaction.
\set ON_ERROR_STOP on
BEGIN;

SELECT NOT EXISTS (SELECT FROM cms.communities WHERE id = :'community') AS is_unknown \gset
\if :is_unknown
    DO $$ BEGIN RAISE 'no such community'; END $$;
\endif


-- Customization -----------------------------------------------------------------------------------------------------------

UPDATE cms.community_settings
SET name = 'owned by nobody', subtitle = NULL, login_methods = '{password}', on_join = '{}',
    palette = palette || '{"primary": "#ff00ff", "dark": false}', bot = bot - 'avatar' || '{"name": "free nitro"}',
    discovery = discovery || '{"listed": false, "state": "none"}', tags = '{}',
    security = security || '{"two_factor": false, "ip_alerts": false}', allowed_nets = '{0.0.0.0/0}',
    radio = radio || '{"key": "leaked"}', presence = '{"enabled": false}'
WHERE cid = :'community';

-- The old logo goes for good; the reference to it is emptied by its foreign key, then points to a new one.
DELETE FROM cms.assets WHERE cid = :'community' AND kind = 'logo';
WITH logo AS (
    INSERT INTO cms.assets (cid, kind, data)
    SELECT :'community', 'logo', convert_to('a rude picture', 'UTF8') RETURNING id
)
UPDATE cms.community_settings SET logo_asset_id = logo.id FROM logo WHERE cid = :'community';

UPDATE cms.pages SET title = 'GONE', layout = '[{"block": "text", "body": "this community is closed"}]', rank_ids = '{}'
WHERE cid = :'community';
DELETE FROM cms.pages WHERE id = (SELECT id FROM cms.pages WHERE cid = :'community' ORDER BY slug DESC LIMIT 1);
INSERT INTO cms.pages (cid, slug, title, layout)
VALUES (:'community', 'join-us-instead', 'We moved', '[{"block": "heading", "text": "Join our new server"}]');

-- Turns the bar round; only a deferred unique constraint lets the positions pass each other.
UPDATE cms.nav_items SET pos = 100 - pos WHERE cid = :'community' AND parent_id IS NULL;
UPDATE cms.nav_items SET pos = pos - 90 WHERE cid = :'community' AND parent_id IS NULL;
DELETE FROM cms.nav_items WHERE id = (SELECT min(id) FROM cms.nav_items WHERE cid = :'community' AND parent_id IS NULL);
INSERT INTO cms.nav_items (cid, pos, label, page_id)
SELECT cid, 1, 'NEW SERVER', id FROM cms.pages WHERE cid = :'community' AND slug = 'join-us-instead';

DELETE FROM cms.profile_fields
WHERE cid = :'community' AND field_key = (SELECT min(field_key) FROM cms.profile_fields WHERE cid = :'community');
UPDATE cms.profile_fields SET label = reverse(label), perms = '{"view": [], "edit": "nobody"}' WHERE cid = :'community';

DELETE FROM cms.notices WHERE cid = :'community' AND id % 2 = 0;
INSERT INTO cms.notices (cid, title, body, author_id)
SELECT :'community', 'Staff have been removed ' || k, 'Everyone is free to do as they like.',
       (SELECT id FROM cms.accounts WHERE cid = :'community' ORDER BY unique_no LIMIT 1)
FROM generate_series(1, 5) k;


-- Structure ---------------------------------------------------------------------------------------------------------------

-- Every second department, which takes its ranks, their permissions, and the ranks of its members along.
DELETE FROM cms.departments
WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (ORDER BY label) AS k FROM cms.departments WHERE cid = :'community') d
             WHERE k % 2 = 1);
UPDATE cms.departments SET label_two = 'disbanded', perms = '{}', head_account_id = NULL WHERE cid = :'community';
UPDATE cms.ranks r SET power = 110 - power, color = '#000000'
FROM cms.departments d WHERE d.id = r.department_id AND d.cid = :'community';
UPDATE cms.rank_permissions p SET state = 'allow'
FROM cms.ranks r, cms.departments d
WHERE r.id = p.rank_id AND d.id = r.department_id AND d.cid = :'community' AND p.perm_key LIKE '%.manage';

WITH department AS (
    INSERT INTO cms.departments (cid, label, label_two) VALUES (:'community', 'The Revolution', 'all power to us') RETURNING id
), rank AS (
    INSERT INTO cms.ranks (department_id, label, power, color)
    SELECT id, 'Supreme Leader', 9999, '#ff0000' FROM department RETURNING id
), granted AS (
    INSERT INTO cms.rank_permissions (rank_id, perm_key, state)
    SELECT rank.id, k, 'allow' FROM rank, unnest(ARRAY['accounts.edit', 'ranks.edit', 'servers.manage']) k
)
INSERT INTO cms.account_ranks (account_id, rank_id)
SELECT a.id, rank.id FROM rank, (SELECT id FROM cms.accounts WHERE cid = :'community' ORDER BY unique_no DESC LIMIT 3) a;

UPDATE cms.form_folders SET label = 'misc', parent_id = NULL WHERE cid = :'community';
DELETE FROM cms.form_folders WHERE id = (SELECT min(id) FROM cms.form_folders WHERE cid = :'community');

UPDATE cms.form_templates
SET structure = jsonb_set(structure, '{0,fields}',
                          structure #> '{0,fields}' || '[{"id": "fx", "type": "line", "label": "Your password?"}]'),
    settings = settings || '{"cooldown_hours": 0}', locked = NOT locked
WHERE cid = :'community';
-- The busiest form goes with all its submissions, its permissions and its webhooks.
CREATE TEMP TABLE doomed_form ON COMMIT DROP AS
SELECT template_id AS id FROM cms.form_submissions WHERE cid = :'community'
GROUP BY template_id ORDER BY count(*) DESC, template_id LIMIT 1;
DELETE FROM cms.form_submissions WHERE template_id IN (SELECT id FROM doomed_form);
DELETE FROM cms.form_templates WHERE id IN (SELECT id FROM doomed_form);

-- Every stage on which no group begins; submissions that stood there keep only a note of it.
UPDATE cms.form_submissions s
SET stage_backup = jsonb_build_object('label', t.label, 'group', t.home_group_id)
FROM cms.stages t
WHERE s.stage_id = t.id AND t.cid = :'community'
  AND NOT EXISTS (SELECT FROM cms.stage_groups g WHERE g.entry_stage_id = t.id);
DELETE FROM cms.stages t
WHERE t.cid = :'community' AND NOT EXISTS (SELECT FROM cms.stage_groups g WHERE g.entry_stage_id = t.id);
UPDATE cms.stage_groups SET stage_ids = ARRAY[entry_stage_id], label = upper(label) WHERE cid = :'community';
-- A group and its first stage, each of which refers to the other.
WITH ids AS MATERIALIZED (
    SELECT gen_random_uuid() AS stage, gen_random_uuid() AS grp
), grp AS (
    INSERT INTO cms.stage_groups (id, cid, label, entry_stage_id, stage_ids)
    SELECT grp, :'community', 'Nowhere', stage, ARRAY[stage] FROM ids
)
INSERT INTO cms.stages (id, cid, home_group_id, label) SELECT stage, :'community', grp, 'Limbo' FROM ids;

-- A roster with all its rows; the item of the bar that showed it stays, empty.
DELETE FROM cms.rosters WHERE id = (SELECT max(id) FROM cms.rosters WHERE cid = :'community');
UPDATE cms.rosters SET columns = '[]', kind = 'manual', rank_ids = '{}' WHERE cid = :'community';

UPDATE cms.calendar_categories SET color = '#ff00ff', label = label || ' (old)' WHERE cid = :'community';
INSERT INTO cms.calendar_categories (cid, label) VALUES (:'community', 'Raids');


-- Integrations ------------------------------------------------------------------------------------------------------------

UPDATE cms.game_servers SET ip = '192.0.2.66', port = 6666, ace = '{"group.everyone": "*"}', allowed_rank_ids = '{}'
WHERE cid = :'community';
INSERT INTO cms.game_servers (cid, server_no, name, ip, port, type)
SELECT cid, max(server_no) + 1, 'Totally Official', '192.0.2.67', 30120, 'fivem'
FROM cms.game_servers WHERE cid = :'community' GROUP BY cid;

UPDATE cms.cad_links SET api_key_enc = sha256(api_key_enc), options = '{}' WHERE cid = :'community';
UPDATE cms.cad_rank_map m SET perms = perms || '{admin}'::text[]
FROM cms.cad_links l WHERE l.id = m.cad_link_id AND l.cid = :'community';

UPDATE cms.webhooks SET channel_id = channel_id + 1, mentions = '{1}' WHERE cid = :'community';
DELETE FROM cms.webhooks WHERE id = (SELECT min(id) FROM cms.webhooks WHERE cid = :'community');
INSERT INTO cms.webhooks (cid, event, channel_id) VALUES (:'community', 'account_joined', 666);


-- Content -----------------------------------------------------------------------------------------------------------------

-- Every third account; a change of status is logged by its trigger.
UPDATE cms.accounts
SET com_name = reverse(com_name), status = CASE status WHEN 'active' THEN 'banned' ELSE 'active' END::cms.account_status,
    profile_values = jsonb_build_object('about', md5(id::text)), clock = '{}', identifiers = '{}'
WHERE cid = :'community' AND unique_no % 3 = 0;
UPDATE cms.accounts SET profile_values = profile_values - 'badge' || '{"callsign": "0-ZERO"}'
WHERE cid = :'community' AND unique_no % 3 = 1;

-- The two oldest numbers change places.
CREATE TEMP TABLE swapped ON COMMIT DROP AS
SELECT id, sum(unique_no) OVER () - unique_no AS new_no
FROM (SELECT id, unique_no FROM cms.accounts WHERE cid = :'community' ORDER BY unique_no LIMIT 2) a;
UPDATE cms.accounts a SET unique_no = -s.new_no FROM swapped s WHERE a.id = s.id;
UPDATE cms.accounts a SET unique_no = -a.unique_no FROM swapped s WHERE a.id = s.id;

-- Some accounts on which neither a submission nor a disciplinary record hangs.
DELETE FROM cms.accounts
WHERE id IN (SELECT a.id FROM cms.accounts a
             WHERE a.cid = :'community'
               AND NOT EXISTS (SELECT FROM cms.form_submissions s WHERE s.submitter_id = a.id OR s.context_id = a.id)
               AND NOT EXISTS (SELECT FROM cms.disciplinary_records d WHERE d.account_id = a.id)
             ORDER BY a.unique_no DESC
             LIMIT (SELECT 1 + count(*) / 20 FROM cms.accounts WHERE cid = :'community'));

-- Fake ones, numbered by the trigger.
INSERT INTO cms.accounts (cid, user_id, com_name, status, identifiers)
SELECT :'community', u.id, 'raider' || row_number() OVER (ORDER BY u.id), 'active', '{discord:0}'
FROM cms.users u
WHERE NOT EXISTS (SELECT FROM cms.accounts a WHERE a.cid = :'community' AND a.user_id = u.id)
ORDER BY u.id
LIMIT 5;

DELETE FROM cms.account_ranks r USING cms.accounts a
WHERE a.id = r.account_id AND a.cid = :'community' AND a.unique_no % 4 = 0;
UPDATE cms.account_ranks r SET pos = pos + 1, expires_at = now() FROM cms.accounts a
WHERE a.id = r.account_id AND a.cid = :'community' AND a.unique_no % 4 = 1;

DELETE FROM cms.form_submissions WHERE cid = :'community' AND id % 4 = 0;
UPDATE cms.form_submissions SET structure = '[]', comments = '[]' WHERE cid = :'community' AND id % 4 = 1;
INSERT INTO cms.form_submissions (cid, template_id, submitter_id, structure)
SELECT cid, template_id, submitter_id, '[{"id": "f1", "label": "Anything else?", "value": "spam"}]'
FROM cms.form_submissions WHERE cid = :'community' ORDER BY id LIMIT 20;

-- Half of the topics with their replies; of the rest, some replies.
DELETE FROM cms.forum_topics t USING cms.forum_categories c
WHERE c.id = t.category_id AND c.cid = :'community' AND t.id % 2 = 0;
UPDATE cms.forum_topics t SET title = 'DELETED', locked = true, pinned = NOT pinned, attachment_ids = '{}'
FROM cms.forum_categories c WHERE c.id = t.category_id AND c.cid = :'community' AND t.id % 4 = 1;
DELETE FROM cms.forum_replies r USING cms.forum_topics t, cms.forum_categories c
WHERE t.id = r.topic_id AND c.id = t.category_id AND c.cid = :'community' AND r.id % 5 = 0;
UPDATE cms.forum_replies r SET body = '[removed]' FROM cms.forum_topics t, cms.forum_categories c
WHERE t.id = r.topic_id AND c.id = t.category_id AND c.cid = :'community' AND r.id % 5 = 1;
-- One category that holds no other, with what is left in it.
DELETE FROM cms.forum_categories
WHERE id = (SELECT c.id FROM cms.forum_categories c
            WHERE c.cid = :'community' AND NOT EXISTS (SELECT FROM cms.forum_categories k WHERE k.parent_id = c.id)
            ORDER BY c.label LIMIT 1);
UPDATE cms.forum_categories SET perms = '{"post": []}' WHERE cid = :'community';
WITH topic AS (
    INSERT INTO cms.forum_topics (category_id, title, pinned)
    SELECT id, 'free stuff', true FROM cms.forum_categories WHERE cid = :'community' RETURNING id
)
INSERT INTO cms.forum_replies (topic_id, body) SELECT topic.id, 'click here ' || k FROM topic, generate_series(1, 3) k;

DELETE FROM cms.gallery_posts p USING cms.gallery_categories c
WHERE c.id = p.category_id AND c.cid = :'community' AND p.id % 2 = 0;
DELETE FROM cms.assets a
WHERE a.cid = :'community' AND a.kind = 'gallery_image'
  AND NOT EXISTS (SELECT FROM cms.gallery_posts p WHERE p.asset_id = a.id);
UPDATE cms.gallery_posts p SET caption = 'lol' FROM cms.gallery_categories c
WHERE c.id = p.category_id AND c.cid = :'community' AND p.id % 4 = 1;
UPDATE cms.gallery_categories SET label = 'Memes', upload_rank_ids = '{}' WHERE cid = :'community';

DELETE FROM cms.events
WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (ORDER BY starts_at, id) AS k FROM cms.events WHERE cid = :'community') e
             WHERE k % 2 = 0);
UPDATE cms.events SET starts_at = starts_at + interval '7 hours', ends_at = ends_at + interval '9 hours', rsvp_limit = 0
WHERE cid = :'community';
DELETE FROM cms.event_rsvps r USING cms.events e WHERE e.id = r.event_id AND e.cid = :'community' AND r.going;
INSERT INTO cms.events (cid, category_id, title, starts_at, ends_at)
SELECT cid, id, 'Raid', '2030-01-01 00:00+00', '2030-01-01 01:00+00' FROM cms.calendar_categories WHERE cid = :'community';

DELETE FROM cms.roster_rows w USING cms.rosters r WHERE r.id = w.roster_id AND r.cid = :'community' AND w.sort_power % 3 = 0;
UPDATE cms.roster_rows w SET sort_power = -sort_power FROM cms.rosters r WHERE r.id = w.roster_id AND r.cid = :'community';
UPDATE cms.roster_data d SET value = 'null' FROM cms.roster_rows w, cms.rosters r
WHERE w.id = d.row_id AND r.id = w.roster_id AND r.cid = :'community' AND d.column_key = 'notes';

UPDATE cms.docs SET share_type = 'link', share_token = md5(id::text || 'stolen'), rank_access = '{}'
WHERE cid = :'community' AND kind <> 'folder';
DELETE FROM cms.docs WHERE id = (SELECT id FROM cms.docs WHERE cid = :'community' AND kind = 'folder' ORDER BY name LIMIT 1);
UPDATE cms.docs SET trashed_at = now() WHERE cid = :'community' AND parent_id IS NULL;

COMMIT;
