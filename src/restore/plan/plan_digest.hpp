#pragma once
#include "core/digest.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Hash the planned writes of a table: their kind and the bytes of their rows, independent of the order of rows.
Digest digest_of(Query &query, const TablePlan &plan);
/// The same for the rows of these subqueries; an empty text means no rows.
Digest digest_of(Query &query, const TablePlan &plan, const std::string &inserted, const std::string &changed,
                 const std::string &removed);

} // namespace snapback
