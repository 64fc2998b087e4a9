#pragma once
#include "restore/closure/closure_tally.hpp"

namespace snapback {

/// Ensures that every row that a plan writes refers to an existing row.
class MissingParents {
public:
    MissingParents(Query &query, Plan &plan, Tallies &tallies) : query_(query), plan_(plan), tallies_(tallies) {}

    /// Restore the missing parents of written rows by this key from the snapshot, set the references to NULL, or omit
    /// the rows. Return whether there were any. This may add a table to the plan.
    bool bring_back(const ForeignKey &key);

private:
    /// Why dangling rows cannot be written, and the hint besides further options.
    struct Refusal {
        std::string why;
        std::string otherwise = "insert those rows first, or restore other options";
    };

    void find_dangling_rows(const ForeignKey &key, const TablePlan &child, TupleStore &dangling);
    std::string reaches_community(const ForeignKey &key, const TablePlan &child) const;
    bool leave_dependants(const ForeignKey &key, TablePlan &child);
    std::uint64_t take_parents(const ForeignKey &key, const TablePlan &child, TablePlan &parent);
    void null_references(const ForeignKey &key, TablePlan &child, std::uint64_t dangling);
    void refuse_dangling_rows(const ForeignKey &key, TablePlan &child, std::uint64_t dangling, const Refusal &refusal);
    Refusal why_not_nulled(const ForeignKey &key, const TablePlan &child, std::uint64_t dangling) const;
    std::uint64_t count_astray(const ForeignKey &key, const TablePlan &child) const;
    std::uint64_t count_changed(const ForeignKey &key, const TablePlan &child) const;

    Query &query_;
    Plan &plan_;
    Tallies &tallies_;
};

} // namespace snapback
