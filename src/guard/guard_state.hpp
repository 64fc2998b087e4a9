#pragma once
#include "postgres/postgres.hpp"

namespace snapback {

/// Whether writes to a relation are guarded: by both triggers, as they were made, always firing, and after every other
/// trigger that may change the row; on the relation and on everything that is a partition or child of it.
enum class GuardState { enabled, overtaken, disabled, missing };
GuardState guard_state(Oid relation);

} // namespace snapback
