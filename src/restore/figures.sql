-- The row counts of a restore or of its plan.

CREATE TYPE snapback.plan_figures AS (
    inserts bigint, updates bigint, deletes bigint, unchanged bigint, kept bigint, parents bigint, nulled bigint, cascaded bigint, skipped bigint
);
COMMENT ON TYPE snapback.plan_figures IS
    'The row counts of a restore or of its plan, for a table, a part of it, or several. inserts, updates, deletes: rows to write. unchanged: rows that do not '
    'change. kept: rows added since the snapshot that remain because rows outside the selection refer to them. parents: inserted rows outside the selection '
    'that restored rows refer to. nulled: references set to NULL because the referenced row is not in the snapshot. cascaded: rows outside the selection that ON '
    'DELETE of a foreign key deletes or sets to NULL. skipped: rows that are not restored because another row holds their unique value, and rows that refer '
    'to those';

CREATE FUNCTION snapback_internal.total_figures(figures snapback.plan_figures[]) RETURNS snapback.plan_figures
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CAST(ROW(coalesce(sum(f.inserts), 0), coalesce(sum(f.updates), 0), coalesce(sum(f.deletes), 0), coalesce(sum(f.unchanged), 0), coalesce(sum(f.kept), 0),
                    coalesce(sum(f.parents), 0), coalesce(sum(f.nulled), 0), coalesce(sum(f.cascaded), 0), coalesce(sum(f.skipped), 0)) AS snapback.plan_figures)
    FROM unnest(figures) f;
END;
COMMENT ON FUNCTION snapback_internal.total_figures(snapback.plan_figures[]) IS 'Return the sum of figures; zeros for NULL or an empty array';

CREATE FUNCTION snapback_internal.rows_written(figures snapback.plan_figures) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN figures.inserts + figures.updates + figures.deletes;
COMMENT ON FUNCTION snapback_internal.rows_written(snapback.plan_figures) IS 'Return how many rows are inserted, updated or deleted';

CREATE TYPE snapback.plan_part AS (option text, figures snapback.plan_figures, digest text);
COMMENT ON TYPE snapback.plan_part IS
    'The row counts of a table for one chosen option, or for what no chosen option covers (option NULL). A row counts for each option whose filter it '
    'satisfies, in the snapshot or now; for an option with columns, an update counts if one of these changes. digest: SHA-256 of the planned writes, in '
    'hexadecimal';

CREATE TYPE snapback_internal.table_plan AS (
    relation text, options text[], figures snapback.plan_figures, obstacles text[], notes text[], digest text, parts snapback.plan_part[]
);
COMMENT ON TYPE snapback_internal.table_plan IS
    'The plan for one table. relation to notes: as preview_restore() returns them. digest: SHA-256 of the planned writes to the table, independent of their '
    'order, in hexadecimal. parts: the figures of each chosen option that covers the table, and of what no chosen option covers';
