#pragma once
#include <vector>

#include "postgres/error/boundary.hpp"

namespace snapback {

/// The relation and its ancestors by inheritance or partitioning: the relation first, the topmost ancestors last.
std::vector<Oid> with_ancestors(Oid relation);
/// The relation and its descendants by inheritance or partitioning, locked against DROP.
std::vector<Oid> with_descendants(Oid relation);

} // namespace snapback
