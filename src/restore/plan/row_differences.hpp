#pragma once
#include <functional>

#include "restore/plan/table_plan.hpp"

namespace snapback {

/// The action of a plan on one row. The values are jsonb, or NULL.
struct RowDifference {
    Value key;          // {"column": value}
    std::string action; // insert, update, delete, keep, skip
    Value before;       // the current row; for an update the columns that change
    Value after;        // the new row, likewise
};

/// Call a function for every row in a table's plan, by action and key. The values are valid only during the call.
void for_each_difference(Query &query, const TablePlan &plan, const std::function<void(const RowDifference &)> &visit);

} // namespace snapback
