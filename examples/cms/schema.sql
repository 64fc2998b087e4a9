-- The reference CMS: one database, many gaming communities. Loads on PostgreSQL 15 and later, as whichever role runs it.

CREATE SCHEMA cms;

CREATE TYPE cms.plan AS ENUM ('free', 'plus', 'pro');
CREATE TYPE cms.asset_kind AS ENUM ('logo', 'bot_avatar', 'page_image', 'rank_icon', 'gallery_image', 'event_header', 'attachment');
CREATE TYPE cms.field_type AS ENUM ('short_text', 'long_text', 'number', 'date', 'choice', 'multi_choice', 'switch');
CREATE TYPE cms.permission_state AS ENUM ('allow', 'deny', 'inherit');
CREATE TYPE cms.form_permission AS ENUM ('view', 'submit', 'review', 'manage');
CREATE TYPE cms.roster_kind AS ENUM ('automatic', 'manual', 'mixed');
CREATE TYPE cms.server_type AS ENUM ('fivem', 'redm', 'roblox', 'arma', 'minecraft', 'teamspeak');
CREATE TYPE cms.webhook_event AS ENUM ('account_joined', 'account_left', 'form_submitted', 'form_decided', 'rank_changed',
    'event_created', 'notice_posted');
CREATE TYPE cms.account_status AS ENUM ('pending', 'active', 'on_leave', 'suspended', 'banned', 'archived');
CREATE TYPE cms.doc_kind AS ENUM ('folder', 'document', 'sheet', 'link');
CREATE TYPE cms.share_type AS ENUM ('private', 'community', 'ranks', 'link');

CREATE DOMAIN cms.color AS text CHECK (VALUE ~ '^#[0-9a-f]{6}$');


-- Platform: never restored ------------------------------------------------------------------------------------------------

CREATE TABLE cms.users (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email       text NOT NULL UNIQUE,
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cms.communities (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    public_id       text NOT NULL UNIQUE,
    custom_domain   text UNIQUE,
    owner_user_id   uuid NOT NULL CONSTRAINT communities_owner_fk REFERENCES cms.users,
    plan            cms.plan NOT NULL DEFAULT 'free',
    home_page_id    uuid,  -- references pages, below: a cycle
    last_unique_no  int NOT NULL DEFAULT 0,  -- hands out accounts.unique_no; kept here so that no restore can turn it back
    created_at      timestamptz NOT NULL DEFAULT now()
);


-- Customization -----------------------------------------------------------------------------------------------------------

CREATE TABLE cms.assets (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid         uuid NOT NULL CONSTRAINT assets_community_fk REFERENCES cms.communities,
    kind        cms.asset_kind NOT NULL,
    data        bytea NOT NULL,
    size        int GENERATED ALWAYS AS (octet_length(data)) STORED,
    sha         bytea GENERATED ALWAYS AS (sha256(data)) STORED,
    created_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (cid, sha)
);

CREATE TABLE cms.community_settings (
    cid            uuid PRIMARY KEY CONSTRAINT community_settings_community_fk REFERENCES cms.communities,
    name           text NOT NULL,
    subtitle       text,
    name_format    text NOT NULL DEFAULT '{name} #{no}',
    login_methods  text[] NOT NULL DEFAULT '{discord}',
    on_join        jsonb NOT NULL DEFAULT '{}',
    shift_types    jsonb NOT NULL DEFAULT '[]',
    logo_asset_id  uuid CONSTRAINT community_settings_logo_fk REFERENCES cms.assets ON DELETE SET NULL,
    palette        jsonb NOT NULL DEFAULT '{}',
    bot            jsonb NOT NULL DEFAULT '{}',
    discovery      jsonb NOT NULL DEFAULT '{}',
    tags           text[] NOT NULL DEFAULT '{}',
    security       jsonb NOT NULL DEFAULT '{}',
    allowed_nets   cidr[] NOT NULL DEFAULT '{}',
    radio          jsonb NOT NULL DEFAULT '{}',
    presence       jsonb NOT NULL DEFAULT '{}',
    updated_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cms.pages (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid         uuid NOT NULL CONSTRAINT pages_community_fk REFERENCES cms.communities,
    slug        text NOT NULL,
    title       text NOT NULL,
    layout      jsonb NOT NULL DEFAULT '[]',
    rank_ids    uuid[] NOT NULL DEFAULT '{}',
    tsv         tsvector GENERATED ALWAYS AS
                    (setweight(to_tsvector('english', title), 'A') || to_tsvector('english', layout)) STORED,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (cid, slug)
);

CREATE TABLE cms.nav_items (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cid        uuid NOT NULL CONSTRAINT nav_items_community_fk REFERENCES cms.communities,
    parent_id  bigint CONSTRAINT nav_items_parent_fk REFERENCES cms.nav_items ON DELETE CASCADE,
    pos        int NOT NULL,
    label      text NOT NULL,
    page_id    uuid CONSTRAINT nav_items_page_fk REFERENCES cms.pages ON DELETE SET NULL,
    roster_id  bigint,  -- references rosters, below
    UNIQUE (cid, parent_id, pos) DEFERRABLE INITIALLY DEFERRED  -- drag and drop swaps positions one by one
);

CREATE TABLE cms.profile_fields (
    cid        uuid NOT NULL CONSTRAINT profile_fields_community_fk REFERENCES cms.communities,
    field_key  text NOT NULL,
    label      text NOT NULL,
    type       cms.field_type NOT NULL,
    options    text[],
    perms      jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (cid, field_key)
);

CREATE TABLE cms.notices (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cid         uuid NOT NULL CONSTRAINT notices_community_fk REFERENCES cms.communities,
    title       text NOT NULL,
    body        text NOT NULL,
    author_id   uuid,  -- references accounts, below
    created_at  timestamptz NOT NULL DEFAULT now()
);


-- Structure ---------------------------------------------------------------------------------------------------------------

CREATE TABLE cms.departments (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid              uuid NOT NULL CONSTRAINT departments_community_fk REFERENCES cms.communities,
    parent_id        uuid CONSTRAINT departments_parent_fk REFERENCES cms.departments ON DELETE SET NULL,
    label            text NOT NULL,
    label_two        text,
    perms            jsonb NOT NULL DEFAULT '{}',
    head_account_id  uuid,  -- references accounts, below: a cycle by way of account_ranks and ranks
    updated_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (cid, label)
);

CREATE TABLE cms.ranks (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    department_id  uuid NOT NULL CONSTRAINT ranks_department_fk REFERENCES cms.departments ON DELETE CASCADE,
    label          text NOT NULL,
    power          int NOT NULL DEFAULT 0,
    color          cms.color NOT NULL DEFAULT '#99aab5',
    icon_asset_id  uuid CONSTRAINT ranks_icon_fk REFERENCES cms.assets ON DELETE SET NULL,
    UNIQUE (department_id, label)
);

CREATE TABLE cms.rank_permissions (
    rank_id   uuid NOT NULL CONSTRAINT rank_permissions_rank_fk REFERENCES cms.ranks ON DELETE CASCADE,
    perm_key  text NOT NULL,
    state     cms.permission_state NOT NULL DEFAULT 'inherit',
    PRIMARY KEY (rank_id, perm_key)
);

CREATE TABLE cms.form_folders (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cid        uuid NOT NULL CONSTRAINT form_folders_community_fk REFERENCES cms.communities,
    parent_id  bigint CONSTRAINT form_folders_parent_fk REFERENCES cms.form_folders ON DELETE SET NULL,
    label      text NOT NULL
);

CREATE TABLE cms.stage_groups (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid             uuid NOT NULL CONSTRAINT stage_groups_community_fk REFERENCES cms.communities,
    parent_id       uuid CONSTRAINT stage_groups_parent_fk REFERENCES cms.stage_groups,
    label           text NOT NULL,
    entry_stage_id  uuid,  -- references stages, below: a cycle
    stage_ids       uuid[] NOT NULL DEFAULT '{}'
);

CREATE TABLE cms.stages (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid               uuid NOT NULL CONSTRAINT stages_community_fk REFERENCES cms.communities,
    home_group_id     uuid NOT NULL CONSTRAINT stages_home_group_fk REFERENCES cms.stage_groups
                          DEFERRABLE INITIALLY DEFERRED,
    on_fail_stage_id  uuid CONSTRAINT stages_on_fail_fk REFERENCES cms.stages ON DELETE SET NULL,
    label             text NOT NULL,
    actions           jsonb NOT NULL DEFAULT '[]',
    ai                jsonb
);

ALTER TABLE cms.stage_groups
    ADD CONSTRAINT stage_groups_entry_stage_fk FOREIGN KEY (entry_stage_id) REFERENCES cms.stages
        DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE cms.form_templates (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cid             uuid NOT NULL CONSTRAINT form_templates_community_fk REFERENCES cms.communities,
    folder_id       bigint CONSTRAINT form_templates_folder_fk REFERENCES cms.form_folders ON DELETE SET NULL,
    stage_group_id  uuid CONSTRAINT form_templates_stage_group_fk REFERENCES cms.stage_groups ON DELETE RESTRICT,
    label           text NOT NULL,
    structure       jsonb NOT NULL DEFAULT '[]',
    settings        jsonb NOT NULL DEFAULT '{}',
    locked          boolean NOT NULL DEFAULT false,
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cms.form_permissions (
    form_id  bigint NOT NULL CONSTRAINT form_permissions_form_fk REFERENCES cms.form_templates ON DELETE CASCADE,
    rank_id  uuid NOT NULL CONSTRAINT form_permissions_rank_fk REFERENCES cms.ranks ON DELETE CASCADE,
    perm     cms.form_permission NOT NULL,
    PRIMARY KEY (form_id, rank_id, perm)
);

CREATE TABLE cms.rosters (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cid       uuid NOT NULL CONSTRAINT rosters_community_fk REFERENCES cms.communities,
    slug      text NOT NULL,
    kind      cms.roster_kind NOT NULL DEFAULT 'automatic',
    columns   jsonb NOT NULL DEFAULT '[]',
    rank_ids  uuid[] NOT NULL DEFAULT '{}',
    UNIQUE (cid, slug)
);

ALTER TABLE cms.nav_items
    ADD CONSTRAINT nav_items_roster_fk FOREIGN KEY (roster_id) REFERENCES cms.rosters ON DELETE SET NULL;

CREATE TABLE cms.calendar_categories (
    id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid    uuid NOT NULL CONSTRAINT calendar_categories_community_fk REFERENCES cms.communities,
    label  text NOT NULL,
    color  cms.color NOT NULL DEFAULT '#5865f2',
    UNIQUE (cid, label)
);


-- Integrations ------------------------------------------------------------------------------------------------------------

CREATE TABLE cms.game_servers (
    cid               uuid NOT NULL CONSTRAINT game_servers_community_fk REFERENCES cms.communities,
    server_no         smallint NOT NULL,
    name              text NOT NULL,
    ip                text NOT NULL,  -- text, since host names are allowed too
    port              int NOT NULL CHECK (port BETWEEN 1 AND 65535),
    type              cms.server_type NOT NULL,
    ace               jsonb NOT NULL DEFAULT '{}',
    allowed_rank_ids  uuid[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (cid, server_no)
);

CREATE TABLE cms.cad_links (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid            uuid NOT NULL CONSTRAINT cad_links_community_fk REFERENCES cms.communities,
    cad_community  text NOT NULL,
    api_key_enc    bytea NOT NULL,
    options        jsonb NOT NULL DEFAULT '{}',
    UNIQUE (cid, cad_community)
);

CREATE TABLE cms.cad_rank_map (
    cad_link_id  uuid NOT NULL CONSTRAINT cad_rank_map_link_fk REFERENCES cms.cad_links ON DELETE CASCADE,
    rank_id      uuid NOT NULL CONSTRAINT cad_rank_map_rank_fk REFERENCES cms.ranks ON DELETE CASCADE,
    perms        text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (cad_link_id, rank_id)
);

CREATE TABLE cms.webhooks (
    id          bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    cid         uuid NOT NULL CONSTRAINT webhooks_community_fk REFERENCES cms.communities,
    event       cms.webhook_event NOT NULL,
    form_id     bigint CONSTRAINT webhooks_form_fk REFERENCES cms.form_templates ON DELETE CASCADE,
    channel_id  bigint NOT NULL,
    mentions    bigint[] NOT NULL DEFAULT '{}',
    UNIQUE NULLS NOT DISTINCT (cid, event, form_id, channel_id)
);


-- Content -----------------------------------------------------------------------------------------------------------------

CREATE TABLE cms.accounts (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid             uuid NOT NULL CONSTRAINT accounts_community_fk REFERENCES cms.communities,
    user_id         uuid NOT NULL CONSTRAINT accounts_user_fk REFERENCES cms.users,
    unique_no       int NOT NULL,
    com_name        text NOT NULL,
    status          cms.account_status NOT NULL DEFAULT 'pending',
    identifiers     text[] NOT NULL DEFAULT '{}',
    profile_values  jsonb NOT NULL DEFAULT '{}',
    clock           jsonb NOT NULL DEFAULT '{}',
    merged_into     uuid CONSTRAINT accounts_merged_into_fk REFERENCES cms.accounts ON DELETE SET NULL,
    display         text GENERATED ALWAYS AS (com_name || ' #' || unique_no::text) STORED,
    joined_at       timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (cid, user_id),
    UNIQUE (cid, unique_no)
);

CREATE TABLE cms.account_ranks (
    account_id  uuid NOT NULL CONSTRAINT account_ranks_account_fk REFERENCES cms.accounts ON DELETE CASCADE,
    rank_id     uuid NOT NULL CONSTRAINT account_ranks_rank_fk REFERENCES cms.ranks ON DELETE CASCADE,
    pos         smallint NOT NULL DEFAULT 0,
    expires_at  timestamptz,
    PRIMARY KEY (account_id, rank_id)
);

ALTER TABLE cms.notices
    ADD CONSTRAINT notices_author_fk FOREIGN KEY (author_id) REFERENCES cms.accounts ON DELETE SET NULL;
ALTER TABLE cms.departments
    ADD CONSTRAINT departments_head_fk FOREIGN KEY (head_account_id) REFERENCES cms.accounts ON DELETE SET NULL
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE cms.communities
    ADD CONSTRAINT communities_home_page_fk FOREIGN KEY (home_page_id) REFERENCES cms.pages ON DELETE SET NULL
        DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE cms.form_submissions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cid             uuid NOT NULL CONSTRAINT form_submissions_community_fk REFERENCES cms.communities,
    template_id     bigint NOT NULL CONSTRAINT form_submissions_template_fk REFERENCES cms.form_templates ON DELETE RESTRICT,
    submitter_id    uuid NOT NULL CONSTRAINT form_submissions_submitter_fk REFERENCES cms.accounts,
    context_id      uuid CONSTRAINT form_submissions_context_fk REFERENCES cms.accounts,
    related_ids     uuid[] NOT NULL DEFAULT '{}',
    stage_id        uuid CONSTRAINT form_submissions_stage_fk REFERENCES cms.stages ON DELETE SET NULL,
    stage_group_id  uuid CONSTRAINT form_submissions_stage_group_fk REFERENCES cms.stage_groups ON DELETE SET NULL,
    structure       jsonb NOT NULL DEFAULT '[]',
    comments        jsonb NOT NULL DEFAULT '[]',
    stage_backup    jsonb,  -- what the stage was called, for when it is deleted
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cms.forum_categories (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid        uuid NOT NULL CONSTRAINT forum_categories_community_fk REFERENCES cms.communities,
    parent_id  uuid CONSTRAINT forum_categories_parent_fk REFERENCES cms.forum_categories,
    label      text NOT NULL,
    perms      jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE cms.forum_topics (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    category_id       uuid NOT NULL CONSTRAINT forum_topics_category_fk REFERENCES cms.forum_categories ON DELETE CASCADE,
    author_id         uuid CONSTRAINT forum_topics_author_fk REFERENCES cms.accounts ON DELETE SET NULL,
    title             text NOT NULL,
    pinned            boolean NOT NULL DEFAULT false,
    locked            boolean NOT NULL DEFAULT false,
    private_rank_ids  uuid[] NOT NULL DEFAULT '{}',
    attachment_ids    uuid[] NOT NULL DEFAULT '{}',
    reply_count       int NOT NULL DEFAULT 0,
    last_reply_id     bigint,  -- references forum_replies, below: a cycle
    created_at        timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cms.forum_replies (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic_id    bigint NOT NULL CONSTRAINT forum_replies_topic_fk REFERENCES cms.forum_topics ON DELETE CASCADE,
    reply_to    bigint CONSTRAINT forum_replies_reply_to_fk REFERENCES cms.forum_replies ON DELETE SET NULL,
    author_id   uuid CONSTRAINT forum_replies_author_fk REFERENCES cms.accounts ON DELETE SET NULL,
    body        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE cms.forum_topics
    ADD CONSTRAINT forum_topics_last_reply_fk FOREIGN KEY (last_reply_id) REFERENCES cms.forum_replies
        DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE cms.gallery_categories (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid              uuid NOT NULL CONSTRAINT gallery_categories_community_fk REFERENCES cms.communities,
    label            text NOT NULL,
    upload_rank_ids  uuid[] NOT NULL DEFAULT '{}'
);

CREATE TABLE cms.gallery_posts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    category_id  uuid NOT NULL CONSTRAINT gallery_posts_category_fk REFERENCES cms.gallery_categories,
    author_id    uuid CONSTRAINT gallery_posts_author_fk REFERENCES cms.accounts ON DELETE SET NULL,
    asset_id     uuid NOT NULL CONSTRAINT gallery_posts_asset_fk REFERENCES cms.assets ON DELETE RESTRICT,
    caption      text,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cms.events (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid              uuid NOT NULL CONSTRAINT events_community_fk REFERENCES cms.communities,
    category_id      uuid NOT NULL CONSTRAINT events_category_fk REFERENCES cms.calendar_categories ON DELETE RESTRICT,
    title            text NOT NULL,
    body             text,
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL CHECK (ends_at > starts_at),
    during           tstzrange GENERATED ALWAYS AS (tstzrange(starts_at, ends_at)) STORED,
    rsvp_limit       int NOT NULL DEFAULT -1 CHECK (rsvp_limit >= -1),  -- -1: no limit
    header_asset_id  uuid CONSTRAINT events_header_fk REFERENCES cms.assets ON DELETE SET NULL
);

CREATE TABLE cms.event_rsvps (
    event_id    uuid NOT NULL CONSTRAINT event_rsvps_event_fk REFERENCES cms.events ON DELETE CASCADE,
    account_id  uuid NOT NULL CONSTRAINT event_rsvps_account_fk REFERENCES cms.accounts ON DELETE CASCADE,
    going       boolean,  -- null: maybe
    PRIMARY KEY (event_id, account_id)
);

CREATE TABLE cms.roster_rows (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    roster_id   bigint NOT NULL CONSTRAINT roster_rows_roster_fk REFERENCES cms.rosters ON DELETE CASCADE,
    account_id  uuid CONSTRAINT roster_rows_account_fk REFERENCES cms.accounts ON DELETE SET NULL,
    sort_power  int NOT NULL DEFAULT 0
);

CREATE TABLE cms.roster_data (
    row_id      uuid NOT NULL CONSTRAINT roster_data_row_fk REFERENCES cms.roster_rows ON DELETE CASCADE,
    column_key  text NOT NULL,
    value       jsonb,
    PRIMARY KEY (row_id, column_key)
);

CREATE TABLE cms.docs (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid          uuid NOT NULL CONSTRAINT docs_community_fk REFERENCES cms.communities,
    parent_id    uuid CONSTRAINT docs_parent_fk REFERENCES cms.docs ON DELETE CASCADE,
    kind         cms.doc_kind NOT NULL,
    name         text NOT NULL,
    share_type   cms.share_type NOT NULL DEFAULT 'private',
    share_token  text UNIQUE,
    rank_access  jsonb NOT NULL DEFAULT '{}',
    blob_key     text,  -- the text itself lies in an object store
    trashed_at   timestamptz,
    updated_at   timestamptz NOT NULL DEFAULT now()
);


-- In no option, but pointing into the options -----------------------------------------------------------------------------

CREATE TABLE cms.disciplinary_records (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    cid         uuid NOT NULL CONSTRAINT disciplinary_records_community_fk REFERENCES cms.communities,
    account_id  uuid NOT NULL CONSTRAINT disciplinary_records_account_fk REFERENCES cms.accounts ON DELETE RESTRICT,
    points      int NOT NULL DEFAULT 0,
    history     jsonb NOT NULL DEFAULT '[]'
);

CREATE TABLE cms.activity_log (
    at          timestamptz NOT NULL DEFAULT now(),
    id          bigint GENERATED ALWAYS AS IDENTITY,
    cid         uuid NOT NULL CONSTRAINT activity_log_community_fk REFERENCES cms.communities,
    account_id  uuid,  -- no foreign key: the log outlives the account
    type        int NOT NULL,
    content     jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);

CREATE TABLE cms.activity_log_2024h1 PARTITION OF cms.activity_log
    FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2024-07-01 00:00:00+00');
CREATE TABLE cms.activity_log_2024h2 PARTITION OF cms.activity_log
    FOR VALUES FROM ('2024-07-01 00:00:00+00') TO ('2025-01-01 00:00:00+00');
CREATE TABLE cms.activity_log_2025h1 PARTITION OF cms.activity_log
    FOR VALUES FROM ('2025-01-01 00:00:00+00') TO ('2025-07-01 00:00:00+00');
CREATE TABLE cms.activity_log_2025h2 PARTITION OF cms.activity_log
    FOR VALUES FROM ('2025-07-01 00:00:00+00') TO ('2026-01-01 00:00:00+00');
CREATE TABLE cms.activity_log_later PARTITION OF cms.activity_log DEFAULT;


-- Indexes: every way from a community down to its rows, and every foreign key that no key above leads with ------------------

CREATE INDEX communities_owner_idx ON cms.communities (owner_user_id);
CREATE INDEX communities_home_page_idx ON cms.communities (home_page_id);
CREATE INDEX community_settings_logo_idx ON cms.community_settings (logo_asset_id);
CREATE INDEX pages_tsv_idx ON cms.pages USING gin (tsv);
CREATE INDEX nav_items_parent_idx ON cms.nav_items (parent_id);
CREATE INDEX nav_items_page_idx ON cms.nav_items (page_id);
CREATE INDEX nav_items_roster_idx ON cms.nav_items (roster_id);
CREATE INDEX notices_cid_idx ON cms.notices (cid, created_at);
CREATE INDEX notices_author_idx ON cms.notices (author_id);

CREATE INDEX departments_parent_idx ON cms.departments (parent_id);
CREATE INDEX departments_head_idx ON cms.departments (head_account_id);
CREATE INDEX ranks_icon_idx ON cms.ranks (icon_asset_id);
CREATE INDEX form_folders_cid_idx ON cms.form_folders (cid);
CREATE INDEX form_folders_parent_idx ON cms.form_folders (parent_id);
CREATE INDEX stage_groups_cid_idx ON cms.stage_groups (cid);
CREATE INDEX stage_groups_parent_idx ON cms.stage_groups (parent_id);
CREATE INDEX stage_groups_entry_stage_idx ON cms.stage_groups (entry_stage_id);
CREATE INDEX stages_cid_idx ON cms.stages (cid);
CREATE INDEX stages_home_group_idx ON cms.stages (home_group_id);
CREATE INDEX stages_on_fail_idx ON cms.stages (on_fail_stage_id);
CREATE INDEX form_templates_cid_idx ON cms.form_templates (cid);
CREATE INDEX form_templates_folder_idx ON cms.form_templates (folder_id);
CREATE INDEX form_templates_stage_group_idx ON cms.form_templates (stage_group_id);
CREATE INDEX form_permissions_rank_idx ON cms.form_permissions (rank_id);

CREATE INDEX cad_rank_map_rank_idx ON cms.cad_rank_map (rank_id);
CREATE INDEX webhooks_form_idx ON cms.webhooks (form_id);

CREATE INDEX accounts_user_idx ON cms.accounts (user_id);
CREATE INDEX accounts_merged_into_idx ON cms.accounts (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX account_ranks_rank_idx ON cms.account_ranks (rank_id);
CREATE INDEX form_submissions_cid_idx ON cms.form_submissions (cid, created_at);
CREATE INDEX form_submissions_template_idx ON cms.form_submissions (template_id);
CREATE INDEX form_submissions_submitter_idx ON cms.form_submissions (submitter_id);
CREATE INDEX form_submissions_context_idx ON cms.form_submissions (context_id) WHERE context_id IS NOT NULL;
CREATE INDEX form_submissions_stage_idx ON cms.form_submissions (stage_id) WHERE stage_id IS NOT NULL;
CREATE INDEX form_submissions_stage_group_idx ON cms.form_submissions (stage_group_id) WHERE stage_group_id IS NOT NULL;
CREATE INDEX forum_categories_cid_idx ON cms.forum_categories (cid);
CREATE INDEX forum_categories_parent_idx ON cms.forum_categories (parent_id);
CREATE INDEX forum_topics_category_idx ON cms.forum_topics (category_id, created_at);
CREATE INDEX forum_topics_author_idx ON cms.forum_topics (author_id);
CREATE INDEX forum_topics_last_reply_idx ON cms.forum_topics (last_reply_id);
CREATE INDEX forum_replies_topic_idx ON cms.forum_replies (topic_id, id);
CREATE INDEX forum_replies_reply_to_idx ON cms.forum_replies (reply_to) WHERE reply_to IS NOT NULL;
CREATE INDEX forum_replies_author_idx ON cms.forum_replies (author_id);
CREATE INDEX gallery_categories_cid_idx ON cms.gallery_categories (cid);
CREATE INDEX gallery_posts_category_idx ON cms.gallery_posts (category_id);
CREATE INDEX gallery_posts_author_idx ON cms.gallery_posts (author_id);
CREATE INDEX gallery_posts_asset_idx ON cms.gallery_posts (asset_id);
CREATE INDEX events_cid_idx ON cms.events (cid, starts_at);
CREATE INDEX events_category_idx ON cms.events (category_id);
CREATE INDEX events_header_idx ON cms.events (header_asset_id);
CREATE INDEX event_rsvps_account_idx ON cms.event_rsvps (account_id);
CREATE INDEX roster_rows_roster_idx ON cms.roster_rows (roster_id);
CREATE INDEX roster_rows_account_idx ON cms.roster_rows (account_id);
CREATE INDEX docs_cid_idx ON cms.docs (cid);
CREATE INDEX docs_parent_idx ON cms.docs (parent_id);
CREATE INDEX disciplinary_records_cid_idx ON cms.disciplinary_records (cid);
CREATE INDEX disciplinary_records_account_idx ON cms.disciplinary_records (account_id);
CREATE INDEX activity_log_cid_idx ON cms.activity_log (cid, at);


-- Triggers of the application ---------------------------------------------------------------------------------------------

CREATE FUNCTION cms.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE TRIGGER touch BEFORE UPDATE ON cms.community_settings FOR EACH ROW EXECUTE FUNCTION cms.touch();
CREATE TRIGGER touch BEFORE UPDATE ON cms.pages FOR EACH ROW EXECUTE FUNCTION cms.touch();
CREATE TRIGGER touch BEFORE UPDATE ON cms.departments FOR EACH ROW EXECUTE FUNCTION cms.touch();
CREATE TRIGGER touch BEFORE UPDATE ON cms.form_templates FOR EACH ROW EXECUTE FUNCTION cms.touch();
CREATE TRIGGER touch BEFORE UPDATE ON cms.accounts FOR EACH ROW EXECUTE FUNCTION cms.touch();
CREATE TRIGGER touch BEFORE UPDATE ON cms.form_submissions FOR EACH ROW EXECUTE FUNCTION cms.touch();
CREATE TRIGGER touch BEFORE UPDATE ON cms.docs FOR EACH ROW EXECUTE FUNCTION cms.touch();

-- Gives a new account the next number of its community; a number once used never comes back.
CREATE FUNCTION cms.number_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE cms.communities SET last_unique_no = last_unique_no + 1 WHERE id = NEW.cid
    RETURNING last_unique_no INTO NEW.unique_no;
    RETURN NEW;
END $$;

CREATE TRIGGER number_account BEFORE INSERT ON cms.accounts
    FOR EACH ROW WHEN (NEW.unique_no IS NULL) EXECUTE FUNCTION cms.number_account();

CREATE FUNCTION cms.log_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cms.activity_log (cid, account_id, type, content)
    VALUES (NEW.cid, NEW.id, 12, jsonb_build_object('from', OLD.status, 'to', NEW.status));
    RETURN NULL;
END $$;

CREATE TRIGGER log_status AFTER UPDATE OF status ON cms.accounts
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION cms.log_status();

-- Keeps a topic's number of replies, and which was the last.
CREATE FUNCTION cms.count_reply() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE cms.forum_topics SET reply_count = reply_count + 1, last_reply_id = NEW.id WHERE id = NEW.topic_id;
    ELSE
        UPDATE cms.forum_topics t
        SET reply_count = reply_count - 1,
            last_reply_id = (SELECT max(r.id) FROM cms.forum_replies r WHERE r.topic_id = OLD.topic_id)
        WHERE t.id = OLD.topic_id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER count_reply AFTER INSERT OR DELETE ON cms.forum_replies
    FOR EACH ROW EXECUTE FUNCTION cms.count_reply();


-- What the extension needs to know of a community: who owns it, where mail goes, whether the plan allows restores ----------

CREATE VIEW cms.snapback_directory AS
SELECT c.id::text AS community,
       coalesce(s.name, c.public_id) AS name,
       u.id::text AS owner,
       u.email AS owner_email,
       c.plan = 'pro' AS restores_enabled
FROM cms.communities c
JOIN cms.users u ON u.id = c.owner_user_id
LEFT JOIN cms.community_settings s ON s.cid = c.id;
