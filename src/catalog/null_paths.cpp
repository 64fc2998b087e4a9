// Nullable columns on paths: a row with NULL in such a column belongs to no community.
#include "catalog/null_paths.hpp"

#include <algorithm>

#include "postgres/catalog/mandatory_column.hpp"
#include "postgres/spi/arguments.hpp"
#include "postgres/spi/result_set.hpp"

extern "C" {
#include "access/genam.h"
#include "catalog/indexing.h"
#include "catalog/partition.h"
#include "nodes/primnodes.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
}

namespace snapback {

namespace {

/// Whether a constraint is a valid CHECK that consists of IS NOT NULL on this column; a Postgres call.
bool is_check_of_presence(HeapTuple tuple, TupleDesc shape, AttrNumber column) {
    auto *row = reinterpret_cast<Form_pg_constraint>(GETSTRUCT(tuple));
    if (row->contype != CONSTRAINT_CHECK || !row->convalidated)
        return false;
    bool none;
    Datum expression = heap_getattr(tuple, Anum_pg_constraint_conbin, shape, &none);
    auto *test = none ? nullptr : static_cast<NullTest *>(stringToNode(TextDatumGetCString(expression)));
    if (!test || !IsA(test, NullTest) || test->nulltesttype != IS_NOT_NULL || !IsA(test->arg, Var))
        return false;
    return reinterpret_cast<Var *>(test->arg)->varattno == column;
}

/// Whether such a CHECK exists for a column; a Postgres call.
bool is_checked_for_presence(Oid relation, AttrNumber column) {
    bool found = false;
    Relation constraints = table_open(ConstraintRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
    SysScanDesc scan = systable_beginscan(constraints, ConstraintRelidTypidNameIndexId, true, nullptr, 1, &key);
    while (HeapTuple tuple = systable_getnext(scan))
        found = found || is_check_of_presence(tuple, RelationGetDescr(constraints), column);
    systable_endscan(scan);
    table_close(constraints, AccessShareLock);
    return found;
}

/// The root of a partition; any other relation itself.
Oid partitioned_table(Oid relation) {
    return call(
        [&] { return get_rel_relispartition(relation) ? llast_oid(get_partition_ancestors(relation)) : relation; });
}

/// Collects the nullable columns of a path.
class NullableColumns {
public:
    /// Add a column of a step if it is nullable and the previous foreign key does not reference it.
    void add(Oid relation, const std::string &column, const ForeignKey *leads_there) {
        bool referred_to = leads_there && std::ranges::any_of(leads_there->pairs, [&](const ForeignKey::Pair &pair) {
                               return pair.parent_column == column;
                           });
        if (!referred_to && takes_null(relation, column).value_or(false))
            found_.push_back({step_, relation, column});
    }
    void next_step() { step_++; }
    std::vector<NullableStep> take() { return std::move(found_); }

private:
    std::int32_t step_ = 1;
    std::vector<NullableStep> found_;
};

} // namespace

std::optional<bool> takes_null(Oid relation, const std::string &column) {
    enum class Answer { no_column, yes, no };
    Answer answer = call([&] {
        HeapTuple tuple = SearchSysCacheAttName(relation, column.c_str());
        if (!HeapTupleIsValid(tuple))
            return Answer::no_column;
        auto *attribute = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple));
        bool mandatory = is_mandatory(attribute) || is_checked_for_presence(relation, attribute->attnum);
        ReleaseSysCache(tuple);
        return mandatory ? Answer::no : Answer::yes;
    });
    return answer == Answer::no_column ? std::nullopt : std::optional(answer == Answer::yes);
}

std::vector<NullableStep> nullable_steps(const ProtectedTable &table) {
    CommunityPath path = trace_path(table);
    NullableColumns columns;
    const ForeignKey *leads_there = nullptr;
    for (const ForeignKey &key : path.keys) {
        for (const ForeignKey::Pair &pair : key.pairs)
            columns.add(key.child, pair.child_column, leads_there);
        columns.next_step();
        leads_there = &key;
    }
    if (!path.column.empty())
        columns.add(partitioned_table(path.end), path.column, leads_there);
    return columns.take();
}

} // namespace snapback

using namespace snapback;

SNAPBACK_FUNCTION(snapback_takes_null) {
    std::optional<bool> takes = takes_null(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)));
    if (!takes)
        PG_RETURN_NULL();
    PG_RETURN_BOOL(*takes);
}

SNAPBACK_FUNCTION(snapback_nullable_steps) {
    ResultSet result(fcinfo);
    auto name_argument = [&](int i) { return PG_ARGISNULL(i) ? std::string() : NameStr(*PG_GETARG_NAME(i)); };
    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    for (const NullableStep &found : nullable_steps({0, PG_GETARG_OID(0), "", name_argument(1), name_argument(2)}))
        result.add({Value::integer(found.step), Value::regclass(found.relation), Value::text(found.column)});
    PG_RETURN_NULL();
}
