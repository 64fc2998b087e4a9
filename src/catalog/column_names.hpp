#pragma once
#include <span>

#include "postgres/query.hpp"

namespace snapback {

/// Lock relations and note what their columns are called, so that renames are noticed; those that are gone are passed
/// over. What is registered by a column's name may change its path by this.
void note_columns(std::span<const Oid> relations);

} // namespace snapback
