#pragma once
#include "postgres/postgres.hpp"

namespace snapback {

/// Whether writes to a relation and its partitions and children are guarded. Enabled: both triggers exist as created,
/// are ENABLE ALWAYS, and fire after all triggers that can change the row.
enum class GuardState { enabled, overtaken, disabled, missing };
GuardState guard_state(Oid relation);

/// Whether a trigger that fires after the guard can change the rows that are written to a relation.
bool is_overtaken(Oid relation);

} // namespace snapback
