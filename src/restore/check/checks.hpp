#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// Throw Error (55000) unless every table of the plan has its write guard, without which others could write.
void require_guards(const Plan &plan);

/// Check what the disabled triggers would have checked, set by set: foreign keys in both directions (23503), deferrable
/// unique (23505) and exclusion constraints (23P01), and the deferred CHECK constraints (23514). Parents that the
/// community's lock does not protect are locked until commit. A transaction that is about to write the same unique
/// value is waited for.
void check_constraints(Query &query, const Plan &plan);

/// Read and plan everything again; throw Error (SB010) if anything is left to do.
void check_result(const Plan &plan);

} // namespace snapback
