-- What the snapshots take on disk, indexes and TOAST included.
SELECT sum(pg_total_relation_size(r))
FROM unnest('{snapback.chunk,snapback.snapshot,snapback.base,snapback.base_table,snapback.basis,snapback.table_set,snapback.table_set_member,snapback.shape}'::regclass[]) r;
