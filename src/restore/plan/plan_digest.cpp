#include "restore/plan/table_plan.hpp"

#include "postgres/exec/as_owner.hpp"
#include "snapshot/row_encoder.hpp"

namespace snapback {

namespace {

/// The XOR of the rows' hashes, which does not depend on their order. No two rows of a plan are equal.
void add_rows(Query &query, const TablePlan &plan, char action, const std::string &rows, std::string &sum) {
    if (rows.empty())
        return;
    AsOwner owner(plan.live.owner);
    RowEncoder encoder(plan.live, 0);
    Sha256 hash;
    query.stream("SELECT " + plan.columns("s") + " FROM " + rows + " s", {}, [&](TupleTableSlot *slot) {
        encoder.encode(slot);
        hash.add({&action, 1});
        hash.add(encoder.row());
        Digest row = hash.finish();
        for (std::size_t i = 0; i < sum.size(); i++)
            sum[i] = static_cast<char>(sum[i] ^ row.view()[i]);
    });
}

} // namespace

Digest digest_of(Query &query, const TablePlan &plan) {
    return digest_of(query, plan, plan.insert.size() > 0 ? plan.see("insert") : "",
                     plan.changed() > 0 ? plan.all_of({"update", "reinsert"}) : "",
                     plan.remove.size() > 0 ? plan.see("remove") : "");
}

Digest digest_of(Query &query, const TablePlan &plan, const std::string &inserted, const std::string &changed,
                 const std::string &removed) {
    std::string sum(Digest::size, '\0');
    add_rows(query, plan, 'i', inserted, sum);
    add_rows(query, plan, 'u', changed, sum);
    add_rows(query, plan, 'd', removed, sum);
    return sha256(plan.live.name + '\0' + sum);
}

} // namespace snapback
