#pragma once
#include <optional>
#include <string>

#include "postgres/boundary.hpp"

namespace snapback {

/// What a column is given where an INSERT leaves it out: its own default, or its type's.
struct ColumnDefault {
    bool exists = false; ///< if not, NULL
    std::optional<std::string>
        expression; ///< over no column; none where it is volatile, and asking would spend a value
};

ColumnDefault column_default(Oid relation, AttrNumber column);

} // namespace snapback
