#pragma once
#include "postgres/postgres.hpp"

namespace snapback {

/// Whether writes to a relation and its partitions and children are guarded. Enabled: both triggers exist as created,
/// are ENABLE ALWAYS, and fire after all triggers that can change the row.
enum class GuardState { enabled, overtaken, disabled, missing };
GuardState guard_state(Oid relation);

} // namespace snapback
