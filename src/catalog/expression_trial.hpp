#pragma once
#include <string>
#include <vector>

#include "postgres/spi/query.hpp"

namespace snapback {

/// A hint that shows how to set the search_path of functions that have none and that these objects call; empty if there
/// are none. `catalog` is the catalog of the objects, for example pg_constraint.
std::string search_path_cure(Query &query, const std::string &catalog, const std::vector<Oid> &objects);

/// The domain constraints of a type that may depend on more than the value: their OIDs in pg_constraint.
std::vector<Oid> domain_checks_to_try(Query &query, Oid type);

} // namespace snapback
