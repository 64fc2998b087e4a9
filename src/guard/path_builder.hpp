#pragma once
#include "guard/guarded_path.hpp"

namespace snapback {

/// Work out the path from a relation's rows to their communities, from what is registered for it or for what it is a
/// partition or child of.
GuardedPath build_path(Oid relation);

/// Whether rows of other tables come to their community through rows of this relation, whose path this is.
bool leads_children(Oid relation, GuardedPath &path);

} // namespace snapback
