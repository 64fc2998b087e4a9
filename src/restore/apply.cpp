// Writing the plan. Triggers stay off (session_replication_role), foreign keys are checked set by set afterwards.
#include "restore/apply.hpp"

#include <optional>

#include "postgres/as_owner.hpp"
#include "postgres/setting_scope.hpp"

extern "C" {
#include "storage/lmgr.h"
}

namespace snapback {

namespace {

/// Say which value is taken: the rows that a restore writes may meet rows that it does not touch.
[[noreturn]] void fail_conflict(const TablePlan &plan, const PostgresError &error) {
    const ErrorData &data = error.data();
    throw Error(error.sqlstate(), "a row of " + plan.live.name +
                                      " cannot be restored: another row holds its value of " +
                                      (data.constraint_name ? data.constraint_name : "a unique index") + " now")
        .with_detail(data.detail ? data.detail : "")
        .with_hint("Change that other row, or restore the option that covers it as well.");
}

/// Run one writing statement as the table's owner; it must touch as many rows as were planned.
void write(Query &query, const TablePlan &plan, const std::string &sql, std::uint64_t planned) {
    if (planned == 0)
        return;
    AsOwner owner(plan.live.owner);
    try {
        query.run(sql);
    } catch (const PostgresError &error) {
        if (error.sqlstate() == sqlstate::unique_violation || error.sqlstate() == sqlstate::exclusion_violation)
            fail_conflict(plan, error);
        throw;
    }
    if (query.affected() != planned)
        throw Error(sqlstate::restore_conflict, "restoring " + plan.live.name + " touched " +
                                                    std::to_string(query.affected()) + " rows instead of " +
                                                    std::to_string(planned))
            .with_hint("A trigger that is ENABLE ALWAYS or REPLICA, or a rule, may have interfered.");
}

void remove_rows(Query &query, const TablePlan &plan) {
    for (const char *kind : {"remove", "reinsert"})
        write(query, plan,
              "DELETE FROM " + plan.live.from() + " t USING " + plan.see(kind) + " x WHERE " + plan.same_key("t", "x"),
              kind == std::string_view("remove") ? plan.remove.size() : plan.reinsert.size());
}

void update_rows(Query &query, const TablePlan &plan) {
    std::string assignments;
    for (std::size_t i = 0; i < plan.live.columns.size(); i++) {
        const LiveColumn &column = plan.live.columns[i];
        if (!plan.mapped[i] || column.always_identity)
            continue;
        std::string name = quote_name(column.name);
        assignments += (assignments.empty() ? "" : ", ") + name + " = x." + name;
    }
    write(query, plan,
          "UPDATE " + plan.live.from() + " t SET " + assignments + " FROM " + plan.see("update") + " x WHERE " +
              plan.same_key("t", "x"),
          plan.update.size());
}

/// Insert rows of a store; columns that are not listed take their default.
void insert_rows(Query &query, const TablePlan &plan, const TupleStore &store, bool mapped_only) {
    std::string names;
    for (std::size_t i = 0; i < plan.live.columns.size(); i++)
        if (plan.mapped[i] || !mapped_only)
            names += (names.empty() ? "" : ", ") + quote_name(plan.live.columns[i].name);
    write(query, plan,
          "INSERT INTO " + plan.live.name + " (" + names + ") OVERRIDING SYSTEM VALUE SELECT " + names + " FROM " +
              store.name(),
          store.size());
}

} // namespace

void apply(Query &query, const Plan &plan) {
    // Nothing that a trigger does may wait until commit, where it would have more rights than its owner's.
    query.run("SET CONSTRAINTS ALL IMMEDIATE");
    SettingScope triggers_off("session_replication_role", "replica");
    for (const auto &table : plan.tables())
        remove_rows(query, *table);
    for (const auto &table : plan.tables())
        update_rows(query, *table);
    for (const auto &table : plan.tables()) {
        insert_rows(query, *table, table->reinsert, false);
        insert_rows(query, *table, table->insert, true);
    }
}

namespace {

struct OwnedSequence {
    Oid relation;
    std::string name;
    std::string column;
};

/// Sequences that fill a column of the table: its own, and those that its default asks.
std::vector<OwnedSequence> sequences_of(Query &query, Oid relation) {
    std::vector<OwnedSequence> sequences;
    for (Row row : query.run(
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

/// The written value that the sequence would come to last, if it could come to any.
std::optional<std::int64_t> furthest_value(Query &query, const TablePlan &plan, const OwnedSequence &sequence) {
    std::string column = quote_name(sequence.column);
    std::string written;
    for (const char *kind : {"insert", "update", "reinsert"})
        written += std::string(written.empty() ? "" : " UNION ALL ") + "SELECT " + column + " FROM " + plan.see(kind);
    Rows rows =
        query.run("SELECT CASE WHEN q.seqincrement > 0 THEN pg_catalog.max(v) ELSE pg_catalog.min(v) END::bigint"
                  " FROM (" +
                      written +
                      ") w(v) JOIN pg_catalog.pg_sequence q ON q.seqrelid = $1"
                      " WHERE v BETWEEN q.seqmin AND q.seqmax GROUP BY q.seqincrement",
                  {Value::regclass(sequence.relation)});
    return rows.empty() ? std::nullopt : std::optional(rows[0].bigint(1));
}

/// Move one sequence on, where it has yet to give out a value that was written. Reading it first costs nobody anything;
/// only a sequence that must be moved is locked against those who draw from it.
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
    for (const auto &table : plan.tables())
        for (const OwnedSequence &sequence : sequences_of(query, table->live.relation))
            raise_sequence(query, *table, sequence);
}

} // namespace snapback
