#pragma once
// The only place that includes PostgreSQL headers, with C linkage and without the macros that conflict with C++.
extern "C" {
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
}
#undef gettext
#undef dgettext
#undef ngettext
#undef dngettext
#undef snprintf
#undef sprintf
#undef vsnprintf
#undef vsprintf
#undef printf
#undef fprintf
#undef strerror
#undef strerror_r
#undef Min
#undef Max
#undef Abs

// Exports the functions that PostgreSQL calls; all other symbols are hidden. Up to PostgreSQL 15, the macro is empty
// except on Windows.
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
