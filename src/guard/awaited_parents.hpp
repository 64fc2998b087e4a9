#pragma once
#include "guard/guarded_path.hpp"

namespace snapback {

/// Remember that a row was written whose parent is not there: a deferred foreign key lets it come later, from another
/// session perhaps. Before this transaction commits, the row's community is guarded by what is there then.
void await_parent(Oid relation, const GuardedPath &path, std::span<const Value> key);

/// Begin to hear of commits; called once, at load.
void watch_awaited_parents();

} // namespace snapback
