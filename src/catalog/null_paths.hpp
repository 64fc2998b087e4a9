#pragma once
#include "catalog/community_path.hpp"

namespace snapback {

/// Whether a column is nullable: it has neither NOT NULL nor a valid CHECK constraint that consists of IS NOT NULL. No
/// value if there is no such column.
std::optional<bool> takes_null(Oid relation, const std::string &column);

/// A nullable column on the path of a table. Step 1 is the table itself.
struct NullableStep {
    std::int32_t step;
    Oid relation;
    std::string column;
};

/// The nullable columns on the path of a table, step by step. A column that the previous foreign key references does
/// not count.
std::vector<NullableStep> nullable_steps(const ProtectedTable &table);

} // namespace snapback
