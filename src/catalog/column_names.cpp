#include "catalog/column_names.hpp"

extern "C" {
#include "storage/lmgr.h"
}

namespace snapback {

void note_columns(std::span<const Oid> relations) {
    for (Oid relation : relations)
        call([&] { LockRelationOid(relation, AccessShareLock); });
    std::vector<std::int64_t> oids(relations.begin(), relations.end());
    Query query;
    query.run("SELECT snapback.note_columns($1::oid[])", {Value::bigint_array(oids)});
}

} // namespace snapback
