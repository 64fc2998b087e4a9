#include "restore/apply/always_fired.hpp"

#include "postgres/exec/as_owner.hpp"

extern "C" {
#include "commands/trigger.h"
}

namespace snapback {

namespace {

/// A constraint as SET CONSTRAINTS names it, and a table with a trigger of that name. Several constraints of a schema
/// may have the same name; SET CONSTRAINTS sets all of them.
struct NamedTrigger {
    std::string constraint; // qualified and quoted
    Oid table;
};

std::vector<NamedTrigger> constraint_triggers(Query &query, Oid relation) {
    std::vector<NamedTrigger> found;
    for (Row row :
         query.run_kept("WITH fired AS (SELECT DISTINCT c.connamespace, c.conname FROM pg_catalog.pg_trigger t"
                        "   JOIN pg_catalog.pg_constraint c ON c.oid = t.tgconstraint"
                        "   WHERE t.tgdeferrable AND t.tgenabled IN ('A', 'R') AND (t.tgrelid = $1"
                        "     OR t.tgrelid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree($1) p)))"
                        " SELECT DISTINCT pg_catalog.format('%I.%I', n.nspname, c.conname), t.tgrelid"
                        " FROM fired f JOIN pg_catalog.pg_constraint c USING (connamespace, conname)"
                        " JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace"
                        " JOIN pg_catalog.pg_trigger t ON t.tgconstraint = c.oid ORDER BY 1",
                        {Value::regclass(relation)}))
        found.push_back({row.text(1), row.oid(2)});
    return found;
}

/// Throw Error (55000) if the transaction has queued an event that SET CONSTRAINTS would fire.
void require_none_pending(const NamedTrigger &trigger) {
    if (call([&] { return AfterTriggerPendingOnRel(trigger.table); }))
        throw Error(sqlstate::object_not_in_state,
                    "cannot restore while this transaction has deferred trigger events pending on " +
                        qualified_name(trigger.table))
            .with_detail("Constraint trigger " + trigger.constraint +
                         " fires during a restore, which would fire those events with the privileges of another role.")
            .with_hint("Run the restore in a transaction of its own, or call SET CONSTRAINTS ALL IMMEDIATE before it.");
}

} // namespace

void make_constraint_triggers_immediate(Query &query, const Plan &plan) {
    for (const auto &table : plan.tables()) {
        if (table->written() + table->remove.size() == 0)
            continue;
        std::string names;
        for (const NamedTrigger &trigger : constraint_triggers(query, table->live.relation)) {
            require_none_pending(trigger);
            if (names.find(trigger.constraint) == std::string::npos)
                names += (names.empty() ? "" : ", ") + trigger.constraint;
        }
        if (names.empty())
            continue;
        AsOwner owner(table->live.owner);
        query.run("SET CONSTRAINTS " + names + " IMMEDIATE");
    }
}

void find_always_rules(Query &query, TablePlan &plan) {
    if (plan.written() + plan.remove.size() == 0)
        return;
    for (Row row : query.run_kept("SELECT r.rulename::text FROM pg_catalog.pg_rewrite r WHERE r.ev_class = $1"
                                  " AND r.ev_type <> '1' AND r.ev_enabled IN ('A', 'R') ORDER BY r.rulename",
                                  {Value::regclass(plan.live.relation)}))
        plan.obstacles.emplace_back(
            Error(sqlstate::restore_conflict, plan.live.name + " cannot be restored: rule " + quote_name(row.text(1)) +
                                                  " is ENABLE ALWAYS or REPLICA")
                .with_hint("Its statements would run with triggers and foreign keys off. Call ALTER TABLE " +
                           plan.live.name + " ENABLE RULE " + quote_name(row.text(1)) + "."));
}

} // namespace snapback
