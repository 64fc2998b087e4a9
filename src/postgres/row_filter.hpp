#pragma once
#include <string>
#include <vector>

#include "postgres/boundary.hpp"

namespace snapback {

/// Refuse a filter that is not one boolean expression over the columns of one row of the relation, without subqueries,
/// aggregates, volatile functions, system and generated columns, or that the relation's owner cannot run. Throws Error
/// naming the filter. Runs as the owner and reads no row.
void check_row_filter(Oid relation, const std::string &filter);

/// The columns that a usable filter reads.
std::vector<AttrNumber> columns_of_filter(Oid relation, const std::string &filter);

} // namespace snapback
