-- The preview of a request for its owner: figures of each option, other changes, notes.

CREATE FUNCTION snapback_internal.planned_tables(snapshot uuid, options text[], switches jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(p ORDER BY p.relation COLLATE "C"), '[]')
            FROM snapback_internal.plan_restore(planned_tables.snapshot, planned_tables.options, planned_tables.switches) p);
END $$;
COMMENT ON FUNCTION snapback_internal.planned_tables(uuid, text[], jsonb) IS
    'Return plan_restore() as an array with one object per table. Errors: those of plan_restore()';

CREATE FUNCTION snapback_internal.preview_tables(preview jsonb) RETURNS SETOF snapback_internal.table_plan
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT * FROM jsonb_populate_recordset(CAST(NULL AS snapback_internal.table_plan), preview);
END;
COMMENT ON FUNCTION snapback_internal.preview_tables(jsonb) IS 'Return the rows of a plan from planned_tables()';

CREATE FUNCTION snapback_internal.shown_preview(preview jsonb) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE WHEN preview IS NOT NULL THEN coalesce(jsonb_agg(t.value - '{figures,digest,parts}'::text[] || (t.value -> 'figures') ORDER BY t.ordinality), '[]') END
    FROM jsonb_array_elements(preview) WITH ORDINALITY t;
END;
COMMENT ON FUNCTION snapback_internal.shown_preview(jsonb) IS 'Return the objects of planned_tables() without parts and digests; NULL for NULL';

CREATE FUNCTION snapback_internal.relation_options(relation text) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT ARRAY(SELECT o.option
                 FROM pg_catalog.pg_class c
                 JOIN snapback.protected_table t ON t.relation = c.oid OR t.relation_name = c.relname
                 JOIN snapback.coverage v ON v.table_id = t.id
                 JOIN snapback.option o ON o.option = v.option
                 JOIN snapback.category g ON g.category = o.category
                 WHERE c.oid = to_regclass(relation_options.relation)
                 ORDER BY g.position, o.position);
END;
COMMENT ON FUNCTION snapback_internal.relation_options(text) IS
    'Return the options that cover the table with this qualified name, in the order of the restore dialog';

CREATE FUNCTION snapback_internal.relation_label(relation text, chosen text[]) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(string_agg(o.label, ', ' ORDER BY c.place), relation_label.relation)
    FROM unnest(snapback_internal.relation_options(relation)) WITH ORDINALITY AS c (option, place) JOIN snapback.option o ON o.option = c.option
    WHERE o.option <> ALL (relation_label.chosen);
END;
COMMENT ON FUNCTION snapback_internal.relation_label(text, text[]) IS
    'Return the label for rows of a table outside the chosen options: the labels of the other options that cover the table, or its name if none does';

CREATE FUNCTION snapback_internal.option_label(option text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce((SELECT o.label FROM snapback.option o WHERE o.option = option_label.option), option_label.option);
END;
COMMENT ON FUNCTION snapback_internal.option_label(text) IS 'Return the label of an option, or its name if it has been removed';

CREATE FUNCTION snapback_internal.preview_parts(preview jsonb) RETURNS TABLE (option text, label text, figures snapback.plan_figures, digests text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    -- Rows under no chosen option form a part of their own: the restore changes them because of foreign keys.
    SELECT p.option, l.label, snapback_internal.total_figures(array_agg(p.figures)), string_agg(t.relation || ' ' || p.digest, ' ' ORDER BY t.relation COLLATE "C")
    FROM snapback_internal.preview_tables(preview) t
    CROSS JOIN LATERAL unnest(t.parts) p
    CROSS JOIN LATERAL (SELECT coalesce(snapback_internal.option_label(p.option), snapback_internal.relation_label(t.relation, t.options)) AS label) l
    WHERE p.option IS NOT NULL OR cardinality(t.options) = 0 OR snapback_internal.rows_written(p.figures) + (p.figures).kept + (p.figures).nulled + (p.figures).skipped > 0
    GROUP BY p.option, l.label
    ORDER BY p.option COLLATE "C" NULLS LAST, l.label COLLATE "C";
END;
COMMENT ON FUNCTION snapback_internal.preview_parts(jsonb) IS
    'Return the figures of planned_tables() for each option, summed over its tables. A row under several options counts for each of them. option is NULL '
    'for rows outside the selection; label then names the options that cover them. digests: the digests of all tables of the option, as one text';

CREATE FUNCTION snapback_internal.preview_notes(preview jsonb) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT ARRAY(SELECT n.note FROM jsonb_array_elements(preview) WITH ORDINALITY AS t (value, place)
                 CROSS JOIN LATERAL jsonb_array_elements_text(t.value -> 'notes') WITH ORDINALITY AS n (note, place)
                 GROUP BY n.note ORDER BY min(t.place), min(n.place), n.note COLLATE "C");
END;
COMMENT ON FUNCTION snapback_internal.preview_notes(jsonb) IS 'Return the notes of planned_tables(), each once';

CREATE FUNCTION snapback_internal.request_contents(request uuid)
RETURNS TABLE (option text, label text, rows bigint, figures snapback.plan_figures)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT chosen.option, snapback_internal.option_label(chosen.option), c.rows, p.figures
    FROM snapback.request r
    CROSS JOIN LATERAL unnest(r.options) WITH ORDINALITY AS chosen (option, place)
    LEFT JOIN snapback_internal.preview_parts(r.preview) p ON p.option = chosen.option
    LEFT JOIN snapback_internal.contents_of(r.snapshot) c ON c.option = chosen.option
    WHERE r.id = request_contents.request
    ORDER BY chosen.place;
END $$;
COMMENT ON FUNCTION snapback_internal.request_contents(uuid) IS
    'Return the options of a request with their labels, their number of rows in the snapshot while it exists, and the figures of the plan at the time of '
    'the request';

CREATE FUNCTION snapback_internal.request_side_effects(request uuid) RETURNS TABLE (label text, figures snapback.plan_figures)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT p.label, p.figures
    FROM snapback.request r CROSS JOIN LATERAL snapback_internal.preview_parts(r.preview) p
    WHERE r.id = request_side_effects.request AND p.option IS NULL AND snapback_internal.rows_written(p.figures) > 0;
END $$;
COMMENT ON FUNCTION snapback_internal.request_side_effects(uuid) IS
    'Return the planned changes of a request outside its options, which foreign keys cause';
