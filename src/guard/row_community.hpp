#pragma once
#include <functional>

#include "guard/guarded_path.hpp"

namespace snapback {

/// Receives a community of a row; valid during the call only.
using CommunityVisitor = std::function<void(const WrittenCommunity &)>;

/// Visit the community of a row with a path of kind `column`; none if the column is NULL.
void visit_community_in_column(const GuardedPath &path, TupleTableSlot *row, const CommunityVisitor &visit);
/// Read the foreign key at the start of a path of kind `chain`.
std::vector<Value> start_key(const GuardedPath &path, TupleTableSlot *row);
/// Visit the communities that a foreign key leads to: none if a key is NULL, several if a parent is being changed.
/// Return false if a parent is missing.
bool visit_communities_of_key(const GuardedPath &path, std::span<const Value> key, const CommunityVisitor &visit,
                              KeyLookup::Rows rows = KeyLookup::Rows::current);

} // namespace snapback
