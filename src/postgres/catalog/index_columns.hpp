#pragma once
#include "postgres/error/boundary.hpp"

namespace snapback {

/// Whether an index's expressions or predicate reference the whole row, so that only the table itself can compute them.
bool reads_whole_row(Oid index);

} // namespace snapback
