#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// Add an obstacle if the plan changes values that remaining rows refer to by this key.
void refuse_lost_values(Query &query, const Plan &plan, const ForeignKey &key);

} // namespace snapback
