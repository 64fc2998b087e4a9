#pragma once
#include "catalog/community_path.hpp"

namespace snapback {

/// Whether a column takes NULL: it is not declared NOT NULL, nor is there a CHECK that says just that, either of them
/// valid for all rows. Nothing where there is no such column.
std::optional<bool> takes_null(Oid relation, const std::string &column);

/// A column that takes NULL on a table's path. Step 1 is the table itself.
struct NullableStep {
    std::int32_t step;
    Oid relation;
    std::string column;
};

/// The columns that take NULL on a table's path, step by step. Those that a foreign key refers to are not NULL where it
/// leads.
std::vector<NullableStep> nullable_steps(const ProtectedTable &table);

} // namespace snapback
