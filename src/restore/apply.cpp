// Writing the plan. Triggers stay off (session_replication_role), foreign keys are checked set by set afterwards.
#include "restore/apply.hpp"

#include "postgres/as_owner.hpp"
#include "postgres/setting_scope.hpp"

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

void remove_rows(Query &query, const TablePlan &plan, const TupleStore &store) {
    write(query, plan,
          "DELETE FROM " + plan.live.from() + " t USING " + store.name() + " x WHERE " + plan.same_key("t", "x"),
          store.size());
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
    for (const auto &table : plan.tables()) {
        remove_rows(query, *table, table->remove);
        remove_rows(query, *table, table->reinsert);
    }
    for (const auto &table : plan.tables())
        update_rows(query, *table);
    for (const auto &table : plan.tables()) {
        insert_rows(query, *table, table->reinsert, false);
        insert_rows(query, *table, table->insert, true);
    }
}

} // namespace snapback
