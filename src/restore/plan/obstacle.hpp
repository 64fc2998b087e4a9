#pragma once
#include <functional>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "postgres/postgres.hpp"

namespace snapback {

/// A reason why a restore would fail.
struct Obstacle {
    Obstacle(Error refusal) : error(std::move(refusal)) {}
    /// Rows of a table block the restore by a constraint. `hint` creates the hint from a remedy such as "restore
    /// c.people as well"; without a remedy the hint of the error applies.
    Obstacle(Error refusal, std::string constraint, Oid in_the_way,
             std::function<std::string(const std::string &)> hint)
        : error(std::move(refusal)), constraint(std::move(constraint)), in_the_way(in_the_way), hint(std::move(hint)) {}

    /// Whether this is the same obstacle, of the same table, in another plan.
    bool is(const Obstacle &other) const {
        return error.sqlstate == other.error.sqlstate && constraint == other.constraint &&
               (!constraint.empty() || std::string_view(error.what()) == other.error.what());
    }

    Error error;
    std::string constraint;
    Oid in_the_way = InvalidOid;
    std::function<std::string(const std::string &remedy)> hint;
};

} // namespace snapback
