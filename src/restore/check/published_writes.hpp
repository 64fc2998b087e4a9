#pragma once
// Publications that refuse a restore's writes.
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Note as an obstacle where the server would refuse to update or delete rows: a publication publishes that, and the
/// table, or a partition of it, has no replica identity.
void find_refusing_publications(Query &query, TablePlan &plan);

} // namespace snapback
