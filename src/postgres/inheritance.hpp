#pragma once
#include <vector>

#include "postgres/boundary.hpp"

namespace snapback {

/// The relation and all it inherits from or is a partition of: itself first, the topmost ancestors last.
std::vector<Oid> with_ancestors(Oid relation);
/// The relation and everything that inherits from it or is a partition of it, locked against being dropped.
std::vector<Oid> with_descendants(Oid relation);

} // namespace snapback
