#include "postgres/catalog/self_contained.hpp"

#include "postgres/catalog/domains.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/pg_proc.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
}

namespace snapback {

namespace {

/// Whether a function may read more than its arguments, the clock, and the session's settings.
bool may_read_more(Oid function, void *) {
    if (function >= FirstUnpinnedObjectId)
        return true;
    char volatility = func_volatile(function);
    return volatility != PROVOLATILE_IMMUTABLE &&
           (volatility != PROVOLATILE_STABLE || func_parallel(function) != PROPARALLEL_SAFE);
}

struct Search {
    bool reads_more;
    List *domains; // domains that the expression casts to
};

bool search(Node *node, void *context) {
    auto *found = static_cast<Search *>(context);
    if (!node)
        return false;
    if (check_functions_in_node(node, may_read_more, nullptr)) {
        found->reads_more = true;
        return true;
    }
    if (IsA(node, CoerceToDomain))
        found->domains = list_append_unique_oid(found->domains, reinterpret_cast<CoerceToDomain *>(node)->resulttype);
#if PG_VERSION_NUM >= 160000
    return expression_tree_walker(node, search, context);
#else // declared without a parameter list; cast through a generic function type
    auto walker = reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(search));
    return expression_tree_walker(node, walker, context);
#endif
}

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

bool is_self_contained(const std::string &expression) {
    Search found{false, NIL};
    call([&] { search(static_cast<Node *>(stringToNode(expression.c_str())), &found); });
    if (found.reads_more)
        return false;
    if (found.domains == NIL)
        return true;
    Query query;
    for (int i = 0; i < list_length(found.domains); i++)
        if (!has_self_contained_domains(query, list_nth_oid(found.domains, i)))
            return false;
    return true;
}

bool has_self_contained_domains(Query &query, Oid type) {
    for (Oid domain : domains_in(type))
        for (Row row : query.run_kept("SELECT conbin::text FROM pg_catalog.pg_constraint"
                                      " WHERE contypid = $1 AND contype = 'c'",
                                      {Value{OIDOID, ObjectIdGetDatum(domain), false}}))
            if (!is_self_contained(row.text(1)))
                return false;
    return true;
}

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
