#pragma once
#include "restore/plan/current_rows.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Compare the snapshot with the live rows of one community: chunk by chunk first, and row by row where chunks differ.
/// Fills `wanted` and `present` with what differs, or with everything. Returns what keeps the table from being planned,
/// if anything does: its key is not in the snapshot, or a value cannot be decoded (SB009).
[[nodiscard]] std::optional<Error> load_difference(TablePlan &plan, const std::string &community, CurrentRows &current,
                                                   Extent extent);

/// Work out, from `wanted` and `present`, what the plan's selection asks for, as far as the switches let it: fills
/// insert, update, reinsert, added and remove.
void work_out_changes(Query &query, TablePlan &plan, const RestoreOptions &switches);

} // namespace snapback
