#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// Throw Error (SB011) where a restore's request is strict and the plan is not the one that its owner was shown.
void require_previewed_plan(Query &query, const std::string &restore, const Plan &plan);

} // namespace snapback
