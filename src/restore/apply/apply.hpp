#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// Write what the plan says: all deletes, then updates, then inserts; triggers off, each table as its owner. Throws
/// Error where fewer rows are written than planned, and whatever a constraint raises.
void apply(Query &query, const Plan &plan, Progress &progress);

} // namespace snapback
