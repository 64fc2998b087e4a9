// Proof before commit: constraints hold, and the rows are what the plan said they would be.
#include "restore/checks.hpp"

#include "guard/guard_state.hpp"
#include "postgres/as_owner.hpp"

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

/// A constraint whose check may be deferred, as what two rows of the table must not have in common.
struct DeferrableConstraint {
    std::string name;
    bool unique;
    std::string values; // "(expression) AS "key 1", …" over the table
    std::string clash;  // "s."key 1" OPERATOR(=) t."key 1" AND …"
    std::string where;  // which rows it is about
};

std::vector<DeferrableConstraint> deferrable_constraints(Query &query, Oid relation) {
    std::vector<DeferrableConstraint> constraints;
    for (Row row : query.run("SELECT c.conname::text, c.contype <> 'x',"
                             " pg_catalog.string_agg(pg_catalog.format('(%s) AS \"key %s\"', "
                             "pg_catalog.pg_get_indexdef(i.indexrelid, k, "
                             "false), k), ', '),"
                             " pg_catalog.string_agg(pg_catalog.format('s.\"key %1$s\" %2$s t.\"key %1$s\"', k,"
                             "   CASE WHEN i.indnullsnotdistinct THEN 'IS NOT DISTINCT FROM'"
                             "        ELSE pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) END), ' AND '),"
                             " coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), 'true')"
                             " FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_index i ON i.indexrelid = c.conindid"
                             " CROSS JOIN LATERAL pg_catalog.generate_series(1, i.indnkeyatts::int) AS k"
                             " JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[k - 1]"
                             " LEFT JOIN pg_catalog.pg_amop m ON c.contype <> 'x' AND m.amopfamily = oc.opcfamily AND "
                             "m.amopstrategy = 3"
                             "   AND m.amoplefttype = oc.opcintype AND m.amoprighttype = oc.opcintype"
                             " JOIN pg_catalog.pg_operator o ON o.oid = coalesce(c.conexclop[k], m.amopopr)"
                             " JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace"
                             " WHERE c.conrelid = $1 AND c.contype IN ('u', 'p', 'x') AND c.condeferrable"
                             " GROUP BY c.oid, c.conname, c.contype, i.indpred, i.indrelid",
                             {Value::regclass(relation)}))
        constraints.push_back({row.text(1), row.boolean(2), row.text(3), row.text(4), row.text(5)});
    return constraints;
}

/// Unique and exclusion constraints that can be deferred are checked by a trigger, which was off.
void check_deferrable_constraints(Query &query, const TablePlan &plan) {
    for (const DeferrableConstraint &constraint : deferrable_constraints(query, plan.live.relation)) {
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
        if (guard_state(table->live.relation) != GuardState::enabled)
            throw Error(sqlstate::object_not_in_state,
                        table->live.name + " is not guarded: others could write to it during the restore")
                .with_hint("Call snapback.install_guard('" + table->live.name + "').");
}

void require_no_obstacles(const Plan &plan) {
    for (const auto &table : plan.tables())
        if (!table->obstacles.empty())
            throw Error(sqlstate::restore_conflict,
                        table->live.name + " cannot be restored: " + table->obstacles.front())
                .with_hint("Nothing was changed; snapback.preview_restore() lists all obstacles.");
}

void check_constraints(Query &query, const Plan &plan) {
    for (const ForeignKey &key : plan.foreign_keys()) {
        check_parents(query, plan, key);
        check_children(query, plan, key);
    }
    for (const auto &table : plan.tables())
        check_deferrable_constraints(query, *table);
}

void check_result(const Plan &plan, const std::vector<std::string> &options) {
    Query query;
    Plan again(query, plan.manifest(), options, plan.terms());
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
