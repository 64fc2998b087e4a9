#pragma once
#include <string>
#include <vector>

#include "catalog/relation_shape.hpp"

namespace snapback {

/// A generated column, and what it is computed from.
struct ComputedColumn {
    std::string name;
    Oid type;
    std::int32_t type_modifier;
    Oid collation;
    std::string expression; // over the plain columns; code of the table's owner
};

/// The generated columns by which rows refer to others, or are referred to: a plan has to know their values.
std::vector<ComputedColumn> computed_columns(Query &query, const RelationShape &live);

/// The row type of a table's plain columns, and behind them these; in the current context.
TupleDesc row_type(const RelationShape &live, const std::vector<ComputedColumn> &computed);

} // namespace snapback
