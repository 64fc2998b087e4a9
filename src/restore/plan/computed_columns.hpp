#pragma once
#include <string>
#include <vector>

#include "catalog/relation_shape.hpp"

namespace snapback {

/// A generated column and its expression.
struct ComputedColumn {
    std::string name;
    Oid type;
    std::int32_t type_modifier;
    Oid collation;
    std::string expression; // over the plain columns; code of the table's owner
};

/// Find the generated columns that foreign keys use; a plan must know their values.
std::vector<ComputedColumn> computed_columns(Query &query, const RelationShape &live);

/// The row type of a table's plain columns followed by these, in the current memory context.
TupleDesc row_type(const RelationShape &live, const std::vector<ComputedColumn> &computed);

} // namespace snapback
