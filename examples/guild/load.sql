-- Two communities, blue and red, that share the tables of a small application: the data of the examples in docs/restoring/.
-- Users and badges are in no snapshot; all other tables are protected. One snapshot of each community is taken.
--
--     createdb guild && psql -f examples/guild/load.sql guild
\set ON_ERROR_STOP on
\o /dev/null
CREATE EXTENSION pg_snapback;
CREATE SCHEMA app;

-- The application's tables.
CREATE TABLE app.users (id int PRIMARY KEY, email text UNIQUE);
CREATE TABLE app.communities (id text PRIMARY KEY, name text, owner int REFERENCES app.users, own_schema name);
CREATE TABLE app.departments (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, community text NOT NULL REFERENCES app.communities, label text, place int,
    shout text GENERATED ALWAYS AS (upper(label)) STORED, UNIQUE (community, place));
CREATE TABLE app.ranks (
    id int PRIMARY KEY, department int NOT NULL CONSTRAINT rank_of REFERENCES app.departments ON DELETE CASCADE, label text);
CREATE TABLE app.members (
    id int PRIMARY KEY, community text NOT NULL REFERENCES app.communities, name text,
    department int CONSTRAINT member_of REFERENCES app.departments ON DELETE SET NULL);
CREATE TABLE app.badges (member int REFERENCES app.members ON DELETE CASCADE, badge text);
CREATE TABLE app.folders (id int PRIMARY KEY, community text NOT NULL REFERENCES app.communities, label text);
CREATE TABLE app.forms (id int PRIMARY KEY, folder int NOT NULL CONSTRAINT form_in REFERENCES app.folders, label text);
CREATE TABLE app.submissions (
    id int PRIMARY KEY, community text NOT NULL REFERENCES app.communities, form int NOT NULL CONSTRAINT answers_to REFERENCES app.forms,
    author int NOT NULL CONSTRAINT written_by REFERENCES app.users, reviewer int CONSTRAINT reviewed_by REFERENCES app.users, answer text);
CREATE TABLE app.documents (
    id int PRIMARY KEY, community text NOT NULL REFERENCES app.communities, title text, share_token text UNIQUE);

INSERT INTO app.users SELECT n, 'user' || n || '@example.org' FROM generate_series(1, 9) n;
INSERT INTO app.communities VALUES ('blue', 'Blue Harbour', 1), ('red', 'Red Valley', 2);
INSERT INTO app.departments (community, label, place) VALUES
    ('blue', 'Police', 1), ('blue', 'Fire', 2), ('blue', 'Court', 3), ('red', 'Police', 1);
INSERT INTO app.ranks VALUES (1, 1, 'Chief'), (2, 1, 'Officer'), (3, 2, 'Chief'), (4, 4, 'Chief');
INSERT INTO app.members VALUES (1, 'blue', 'Ann', 1), (2, 'blue', 'Ben', 1), (3, 'blue', 'Cleo', 2), (4, 'red', 'Dan', 4);
INSERT INTO app.badges VALUES (1, 'veteran'), (2, 'medic'), (4, 'veteran');
INSERT INTO app.folders VALUES (1, 'blue', 'Hiring'), (2, 'red', 'Hiring');
INSERT INTO app.forms VALUES (1, 1, 'Apply'), (2, 2, 'Apply');
INSERT INTO app.submissions VALUES (1, 'blue', 1, 3, 1, 'Me!'), (2, 'blue', 1, 4, 5, 'Me too'), (3, 'red', 2, 6, 2, 'Hello');
INSERT INTO app.documents VALUES (1, 'blue', 'Rules', 'tok-1'), (2, 'blue', 'Map', 'tok-2'), (3, 'red', 'Rules', 'tok-3');

-- What the extension has to know: the communities, the options that an owner can select, and their tables.
CREATE VIEW app.directory AS
    SELECT c.id AS community, c.name, u.id::text AS owner, u.email AS owner_email, true AS restores_enabled, c.own_schema AS schema_name
    FROM app.communities c JOIN app.users u ON u.id = c.owner;
SELECT snapback.set_directory('app.directory');
SELECT snapback.add_category('structure', 'Structure', ''), snapback.add_category('content', 'Content', '');
SELECT snapback.add_option(o, initcap(split_part(o, '.', 2)), '')
FROM unnest('{structure.departments,structure.ranks,structure.forms,content.members,content.submissions,content.documents}'::text[]) o;
SELECT snapback.protect('app.departments', 'structure.departments');
SELECT snapback.protect('app.ranks', 'structure.ranks');
SELECT snapback.protect('app.members', 'content.members', community_column => 'community');
SELECT snapback.protect('app.folders', 'structure.forms');
SELECT snapback.protect('app.forms', 'structure.forms');
SELECT snapback.protect('app.submissions', 'content.submissions', community_column => 'community');
SELECT snapback.protect('app.documents', 'content.documents');

SELECT snapback.capture('blue'), snapback.capture('red');
