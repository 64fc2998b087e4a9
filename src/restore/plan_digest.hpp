#pragma once
#include "core/digest.hpp"
#include "restore/table_plan.hpp"

namespace snapback {

/// Hash every write that is planned for a table: what is done, and the rows byte for byte, whatever their order.
Digest digest_of(Query &query, const TablePlan &plan);

} // namespace snapback
