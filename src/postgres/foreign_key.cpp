#include "postgres/foreign_key.hpp"

#include <array>

extern "C" {
#include "catalog/pg_constraint.h"
}

namespace snapback {

namespace {

/// What the constraint's catalog row holds, as plain data.
struct Constraint {
    Oid relation = InvalidOid;
    Oid parent = InvalidOid; // invalid: there is no such foreign key
    int count = 0;
    std::array<AttrNumber, INDEX_MAX_KEYS> columns{};
    std::array<AttrNumber, INDEX_MAX_KEYS> parent_columns{};
    std::array<Oid, INDEX_MAX_KEYS> equals{};
};

Constraint read_constraint(Oid relation, const char *name) {
    Constraint found;
    Oid oid = get_relation_constraint_oid(relation, name, true);
    HeapTuple tuple = OidIsValid(oid) ? SearchSysCache1(CONSTROID, ObjectIdGetDatum(oid)) : nullptr;
    if (!HeapTupleIsValid(tuple))
        return found;
    auto *row = reinterpret_cast<Form_pg_constraint>(GETSTRUCT(tuple));
    if (row->contype == CONSTRAINT_FOREIGN) {
        found.relation = relation;
        found.parent = row->confrelid;
        DeconstructFkConstraintRow(tuple, &found.count, found.columns.data(), found.parent_columns.data(),
                                   found.equals.data(), nullptr, nullptr, nullptr, nullptr);
    }
    ReleaseSysCache(tuple);
    return found;
}

ForeignKeyConstraint::Pair read_pair(const Constraint &constraint, int i) {
    return {call([&] { return get_attname(constraint.relation, constraint.columns[i], false); }),
            call([&] { return get_attname(constraint.parent, constraint.parent_columns[i], false); }),
            call([&] { return get_atttype(constraint.relation, constraint.columns[i]); }),
            call([&] { return get_atttype(constraint.parent, constraint.parent_columns[i]); }), constraint.equals[i]};
}

} // namespace

std::optional<ForeignKeyConstraint> find_foreign_key(Oid relation, const std::string &constraint) {
    Constraint found = call([&] { return read_constraint(relation, constraint.c_str()); });
    if (!OidIsValid(found.parent))
        return std::nullopt;
    ForeignKeyConstraint key{found.parent, {}};
    for (int i = 0; i < found.count; i++)
        key.pairs.push_back(read_pair(found, i));
    return key;
}

} // namespace snapback
