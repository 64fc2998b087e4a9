-- Changes about 1 % of one community's rows, for benchmarks: psql -v community=<uuid> -f examples/cms/damage_one_percent.sql
\set ON_ERROR_STOP on
SELECT :'community'::uuid AS community \gset
\ir churn.sql
