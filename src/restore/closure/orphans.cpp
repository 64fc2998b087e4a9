#include "restore/closure/orphans.hpp"

#include "catalog/null_paths.hpp"
#include "postgres/exec/as_owner.hpp"
#include "restore/plan/difference.hpp"

namespace snapback {

namespace {

/// The current orphans: rows of the snapshot, and rows that now refer to orphans.
std::string orphan_rows(const TablePlan &plan, const TablePlan *parent, const JoinedPath &path) {
    std::string absent =
        " WHERE NOT EXISTS (SELECT FROM " + plan.see("present") + " p WHERE " + plan.same_key("p", "t") + ") AND ";
    std::string rows = "SELECT " + plan.columns("t") + " FROM " + plan.see("wanted") + " w JOIN " + plan.live.from() +
                       " t ON " + plan.same_key("w", "t") + absent + "NOT EXISTS (SELECT FROM (VALUES (0)) v (one)" +
                       path.joins + " WHERE " + path.column + " IS NOT NULL)";
    if (!parent || parent->orphans.size() == 0)
        return rows;
    std::optional<ForeignKey> key = find_foreign_key(plan.live.relation, plan.table.via);
    return rows + " UNION ALL SELECT " + plan.columns("t") + " FROM " + plan.live.from() + " t" + absent +
           "NOT EXISTS (SELECT FROM " + plan.see("wanted") + " w WHERE " + plan.same_key("w", "t") +
           ") AND EXISTS (SELECT FROM " + parent->see("orphans") + " s WHERE " + key->refers("s", "t") + ")";
}

std::uint64_t find_orphans(Query &query, TablePlan &plan, const TablePlan *parent, bool lock) {
    bool may_be_orphans = plan.wanted.size() > 0 || (parent && parent->orphans.size() > 0);
    if (!may_be_orphans || !plan.table.relation_name.empty() || nullable_steps(plan.table).empty())
        return 0;
    JoinedPath path = joined_path(plan.table);
    AsOwner owner(plan.live.owner);
    std::string rows = orphan_rows(plan, parent, path);
    if (plan.orphans.fill(query, rows) == 0 || !lock)
        return plan.orphans.size();
    // The community's lock does not protect these rows.
    query.run("SELECT FROM " + plan.live.from() + " t WHERE EXISTS (SELECT FROM " + plan.see("orphans") + " s WHERE " +
              plan.same_key("s", "t") + ") FOR UPDATE OF t");
    return plan.orphans.fill(query, rows);
}

} // namespace

std::optional<Error> include_orphans(Query &query, TablePlan &plan, const TablePlan *parent,
                                     const std::string &community, CurrentRows &current, Extent extent) {
    if (find_orphans(query, plan, parent, current.are_to_be_written()) == 0)
        return std::nullopt;
    for (TupleStore *store : {&plan.wanted, &plan.present})
        store->clear();
    current.include_in_next_visit(
        [&](const RowVisitor &visit) { read_stored_rows(query, plan.orphans, plan.live, 0, visit); });
    return load_difference(plan, community, current, extent);
}

} // namespace snapback
