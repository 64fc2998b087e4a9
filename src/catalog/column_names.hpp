#pragma once
#include "postgres/error/boundary.hpp"

namespace snapback {

/// Lock a relation and record its column names, to detect renames.
void note_columns(Oid relation);

/// Record pending renames in shared tables. Call it before reading paths, which may use renamed columns.
void note_pending_renames();

} // namespace snapback
