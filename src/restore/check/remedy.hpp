#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// The options that cover this table of the community, that the snapshot holds and that are not among the chosen.
std::vector<std::string> further_options(const Plan &plan, Oid relation);
/// "c.a", "c.a and c.b", "c.a, c.b and c.d".
std::string in_words(const std::vector<std::string> &names, const std::string &last = "and");
/// Throw the first thing that keeps the restore from being done, if any does. Its hint names the options that would
/// remove it if they were restored as well, or the switches without which it would not be there.
void require_no_obstacle(const Plan &plan);

} // namespace snapback
