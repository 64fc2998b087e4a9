#pragma once
#include "postgres/error/boundary.hpp"

extern "C" {
#include "catalog/pg_constraint.h"
}

namespace snapback {

/// Whether a foreign key is enforced (not NOT ENFORCED).
inline bool is_enforced([[maybe_unused]] Form_pg_constraint key) {
#if PG_VERSION_NUM >= 180000
    return key->conenforced;
#else
    return true;
#endif
}

/// Whether it references a period, which several rows can cover together.
inline bool refers_to_periods([[maybe_unused]] Form_pg_constraint key) {
#if PG_VERSION_NUM >= 180000
    return key->conperiod;
#else
    return false;
#endif
}

} // namespace snapback
