#pragma once
#include <string>
#include <vector>

#include "postgres/query.hpp"

namespace snapback {

/// How functions that these objects of a catalog call (constraints in pg_constraint, say) are given a search_path of
/// their own, where they have none: a sentence for a hint, empty where there is no such function.
std::string search_path_cure(Query &query, const std::string &catalog, const std::vector<Oid> &objects);

/// The checks of the domains in a type that may read more than the value: their OIDs in pg_constraint.
std::vector<Oid> domain_checks_to_try(Query &query, Oid type);

} // namespace snapback
