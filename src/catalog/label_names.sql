-- The names that enum labels have had. A label keeps its OID whatever it is called, as a column keeps its number: see
-- column_names.sql. Stored rows know labels by name, and are led forward as they are read.

CREATE TABLE snapback.known_labels (
    type    oid    PRIMARY KEY,
    numbers oid[]  NOT NULL,
    labels  name[] NOT NULL
);
COMMENT ON TABLE snapback.known_labels IS
    'What the labels of an enum in protected tables were called when last looked at: labels[i] is that of the one with the OID numbers[i]. Never dumped, '
    'since an enum that is loaded elsewhere has labels of other OIDs';

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
    'Renames of enum labels, in the order in which they came to light; those of one row came to pass at once, as far as can be told: old_labels[i] '
    'became new_labels[i]';

CREATE FUNCTION snapback.enum_columns(relation oid) RETURNS TABLE (column_name name, type oid, form text)
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE used (column_name, type, form) AS (
        SELECT a.attname, a.atttypid, 'value' FROM pg_attribute a
        WHERE a.attrelid = enum_columns.relation AND a.attnum > 0 AND NOT a.attisdropped
        UNION
        SELECT u.column_name, n.type, CASE WHEN u.form = 'value' THEN n.form WHEN n.form = 'value' THEN u.form ELSE 'nested' END
        FROM used u JOIN pg_type t ON t.oid = u.type
        CROSS JOIN LATERAL (
            SELECT t.typbasetype, 'value' WHERE t.typtype = 'd'
            UNION ALL
            SELECT t.typelem, 'array' WHERE t.typcategory = 'A' AND t.typelem <> 0
            UNION ALL
            SELECT r.rngsubtype, 'nested' FROM pg_range r WHERE t.typtype IN ('r', 'm') AND t.oid IN (r.rngtypid, r.rngmultitypid)
            UNION ALL
            SELECT a.atttypid, 'nested' FROM pg_attribute a
            WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) n(type, form)
    )
    SELECT u.column_name, u.type, u.form FROM used u JOIN pg_type t ON t.oid = u.type AND t.typtype = 'e';
END $$;
COMMENT ON FUNCTION snapback.enum_columns(oid) IS
    'The columns of a relation that hold labels of enums, and how: value, array, or nested (in a composite value, a range). Internal.';

CREATE FUNCTION snapback.differing_labels(type oid, OUT old_labels name[], OUT new_labels name[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(l.label ORDER BY e.oid), array_agg(e.enumlabel ORDER BY e.oid)
    FROM snapback.known_labels k
    CROSS JOIN LATERAL unnest(k.numbers, k.labels) l(number, label)
    JOIN pg_enum e ON e.oid = l.number AND e.enumtypid = k.type AND e.enumlabel <> l.label
    WHERE k.type = differing_labels.type
$$;
COMMENT ON FUNCTION snapback.differing_labels(oid) IS 'The labels of an enum that were renamed since they were noted; NULL where none was. Internal.';

CREATE FUNCTION snapback.label_renames_of(relation regclass)
RETURNS TABLE (column_name name, form text, labels name[], number bigint, old_labels name[], new_labels name[])
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH used AS MATERIALIZED (SELECT c.* FROM snapback.enum_columns(label_renames_of.relation) c),
    renamed AS (
        SELECT c.column_name, c.form, c.type, r.number, r.old_labels, r.new_labels
        FROM used c JOIN snapback.label_rename r ON r.type = c.type
        UNION ALL
        SELECT c.column_name, c.form, c.type, 9223372036854775807, d.old_labels, d.new_labels
        FROM used c CROSS JOIN LATERAL snapback.differing_labels(c.type) d
        WHERE d.old_labels IS NOT NULL)
    SELECT r.column_name, r.form,
           ARRAY(SELECT e.enumlabel FROM pg_enum e WHERE e.enumtypid = r.type),
           r.number, r.old_labels, r.new_labels
    FROM renamed r ORDER BY r.column_name, r.number;
END $$;
COMMENT ON FUNCTION snapback.label_renames_of(regclass) IS
    'Every rename of labels of the enums in a relation''s columns, column by column, oldest first; last, with the greatest number there is, those that have not '
    'been noted yet. labels: those that the enum has now. Internal.';

CREATE FUNCTION snapback.note_labels(types oid[]) RETURNS void
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
        -- Another session may note the same; whoever comes second finds it done.
        PERFORM FROM snapback.known_labels k WHERE k.type = changed.type FOR UPDATE;
        SELECT d.* INTO renamed FROM snapback.differing_labels(changed.type) d;
        IF renamed.old_labels IS NOT NULL THEN
            INSERT INTO snapback.label_rename (type, old_labels, new_labels)
            VALUES (changed.type, renamed.old_labels, renamed.new_labels);
        END IF;
        INSERT INTO snapback.known_labels (type, numbers, labels) VALUES (changed.type, changed.numbers, changed.labels)
        ON CONFLICT (type) DO UPDATE SET numbers = EXCLUDED.numbers, labels = EXCLUDED.labels;
    END LOOP;
END $$;
COMMENT ON FUNCTION snapback.note_labels(oid[]) IS
    'Notes what the labels of these enums are called now, and which of them were renamed since they were noted last. Internal.';
