#pragma once
#include "catalog/foreign_keys.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Return Error (SB009) unless the table's key, as it is now, tells the snapshot's rows apart: none has NULL there, no
/// two are the same.
[[nodiscard]] std::optional<Error> find_indistinct_keys(Query &query, const TablePlan &plan);

/// Find rows of the plan that the table would refuse as it is now: NULL where a column takes none, a value that a CHECK
/// refuses, a column that has to be given a value and has none, half a reference. An obstacle each, naming column or
/// constraint and the key of a row. Nothing is written to find out. What a constraint says that may read other rows is
/// a note: these rows may change with the restore.
void find_violations(Query &query, TablePlan &plan, const std::vector<ForeignKey> &keys);

} // namespace snapback
