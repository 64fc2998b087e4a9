#pragma once
#include <functional>

#include "restore/plan/table_plan.hpp"

namespace snapback {

/// What a plan does with one row, for people to look at. The values are jsonb, or NULL.
struct RowDifference {
    Value key;          // {"column": value}
    std::string action; // insert, update, delete, keep, skip
    Value before;       // the row as it is; of an update the columns that change
    Value after;        // the row as it will be, likewise
};

/// Go through every row that a table's plan speaks of, by action and key. The values live during the call only.
void for_each_difference(Query &query, const TablePlan &plan, const std::function<void(const RowDifference &)> &visit);

} // namespace snapback
