#pragma once
#include "postgres/catalog/column_default.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// The complete rows that a plan writes, including defaults and generated columns.
class WholeRows {
public:
    WholeRows(Query &query, const TablePlan &plan);

    const ColumnDefault &default_of(std::size_t column) const { return defaults_[column]; }
    /// A subquery over all rows that the plan writes; without inserted rows if `changed_only`. Run it as the owner.
    std::string query(bool changed_only) const;
    /// Whether a column of inserted rows is known only after they are written.
    bool is_uncertain(AttrNumber number) const;

private:
    bool is_volatile(std::size_t column) const { return defaults_[column].exists && !defaults_[column].expression; }

    const TablePlan &plan_;
    std::vector<ColumnDefault> defaults_; // of columns that are not in the snapshot
    std::string generated_list_;
};

} // namespace snapback
