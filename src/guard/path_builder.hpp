#pragma once
#include "guard/guarded_path.hpp"

namespace snapback {

/// Work out the path from a relation's rows to their communities, from what is registered for it or for what it is a
/// partition or child of.
GuardedPath build_path(Oid relation);

} // namespace snapback
