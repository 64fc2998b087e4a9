#pragma once
#include <string>

#include "postgres/boundary.hpp"

namespace snapback {

/// A beginning that no column's name of the relation has: for names of our own beside its columns in one query.
std::string free_prefix(Oid relation);

} // namespace snapback
