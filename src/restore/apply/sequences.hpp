#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// Advance the sequences that have not yet generated a restored value; never set one back.
void raise_sequences(Query &query, const Plan &plan);

} // namespace snapback
