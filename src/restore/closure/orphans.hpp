#pragma once
#include "restore/plan/current_rows.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Orphans: rows of the snapshot that are missing in the community, but still exist. A foreign key on their path was
/// set to NULL, so they belong to no community, nor do rows whose path leads through them. Where there are such rows,
/// compare again with them as if they were the community's, so that they are changed back and kept in the
/// before_restore snapshot, and an undo detaches them again. `parent`: the plan of the table through which this one's
/// path leads, if there is one by now. Returns what load_difference() does.
[[nodiscard]] std::optional<Error> include_orphans(Query &query, TablePlan &plan, const TablePlan *parent,
                                                   const std::string &community, CurrentRows &current, Extent extent);

} // namespace snapback
