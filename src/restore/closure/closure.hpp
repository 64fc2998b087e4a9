#pragma once
#include "restore/closure/missing_parents.hpp"
#include "restore/closure/removals.hpp"

namespace snapback {

/// Closes a plan under the foreign keys that lead in and out of it, and under unique values that others hold: keeps
/// what others refer to, deletes what a deleted row cascades to, brings back missing parents, skips what cannot
/// be written, until none of that asks for more.
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

} // namespace snapback
