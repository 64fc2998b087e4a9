#!/usr/bin/env bash
# The effect of the restore of a large community on others: the latency of other communities' single-row writes while it
# runs, as a ratio to the latency when nothing else runs (1.00: no effect).
# One pgbench client writes at a fixed rate, well below the capacity of the server. In turns, ROUNDS times:
#   idle        nothing else
#   restore     a community of ROWS rows in four tables is restored after total loss
#   background  the same, by the background worker
#   copy        a copy of the same rows into tables without guards, with the same indexes and keys, as the limit for a restore
#   burner      for comparison: a process that only uses the CPU, and neither server nor disk
# A latency is that of the transaction, from its start by pgbench. The output is the 50th and 99th percentile of each
# kind, as medians over the rounds, the lowest and highest 99th, and the ratio of the 99th to that of idle. If other programs
# use the cores of the machine, compare with the burner first.
#
#   scripts/server -c 'fsync = on' -c 'shared_buffers = 1GB' -c 'max_wal_size = 8GB' -c 'min_wal_size = 4GB' \
#       -c 'checkpoint_timeout = 30min' bench/write_latency.sh
#
# Needs a running server (PGHOST, PGPORT, PGUSER) with the extension installed; creates and drops its own database.
# Optional: ROUNDS (4), ROWS (1000000), RATE (200 a second), IDLE_SECONDS (15) and KINDS.
set -eu -o pipefail
cd "$(dirname "$0")/.."
ROUNDS=${ROUNDS:-4} ROWS=${ROWS:-1000000} RATE=${RATE:-200} IDLE_SECONDS=${IDLE_SECONDS:-15}
KINDS=${KINDS:-idle restore background copy burner}
export PGDATABASE=snapback_bench_latency
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; dropdb --if-exists "$PGDATABASE"; rm -rf "$work"' EXIT
ask() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

load() {
    dropdb --if-exists "$PGDATABASE" 2>"$work/notices"
    createdb "$PGDATABASE"
    ask -c 'CREATE EXTENSION pg_snapback'
    ask -v rows="$ROWS" -f test/fixture/large_community.sql >"$work/load"
    snapshot=$(ask -c "SELECT snapback.capture('1')")
    ask >"$work/load" <<SQL
\copy (SELECT * FROM forum.member WHERE community = 1) TO '$work/member'
\copy (SELECT * FROM forum.topic WHERE community = 1) TO '$work/topic'
\copy (SELECT * FROM forum.post WHERE id <= $ROWS / 2) TO '$work/post'
\copy (SELECT * FROM forum.reaction WHERE post <= $ROWS / 2) TO '$work/reaction'
CREATE SCHEMA plain;
SELECT format('CREATE TABLE plain.%1\$s (LIKE forum.%1\$s INCLUDING ALL)', t) FROM unnest('{member,topic,post,reaction}'::text[]) t \gexec
ALTER TABLE plain.topic ADD FOREIGN KEY (author) REFERENCES plain.member;
ALTER TABLE plain.post ADD FOREIGN KEY (topic) REFERENCES plain.topic, ADD FOREIGN KEY (author) REFERENCES plain.member;
ALTER TABLE plain.reaction ADD FOREIGN KEY (post) REFERENCES plain.post, ADD FOREIGN KEY (member) REFERENCES plain.member;
SQL
    sync "$work"/* # otherwise the kernel would do it during a turn
    # Fifty communities of forty members, whose ids follow those of the large one.
    cat >"$work/writer" <<SQL
\set member random(1, 2000)
UPDATE forum.member SET joined = now() WHERE id = $ROWS / 10 + :member;
SQL
}

# Delete all rows of the large community.
lose() {
    ask <<SQL
DELETE FROM forum.reaction WHERE post <= $ROWS / 2;
DELETE FROM forum.post WHERE id <= $ROWS / 2;
DELETE FROM forum.topic WHERE community = 1;
DELETE FROM forum.member WHERE community = 1;
VACUUM;
SQL
}

idle() { sleep "$IDLE_SECONDS"; }
restore() { ask -c "SELECT sum(inserted) FROM snapback.restore('{*}', '$snapshot', '1')" >"$work/restored"; }
copy() {
    ask <<SQL
BEGIN;
\copy plain.member FROM '$work/member'
\copy plain.topic FROM '$work/topic'
\copy plain.post FROM '$work/post'
\copy plain.reaction FROM '$work/reaction'
COMMIT;
SQL
}

# Let the worker run a restore, as if it was approved with background => true, and wait for it.
background() {
    ask >"$work/restored" <<SQL
SELECT snapback_internal.record_restore('1', '$snapshot', '{forum.all}', NULL, NULL, 'queued') AS run, snapback_internal.start_worker('restore');
DO \$\$ BEGIN
    WHILE EXISTS (SELECT FROM snapback.restores WHERE state IN ('queued', 'running')) LOOP PERFORM pg_sleep(0.1); END LOOP;
    ASSERT NOT EXISTS (SELECT FROM snapback.restores WHERE state <> 'restored');
END \$\$;
SQL
}

burner() { timeout "$IDLE_SECONDS" gzip </dev/zero >/dev/null || true; }

prepare() {
    case $1 in
    restore | background) lose ;;
    copy) ask -c 'TRUNCATE plain.member, plain.topic, plain.post, plain.reaction' ;;
    esac
    ask -c CHECKPOINT
    sleep 1
}

# Measure one turn: add its latencies, in microseconds, to those of the kind and the round.
measure() {
    local kind=$1 round=$2 from to pgbench
    prepare "$kind"
    rm -f "$work"/log.*
    pgbench -n -M prepared -T 3600 -R "$RATE" -l --log-prefix "$work/log" -f "$work/writer" >"$work/pgbench" 2>&1 &
    pgbench=$!
    sleep 1
    from=$EPOCHREALTIME
    "$kind"
    to=$EPOCHREALTIME
    kill -ALRM $pgbench # as at the end of its time: it ends properly, with a complete log
    wait $pgbench || { cat "$work/pgbench" >&2; exit 1; }
    cat "$work"/log.* | awk -v from="$from" -v to="$to" '{ at = $5 + $6 / 1e6 } at > from && at < to { print $3 - $7 }' >"$work/$kind.$round"
    echo "$kind $round: $(awk -v from="$from" -v to="$to" 'BEGIN { printf "%.1f", to - from }') s, $(wc -l <"$work/$kind.$round") writes," \
        "p50 $(percentile 50 "$work/$kind.$round") us, p99 $(percentile 99 "$work/$kind.$round") us" >&2
}

percentile() {
    local share=$1
    sort -n "$2" | awk -v share="$share" '{ v[NR] = $1 } END { i = int(NR * share / 100); print v[i < 1 ? 1 : i] }'
}

# Print the median, the lowest and the highest of a kind's percentile over the rounds.
over_rounds() {
    local share=$1 kind=$2 round
    for ((round = 1; round <= ROUNDS; round++)); do percentile "$share" "$work/$kind.$round"; done | sort -n |
        awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2, v[1], v[NR] }'
}

# Print the line of a kind.
report() {
    echo "$1 $(over_rounds 50 "$1") $(over_rounds 99 "$1") $(over_rounds 99 idle)" |
        awk '{ printf "%-10s p50 %6.2f ms   p99 %6.2f ms (%.2f to %.2f)   ratio of p99 %.2f\n", $1, $2 / 1000, $5 / 1000, $6 / 1000, $7 / 1000, $5 / $8 }'
}

load
for ((round = 1; round <= ROUNDS; round++)); do
    for kind in $KINDS; do measure "$kind" "$round"; done
done
for kind in $KINDS; do report "$kind"; done
