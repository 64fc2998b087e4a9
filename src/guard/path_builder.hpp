#pragma once
#include "guard/guarded_path.hpp"

namespace snapback {

/// Build the path from a relation's rows to their communities. It follows the registration of the relation, or of the
/// table of which it is a partition or child.
GuardedPath build_path(Oid relation);

/// The protected tables whose rows reach their community through this relation, whose path is given.
const std::vector<LedTable> &led_tables(Oid relation, GuardedPath &path);

} // namespace snapback
