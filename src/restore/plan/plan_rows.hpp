#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

// Queries and conditions on the rows of a table's plan, as SQL.

/// The column that tells whether a condition holds for a row.
std::string condition_name(const TablePlan &plan, std::size_t i);
/// A store's rows beside what each condition says of them, computed where bare column names mean that store's. An empty
/// condition is left out.
std::string with_conditions(const TablePlan &plan, const std::string &store, const std::vector<std::string> &conditions,
                            const std::string &alias);
/// "SELECT x, y, … FROM <kind>": a store's rows.
std::string all_rows(const TablePlan &plan, const char *kind);
/// The table's rows that the plan neither deletes nor changes, seen as alias `row`; without a plan, all.
std::string untouched(const TablePlan *plan, const std::string &row);
/// "AND NOT EXISTS (…)": no row of a store has the key of the row seen as this alias.
std::string not_in(const TablePlan &plan, const char *kind, const std::string &alias);
/// "AND NOT EXISTS (…)": a row of `present`, seen as this alias, is not as the snapshot has it.
std::string changed_since(const TablePlan &plan, const std::string &alias);
/// "AND NOT EXISTS (…)": were the row of `present`, seen as this alias, deleted, it would be missing, and come back.
std::string not_to_return(const TablePlan &plan, const RestoreOptions &switches, const std::string &alias);
/// "AND NOT EXISTS (…)": no row that is written has the referenced values of the row seen as this alias.
std::string not_taken_over(const ForeignKey &key, const TablePlan &parent, const std::string &alias);

} // namespace snapback
