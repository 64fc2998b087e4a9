#!/usr/bin/env bash
# The time of a capture, and of a preview and a restore without changes, by the number of protected tables: processor time of
# the session, in ms for each table; and for one table with 1,600 columns, in ms. btree_gist is installed, because it adds
# operator classes. Each figure is the median of RUNS (3) sessions: the first call of a session, and the next one.
# Needs a running server (PGHOST, PGPORT, PGUSER) with the extension installed; creates and drops its own databases.
# Optional: TABLES ("12 120 480") and INDEXES (0: additional unique indexes of each table).
set -eu -o pipefail
RUNS=${RUNS:-3} TABLES=${TABLES:-12 120 480} INDEXES=${INDEXES:-0}
export PGDATABASE=snapback_bench_tables PGOPTIONS='-c client_min_messages=warning'
trap 'dropdb --if-exists "$PGDATABASE"' EXIT

ask() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# Recreate two communities without tables.
begin() {
    dropdb --if-exists "$PGDATABASE"
    createdb "$PGDATABASE"
    ask >/dev/null <<'SQL'
CREATE EXTENSION btree_gist;
CREATE EXTENSION pg_snapback;
CREATE TABLE club (id int PRIMARY KEY, name text);
INSERT INTO club VALUES (1, 'one'), (2, 'two');
CREATE VIEW directory AS SELECT id AS community, name, '1' AS owner, 'a@example.org' AS owner_email, true AS restores_enabled FROM club;
SELECT snapback.set_directory('directory');
SELECT snapback.add_category('c', 'C', ''), snapback.add_option('c.all', 'All', '');
SQL
}

# Create tables with ten rows that refer to each other, and protect them.
make_tables() {
    ask -v tables="$1" -v indexes="$INDEXES" >/dev/null <<'SQL'
SELECT format('CREATE TABLE t%s (id int PRIMARY KEY, club_id int NOT NULL REFERENCES club, a int REFERENCES t%s, b int REFERENCES t%s, label text)',
              n, greatest(1, n - 1), greatest(1, n / 2)) FROM generate_series(1, :tables) n \gexec
SELECT format('CREATE UNIQUE INDEX ON t%s (club_id, label, id)', n) FROM generate_series(1, :tables) n, generate_series(1, :indexes) \gexec
SELECT format('INSERT INTO t%s SELECT i, 1 + i %% 2, i, i, ''x'' FROM generate_series(1, 10) i', n) FROM generate_series(1, :tables) n \gexec
SELECT format('SELECT snapback.protect(''t%s'', ''c.all'', community_column := ''club_id'')', n) FROM generate_series(1, :tables) n \gexec
SQL
}

make_wide_table() {
    ask >/dev/null <<'SQL'
SELECT 'CREATE TABLE wide (id int PRIMARY KEY, club_id int NOT NULL REFERENCES club, ' || string_agg(format('c%s int', n), ', ') || ')'
FROM generate_series(1, 1598) n \gexec
INSERT INTO wide SELECT n, 1 + n % 2 FROM generate_series(1, 10) n;
SELECT snapback.protect('wide', 'c.all');
SQL
}

# Print the processor time in ms of a statement run twice in one session, a line for each.
costs() {
    local clock="SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1) AS before \\gset"
    local spent="SELECT (split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::numeric - :before) / 1e6;"
    printf '%s\n' "$clock" "$1 \\g /dev/null" "$spent" "$clock" "$1 \\g /dev/null" "$spent" | ask
}

# Print a line of the table: the call, and the medians divided by the number of tables.
report() {
    local label=$1 tables=$2 statement=$3 run all=''
    for ((run = 0; run < RUNS; run++)); do all+=$(costs "$statement" | paste -s -d' ')$'\n'; done
    printf '| %s | %.2f | %.2f |\n' "$label" \
        "$(cut -d' ' -f1 <<<"${all%$'\n'}" | median | awk -v n="$tables" '{ print $1 / n }')" \
        "$(cut -d' ' -f2 <<<"${all%$'\n'}" | median | awk -v n="$tables" '{ print $1 / n }')"
}

report_all() {
    report "$1: capture" "$2" "SELECT snapback.capture('1')"
    report "$1: preview" "$2" "SELECT * FROM snapback.preview_restore('{*}', NULL, '1')"
    report "$1: restore" "$2" "SELECT * FROM snapback.restore('{*}', NULL, '1')"
}

printf '| what | first call, ms | next call, ms |\n|---|---|---|\n'
for tables in $TABLES; do
    begin
    make_tables "$tables"
    report_all "$tables tables, for each" "$tables"
done
begin
make_wide_table
report_all '1,600 columns' 1
