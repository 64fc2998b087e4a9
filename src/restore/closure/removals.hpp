#pragma once
#include "restore/closure/closure_tally.hpp"

namespace snapback {

/// Selects the rows that a plan deletes, and the actions on rows that refer to them.
class Removals {
public:
    Removals(Query &query, Plan &plan, Tallies &tallies) : query_(query), plan_(plan), tallies_(tallies) {}

    /// Keep added rows that others refer to, and cascade the deletion of the rest; return whether rows were kept. This
    /// may add tables to the plan.
    bool settle();
    /// Set references of remaining rows to NULL by ON DELETE SET NULL of a foreign key.
    void clear_references();
    /// Record the deletes outside the selection.
    void gather_cascaded();
    /// Discard kept rows outside the selection.
    void forget_what_was_not_added();
    /// Count the kept rows of the parent that rows of the child refer to by this key and that satisfy a condition over
    /// the child's columns.
    std::uint64_t held_by(const ForeignKey &key, const TablePlan &parent, const std::string &where = "true") const;

private:
    bool cascades() const { return plan_.spec().switches.referenced == RestoreOptions::Referenced::cascade; }
    bool cascade_to_children(const ForeignKey &key);
    bool keep_held_rows(const ForeignKey &key);
    std::string holders(const ForeignKey &key, const TablePlan *child, const std::string &where = "true") const;
    void start_again();
    void clear_references_by(const ForeignKey &key);

    Query &query_;
    Plan &plan_;
    Tallies &tallies_;
};

} // namespace snapback
