#include "postgres/lock/extension_lock.hpp"

#include "postgres/error/boundary.hpp"

extern "C" {
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "storage/lmgr.h"
}

namespace snapback {

void hold_extension() {
    call([] { LockDatabaseObject(ExtensionRelationId, get_extension_oid("pg_snapback", true), 0, AccessShareLock); });
}

} // namespace snapback
