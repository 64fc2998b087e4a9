#pragma once
#include "restore/table_plan.hpp"

namespace snapback {

/// Compare the snapshot with the live rows of one community: chunk by chunk first, and row by row where chunks differ.
/// Fills `wanted` and `present`.
void load_difference(TablePlan &plan, const std::string &community);

/// Work out, from `wanted` and `present`, what the plan's selection asks for: fills insert, update, reinsert, remove.
void work_out_changes(Query &query, TablePlan &plan);

} // namespace snapback
