#pragma once
#include "restore/closure/closure_tally.hpp"

namespace snapback {

/// Sees to it that every row of a plan that is written refers to a row that is there.
class MissingParents {
public:
    MissingParents(Query &query, Plan &plan, Tallies &tallies) : query_(query), plan_(plan), tallies_(tallies) {}

    /// Bring back from the snapshot what rows to be written refer to by this key, and what is neither there nor coming;
    /// or clear the reference, or leave the row out. True where there were any. The plan may grow by a table.
    bool bring_back(const ForeignKey &key);

private:
    /// Why dangling rows cannot be written, and what helps beside further options.
    struct Refusal {
        std::string why;
        std::string otherwise = "bring those rows back first, or restore other options";
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
