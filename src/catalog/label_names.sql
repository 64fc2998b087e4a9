-- Records renamed enum labels. A label keeps its OID when it is renamed, as a column keeps its number: see
-- column_names.sql. Stored rows contain label names; reading them maps these to the current names.

CREATE TABLE snapback.known_labels (
    type    oid    PRIMARY KEY,
    numbers oid[]  NOT NULL,
    labels  name[] NOT NULL
);
COMMENT ON TABLE snapback.known_labels IS
    'The labels of an enum in protected tables at the last check: labels[i] is the label with the OID numbers[i]. Not dumped, because labels get new '
    'OIDs when an enum is dumped and reloaded';

CREATE TABLE snapback.label_rename (
    number     bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    type       regtype     NOT NULL,
    old_labels name[]      NOT NULL,
    new_labels name[]      NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (cardinality(old_labels) > 0 AND cardinality(old_labels) = cardinality(new_labels))
);
CREATE INDEX ON snapback.label_rename (type, number);
COMMENT ON TABLE snapback.label_rename IS
    'Renamed enum labels, in the order of detection: old_labels[i] became new_labels[i]. One row contains the renames that were detected together';

CREATE FUNCTION snapback_internal.enum_columns(relation oid) RETURNS TABLE (column_name text, type oid, form text)
LANGUAGE c STABLE STRICT ROWS 2 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'snapback_enum_columns';
COMMENT ON FUNCTION snapback_internal.enum_columns(oid) IS
    'Return the columns of a relation that contain enum labels, and their form: value, array, or nested (in a composite value or a range)';

CREATE FUNCTION snapback_internal.differing_labels(types oid[]) RETURNS TABLE (type oid, old_labels name[], new_labels name[])
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT k.type, array_agg(l.label ORDER BY e.oid), array_agg(e.enumlabel ORDER BY e.oid)
    FROM snapback.known_labels k
    CROSS JOIN LATERAL (SELECT array_agg(n.oid ORDER BY n.oid) AS numbers, array_agg(n.enumlabel ORDER BY n.oid) AS labels
                        FROM pg_enum n WHERE n.enumtypid = k.type) now
    CROSS JOIN LATERAL unnest(k.numbers, k.labels) l(number, label)
    -- Look up labels by OID, and only if some differ: an enum may have thousands.
    JOIN pg_enum e ON e.oid = l.number AND (e.enumtypid = k.type) IS TRUE AND e.enumlabel <> l.label
    WHERE k.type = ANY (differing_labels.types) AND (k.numbers <> now.numbers OR k.labels <> now.labels)
    GROUP BY k.type;
END;
COMMENT ON FUNCTION snapback_internal.differing_labels(oid[]) IS
    'Return the labels of these enums that were renamed since the last record: one row for each enum with renamed labels';

CREATE FUNCTION snapback_internal.label_renames_of(relation regclass)
RETURNS TABLE (column_name text, form text, labels name[], number bigint, old_labels name[], new_labels name[])
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    types oid[] := ARRAY(SELECT DISTINCT c.type FROM snapback_internal.enum_columns(label_renames_of.relation) c);
BEGIN
    -- With a variable, differing_labels() becomes part of the query, and the query is planned once.
    RETURN QUERY
    WITH renamed AS (
        SELECT r.type::oid, r.number, r.old_labels, r.new_labels
        FROM snapback.label_rename r WHERE r.type = ANY (types::regtype[])
        UNION ALL
        SELECT d.type, 9223372036854775807, d.old_labels, d.new_labels FROM snapback_internal.differing_labels(types) d)
    SELECT u.column_name, u.form, ARRAY(SELECT e.enumlabel FROM pg_enum e WHERE e.enumtypid = u.type),
           r.number, r.old_labels, r.new_labels
    FROM snapback_internal.enum_columns(label_renames_of.relation) u JOIN renamed r ON r.type = u.type
    WHERE types <> '{}'
    ORDER BY u.column_name COLLATE "C", r.number;
END $$;
COMMENT ON FUNCTION snapback_internal.label_renames_of(regclass) IS
    'Return every rename of enum labels in the columns of a relation, ordered by column, oldest first. Renames that are not recorded yet come last, '
    'with number 9223372036854775807. labels: the current labels of the enum';

CREATE FUNCTION snapback_internal.note_labels(types oid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    changed record;
    renamed record;
BEGIN
    FOR changed IN
        SELECT t.type, n.numbers, n.labels
        FROM unnest(note_labels.types) t(type)
        CROSS JOIN LATERAL (SELECT array_agg(e.oid ORDER BY e.oid) AS numbers, array_agg(e.enumlabel ORDER BY e.oid) AS labels
                            FROM pg_enum e WHERE e.enumtypid = t.type) n
        LEFT JOIN snapback.known_labels k ON k.type = t.type
        WHERE n.labels IS NOT NULL AND (k.numbers, k.labels) IS DISTINCT FROM (n.numbers, n.labels)
        ORDER BY t.type
    LOOP
        -- A concurrent session may record the same rename: the row lock makes the second one see it.
        PERFORM FROM snapback.known_labels k WHERE k.type = changed.type FOR UPDATE;
        SELECT d.* INTO renamed FROM snapback_internal.differing_labels(ARRAY[changed.type]) d;
        IF renamed.old_labels IS NOT NULL THEN
            INSERT INTO snapback.label_rename (type, old_labels, new_labels)
            VALUES (changed.type, renamed.old_labels, renamed.new_labels);
        END IF;
        INSERT INTO snapback.known_labels (type, numbers, labels) VALUES (changed.type, changed.numbers, changed.labels)
        ON CONFLICT (type) DO UPDATE SET numbers = EXCLUDED.numbers, labels = EXCLUDED.labels;
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback_internal.note_labels(oid[]) IS 'Record the current labels of these enums, and the renames since the last record';
