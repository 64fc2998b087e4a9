#pragma once
#include "postgres/postgres.hpp"

namespace snapback {

/// The type with this name, possibly with schema and modifier; InvalidOid if it does not exist. A Postgres call.
Oid type_named(const char *name);

} // namespace snapback
