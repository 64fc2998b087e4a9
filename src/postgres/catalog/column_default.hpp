#pragma once
#include <optional>
#include <string>

#include "postgres/error/boundary.hpp"

namespace snapback {

/// The default of a column: its own, or that of its type.
struct ColumnDefault {
    bool exists = false; ///< otherwise the default is NULL
    std::optional<std::string>
        expression; ///< without column references; empty if volatile, since evaluation would use up a value
};

ColumnDefault column_default(Oid relation, AttrNumber column);

} // namespace snapback
