#pragma once
#include <optional>
#include <string>
#include <vector>

#include "postgres/boundary.hpp"

namespace snapback {

/// A foreign key as its constraint tells it; the columns of both sides run in parallel.
struct ForeignKeyConstraint {
    struct Pair {
        std::string column;        // of the referring table
        std::string parent_column; // that it refers to
        Oid type;
        Oid parent_type;
        Oid equals; // operator: parent_column = column
    };
    Oid parent;
    std::vector<Pair> pairs;
};

/// Look a foreign key of a relation up by its name.
std::optional<ForeignKeyConstraint> find_foreign_key(Oid relation, const std::string &constraint);

} // namespace snapback
