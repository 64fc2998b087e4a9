#pragma once
#include "postgres/boundary.hpp"

namespace snapback {

/// Whether an index's expressions or predicate take the row as a whole: only the table itself can compute them.
bool reads_whole_row(Oid index);

} // namespace snapback
