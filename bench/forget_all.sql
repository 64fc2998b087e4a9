-- Empty the store, so that the next capture is the first one.
SET client_min_messages = warning;
TRUNCATE snapback.chunk, snapback.snapshot, snapback.base, snapback.basis, snapback.table_set, snapback.shape, snapback.restore_run, snapback.restore_table CASCADE;
CHECKPOINT;
