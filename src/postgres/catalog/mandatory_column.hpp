#pragma once
#include "postgres/error/boundary.hpp"

extern "C" {
#include "catalog/pg_attribute.h"
#include "catalog/pg_constraint.h"
}

namespace snapback {

/// Whether a column has a validated NOT NULL constraint; a Postgres call.
inline bool is_mandatory(Form_pg_attribute column) {
    if (!column->attnotnull)
        return false;
#if PG_VERSION_NUM >= 180000
    HeapTuple constraint = findNotNullConstraintAttnum(column->attrelid, column->attnum);
    return !constraint || reinterpret_cast<Form_pg_constraint>(GETSTRUCT(constraint))->convalidated;
#else
    return true;
#endif
}

} // namespace snapback
