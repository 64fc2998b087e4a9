#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// Execute the plan: deletes, then updates, then inserts, with triggers disabled, each as the owner of the table.
/// Throws Error if fewer rows are written than planned, and the errors of constraints.
void apply(Query &query, const Plan &plan, Progress &progress);

/// Advance the sequences that have not yet generated a restored value; never set one back.
void raise_sequences(Query &query, const Plan &plan);

} // namespace snapback
