#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

// SQL queries and conditions on the rows of a table's plan.

/// The column with the result of a condition for a row.
std::string condition_name(const TablePlan &plan, std::size_t i);
/// The rows of a store with the results of the conditions, which may use unqualified column names. Empty conditions are
/// omitted.
std::string with_conditions(const TablePlan &plan, const std::string &store, const std::vector<std::string> &conditions,
                            const std::string &alias);
/// "SELECT x, y, … FROM <kind>": the rows of a store.
std::string all_rows(const TablePlan &plan, const char *kind);
/// The condition that the plan neither deletes nor changes the table's row with alias `row`; always true without a
/// plan.
std::string untouched(const TablePlan *plan, const std::string &row);
/// "AND NOT EXISTS (…)": no row of a store has the key of the row with this alias.
std::string not_in(const TablePlan &plan, const char *kind, const std::string &alias);
/// "AND NOT EXISTS (…)": a row of `present` with this alias differs from the snapshot.
std::string changed_since(const TablePlan &plan, const std::string &alias);
/// "AND NOT EXISTS (…)": the row of `present` with this alias is not in the snapshot, so the restore would not insert
/// it again after a delete.
std::string not_to_return(const TablePlan &plan, const RestoreOptions &switches, const std::string &alias);
/// "AND NOT EXISTS (…)": no written row has the referenced values of the row with this alias.
std::string not_taken_over(const ForeignKey &key, const TablePlan &parent, const std::string &alias);

} // namespace snapback
