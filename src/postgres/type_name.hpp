#pragma once
#include "postgres/postgres.hpp"

namespace snapback {

/// Find the type of this name, which may be schema-qualified and have a modifier; InvalidOid where there is none. A
/// Postgres call.
Oid type_named(const char *name);

} // namespace snapback
