#!/usr/bin/env bash
# The storage of a night's captures if most tables of a community are empty, and the effect of their expiration on restores.
# COMMUNITIES have a row in one of ten of TABLES tables. Two nights are captured; the first expires while sessions
# take the store lock one after another, like restores. The output is the storage of a night, the time of the sweep, and the
# longest time of such a session meanwhile and without other work.
#
#   scripts/server bench/expire.sh
#
# Needs a running server (PGHOST, PGPORT, PGUSER) with the extension installed; creates and drops its own database.
# Optional: COMMUNITIES (2000), TABLES (500), SWEEP (CALL snapback.expire_all()). LEFT (0) adds one more community, whose
# expired snapshot has this number of chunks of 16 kB alone; eight kept snapshots share as many other chunks.
set -eu -o pipefail
cd "$(dirname "$0")/.."
COMMUNITIES=${COMMUNITIES:-2000} TABLES=${TABLES:-500} LEFT=${LEFT:-0} SWEEP=${SWEEP:-CALL snapback.expire_all()}
export PGDATABASE=snapback_bench_expire
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; dropdb --if-exists "$PGDATABASE"; rm -rf "$work"' EXIT
ask() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@" 2>>"$work/notices"; }

dropdb --if-exists "$PGDATABASE" 2>"$work/notices"
createdb "$PGDATABASE"
ask >"$work/load" <<SQL
CREATE EXTENSION pg_snapback;
CREATE TABLE club (id int PRIMARY KEY);
INSERT INTO club SELECT generate_series(1, $COMMUNITIES);
CREATE VIEW clubs AS SELECT id AS community, id::text AS name, id::text AS owner, 'x@example.org' AS owner_email, true AS restores_enabled FROM club;
SELECT snapback.set_directory('clubs');
SELECT snapback.add_category('x', '', ''), snapback.add_option('x.all', '', '');
SELECT format('CREATE TABLE t%s (id int PRIMARY KEY, club int NOT NULL REFERENCES club, body text)', n) FROM generate_series(1, $TABLES) n \gexec
SELECT format('INSERT INTO t%1\$s SELECT id, id, md5(id::text) FROM club WHERE id %% 10 = %1\$s %% 10', n) FROM generate_series(1, $TABLES) n \gexec
SELECT snapback.protect(format('t%s', n)::regclass, 'x.all', 'club') FROM generate_series(1, $TABLES) n;
CALL snapback.capture_all();
SQL
stored() { ask -f bench/stored_bytes.sql; }
first=$(stored)
ask -c 'UPDATE t1 SET body = body || 1' -c 'CALL snapback.capture_all()'
echo "a night of $COMMUNITIES communities with $TABLES tables, one of ten filled: $((($(stored) - first) / 1024)) kB"
ask -c "UPDATE snapback.snapshot SET captured_at = captured_at - interval '8 days' WHERE captured_at < (SELECT max(captured_at) FROM snapback.snapshot) - interval '1 ms'
            AND captured_at < (SELECT max(n.captured_at) FROM snapback.snapshot n WHERE n.community = snapshot.community)" -c 'VACUUM ANALYZE'

if [ "$LEFT" -gt 0 ]; then
    ask <<SQL
INSERT INTO snapback.chunk SELECT 'huge', sha256((kind || n)::bytea), convert_to(repeat(md5(n::text), CASE kind WHEN 'expired' THEN 512 ELSE 1 END), 'UTF8')
    FROM unnest('{expired,kept}'::text[]) kind, generate_series(1, $LEFT) n;
INSERT INTO snapback.snapshot (community, captured_at, kind, label, manifest_sha256)
    SELECT 'huge', now() - CASE n WHEN 0 THEN interval '8 days' ELSE n * interval '1 hour' END, 'manual', CASE n WHEN 0 THEN 'expired' ELSE 'kept' END, sha256('') FROM generate_series(0, 8) n;
INSERT INTO snapback.snapshot_table
    SELECT s.id, 1, (SELECT min(sha256::text)::bytea FROM snapback.shape), 1, 1, (SELECT string_agg(sha256((s.label || n)::bytea), '') FROM generate_series(1, $LEFT) n)
    FROM snapback.snapshot s WHERE s.community = 'huge';
VACUUM ANALYZE;
SQL
fi

# Run sessions that take the store lock, one after another, while a file exists; store the milliseconds of each.
ask -c "SELECT format('SELECT count(*) FROM snapback.verify(%L);', id) FROM snapback.list_snapshots('1') WHERE status = 'complete'" >"$work/probe"
now() { echo $(($(date +%s%N) / 1000000)); }
probe() {
    while [ -e "$work/$1" ]; do
        local began
        began=$(now)
        ask -f "$work/probe" >"$work/faults"
        echo $(($(now) - began))
    done >"$work/$1.took"
}
longest() { sort -n "$work/$1.took" | tail -n 1; }
for kind in idle sweep; do
    touch "$work/$kind"
    probe "$kind" &
    sleep 1
    began=$(now)
    if [ "$kind" = idle ]; then sleep 3; else ask -c "$SWEEP" >"$work/swept"; fi
    took=$(($(now) - began))
    sleep 1
    rm "$work/$kind"
    wait
done
echo "the sweep took $took ms; another session took $(longest sweep) ms at the longest, $(longest idle) ms when nothing else ran"
