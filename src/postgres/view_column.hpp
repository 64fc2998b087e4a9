#pragma once
#include <optional>

#include "postgres/boundary.hpp"

namespace snapback {

struct TableColumn {
    Oid relation = InvalidOid;
    AttrNumber number = InvalidAttrNumber;
};

/// Find the table column whose values a view's column shows, cast or as they are, through views, joins and subqueries.
/// Nothing where the view computes it. The column of a table is its own source. Locks what it reads.
std::optional<TableColumn> source_column(Oid relation, AttrNumber number);

} // namespace snapback
