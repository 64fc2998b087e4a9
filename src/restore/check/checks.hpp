#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// Throw Error (55000) unless every table of the plan has its write guard: without it, others may write meanwhile.
void require_guards(const Plan &plan);

/// Check what the triggers that were off would have checked, set by set: foreign keys in both directions (23503), and
/// deferrable unique (23505) and exclusion constraints (23P01), and the CHECKs that were left until now (23514).
/// Parents beyond the community's lock are locked themselves until commit, and whoever is about to take a unique value
/// is waited for.
void check_constraints(Query &query, const Plan &plan);

/// Read everything again and plan again: throw Error (SB010) unless nothing is left to do.
void check_result(const Plan &plan);

} // namespace snapback
