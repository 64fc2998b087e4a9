#pragma once
#include "guard/guarded_path.hpp"

namespace snapback {

/// Find the community of a row through a path of kind `column`; null where the row's is NULL. The result lives until
/// the next call with this path.
const LockedCommunity *community_in_column(GuardedPath &path, TupleTableSlot *row);
/// The same through a path of kind `chain`; null where a foreign key is NULL or its parent is gone.
std::optional<LockedCommunity> community_through_chain(const GuardedPath &path, TupleTableSlot *row);
/// Whether two versions of a row agree, byte for byte, in the columns that the path starts from.
bool same_start(const GuardedPath &path, TupleTableSlot *one, TupleTableSlot *other);

} // namespace snapback
