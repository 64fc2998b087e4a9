#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// Find rows that would be changed in what rows that stay refer to by this key: an obstacle.
void refuse_lost_values(Query &query, const Plan &plan, const ForeignKey &key);

} // namespace snapback
