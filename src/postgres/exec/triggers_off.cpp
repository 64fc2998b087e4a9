// Uses the server's function manager hook (fmgr.h), which is called around selected functions: here, user functions.
#include "postgres/exec/triggers_off.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "commands/trigger.h"
}

namespace snapback {

namespace {

bool triggers_are_off = false;
int functions_running = 0; // nesting depth of user function calls
needs_fmgr_hook_type next_needs_hook = nullptr;
fmgr_hook_type next_hook = nullptr;

/// Whether a function is user code. Only superusers can create C functions.
bool is_users(Oid function) {
    if (function < FirstNormalObjectId)
        return false;
    HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple))
        return false;
    Oid language = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->prolang;
    ReleaseSysCache(tuple);
    return language != ClanguageId && language != INTERNALlanguageId;
}

bool needs_hook(Oid function) {
    return (triggers_are_off && is_users(function)) || (next_needs_hook && next_needs_hook(function));
}

/// Enable triggers while the outermost user function runs. The code sets the variable directly, because changing the
/// setting would make every function replan its statements at each call.
void around_function(FmgrHookEventType event, FmgrInfo *function, Datum *argument) {
    if (triggers_are_off) {
        if (event == FHET_START ? functions_running++ == 0 : --functions_running == 0)
            SessionReplicationRole =
                event == FHET_START ? SESSION_REPLICATION_ROLE_ORIGIN : SESSION_REPLICATION_ROLE_REPLICA;
    }
    if (next_hook)
        next_hook(event, function, argument);
}

void install_hooks() {
    static bool installed = false;
    if (installed)
        return;
    next_needs_hook = needs_fmgr_hook;
    next_hook = fmgr_hook;
    needs_fmgr_hook = needs_hook;
    fmgr_hook = around_function;
    installed = true;
}

} // namespace

TriggersOff::TriggersOff() : outer_(triggers_are_off), outer_functions_(functions_running) {
    install_hooks();
    functions_running = 0;
    triggers_are_off = true;
}

TriggersOff::~TriggersOff() {
    triggers_are_off = outer_;
    functions_running = outer_functions_;
}

} // namespace snapback
