#pragma once
#include "restore/closure/closure_tally.hpp"

namespace snapback {

/// Decides which rows of a plan are deleted, and what becomes of the rows that refer to them.
class Removals {
public:
    Removals(Query &query, Plan &plan, Tallies &tallies) : query_(query), plan_(plan), tallies_(tallies) {}

    /// Keep those of the added rows that others refer to, and delete what the rest cascades to; true where rows had to
    /// be kept. The plan may grow by tables.
    bool settle();
    /// Set the references to NULL that a foreign key's ON DELETE SET NULL takes from rows that stay.
    void clear_references();
    /// Note what is deleted outside the selection.
    void gather_cascaded();
    /// Forget the rows outside the selection that were to be deleted, and stay.
    void forget_what_was_not_added();
    /// How many of the parent's rows that stay have rows of this key's child that refer to them, of those where a
    /// condition over the child's columns holds.
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
