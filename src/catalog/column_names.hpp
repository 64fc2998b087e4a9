#pragma once
#include "postgres/boundary.hpp"

namespace snapback {

/// Lock a relation and note what its columns are called, so that renames are noticed.
void note_columns(Oid relation);

/// Note what was renamed in shared tables and has not been noted yet: paths may go by those columns. Call it before
/// paths are read.
void note_pending_renames();

} // namespace snapback
