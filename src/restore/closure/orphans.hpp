#pragma once
#include "restore/plan/current_rows.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Orphans are rows of the snapshot that still exist outside the community, because a foreign key on their path was set
/// to NULL. They belong to no community; neither do rows whose path leads through them. If there are any, compare again
/// as if they belonged to the community. They are then restored by updates and stored in the before_restore snapshot,
/// and an undo detaches them. `parent`: the plan of the table that the path leads through, if it exists. Returns the
/// result of load_difference().
[[nodiscard]] std::optional<Error> include_orphans(Query &query, TablePlan &plan, const TablePlan *parent,
                                                   const std::string &community, CurrentRows &current, Extent extent);

} // namespace snapback
