-- Restores of every kind of table: partitioned, inherited, wide, large, with rules, views, policies and unusual keys.
\getenv folder PG_ABS_SRCDIR
\set ECHO none
\i :folder/test/fixture/communities.sql
\pset format unaligned
\pset tuples_only on
\set ECHO all

-- Rows that move between partitions in both directions, by range, list and hash, also with a key over all partitions.
CREATE TABLE moving (cid text NOT NULL REFERENCES community, at date, id int, kind text, v int, code int, PRIMARY KEY (at, id, kind)) PARTITION BY RANGE (at);
CREATE TABLE moving_old (v int, gone int, kind text NOT NULL, id int NOT NULL, at date NOT NULL, cid text NOT NULL, code int) PARTITION BY LIST (kind);
ALTER TABLE moving_old DROP gone;
ALTER TABLE moving ATTACH PARTITION moving_old FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE moving_old_x PARTITION OF moving_old FOR VALUES IN ('x');
CREATE TABLE moving_old_rest PARTITION OF moving_old DEFAULT;
CREATE TABLE moving_new PARTITION OF moving FOR VALUES FROM ('2026-01-01') TO (MAXVALUE) PARTITION BY HASH (id);
CREATE TABLE moving_new_0 PARTITION OF moving_new FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE moving_new_1 PARTITION OF moving_new FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO moving (cid, at, id, kind, v, code) SELECT CASE WHEN n % 4 = 0 THEN 'b' ELSE 'a' END, '2025-12-20'::date + n, n, CASE WHEN n % 3 = 0 THEN 'x' ELSE 'y' END, n, n FROM generate_series(1, 24) n;
SELECT snapback.protect('moving', 'x.one'), watch('moving');
SELECT keep();
CALL snapback.capture_all();
UPDATE moving SET kind = CASE kind WHEN 'x' THEN 'y' ELSE 'x' END WHERE cid = 'a' AND at < '2026-01-01';
UPDATE moving SET at = at + 20, v = -v WHERE cid = 'a' AND id < 6;
UPDATE moving SET at = at - 10 WHERE cid = 'a' AND id > 22;
DELETE FROM moving WHERE id IN (9, 13);
SELECT changed();
SELECT restored();
SELECT changed();
SELECT tableoid::regclass, count(*) FROM moving GROUP BY 1 ORDER BY tableoid::regclass::text COLLATE "C";
-- A unique index and an exclusion constraint of one partition only: values are exchanged within it.
CREATE UNIQUE INDEX only_here ON moving_old_rest (code);
ALTER TABLE moving_new_1 ADD CONSTRAINT not_twice EXCLUDE USING btree (v WITH =);
UPDATE moving SET code = -code WHERE id IN (1, 2); UPDATE moving SET code = 3 - id WHERE id IN (1, 2);
UPDATE moving SET v = -v WHERE tableoid = 'moving_new_1'::regclass AND cid = 'a';
WITH s AS (SELECT id, lead(id, 1, 13) OVER (ORDER BY id) AS other FROM moving WHERE tableoid = 'moving_new_1'::regclass AND cid = 'a') UPDATE moving m SET v = s.other + 100 FROM s WHERE s.id = m.id;
UPDATE moving SET v = v - 100 WHERE tableoid = 'moving_new_1'::regclass AND v > 100;
SELECT changed();
SELECT restored();
SELECT changed();
-- The error names a value that a row of another community holds there.
UPDATE moving SET code = 100 WHERE id = 1; UPDATE moving SET code = 1 WHERE id = 4; UPDATE moving SET code = 2 WHERE id = 20;
SELECT fails($$SELECT restored()$$);
SELECT obstacles FROM snapback.preview_restore('{x.one}', NULL, 'a');
SELECT updates, skipped FROM snapback.preview_restore('{x.one}', NULL, 'a', '{"on_conflict": "skip"}');
UPDATE moving SET code = id WHERE id IN (4, 20);
SELECT restored();
-- A dropped partition.
UPDATE moving SET at = at + 30 WHERE kind <> 'x' AND at < '2026-01-01';
DROP TABLE moving_old_rest;
SELECT fails($$SELECT restored()$$);
CREATE TABLE all_else PARTITION OF moving_old DEFAULT;
SELECT restored();
TRUNCATE moving; DROP TABLE moving_old, moving_new;
SELECT fails($$SELECT restored()$$);
CREATE TABLE all_in_one PARTITION OF moving DEFAULT;
SELECT restored();
SELECT snapback.unprotect('moving'); DELETE FROM watched;

-- Foreign keys from and to partitioned tables: parents are restored into their partitions, children in several ones keep their rows.
CREATE TABLE ledger (id int, at date NOT NULL, cid text NOT NULL REFERENCES community, v int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE ledger_old PARTITION OF ledger FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE ledger_new PARTITION OF ledger FOR VALUES FROM ('2026-01-01') TO (MAXVALUE) PARTITION BY HASH (id);
CREATE TABLE ledger_new_0 PARTITION OF ledger_new FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE ledger_new_1 PARTITION OF ledger_new FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE entry (id int, kind text, ledger int, at date, above int, above_kind text, v int, PRIMARY KEY (id, kind),
    CONSTRAINT of_ledger FOREIGN KEY (ledger, at) REFERENCES ledger ON UPDATE CASCADE ON DELETE CASCADE) PARTITION BY LIST (kind);
CREATE TABLE entry_x PARTITION OF entry FOR VALUES IN ('x');
CREATE TABLE entry_rest PARTITION OF entry DEFAULT;
ALTER TABLE entry ADD CONSTRAINT entry_above FOREIGN KEY (above, above_kind) REFERENCES entry ON DELETE SET NULL;
CREATE TABLE mark (id int PRIMARY KEY, entry int NOT NULL, kind text NOT NULL, CONSTRAINT of_entry FOREIGN KEY (entry, kind) REFERENCES entry);
CREATE FUNCTION whose(entry) RETURNS text LANGUAGE sql AS $$ SELECT l.cid FROM app.ledger l WHERE (l.id, l.at) = ($1.ledger, $1.at) $$;
INSERT INTO ledger SELECT n, date '2025-12-25' + n, CASE WHEN n % 4 = 0 THEN 'b' ELSE 'a' END, n FROM generate_series(1, 12) n;
INSERT INTO entry SELECT n, CASE WHEN n % 3 = 0 THEN 'x' ELSE 'y' END, l.id, l.at, NULL, NULL, n FROM generate_series(1, 24) n JOIN ledger l ON l.id = 1 + n % 12;
UPDATE entry c SET above = p.id, above_kind = p.kind FROM entry p WHERE p.id = c.id - 12;
INSERT INTO mark SELECT l.id, l.id, l.kind FROM entry l WHERE l.id > 12;
SELECT snapback.protect('ledger', 'x.one'), snapback.protect('entry', 'x.two', via => 'of_ledger'), snapback.protect('mark', 'x.three'),
    watch('ledger'), watch('entry', 'whose(t)'), watch('mark', '(SELECT whose(l) FROM app.entry l WHERE (l.id, l.kind) = (t.entry, t.kind))');
SELECT keep();
CALL snapback.capture_all();
-- Rows move to other partitions with referenced keys; some are deleted, with all rows that refer to them.
UPDATE ledger SET at = at + 20 WHERE id IN (1, 2, 3); UPDATE ledger SET at = at - 20 WHERE id IN (9, 10);
DELETE FROM mark WHERE entry IN (13, 14); DELETE FROM entry WHERE id IN (13, 14);
DELETE FROM mark WHERE entry IN (SELECT id FROM entry WHERE ledger = 6); DELETE FROM ledger WHERE id = 6;
UPDATE entry SET v = 0 WHERE id = 16; DELETE FROM mark WHERE id = 17; DELETE FROM entry WHERE id = 17;
SELECT changed();
SELECT relation, inserts, updates, deletes, parents, obstacles FROM snapback.preview_restore('{x.three}', NULL, 'a');
SELECT fails($$SELECT restored('{x.three}')$$);
SELECT restored();
SELECT changed();
SELECT tableoid::regclass, count(*) FROM entry GROUP BY 1 UNION ALL SELECT tableoid::regclass, count(*) FROM ledger GROUP BY 1 ORDER BY 1;
DELETE FROM mark WHERE entry IN (SELECT id FROM entry WHERE ledger IN (2, 7)); DELETE FROM ledger WHERE id IN (2, 7);
SELECT restored('{x.three}');
SELECT restored();
SELECT changed();
-- An added row that a row of another partitioned table refers to is kept, or deleted with that row.
INSERT INTO ledger VALUES (100, '2026-05-05', 'a', 1); INSERT INTO entry VALUES (100, 'x', 100, '2026-05-05', 1, 'y', 1), (101, 'z', 100, '2026-05-05', 100, 'x', 1);
BEGIN; SELECT restored('{x.one}'); SELECT restored('{x.one,x.two}'); SELECT changed(); ROLLBACK;
SELECT relation, deleted, cascaded FROM snapback.restore('{x.one}', NULL, 'a', '{"referenced": "cascade"}');
SELECT changed();
SELECT snapback.unprotect('mark'), snapback.unprotect('entry'), snapback.unprotect('ledger'); DELETE FROM watched;

-- Foreign keys from or to a single partition concern only its rows.
CREATE TABLE grade (id int PRIMARY KEY, cid text NOT NULL REFERENCES community);
CREATE TABLE pupil (id int, cid text NOT NULL REFERENCES community, grade int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE pupil_low PARTITION OF pupil FOR VALUES FROM (MINVALUE) TO (10);
CREATE TABLE pupil_high PARTITION OF pupil FOR VALUES FROM (10) TO (MAXVALUE) PARTITION BY LIST (id);
CREATE TABLE pupil_rest PARTITION OF pupil_high DEFAULT;
ALTER TABLE pupil_low ADD CONSTRAINT of_grade FOREIGN KEY (grade) REFERENCES grade;
CREATE TABLE prize (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, pupil int CONSTRAINT of_pupil REFERENCES pupil_high ON DELETE CASCADE);
INSERT INTO grade VALUES (1, 'a'), (2, 'a'), (3, 'b');
INSERT INTO pupil VALUES (1, 'a', 1), (2, 'a', 2), (11, 'a', 2), (12, 'a', 7), (3, 'b', 3), (13, 'b', 9);
INSERT INTO prize VALUES (1, 'a', 11), (2, 'a', NULL), (3, 'b', 13);
SELECT snapback.protect('grade', 'x.one'), snapback.protect('pupil', 'x.two'), snapback.protect('prize', 'x.three'), watch('grade'), watch('pupil'), watch('prize');
SELECT keep();
CALL snapback.capture_all();
DELETE FROM pupil WHERE cid = 'a'; DELETE FROM grade WHERE cid = 'a';
SELECT relation, inserts, parents, obstacles FROM snapback.preview_restore('{x.two}', NULL, 'a');
SELECT restored('{x.two}');
SELECT restored('{x.one,x.three}');
SELECT changed();
DELETE FROM prize WHERE id = 1; DELETE FROM pupil WHERE id = 11;
SELECT restored('{x.three}');
SELECT changed();
-- Added rows there that are referenced are kept, or deleted with the referring rows; one elsewhere that only seems to be referenced is deleted.
INSERT INTO pupil VALUES (5, 'a', 2), (15, 'a', 1);
INSERT INTO prize VALUES (5, 'b', 15);
SELECT restored('{x.two}');
UPDATE prize SET cid = 'a' WHERE id = 5;
SELECT relation, deleted, cascaded FROM snapback.restore('{x.two}', NULL, 'a', '{"referenced": "cascade"}') ORDER BY relation;
SELECT changed();
-- One row with its children by that key.
DELETE FROM prize WHERE id = 1; DELETE FROM pupil WHERE id IN (1, 11);
SELECT relation, inserted FROM snapback.restore('{x.two}', NULL, 'a', '{"rows": {"x.two": [{"id": 11}]}, "children": true}') ORDER BY relation;
SELECT restored();
SELECT changed();
-- If the parents cannot be restored, references in that partition only are set to NULL.
DELETE FROM pupil WHERE cid = 'a'; DELETE FROM grade WHERE cid = 'a';
SELECT snapback.unprotect('grade');
SELECT restored('{x.two}');
SELECT * FROM pupil WHERE cid = 'a' ORDER BY id;
-- A foreign key with a generated column.
CREATE TABLE medal (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, n int, prize int GENERATED ALWAYS AS (n + 1) STORED) PARTITION BY RANGE (id);
CREATE TABLE medal_low PARTITION OF medal FOR VALUES FROM (MINVALUE) TO (10);
CREATE TABLE medal_high PARTITION OF medal FOR VALUES FROM (10) TO (MAXVALUE);
ALTER TABLE medal_low ADD FOREIGN KEY (prize) REFERENCES prize;
INSERT INTO medal (id, cid, n) VALUES (1, 'a', 1), (11, 'a', 98), (2, 'b', 2);
SELECT snapback.protect('medal', 'x.one');
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM medal WHERE cid = 'a'; DELETE FROM prize WHERE cid = 'a';
SELECT restored('{x.one}');
SELECT * FROM medal WHERE cid = 'a' ORDER BY id;
SELECT snapback.unprotect('medal');
-- A partition key that is an expression runs user code.
CREATE TABLE coded (id int, cid text NOT NULL REFERENCES community, grade int) PARTITION BY LIST ((id % 2));
CREATE TABLE coded_0 PARTITION OF coded FOR VALUES IN (0);
CREATE TABLE coded_1 PARTITION OF coded FOR VALUES IN (1);
ALTER TABLE coded_1 ADD FOREIGN KEY (grade) REFERENCES pupil;
SELECT fails($$SELECT snapback.preview_restore('{x.two}', NULL, 'a')$$);
SELECT fails($$SELECT restored('{x.two}')$$);
DROP TABLE coded;
SELECT snapback.unprotect('prize'), snapback.unprotect('pupil'); DELETE FROM watched;

-- Inheritance: rows of a child belong to it, also if it is protected itself and has additional columns.
CREATE TABLE base (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, v text);
CREATE TABLE derived (extra int, PRIMARY KEY (id)) INHERITS (base);
CREATE TABLE other_base (note text);
CREATE TABLE both_of (PRIMARY KEY (id)) INHERITS (base, other_base);
INSERT INTO base SELECT n, 'a', 'base' FROM generate_series(1, 3) n;
INSERT INTO derived SELECT n, 'a', 'derived', n FROM generate_series(1, 4) n;
INSERT INTO both_of SELECT n, 'a', 'both', 'n' || n FROM generate_series(3, 5) n;
SELECT snapback.protect('base', 'x.one'), snapback.protect('derived', 'x.two', 'cid');
CALL snapback.capture_all();
UPDATE base SET v = 'x'; DELETE FROM base WHERE id = 1;
SELECT restored('{x.one}');
SELECT tableoid::regclass, * FROM base ORDER BY tableoid::regclass::text COLLATE "C", id;
SELECT restored('{x.two}');
SELECT tableoid::regclass, * FROM base ORDER BY tableoid::regclass::text COLLATE "C", id;
SELECT snapback.protect('both_of', 'x.three', 'cid');
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM both_of; UPDATE derived SET extra = NULL;
SELECT restored();
TABLE both_of;
SELECT snapback.unprotect(t) FROM unnest('{base,derived,both_of}'::regclass[]) t;

-- No primary key: a unique index over NOT NULL columns identifies the rows; a table without one is refused, also if the index is dropped later.
CREATE TABLE keyless (a int, b text NOT NULL, c int NOT NULL, cid text NOT NULL REFERENCES community);
CREATE UNIQUE INDEX ON keyless (a, b);
CREATE UNIQUE INDEX ON keyless (c) WHERE c > 0;
CREATE UNIQUE INDEX ON keyless (lower(b), c);
SELECT fails($$SELECT snapback.protect('keyless', 'x.one')$$);
ALTER TABLE keyless ADD CONSTRAINT waits PRIMARY KEY (c) DEFERRABLE;
SELECT fails($$SELECT snapback.protect('keyless', 'x.one')$$);
CREATE UNIQUE INDEX the_key ON keyless (c, b);
INSERT INTO keyless SELECT CASE WHEN n > 2 THEN n END, 'b' || n, n, 'a' FROM generate_series(1, 5) n;
SELECT snapback.protect('keyless', 'x.one'), watch('keyless');
SELECT keep();
CALL snapback.capture_all();
UPDATE keyless SET a = CASE WHEN a IS NULL THEN 1 END WHERE c < 5; DELETE FROM keyless WHERE c = 5; INSERT INTO keyless VALUES (NULL, '', 0, 'a');
SELECT restored();
SELECT changed();
DROP INDEX the_key;
SELECT fails($$SELECT restored()$$);
SELECT snapback.unprotect('keyless'); DELETE FROM watched;

-- Identity columns, ALWAYS and BY DEFAULT, keep their values, in the key or not, in inserted and updated rows.
CREATE TABLE numbered (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, cid text NOT NULL REFERENCES community, always int GENERATED ALWAYS AS IDENTITY UNIQUE, freely int GENERATED BY DEFAULT AS IDENTITY,
    twice int GENERATED ALWAYS AS (always * 2) STORED, v int);
INSERT INTO numbered (cid, v) SELECT 'a', n FROM generate_series(1, 4) n;
SELECT snapback.protect('numbered', 'x.one'), watch('numbered');
SELECT keep();
CALL snapback.capture_all();
DELETE FROM numbered WHERE id = 1;
UPDATE numbered SET v = 0, freely = 90 WHERE id = 2;
DELETE FROM numbered WHERE id = 3;
INSERT INTO numbered (id, cid, always, freely, v) OVERRIDING SYSTEM VALUE VALUES (3, 'a', 77, 3, 3);
INSERT INTO numbered (cid) VALUES ('a');
SELECT restored();
SELECT changed();
SELECT snapback.unprotect('numbered'); DELETE FROM watched;

-- Rules do not fire, except those that always do, which the error names; views and materialized views depend on the table.
CREATE TABLE ruled (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, v text);
CREATE VIEW above AS SELECT r.*, c.id AS community FROM ruled r JOIN community c ON c.id = r.cid;
CREATE MATERIALIZED VIEW kept_above AS SELECT * FROM above;
INSERT INTO ruled SELECT n, 'a', 'v' || n FROM generate_series(1, 3) n;
CREATE RULE no_delete AS ON DELETE TO ruled DO INSTEAD NOTHING;
CREATE RULE no_update AS ON UPDATE TO ruled DO INSTEAD NOTHING;
CREATE RULE also AS ON INSERT TO ruled DO ALSO UPDATE community SET id = id;
SELECT snapback.protect('ruled', 'x.one'), watch('ruled');
SELECT keep();
CALL snapback.capture_all();
ALTER TABLE ruled DISABLE RULE no_delete, DISABLE RULE no_update;
DELETE FROM ruled WHERE id = 1; UPDATE ruled SET v = 'x' WHERE id = 2; INSERT INTO ruled VALUES (9, 'a', 'x');
ALTER TABLE ruled ENABLE RULE no_delete, ENABLE RULE no_update;
SELECT restored();
SELECT changed();
ALTER TABLE ruled DISABLE RULE no_update; UPDATE ruled SET v = 'x' WHERE id = 2; ALTER TABLE ruled ENABLE ALWAYS RULE no_update;
SELECT fails($$SELECT restored()$$);
ALTER TABLE ruled DISABLE RULE no_update;
-- A trigger that fires although triggers are disabled may suppress a write, which is detected.
CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep_out BEFORE UPDATE ON ruled FOR EACH ROW EXECUTE FUNCTION keep_out();
ALTER TABLE ruled ENABLE ALWAYS TRIGGER keep_out;
SELECT fails($$SELECT restored()$$);
DROP TRIGGER keep_out ON ruled;
SELECT restored();
SELECT count(*) FROM above;
SELECT snapback.unprotect('ruled'); DELETE FROM watched;

-- One schema per community: foreign keys within it, cycles, restored parents, referenced rows.
CREATE SCHEMA "of a"; CREATE SCHEMA of_b;
DO $$ DECLARE s text; BEGIN FOREACH s IN ARRAY '{of a,of_b}'::text[] LOOP
    EXECUTE format('CREATE TABLE %1$I.team (id int PRIMARY KEY, name text UNIQUE, lead int); CREATE TABLE %1$I.person (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team int NOT NULL REFERENCES %1$I.team ON DELETE CASCADE, name text);
        ALTER TABLE %1$I.team ADD FOREIGN KEY (lead) REFERENCES %1$I.person ON DELETE SET NULL;
        INSERT INTO %1$I.team SELECT n, ''t'' || n FROM generate_series(1, 4) n; INSERT INTO %1$I.person (team, name) SELECT 1 + n %% 4, ''p'' || n FROM generate_series(1, 8) n; UPDATE %1$I.team t SET lead = (SELECT min(id) FROM %1$I.person p WHERE p.team = t.id)', s);
END LOOP; END $$;
CREATE OR REPLACE VIEW directory AS
    SELECT id AS community, id AS name, 'ada' AS owner, 'ada@example.org' AS owner_email, true AS restores_enabled, CASE id WHEN 'a' THEN 'of a' WHEN 'b' THEN 'of_b' END AS schema_name FROM community WHERE id < 'c';
SELECT snapback.set_directory('directory');
SELECT snapback.protect('"of a".team', 'x.one'), snapback.protect('"of a".person', 'x.two'),
    watch('"of a".team', '''a'''), watch('"of a".person', '''a'''), watch('of_b.team', '''b'''), watch('of_b.person', '''b''');
SELECT keep();
SELECT snapback.capture('a') IS NOT NULL, snapback.capture('b') IS NOT NULL;
DELETE FROM "of a".team WHERE id IN (1, 2);
UPDATE "of a".team SET name = CASE id WHEN 3 THEN 't' ELSE 't3' END; UPDATE "of a".team SET name = 't4' WHERE id = 3;
SELECT restored('{x.two}');
SELECT restored();
SELECT changed();
INSERT INTO "of a".team VALUES (9, 't9'); INSERT INTO "of a".person (team, name) VALUES (9, 'p9');
SELECT restored('{x.one}');
SELECT restored();
DELETE FROM of_b.team;
SELECT restored(NULL, 'b');
SELECT changed();
-- A relation that is no longer a table is not used, even if another role created it.
ALTER TABLE "of a".person RENAME TO people;
CREATE VIEW "of a".person AS SELECT * FROM "of a".people WHERE id < 3;
SELECT fails($$SELECT snapback.capture('a')$$);
SELECT fails($$SELECT restored('{x.two}')$$);
SELECT fails($$SELECT restored('{x.one}')$$);
SELECT snapback.capture('b') IS NOT NULL;
SELECT relation, status, problem FROM snapback.protection WHERE status <> 'protected' AND options <> '{}';
DROP VIEW "of a".person; ALTER TABLE "of a".people RENAME TO person;
SELECT snapback.unprotect('of_b.person'), snapback.unprotect('of_b.team'); DELETE FROM watched;

-- A table with the maximum number of columns.
DO $$ BEGIN
    EXECUTE 'CREATE TABLE wide (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, ' || (SELECT string_agg(format('c%s %s', n, (ARRAY['int', 'text', 'bool', 'date'])[1 + n % 4]), ', ') FROM generate_series(1, 1598) n) || ')';
END $$;
INSERT INTO wide (id, cid, c4, c1, c2, c1597, c1598) SELECT n, 'a', n, 'c1', n = 1, 'last but one', true FROM generate_series(1, 3) n;
INSERT INTO wide (id, cid) VALUES (4, 'a');
SELECT count(*) FROM pg_attribute WHERE attrelid = 'wide'::regclass AND attnum > 0;
SELECT snapback.protect('wide', 'x.one', columns => '{c1,c1598}'), snapback.protect('wide', 'x.two'), watch('wide');
SELECT keep();
CALL snapback.capture_all();
UPDATE wide SET c1598 = NULL, c4 = 9 WHERE id < 3; DELETE FROM wide WHERE id = 3; INSERT INTO wide (id, cid) VALUES (5, 'a');
SELECT restored('{x.one}');
SELECT restored('{x.two}');
SELECT changed();
SELECT snapback.unprotect('wide'); DELETE FROM watched;

-- Values of 100 MB, compressible and not.
CREATE TABLE large (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, b bytea, t text);
ALTER TABLE large ALTER b SET STORAGE EXTERNAL;
INSERT INTO large SELECT 1, 'a', decode(repeat(string_agg(md5(n::text), ''), 100), 'hex'), repeat('0123456789', 1048576) FROM generate_series(1, 65536) n;
INSERT INTO large SELECT 2, 'a', 'small', 'small';
SELECT id, length(b), length(t) FROM large ORDER BY id;
CREATE TABLE large_before AS SELECT id, sha256(b) AS b, sha256(t::bytea) AS t FROM large;
SELECT snapback.protect('large', 'x.one');
SELECT snapback.capture('a') IS NOT NULL;
SELECT * FROM snapback.verify();
DELETE FROM large WHERE id = 1;
UPDATE large SET t = 'x';
SELECT restored();
SELECT l.id, sha256(l.b) = o.b, sha256(l.t::bytea) = o.t FROM large l JOIN large_before o USING (id) ORDER BY 1;
SELECT snapback.unprotect('large');
SELECT snapback.forget('a') IS NOT NULL;

-- Row security, enabled and forced: if the owner may bypass it, nothing is omitted, otherwise an error is raised.
CREATE ROLE regress_tables_owner BYPASSRLS;
CREATE SCHEMA "Se cret";
GRANT USAGE ON SCHEMA app, "Se cret" TO regress_tables_owner; GRANT REFERENCES, SELECT ON community TO regress_tables_owner;
CREATE TABLE "Se cret"."Hid.den" (id int PRIMARY KEY, cid text NOT NULL REFERENCES community, v text);
ALTER TABLE "Se cret"."Hid.den" OWNER TO regress_tables_owner;
INSERT INTO "Se cret"."Hid.den" SELECT n, 'a', 'v' || n FROM generate_series(1, 3) n;
ALTER TABLE "Se cret"."Hid.den" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY nobody ON "Se cret"."Hid.den" USING (false) WITH CHECK (false);
SELECT snapback.protect('"Se cret"."Hid.den"', 'x.one'), watch('"Se cret"."Hid.den"');
SELECT keep();
SELECT snapback.capture('a') IS NOT NULL;
DELETE FROM "Se cret"."Hid.den" WHERE id = 1; UPDATE "Se cret"."Hid.den" SET v = 'x' WHERE id = 2;
SET search_path = pg_catalog;
SELECT app.restored();
SET search_path = app, public;
SELECT changed();
ALTER ROLE regress_tables_owner NOBYPASSRLS;
SELECT fails($$SELECT restored()$$);
SELECT fails($$SELECT snapback.capture('a')$$);
SELECT snapback.unprotect('"Se cret"."Hid.den"'); DELETE FROM watched;

DROP EXTENSION pg_snapback CASCADE;
SET client_min_messages = warning;
DROP SCHEMA app, "Se cret", "of a", of_b CASCADE;
DROP ROLE regress_tables_owner;
CREATE EXTENSION pg_snapback;
