#pragma once
#include "restore/plan/current_rows.hpp"
#include "restore/plan/table_plan.hpp"
#include "snapshot/basis.hpp"

namespace snapback {

/// Compare the snapshot with the live rows of one community. If its basis is given and still holds for the table,
/// compare only the rows that have changed since; otherwise chunk by chunk first, and row by row where chunks differ.
/// Fill `wanted` and `present` with the rows that differ, or with all rows. Return an error if the table cannot be
/// planned: its key is not in the snapshot, or a value cannot be decoded (SB009).
[[nodiscard]] std::optional<Error> load_difference(TablePlan &plan, const std::string &community, CurrentRows &current,
                                                   Extent extent, const Basis *basis = nullptr);

/// Determine the changes for the plan's selection from `wanted` and `present`, within the limits of the switches. Fill
/// insert, update, reinsert, added and remove.
void work_out_changes(Query &query, TablePlan &plan, const RestoreOptions &switches);

} // namespace snapback
