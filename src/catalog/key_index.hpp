#pragma once
#include <string>
#include <vector>

#include "postgres/boundary.hpp"

namespace snapback {

/// The index whose columns name a row of a table: the primary key, or else the first unique index over plain columns
/// that are all NOT NULL; not a deferrable one. InvalidOid where the table has neither, or does not exist.
Oid key_index(Oid relation);

/// A column of that index, by its number in the table, and the operator under which two of its values are the same.
struct IndexedColumn {
    AttrNumber column;
    Oid equals;
};
std::vector<IndexedColumn> key_parts(Oid index);

} // namespace snapback
