#pragma once
#include <functional>

#include "guard/guarded_path.hpp"

namespace snapback {

/// Given a community that a row belongs to, for no longer than the call.
using CommunityVisitor = std::function<void(const WrittenCommunity &)>;

/// Visit the community of a row through a path of kind `column`; none where the column is NULL.
void visit_community_in_column(const GuardedPath &path, TupleTableSlot *row, const CommunityVisitor &visit);
/// Read the foreign key from which a row's path of kind `chain` starts.
std::vector<Value> start_key(const GuardedPath &path, TupleTableSlot *row);
/// Visit the communities that such a key leads to: none where a key is NULL, more than one where a parent is just being
/// changed. Return whether no parent on the way is missing.
bool visit_communities_of_key(const GuardedPath &path, std::span<const Value> key, const CommunityVisitor &visit);
/// Whether two versions of a row agree, byte for byte, in the columns that the path starts from.
bool same_start(const GuardedPath &path, TupleTableSlot *one, TupleTableSlot *other);

} // namespace snapback
