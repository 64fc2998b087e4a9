#pragma once
#include <functional>

#include "guard/guarded_path.hpp"

namespace snapback {

/// Given a community that a row belongs to, for no longer than the call.
using CommunityVisitor = std::function<void(const WrittenCommunity &)>;

/// Visit the community of a row through a path of kind `column`; none where the column is NULL.
void visit_community_in_column(const GuardedPath &path, TupleTableSlot *row, const CommunityVisitor &visit);
/// The same through a path of kind `chain`: none where a foreign key is NULL or its parent is gone, more than one where
/// a parent is just being changed.
void visit_communities_through_chain(const GuardedPath &path, TupleTableSlot *row, const CommunityVisitor &visit);
/// Whether two versions of a row agree, byte for byte, in the columns that the path starts from.
bool same_start(const GuardedPath &path, TupleTableSlot *one, TupleTableSlot *other);

} // namespace snapback
