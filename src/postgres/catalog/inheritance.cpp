#include "postgres/catalog/inheritance.hpp"

#include <algorithm>

extern "C" {
#include "access/genam.h"
#include "catalog/indexing.h"
#include "catalog/pg_inherits.h"
#include "utils/fmgroids.h"
}

namespace snapback {

namespace {

/// List a relation's direct parents in the current memory context.
List *direct_parents(Oid relation) {
    List *parents = NIL;
    Relation inherits = table_open(InheritsRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
    SysScanDesc scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, nullptr, 1, &key);
    while (HeapTuple tuple = systable_getnext(scan))
        parents = lappend_oid(parents, reinterpret_cast<Form_pg_inherits>(GETSTRUCT(tuple))->inhparent);
    systable_endscan(scan);
    table_close(inherits, AccessShareLock);
    return parents;
}

void append_new(std::vector<Oid> &relations, const List *more) {
    for (int i = 0; i < list_length(more); i++) {
        Oid relation = list_nth_oid(more, i);
        if (std::find(relations.begin(), relations.end(), relation) == relations.end())
            relations.push_back(relation);
    }
}

} // namespace

std::vector<Oid> with_ancestors(Oid relation) {
    std::vector<Oid> found{relation};
    for (std::size_t i = 0; i < found.size(); i++)
        append_new(found, call([&] { return direct_parents(found[i]); }));
    return found;
}

std::vector<Oid> with_descendants(Oid relation) {
    std::vector<Oid> found;
    append_new(found, call([&] { return find_all_inheritors(relation, AccessShareLock, nullptr); }));
    return found;
}

} // namespace snapback
