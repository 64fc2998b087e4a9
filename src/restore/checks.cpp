// Proof before commit: constraints hold, and the rows are what the plan said they would be.
#include "restore/checks.hpp"

#include "guard/guard_state.hpp"
#include "postgres/as_owner.hpp"
#include "restore/conflicts.hpp"

namespace snapback {

namespace {

[[noreturn]] void fail_foreign_key(const ForeignKey &key, const std::string &what, const std::string &hint) {
    throw Error(sqlstate::foreign_key_violation,
                "the restore would break foreign key " + key.name + " of " + qualified_name(key.child))
        .with_detail(what)
        .with_hint(hint);
}

/// Every written row's parent must be there. A parent that is not under the community's lock is locked itself.
void check_parents(Query &query, const Plan &plan, const ForeignKey &key) {
    const TablePlan *child = plan.table(key.child);
    if (!child || child->written() == 0)
        return;
    plan.order().look_at(child->live.name, child->written());
    ReadableRelation parent = readable(key.parent);
    AsOwner owner(parent.owner);
    if (!plan.is_protected(key.parent))
        query.run("SELECT FROM " + parent.from + " p WHERE EXISTS (SELECT FROM " + child->written_rows() + " c WHERE " +
                  key.refers("p", "c") + ") FOR KEY SHARE OF p");
    Rows broken =
        query.run("SELECT FROM " + child->written_rows() + " c WHERE " + key.refers_at_all("c") +
                  " AND NOT EXISTS (SELECT FROM " + parent.from + " p WHERE " + key.refers("p", "c") + ") LIMIT 1");
    if (!broken.empty())
        fail_foreign_key(key, "A restored row refers to a row of " + qualified_name(key.parent) + " that is not there.",
                         "Another session may have deleted it just now; try again.");
}

/// No row anywhere may refer to a row that was deleted, or whose referenced columns were changed.
void check_children(Query &query, const Plan &plan, const ForeignKey &key) {
    TablePlan *parent = plan.table(key.parent);
    if (!parent || parent->remove.size() + parent->changed() == 0)
        return;
    ReadableRelation parent_relation = readable(key.parent);
    TupleStore gone(parent->see("gone"), parent->wanted.shape());
    gone.show_to(query);
    {
        // The referenced values of removed and changed rows as they were before, less those that some row still has.
        AsOwner owner(parent->live.owner);
        std::string changed = "SELECT p.* FROM " + parent->see("present") + " p JOIN (SELECT * FROM " +
                              parent->see("update") + " UNION ALL SELECT * FROM " + parent->see("reinsert") +
                              ") u ON " + parent->same_key("p", "u");
        gone.fill(query, "SELECT r.* FROM (SELECT * FROM " + parent->see("remove") + " UNION ALL " + changed +
                             ") r WHERE NOT EXISTS (SELECT FROM " + parent_relation.from + " p WHERE " +
                             key.same_parent("p", "r") + ")");
    }
    if (gone.size() > 0) {
        ReadableRelation child = readable(key.child);
        AsOwner owner(child.owner);
        if (!query
                 .run("SELECT FROM " + child.from + " c WHERE EXISTS (SELECT FROM " + gone.name() + " g WHERE " +
                      key.refers("g", "c") + ") LIMIT 1")
                 .empty())
            fail_foreign_key(key,
                             "A row that is not restored refers to a row of " + parent->live.name +
                                 " that the restore deletes or gives another value.",
                             "Restore the option that covers the referring rows as well; if another session has just "
                             "written them, try again.");
    }
    gone.hide();
}

/// Unique and exclusion constraints that can be deferred are checked by a trigger, which was off.
void check_deferrable_constraints(Query &query, const TablePlan &plan) {
    for (const Uniqueness &constraint : uniqueness_of(query, plan.live.relation)) {
        if (!constraint.deferrable)
            continue;
        AsOwner owner(plan.live.owner);
        // Both sides are read from the table: what was written lacks the generated columns.
        std::string rows =
            "SELECT *, " + constraint.values + " FROM " + plan.live.from() + " l WHERE (" + constraint.where + ")";
        if (query
                .run("SELECT FROM (" + rows + " AND EXISTS (SELECT FROM " + plan.written_rows() + " w WHERE " +
                     plan.same_key("w", "l") + ")) s JOIN (" + rows + ") t ON " + constraint.clash + " WHERE NOT (" +
                     plan.same_key("t", "s") + ") LIMIT 1")
                .empty())
            continue;
        throw Error(constraint.unique ? sqlstate::unique_violation : sqlstate::exclusion_violation,
                    "the restore would break constraint " + constraint.name + " of " + plan.live.name)
            .with_hint("A row outside the chosen options, or of another community, holds the same value now.");
    }
}

} // namespace

void require_guards(const Plan &plan) {
    for (const auto &table : plan.tables())
        if (GuardState state = guard_state(table->live.relation); state != GuardState::enabled)
            throw Error(sqlstate::object_not_in_state,
                        table->live.name + " is not guarded: others could write to it during the restore")
                .with_hint(state == GuardState::overtaken
                               ? "A BEFORE trigger of it fires after the guard: rename that trigger."
                               : "Call snapback.install_guard('" + table->live.name + "').");
}

void check_constraints(Query &query, const Plan &plan) {
    for (const ForeignKey &key : plan.foreign_keys()) {
        check_parents(query, plan, key);
        check_children(query, plan, key);
    }
    for (const auto &table : plan.tables())
        check_deferrable_constraints(query, *table);
}

void check_result(const Plan &plan) {
    Query query;
    LiveRows current(plan.community());
    RestoreOrder order = plan.order();
    order.rows_must_exist = false; // those that were added since are gone by now
    Plan again(query, order, current);
    for (const auto &table : again.tables())
        if (table->written() + table->remove.size() > 0)
            throw Error(sqlstate::restore_conflict,
                        table->live.name + " is not as planned after the restore; nothing was changed")
                .with_detail(std::to_string(table->insert.size()) + " rows are missing, " +
                             std::to_string(table->changed()) + " differ, " + std::to_string(table->remove.size()) +
                             " are too many.")
                .with_hint("A trigger that is ENABLE ALWAYS or REPLICA may have changed what was written.");
}

} // namespace snapback
