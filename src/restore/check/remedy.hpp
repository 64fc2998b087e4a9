#pragma once
#include "restore/plan/plan.hpp"

namespace snapback {

/// The options of the snapshot that cover this table of the community and are not chosen.
std::vector<std::string> further_options(const Plan &plan, Oid relation);
/// "c.a", "c.a and c.b", "c.a, c.b and c.d".
std::string in_words(const std::vector<std::string> &names, const std::string &last = "and");
/// Throw the first obstacle, if any. Its hint names options that would remove it if restored as well, or switches to
/// omit.
void require_no_obstacle(const Plan &plan);

} // namespace snapback
