#pragma once
#include <string>
#include <vector>

#include "postgres/error/boundary.hpp"

namespace snapback {

/// The index whose columns identify a row: the primary key, otherwise the first unique index over plain NOT NULL
/// columns that is not deferrable. InvalidOid if the table has neither or does not exist.
Oid key_index(Oid relation);

/// A column of that index, by its number in the table, and its equality operator.
struct IndexedColumn {
    AttrNumber column;
    Oid equals;
};
std::vector<IndexedColumn> key_parts(Oid index);

} // namespace snapback
