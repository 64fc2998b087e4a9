#include "postgres/spi/free_prefix.hpp"

namespace snapback {

namespace {

bool is_taken(TupleDesc columns, const std::string &prefix) {
    for (int i = 0; i < columns->natts; i++)
        if (std::string_view(NameStr(TupleDescAttr(columns, i)->attname)).starts_with(prefix))
            return true;
    return false;
}

} // namespace

std::string free_prefix(Oid oid) {
    Relation relation = call([&] { return table_open(oid, AccessShareLock); });
    std::string prefix = "the ";
    for (int n = 2; is_taken(RelationGetDescr(relation), prefix); n++)
        prefix = "the " + std::to_string(n) + ". ";
    call([&] { table_close(relation, NoLock); });
    return prefix;
}

} // namespace snapback
