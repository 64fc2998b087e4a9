#include "guard/guard_state.hpp"

#include <algorithm>
#include <cstdint>

#include "postgres/catalog/inheritance.hpp"

extern "C" {
#include "catalog/pg_trigger.h"
#include "parser/parse_func.h"
#include "utils/reltrigger.h"
}

namespace snapback {

namespace {

struct GuardTrigger {
    const char *name;
    std::int16_t events;
};
// The names sort after all others, so that the guard sees the row after all other triggers.
constexpr GuardTrigger row_trigger{"~snapback_write_guard", TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE |
                                                                TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
                                                                TRIGGER_TYPE_DELETE};
constexpr GuardTrigger truncate_trigger{"~snapback_truncate_guard", TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE};

/// Find the trigger function; a Postgres call.
Oid guard_function() {
    List *name = list_make2(makeString(pstrdup("snapback_internal")), makeString(pstrdup("write_guard")));
    return LookupFuncName(name, 0, nullptr, true);
}

bool is_as_made(const Trigger &trigger, const GuardTrigger &guard) {
    return trigger.tgtype == guard.events && trigger.tgfoid == guard_function() && trigger.tgnattr == 0 &&
           !trigger.tgqual;
}

/// The state of one guard trigger on an open relation; a Postgres call.
GuardState state_of_trigger(Relation relation, const GuardTrigger &guard) {
    const TriggerDesc *triggers = relation->trigdesc;
    for (int i = 0; triggers && i < triggers->numtriggers; i++) {
        const Trigger &trigger = triggers->triggers[i];
        if (strcmp(trigger.tgname, guard.name) == 0 && is_as_made(trigger, guard))
            return trigger.tgenabled == TRIGGER_FIRES_ALWAYS ? GuardState::enabled : GuardState::disabled;
    }
    return GuardState::missing;
}

/// Whether a BEFORE trigger fires after the guard; a Postgres call.
bool is_overtaken(Relation relation) {
    constexpr std::int16_t changes_rows = TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE;
    const TriggerDesc *triggers = relation->trigdesc;
    for (int i = 0; triggers && i < triggers->numtriggers; i++) {
        const Trigger &trigger = triggers->triggers[i];
        if (strcmp(trigger.tgname, row_trigger.name) > 0 && TRIGGER_FOR_ROW(trigger.tgtype) &&
            TRIGGER_FOR_BEFORE(trigger.tgtype) && (trigger.tgtype & changes_rows) &&
            trigger.tgenabled != TRIGGER_DISABLED)
            return true;
    }
    return false;
}

/// The state of one relation without its descendants.
GuardState state_of_relation(Oid oid) {
    return call([&] {
        Relation relation = try_relation_open(oid, AccessShareLock);
        if (!relation)
            return GuardState::missing;
        GuardState state =
            std::max({state_of_trigger(relation, row_trigger), state_of_trigger(relation, truncate_trigger),
                      is_overtaken(relation) ? GuardState::overtaken : GuardState::enabled});
        relation_close(relation, AccessShareLock);
        return state;
    });
}

} // namespace

bool is_overtaken(Oid relation) {
    return call([&] {
        Relation opened = table_open(relation, AccessShareLock);
        bool overtaken = is_overtaken(opened);
        table_close(opened, NoLock);
        return overtaken;
    });
}

GuardState guard_state(Oid relation) {
    if (!call([&] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)); }))
        return GuardState::missing;
    GuardState worst = GuardState::enabled;
    for (Oid member : with_descendants(relation))
        worst = std::max(worst, state_of_relation(member));
    return worst;
}

} // namespace snapback

SNAPBACK_FUNCTION(snapback_guard_state) {
    switch (snapback::guard_state(PG_GETARG_OID(0))) {
    case snapback::GuardState::enabled:
        return CStringGetTextDatum("enabled");
    case snapback::GuardState::overtaken:
        return CStringGetTextDatum("overtaken");
    case snapback::GuardState::disabled:
        return CStringGetTextDatum("disabled");
    default:
        return CStringGetTextDatum("missing");
    }
}
