#include "postgres/catalog/domains.hpp"

#include <algorithm>

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/typcache.h"
}

namespace snapback {

namespace {

/// The base type of a domain; a Postgres call.
Oid type_below(Oid domain) {
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(domain));
    if (!HeapTupleIsValid(tuple))
        return InvalidOid;
    Oid below = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple))->typbasetype;
    ReleaseSysCache(tuple);
    return below;
}

/// Visit the component types of a type until the visitor returns true. A Postgres call.
template <class Visitor> bool any_part(Oid type, Visitor &&visit) {
    if (Oid element = get_element_type(type); OidIsValid(element))
        return visit(element);
    switch (get_typtype(type)) {
    case TYPTYPE_DOMAIN:
        return visit(type_below(type));
    case TYPTYPE_RANGE:
        return visit(get_range_subtype(type));
    case TYPTYPE_MULTIRANGE:
        return visit(get_multirange_range(type));
    case TYPTYPE_COMPOSITE: {
        TupleDesc shape = lookup_rowtype_tupdesc_copy(type, -1);
        for (int i = 0; i < shape->natts; i++)
            if (!TupleDescAttr(shape, i)->attisdropped && visit(TupleDescAttr(shape, i)->atttypid))
                return true;
        return false;
    }
    default:
        return false;
    }
}

/// Collect the domains of a type into a list; a Postgres call.
List *collect_domains(Oid type, List *found) {
    check_stack_depth();
    if (get_typtype(type) == TYPTYPE_DOMAIN)
        found = list_append_unique_oid(found, type);
    any_part(type, [&](Oid part) {
        found = collect_domains(part, found);
        return false;
    });
    return found;
}

} // namespace

bool contains_domain(Oid type) {
    check_stack_depth();
    return OidIsValid(type) && (get_typtype(type) == TYPTYPE_DOMAIN || any_part(type, contains_domain));
}

std::vector<Oid> domains_in(Oid type) {
    List *list = call([&] { return collect_domains(type, NIL); });
    std::vector<Oid> domains;
    for (int i = 0; i < list_length(list); i++)
        domains.push_back(list_nth_oid(list, i));
    return domains;
}

DomainCheck::DomainCheck(Oid type) : type_(type), memory_(CurrentMemoryContext) {
    row_memory_ = call([&] {
        Oid function;
        bool is_varlena;
        is_domain_ = get_typtype(type_) == TYPTYPE_DOMAIN;
        has_inner_domain_ = contains_domain(getBaseType(type_));
        getTypeInputInfo(type_, &function, &parameter_);
        fmgr_info(function, &input_);
        getTypeOutputInfo(type_, &function, &is_varlena);
        fmgr_info(function, &output_);
        return AllocSetContextCreate(memory_, "snapback domain check", ALLOCSET_DEFAULT_SIZES);
    });
}

DomainCheck::~DomainCheck() {
    MemoryContextDelete(row_memory_);
}

void DomainCheck::operator()(Datum value, bool null) {
    if (null && !is_domain_)
        return;
    call([&] {
        MemoryContextReset(row_memory_);
        MemoryContext before = MemoryContextSwitchTo(row_memory_);
        if (is_domain_)
            domain_check(value, null, type_, &cache_, memory_);
        if (!null && has_inner_domain_)
            InputFunctionCall(&input_, OutputFunctionCall(&output_, value), parameter_, -1);
        MemoryContextSwitchTo(before);
    });
}

} // namespace snapback
