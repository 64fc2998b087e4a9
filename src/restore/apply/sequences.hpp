#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// Move sequences on that have yet to give out a value that was restored; never turn one back.
void raise_sequences(Query &query, const Plan &plan);

} // namespace snapback
