#pragma once
#include <optional>

#include "postgres/error/boundary.hpp"

namespace snapback {

struct TableColumn {
    Oid relation = InvalidOid;
    AttrNumber number = InvalidAttrNumber;
};

/// The table column whose values a view column shows, possibly cast, through views, joins, and subqueries. Nothing if
/// the view computes the column. A table column is its own source. Locks the relations it reads.
std::optional<TableColumn> source_column(Oid relation, AttrNumber number);

} // namespace snapback
