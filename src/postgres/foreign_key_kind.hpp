#pragma once
#include "postgres/boundary.hpp"

extern "C" {
#include "catalog/pg_constraint.h"
}

namespace snapback {

/// Whether a foreign key is kept at all, and is more than a note.
inline bool is_enforced([[maybe_unused]] Form_pg_constraint key) {
#if PG_VERSION_NUM >= 180000
    return key->conenforced;
#else
    return true;
#endif
}

/// Whether it refers to a period, which several rows may cover together, and not to one row.
inline bool refers_to_periods([[maybe_unused]] Form_pg_constraint key) {
#if PG_VERSION_NUM >= 180000
    return key->conperiod;
#else
    return false;
#endif
}

} // namespace snapback
