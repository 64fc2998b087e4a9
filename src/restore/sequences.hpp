#pragma once
#include "restore/plan.hpp"

namespace snapback {

/// Raise sequences that stand below a value that was restored; never lower one.
void raise_sequences(Query &query, const Plan &plan);

} // namespace snapback
