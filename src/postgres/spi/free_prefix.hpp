#pragma once
#include <string>

#include "postgres/error/boundary.hpp"

namespace snapback {

/// A prefix that no column name of the relation starts with. For generated names in a query beside the relation's
/// columns.
std::string free_prefix(Oid relation);

} // namespace snapback
