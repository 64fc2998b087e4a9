#include "restore/closure/closure.hpp"

#include "postgres/exec/as_owner.hpp"
#include "restore/plan/notes.hpp"
#include "restore/plan/plan_rows.hpp"

namespace snapback {

void refuse_lost_values(Query &query, const Plan &plan, const ForeignKey &key) {
    TablePlan *parent = plan.table(key.parent);
    if (!parent || parent->changed() == 0)
        return;
    TupleStore lost(parent->see("lost"), parent->wanted.shape());
    lost.show_to(query);
    {
        AsOwner owner(parent->live.owner);
        lost.fill(query, all_rows(*parent, "present") + " p WHERE EXISTS (SELECT FROM " +
                             parent->all_of({"update", "reinsert"}) + " u WHERE " + parent->same_key("u", "p") + ")" +
                             not_taken_over(key, *parent, "p"));
    }
    if (lost.size() > 0) {
        ReadableRelation child = readable(key.child_part);
        AsOwner owner(child.owner);
        std::int64_t held =
            query
                .run("SELECT count(*) FROM " + lost.name() + " p WHERE EXISTS (SELECT FROM " + child.from +
                     " c WHERE " + key.refers("p", "c") + " AND " + untouched(plan.table(key.child), "c") + ")")[0]
                .bigint(1);
        if (held > 0)
            parent->obstacles.emplace_back(Error(sqlstate::foreign_key_violation,
                                                 rows_in_words(held) + " of " + parent->live.name +
                                                     " cannot be restored: rows of " + qualified_name(key.child_part) +
                                                     ", which are not restored, refer to the value that would change")
                                               .with_detail("Foreign key " + key.name + ".")
                                               .with_hint("Change the referring rows, or restore other options."),
                                           key.name, key.child, [](const std::string &remedy) {
                                               return "Change the referring rows, " + remedy +
                                                      ", or restore other options.";
                                           });
    }
    lost.hide();
}

} // namespace snapback
