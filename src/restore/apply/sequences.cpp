// Advances sequences after a restore, so that none generates a restored value.
#include "restore/apply/apply.hpp"

#include <optional>

extern "C" {
#include "storage/lmgr.h"
}

namespace snapback {

namespace {

struct OwnedSequence {
    Oid relation;
    std::string name;
    std::string column;
};

/// Find the sequences of the table's columns: owned ones, and those that a default uses.
std::vector<OwnedSequence> sequences_of(Query &query, Oid relation) {
    std::vector<OwnedSequence> sequences;
    for (Row row : query.run_kept(
             "SELECT s.oid, pg_catalog.format('%I.%I', n.nspname, s.relname), a.attname::text"
             " FROM (SELECT d.objid AS seq, d.refobjsubid AS attnum FROM pg_catalog.pg_depend d"
             "       WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = "
             "'pg_catalog.pg_class'::regclass"
             "         AND d.refobjid = $1 AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0"
             "       UNION"
             "       SELECT d.refobjid, f.adnum FROM pg_catalog.pg_attrdef f"
             "       JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = f.oid"
             "         AND d.refclassid = 'pg_catalog.pg_class'::regclass WHERE f.adrelid = $1 AND d.refobjid <> $1) u"
             " JOIN pg_catalog.pg_class s ON s.oid = u.seq AND s.relkind = 'S'"
             " JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace"
             " JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attnum = u.attnum"
             " WHERE a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)",
             {Value::regclass(relation)}))
        sequences.push_back({row.oid(1), row.text(2), row.text(3)});
    return sequences;
}

/// Return the written value that the sequence would generate last, if any.
std::optional<std::int64_t> furthest_value(Query &query, const TablePlan &plan, const OwnedSequence &sequence) {
    std::string column = quote_name(sequence.column);
    Rows rows =
        query.run("SELECT CASE WHEN q.seqincrement > 0 THEN pg_catalog.max(v) ELSE pg_catalog.min(v) END::bigint"
                  " FROM (SELECT " +
                      column + " FROM " + plan.written_rows() +
                      " s) w(v) JOIN pg_catalog.pg_sequence q ON q.seqrelid = $1"
                      " WHERE v BETWEEN q.seqmin AND q.seqmax GROUP BY q.seqincrement",
                  {Value::regclass(sequence.relation)});
    return rows.empty() ? std::nullopt : std::optional(rows[0].bigint(1));
}

/// Advance a sequence that has not yet generated a written value. It is read first without a lock; only a sequence that
/// must be advanced is locked against nextval().
void raise_sequence(Query &query, const TablePlan &plan, const OwnedSequence &sequence) {
    std::optional<std::int64_t> value = furthest_value(query, plan, sequence);
    if (!value)
        return;
    std::string behind = "SELECT FROM " + sequence.name +
                         " s JOIN pg_catalog.pg_sequence q ON q.seqrelid = $1"
                         " WHERE CASE WHEN q.seqincrement > 0 THEN s.last_value < $2 ELSE s.last_value > $2 END"
                         " OR (s.last_value = $2 AND NOT s.is_called)";
    auto is_behind = [&] {
        return !query.run(behind, {Value::regclass(sequence.relation), Value::bigint(*value)}).empty();
    };
    if (!is_behind())
        return;
    call([&] { LockRelationOid(sequence.relation, ShareRowExclusiveLock); });
    if (is_behind())
        query.run("SELECT pg_catalog.setval($1, $2)", {Value::regclass(sequence.relation), Value::bigint(*value)});
}

} // namespace

void raise_sequences(Query &query, const Plan &plan) {
    for (const auto &table : plan.tables()) {
        if (table->written() == 0)
            continue;
        for (const OwnedSequence &sequence : sequences_of(query, table->live.relation))
            raise_sequence(query, *table, sequence);
    }
}

} // namespace snapback
