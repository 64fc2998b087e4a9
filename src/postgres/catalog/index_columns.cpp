#include "postgres/catalog/index_columns.hpp"

extern "C" {
#include "optimizer/optimizer.h"
}

namespace snapback {

namespace {

/// The columns that the stored expressions of an index read. Planned expressions may lack columns, since functions are
/// inlined.
Bitmapset *columns_read(HeapTuple index, AttrNumber expressions) {
    Bitmapset *columns = nullptr;
    bool none;
    Datum stored = SysCacheGetAttr(INDEXRELID, index, expressions, &none);
    if (!none)
        pull_varattnos(static_cast<Node *>(stringToNode(TextDatumGetCString(stored))), 1, &columns);
    return columns;
}

} // namespace

bool reads_whole_row(Oid oid) {
    return call([&] {
        HeapTuple index = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(oid));
        if (!HeapTupleIsValid(index))
            return false;
        int whole = 0 - FirstLowInvalidHeapAttributeNumber;
        bool reads = bms_is_member(whole, columns_read(index, Anum_pg_index_indexprs)) ||
                     bms_is_member(whole, columns_read(index, Anum_pg_index_indpred));
        ReleaseSysCache(index);
        return reads;
    });
}

} // namespace snapback
