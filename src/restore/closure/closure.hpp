#pragma once
#include "restore/closure/missing_parents.hpp"
#include "restore/closure/removals.hpp"

namespace snapback {

/// Completes a plan by the foreign keys from and to its tables, and by unique conflicts: keeps rows that others refer
/// to, cascades deletes, restores missing parents and skips rows that cannot be written, until nothing changes.
class Closure {
public:
    Closure(Query &query, Plan &plan)
        : query_(query), plan_(plan), removals_(query, plan, tallies_), missing_parents_(query, plan, tallies_) {}
    void run();

private:
    bool skip_conflicts();
    void drop_idle_updates();
    std::string way_out(const ForeignKey &key, const TablePlan &parent, std::uint64_t kept) const;
    void write_notes();

    Query &query_;
    Plan &plan_;
    Tallies tallies_;
    Removals removals_;
    MissingParents missing_parents_;
};

/// Add an obstacle if the plan changes values that remaining rows refer to by this key.
void refuse_lost_values(Query &query, const Plan &plan, const ForeignKey &key);

} // namespace snapback
