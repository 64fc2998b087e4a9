#pragma once
// Publications that prevent the writes of a restore.
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Add an obstacle if the server would refuse to update or delete rows, because a publication publishes them and the
/// table or a partition of it has no replica identity.
void find_refusing_publications(Query &query, TablePlan &plan);

} // namespace snapback
