#pragma once
#include "catalog/foreign_keys.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Return Error (SB009) if the table's current key does not identify the snapshot's rows: a key is NULL or not unique.
[[nodiscard]] std::optional<Error> find_indistinct_keys(Query &query, const TablePlan &plan);

/// Find rows of the plan that the table would reject: NULL in a NOT NULL column, a violated CHECK, a missing value, a
/// reference that is partly NULL. Add an obstacle for each, with the column or constraint and the key of a row. Nothing
/// is written. A constraint that may read other rows causes only a note, because the restore may change those rows.
void find_violations(Query &query, TablePlan &plan, const std::vector<ForeignKey> &keys);

/// Add an obstacle if the server would refuse to update or delete rows, because a publication publishes them and the
/// table or a partition of it has no replica identity.
void find_refusing_publications(Query &query, TablePlan &plan);

} // namespace snapback
