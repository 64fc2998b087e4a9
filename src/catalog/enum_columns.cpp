// Reads the system catalogs without SQL, because every capture and restore calls it for each table.
#include "catalog/enum_columns.hpp"

#include <algorithm>
#include <map>

#include "postgres/spi/result_set.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/pg_class.h"
}

namespace snapback {

namespace {

/// A component type of a column's type, or that type itself.
struct Part {
    Oid type;
    LabelForm form;
    bool operator==(const Part &) const = default;
};

/// Properties of a type in pg_type.
struct TypeFacts {
    char kind;
    Oid base;     // of a domain
    Oid element;  // of an array, of a range, of a multirange
    Oid relation; // of a composite type
};

TypeFacts facts_of(Oid type) {
    return call([&] {
        TypeFacts facts{};
        HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
        if (!HeapTupleIsValid(tuple))
            return facts;
        auto *row = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));
        facts = {row->typtype, row->typbasetype, row->typcategory == TYPCATEGORY_ARRAY ? row->typelem : InvalidOid,
                 row->typrelid};
        ReleaseSysCache(tuple);
        if (facts.kind == TYPTYPE_RANGE)
            facts.element = get_range_subtype(type);
        else if (facts.kind == TYPTYPE_MULTIRANGE)
            facts.element = get_range_subtype(get_multirange_range(type));
        return facts;
    });
}

/// The number of columns of a relation, including dropped ones.
int column_count(Oid relation) {
    return call([&] {
        HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
        if (!HeapTupleIsValid(tuple))
            return 0;
        int count = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relnatts;
        ReleaseSysCache(tuple);
        return count;
    });
}

struct Column {
    NameData name;
    Oid type; // InvalidOid if dropped
};

Column column_at(Oid relation, int number) {
    return call([&] {
        Column column{};
        HeapTuple tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relation), Int16GetDatum(number));
        if (!HeapTupleIsValid(tuple))
            return column;
        auto *row = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple));
        if (!row->attisdropped)
            column = {row->attname, row->atttypid};
        ReleaseSysCache(tuple);
        return column;
    });
}

/// The form of labels in a component of a value that itself has the form `whole`.
LabelForm form_within(LabelForm whole, LabelForm part) {
    if (whole == LabelForm::value)
        return part;
    return part == LabelForm::value ? whole : LabelForm::nested;
}

/// Finds the enums that types contain; caches the result per type.
class EnumSearch {
public:
    const std::vector<Part> &enums_of(Oid type) {
        if (auto known = known_.find(type); known != known_.end())
            return known->second;
        std::vector<Part> parts{{type, LabelForm::value}};
        std::vector<Part> enums;
        for (std::size_t i = 0; i < parts.size(); i++) {
            // System types contain no enums.
            if (parts[i].type >= FirstNormalObjectId)
                take_apart(Part(parts[i]), parts, enums);
        }
        return known_.emplace(type, std::move(enums)).first->second;
    }

private:
    static void take_apart(const Part &whole, std::vector<Part> &parts, std::vector<Part> &enums) {
        TypeFacts facts = facts_of(whole.type);
        auto add = [&](Oid type, LabelForm form) {
            Part part{type, form_within(whole.form, form)};
            if (OidIsValid(type) && std::find(parts.begin(), parts.end(), part) == parts.end())
                parts.push_back(part);
        };
        if (facts.kind == TYPTYPE_ENUM)
            enums.push_back(whole);
        else if (facts.kind == TYPTYPE_DOMAIN)
            add(facts.base, LabelForm::value);
        else if (facts.kind == TYPTYPE_COMPOSITE)
            for (int i = 1; i <= column_count(facts.relation); i++)
                add(column_at(facts.relation, i).type, LabelForm::nested);
        else
            add(facts.element, facts.kind == TYPTYPE_BASE ? LabelForm::array : LabelForm::nested);
    }

    std::map<Oid, std::vector<Part>> known_;
};

const char *name_of(LabelForm form) {
    return form == LabelForm::value ? "value" : form == LabelForm::array ? "array" : "nested";
}

} // namespace

std::vector<EnumColumn> enum_columns(Oid relation) {
    std::vector<EnumColumn> found;
    EnumSearch search;
    int count = column_count(relation);
    for (int i = 1; i <= count; i++) {
        Column column = column_at(relation, i);
        for (const Part &part : search.enums_of(column.type))
            found.push_back({NameStr(column.name), part.type, part.form});
    }
    return found;
}

} // namespace snapback

using namespace snapback;

SNAPBACK_FUNCTION(snapback_enum_columns) {
    ResultSet result(fcinfo);
    for (const EnumColumn &column : enum_columns(PG_GETARG_OID(0)))
        result.add({Value::text(column.column),
                    {OIDOID, ObjectIdGetDatum(column.type), false},
                    Value::text(name_of(column.form))});
    PG_RETURN_NULL();
}
