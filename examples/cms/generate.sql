-- Fills the reference CMS with invented communities. The same size and seed give the same rows, uuids included.
--   size: tiny (4 communities, some hundred rows), small (60), benchmark (1,000 communities of very unequal size)
-- Run it as the owner of the schema, on empty tables, and before the tables are registered with the extension.
\set ON_ERROR_STOP on
\if :{?size}
\else
    \set size tiny
\endif
\if :{?seed}
\else
    \set seed 1
\endif

BEGIN;
CREATE SCHEMA invention;  -- holds the functions below, until the end
SET LOCAL search_path = invention;
SET LOCAL client_min_messages = warning;
SET LOCAL timezone = 'UTC';  -- times inside jsonb are written in it
SET LOCAL work_mem = '256MB';
SET LOCAL maintenance_work_mem = '512MB';
SET LOCAL synchronous_commit = off;
SET LOCAL jit = off;

SELECT :'size' = 'tiny' AS is_tiny, :'size' = 'small' AS is_small, :'size' = 'benchmark' AS is_benchmark,
       :'size' NOT IN ('tiny', 'small', 'benchmark') AS is_unknown,
       EXISTS (SELECT FROM cms.communities) AS is_loaded \gset
\if :is_unknown
    DO $$ BEGIN RAISE 'size must be tiny, small or benchmark'; END $$;
\endif
\if :is_loaded
    DO $$ BEGIN RAISE 'cms.communities must be empty'; END $$;
\endif


-- Shelve keys, indexes and triggers: to build them once is quicker, and putting the foreign keys back checks them ---------

CREATE TEMP TABLE shelved (step int, ord int GENERATED ALWAYS AS IDENTITY, put_back text NOT NULL) ON COMMIT DROP;

DO $$
DECLARE
    x record;
BEGIN
    FOR x IN
        SELECT t.tgrelid::regclass AS rel, t.tgname
        FROM pg_trigger t
        JOIN pg_proc f ON f.oid = t.tgfoid
        WHERE NOT t.tgisinternal AND f.pronamespace = 'cms'::regnamespace
        ORDER BY t.tgrelid::regclass::text, t.tgname
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', x.rel, x.tgname);
        INSERT INTO shelved (step, put_back) VALUES (4, format('ALTER TABLE %s ENABLE TRIGGER %I', x.rel, x.tgname));
    END LOOP;

    FOR x IN
        SELECT indexrelid::regclass AS idx, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') AS def
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace = 'cms'::regnamespace
          AND NOT c.relispartition
          AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
        ORDER BY i.indexrelid
    LOOP
        EXECUTE format('DROP INDEX %s', x.idx);
        INSERT INTO shelved (step, put_back) VALUES (3, x.def);
    END LOOP;

    -- Foreign keys go first and come back last, since they lean on the other keys.
    FOR x IN
        SELECT k.conrelid::regclass AS rel, k.conname, pg_get_constraintdef(k.oid) AS def,
               CASE k.contype WHEN 'f' THEN 2 ELSE 1 END AS step
        FROM pg_constraint k
        WHERE k.connamespace = 'cms'::regnamespace AND k.contype IN ('f', 'p', 'u') AND k.conparentid = 0
        ORDER BY k.contype <> 'f', k.oid
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', x.rel, x.conname);
        INSERT INTO shelved (step, put_back)
        VALUES (x.step, format('ALTER TABLE %s ADD CONSTRAINT %I %s', x.rel, x.conname, x.def));
    END LOOP;
END $$;


-- Dice: every value hangs on the seed, the community's number n, the row's number i and a salt -----------------------------

CREATE FUNCTION h(n int, i bigint, salt int) RETURNS bigint LANGUAGE sql IMMUTABLE
    RETURN hashint8extended(n::bigint * 10000000 + i, salt + :seed * 1000003::bigint);

CREATE FUNCTION r(n int, i bigint, salt int, sides int) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN ((h(n, i, salt) & 2147483647) % sides)::int;

CREATE FUNCTION u(n int, i bigint, salt int) RETURNS float8 LANGUAGE sql IMMUTABLE
    RETURN (h(n, i, salt) & 16777215)::float8 / 16777216;

CREATE FUNCTION uid(kind text, n int, i bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN md5(kind || :'seed' || ':' || n || ':' || i)::uuid;

CREATE FUNCTION pick(list text[], n int, i bigint, salt int) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN list[1 + r(n, i, salt, cardinality(list))];

-- A whole number from 0 to m - 1, low ones far more often: the members who joined first write most.
CREATE FUNCTION low(n int, i bigint, salt int, m int) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN floor(m * power(u(n, i, salt), 1.8))::int;

CREATE FUNCTION color(n int, i bigint, salt int) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN '#' || lpad(to_hex(r(n, i, salt, 16777216)), 6, '0');

CREATE FUNCTION snowflake(n int, i bigint, salt int) RETURNS bigint LANGUAGE sql IMMUTABLE
    RETURN 300000000000000000 + (h(n, i, salt) & 1152921504606846975);

-- Up to three different ranks of community n.
CREATE FUNCTION rank_ids(n int, i bigint, salt int, ranks int) RETURNS uuid[] LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT coalesce(array_agg(uid('rank', n, 1 + (r(n, i, salt, ranks) + t * (ranks / 3)) % ranks)), '{}')
    FROM generate_series(1, r(n, i, salt + 1, 4)) t;
END;


-- Word lists --------------------------------------------------------------------------------------------------------------

CREATE FUNCTION small_words() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN string_to_array(
    'the to and a of in is on for you that it with we be are this have not as if or at will all your was from can by our an '
    'do they so but has their please when who any should no been would also what there about out more must one up only just '
    'before after then into my me I he she us them were had its over than which these some other each how because while', ' ');

CREATE FUNCTION nouns() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN string_to_array(
    'patrol scene report member rank vehicle session server community officer department unit radio channel call dispatch '
    'pursuit stop warrant supervisor cadet applicant interview application form review admin owner rule guideline handbook '
    'policy meeting event squad team shift roster schedule promotion transfer absence timezone chat message update patch '
    'release bug crash reset queue slot ban warning strike appeal ticket request answer question reason example clip video '
    'screenshot stream record witness statement conflict issue problem solution idea suggestion vote poll result winner '
    'contest prize season league match round map lobby spawn airport harbor station hospital county city state highway '
    'bridge tunnel desert mountain forest beach island hangar garage depot weapon rifle pistol vest uniform badge helmet '
    'glove boot livery skin texture model script resource framework job business shop bank salary fine invoice license '
    'permit plate mechanic repair engine chase roadblock helicopter plane boat truck bike sedan cruiser ambulance ladder '
    'hose rescue medic patient injury wound bandage clinic doctor nurse fire alarm hazard storm flood night morning evening '
    'weekend holiday character story plot crime gang robbery heist hostage ransom deal smuggler lawyer judge court trial '
    'verdict sentence prison background skill strength weakness attitude account profile name callsign number code token '
    'password address country language sheriff trooper deputy sergeant lieutenant captain commander chief director manager '
    'assistant intern recruit trainer instructor examiner developer artist writer editor moderator helper founder partner '
    'sponsor donor guest visitor friend player gamer newcomer rookie candidate colleague command division bureau branch '
    'section group council board office floor room door window wall gate street road lane corner block sector zone region '
    'border coast river lake valley hill field farm ranch mine factory warehouse dock train bus taxi driver pilot crew '
    'passenger civilian suspect victim bystander caller operator frequency signal perimeter briefing protocol procedure '
    'standard requirement deadline extension exception penalty reward bonus medal award ribbon ceremony parade charity '
    'anniversary party concert race tournament championship certification course lesson module exam quiz score grade hour '
    'minute month year quarter budget donation goal target milestone roadmap feature option setting preference category '
    'folder page menu button banner logo theme color font layout template column row table list chart archive backup '
    'webhook headset microphone keyboard laptop browser phone camera ride convoy checkpoint barricade jacket locker medkit '
    'flare drone tracker dashcam logbook citation', ' ');

CREATE FUNCTION verbs() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN string_to_array(
    'accept approve reject complete finish start pause wait check confirm verify test fail pass earn save share receive '
    'create design paint edit delete remove add change move copy join enter attend miss skip cover replace assign appoint '
    'elect nominate follow guide learn practice coach watch listen post mention link upload download install enable disable '
    'mute connect stutter arrest train respond secure escort search question charge book process inspect observe notify '
    'assist request recommend explain discuss document collect handle manage resolve prepare organize announce restart '
    'repair deploy evacuate treat transport recover investigate interview promote suspend welcome thank remind improve '
    'support', ' ');

CREATE FUNCTION adjectives() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN string_to_array(
    'honest mature patient calm friendly helpful active loyal serious funny toxic rude loud quiet fast slow early late long '
    'short high low good bad great small large new old fresh final main minor major public private open closed hidden '
    'locked pinned special certain clear simple complex correct wrong better worse enough several many first second third '
    'last next current previous recent future daily weekly monthly total average extra double single full empty whole '
    'partial inactive English German French Dutch Spanish northern southern eastern western downtown overdue mandatory '
    'optional temporary permanent rare common strict fair', ' ');

CREATE FUNCTION first_names() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN string_to_array(
    'Liam Noah Oliver James Elijah Mateo Lucas Levi Ezra Henry Leo Owen Jack Daniel Samuel Theo Isaac Nathan Caleb Ryan Adrian '
    'Miles Aaron Connor Jeremy Tyler Austin Dominic Jordan Kevin Marcus Felix Oscar Hugo Anton Emil Jonas Lars Sven Piotr Milan '
    'Ivan Dmitri Luca Marco Diego Pablo Andre Rafael Thiago Kenji Hiro Wei Min Arjun Ravi Omar Yusuf Tariq Kofi Olivia Emma Ava '
    'Sophia Mia Isla Luna Ella Nora Hazel Chloe Layla Zoe Violet Stella Lucy Anna Clara Ida Freya Astrid Greta Hanna Lena Marie '
    'Elise Camille Ines Lucia Carmen Paula Bianca Yara Aisha Fatima Leila Priya Mei Yuki Sora Naomi Ruth Iris June Skye', ' ');

CREATE FUNCTION last_names() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN string_to_array(
    'Smith Jones Taylor Brown Walker Hughes Green Hall Wood Harris Clarke Turner Hill Moore Ward Cooper King Bell Murphy Bailey '
    'Kelly Price Ross Foster Reed Hayes Brooks Sullivan Griffin Hayward Novak Kowalski Nowak Horvat Kovac Petrov Ivanov Popescu '
    'Larsen Hansen Nilsson Berg Lindqvist Virtanen Meyer Schmidt Wagner Becker Hoffmann Koch Richter Klein Wolf Neumann Braun '
    'Dubois Moreau Laurent Lefevre Girard Rossi Ferrari Bianchi Conti Greco Garcia Lopez Martinez Torres Ramirez Flores Rivera '
    'Silva Santos Costa Almeida Tanaka Sato Kobayashi Chen Wang Liu Zhang Nguyen Tran Kim Park Singh Patel Sharma Khan Ahmed '
    'Hassan Mensah Okafor Diallo Jackson Carter Mitchell Parker Morgan Bennett Coleman Jenkins Perry Powell Long Vance Quinn', ' ');

CREATE FUNCTION department_names() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN
    ARRAY['State Patrol', 'Sheriff''s Office', 'Metropolitan Police', 'Fire and Rescue', 'Emergency Medical Services',
          'Communications', 'Civilian Operations', 'Highway Authority', 'Department of Justice', 'Wildlife Service',
          'Air Support', 'Coast Guard', 'Training Academy', 'Internal Affairs', 'Human Resources', 'Public Relations',
          'Development Team', 'Moderation Team', 'Event Team', 'Racing League', 'Logistics Corps', 'First Battalion',
          'Special Operations', 'Media Group', 'Business Registry', 'Towing and Recovery', 'Corrections', 'Park Rangers',
          'Harbor Police', 'Transit Authority'];

CREATE FUNCTION rank_names() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN
    ARRAY['Recruit', 'Probationary', 'Junior Member', 'Member', 'Senior Member', 'Corporal', 'Sergeant', 'Staff Sergeant',
          'Lieutenant', 'Captain', 'Major', 'Commander', 'Deputy Chief', 'Chief'];

CREATE FUNCTION perm_keys() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN string_to_array(
    'accounts.view accounts.edit accounts.suspend accounts.merge ranks.assign ranks.edit forms.review forms.edit forms.delete '
    'rosters.view rosters.edit forum.post forum.pin forum.moderate gallery.upload gallery.moderate events.create events.manage '
    'docs.view docs.edit discipline.view discipline.issue servers.manage webhooks.manage audit.view pages.edit', ' ');

CREATE FUNCTION questions() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN
    ARRAY['Why do you want to join?', 'How old are you?', 'What is your timezone?', 'Describe your experience',
          'Name of the officer involved', 'What happened?', 'When did it happen?', 'Link to the evidence', 'Were you warned before?',
          'Why should we reconsider?', 'Which subdivision do you prefer?', 'How many hours a week can you give?',
          'Who referred you?', 'Have you been banned elsewhere?', 'Describe a conflict you solved', 'First day of absence',
          'Last day of absence', 'Reason for your absence', 'Which vehicle do you request?', 'Attach the plate number',
          'Rate your trainer', 'What could we improve?', 'Your character''s full name', 'Your character''s background',
          'Do you own a microphone?', 'Which department do you transfer from?', 'Reason for the transfer', 'Name of your supervisor',
          'Units on scene', 'Charges filed', 'Narrative', 'Items seized', 'Was force used?', 'Location', 'Suspect description',
          'Score of the ride-along', 'Radio discipline', 'Driving', 'Recommendation', 'Anything else?'];

CREATE FUNCTION form_names() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN
    ARRAY['Membership Application', 'Leave of Absence', 'Ban Appeal', 'Incident Report', 'Transfer Request', 'Member Complaint',
          'Promotion Recommendation', 'Ride-Along Evaluation', 'Vehicle Request', 'Resignation', 'Staff Application',
          'Training Feedback', 'Arrest Report', 'Citation', 'Use of Force Report', 'Business Registration', 'Partnership Request',
          'Bug Report', 'Award Nomination', 'Field Training Log', 'Equipment Loss', 'Medical Report', 'Fire Report', 'Exit Survey'];

CREATE FUNCTION stage_names() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN
    ARRAY['Received', 'Under Review', 'Interview', 'Background Check', 'Training', 'Accepted', 'Denied', 'On Hold'];

CREATE FUNCTION page_names() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN
    ARRAY['Home', 'About Us', 'Rules', 'How to Join', 'Our Departments', 'Staff Team', 'Handbook', 'Donate', 'Partners', 'News',
          'Frequently Asked Questions', 'Server Status', 'Penal Code', 'Radio Codes', 'Vehicle Fleet', 'Media', 'Contact',
          'Privacy', 'Code of Conduct', 'Roadmap'];

CREATE FUNCTION topic_places() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN
    ARRAY['Announcements', 'General', 'Introductions', 'Suggestions', 'Support', 'Off Topic', 'Department News', 'Events',
          'Media', 'Development', 'Guides', 'Archive', 'Roleplay Stories', 'Marketplace', 'Staff Lounge'];

CREATE FUNCTION tags() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN string_to_array(
    'roleplay milsim serious casual police fire ems racing building survival english german french spanish 18+ beginner-friendly '
    'whitelisted economy voice-required competitive', ' ');

CREATE FUNCTION field_keys() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN string_to_array(
    'callsign badge timezone birthday pronouns country steam_name referrer about phone languages division certifications '
    'voice_ok emergency_contact hours', ' ');

CREATE FUNCTION field_types() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN string_to_array(
    'short_text number choice date short_text choice short_text short_text long_text short_text multi_choice choice multi_choice '
    'switch short_text number', ' ');

CREATE FUNCTION roster_columns() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN string_to_array(
    'callsign notes phase timezone last_patrol certified', ' ');

CREATE FUNCTION timezones() RETURNS text[] LANGUAGE sql IMMUTABLE RETURN string_to_array(
    'Europe/London Europe/Berlin Europe/Paris Europe/Warsaw America/New_York America/Chicago America/Denver America/Los_Angeles '
    'America/Sao_Paulo Australia/Sydney Asia/Tokyo Asia/Kolkata', ' ');

CREATE FUNCTION choices(field int) RETURNS text[] LANGUAGE sql IMMUTABLE RETURN
    CASE (field_keys())[field]
        WHEN 'timezone' THEN timezones()
        WHEN 'country' THEN string_to_array('DE FR GB US CA NL PL SE ES BR AU NO', ' ')
        WHEN 'languages' THEN string_to_array('English German French Dutch Polish Spanish Portuguese Swedish', ' ')
        WHEN 'division' THEN string_to_array('North South East West Air Marine', ' ')
        WHEN 'certifications' THEN string_to_array('pursuit k9 swat pilot diver negotiator trainer paramedic', ' ')
    END;

-- Every form of every word; name[] rather than text[], since elements of one width are found without walking the array.
CREATE TEMP TABLE vocabulary ON COMMIT DROP AS
SELECT array_agg(word ORDER BY ord, form) AS forms
FROM (SELECT ord, 1 AS form, w AS word FROM unnest(nouns() || verbs() || adjectives()) WITH ORDINALITY x(w, ord)
      UNION ALL
      SELECT ord, 2, CASE WHEN w ~ '[^aeo]y$' THEN left(w, -1) || 'ies'
                          WHEN w ~ '(s|x|z|ch|sh)$' THEN w || 'es'
                          ELSE w || 's' END
      FROM unnest(nouns() || verbs()) WITH ORDINALITY x(w, ord)
      UNION ALL
      SELECT 10000 + ord, 3, CASE WHEN w ~ 'e$' THEN w || 'd'
                                  WHEN w ~ '[^aeo]y$' THEN left(w, -1) || 'ied'
                                  ELSE w || 'ed' END
      FROM unnest(verbs()) WITH ORDINALITY x(w, ord)
      UNION ALL
      SELECT 10000 + ord, 4, CASE WHEN w ~ '[^e]e$' THEN left(w, -1) || 'ing' ELSE w || 'ing' END
      FROM unnest(verbs()) WITH ORDINALITY x(w, ord)) f;

-- Does a sentence end with word g? One does in every ten, so that sentences have two to eighteen words.
CREATE FUNCTION ends(g bigint) RETURNS boolean LANGUAGE sql IMMUTABLE
    RETURN g % 10 = 1 + r(0, g / 10, 6, 9);

-- One long tape of prose; a text is cut from it at a hashed place, which is far quicker than choosing its words one by one.
CREATE TEMP TABLE tape ON COMMIT DROP AS
SELECT convert_to(string_agg(
           CASE WHEN ends(g - 1) THEN upper(left(word, 1)) || substr(word, 2) ELSE word END
           || CASE WHEN ends(g) THEN CASE r(0, g, 7, 12) WHEN 0 THEN '? ' WHEN 1 THEN '! ' ELSE '. ' END
                   WHEN r(0, g, 8, 15) = 0 THEN ', '
                   ELSE ' ' END, '' ORDER BY g), 'UTF8') AS prose
FROM (SELECT g,
             CASE WHEN r(0, g, 1, 100) < 42 THEN v.small[1 + low(0, g, 2, cardinality(v.small))]::text
                  WHEN r(0, g, 1, 100) < 45 THEN r(0, g, 3, 2500)::text
                  WHEN r(0, g, 1, 100) < 48 THEN pick(first_names(), 0, g, 3)
                  ELSE v.forms[1 + r(0, g, 4, cardinality(v.forms))]::text
             END AS word
      FROM generate_series(1, CASE :'size' WHEN 'tiny' THEN 12000 WHEN 'small' THEN 400000 ELSE 3000000 END) g,
           (SELECT small_words()::name[] AS small, forms::name[] AS forms FROM vocabulary OFFSET 0) v) p;

-- Some whole words from the tape, beginning with a sentence where one begins near.
CREATE FUNCTION cut(tape bytea, dice bigint, len int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    s text := convert_from(substring(tape, 1 + ((dice & 1099511627775) % (length(tape) - len - 100))::int, len + 90), 'UTF8');
    p int := strpos(s, '. ') + 1;
BEGIN
    IF p NOT BETWEEN 2 AND 90 THEN
        p := strpos(s, ' ');
    END IF;
    s := substr(s, p + 1, len);
    s := rtrim(left(s, length(s) - strpos(reverse(s), ' ')), ' ,.');
    RETURN upper(left(s, 1)) || substr(s, 2);
END $$;

-- The || makes the statement read the tape once, rather than every call anew.
\set tape '(SELECT prose || \'\'::bytea FROM tape)'


-- The plan: how much of everything each community has ---------------------------------------------------------------------

CREATE TEMP TABLE plan ON COMMIT DROP AS
WITH sized AS (
    SELECT n,
           CASE :'size'
               WHEN 'tiny' THEN 5 + 2 * n
               WHEN 'small' THEN 25 + r(n, 0, 10, 60) + (400 / n)
               ELSE greatest(50 + r(n, 0, 10, 110), (20000 / power(n, 1.1))::int)
           END AS members
    FROM generate_series(1, CASE :'size' WHEN 'tiny' THEN 4 WHEN 'small' THEN 60 ELSE 1000 END) n
), counted AS (
    SELECT *,
           :'size' = 'tiny' AS tiny,
           CASE
               WHEN :'size' = 'tiny' THEN 0.25
               WHEN :'size' = 'small' THEN 0.4
               WHEN n < 4 THEN 1.1
               ELSE 0.7 + 0.6 * u(n, 0, 11)
           END AS busy
    FROM sized
)
SELECT n, members, tiny,
       count(*) OVER ()::int AS communities,
       uid('community', n, 0) AS cid,
       timestamptz '2024-01-01 06:00+00' + make_interval(secs => 25000000 * u(n, 0, 12)) AS born,
       timestamptz '2025-12-01 00:00+00' AS today,
       CASE WHEN tiny THEN 2 + n % 2 ELSE least(24, 3 + r(n, 0, 13, 3) + members / 70) END AS departments,
       CASE WHEN tiny THEN 3 ELSE 5 + r(n, 0, 14, 5) END AS ranks_each,
       CASE WHEN tiny THEN 3 ELSE 16 END AS perms_each,
       CASE WHEN tiny THEN 3 ELSE least(60, 7 + r(n, 0, 15, 7) + members / 100) END AS forms,
       CASE WHEN tiny THEN 2 ELSE 3 + r(n, 0, 16, 4) END AS folders,
       CASE WHEN tiny THEN 2 ELSE 3 + r(n, 0, 17, 3) END AS groups,
       CASE WHEN tiny THEN 2 ELSE 4 + r(n, 0, 18, 3) END AS stages_each,
       CASE WHEN tiny THEN 2 ELSE 2 + r(n, 0, 19, 5) END AS rosters,
       CASE WHEN tiny THEN 3 ELSE 6 + r(n, 0, 20, 9) END AS pages,
       CASE WHEN tiny THEN 2 ELSE 4 + r(n, 0, 21, 3) END AS fields,
       CASE WHEN tiny THEN 2 ELSE 4 + r(n, 0, 22, 8) END AS notices,
       CASE WHEN tiny THEN 2 ELSE 3 + r(n, 0, 23, 4) END AS calendar_categories,
       CASE WHEN tiny THEN 1 ELSE 1 + r(n, 0, 24, 4) END AS servers,
       CASE WHEN tiny THEN 1 ELSE 1 + r(n, 0, 25, 2) END AS cad_links,
       CASE WHEN tiny THEN 3 ELSE 4 + r(n, 0, 26, 6) END AS webhooks,
       CASE WHEN tiny THEN 3 ELSE 5 + r(n, 0, 27, 8) END AS forum_categories,
       CASE WHEN tiny THEN 2 ELSE 2 + r(n, 0, 28, 3) END AS gallery_categories,
       (3 + members * 0.10)::int AS docs,
       (2 + members * 0.80 * busy)::int AS topics,
       (4 + members * 8.50 * busy)::int AS replies,
       (3 + members * 5.00 * busy)::int AS submissions,
       (2 + members * 0.12 * busy)::int AS events,
       (2 + members * 0.30 * busy)::int AS posts,
       (3 + members * 0.80)::int AS roster_rows,
       (1 + members * 0.15 * busy)::int AS punished,
       (5 + members * 10.0 * busy)::int AS logged,
       -- assets by use; the logo and the bot's face are one each
       1 + r(n, 0, 29, 3) AS page_images,
       1 + r(n, 0, 30, 3) AS event_headers,
       (1 + members * 0.20 * busy)::int AS gallery_images,
       (1 + members * 0.03 * busy)::int AS attachments
FROM counted;

ALTER TABLE plan ADD ranks int;
UPDATE plan SET ranks = departments * ranks_each;
ANALYZE plan;


-- Platform ----------------------------------------------------------------------------------------------------------------

-- Fewer users than accounts, since many play in several communities. Members take them in steps of the prime 7919, so that
-- none is taken twice by one community; hence the number must not be a multiple of it.
CREATE TEMP TABLE crowd ON COMMIT DROP AS
SELECT wanted + (wanted % 7919 = 0)::int AS users
FROM (SELECT greatest(sum(members) * 7 / 10, max(members) + 5)::int AS wanted FROM plan) x;

ALTER TABLE plan ADD users int;
UPDATE plan SET users = crowd.users FROM crowd;
ANALYZE plan;

CREATE FUNCTION user_of(n int, i int, users int) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN uid('user', 0, 1 + (i * 7919::bigint + r(n, 0, 42, 1000000)) % users);

INSERT INTO cms.users (id, email, name, created_at)
SELECT uid('user', 0, k),
       lower(first || '.' || last) || k || (ARRAY['@example.com', '@mail.example.org', '@players.example.net'])[1 + k % 3],
       first || ' ' || last,
       timestamptz '2023-06-01 00:00+00' + make_interval(secs => 60000000.0 * k / users)
FROM (SELECT k, users, pick(first_names(), 0, k, 40) AS first, pick(last_names(), 0, k, 41) AS last
      FROM crowd, generate_series(1, users) k) x;

INSERT INTO cms.communities (id, public_id, custom_domain, owner_user_id, plan, home_page_id, last_unique_no, created_at)
SELECT cid,
       substr(md5(cid::text), 1, 10),
       CASE WHEN n % 3 = 1 THEN 'community-' || substr(md5(cid::text), 11, 6) || n || '.example.com' END,
       user_of(n, 1, users),
       (ARRAY['pro', 'pro', 'plus', 'free'])[1 + (n - 1) % 4]::cms.plan,
       uid('page', n, 1),
       members + members / 9 + 3,
       born
FROM plan;


-- Customization -----------------------------------------------------------------------------------------------------------

-- Looks like a small picture to a compressor: a palette that repeats, noise, and a flat rest.
CREATE FUNCTION picture(what text, noise int, flat int) RETURNS bytea LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT '\x89504e470d0a1a0a0000000d49484452000000400000004008060000'::bytea
           || decode(repeat(left(md5(what), 6) || right(md5(what), 10), 12), 'hex')
           || string_agg(sha512(convert_to(what || b, 'UTF8')), '' ORDER BY b)
           || decode(repeat(left(md5(what), 8), flat), 'hex')
    FROM generate_series(1, noise) b;
END;

INSERT INTO cms.assets (id, cid, kind, data, created_at)
SELECT uid(kind, n, i), cid, kind::cms.asset_kind,
       picture(kind || :'seed' || ':' || n || ':' || i, least_noise + r(n, i, ord, spread), 20 + r(n, i, ord + 10, 150)),
       at
FROM (SELECT p.n, p.cid, k.kind, k.least_noise, k.spread, k.ord + 50 AS ord, i,
             p.born + (p.today - p.born) * u(p.n, i, 50 + k.ord) AS at
      FROM plan p,
           LATERAL (VALUES (1, 'logo', 1, 20, 30), (2, 'bot_avatar', 1, 15, 20), (3, 'page_image', p.page_images, 10, 40),
                           (4, 'rank_icon', p.departments, 3, 6), (5, 'event_header', p.event_headers, 10, 40),
                           (6, 'gallery_image', p.gallery_images, 4, 32), (7, 'attachment', p.attachments, 2, 50)
                   ) k(ord, kind, many, least_noise, spread),
           generate_series(1, k.many) i
      ORDER BY at, n, ord, i) x;

INSERT INTO cms.community_settings (cid, name, subtitle, name_format, login_methods, on_join, shift_types, logo_asset_id, palette,
                                    bot, discovery, tags, security, allowed_nets, radio, presence, updated_at)
SELECT cid, name, cut(:tape, h(n, 0, 70), 60),
       (ARRAY['{name} #{no}', '{callsign} {name}', '{rank} {name}'])[1 + n % 3],
       (ARRAY['{discord}', '{discord,steam}', '{discord,password}'])[1 + n % 3]::text[],
       jsonb_build_object('rank', uid('rank', n, 1), 'message', cut(:tape, h(n, 0, 71), 220),
                          'form', n, 'assign_callsign', n % 2 = 0),
       (SELECT jsonb_agg(jsonb_build_object('key', s, 'color', color(n, t, 72), 'paid', t = 1) ORDER BY t)
        FROM unnest(ARRAY['patrol', 'training', 'dispatch', 'administration']) WITH ORDINALITY AS w(s, t) WHERE t <= 2 + n % 3),
       uid('logo', n, 1),
       jsonb_build_object('primary', color(n, 0, 73), 'accent', color(n, 0, 74), 'background', color(n, 0, 75),
                          'dark', n % 4 > 0),
       jsonb_build_object('name', split_part(name, ' ', 1) || ' Bot', 'avatar', uid('bot_avatar', n, 1),
                          'guild', snowflake(n, 0, 76)::text, 'log_channel', snowflake(n, 0, 77)::text),
       jsonb_build_object('listed', n % 3 > 0, 'state', (ARRAY['approved', 'pending', 'none'])[1 + n % 3],
                          'rating', round(3 + 2 * u(n, 0, 78)::numeric, 2), 'pitch', cut(:tape, h(n, 0, 79), 300)),
       (SELECT array_agg((tags())[1 + (n * 3 + t * 7) % 20] ORDER BY t) FROM generate_series(1, 2 + n % 4) t),
       jsonb_build_object('two_factor', n % 2 = 0, 'session_hours', 12 * (1 + n % 14), 'lock_after', 5, 'ip_alerts', n % 5 = 0),
       CASE WHEN n % 4 = 0 THEN ARRAY[set_masklen(('10.' || n % 256 || '.0.0')::cidr, 16), '192.168.0.0/24'] ELSE '{}' END,
       jsonb_build_object('enabled', n % 3 = 0, 'key', md5(n || 'radio' || :'seed'), 'channels',
                          (SELECT jsonb_agg(jsonb_build_object('name', 'TAC ' || t, 'mhz', 150 + t * 0.25 + n % 40) ORDER BY t)
                           FROM generate_series(1, 3 + n % 5) t)),
       jsonb_build_object('enabled', n % 2 = 0, 'app', snowflake(n, 0, 80)::text, 'details', 'On duty in ' || name,
                          'buttons', jsonb_build_array(jsonb_build_object('label', 'Join us', 'url', 'https://example.com/' || n))),
       today
FROM (SELECT p.*,
             pick(ARRAY['Silver', 'Iron', 'Golden', 'Northern', 'Pacific', 'Liberty', 'Sunset', 'Crimson', 'United', 'Eagle',
                                'Coastal', 'Frontier', 'Emerald', 'Royal', 'Atlas', 'Phoenix'], p.n, 0, 81) || ' '
             || pick(ARRAY['Ridge', 'Bay', 'Valley', 'County', 'City', 'Harbor', 'State', 'Canyon', 'Plains', 'Creek', 'Falls',
                                   'Island'], p.n, 0, 82) || ' '
             || pick(ARRAY['Roleplay', 'Gaming', 'Community', 'Network', 'RP', 'Battalion', 'Racing'], p.n, 0, 83)
             || CASE WHEN p.n > 20 THEN ' ' || p.n ELSE '' END AS name
      FROM plan p) x
ORDER BY h(n, 0, 84);

INSERT INTO cms.pages (id, cid, slug, title, layout, rank_ids, updated_at)
SELECT uid('page', n, i), cid, trim(BOTH '-' FROM regexp_replace(lower(title), '[^a-z]+', '-', 'g')), title,
       (SELECT jsonb_agg(CASE b % 4
                   WHEN 0 THEN jsonb_build_object('block', 'image', 'width', 320 + 40 * r(n, i * 20 + b, 91, 20),
                                                  'asset', uid('page_image', n, 1 + r(n, i * 20 + b, 90, page_images)))
                   WHEN 1 THEN jsonb_build_object('block', 'heading', 'level', 1 + b % 3,
                                                  'text', cut(:tape, h(n, i * 20 + b, 92), 45))
                   ELSE jsonb_build_object('block', 'text', 'align', 'left', 'body',
                                           cut(:tape, h(n, i * 20 + b, 92), 120 + r(n, i * 20 + b, 93, 400)))
               END ORDER BY b)
        FROM generate_series(1, CASE WHEN tiny THEN 3 ELSE 4 + r(n, i, 94, 6) END) b),
       CASE WHEN i % 3 = 0 THEN rank_ids(n, i, 95, ranks) ELSE '{}' END,
       born + (today - born) * u(n, i, 96)
FROM (SELECT p.*, i, (page_names())[i] AS title FROM plan p, generate_series(1, p.pages) i
      ORDER BY h(p.n, i, 97)) x;

-- Identity keys of the smaller tables interleave the communities: row i of community n is (i - 1) * communities + n.
-- Items up to the sixth form the bar, the rest hang below them; every fifth shows a roster instead of a page.
INSERT INTO cms.nav_items (id, cid, parent_id, pos, label, page_id, roster_id)
OVERRIDING SYSTEM VALUE
SELECT (i - 1) * communities + n, cid,
       CASE WHEN i > 6 THEN ((i - 7) % 6) * communities + n END,
       CASE WHEN i > 6 THEN 1 + (i - 7) / 6 ELSE i END,
       CASE WHEN i % 5 = 0 THEN 'Roster' ELSE (page_names())[1 + (i - 1) % pages] END,
       CASE WHEN i % 5 > 0 THEN uid('page', n, 1 + (i - 1) % pages) END,
       CASE WHEN i % 5 = 0 THEN (i / 5 % rosters) * communities + n END
FROM plan, generate_series(1, pages + 2) i
ORDER BY 1;

INSERT INTO cms.profile_fields (cid, field_key, label, type, options, perms)
SELECT cid, (field_keys())[f], initcap(replace((field_keys())[f], '_', ' ')), (field_types())[f]::cms.field_type,
       choices(f),
       jsonb_build_object('edit', CASE WHEN f % 3 = 0 THEN 'staff' ELSE 'self' END, 'view', rank_ids(n, f, 100, ranks))
FROM (SELECT p.*, 1 + (i * 5 + n) % 16 AS f FROM plan p, generate_series(1, p.fields) i ORDER BY i, n) x;

INSERT INTO cms.notices (id, cid, title, body, author_id, created_at)
OVERRIDING SYSTEM VALUE
SELECT (i - 1) * communities + n, cid,
       cut(:tape, h(n, i, 105), 40),
       cut(:tape, h(n, i, 106), 150 + r(n, i, 107, 600)),
       CASE WHEN r(n, i, 108, 10) > 0 THEN uid('account', n, 1 + low(n, i, 109, members)) END,
       born + (today - born) * u(n, i, 110)
FROM plan, generate_series(1, notices) i
ORDER BY 1;


-- Structure ---------------------------------------------------------------------------------------------------------------

INSERT INTO cms.departments (id, cid, parent_id, label, label_two, perms, head_account_id, updated_at)
SELECT uid('department', n, i), cid,
       CASE WHEN i > 2 AND r(n, i, 120, 3) = 0 THEN uid('department', n, 1 + r(n, i, 121, i - 1)) END,
       (department_names())[1 + (i * 7 + n) % 30],
       CASE WHEN i % 3 > 0 THEN cut(:tape, h(n, i, 122), 30) END,
       jsonb_build_object('apply', i % 2 = 0, 'transfer', i % 3 = 0, 'limit', r(n, i, 123, 80), 'channels',
                          jsonb_build_array(snowflake(n, i, 124)::text, snowflake(n, i, 125)::text)),
       CASE WHEN r(n, i, 126, 6) > 0 THEN uid('account', n, 1 + low(n, i, 127, members)) END,
       born + (today - born) * u(n, i, 128)
FROM (SELECT p.*, i FROM plan p, generate_series(1, p.departments) i ORDER BY h(p.n, i, 129)) x;

-- A community numbers its ranks through: those of department d are (d - 1) * ranks_each + 1 and following.
INSERT INTO cms.ranks (id, department_id, label, power, color, icon_asset_id)
SELECT uid('rank', n, i),
       uid('department', n, 1 + (i - 1) / ranks_each),
       (rank_names())[1 + (i - 1) % ranks_each * 14 / ranks_each],
       10 * (1 + (i - 1) % ranks_each),
       color(n, i, 131),
       CASE WHEN r(n, i, 132, 3) > 0 THEN uid('rank_icon', n, 1 + (i - 1) / ranks_each) END
FROM (SELECT p.*, i FROM plan p, generate_series(1, p.ranks) i ORDER BY h(p.n, i, 133)) x;

INSERT INTO cms.rank_permissions (rank_id, perm_key, state)
SELECT uid('rank', n, i), (perm_keys())[1 + (r(n, i, 135, 26) + k) % 26],
       (ARRAY['allow', 'allow', 'deny', 'inherit'])[1 + r(n, i * 10 + k, 136, 4)]::cms.permission_state
FROM (SELECT p.n, i, k FROM plan p, generate_series(1, p.ranks) i, generate_series(1, p.perms_each) k
      ORDER BY h(p.n, i, 133), i, k) x;

INSERT INTO cms.form_folders (id, cid, parent_id, label)
OVERRIDING SYSTEM VALUE
SELECT (i - 1) * communities + n, cid,
       CASE WHEN i > 2 THEN r(n, i, 140, 2) * communities + n END,
       (ARRAY['Recruitment', 'Reports', 'Requests', 'Staff', 'Archive', 'Training'])[i]
FROM plan, generate_series(1, folders) i
ORDER BY 1;

-- Stage s of group g is number (g - 1) * stages_each + s of its community.
INSERT INTO cms.stage_groups (id, cid, parent_id, label, entry_stage_id, stage_ids)
SELECT uid('group', n, i), cid,
       CASE WHEN i > 2 THEN uid('group', n, 1 + r(n, i, 145, i - 1)) END,
       (ARRAY['Recruitment', 'Complaints', 'Requests', 'Reports', 'Appeals'])[i],
       uid('stage', n, (i - 1) * stages_each + 1),
       (SELECT array_agg(uid('stage', n, (i - 1) * stages_each + s) ORDER BY s) FROM generate_series(1, stages_each) s)
FROM (SELECT p.*, i FROM plan p, generate_series(1, p.groups) i ORDER BY h(p.n, i, 146)) x;

INSERT INTO cms.stages (id, cid, home_group_id, on_fail_stage_id, label, actions, ai)
SELECT uid('stage', n, (i - 1) * stages_each + s), cid, uid('group', n, i),
       CASE WHEN s < stages_each AND r(n, i * 10 + s, 150, 2) = 0 THEN uid('stage', n, i * stages_each) END,
       (stage_names())[1 + (s - 1) * 8 / stages_each],
       jsonb_build_array(
           jsonb_build_object('do', 'message', 'text', cut(:tape, h(n, i * 10 + s, 151), 140)),
           jsonb_build_object('do', 'add_rank', 'rank', uid('rank', n, 1 + r(n, i * 10 + s, 152, ranks)))),
       CASE WHEN s % 3 = 0 THEN jsonb_build_object('model', 'small', 'threshold', round(u(n, i * 10 + s, 153)::numeric, 3),
                                                   'prompt', cut(:tape, h(n, i * 10 + s, 154), 180)) END
FROM (SELECT p.*, i, s FROM plan p, generate_series(1, p.groups) i, generate_series(1, p.stages_each) s
      ORDER BY h(p.n, i * 10 + s, 155)) x;

-- Form f asks between two and four questions; those of two forms overlap.
CREATE FUNCTION questions_of(n int, f int) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN 2 + r(n, f, 160, 3);

CREATE FUNCTION question(n int, f int, q int) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN 1 + (f * 11 + q * 7 + n) % 40;

-- Every fifth form does without stages; the others use one group.
CREATE FUNCTION group_of(f int, groups int) RETURNS int LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN f % 5 > 0 THEN 1 + f % groups END;

INSERT INTO cms.form_templates (id, cid, folder_id, stage_group_id, label, structure, settings, locked, updated_at)
OVERRIDING SYSTEM VALUE
SELECT (i - 1) * communities + n, cid,
       CASE WHEN i % 6 > 0 THEN (i % folders) * communities + n END,
       uid('group', n, group_of(i, groups)),
       (form_names())[1 + (i * 5 + n) % 24] || CASE WHEN i > 24 THEN ' ' || (i - 1) / 24 + 1 ELSE '' END,
       jsonb_build_array(jsonb_build_object('section', 'main', 'intro', cut(:tape, h(n, i, 161), 200), 'fields',
           (SELECT jsonb_agg(jsonb_build_object(
                       'id', 'f' || question(n, i, q), 'label', (questions())[question(n, i, q)],
                       'type', CASE WHEN q % 2 = 0 THEN 'paragraph' ELSE 'line' END, 'required', q < 3,
                       'help', cut(:tape, h(n, i * 10 + q, 162), 70)) ORDER BY q)
            FROM generate_series(1, questions_of(n, i)) q))),
       jsonb_build_object('cooldown_hours', 24 * r(n, i, 163, 8), 'anonymous', i % 7 = 0,
                          'notify', rank_ids(n, i, 164, ranks)),
       i % 9 = 0,
       born + (today - born) * u(n, i, 166)
FROM plan, generate_series(1, forms) i
ORDER BY 1;

INSERT INTO cms.form_permissions (form_id, rank_id, perm)
SELECT (i - 1) * communities + n,
       uid('rank', n, 1 + (r(n, i, 170, ranks) + k * (ranks / 3)) % ranks),
       perm::cms.form_permission
FROM plan, generate_series(1, forms) i, generate_series(0, 2) k,
     unnest(CASE k WHEN 0 THEN '{view,submit}' WHEN 1 THEN '{view,review}' ELSE '{manage}' END::text[]) perm
ORDER BY 1, k, perm;

INSERT INTO cms.rosters (id, cid, slug, kind, columns, rank_ids)
OVERRIDING SYSTEM VALUE
SELECT (i - 1) * communities + n, cid,
       (ARRAY['members', 'patrol', 'command', 'training', 'reserve', 'support'])[i],
       (ARRAY['automatic', 'manual', 'mixed'])[1 + (i + n) % 3]::cms.roster_kind,
       (SELECT jsonb_agg(jsonb_build_object('key', (roster_columns())[c],
                                            'label', initcap(replace((roster_columns())[c], '_', ' ')),
                                            'width', 80 + 20 * r(n, i * 10 + c, 175, 10)) ORDER BY c)
        FROM generate_series(1, 3 + (i + n) % 4) c),
       rank_ids(n, i, 176, ranks)
FROM plan, generate_series(1, rosters) i
ORDER BY 1;

INSERT INTO cms.calendar_categories (id, cid, label, color)
SELECT uid('calendar', n, i), cid, (ARRAY['Patrol', 'Training', 'Meeting', 'Community Night', 'Ceremony', 'Recruitment'])[i],
       color(n, i, 180)
FROM (SELECT p.*, i FROM plan p, generate_series(1, p.calendar_categories) i ORDER BY h(p.n, i, 181)) x;


-- Integrations ------------------------------------------------------------------------------------------------------------

INSERT INTO cms.game_servers (cid, server_no, name, ip, port, type, ace, allowed_rank_ids)
SELECT cid, i, (ARRAY['Main', 'Whitelisted', 'Test', 'Voice'])[i] || ' Server',
       CASE WHEN i = 2 THEN 'play' || n || '.example.net'
            ELSE '198.51.' || 100 + r(n, i, 190, 100) || '.' || 1 + r(n, i, 191, 254) END,
       CASE WHEN i = 4 THEN 9987 ELSE 30120 + r(n, i, 192, 10) END,
       CASE WHEN i = 4 THEN 'teamspeak'
            ELSE (ARRAY['fivem', 'fivem', 'redm', 'roblox', 'arma', 'minecraft'])[1 + n % 6] END::cms.server_type,
       (SELECT jsonb_object_agg('group.' || split_part((perm_keys())[1 + (n + a * 5) % 26], '.', 1) || a, uid('rank', n, a))
        FROM generate_series(1, 3) a),
       rank_ids(n, i, 193, ranks)
FROM plan, generate_series(1, servers) i
ORDER BY i, n;

INSERT INTO cms.cad_links (id, cid, cad_community, api_key_enc, options)
SELECT uid('cad', n, i), cid, 'cad-' || substr(md5(cid::text), 20, 6) || i,
       sha512(convert_to('key' || :'seed' || ':' || n || ':' || i, 'UTF8')),
       jsonb_build_object('push_units', i = 1, 'sync_minutes', 5 * (1 + n % 6),
                          'map', (ARRAY['san_andreas', 'liberty', 'custom'])[1 + n % 3])
FROM plan, generate_series(1, cad_links) i
ORDER BY i, n;

INSERT INTO cms.cad_rank_map (cad_link_id, rank_id, perms)
SELECT uid('cad', n, i), uid('rank', n, k),
       (ARRAY['unit.self', 'unit.other', 'call.create', 'bolo.create', 'record.edit', 'admin'])[:1 + k % 6]
FROM plan, generate_series(1, cad_links) i, generate_series(1, least(ranks, 10)) k
ORDER BY i, n, k;

INSERT INTO cms.webhooks (id, cid, event, form_id, channel_id, mentions)
SELECT (i - 1) * communities + n, cid, (enum_range(NULL::cms.webhook_event))[1 + i % 7],
       CASE WHEN i % 7 IN (2, 3) THEN (i % forms) * communities + n END,
       snowflake(n, i, 200),
       (SELECT coalesce(array_agg(snowflake(n, m, 201) ORDER BY m), '{}') FROM generate_series(1, i % 3) m)
FROM plan, generate_series(1, webhooks) i
ORDER BY 1;


-- Content -----------------------------------------------------------------------------------------------------------------

-- Account i is the i-th to join. Some numbers are skipped, as accounts come and go.
INSERT INTO cms.accounts (id, cid, user_id, unique_no, com_name, status, identifiers, profile_values, clock, merged_into,
                          joined_at, updated_at)
SELECT uid('account', n, i), cid, user_of(n, i, users), i + i / 9,
       CASE r(n, i, 210, 4)
           WHEN 0 THEN first || ' ' || left(last, 1) || '.'
           WHEN 1 THEN left(first, 1) || '. ' || last
           WHEN 2 THEN lower(first) || '_' || r(n, i, 211, 999)
           ELSE first || ' ' || last
       END,
       (ARRAY['active', 'active', 'active', 'active', 'active', 'active', 'on_leave', 'pending', 'suspended', 'banned',
              'archived', 'archived'])[1 + r(n, i, 212, 12)]::cms.account_status,
       ARRAY['discord:' || snowflake(n, i, 213),
             'license:' || md5(n || ':' || i || :'seed') || lpad(to_hex(r(n, i, 214, 2147483647)), 8, '0')]
           || CASE WHEN r(n, i, 215, 3) > 0 THEN ARRAY['steam:11000010' || lpad(to_hex(r(n, i, 216, 268435455)), 7, '0')]
                   ELSE '{}' END,
       (SELECT coalesce(jsonb_object_agg((field_keys())[f], CASE (field_types())[f]
                   WHEN 'number' THEN to_jsonb(r(n, i * 10 + k, 218, 900))
                   WHEN 'date' THEN to_jsonb(date '1975-01-01' + r(n, i * 10 + k, 218, 12000))
                   WHEN 'choice' THEN to_jsonb(pick(choices(f), n, i * 10 + k, 218))
                   WHEN 'multi_choice' THEN to_jsonb(ARRAY[pick(choices(f), n, i * 10 + k, 218), (choices(f))[1]])
                   WHEN 'switch' THEN to_jsonb(r(n, i * 10 + k, 218, 2) = 0)
                   WHEN 'long_text' THEN to_jsonb(cut(:tape, h(n, i * 10 + k, 218), 60 + r(n, i * 10 + k, 219, 240)))
                   ELSE to_jsonb(cut(:tape, h(n, i * 10 + k, 218), 22))
               END), '{}')
        FROM (SELECT k, 1 + (k * 5 + n) % 16 AS f FROM generate_series(1, fields) k WHERE r(n, i * 10 + k, 217, 5) > 0) v),
       jsonb_build_object('state', CASE WHEN r(n, i, 220, 20) = 0 THEN 'on' ELSE 'off' END,
                          'minutes', low(n, i, 221, 40000),
                          'week', jsonb_build_array(r(n, i, 222, 600), r(n, i, 223, 600), r(n, i, 224, 600)),
                          'last', to_jsonb(joined + (today - joined) * u(n, i, 225))),
       CASE WHEN i > 3 AND r(n, i, 226, 60) = 0 THEN uid('account', n, 1 + r(n, i, 227, i - 1)) END,
       joined, joined + (today - joined) * u(n, i, 225)
FROM (SELECT p.*, i,
             pick(first_names(), n, i, 228) AS first,
             pick(last_names(), n, i, 229) AS last,
             p.born + (p.today - p.born) * power((i - u(p.n, i, 230)) / p.members, 0.8) AS joined
      FROM plan p, generate_series(1, p.members) i
      ORDER BY joined, n) x;

INSERT INTO cms.account_ranks (account_id, rank_id, pos, expires_at)
SELECT uid('account', n, i), uid('rank', n, 1 + (low(n, i, 235, ranks) + k * (ranks / 4)) % ranks), k,
       CASE WHEN r(n, i * 10 + k, 236, 15) = 0 THEN today + make_interval(hours => r(n, i, 237, 2000)) END
FROM (SELECT p.n, p.ranks, p.today, i, k
      FROM plan p, generate_series(1, p.members) i, generate_series(0, low(p.n, i, 238, 4)) k
      ORDER BY u(p.n, i, 239), n, i, k) x;

INSERT INTO cms.form_submissions (id, cid, template_id, submitter_id, context_id, related_ids, stage_id, stage_group_id,
                                  structure, comments, stage_backup, created_at, updated_at)
OVERRIDING SYSTEM VALUE
SELECT id, cid, (f - 1) * communities + n, uid('account', n, 1 + low(n, i, 245, members)),
       CASE WHEN f % 4 = 1 THEN uid('account', n, 1 + r(n, i, 246, members)) END,
       CASE WHEN r(n, i, 247, 12) = 0
            THEN ARRAY[uid('account', n, 1 + r(n, i, 248, members)), uid('account', n, 1 + r(n, i, 249, members))]
            ELSE '{}' END,
       -- one in fourteen stands on a stage that has since been deleted; only its backup tells which
       CASE WHEN NOT orphan THEN uid('stage', n, (g - 1) * stages_each + stage) END,
       uid('group', n, g),
       (SELECT jsonb_agg(jsonb_build_object('id', 'f' || question, 'label', (questions())[question], 'value',
                   CASE WHEN q % 2 = 0 THEN cut(:tape, h(n, i * 10 + q, 250), 30 + low(n, i, 251, 200))
                        ELSE cut(:tape, h(n, i * 10 + q, 250), 25) END) ORDER BY q)
        FROM (SELECT q, question(n, f, q) AS question FROM generate_series(1, questions_of(n, f)) q) y),
       CASE WHEN r(n, i, 252, 10) < 3
            THEN jsonb_build_array(jsonb_build_object('by', uid('account', n, 1 + low(n, i, 253, members)),
                                                      'at', to_jsonb(at + interval '5 hours'),
                                                      'text', cut(:tape, h(n, i, 254), 90)))
            ELSE '[]' END,
       CASE WHEN orphan
            THEN jsonb_build_object('label', (stage_names())[1 + stage], 'group', uid('group', n, g), 'position', stage) END,
       at, at + make_interval(secs => r(n, i, 255, 900000))
FROM (SELECT row_number() OVER (ORDER BY at, n, i) AS id, y.*,
             group_of(f, groups) AS g,
             1 + r(n, i, 256, stages_each) AS stage,
             f % 5 > 0 AND r(n, i, 257, 14) = 0 AS orphan
      FROM (SELECT p.n, p.cid, p.communities, p.members, p.groups, p.stages_each, i,
                   1 + low(p.n, i, 258, p.forms) AS f,
                   p.born + (p.today - p.born) * sqrt(u(p.n, i, 259)) AS at
            FROM plan p, generate_series(1, p.submissions) i) y
      ORDER BY id) x;

INSERT INTO cms.forum_categories (id, cid, parent_id, label, perms)
SELECT uid('place', n, i), cid,
       CASE WHEN i > 3 AND r(n, i, 265, 3) = 0 THEN uid('place', n, 1 + r(n, i, 266, 3)) END,
       (topic_places())[1 + (i * 4 + n) % 15],
       jsonb_build_object('post', rank_ids(n, i, 267, ranks), 'read_all', i % 3 > 0, 'slow_mode', r(n, i, 268, 5) * 30)
FROM (SELECT p.*, i FROM plan p, generate_series(1, p.forum_categories) i ORDER BY h(p.n, i, 269)) x;

-- Topics and replies are drawn up first, since a topic knows its last reply.
CREATE TEMP TABLE topic ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY at, n, i) AS id, x.*
FROM (SELECT p.n, i, p.born + (p.today - p.born) * 0.95 * u(p.n, i, 275) AS at
      FROM plan p, generate_series(1, p.topics) i) x;

CREATE TEMP TABLE reply ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY at, n, i) AS id, x.*
FROM (SELECT p.n, p.members, r.i, t.id AS topic_id,
             t.at + least(make_interval(secs => 9000000 * power(u(p.n, r.i, 276), 3)), p.today - t.at) AS at
      FROM plan p
      CROSS JOIN LATERAL (SELECT i, 1 + low(p.n, i, 277, p.topics) AS topic FROM generate_series(1, p.replies) i) r
      JOIN topic t ON t.n = p.n AND t.i = r.topic) x;
ANALYZE topic, reply;

INSERT INTO cms.forum_topics (id, category_id, author_id, title, pinned, locked, private_rank_ids, attachment_ids,
                              reply_count, last_reply_id, created_at)
OVERRIDING SYSTEM VALUE
SELECT id, uid('place', n, 1 + low(n, i, 280, forum_categories)),
       CASE WHEN r(n, i, 281, 25) > 0 THEN uid('account', n, 1 + low(n, i, 282, members)) END,
       cut(:tape, h(n, i, 283), 30 + r(n, i, 284, 40)),
       r(n, i, 285, 40) = 0, r(n, i, 286, 12) = 0,
       CASE WHEN r(n, i, 287, 20) = 0 THEN rank_ids(n, i, 288, ranks) ELSE '{}' END,
       CASE WHEN r(n, i, 289, 15) = 0 THEN ARRAY[uid('attachment', n, 1 + r(n, i, 290, attachments))] ELSE '{}' END,
       replies, last_reply, at
FROM (SELECT t.*, p.members, p.ranks, p.forum_categories, p.attachments, coalesce(a.replies, 0) AS replies, a.last_reply
      FROM topic t
      JOIN plan p USING (n)
      LEFT JOIN (SELECT topic_id, count(*) AS replies, max(id) AS last_reply FROM reply GROUP BY topic_id) a
          ON a.topic_id = t.id
      ORDER BY t.id) x;

INSERT INTO cms.forum_replies (id, topic_id, reply_to, author_id, body, created_at)
OVERRIDING SYSTEM VALUE
SELECT id, topic_id, CASE WHEN r(n, i, 295, 5) = 0 THEN before END,
       CASE WHEN r(n, i, 296, 25) > 0 THEN uid('account', n, 1 + low(n, i, 297, members)) END,
       cut(:tape, h(n, i, 298), 40 + low(n, i, 299, 240)),
       at
FROM (SELECT *, lag(id) OVER (PARTITION BY topic_id ORDER BY id) AS before FROM reply ORDER BY id) x;

INSERT INTO cms.gallery_categories (id, cid, label, upload_rank_ids)
SELECT uid('gallery', n, i), cid, (ARRAY['Screenshots', 'Photography', 'Liveries', 'Fan Art'])[i],
       rank_ids(n, i, 305, ranks)
FROM plan, generate_series(1, gallery_categories) i
ORDER BY i, n;

INSERT INTO cms.gallery_posts (id, category_id, author_id, asset_id, caption, created_at)
OVERRIDING SYSTEM VALUE
SELECT row_number() OVER (), uid('gallery', n, 1 + r(n, i, 310, gallery_categories)),
       CASE WHEN r(n, i, 311, 25) > 0 THEN uid('account', n, 1 + low(n, i, 312, members)) END,
       uid('gallery_image', n, 1 + r(n, i, 313, gallery_images)),
       CASE WHEN r(n, i, 314, 4) > 0 THEN cut(:tape, h(n, i, 315), 30 + r(n, i, 316, 90)) END,
       at
FROM (SELECT p.*, i, p.born + (p.today - p.born) * u(p.n, i, 317) AS at FROM plan p, generate_series(1, p.posts) i
      ORDER BY at, n, i) x;

-- One event in six borrows a gallery picture as its header: an asset of another option's kind.
INSERT INTO cms.events (id, cid, category_id, title, body, starts_at, ends_at, rsvp_limit, header_asset_id)
SELECT uid('event', n, i), cid, uid('calendar', n, 1 + r(n, i, 320, calendar_categories)),
       cut(:tape, h(n, i, 321), 35),
       cut(:tape, h(n, i, 322), 100 + r(n, i, 323, 300)),
       at, at + make_interval(mins => 30 * (2 + r(n, i, 324, 6))),
       CASE WHEN r(n, i, 325, 3) = 0 THEN 10 * r(n, i, 326, 6) ELSE -1 END,
       CASE r(n, i, 327, 6)
           WHEN 0 THEN uid('gallery_image', n, 1 + r(n, i, 328, gallery_images))
           WHEN 1 THEN NULL
           ELSE uid('event_header', n, 1 + r(n, i, 328, event_headers))
       END
FROM (SELECT p.*, i, date_trunc('hour', p.born + (p.today - p.born) * 1.05 * u(p.n, i, 329)) AS at
      FROM plan p, generate_series(1, p.events) i
      ORDER BY at, n, i) x;

INSERT INTO cms.event_rsvps (event_id, account_id, going)
SELECT uid('event', n, i), uid('account', n, 1 + (r(n, i, 330, members) + k) % members),
       (ARRAY[true, true, false, NULL])[1 + r(n, i * 100 + k, 331, 4)]
FROM (SELECT p.n, p.members, i, k FROM plan p, generate_series(1, p.events) i,
             generate_series(1, least(p.members / 2, 2 + r(p.n, i, 332, 44))) k
      ORDER BY u(p.n, i, 329), n, i, k) x;

INSERT INTO cms.roster_rows (id, roster_id, account_id, sort_power)
SELECT uid('row', n, i), (i % rosters) * communities + n,
       CASE WHEN r(n, i, 335, 12) > 0 THEN uid('account', n, 1 + r(n, i, 336, members)) END,
       r(n, i, 337, 140)
FROM (SELECT p.*, i FROM plan p, generate_series(1, p.roster_rows) i ORDER BY u(p.n, i, 338), n, i) x;

-- The columns are those of the row's roster.
INSERT INTO cms.roster_data (row_id, column_key, value)
SELECT uid('row', n, i), (roster_columns())[c],
       CASE c WHEN 1 THEN to_jsonb((1 + n % 9) || pick('{A,B,C,K,L}', n, i, 340) || '-' || r(n, i, 341, 100))
              WHEN 2 THEN to_jsonb(cut(:tape, h(n, i, 342), 40))
              WHEN 3 THEN to_jsonb(1 + r(n, i, 343, 4))
              WHEN 4 THEN to_jsonb(pick(timezones(), n, i, 344))
              WHEN 5 THEN to_jsonb(date '2025-01-01' + r(n, i, 345, 330))
              ELSE jsonb_build_object('ok', r(n, i, 346, 2) = 0, 'by', uid('account', n, 1 + low(n, i, 347, members)))
       END
FROM (SELECT p.n, p.members, i, c FROM plan p, generate_series(1, p.roster_rows) i,
             generate_series(1, 3 + (i % p.rosters + 1 + p.n) % 4) c
      ORDER BY u(p.n, i, 338), n, i, c) x;

-- The first two are folders; one in eleven lies in the bin.
INSERT INTO cms.docs (id, cid, parent_id, kind, name, share_type, share_token, rank_access, blob_key, trashed_at, updated_at)
SELECT uid('doc', n, i), cid,
       CASE WHEN i > 2 AND r(n, i, 350, 4) > 0 THEN uid('doc', n, 1 + r(n, i, 351, 2)) END,
       kind::cms.doc_kind,
       CASE WHEN kind = 'folder' THEN (ARRAY['Public', 'Staff'])[i] ELSE cut(:tape, h(n, i, 352), 28) END,
       share::cms.share_type,
       CASE WHEN share = 'link'
            THEN translate(encode(sha224(convert_to('share' || :'seed' || ':' || n || ':' || i, 'UTF8')), 'base64'), '+/=', '-_') END,
       CASE WHEN share = 'ranks'
            THEN jsonb_build_object('read', rank_ids(n, i, 353, ranks), 'write', rank_ids(n, i, 354, ranks))
            ELSE '{}' END,
       CASE WHEN kind IN ('document', 'sheet') THEN 'docs/' || n || '/' || uid('blob', n, i) END,
       CASE WHEN i > 2 AND i % 11 = 0 THEN at END,
       at
FROM (SELECT p.*, i,
             CASE WHEN i <= 2 THEN 'folder'
                  ELSE (ARRAY['document', 'document', 'sheet', 'link'])[1 + r(p.n, i, 355, 4)] END AS kind,
             (ARRAY['private', 'community', 'ranks', 'link'])[1 + r(p.n, i, 356, 4)] AS share,
             p.born + (p.today - p.born) * u(p.n, i, 357) AS at
      FROM plan p, generate_series(1, p.docs) i
      ORDER BY at, n, i) x;


-- In no option ------------------------------------------------------------------------------------------------------------

INSERT INTO cms.disciplinary_records (id, cid, account_id, points, history)
SELECT uid('record', n, i), cid, uid('account', n, 1 + r(n, i, 360, members)), r(n, i, 361, 10),
       (SELECT jsonb_agg(jsonb_build_object('at', to_jsonb(born + (today - born) * u(n, i * 5 + k, 362)),
                                            'kind', (ARRAY['warning', 'strike', 'note', 'ban'])[1 + r(n, i * 5 + k, 363, 4)],
                                            'text', cut(:tape, h(n, i * 5 + k, 364), 110)) ORDER BY k)
        FROM generate_series(1, 1 + r(n, i, 365, 3)) k)
FROM (SELECT p.*, i FROM plan p, generate_series(1, p.punished) i ORDER BY h(p.n, i, 366)) x;

INSERT INTO cms.activity_log (at, id, cid, account_id, type, content)
OVERRIDING SYSTEM VALUE
SELECT at, id, cid, uid('account', n, 1 + low(n, i, 370, members)), type,
       CASE WHEN type <= 7
            THEN jsonb_build_object('ip', '203.0.113.' || r(n, i, 371, 256),
                                    'agent', (ARRAY['Firefox 128', 'Chrome 131', 'Safari 17', 'Edge 130', 'Android', 'iPhone'])[1 + r(n, i, 372, 6)])
            WHEN type <= 11
            THEN jsonb_build_object('form', r(n, i, 373, forms) * communities + n, 'state', pick(stage_names(), n, i, 374))
            WHEN type = 12 THEN jsonb_build_object('from', 'pending', 'to', 'active')
            WHEN type <= 16 THEN jsonb_build_object('rank', uid('rank', n, 1 + r(n, i, 375, ranks)), 'given', i % 3 > 0)
            ELSE jsonb_build_object('text', cut(:tape, h(n, i, 376), 45))
       END
FROM (SELECT row_number() OVER (ORDER BY at, n, i) AS id, y.*
      FROM (SELECT p.n, p.cid, p.communities, p.members, p.forms, p.ranks, i,
                   1 + r(p.n, i, 377, 20) AS type,
                   p.born + (p.today - p.born) * u(p.n, i, 378) AS at
            FROM plan p, generate_series(1, p.logged) i) y
      ORDER BY id) x;


-- Put the shelved things back, and lift every identity counter above what was loaded --------------------------------------

DO $$
DECLARE
    x record;
BEGIN
    FOR x IN SELECT put_back FROM shelved ORDER BY step, ord LOOP
        EXECUTE x.put_back;
    END LOOP;

    FOR x IN
        SELECT c.oid::regclass AS rel, a.attname AS col
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid
        WHERE a.attidentity <> '' AND c.relnamespace = 'cms'::regnamespace AND NOT c.relispartition
    LOOP
        EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, %L), max(%I)) FROM %s', x.rel, x.col, x.col, x.rel);
    END LOOP;
END $$;

DROP SCHEMA invention CASCADE;
COMMIT;

-- The benchmark also vacuums, lest the first reader of every page pay for the hint bits.
SELECT CASE WHEN :'is_benchmark' THEN 'VACUUM (ANALYZE) ' ELSE 'ANALYZE ' END || string_agg(oid::regclass::text, ', ' ORDER BY oid)
FROM pg_class
WHERE relnamespace = 'cms'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
\gexec
