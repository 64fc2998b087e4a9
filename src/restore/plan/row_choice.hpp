#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// Narrow and widen a table's selection to the rows that it names by key. Throws Error (42704) where they must exist
/// and neither the snapshot nor the table has a row of such a key.
void choose_rows(Query &query, TablePlan &plan, bool must_exist);

/// Take in the rows that refer to chosen rows, directly or through others, now or in the snapshot: whole rows, but of a
/// foreign key that is set to NULL when its row goes only the columns of that key.
void choose_children(Query &query, Plan &plan);

} // namespace snapback
