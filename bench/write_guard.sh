#!/bin/sh
# What the write guard costs: the same work on a guarded table and on its unguarded twin, in alternating runs, as the
# ratio of the medians (1.00: the guard costs nothing; 0.95: guarded work reaches 95 % of the unguarded rate).
# Needs a running server (PGHOST, PGPORT, PGUSER) with the extension installed; makes and drops a database of its own.
# RUNS (9), SECONDS_EACH (3), COPY_ROWS (1000000) may be lowered for a quick look.
set -eu
RUNS=${RUNS:-9} SECONDS_EACH=${SECONDS_EACH:-3} COPY_ROWS=${COPY_ROWS:-1000000}
PGDATABASE=snapback_bench_guard
export PGDATABASE
work=$(mktemp -d)
trap 'dropdb --if-exists "$PGDATABASE"; rm -rf "$work"' EXIT
dropdb --if-exists "$PGDATABASE" 2>"$work/notices"
createdb "$PGDATABASE"

psql -X -q -v ON_ERROR_STOP=1 >"$work/setup" <<'SQL'
CREATE EXTENSION pg_snapback;
SELECT format($$
    CREATE TABLE %1$s_own (id bigserial PRIMARY KEY, cid uuid NOT NULL, n int NOT NULL DEFAULT 0, body text NOT NULL);
    CREATE TABLE %1$s_parent (id bigint PRIMARY KEY, cid uuid NOT NULL);
    CREATE TABLE %1$s_chain (id bigserial PRIMARY KEY, parent bigint NOT NULL CONSTRAINT to_parent REFERENCES %1$s_parent,
                             n int NOT NULL DEFAULT 0, body text NOT NULL);
    INSERT INTO %1$s_parent SELECT i, md5(i::text)::uuid FROM generate_series(1, 1000) i;
    INSERT INTO %1$s_own (cid, body) SELECT md5((i %% 1000 + 1)::text)::uuid, repeat('x', 100) FROM generate_series(1, 100000) i;
    INSERT INTO %1$s_chain (parent, body) SELECT i %% 1000 + 1, repeat('x', 100) FROM generate_series(1, 100000) i;
$$, kind) FROM (VALUES ('guarded'), ('free')) k (kind)
\gexec
INSERT INTO snapback.protected_table (relation, community_column, via) VALUES
    ('guarded_own', 'cid', NULL), ('guarded_parent', 'cid', NULL), ('guarded_chain', NULL, 'to_parent');
SELECT snapback.install_guard(relation) FROM snapback.protected_table;
VACUUM ANALYZE;
SQL

for kind in guarded free; do
    cat >"$work/update_own_$kind" <<SQL
\set id random(1, 100000)
UPDATE ${kind}_own SET n = n + 1 WHERE id = :id;
SQL
    cat >"$work/update_chain_$kind" <<SQL
\set id random(1, 100000)
UPDATE ${kind}_chain SET n = n + 1 WHERE id = :id;
SQL
    cat >"$work/insert_own_$kind" <<SQL
\set c random(1, 1000)
INSERT INTO ${kind}_own (cid, body) VALUES (md5((:c)::text)::uuid, 'a row like others');
SQL
    cat >"$work/insert_chain_$kind" <<SQL
\set c random(1, 1000)
INSERT INTO ${kind}_chain (parent, body) VALUES (:c, 'a row like others');
SQL
done

# Run one script for a while; print transactions per second.
rate() { pgbench -n -M prepared -T "$SECONDS_EACH" -f "$work/$1" 2>>"$work/notices" | sed -n 's/^tps = \([0-9.]*\).*/\1/p'; }

# Copy rows of one community (or of a thousand) into an emptied table; print rows per second.
copy_rate() {
    psql -X -q -c "TRUNCATE ${2}_own" -c CHECKPOINT
    started=$(date +%s%N)
    psql -X -q -c "COPY ${2}_own (cid, body) FROM STDIN" <"$work/$1"
    awk -v t=$(($(date +%s%N) - started)) -v n="$COPY_ROWS" 'BEGIN { printf "%.1f\n", n * 1e9 / t }'
}

median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# Measure guarded and free in turn, first one first and then the other; print the ratio of the medians.
compare() {
    : >"$work/guarded"
    : >"$work/free"
    run=1
    while [ "$run" -le "$RUNS" ]; do
        if [ $((run % 2)) = 1 ]; then order="guarded free"; else order="free guarded"; fi
        for kind in $order; do
            case $1 in
            copy_*) copy_rate "$1" "$kind" ;;
            *) rate "$1_$kind" ;;
            esac >>"$work/$kind"
        done
        run=$((run + 1))
    done
    guarded=$(median <"$work/guarded") free=$(median <"$work/free")
    awk -v name="$1" -v g="$guarded" -v f="$free" 'BEGIN { printf "%-22s %10.0f/s guarded %10.0f/s free   ratio %.3f\n", name, g, f, g / f }'
}

psql -X -q -c "COPY (SELECT md5('1')::uuid, repeat('x', 100) FROM generate_series(1, $COPY_ROWS)) TO STDOUT" >"$work/copy_one_community"
psql -X -q -c "COPY (SELECT md5((i % 1000)::text)::uuid, repeat('x', 100) FROM generate_series(1, $COPY_ROWS) i) TO STDOUT" >"$work/copy_many_communities"

for task in ${TASKS:-update_own insert_own update_chain insert_chain copy_one_community copy_many_communities}; do
    compare "$task"
done
