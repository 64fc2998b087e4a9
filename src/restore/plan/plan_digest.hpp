#pragma once
#include "core/digest.hpp"
#include "restore/plan/table_plan.hpp"

namespace snapback {

/// Hash every write that is planned for a table: what is done, and the rows byte for byte, whatever their spec.
Digest digest_of(Query &query, const TablePlan &plan);
/// The same of a part of it: these subqueries' rows; an empty text stands for no rows.
Digest digest_of(Query &query, const TablePlan &plan, const std::string &inserted, const std::string &changed,
                 const std::string &removed);

} // namespace snapback
