#pragma once
#include "guard/guarded_path.hpp"

namespace snapback {

/// Record that a row without a parent was written. With a deferred foreign key the parent may be inserted later, even
/// by another session. Before the commit, the community of the row is determined and guarded. `moved`: the row existed
/// before, and rows of other tables may join that community with it.
void await_parent(Oid relation, const GuardedPath &path, std::span<const Value> key, bool moved);

/// Register the commit listener; called once at load.
void watch_awaited_parents();

} // namespace snapback
