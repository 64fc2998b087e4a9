#include "catalog/column_names.hpp"

#include "postgres/query.hpp"

extern "C" {
#include "storage/lmgr.h"
}

namespace snapback {

void note_columns(Oid relation) {
    call([&] { LockRelationOid(relation, AccessShareLock); });
    Query query;
    query.run("SELECT snapback.note_columns(ARRAY[$1]::oid[])", {Value::regclass(relation)});
}

void note_pending_renames() {
    Query query;
    for (Row changed : query.run("SELECT k.relation FROM snapback.known_columns k"
                                 " JOIN snapback.protected_table t ON t.relation = k.relation"
                                 " WHERE k.names IS DISTINCT FROM snapback.column_names(k.relation)"))
        note_columns(changed.oid(1));
}

} // namespace snapback
