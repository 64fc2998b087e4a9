#pragma once
#include <string>
#include <vector>

#include "postgres/error/boundary.hpp"

namespace snapback {

/// Throw Error unless the filter is one boolean expression over the columns of one row that the relation's owner can
/// run. Subqueries, aggregates, volatile functions, and system and generated columns are not allowed. Runs as the owner
/// and reads no row.
void check_row_filter(Oid relation, const std::string &filter);

/// The columns that a valid filter reads.
std::vector<AttrNumber> columns_of_filter(Oid relation, const std::string &filter);

} // namespace snapback
