-- Checks whether a table or its columns can be protected.

CREATE FUNCTION snapback_internal.lock_relation(relation regclass) RETURNS void
LANGUAGE c STRICT SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_lock_relation';
COMMENT ON FUNCTION snapback_internal.lock_relation(regclass) IS
    'Lock a relation in ACCESS SHARE mode until the transaction ends, so that its kind, owner and columns do not change. Errors: 42704 no such '
    'relation';

CREATE FUNCTION snapback_internal.check_filter(relation regclass, filter text) RETURNS void
LANGUAGE c STRICT STABLE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_check_filter';
COMMENT ON FUNCTION snapback_internal.check_filter(regclass, text) IS
    'Check, as the relation''s owner and without reading a row, that a filter is one boolean expression over columns of the relation, without '
    'subqueries, aggregates, volatile functions and generated columns. Errors: those of PostgreSQL (42601, 42703, 42804, 42803, 42501); 0A000 for '
    'expressions that PostgreSQL would accept';

CREATE FUNCTION snapback_internal.large_object_column(relation regclass) RETURNS name
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE held AS (
        SELECT a.attname, a.attnum, a.atttypid AS type
        FROM pg_attribute a
        WHERE a.attrelid = large_object_column.relation AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT h.attname, h.attnum, n.type
        FROM held h
        JOIN pg_type t ON t.oid = h.type
        CROSS JOIN LATERAL (SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype
                                        WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END AS type) n
        WHERE n.type <> 0)
    SELECT h.attname FROM held h WHERE h.type = 'oid'::regtype ORDER BY h.attnum LIMIT 1
$$;
COMMENT ON FUNCTION snapback_internal.large_object_column(regclass) IS
    'Return the first column that may refer to large objects: of type oid, a domain over it (lo), or an array of them; NULL if there is none';

CREATE FUNCTION snapback_internal.kind_refusal(class pg_catalog.pg_class, OUT state text, OUT problem text, OUT hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    relation regclass := class.oid;
    part     record;
BEGIN
    state := '42809';
    IF class.relkind NOT IN ('r', 'p') THEN
        problem := format('%s is %s', relation,
            CASE class.relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table'
                WHEN 'S' THEN 'a sequence' WHEN 'i' THEN 'an index' WHEN 'I' THEN 'an index' ELSE 'not a table' END);
        hint := 'Only tables of this database can be protected. Specify the table that contains the rows.';
        RETURN;
    ELSIF class.oid < 16384 OR class.relnamespace = 'snapback'::regnamespace THEN
        problem := format('%s is a %s', relation, CASE WHEN class.oid < 16384 THEN 'system table' ELSE 'table of pg_snapback' END);
        hint := 'Protect the tables of your application.';
        RETURN;
    ELSIF class.relispartition THEN
        problem := format('%s is a partition', relation);
        hint := format('Protect the partitioned table %s instead.', pg_partition_root(relation));
        RETURN;
    END IF;
    state := '0A000';
    IF class.relpersistence = 't' THEN
        problem := format('%s is a temporary table', relation);
        hint := 'Only permanent tables can be protected.';
        RETURN;
    END IF;
    SELECT c.oid::regclass AS name, c.relpersistence, c.relkind INTO part
    FROM (SELECT relation AS relid UNION SELECT t.relid FROM pg_partition_tree(relation) t) member
    JOIN pg_class c ON c.oid = member.relid
    WHERE c.relpersistence = 'u' OR c.relkind NOT IN ('r', 'p')
    ORDER BY c.oid LIMIT 1;
    IF FOUND THEN
        problem := format('%s %s %s', relation, CASE WHEN part.name = relation THEN 'is' ELSE format('has the partition %s, which is', part.name) END,
                          CASE part.relpersistence WHEN 'u' THEN 'an unlogged table' ELSE 'a foreign table' END);
        hint := 'Only permanent tables of this database can be protected.';
        RETURN;
    END IF;
    state := NULL;
END $$;
COMMENT ON FUNCTION snapback_internal.kind_refusal(pg_catalog.pg_class) IS
    'Return why a relation is not of a kind that can be protected: SQLSTATE (42809, 0A000), problem and hint; NULL if it is';

CREATE FUNCTION snapback_internal.key_over_periods(relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    -- The column conperiod exists since PostgreSQL 18.
    SELECT format('foreign key %I of %s', c.conname, c.conrelid::regclass) FROM pg_constraint c
    WHERE current_setting('server_version_num')::integer >= 180000
      AND c.contype = 'f' AND key_over_periods.relation IN (c.conrelid, c.confrelid)
      AND (to_jsonb(c) ->> 'conperiod')::boolean
    ORDER BY c.conname LIMIT 1
$$;
COMMENT ON FUNCTION snapback_internal.key_over_periods(regclass) IS
    'Return a temporal foreign key (PERIOD) from or to a table; NULL if there is none';

CREATE FUNCTION snapback_internal.table_refusal(relation regclass, OUT state text, OUT problem text, OUT hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    class        pg_class;
    large_object name;
    over_periods text := snapback_internal.key_over_periods(relation);
BEGIN
    SELECT * INTO class FROM pg_class c WHERE c.oid = relation;
    IF class.oid IS NULL THEN
        state := '42P01';
        problem := format('relation %s does not exist', coalesce(relation::text, 'NULL'));
        hint := 'Name a table.';
        RETURN;
    END IF;
    SELECT * INTO state, problem, hint FROM snapback_internal.kind_refusal(class);
    IF state IS NOT NULL THEN
        RETURN;
    END IF;
    large_object := snapback_internal.large_object_column(relation);
    IF large_object IS NOT NULL THEN
        state := '0A000';
        problem := format('column "%s" of %s holds the OID of a large object', large_object, relation);
        hint := 'Large objects are not captured. Store the data in a bytea column. For a number that is not an OID, use bigint.';
    ELSIF over_periods IS NOT NULL THEN
        state := '0A000';
        problem := format('%s is temporal', over_periods);
        hint := 'A restore cannot determine whether other rows cover the period. Drop the foreign key, or exclude the table.';
    ELSIF class.relrowsecurity AND class.relforcerowsecurity
          AND NOT (SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles r WHERE r.oid = class.relowner) THEN
        state := '55000';
        problem := format('row security of %s applies to its owner and would hide rows from snapshots', relation);
        hint := format('Run ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, or ALTER ROLE %I BYPASSRLS.', relation,
                       pg_get_userbyid(class.relowner));
    ELSIF snapback_internal.key_columns(relation) IS NULL THEN
        state := 'SB022';
        problem := format('%s has no key that identifies its rows', relation);
        hint := 'Add a primary key, or a unique index over NOT NULL columns. The key must not be deferrable.';
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.table_refusal(regclass) IS
    'Return why a relation cannot be protected: SQLSTATE, problem and hint; NULL if it can. 42P01 no such relation; 42809 not a table of the '
    'application; 0A000 temporary, unlogged or foreign table, large objects or a temporal foreign key; 55000 row security applies to its owner; '
    'SB022 no key';

CREATE FUNCTION snapback_internal.column_refusal(relation regclass, columns name[], path_columns name[],
                                        OUT state text, OUT problem text, OUT hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    column_name name;
BEGIN
    IF cardinality(columns) = 0 THEN
        state := '22023';
        problem := format('no column of %s is specified', relation);
        hint := 'Omit columns to protect whole rows.';
    END IF;
    FOREACH column_name IN ARRAY coalesce(columns, '{}') LOOP
        hint := 'Specify columns that a restore can update. Generated columns and columns of the key or of the path are not allowed.';
        IF NOT snapback_internal.has_column(relation, column_name) THEN
            state := '42703';
            problem := format('%s has no column "%s"', relation, column_name);
        ELSIF EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = column_name AND a.attgenerated <> '') THEN
            state := '428C9';
            problem := format('column "%s" of %s is a generated column', column_name, relation);
        ELSIF column_name = ANY (snapback_internal.key_columns(relation)) THEN
            state := '42P10';
            problem := format('column "%s" is part of the key of %s', column_name, relation);
        ELSIF column_name = ANY (path_columns) THEN
            state := '42P10';
            problem := format('column "%s" of %s is part of its path to the community', column_name, relation);
        END IF;
        EXIT WHEN state IS NOT NULL;
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback_internal.column_refusal(regclass, name[], name[]) IS
    'Return why an option cannot restore these columns of a table: SQLSTATE (22023 no column is specified, 42703 no such column, 428C9 generated '
    'column, 42P10 column of the key or the path), problem and hint; NULL if it can';

CREATE FUNCTION snapback_internal.refuse(state text, problem text, hint text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF state IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = state, MESSAGE = problem, HINT = hint;
    END IF;
END $$;
COMMENT ON FUNCTION snapback_internal.refuse(text, text, text) IS
    'Raise an error with this SQLSTATE, message and hint; do nothing if the SQLSTATE is NULL';
