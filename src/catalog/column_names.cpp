#include "catalog/column_names.hpp"

#include "catalog/enum_columns.hpp"
#include "postgres/spi/query.hpp"

extern "C" {
#include "storage/lmgr.h"
}

namespace snapback {

namespace {

/// Whether the recorded column names of a relation are current.
bool are_noted(Query &query, Oid relation) {
    return !query
                .run_kept("SELECT FROM snapback.known_columns k CROSS JOIN LATERAL "
                          "snapback_internal.column_names(k.relation) n"
                          " WHERE k.relation = $1 AND k.names = n.names",
                          {Value::regclass(relation)})
                .empty();
}

} // namespace

void note_columns(Oid relation) {
    call([&] { LockRelationOid(relation, AccessShareLock); });
    Query query;
    // Every capture calls this for each table, and names rarely change.
    if (!are_noted(query, relation) || !enum_columns(relation).empty())
        query.run_kept("SELECT snapback_internal.note_columns(ARRAY[$1]::oid[])", {Value::regclass(relation)});
}

void note_pending_renames() {
    Query query;
    for (Row changed : query.run("SELECT k.relation FROM snapback.known_columns k"
                                 " JOIN snapback.protected_table t ON t.relation = k.relation"
                                 " CROSS JOIN LATERAL snapback_internal.column_names(k.relation) n"
                                 " WHERE k.names IS DISTINCT FROM n.names"))
        note_columns(changed.oid(1));
}

} // namespace snapback
