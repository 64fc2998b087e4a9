#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// Restrict or extend a table's selection to the rows that it names by key. Throws Error (42704) if they must exist and
/// neither the snapshot nor the table has a row with such a key.
void choose_rows(Query &query, TablePlan &plan, bool must_exist);

/// Add the rows that refer to chosen rows, directly or through others, now or in the snapshot. For a foreign key with
/// ON DELETE SET NULL add only its columns, otherwise whole rows.
void choose_children(Query &query, Plan &plan);

} // namespace snapback
