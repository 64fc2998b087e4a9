#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// Throw Error (SB011) if a request is strict and the plan differs from its preview.
void require_previewed_plan(Query &query, const std::string &restore, const Plan &plan);

} // namespace snapback
