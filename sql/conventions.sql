-- Rules for every object of the extension.

-- In a fresh installation, without objects of other tests.
SET client_min_messages = warning;
DROP EXTENSION pg_snapback CASCADE;
CREATE EXTENSION pg_snapback;
RESET client_min_messages;

-- Every object has a comment.
SELECT p.oid::regprocedure AS function_without_comment
FROM pg_proc p
WHERE p.pronamespace IN ('snapback'::regnamespace, 'snapback_internal'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL
ORDER BY p.oid::regprocedure::text COLLATE "C";

SELECT c.oid::regclass AS relation_without_comment
FROM pg_class c
WHERE c.relnamespace = 'snapback'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p') AND obj_description(c.oid, 'pg_class') IS NULL
ORDER BY c.oid::regclass::text COLLATE "C";

-- Names resolve in the same way for every caller: functions set the search path, or their body was parsed when it was created.
-- Exceptions are procedures, which cannot commit with a SET clause, and trigger functions in C, which run for every row.
SELECT p.oid::regprocedure AS function_with_open_search_path
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace IN ('snapback'::regnamespace, 'snapback_internal'::regnamespace)
  AND p.prokind = 'f'
  AND p.prosqlbody IS NULL
  AND NOT (l.lanname = 'c' AND p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype))
  AND NOT coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false)
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- Nothing is granted to PUBLIC.
SELECT p.oid::regprocedure AS function_open_to_public
FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE p.pronamespace IN ('snapback'::regnamespace, 'snapback_internal'::regnamespace) AND a.grantee = 0
ORDER BY p.oid::regprocedure::text COLLATE "C";

SELECT c.oid::regclass AS relation_open_to_public
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace = 'snapback'::regnamespace AND a.grantee = 0
ORDER BY c.oid::regclass::text COLLATE "C";

-- Every object belongs to the extension.
SELECT c.oid::regclass AS relation_outside_the_extension
FROM pg_class c
WHERE c.relnamespace = 'snapback'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'S')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'i'))
ORDER BY c.oid::regclass::text COLLATE "C";

-- No role has USAGE on the internal schema.
SELECT n.nspname, a.grantee::regrole
FROM pg_namespace n, aclexplode(n.nspacl) a
WHERE n.nspname = 'snapback_internal' AND a.grantee <> n.nspowner;
