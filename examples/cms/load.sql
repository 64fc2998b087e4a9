-- Makes the reference CMS in an empty database:
--   psql -v size=tiny|small|benchmark -v seed=1 -f examples/cms/load.sql
\set ON_ERROR_STOP on
\set QUIET on
\ir schema.sql
\ir generate.sql
