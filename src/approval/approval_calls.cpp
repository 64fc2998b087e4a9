// C functions for requests and approvals: advisory locks of the extension's class, workers at commit, hidden
// statements.
#include "approval/workers.hpp"
#include "postgres/lock/heavy_lock.hpp"
#include "postgres/spi/arguments.hpp"
#include "postgres/spi/utf8.hpp"

extern "C" {
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
}

using namespace snapback;

SNAPBACK_FUNCTION(snapback_hide_statement) {
    const char *shown = "snapback: looking at or approving a request";
    call([&] { pgstat_report_activity(STATE_RUNNING, shown); });
    debug_query_string = shown; // the server replaces it at the next statement
    return Datum{0};
}

SNAPBACK_FUNCTION(snapback_lock_requests) {
    take_own_lock(LockSpace::requests, lock_key(text_argument(fcinfo, 0)), ExclusiveLock, true);
    return Datum{0};
}

SNAPBACK_FUNCTION(snapback_restore_is_abandoned) {
    std::uint64_t restore = lock_key(uuid_argument(fcinfo, 0));
    return BoolGetDatum(take_own_lock(LockSpace::restore_at_work, restore, ExclusiveLock, false));
}

SNAPBACK_FUNCTION(snapback_start_worker) {
    std::string work = text_argument(fcinfo, 0);
    if (work != "mail" && work != "restore")
        throw Error(sqlstate::invalid_parameter, "worker \"" + work + "\" does not exist")
            .with_hint("The workers are mail and restore.");
    start_worker_at_commit(work == "mail" ? mail_worker : restore_worker);
    return Datum{0};
}

SNAPBACK_FUNCTION(snapback_is_text) {
    return BoolGetDatum(is_convertible_to_utf8(text_argument(fcinfo, 0)));
}
