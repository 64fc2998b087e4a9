#pragma once
// The one place where Postgres's headers enter: C linkage, and its macros that clash with C++ taken back.
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

// Everything else in the module is hidden; up to PostgreSQL 15 this macro does nothing outside Windows.
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
