-- Tells pg_snapback what the CMS is: who owns a community, what an owner may tick, and which tables each tick restores.
-- Platform tables (users, communities), disciplinary_records and activity_log stand under no option: they are never restored.

SELECT snapback.set_directory('cms.snapback_directory');


-- Customization -----------------------------------------------------------------------------------------------------------

SELECT snapback.add_category('customization', 'Customization',
    'branding, pages, profile fields, notices, discovery, and security preferences');

SELECT snapback.add_option('customization.community_info', 'Community Info',       'core community metadata and branding payload');
SELECT snapback.add_option('customization.branding',       'Branding Only',        'logo, palette, bot branding, and identity');
SELECT snapback.add_option('customization.pages',          'Pages',                'custom page layout and navigation surfaces');
SELECT snapback.add_option('customization.profile_fields', 'Profile Fields',       'custom profile fields and member data');
SELECT snapback.add_option('customization.notices',        'Notices',              'community notices and announcements');
SELECT snapback.add_option('customization.discovery',      'Discovery Settings',   'discovery state, tags, and approval data');
SELECT snapback.add_option('customization.security',       'Security Preferences', 'community-wide security preferences');

-- Some columns only: the settings row itself always lives, and its other columns belong to other options.
SELECT snapback.protect('cms.community_settings', 'customization.community_info', community_column := 'cid',
    columns := '{name,subtitle,name_format,login_methods,on_join,shift_types,logo_asset_id,palette,bot,updated_at}');
SELECT snapback.protect('cms.assets', 'customization.community_info', community_column := 'cid',
    filter := $$kind IN ('logo', 'bot_avatar')$$);

-- An asset comes along with whatever refers to it, so each option takes the kinds that it uses.
SELECT snapback.protect('cms.community_settings', 'customization.branding', community_column := 'cid',
    columns := '{logo_asset_id,palette,bot}');
SELECT snapback.protect('cms.assets', 'customization.branding', community_column := 'cid',
    filter := $$kind IN ('logo', 'bot_avatar')$$);

SELECT snapback.protect('cms.pages', 'customization.pages', community_column := 'cid');
SELECT snapback.protect('cms.nav_items', 'customization.pages', community_column := 'cid');
SELECT snapback.protect('cms.assets', 'customization.pages', community_column := 'cid', filter := $$kind = 'page_image'$$);

SELECT snapback.protect('cms.profile_fields', 'customization.profile_fields', community_column := 'cid');
SELECT snapback.protect('cms.accounts', 'customization.profile_fields', community_column := 'cid',
    columns := '{profile_values}');

SELECT snapback.protect('cms.notices', 'customization.notices', community_column := 'cid');

SELECT snapback.protect('cms.community_settings', 'customization.discovery', community_column := 'cid',
    columns := '{discovery,tags}');

SELECT snapback.protect('cms.community_settings', 'customization.security', community_column := 'cid',
    columns := '{security,allowed_nets}');


-- Structure ---------------------------------------------------------------------------------------------------------------

SELECT snapback.add_category('structure', 'Structure',
    'departments, forms, form folders, rosters, stages, and calendars');

SELECT snapback.add_option('structure.departments',         'Departments',         'rank groups and department configuration');
SELECT snapback.add_option('structure.forms',               'Forms',               'form templates and structure');
SELECT snapback.add_option('structure.form_folders',        'Form Folders',        'folder organization for forms');
SELECT snapback.add_option('structure.rosters',             'Rosters',             'roster templates and layout');
SELECT snapback.add_option('structure.stages',              'Stages',              'stage definitions');
SELECT snapback.add_option('structure.stage_groups',        'Stage Groups',        'stage grouping and hierarchy');
SELECT snapback.add_option('structure.calendar_categories', 'Calendar Categories', 'event category organization');

SELECT snapback.protect('cms.departments', 'structure.departments', community_column := 'cid');
SELECT snapback.protect('cms.ranks', 'structure.departments', via := 'ranks_department_fk');
SELECT snapback.protect('cms.rank_permissions', 'structure.departments', via := 'rank_permissions_rank_fk');
SELECT snapback.protect('cms.assets', 'structure.departments', community_column := 'cid', filter := $$kind = 'rank_icon'$$);

SELECT snapback.protect('cms.form_templates', 'structure.forms', community_column := 'cid');
SELECT snapback.protect('cms.form_permissions', 'structure.forms', via := 'form_permissions_form_fk');

SELECT snapback.protect('cms.form_folders', 'structure.form_folders', community_column := 'cid');

SELECT snapback.protect('cms.rosters', 'structure.rosters', community_column := 'cid');

SELECT snapback.protect('cms.stages', 'structure.stages', community_column := 'cid');

SELECT snapback.protect('cms.stage_groups', 'structure.stage_groups', community_column := 'cid');

SELECT snapback.protect('cms.calendar_categories', 'structure.calendar_categories', community_column := 'cid');


-- Integrations ------------------------------------------------------------------------------------------------------------

SELECT snapback.add_category('integrations', 'Integrations',
    'servers, CAD, Radio, webhooks, and rich presence configuration');

SELECT snapback.add_option('integrations.servers',       'Servers',       'integration server definitions');
SELECT snapback.add_option('integrations.cad_auth',      'CAD Auth',      'CAD authorization settings');
SELECT snapback.add_option('integrations.radio_auth',    'Radio Auth',    'Radio authorization settings');
SELECT snapback.add_option('integrations.webhooks',      'Webhooks',      'Discord webhook mappings and delivery settings');
SELECT snapback.add_option('integrations.rich_presence', 'Rich Presence', 'Discord rich presence configuration');

SELECT snapback.protect('cms.game_servers', 'integrations.servers', community_column := 'cid');

SELECT snapback.protect('cms.cad_links', 'integrations.cad_auth', community_column := 'cid');
SELECT snapback.protect('cms.cad_rank_map', 'integrations.cad_auth', via := 'cad_rank_map_link_fk');

SELECT snapback.protect('cms.community_settings', 'integrations.radio_auth', community_column := 'cid',
    columns := '{radio}');

SELECT snapback.protect('cms.webhooks', 'integrations.webhooks', community_column := 'cid');

SELECT snapback.protect('cms.community_settings', 'integrations.rich_presence', community_column := 'cid',
    columns := '{presence}');


-- Content -----------------------------------------------------------------------------------------------------------------

SELECT snapback.add_category('content', 'Content',
    'accounts, form submissions, forum history, gallery entries, events, and docs');

SELECT snapback.add_option('content.accounts',           'Accounts',           'community account rows and member data');
SELECT snapback.add_option('content.form_submissions',   'Form Submissions',   'submitted forms and responses');
SELECT snapback.add_option('content.forum_categories',   'Forum Categories',   'forum category structure');
SELECT snapback.add_option('content.forum_topics',       'Forum Topics',       'forum topic threads');
SELECT snapback.add_option('content.forum_replies',      'Forum Replies',      'forum replies and history');
SELECT snapback.add_option('content.gallery_categories', 'Gallery Categories', 'gallery category structure');
SELECT snapback.add_option('content.gallery_posts',      'Gallery Posts',      'gallery post history and media references');
SELECT snapback.add_option('content.events',             'Events',             'calendar events and RSVP state');
SELECT snapback.add_option('content.roster_rows',        'Roster Rows',        'row data used to build rosters');
SELECT snapback.add_option('content.roster_data',        'Roster Data',        'roster backing payloads');
SELECT snapback.add_option('content.docs',               'Docs',               'community document metadata');

SELECT snapback.protect('cms.accounts', 'content.accounts', community_column := 'cid');
SELECT snapback.protect('cms.account_ranks', 'content.accounts', via := 'account_ranks_account_fk');

SELECT snapback.protect('cms.form_submissions', 'content.form_submissions', community_column := 'cid');

SELECT snapback.protect('cms.forum_categories', 'content.forum_categories', community_column := 'cid');

SELECT snapback.protect('cms.forum_topics', 'content.forum_topics', via := 'forum_topics_category_fk');
SELECT snapback.protect('cms.assets', 'content.forum_topics', community_column := 'cid', filter := $$kind = 'attachment'$$);

SELECT snapback.protect('cms.forum_replies', 'content.forum_replies', via := 'forum_replies_topic_fk');

SELECT snapback.protect('cms.gallery_categories', 'content.gallery_categories', community_column := 'cid');

SELECT snapback.protect('cms.gallery_posts', 'content.gallery_posts', via := 'gallery_posts_category_fk');
SELECT snapback.protect('cms.assets', 'content.gallery_posts', community_column := 'cid',
    filter := $$kind = 'gallery_image'$$);

SELECT snapback.protect('cms.events', 'content.events', community_column := 'cid');
SELECT snapback.protect('cms.event_rsvps', 'content.events', via := 'event_rsvps_event_fk');
SELECT snapback.protect('cms.assets', 'content.events', community_column := 'cid', filter := $$kind = 'event_header'$$);

SELECT snapback.protect('cms.roster_rows', 'content.roster_rows', via := 'roster_rows_roster_fk');

SELECT snapback.protect('cms.roster_data', 'content.roster_data', via := 'roster_data_row_fk');

SELECT snapback.protect('cms.docs', 'content.docs', community_column := 'cid');
