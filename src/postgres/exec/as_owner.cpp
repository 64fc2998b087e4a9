#include "postgres/exec/as_owner.hpp"

#include <array>

extern "C" {
#include "catalog/pg_class.h"
#include "storage/lmgr.h"
}

namespace snapback {

namespace {

struct Setting {
    const char *name;
    const char *value;
};

/// Settings that change the meaning of statements and values. Constraint exclusion is off, because the planner would
/// resolve functions in CHECK constraints with this search_path.
constexpr std::array<Setting, 13> fixed_settings{{
    {"row_security", "off"},
    {"constraint_exclusion", "off"},
    {"search_path", "pg_catalog, pg_temp"},
    {"datestyle", "ISO, YMD"},
    {"intervalstyle", "postgres"},
    {"timezone", "UTC"},
    {"extra_float_digits", "1"},
    {"array_nulls", "on"},
    {"bytea_output", "hex"},
    {"xmloption", "content"},
    {"lc_monetary", "C"},
    {"standard_conforming_strings", "on"},
    {"transform_null_equals", "off"},
}};

void fix_settings() {
    for (const Setting &setting : fixed_settings)
        set_config_option(setting.name, setting.value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

} // namespace

AsOwner::AsOwner() {
    GetUserIdAndSecContext(&user_before_, &context_before_);
    guc_level_ = NewGUCNestLevel();
}

// With a delegating constructor the destructor runs if the body throws.
AsOwner::AsOwner(Oid owner) : AsOwner() {
    call([] { fix_settings(); });
    SetUserIdAndSecContext(owner, context_before_ | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

AsOwner::~AsOwner() {
    call_noexcept([this] { AtEOXact_GUC(false, guc_level_); });
    SetUserIdAndSecContext(user_before_, context_before_);
}

Oid lock_and_get_owner(Oid relation) {
    Oid owner = call([&] {
        LockRelationOid(relation, AccessShareLock);
        HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
        if (!HeapTupleIsValid(tuple))
            return InvalidOid;
        Oid found = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
        ReleaseSysCache(tuple);
        return found;
    });
    if (!OidIsValid(owner))
        throw Error(sqlstate::undefined_object, "relation with OID " + std::to_string(relation) + " does not exist")
            .with_hint("It was dropped after registration; see the view snapback.protection.");
    return owner;
}

} // namespace snapback
