#include "postgres/catalog/row_security.hpp"

#include "postgres/spi/query.hpp"

extern "C" {
#include "utils/acl.h"
#include "utils/rls.h"
}

namespace snapback {

namespace {

bool binds(Oid relation, Oid reader) {
    return call([&] { return check_enable_rls(relation, reader, true) == RLS_ENABLED; });
}

/// Whether a role may read at least some columns of a relation.
bool may_read(Oid relation, Oid reader) {
    return call([&] {
        return pg_class_aclcheck(relation, reader, ACL_SELECT) == ACLCHECK_OK ||
               pg_attribute_aclcheck_all(relation, reader, ACL_SELECT, ACLMASK_ANY) == ACLCHECK_OK;
    });
}

std::string name_of_role(Oid role) {
    return quote_name(call([&] { return GetUserNameFromId(role, false); }));
}

} // namespace

void refuse_binding_owner(Oid relation, Oid owner) {
    if (!binds(relation, owner))
        return;
    std::string name = qualified_name(relation);
    throw Error(sqlstate::insufficient_privilege,
                "row security of " + name + " applies to its owner and would hide rows from snapshots")
        .with_hint("Run ALTER TABLE " + name + " NO FORCE ROW LEVEL SECURITY, or ALTER ROLE " + name_of_role(owner) +
                   " BYPASSRLS.");
}

void refuse_hidden_parent(Oid parent, Oid relation, Oid owner) {
    bool readable = may_read(parent, owner);
    if (readable && !binds(parent, owner))
        return;
    std::string role = name_of_role(owner);
    std::string name = qualified_name(parent);
    throw Error(sqlstate::insufficient_privilege, role + ", the owner of " + qualified_name(relation) +
                                                      ", may not read " + (readable ? "all rows of " : "") + name +
                                                      ", through which its path to the community leads")
        .with_hint(readable ? "Run ALTER ROLE " + role + " BYPASSRLS, or give both tables the same owner."
                            : "Run GRANT SELECT ON " + name + " TO " + role + ".");
}

} // namespace snapback
