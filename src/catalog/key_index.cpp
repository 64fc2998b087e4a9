// Reads the system catalogs without SQL, because every capture and restore reads the key of each table.
#include "catalog/key_index.hpp"

#include <array>

#include "postgres/catalog/mandatory_column.hpp"

extern "C" {
#include "access/genam.h"
#include "access/stratnum.h"
#include "catalog/indexing.h"
#include "catalog/pg_index.h"
#include "utils/fmgroids.h"
}

namespace snapback {

namespace {

/// The equality operator of an index column; a Postgres call.
Oid equality_of(HeapTuple index, int column) {
    bool none;
    Datum classes = SysCacheGetAttr(INDEXRELID, index, Anum_pg_index_indclass, &none);
    Oid operator_class = reinterpret_cast<oidvector *>(DatumGetPointer(classes))->values[column];
    Oid type = get_opclass_input_type(operator_class);
    return get_opfamily_member(get_opclass_family(operator_class), type, type, BTEqualStrategyNumber);
}

/// Whether a column is NOT NULL and not generated; a Postgres call.
bool is_stored_and_mandatory(Oid relation, AttrNumber column) {
    HeapTuple tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relation), Int16GetDatum(column));
    if (!HeapTupleIsValid(tuple))
        return false;
    auto *attribute = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple));
    bool suits = attribute->attgenerated == '\0' && is_mandatory(attribute);
    ReleaseSysCache(tuple);
    return suits;
}

/// Whether the columns of an index identify a row; a Postgres call.
bool names_rows(HeapTuple tuple) {
    auto *index = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
    if (!index->indisunique || index->indisexclusion || !index->indimmediate || !index->indisvalid ||
        !heap_attisnull(tuple, Anum_pg_index_indexprs, nullptr) ||
        !heap_attisnull(tuple, Anum_pg_index_indpred, nullptr))
        return false;
    for (int i = 0; i < index->indnkeyatts; i++)
        if (!is_stored_and_mandatory(index->indrelid, index->indkey.values[i]) || !OidIsValid(equality_of(tuple, i)))
            return false;
    return true;
}

} // namespace

Oid key_index(Oid relation) {
    return call([&] {
        Oid primary = InvalidOid;
        Oid first = InvalidOid;
        Relation indexes = table_open(IndexRelationId, AccessShareLock);
        ScanKeyData key;
        ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
        SysScanDesc scan = systable_beginscan(indexes, IndexIndrelidIndexId, true, nullptr, 1, &key);
        while (HeapTuple tuple = systable_getnext(scan)) {
            if (!names_rows(tuple))
                continue;
            auto *index = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
            if (index->indisprimary)
                primary = index->indexrelid;
            if (!OidIsValid(first) || index->indexrelid < first)
                first = index->indexrelid;
        }
        systable_endscan(scan);
        table_close(indexes, AccessShareLock);
        return OidIsValid(primary) ? primary : first;
    });
}

std::vector<IndexedColumn> key_parts(Oid index) {
    std::array<IndexedColumn, INDEX_MAX_KEYS> parts{};
    int count = call([&] {
        HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
        if (!HeapTupleIsValid(tuple))
            return 0;
        auto *row = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
        int columns = row->indnkeyatts;
        for (int i = 0; i < columns; i++)
            parts[i] = {row->indkey.values[i], equality_of(tuple, i)};
        ReleaseSysCache(tuple);
        return columns;
    });
    return {parts.begin(), parts.begin() + count};
}

} // namespace snapback

using namespace snapback;

SNAPBACK_FUNCTION(snapback_key_index) {
    Oid index = key_index(PG_GETARG_OID(0));
    if (!OidIsValid(index))
        PG_RETURN_NULL();
    PG_RETURN_OID(index);
}
