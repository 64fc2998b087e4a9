#!/bin/sh
# The effect of the write guard: the same work on a guarded table and on an unguarded copy, as the ratio of the rates
# (1.00: no effect; 0.95: guarded work reaches 95 % of the unguarded rate).
# Single rows: one pgbench client runs both kinds of transactions in random order, so that other work on the machine
# affects both equally; a rate is one over the mean latency without the slowest twentieth of each kind. COPY, and DELETE of
# all rows of one or 1,000 communities in one statement: in turns.
# The output is the medians over the runs, and the lowest and highest ratio of a run.
# Needs a running server (PGHOST, PGPORT, PGUSER) with the extension installed; creates and drops its own database.
# Optional: RUNS (9), SECONDS_EACH (6), COPY_ROWS (1000000), DELETED_ROWS (100000), and TASKS to select tasks.
set -eu
RUNS=${RUNS:-9} SECONDS_EACH=${SECONDS_EACH:-6} COPY_ROWS=${COPY_ROWS:-1000000} DELETED_ROWS=${DELETED_ROWS:-100000}
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
    CREATE TABLE %1$s_shrinking (LIKE %1$s_own INCLUDING ALL);
    CREATE SEQUENCE %1$s_next;
    CREATE FUNCTION %1$s_refill(rows int, communities int) RETURNS void LANGUAGE sql AS $f$
        TRUNCATE %1$s_shrinking;
        INSERT INTO %1$s_shrinking (id, cid, body) SELECT i, md5((i %% communities)::text)::uuid, repeat('x', 100) FROM generate_series(1, rows) i;
        SELECT setval('%1$s_next', 1, false);
    $f$;
$$, kind) FROM (VALUES ('guarded'), ('free')) k (kind)
\gexec
INSERT INTO snapback.protected_table (relation, community_column, via) VALUES
    ('guarded_own', 'cid', NULL), ('guarded_shrinking', 'cid', NULL), ('guarded_parent', 'cid', NULL), ('guarded_chain', NULL, 'to_parent');
SELECT snapback_internal.install_guard(relation) FROM snapback.protected_table;
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
    cat >"$work/delete_$kind" <<SQL
DELETE FROM ${kind}_shrinking WHERE id = (SELECT nextval('${kind}_next'));
SQL
done

# Run both kinds of a task in random order for some time; print "guarded/s free/s".
rates() {
    rm -f "$work"/log.*
    pgbench -n -M prepared -T "$SECONDS_EACH" -l --log-prefix "$work/log" -f "$work/$1_guarded" -f "$work/$1_free" \
        >>"$work/notices" 2>&1
    for kind in 0 1; do
        cat "$work"/log.* | awk -v kind="$kind" '$4 == kind { print $3 }' | sort -n |
            awk '{ v[NR] = $1 } END { n = int(NR * 0.95); for (i = 1; i <= n; i++) sum += v[i]; printf "%.1f ", n * 1e6 / sum }'
    done
    echo
}

# Copy a file into an empty table; print rows per second.
copy_rate() {
    psql -X -q -c "TRUNCATE ${2}_own" -c CHECKPOINT
    started=$(date +%s%N)
    psql -X -q -c "COPY ${2}_own (cid, body) FROM STDIN" <"$work/$1"
    awk -v t=$(($(date +%s%N) - started)) -v n="$COPY_ROWS" 'BEGIN { printf "%.1f\n", n * 1e9 / t }'
}

# Copy a file into the guarded table and the free one in alternating order; print "guarded/s free/s".
copy_rates() {
    if [ $(($2 % 2)) = 1 ]; then
        guarded=$(copy_rate "$1" guarded) free=$(copy_rate "$1" free)
    else
        free=$(copy_rate "$1" free) guarded=$(copy_rate "$1" guarded)
    fi
    echo "$guarded $free"
}

# Delete all rows of a table in one statement; print rows per second.
delete_rate() {
    psql -X -q -t -c "SELECT ${2}_refill($DELETED_ROWS, $1)" -c "VACUUM ANALYZE ${2}_shrinking" -c CHECKPOINT >>"$work/notices"
    psql -X -q -c '\timing on' -c "DELETE FROM ${2}_shrinking" | awk -v n="$DELETED_ROWS" '/Time/ { printf "%.1f\n", n * 1e3 / $2 }'
}

# The same for the guarded table and the free one, in turn; print "guarded/s free/s".
delete_rates() {
    if [ $(($2 % 2)) = 1 ]; then
        guarded=$(delete_rate "$1" guarded) free=$(delete_rate "$1" free)
    else
        free=$(delete_rate "$1" free) guarded=$(delete_rate "$1" guarded)
    fi
    echo "$guarded $free"
}

# Summarize the runs: medians of the rates and of the ratio.
summary() {
    awk -v name="$1" '
        function median(v, n,   i, j, t) {
            for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
            return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
        }
        { guarded[NR] = $1; free[NR] = $2; ratio[NR] = $1 / $2 }
        END {
            printf "%-22s %9.0f/s guarded %9.0f/s free   ratio %.3f", name, median(guarded, NR), median(free, NR), median(ratio, NR)
            printf " (%.3f to %.3f in %d runs)\n", ratio[1], ratio[NR], NR
        }'
}

psql -X -q -c "COPY (SELECT md5('1')::uuid, repeat('x', 100) FROM generate_series(1, $COPY_ROWS)) TO STDOUT" >"$work/copy_one_community"
psql -X -q -c "COPY (SELECT md5((i % 1000)::text)::uuid, repeat('x', 100) FROM generate_series(1, $COPY_ROWS) i) TO STDOUT" >"$work/copy_many_communities"

for task in ${TASKS:-update_own insert_own update_chain insert_chain delete copy_one_community copy_many_communities delete_all_1 delete_all_1000}; do
    run=1
    while [ "$run" -le "$RUNS" ]; do
        case $task in
        copy_*) copy_rates "$task" "$run" ;;
        delete_all_*) delete_rates "${task#delete_all_}" "$run" ;;
        delete)
            psql -X -q -c 'SELECT guarded_refill(300000, 1000), free_refill(300000, 1000)' -c 'VACUUM ANALYZE' >>"$work/notices"
            rates "$task"
            ;;
        *) rates "$task" ;;
        esac
        run=$((run + 1))
    done | summary "$task"
done
